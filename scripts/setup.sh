#!/usr/bin/env bash
# Make .venv from the lock files, and install from the distribution what is missing. Asks for nothing, may be run again.
#   setup.sh run | check | test
# run: what the service needs. check: linters and unit tests too. test: the real peers of the live tests too.
set -euo pipefail
cd "$(dirname "$0")/.."
level=${1:?run, check or test}
venv=.venv

say() { printf 'setup: %s\n' "$*" >&2; }
die() { say "$*"; exit 1; }

as_root() {
  if [ "$(id -u)" = 0 ]; then "$@"
  elif command -v sudo >/dev/null; then sudo -n "$@" || die "needs root for: $*  (run it yourself with sudo, then make again)"
  else die "needs root for: $*"
  fi
}

apt_refreshed=no
apt_install() {
  command -v apt-get >/dev/null || die "please install: $* (this is no Debian or Ubuntu, so not done by itself)"
  say "installing $*"
  if [ $apt_refreshed = no ]; then
    as_root apt-get -qq update || say "package lists could not be refreshed, going on with those at hand"
    apt_refreshed=yes
  fi
  as_root env DEBIAN_FRONTEND=noninteractive apt-get -qq install -y --no-install-recommends "$@" >/dev/null
}

usable() { # a Python of a version that the dependencies are built for
  "$1" -c 'import sys; sys.exit(sys.version_info[:2] not in ((3, 11), (3, 12)))' 2>/dev/null
}

has_venv() { "$1" -c 'import ensurepip, venv' 2>/dev/null; }

# The distribution's Python comes first: it is built with profile-guided optimisation, and the service takes a fifth less
# CPU on it than on one compiled with the defaults (docs/performance.md).
find_python() {
  local candidate version
  for candidate in "${PYTHON:-}" /usr/bin/python3.12 /usr/bin/python3.11 python3.12 python3.11 python3; do
    [ -n "$candidate" ] && usable "$candidate" || continue
    if ! has_venv "$candidate"; then
      version=$("$candidate" -c 'import sys; print("%d.%d" % sys.version_info[:2])')
      (apt_install "python$version-venv") >&2 || true
    fi
    if has_venv "$candidate"; then printf '%s' "$candidate"; return; fi
  done
  return 1
}

make_venv() {
  local python
  if [ -x $venv/bin/python ] && usable $venv/bin/python && $venv/bin/python -m pip --version >/dev/null 2>&1; then return; fi
  python=$(find_python) || {
    apt_install python3 python3-venv
    python=$(find_python) || { apt_install python3.11 python3.11-venv && python=$(find_python); } \
      || die "needs Python 3.11 or 3.12"
  }
  rm -rf $venv
  "$python" -m venv $venv
}

pip_install() { $venv/bin/python -m pip --quiet --disable-pip-version-check install "$@"; }

# One mark for each lock file: its hash and the Python it was installed for.
fresh() { [ "$(cat "$venv/.$1" 2>/dev/null)" = "$(mark "$1")" ]; }
mark() { { $venv/bin/python -V; cat requirements/build.txt "requirements/$1.txt"; } | sha256sum; }

install_locked() {
  fresh "$1" && return
  say "installing requirements/$1.txt"
  pip_install --require-hashes -r requirements/build.txt
  pip_install --require-hashes -r "requirements/$1.txt"
  mark "$1" >"$venv/.$1"
}

install_ourselves() {
  local here
  here=$({ pwd; cat pyproject.toml requirements/run.in; } | sha256sum)
  [ "$(cat $venv/.denwa 2>/dev/null)" = "$here" ] && return
  pip_install --no-deps --no-build-isolation -e .
  printf '%s\n' "$here" >$venv/.denwa
}

install_peers() {
  local missing=()
  command -v sipp >/dev/null || missing+=(sip-tester)
  command -v baresip >/dev/null || missing+=(baresip-core)
  command -v linphonec >/dev/null || missing+=(linphone-cli)
  ls /usr/lib/postgresql/*/bin/initdb >/dev/null 2>&1 || command -v initdb >/dev/null || missing+=(postgresql)
  command -v ip >/dev/null || missing+=(iproute2)
  command -v iptables >/dev/null || missing+=(iptables)
  command -v rtpengine >/dev/null || missing+=(rtpengine-daemon)
  perl -MMIME::Parser -e 1 2>/dev/null || missing+=(libmime-tools-perl)
  command -v openssl >/dev/null && [ -e /etc/ssl/certs/ca-certificates.crt ] || missing+=(ca-certificates openssl)
  [ ${#missing[@]} = 0 ] || apt_install "${missing[@]}"
}

case $level in run | check | test) ;; *) die "unknown: $level" ;; esac
[ "$level" != test ] || install_peers
make_venv
if [ "$level" = run ]; then
  # the linters' and tests' lock holds the service's too
  fresh dev || install_locked run
else
  install_locked dev
fi
install_ourselves
