"""An engine and the wire around it, both under the test's control: no sockets, no clock, loss at will.

The peers are text written by the test; what is proved here about machines and records is proved again with real
phones in tests/live.
"""

from __future__ import annotations

import hashlib
import itertools
import re
from collections import Counter

from denwa.config.settings import DATA
from denwa.numbering import load_plan
from denwa.voip.calls.journal import CallEntry, EndEntry
from denwa.voip.context import EngineSettings, HeldGroup, Trunk
from denwa.voip.engine import SipEngine
from denwa.voip.proxy.ports import GuidancePlaces, LivePrices, NoPlace, Place, PlaceRequest
from denwa.voip.push.ports import PushService
from denwa.voip.push.waking import Waking
from denwa.voip.sip.digest import Digest
from denwa.voip.sip.message import CALL_ID, CONTACT, FROM, RECORD_ROUTE, TO, Message, parse_message
from denwa.voip.sip.peer import Peer
from denwa.voip.subscribers import Directory, Subscriber

PLAN = load_plan(DATA / "numbering", DATA / "numbering" / "operator-demo.toml")
REALM = b"denwa.example"
GATEWAY = ("192.0.2.80", 5080)
VOICEMAIL = ("192.0.2.90", 7000)
SDP = "v=0\r\no=- 1 1 IN IP4 192.0.2.1\r\ns=-\r\nc=IN IP4 192.0.2.1\r\nt=0 0\r\nm=audio 40000 RTP/AVP 0\r\n"
START_MS = 1_790_000_000_000
_START = 1000.0

Sent = list[tuple[Peer, Message]]


def subscriber(index: int, **changes: object) -> Subscriber:
    """The subscriber 050-5001-NNNN with the password `pw`."""
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
        self.answer: Place | NoPlace = Place(b"sip:lease1@192.0.2.90:7000", VOICEMAIL, "lease1")
        self.wishes: list[PlaceRequest] = []
        self.visits: list[tuple[str, str]] = []  # to boxes: whose, Call-ID
        self.released: list[str] = []
        self.waiting: list = []

    def request(self, wish, deliver) -> None:
        self.wishes.append(wish)
        self.waiting.append(deliver)

    def visit(self, mailbox, call_id, deliver) -> None:
        self.visits.append((mailbox, call_id))
        self.waiting.append(deliver)

    def release(self, lease: str) -> None:
        self.released.append(lease)


class Wire:
    """Time runs only when told; groups are committed only when told, or at once with `auto_commit`."""

    guidance: GuidancePlaces | None = None
    prices: LivePrices | None = None

    def __init__(
        self,
        *subscribers: Subscriber,
        voicemail: bool = True,
        push_service: PushService | None = None,
        **settings: object,
    ) -> None:
        self.directory = Directory()
        for one in subscribers or [subscriber(1), subscriber(2), subscriber(3)]:
            self.directory.put(one)
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
        self.settings = EngineSettings(**(values | settings))  # type: ignore[arg-type]
        self.voicemail = Voicemail()
        self._has_voicemail = voicemail
        self._push_service = push_service
        self.now = _START
        self.skew = 0  # milliseconds by which the wall clock was set
        self._tokens = itertools.count(1)
        self.auto_commit = True
        self.pending: list[HeldGroup] = []
        self.committed: list[HeldGroup] = []
        self.sent: list[tuple[Peer, Message, bytes]] = []
        self.start()

    def start(self) -> None:
        """A fresh engine (a restart forgets everything but the journal)."""
        self.engine = SipEngine(
            self.settings,
            self.directory,
            PLAN,
            Digest(REALM, (b"SHA-256", b"MD5"), b"s" * 32, 300),
            lambda: b"%016x" % next(self._tokens),
            self.voicemail if self._has_voicemail else None,
            self.guidance,
            prices=self.prices,
        )
        if self._push_service is not None and self.settings.push.providers:
            ctx = self.engine.ctx
            ctx.waking = Waking(ctx, self.engine.registrar, self._push_service)

    @property
    def ms(self) -> int:
        return START_MS + self.skew + round((self.now - _START) * 1000)

    @property
    def counters(self) -> Counter[tuple[str, str]]:
        return self.engine.ctx.counters

    def send(self, peer: Peer, text: str | bytes) -> Sent:
        """Give the engine a datagram; what it sends is returned and kept in `sent`."""
        before = len(self.sent)
        self.engine.receive(text if isinstance(text, bytes) else text.encode(), peer, self.now, self.ms)
        self.collect()
        return self.since(before)

    def wait(self, seconds: float) -> Sent:
        """Let time run from timer to timer."""
        before = len(self.sent)
        end = self.now + seconds
        while self.now < end:
            due = self.engine.next_due()
            self.now = min(end, max(due, self.now + 0.001)) if due is not None else end
            self.engine.advance(self.now, self.ms)
            self.collect()
        return self.since(before)

    def commit(self) -> Sent:
        """The disk is done with everything waiting."""
        before = len(self.sent)
        groups, self.pending = self.pending, []
        self.committed += groups
        self.engine.committed(groups, self.now, self.ms)
        self.collect()
        return self.since(before)

    def give_place(self) -> Sent:
        """The voicemail answers the oldest wish."""
        before = len(self.sent)
        self.voicemail.waiting.pop(0)(self.voicemail.answer, self.now)
        self.collect()
        return self.since(before)

    def collect(self) -> None:
        """Take what the engine wants sent and stored."""
        outbox = list(self.engine.ctx.outbox)
        self.engine.ctx.outbox.clear()
        self.sent += [(peer, parse_message(data), data) for peer, data in outbox]
        group = self.engine.take_group()
        if group is not None:
            self.pending.append(group)
            if self.auto_commit:
                self.commit()

    def since(self, before: int) -> Sent:
        return [(peer, message) for peer, message, _ in self.sent[before:]]

    @property
    def calls(self) -> list[CallEntry]:
        """Call rows as written, in order."""
        return [entry for group in self.committed for entry in group.calls]

    @property
    def ends(self) -> list[EndEntry]:
        return [end for group in self.committed for end in group.ends]

    @property
    def transactions(self) -> int:
        layer = self.engine.ctx.layer
        return len(layer.servers) + len(layer.clients)


class Phone:
    """Writes a phone's messages. `peer` is where it is."""

    _branches = itertools.count(1)

    def __init__(self, wire: Wire, index: int, *, host: str = "192.0.2.1", port: int = 0, tag: str = "") -> None:
        self.wire = wire
        self.account = f"5001{index:04d}"
        self.number = f"050{self.account}"
        self.peer = (host, port or 5060 + index)
        self.contact = f"sip:{self.account}@{self.peer[0]}:{self.peer[1]}"
        self.aor = f"<sip:{self.account}@denwa.example>"
        self.cseq = 0
        self.tag = tag or f"tag{index}"
        self.invite_branch = self.invite_text = ""

    @classmethod
    def new_branch(cls) -> str:
        return f"z9hG4bKphone{next(cls._branches)}"

    def request(self, method: str, uri: str, *, to: str, call_id: str, cseq: int, extra: str = "", body: str = "",
                branch: str = "", from_: str = "") -> str:  # fmt: skip
        host, port = self.peer[:2]
        return (
            f"{method} {uri} SIP/2.0\r\nVia: SIP/2.0/UDP {host}:{port};branch={branch or self.new_branch()};rport\r\n"
            f"From: {from_ or f'{self.aor};tag={self.tag}'}\r\nTo: {to}\r\nCall-ID: {call_id}\r\n"
            f"CSeq: {cseq} {method}\r\nContact: <{self.contact}>\r\nMax-Forwards: 70\r\n"
            f"{extra}{content(body)}\r\n{body}"
        )

    # -- registering ----------------------------------------------------------------------------------------------

    def register_text(self, extra: str = "", *, call_id: str = "", account: str = "") -> str:
        self.cseq += 1
        call_id = call_id or f"reg-{self.account}-{self.peer[1]}"
        to = f"<sip:{account}@denwa.example>" if account else self.aor
        return self.request("REGISTER", "sip:denwa.example", to=to, call_id=call_id, cseq=self.cseq, extra=extra)

    def register(self, expires: int = 3600, password: str = "pw", *, account: str = "", extra: str = "",
                 call_id: str = "") -> Message:  # fmt: skip
        """REGISTER, 401, REGISTER with credentials: the last answer that came at once."""
        more = f"Expires: {expires}\r\n{extra}"
        challenge = self.wire.send(self.peer, self.register_text(more, account=account, call_id=call_id))[-1][1]
        assert challenge.status == 401, challenge.lines[0]
        more += self.authorization(challenge, "REGISTER", "sip:denwa.example", password)
        text = self.register_text(more, account=account, call_id=call_id)
        return self.wire.send(self.peer, text)[-1][1]

    def authorization(self, challenge: Message, method: str, uri: str, password: str = "pw") -> str:
        """The header line that answers a challenge (RFC 7616 §3.4, MD5)."""
        name = "Authorization" if challenge.status == 401 else "Proxy-Authorization"
        found = re.search(rb'nonce="([^"]+)"', b"\n".join(challenge.lines))
        assert found, challenge.lines
        nonce = found.group(1).decode()
        ha1 = md5(f"{self.account}:denwa.example:{password}")
        response = md5(f"{ha1}:{nonce}:00000001:abc:auth:{md5(f'{method}:{uri}')}")
        return (
            f'{name}: Digest username="{self.account}", realm="denwa.example", nonce="{nonce}", uri="{uri}", '
            f'response="{response}", algorithm=MD5, cnonce="abc", qop=auth, nc=00000001\r\n'
        )

    # -- calling --------------------------------------------------------------------------------------------------

    def invite(self, dialled: str, call_id: str = "call-1", *, extra: str = "", body: str = SDP, from_: str = "",
               password: str = "pw", uri: str = "", change: tuple[str, str] = ("", "")) -> Sent:  # fmt: skip
        """INVITE, 407, ACK, INVITE with credentials (and `change` made in its text): what the engine sends then.

        When the first is answered otherwise than with a challenge, that.
        """
        uri = uri or f"sip:{dialled}@denwa.example"
        branch = self.new_branch()
        same = {"call_id": call_id, "from_": from_, "to": f"<{uri}>"}
        first = self.request("INVITE", uri, cseq=1, body=body, extra=extra, branch=branch, **same)
        sent = self.wire.send(self.peer, first)
        challenge = sent[-1][1]
        if challenge.status != 407:
            return sent
        same["to"] = text_of(challenge, TO)
        self.wire.send(self.peer, self.request("ACK", uri, cseq=1, branch=branch, **same))
        same["to"] = f"<{uri}>"
        extra += self.authorization(challenge, "INVITE", uri, password)
        self.invite_branch = self.new_branch()
        self.invite_text = self.request(
            "INVITE", uri, cseq=2, body=body, extra=extra, branch=self.invite_branch, **same
        )
        self.invite_text = self.invite_text.replace(*change, 1)
        return self.wire.send(self.peer, self.invite_text)

    def cancel(self) -> Sent:
        """CANCEL of the last INVITE."""
        sent = parse_message(self.invite_text.encode())
        uri = sent.uri.decode()
        text = self.request("CANCEL", uri, to=text_of(sent, TO), call_id=text_of(sent, CALL_ID), cseq=2,
                            branch=self.invite_branch, from_=text_of(sent, FROM))  # fmt: skip
        return self.wire.send(self.peer, text)

    def ack_failure(self, response: Message) -> Sent:
        """The ACK to a failure of the last INVITE."""
        text = self.request("ACK", "sip:x@denwa.example", to=text_of(response, TO), call_id=text_of(response, CALL_ID),
                            cseq=2, branch=self.invite_branch, from_=text_of(response, FROM))  # fmt: skip
        return self.wire.send(self.peer, text)

    def answer(self, request: Message, status: int, **more: str) -> Sent:
        """Answer a request that the engine sent to this phone."""
        return self.wire.send(self.peer, answer(request, status, self.peer, contact=self.contact, **more))


class Talk:
    """One phone's side of a dialog (RFC 3261 §12): what its requests inside it say."""

    def __init__(self, phone: Phone, local: str, remote: str, call_id: str, target: str, routes: str, cseq: int):
        self.phone = phone
        self.local = local
        self.remote = remote
        self.call_id = call_id
        self.target = target
        self.routes = routes
        self.cseq = cseq

    @classmethod
    def of_caller(cls, phone: Phone, answer_: Message) -> Talk:
        routes = ",".join(value.decode() for value in reversed(answer_.values(RECORD_ROUTE)))
        return cls(phone, text_of(answer_, FROM), text_of(answer_, TO), text_of(answer_, CALL_ID),
                   text_of(answer_, CONTACT).strip("<>"), routes, 2)  # fmt: skip

    @classmethod
    def of_callee(cls, phone: Phone, invite: Message, tag: str = "callee") -> Talk:
        routes = ",".join(value.decode() for value in invite.values(RECORD_ROUTE))
        return cls(phone, f"{text_of(invite, TO)};tag={tag}", text_of(invite, FROM), text_of(invite, CALL_ID),
                   text_of(invite, CONTACT).strip("<>"), routes, 0)  # fmt: skip

    def text(self, method: str, *, extra: str = "", body: str = "", cseq: int = 0, branch: str = "") -> str:
        if not cseq and method not in ("ACK", "CANCEL"):
            self.cseq += 1
        if self.routes:
            extra = f"Route: {self.routes}\r\n{extra}"
        return self.phone.request(method, self.target, to=self.remote, call_id=self.call_id, cseq=cseq or self.cseq,
                                  extra=extra, body=body, branch=branch, from_=self.local)  # fmt: skip

    def send(self, method: str, *, extra: str = "", body: str = "", cseq: int = 0, branch: str = "") -> Sent:
        text = self.text(method, extra=extra, body=body, cseq=cseq, branch=branch)
        return self.phone.wire.send(self.phone.peer, text)


class CallUp:
    """An answered call: `a` and `b` are both sides' dialogs, `invite` what the callee got, `ok` what the caller got."""

    def __init__(self, caller: Phone, callee: Phone, invite: Message, ok: Message, answer_text: str) -> None:
        self.caller, self.callee, self.invite, self.ok, self.answer_text = caller, callee, invite, ok, answer_text
        self.a = Talk.of_caller(caller, ok)
        self.b = Talk.of_callee(callee, invite)

    def hang_up(self, who: str = "caller", status: int = 200) -> Message:
        """BYE of one side, answered by the other: what the one who hung up hears."""
        talk, near, far = (self.a, self.caller, self.callee) if who == "caller" else (self.b, self.callee, self.caller)
        return to(far.answer(to(talk.send("BYE"), far.peer), status), near.peer)


def call_up(wire: Wire, caller: Phone, callee: Phone, *, dialled: str = "", call_id: str = "call-1", extra: str = "",
            callee_extra: str = "", from_: str = "", ack: bool = True) -> CallUp:  # fmt: skip
    """Call a registered phone, ring for a second, answer, acknowledge."""
    callee.register()
    sent = caller.invite(dialled or callee.number, call_id, extra=extra, from_=from_)
    invite = to(sent, callee.peer)
    callee.answer(invite, 180)
    wire.wait(1.0)
    text = answer(invite, 200, callee.peer, body=SDP, extra=callee_extra, contact=callee.contact)
    ok = to(wire.send(callee.peer, text), caller.peer)
    up = CallUp(caller, callee, invite, ok, text)
    if ack:
        up.a.send("ACK", cseq=2)
    return up


def answer(request: Message, status: int, peer: Peer, *, tag: str = "callee", body: str = "", extra: str = "",
           contact: str = "") -> str:  # fmt: skip
    """A response of the called side to a request that it was sent."""
    keep = [line for line in request.lines[1:]
            if line.split(b":")[0] in (b"Via", b"From", b"Call-ID", b"CSeq", b"Record-Route")]  # fmt: skip
    receiver = next(line for line in request.lines if line.startswith(b"To:"))
    if b";tag=" not in receiver:
        receiver += b";tag=" + tag.encode()
    contact = contact or f"sip:{peer[0]}:{peer[1]}"
    lines = [b"SIP/2.0 %d Whatever" % status, *keep, receiver, f"Contact: <{contact}>".encode()]
    return b"\r\n".join(lines).decode() + "\r\n" + extra + content(body) + "\r\n" + body


def to(sent: Sent, peer: Peer) -> Message:
    """The one message that went to `peer` (a 100 is not counted)."""
    found = [message for where, message in sent if where == peer and message.status != 100]
    assert len(found) == 1, [(where, message.lines[0]) for where, message in sent]
    return found[0]


def starts(sent: Sent) -> list[tuple[Peer, str]]:
    """What went where, as method or status: the shape of an exchange."""
    return [(peer, message.method.decode() or str(message.status)) for peer, message in sent]


def text_of(message: Message, kind: int) -> str:
    value = message.value(kind)
    assert value is not None, message.lines
    return value.decode()


def content(body: str) -> str:
    if not body:
        return "Content-Length: 0\r\n"
    return f"Content-Type: application/sdp\r\nContent-Length: {len(body.encode())}\r\n"


def md5(text: str) -> str:
    return hashlib.md5(text.encode()).hexdigest()
