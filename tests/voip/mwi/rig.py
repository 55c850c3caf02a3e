"""Phones that watch their mailboxes."""

from __future__ import annotations

from denwa.voip.mwi.rules import MwiRules
from denwa.voip.mwi.summary import Counts
from denwa.voip.sip.message import Message
from tests.voip.wire import Phone, Sent, Wire

DOMAIN = "denwa.example"
ONE_NEW = Counts(1, 0)


def scene(count: int = 1, **rules: object) -> tuple[Wire, list[Phone]]:
    """A wire with phones of different subscribers, none registered."""
    wire = Wire(mwi=MwiRules(**rules))  # type: ignore[arg-type]
    return wire, [Phone(wire, index) for index in range(1, count + 1)]


def fill(wire: Wire, phone: Phone, counts: Counts) -> Sent:
    """There are so many messages in the phone's box now."""
    before = len(wire.sent)
    wire.engine.mwi.put(phone.account.encode(), counts, wire.now, wire.ms)
    wire.collect()
    return wire.since(before)


class Watcher:
    """A phone's subscription, as the phone sees it."""

    def __init__(self, phone: Phone, call_id: str = "watch-1") -> None:
        self.phone = phone
        self.call_id = call_id
        self.to = phone.aor
        self.target = f"sip:{phone.account}@{DOMAIN}"
        self.cseq = 0

    def text(self, expires: int | None = 600, *, authorization: str = "", extra: str = "",
             event: str = "message-summary", uri: str = "") -> str:  # fmt: skip
        self.cseq += 1
        lines = f"Event: {event}\r\n" * bool(event) + extra + authorization
        if expires is not None:
            lines += f"Expires: {expires}\r\n"
        return self.phone.request(
            "SUBSCRIBE", uri or self.target, to=self.to, call_id=self.call_id, cseq=self.cseq, extra=lines
        )

    def subscribe(self, expires: int | None = 600, *, password: str = "pw", uri: str = "", extra: str = "",
                  event: str = "message-summary") -> Sent:  # fmt: skip
        """SUBSCRIBE, 401, SUBSCRIBE with credentials: what comes then (or what came instead of the 401)."""
        wire, peer = self.phone.wire, self.phone.peer
        sent = wire.send(peer, self.text(expires, uri=uri, extra=extra, event=event))
        if sent[0][1].status != 401:
            return sent
        authorization = self.phone.authorization(sent[0][1], "SUBSCRIBE", uri or self.target, password)
        sent = wire.send(peer, self.text(expires, uri=uri, extra=extra, event=event, authorization=authorization))
        answer = sent[0][1]
        if answer.status == 200 and self.to == self.phone.aor:
            self.to = header(answer, "To")
            self.target = header(answer, "Contact").strip("<>")
        return sent


def header(message: Message, name: str) -> str:
    """The one value of a header."""
    (value,) = [line.partition(b":")[2].strip() for line in message.lines[1:] if line.startswith(name.encode() + b":")]
    return value.decode()


def lamp(notify: Message) -> tuple[bool, str]:
    """Whether the lamp is on, and the counts."""
    assert notify.method == b"NOTIFY", notify.lines[0]
    assert header(notify, "Content-Type") == "application/simple-message-summary"
    lines = dict(line.split(": ", 1) for line in notify.body.decode().strip().split("\r\n"))
    return lines["Messages-Waiting"] == "yes", lines["Voice-Message"]


def left_behind(wire: Wire) -> tuple[int, int, int]:
    """Transactions, timers and subscriptions: nothing when all is over."""
    return wire.transactions, len(wire.engine.ctx.timers), len(wire.engine.mwi.notifier)


def awaited(wire: Wire, within: float) -> Sent:
    """What is sent first, nothing of it repeated yet; AssertionError when nothing is `within` seconds."""
    for _ in range(int(within * 4) + 1):
        if sent := wire.wait(0.25):
            return sent
    raise AssertionError(f"nothing is sent within {within} s")
