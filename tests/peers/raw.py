"""A SIP peer whose every byte and every silence the test decides: a real UDP socket, and messages written by hand.

For what no well-behaved client does: swallow an ACK, send a BYE twice, let a CANCEL cross a 200.
"""

from __future__ import annotations

import hashlib
import itertools
import re
import secrets
import socket
import time
from dataclasses import dataclass, field
from types import TracebackType
from typing import Self

from tests.peers import ports

_COMPACT = {
    "v": "via",
    "f": "from",
    "t": "to",
    "i": "call-id",
    "m": "contact",
    "l": "content-length",
    "c": "content-type",
}
_ECHOED = ("via", "from", "to", "call-id", "cseq")


@dataclass(frozen=True)
class Message:
    """A received SIP message. `at`: wall-clock seconds."""

    start: str
    headers: list[tuple[str, str]]
    body: str
    source: tuple[str, int]
    at: float

    @classmethod
    def parse(cls, data: bytes, source: tuple[str, int]) -> Message:
        head, _, body = data.decode("utf-8", "surrogateescape").partition("\r\n\r\n")
        start, *lines = re.sub(r"\r\n[ \t]+", " ", head).split("\r\n")
        pairs = [line.partition(":")[::2] for line in lines]
        headers = [(_COMPACT.get(n.strip().lower(), n.strip().lower()), v.strip()) for n, v in pairs]
        return cls(start, headers, body, source, time.time())

    def all(self, name: str) -> list[str]:
        return [value for known, value in self.headers if known == name.lower()]

    def get(self, name: str) -> str:
        """First value; raises AssertionError when the header is not there."""
        values = self.all(name)
        assert values, f"no {name} in {self.start} {self.headers}"
        return values[0]

    @property
    def status(self) -> int:
        """Status code of a response, 0 for a request."""
        return int(self.start.split()[1]) if self.start.startswith("SIP/2.0 ") else 0

    @property
    def method(self) -> str:
        """Of the request, or of the request that a response answers."""
        return self.get("cseq").split()[1] if self.status else self.start.split()[0]

    @property
    def tag(self) -> str:
        found = re.search(r";tag=([^;>\s]+)", self.get("to"))
        return found[1] if found else ""


@dataclass
class Dialog:
    """What a peer keeps of a dialog to write the next request in it."""

    call_id: str
    local: str  # From value of our requests, with tag
    remote: str  # To value
    target: str  # remote Contact URI
    routes: list[str] = field(default_factory=list)
    cseq: int = 1
    invite_branch: str = ""
    invite_uri: str = ""


class RawPeer:
    """`peer.send(…)`, `peer.expect(…)`. Nothing is sent by itself: no ACK, no retransmission."""

    def __init__(
        self, service: str, user: str, password: str = "", domain: str = "denwa.example", port: int = 0
    ) -> None:
        host, _, remote = service.partition(":")
        self.service, self.user, self.password, self.domain = (host, int(remote)), user, password, domain
        self.port = port or ports.free_port()
        self._cseq = itertools.count(1)
        self._waiting: list[Message] = []
        self.seen: list[Message] = []
        self.last_sent = b""
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)

    def __enter__(self) -> Self:
        self._socket.bind(("127.0.0.1", self.port))
        return self

    def __exit__(self, kind: type[BaseException] | None, fault: BaseException | None, at: TracebackType | None) -> None:
        self._socket.close()

    @property
    def contact(self) -> str:
        return f"<sip:{self.user}@127.0.0.1:{self.port}>"

    # wire

    def send_bytes(self, data: bytes, to: tuple[str, int] | None = None) -> float:
        self._socket.sendto(data, to or self.service)
        self.last_sent = data
        return time.time()

    def expect(self, what: int | str, method: str = "", timeout: float = 5) -> Message:
        """The next waiting message with this status (of `method`) or this request method; others stay waiting."""
        until = time.monotonic() + timeout
        while True:
            for message in self._waiting:
                wanted = message.status == what if isinstance(what, int) else message.start.startswith(f"{what} ")
                if wanted and method in ("", message.method):
                    self._waiting.remove(message)
                    return message
            left = until - time.monotonic()
            assert left > 0, f"no {what} {method} within {timeout} s; waiting: {[m.start for m in self._waiting]}"
            self._read(left)

    def next(self, timeout: float = 5) -> Message:
        """Whatever comes next; what waits is dropped."""
        self.forget()
        self._read(timeout)
        assert self._waiting, f"nothing within {timeout} s"
        return self._waiting.pop()

    def expect_silence(self, seconds: float) -> None:
        """Nothing at all may come for so long."""
        self._read(seconds)
        assert not self._waiting, [m.start for m in self._waiting]

    def requests(self, seconds: float) -> list[Message]:
        """What is asked of us within so long (ACKs are no question)."""
        until = time.monotonic() + seconds
        while (left := until - time.monotonic()) > 0:
            self._read(left)
        asked = [m for m in self._waiting if not m.status and m.method != "ACK"]
        self.forget()
        return asked

    def forget(self) -> None:
        """Drop what waits (retransmissions of a message dealt with)."""
        self._waiting.clear()

    def _read(self, seconds: float) -> None:
        self._socket.settimeout(max(seconds, 0.001))
        try:
            data, source = self._socket.recvfrom(65535)
        except TimeoutError:
            return
        message = Message.parse(data, source)
        self.seen.append(message)
        self._waiting.append(message)

    # writing

    def request(self, method: str, uri: str, headers: list[str], body: str = "", branch: str = "") -> bytes:
        """A request with a Via of ours; `headers` are whole lines."""
        branch = branch or f"z9hG4bK{secrets.token_hex(8)}"
        via = f"Via: SIP/2.0/UDP 127.0.0.1:{self.port};branch={branch};rport"
        kind = ["Content-Type: application/sdp"] if body else []
        lines = [f"{method} {uri} SIP/2.0", via, "Max-Forwards: 70", *headers, *kind, f"Content-Length: {len(body)}"]
        return ("\r\n".join(lines) + "\r\n\r\n" + body).encode()

    def reply(self, request: Message, status: int, reason: str, *, tag: str = "", body: str = "") -> bytes:
        """A response written after RFC 3261 §8.2.6, Record-Route copied; send it with `send_bytes`."""
        lines = [f"SIP/2.0 {status} {reason}"]
        for name, value in request.headers:
            if name in _ECHOED:
                add = f";tag={tag}" if name == "to" and tag and "tag=" not in value else ""
                lines.append(f"{name.title()}: {value}{add}")
        if request.method == "INVITE" and 100 < status < 300:
            lines += [f"Record-Route: {value}" for value in request.all("record-route")]
            lines.append(f"Contact: {self.contact}")
        lines += ["Content-Type: application/sdp"] if body else []
        return ("\r\n".join([*lines, f"Content-Length: {len(body)}"]) + "\r\n\r\n" + body).encode()

    def answer(self, request: Message, status: int, reason: str, *, tag: str = "", body: str = "") -> bytes:
        """`reply`, sent to where the request came from. Returns the bytes, to send them again."""
        data = self.reply(request, status, reason, tag=tag, body=body)
        self.send_bytes(data, request.source)
        return data

    def sdp(self) -> str:
        media = ports.media_ports()
        return (
            f"v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\n"
            f"m=audio {media} RTP/AVP 0\r\na=rtpmap:0 PCMU/8000\r\n"
        )

    def credentials(self, challenge: str, method: str, uri: str, password: str | None = None) -> str:
        """Value of an Authorization header (RFC 7616, qop=auth) for the challenge."""
        asked = dict(re.findall(r'(\w+)="?([^",]+)"?', challenge.partition(" ")[2]))
        algorithm = asked.get("algorithm", "MD5")
        digest = hashlib.sha256 if algorithm == "SHA-256" else hashlib.md5

        def h(*parts: str) -> str:
            return digest(":".join(parts).encode()).hexdigest()

        secret = self.password if password is None else password
        ha1, ha2, cnonce = h(self.user, asked["realm"], secret), h(method, uri), secrets.token_hex(4)
        response = h(ha1, asked["nonce"], "00000001", cnonce, "auth", ha2)
        return (
            f'Digest username="{self.user}", realm="{asked["realm"]}", nonce="{asked["nonce"]}", uri="{uri}", '
            f'response="{response}", algorithm={algorithm}, qop=auth, nc=00000001, cnonce="{cnonce}"'
        )

    # usual conversations

    def register(self, *, expires: int = 300, expect: int = 200) -> Message:
        """REGISTER with digest; returns the final response."""
        uri, call_id = f"sip:{self.domain}", secrets.token_hex(8)
        own = f"<sip:{self.user}@{self.domain}>"
        headers = [
            f"From: {own};tag=r",
            f"To: {own}",
            f"Call-ID: {call_id}",
            f"Contact: {self.contact}",
            f"Expires: {expires}",
        ]
        self.send_bytes(self.request("REGISTER", uri, [*headers, f"CSeq: {next(self._cseq)} REGISTER"]))
        challenge = self.expect(401).get("www-authenticate")
        proof = f"Authorization: {self.credentials(challenge, 'REGISTER', uri)}"
        self.send_bytes(self.request("REGISTER", uri, [*headers, f"CSeq: {next(self._cseq)} REGISTER", proof]))
        return self.expect(expect)

    def invite(self, number: str, *, authenticate: bool = True, headers: tuple[str, ...] = ()) -> Dialog:
        """Send an INVITE (answering the 407 when `authenticate`); what comes back is the test's to expect."""
        uri = f"sip:{number}@{self.service[0]}:{self.service[1]}"
        local = f"<sip:{self.user}@{self.domain}>;tag={secrets.token_hex(4)}"
        dialog = Dialog(secrets.token_hex(8), local, f"<{uri}>", uri)
        self._send_invite(dialog, list(headers))
        if authenticate:
            challenge = self.expect(407)
            dialog.remote = challenge.get("to")
            self.send_bytes(self._ack_failure(dialog))
            dialog.remote, dialog.cseq = f"<{uri}>", dialog.cseq + 1
            proof = self.credentials(challenge.get("proxy-authenticate"), "INVITE", uri)
            self._send_invite(dialog, [*headers, f"Proxy-Authorization: {proof}"])
        return dialog

    def _send_invite(self, dialog: Dialog, headers: list[str]) -> None:
        dialog.invite_branch, dialog.invite_uri = f"z9hG4bK{secrets.token_hex(8)}", dialog.target
        lines = [*self._dialog_headers(dialog, "INVITE"), f"Contact: {self.contact}", *headers]
        self.send_bytes(self.request("INVITE", dialog.target, lines, self.sdp(), dialog.invite_branch))

    def _dialog_headers(self, dialog: Dialog, method: str) -> list[str]:
        routes = [f"Route: {route}" for route in dialog.routes]
        names = [f"From: {dialog.local}", f"To: {dialog.remote}", f"Call-ID: {dialog.call_id}"]
        return [*routes, *names, f"CSeq: {dialog.cseq} {method}"]

    def _ack_failure(self, dialog: Dialog) -> bytes:
        return self.request("ACK", dialog.invite_uri, self._dialog_headers(dialog, "ACK"), "", dialog.invite_branch)

    def cancel(self, dialog: Dialog) -> None:
        """CANCEL of the pending INVITE: same branch, same CSeq number."""
        dialog_headers = self._dialog_headers(dialog, "CANCEL")
        self.send_bytes(self.request("CANCEL", dialog.invite_uri, dialog_headers, "", dialog.invite_branch))

    def established(self, dialog: Dialog, answer: Message) -> Dialog:
        """The caller's dialog after a 2xx: tag, remote target, route set reversed (RFC 3261 §12.1.2)."""
        dialog.remote = answer.get("to")
        dialog.target = uri_of(answer.get("contact"))
        dialog.routes = [route for value in answer.all("record-route") for route in re.findall(r"<[^>]*>", value)][::-1]
        return dialog

    def accepted(self, invite: Message, tag: str) -> Dialog:
        """The callee's dialog of an INVITE it answers with `tag` (RFC 3261 §12.1.1)."""
        routes = [route for value in invite.all("record-route") for route in re.findall(r"<[^>]*>", value)]
        local = f"{invite.get('to')};tag={tag}"
        return Dialog(invite.get("call-id"), local, invite.get("from"), uri_of(invite.get("contact")), routes, 100)

    def ack(self, dialog: Dialog) -> None:
        """ACK of a 2xx: a request of its own, along the route set."""
        self.send_bytes(self.request("ACK", dialog.target, self._dialog_headers(dialog, "ACK")))

    def bye(self, dialog: Dialog) -> bytes:
        """Send BYE; returns the bytes, to send them again."""
        dialog.cseq += 1
        data = self.request("BYE", dialog.target, self._dialog_headers(dialog, "BYE"))
        self.send_bytes(data)
        return data


def uri_of(address: str) -> str:
    """The URI in a name-addr."""
    found = re.search(r"<([^>]*)>", address)
    return found[1] if found else address.partition(";")[0].strip()
