"""An engine and the wire around it, both under the test's control: no sockets, no clock, loss at will.

The peers are text written by the test; what is proved here about machines and records is proved again with real
phones in tests/live.
"""

from __future__ import annotations

import hashlib
import itertools
import re
from pathlib import Path

from denwa.config.settings import DATA
from denwa.numbering import load_plan
from denwa.voip.context import EngineSettings, HeldGroup, Trunk
from denwa.voip.engine import SipEngine
from denwa.voip.proxy.ports import NoPlace, Place, PlaceRequest
from denwa.voip.sip.digest import Digest
from denwa.voip.sip.message import Message, parse_message
from denwa.voip.sip.peer import Peer
from denwa.voip.subscribers import Directory, Subscriber

PLAN = load_plan(DATA / "numbering", DATA / "numbering" / "operator-demo.toml")
REALM = b"denwa.example"
GATEWAY = ("192.0.2.80", 5080)
SDP = "v=0\r\no=- 1 1 IN IP4 192.0.2.1\r\ns=-\r\nc=IN IP4 192.0.2.1\r\nt=0 0\r\nm=audio 40000 RTP/AVP 0\r\n"
_START_MS = 1_790_000_000_000


def subscriber(index: int, **changes: object) -> Subscriber:
    account = b"5001%04d" % index

    def ha1(name: str) -> bytes:
        return hashlib.new(name, account + b":" + REALM + b":pw").hexdigest().encode()

    values: dict[str, object] = {
        "number": "+8150" + account.decode(),
        "account": account,
        "ha1_md5": ha1("md5"),
        "ha1_sha256": ha1("sha256"),
        "active": True,
        "ring_time": 20,
        "voicemail": False,
        "international": False,
        "reject_anonymous": False,
    }
    return Subscriber(**(values | changes))  # type: ignore[arg-type]


class Voicemail:
    """A voicemail that gives one place, or says why not (no media behind it: tests/live has the real one)."""

    def __init__(self) -> None:
        self.answer: Place | NoPlace = Place(b"sip:lease1@192.0.2.90:7000", ("192.0.2.90", 7000), "lease1")
        self.wishes: list[PlaceRequest] = []
        self.released: list[str] = []
        self.waiting: list = []

    def request(self, wish, deliver) -> None:
        self.wishes.append(wish)
        self.waiting.append(deliver)

    def release(self, lease: str) -> None:
        self.released.append(lease)


class Wire:
    """Time runs only when told; groups are committed only when told, or at once with `auto_commit`."""

    def __init__(self, *, subscribers: list[Subscriber] | None = None, **settings: object) -> None:
        directory = Directory()
        for one in subscribers or [subscriber(1), subscriber(2), subscriber(3)]:
            directory.put(one)
        tokens = itertools.count(1)
        values: dict[str, object] = {
            "host": "192.0.2.10",
            "port": 5060,
            "domains": frozenset((REALM, b"192.0.2.10")),
            "realm": REALM,
            "trunks": (Trunk("pstn", GATEWAY, frozenset((GATEWAY,)), True, True),),
            "session_expires": 1800,
            "ring_time": 20,
            "min_expires": 60,
            "default_expires": 3600,
            "max_expires": 7200,
            "max_bindings": 10,
            "probe_interval": 30,
            "calls_per_subscriber": 4,
            "new_calls_per_minute": 60,
            "max_transactions": 1000,
            "max_calls": 100,
            "sha256_agents": (b"PJSUA",),
            "md5_only_agents": (b"baresip",),
        }
        self.voicemail = Voicemail()
        self.now = 1000.0
        self.ms = _START_MS
        self.engine = SipEngine(
            EngineSettings(**(values | settings)),  # type: ignore[arg-type]
            directory,
            PLAN,
            Digest(REALM, (b"SHA-256", b"MD5"), b"s" * 32, 300),
            lambda: b"%016x" % next(tokens),
            self.voicemail,
        )
        self.auto_commit = True
        self.pending: list[HeldGroup] = []
        self.committed: list[HeldGroup] = []
        self.sent: list[tuple[Peer, Message, bytes]] = []

    def send(self, peer: Peer, text: str | bytes) -> list[tuple[Peer, Message]]:
        """Give the engine a datagram; what it sends is returned and kept in `sent`."""
        before = len(self.sent)
        self.engine.receive(text if isinstance(text, bytes) else text.encode(), peer, self.now, self.ms)
        self._collect()
        return [(p, m) for p, m, _ in self.sent[before:]]

    def wait(self, seconds: float, step: float = 0.1) -> list[tuple[Peer, Message]]:
        """Let time run."""
        before = len(self.sent)
        end = self.now + seconds
        while self.now < end:
            due = self.engine.next_due()
            ahead = min(end, max(due, self.now + 0.001)) if due is not None else end
            self.ms += round((ahead - self.now) * 1000)
            self.now = ahead
            self.engine.advance(self.now, self.ms)
            self._collect()
        return [(p, m) for p, m, _ in self.sent[before:]]

    def commit(self) -> list[tuple[Peer, Message]]:
        """The disk is done with everything waiting."""
        before = len(self.sent)
        groups, self.pending = self.pending, []
        self.committed += groups
        self.engine.committed(groups, self.now, self.ms)
        self._collect()
        return [(p, m) for p, m, _ in self.sent[before:]]

    def give_place(self) -> list[tuple[Peer, Message]]:
        before = len(self.sent)
        self.voicemail.waiting.pop(0)(self.voicemail.answer, self.now)
        self._collect()
        return [(p, m) for p, m, _ in self.sent[before:]]

    def _collect(self) -> None:
        outbox, self.engine.ctx.outbox[:] = list(self.engine.ctx.outbox), []
        self.sent += [(peer, parse_message(data), data) for peer, data in outbox]
        group = self.engine.take_group()
        if group is not None:
            self.pending.append(group)
            if self.auto_commit:
                self.commit()

    @property
    def records(self) -> list:
        """Every call row committed, with its end folded in: (entry, end or None)."""
        ends = {end.id: end for group in self.committed for end in group.ends}
        return [(entry, ends.get(entry.id)) for group in self.committed for entry in group.calls]


class Phone:
    """Writes a phone's messages. `peer` is where it is."""

    _branches = itertools.count(1)

    def __init__(self, wire: Wire, index: int, host: str = "192.0.2.1", port: int = 0) -> None:
        self.wire = wire
        self.account = f"5001{index:04d}"
        self.number = f"050{self.account}"
        self.peer = (host, port or 5060 + index)
        self.cseq = 0
        self.tag = f"tag{index}"

    def request(self, method: str, uri: str, *, to: str, call_id: str, cseq: int, extra: str = "", body: str = "",
                branch: str = "", from_: str = "") -> str:  # fmt: skip
        host, port = self.peer[:2]
        branch = branch or f"z9hG4bKphone{next(self._branches)}"
        content = f"Content-Type: application/sdp\r\nContent-Length: {len(body)}\r\n" if body else "Content-Length: 0\r\n"
        return (
            f"{method} {uri} SIP/2.0\r\nVia: SIP/2.0/UDP {host}:{port};branch={branch};rport\r\n"
            f"From: {from_ or f'<sip:{self.account}@denwa.example>;tag={self.tag}'}\r\nTo: {to}\r\nCall-ID: {call_id}\r\n"
            f"CSeq: {cseq} {method}\r\nContact: <sip:{self.account}@{host}:{port}>\r\nMax-Forwards: 70\r\n"
            f"{extra}{content}\r\n{body}"
        )

    def register(self, expires: int = 3600, password: str = "pw", call_id: str = "") -> Message:
        call_id = call_id or f"reg-{self.account}-{self.peer[1]}"
        aor = f"<sip:{self.account}@denwa.example>"
        self.cseq += 1
        text = self.request("REGISTER", "sip:denwa.example", to=aor, call_id=call_id, cseq=self.cseq)
        challenge = self.wire.send(self.peer, text)[-1][1]
        assert challenge.status == 401
        self.cseq += 1
        extra = f"Expires: {expires}\r\n" + self.authorization(challenge, "REGISTER", "sip:denwa.example", password)
        text = self.request("REGISTER", "sip:denwa.example", to=aor, call_id=call_id, cseq=self.cseq, extra=extra)
        return self.wire.send(self.peer, text)[-1][1]

    def authorization(self, challenge: Message, method: str, uri: str, password: str = "pw") -> str:
        name = "Authorization" if challenge.status == 401 else "Proxy-Authorization"
        nonce = re.search(rb'nonce="([^"]+)"', b"\n".join(challenge.lines)).group(1).decode()  # type: ignore[union-attr]

        def md5(text: str) -> str:
            return hashlib.md5(text.encode()).hexdigest()

        ha1 = md5(f"{self.account}:denwa.example:{password}")
        response = md5(f"{ha1}:{nonce}:00000001:abc:auth:{md5(f'{method}:{uri}')}")
        return (
            f'{name}: Digest username="{self.account}", realm="denwa.example", nonce="{nonce}", uri="{uri}", '
            f'response="{response}", algorithm=MD5, cnonce="abc", qop=auth, nc=00000001\r\n'
        )

    def invite(self, dialled: str, call_id: str = "call-1", extra: str = "", body: str = SDP) -> list[tuple[Peer, Message]]:
        """INVITE, 407, ACK, INVITE with credentials: what the engine sends to the second."""
        uri = f"sip:{dialled}@denwa.example"
        first = self.request("INVITE", uri, to=f"<{uri}>", call_id=call_id, cseq=1, body=body, extra=extra)
        challenge = self.wire.send(self.peer, first)[-1][1]
        assert challenge.status == 407, challenge.lines[0]
        branch = re.search("branch=([^;]+)", first).group(1)  # type: ignore[union-attr]
        to = challenge.value(3).decode()  # type: ignore[union-attr]
        self.wire.send(self.peer, self.request("ACK", uri, to=to, call_id=call_id, cseq=1, branch=branch))
        extra += self.authorization(challenge, "INVITE", uri)
        self.invite_branch = f"z9hG4bKphone{next(self._branches)}"
        second = self.request(
            "INVITE", uri, to=f"<{uri}>", call_id=call_id, cseq=2, body=body, extra=extra, branch=self.invite_branch
        )
        self.invite_text = second
        return self.wire.send(self.peer, second)


def answer(request: Message, status: int, phone_peer: Peer, *, tag: str = "callee", body: str = "", extra: str = "") -> str:
    """A response of the called side to a request that it was sent."""
    keep = [line for line in request.lines[1:]
            if line.split(b":")[0] in (b"Via", b"From", b"Call-ID", b"CSeq", b"Record-Route")]  # fmt: skip
    to = next(line for line in request.lines if line.startswith(b"To:"))
    if b";tag=" not in to:
        to += b";tag=" + tag.encode()
    lines = [f"SIP/2.0 {status} Whatever".encode(), *keep, to, f"Contact: <sip:x@{phone_peer[0]}:{phone_peer[1]}>".encode()]
    content = f"Content-Type: application/sdp\r\nContent-Length: {len(body)}\r\n" if body else "Content-Length: 0\r\n"
    return b"\r\n".join(lines).decode() + "\r\n" + extra + content + "\r\n" + body


__all__ = ["GATEWAY", "SDP", "Path", "Phone", "Voicemail", "Wire", "answer", "subscriber"]
