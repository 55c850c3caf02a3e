#!/bin/sh
# A certificate authority of your own and a certificate for the mail server on localhost, in deploy/tls (valid 2 years).
set -eu
cd "$(dirname "$0")"
mkdir -p tls
cd tls
[ ! -e mail.pem ] || { echo "deploy/tls/mail.pem is there already; remove deploy/tls to make new ones" >&2; exit 1; }
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
openssl req -x509 -newkey rsa:2048 -nodes -days 730 -subj "/CN=Denwa mail authority" \
  -addext "keyUsage=critical,keyCertSign,cRLSign" -keyout "$work/ca-key.pem" -out ca.pem 2>/dev/null
openssl req -newkey rsa:2048 -nodes -subj "/CN=localhost" -keyout mail-key.pem -out "$work/mail.csr" 2>/dev/null
printf 'subjectAltName=DNS:localhost,IP:127.0.0.1\nbasicConstraints=CA:FALSE\nextendedKeyUsage=serverAuth\n' >"$work/mail.ext"
openssl x509 -req -in "$work/mail.csr" -CA ca.pem -CAkey "$work/ca-key.pem" -CAcreateserial -CAserial "$work/serial" \
  -days 730 -extfile "$work/mail.ext" -out mail.pem 2>/dev/null
chmod 644 mail-key.pem # read by the mail container's own user; the folder is for this machine only
echo "made deploy/tls/ca.pem, mail.pem, mail-key.pem"
