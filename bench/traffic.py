"""Both ends of a call as plain text, to measure without sockets: the gateway that calls, the phone that answers."""

from __future__ import annotations

import hashlib
import re

GATEWAY = ("127.0.0.1", 5080)
PHONE = ("127.0.0.1", 5070)
DOMAIN = "denwa.example"

_SDP = (
    "v=0\r\no=bench 4711 4711 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\n"
    "m=audio 41000 RTP/AVP 0 9 101\r\na=rtpmap:0 PCMU/8000\r\na=rtpmap:9 G722/8000\r\n"
    "a=rtpmap:101 telephone-event/8000\r\na=fmtp:101 0-15\r\na=ptime:20\r\na=sendrecv\r\n"
)
_COPIED = (b"via:", b"from:", b"call-id:", b"cseq:")


def _request(method: str, uri: str, number: int, cseq: int, middle: str, to: str, body: str = "") -> bytes:
    kind = "Content-Type: application/sdp\r\n" if body else ""
    return (
        f"{method} {uri} SIP/2.0\r\nVia: SIP/2.0/UDP 127.0.0.1:5080;branch=z9hG4bK-{number}-{method}-{cseq};rport\r\n"
        f"{middle}Max-Forwards: 70\r\nFrom: <sip:0312345678@{DOMAIN}>;tag=c{number}\r\nTo: {to}\r\n"
        f"Call-ID: bench-{number}@127.0.0.1\r\nCSeq: {cseq} {method}\r\n"
        f"Contact: <sip:0312345678@127.0.0.1:5080>\r\n"
        f"User-Agent: bench-gateway\r\nAllow: INVITE, ACK, CANCEL, BYE, OPTIONS, UPDATE\r\nSupported: timer\r\n"
        f"{kind}Content-Length: {len(body)}\r\n\r\n{body}"
    ).encode("ascii")


def invite(number: int, account: str) -> bytes:
    """Call ``number`` of this run from the telephone network to a subscriber."""
    return _request("INVITE", f"sip:050{account}@{DOMAIN}", number, 1, "", f"<sip:050{account}@{DOMAIN}>", _SDP)


def in_dialog(method: str, number: int, cseq: int, answer: bytes) -> bytes:
    """ACK or BYE after the 200 ``answer``: its Contact, its Record-Route backwards, its To."""
    lines = _head(answer)
    contact = next(line for line in lines if line.lower().startswith(b"contact:"))
    target = re.search(rb"<([^>]+)>", contact)
    if target is None:
        raise ValueError(f"no Contact in {answer!r}")
    routes = [line.partition(b":")[2].strip() for line in lines if line.lower().startswith(b"record-route:")]
    middle = "".join(f"Route: {route.decode('ascii')}\r\n" for route in reversed(routes))
    to = next(line for line in lines if line.lower().startswith(b"to:")).partition(b":")[2].strip()
    return _request(method, target[1].decode("ascii"), number, cseq, middle, to.decode("ascii"))


def reply(request: bytes, status: str, tag: str = "", *, sdp: bool = False) -> bytes:
    """The phone's answer to what the server sent it."""
    out = [f"SIP/2.0 {status}".encode()]
    for line in _head(request)[1:]:
        name = line[: line.find(b":") + 1].lower()
        if name in _COPIED or (name == b"record-route:" and tag):
            out.append(line)
        elif name == b"to:":
            out.append(line + f";tag={tag}".encode() if tag else line)
    body = _SDP.encode() if sdp else b""
    if tag:
        out.append(b"Contact: <sip:phone@127.0.0.1:5070>")
    if sdp:
        out += [b"Allow: INVITE, ACK, CANCEL, BYE, OPTIONS, UPDATE", b"Content-Type: application/sdp"]
    out.append(b"Content-Length: %d" % len(body))
    return b"\r\n".join(out) + b"\r\n\r\n" + body


def register(number: int, account: str, challenge: bytes = b"") -> bytes:
    """A phone's REGISTER; with the 401 ``challenge`` of the server, the second one with the digest (MD5)."""
    cseq, authorization = 1, ""
    if challenge:
        cseq, authorization = 2, _digest(challenge, account)
    return (
        f"REGISTER sip:{DOMAIN} SIP/2.0\r\nVia: SIP/2.0/UDP 127.0.0.1:5070;branch=z9hG4bK-r{number}-{cseq};rport\r\n"
        f"Max-Forwards: 70\r\nFrom: <sip:{account}@{DOMAIN}>;tag=r{number}\r\nTo: <sip:{account}@{DOMAIN}>\r\n"
        f"Call-ID: register-{number}@127.0.0.1\r\nCSeq: {cseq} REGISTER\r\n"
        f"Contact: <sip:{account}@127.0.0.1:5070>;expires=3600\r\n{authorization}"
        f"User-Agent: bench-phone\r\nAllow: INVITE, ACK, CANCEL, BYE, OPTIONS, UPDATE\r\nContent-Length: 0\r\n\r\n"
    ).encode("ascii")


def _digest(challenge: bytes, account: str) -> str:
    """RFC 7616 §3.4 with MD5 and qop=auth."""
    lines = [line.decode("ascii") for line in _head(challenge) if line.lower().startswith(b"www-authenticate:")]
    line = next(line for line in lines if "SHA-256" not in line)
    fields = dict(re.findall(r'(realm|nonce|opaque)="([^"]*)"', line))
    uri = f"sip:{DOMAIN}"
    ha1 = _md5(f"{account}:{fields['realm']}:secret-{account}")
    response = _md5(f"{ha1}:{fields['nonce']}:00000001:0a4f113b:auth:{_md5(f'REGISTER:{uri}')}")
    opaque = f', opaque="{fields["opaque"]}"' if "opaque" in fields else ""
    return (
        f'Authorization: Digest username="{account}", realm="{fields["realm"]}", nonce="{fields["nonce"]}", '
        f'uri="{uri}", response="{response}", algorithm=MD5, cnonce="0a4f113b", qop=auth, nc=00000001{opaque}\r\n'
    )


def _md5(text: str) -> str:
    return hashlib.md5(text.encode("ascii")).hexdigest()


def _head(message: bytes) -> list[bytes]:
    return message[: message.index(b"\r\n\r\n")].split(b"\r\n")
