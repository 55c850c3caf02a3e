"""A call: two legs of one dialog through this proxy, and the record that it becomes."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

from denwa.voip.calls.journal import CallEntry, EndEntry
from denwa.voip.calls.veil import Veil, tagged, take_veil
from denwa.voip.media.relay import RelayedMedia
from denwa.voip.sip.peer import Peer, flow_text, peer_of_text

COUNTER_BITS: Final = 20
FORWARDED: Final = "forwarded"  # the leg of a record whose call goes on inside another one's dialog (F4)


class CallState:
    """Where a call stands. Plain values: a member of an Enum is a property, and these are looked at all the time."""

    SETUP: Final = "setup"  # INVITE on its way
    ANSWERING: Final = "answering"  # 2xx seen, its record not yet on disk
    UP: Final = "up"
    ENDED: Final = "ended"  # record closed; kept a while for what still crosses on the wire


class EndCause:
    """Values of `end_cause` in a record. Only `network_fault` changes a charge (T3)."""

    CALLER: Final = "caller"
    CALLEE: Final = "callee"
    NETWORK_FAULT: Final = "network_fault"
    LOST: Final = "lost"  # ended at its last proof of life (C5)
    SERVICE: Final = "service"
    CANCELLED: Final = "cancelled"
    BUSY: Final = "busy"
    NO_ANSWER: Final = "no_answer"
    REJECTED: Final = "rejected"
    REFUSED: Final = "refused"
    FAILED: Final = "failed"


@dataclass(slots=True)
class Leg:
    """One side. `contact` is its remote target, `routes` its route set beyond us, `cseq` the highest it has sent."""

    peer: Peer
    tag: bytes = b""
    contact: bytes = b""
    cseq: int = 0
    routes: tuple[bytes, ...] = ()
    alive_ms: int = 0  # last proof of life
    behind: int = 0  # how far its CSeq may have counted on unseen


class Forwarded(NamedTuple):
    """The other of the two calls that a forwarded call is (F4): from the subscriber who forwards to the target.

    `id` is the key of its record; numbers are E.164. `refused`: why it was not made, a name of `voip/proxy/refusal.py`.
    """

    id: int
    subscriber: str
    number_to: str
    number_class: str
    started_ms: int
    refused: str = ""


class Call:
    """`caller_true` and `caller_shown`: the From value as the caller sent it and as the callee sees it (N7)."""

    __slots__ = (
        "answered_ms",
        "bye_cause",
        "bye_ms",
        "byes",
        "call_id",
        "callee",
        "callee_to",
        "caller",
        "caller_shown",
        "caller_true",
        "cut_due",
        "cut_reason",
        "direction",
        "forwarded",
        "hidden_reason",
        "id",
        "ilbc_modes",
        "leg",
        "number_class",
        "number_from",
        "number_to",
        "probe_due",
        "relay",
        "restored_ms",
        "session_due",
        "session_interval",
        "setup",
        "started_ms",
        "state",
        "subscriber",
        "veil",
        "voicemail",
    )

    def __init__(self, call_id: bytes, ident: int, started_ms: int, caller: Leg) -> None:
        self.id = ident
        self.call_id = call_id
        self.started_ms = started_ms
        self.answered_ms = 0
        self.caller = caller
        self.callee = Leg(caller.peer)
        self.caller_true = b""
        self.caller_shown = b""
        self.callee_to = b""  # To value of the answer
        self.state = CallState.SETUP
        self.leg = "outgoing"
        self.direction = "outgoing"
        self.subscriber = ""
        self.number_from = ""  # E.164, "" hidden or unknown
        self.hidden_reason = ""  # why the number is missing or not shown (B4)
        self.number_to = ""
        self.number_class = ""
        self.voicemail = False
        # Of the streams of the last offer (RFC 3952); None: none has been made
        self.ilbc_modes: tuple[int, ...] | None = None
        self.veil: Veil | None = None  # of a caller that hides (N7)
        self.forwarded: tuple[Forwarded, ...] = ()  # in the order in which they were made
        self.session_interval = 0  # seconds, 0: no session timer was agreed
        self.session_due = self.probe_due = self.cut_due = 0.0  # engine time, 0.0: not running
        self.cut_reason = b""  # Reason line of the BYEs at `cut_due`; b"": that no call may be longer
        self.byes = 0  # BYEs on their way whose answer decides whether it ends
        self.bye_ms = 0  # when the first of them came, and the end_cause it means
        self.bye_cause = ""
        self.restored_ms = 0  # when it was taken up after a restart
        self.setup: Any = None  # what still has to do with setting it up
        self.relay: RelayedMedia | None = None  # its ports at the media relay; None: media go directly

    @property
    def alive_ms(self) -> int:
        """The call's last proof of life: that of the side not heard of for longer. A call has two sides (C5)."""
        return max(self.answered_ms, min(self.caller.alive_ms, self.callee.alive_ms))

    @property
    def hidden(self) -> bool:
        """Whether the called side must not learn who calls."""
        return self.veil is not None

    @property
    def shown_call_id(self) -> bytes:
        """The Call-ID that the called side has."""
        return self.call_id if self.veil is None else self.veil.call_id

    @property
    def told_callee(self) -> bytes:
        """The called side's identity as the caller has it: its From and our To, with its tag."""
        return self.callee_to if self.veil is None else tagged(self.veil.dialled_to, self.callee.tag)

    def entry(self, ended_ms: int | None, cause: str, status: int, reason: str = "") -> CallEntry:
        """The whole record. An unanswered call's has `ended_ms` and no duration. `reason`: name of a refusal."""
        answered = self.answered_ms or None
        return CallEntry(
            id=self.id,
            call_id=self.call_id.decode("utf-8", "replace"),
            leg=self.leg,
            subscriber=self.subscriber,
            direction=self.direction,
            caller=self.number_from,
            callee=self.number_to,
            number_class=self.number_class,
            started_at=self.started_ms,
            answered_at=answered,
            ended_at=ended_ms,
            duration_ms=(ended_ms - answered) if answered and ended_ms else 0,
            end_cause=cause,
            sip_status=status,
            forwarded_by="",
            voicemail=int(self.voicemail),
            alive_at=self.alive_ms or answered,
            dialog=self.dialog_text() if answered and ended_ms is None else "",
            reason=reason,
            hidden_reason=self.hidden_reason,
        )

    def forwarded_entries(self, ended_ms: int | None, cause: str, status: int) -> list[CallEntry]:
        """The records of the forwarded calls, as long as this one; each is charged to who forwards (F4)."""
        whole = self.entry(ended_ms, cause, status)
        shown = "" if self.hidden else self.number_from  # it is another subscriber's record (N7)
        if self.forwarded[-1].refused:
            cause = EndCause.NO_ANSWER  # those before it were made
        return [
            whole._replace(
                id=part.id,
                leg=FORWARDED,
                subscriber=part.subscriber,
                direction="outgoing",
                caller=shown,
                callee=part.number_to,
                number_class=part.number_class,
                started_at=part.started_ms,
                end_cause=EndCause.REFUSED if part.refused else cause,
                forwarded_by=part.subscriber,
                reason=part.refused,
                dialog=f"{self.id}" if whole.dialog else "",
            )
            for part in self.forwarded
        ]

    def end_entry(self, ended_ms: int, cause: str) -> EndEntry:
        """The end of an answered call, never before its answer (clocks may be set back)."""
        ended_ms = max(ended_ms, self.answered_ms)
        return EndEntry(self.id, ended_ms, ended_ms - self.answered_ms, cause, 200)

    def dialog_text(self) -> str:
        """What is needed to take the call up again after a restart: one value a line (a header value has none)."""
        values = [
            self.call_id,
            self.caller_true,
            self.caller_shown,
            self.callee_to,
            b"%d" % self.session_interval,
            b"%d" % self.bye_ms,
            self.bye_cause.encode(),
            *(self.veil.lines() if self.veil is not None else (b"",)),
            *_leg_values(self.caller),
            *_leg_values(self.callee),
        ]
        return b"\n".join(values).decode("latin-1")


def _leg_values(leg: Leg) -> tuple[bytes, ...]:
    return flow_text(leg.peer).encode(), leg.tag, leg.contact, b"%d" % leg.cseq, b"%d" % len(leg.routes), *leg.routes


def _take_leg(values: list[bytes]) -> Leg:
    """Read a leg from the front of `values`, which loses it."""
    flow, tag, contact, cseq, count = values[:5]
    routes = tuple(values[5 : 5 + int(count)])
    if len(routes) != int(count):
        raise ValueError("routes are missing")
    del values[: 5 + int(count)]
    # Requests seen after this was written may have counted on. A BYE of ours leaps over them (a gap is allowed, a step
    # back is not); a probe must not, or the phone would refuse what the other one says next.
    return Leg(peer_of_text(flow.decode()), tag, contact, int(cseq), routes, behind=1000)


def restore_call(entry: CallEntry, now_ms: int) -> Call:
    """A call from its open record. Raises ValueError when the dialog text is not ours."""
    values = entry.dialog.encode("latin-1", "replace").split(b"\n")
    try:
        call_id, true, shown, callee_to, interval, bye_ms, bye_cause = values[:7]
        del values[:7]
        veil = take_veil(values)
        # The record's Call-ID is text; the one on the wire need not be.
        call = Call(call_id, entry.id, entry.started_at, _take_leg(values))
        call.callee = _take_leg(values)
        call.session_interval = int(interval)
        call.veil = veil
        call.bye_ms = int(bye_ms)
    except ValueError as fault:
        raise ValueError(f"record {entry.id}: dialog cannot be read: {fault}") from None
    call.bye_cause = bye_cause.decode("latin-1")
    call.byes = int(call.bye_ms > 0)
    call.caller_true, call.caller_shown, call.callee_to = true, shown, callee_to
    call.state = CallState.UP
    call.leg, call.direction, call.subscriber = entry.leg, entry.direction, entry.subscriber
    call.number_from, call.number_to, call.number_class = entry.caller, entry.callee, entry.number_class
    call.hidden_reason = entry.hidden_reason
    call.answered_ms = entry.answered_at or entry.started_at
    call.caller.alive_ms = call.callee.alive_ms = entry.alive_at or call.answered_ms
    call.voicemail = bool(entry.voicemail)
    call.restored_ms = now_ms
    return call


def restore_forwarded(entry: CallEntry, calls: Mapping[int, Call]) -> bool:
    """Put the open record of a forwarded call to the call that it belongs to. False: that one is not there."""
    call = calls.get(int(entry.dialog)) if entry.dialog.isdecimal() else None
    if call is None:
        return False
    part = Forwarded(entry.id, entry.subscriber, entry.callee, entry.number_class, entry.started_at)
    call.forwarded += (part,)
    return True


class CallTable:
    """Calls by (Call-ID, caller's tag); a request of either side finds its call."""

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self._calls: dict[tuple[bytes, bytes], Call] = {}
        self._aliases: dict[tuple[bytes, bytes], Call] = {}  # by another tag that the called side knows
        self._other_tags: dict[int, list[bytes]] = {}  # by id
        self.up: dict[int, Call] = {}  # by id: those whose long timers run
        self.ended: deque[tuple[float, Call]] = deque()  # with the time when they are forgotten
        self._last_id = 0

    def new_id(self, now_ms: int) -> int:
        """Start time << 20 | counter: unique also across restarts, as long as the clock is not set back further than
        the service was down."""
        self._last_id = max(self._last_id + 1, now_ms << COUNTER_BITS)
        return self._last_id

    def add(self, call: Call) -> None:
        self._calls[call.call_id, call.caller.tag] = call

    def alias(self, call: Call, tag: bytes) -> None:
        """The called side knows the caller by this tag: a gateway that wanted credentials was called anew, or the
        caller hides."""
        self._aliases[call.shown_call_id, tag] = call
        self._other_tags.setdefault(call.id, []).append(tag)

    def find(self, call_id: bytes, tag: bytes, other: bytes = b"") -> Call | None:
        found = self._calls.get((call_id, tag))
        if found is None and self._aliases:
            found = self._aliases.get((call_id, tag))
        return found if found is not None or not other else self._calls.get((call_id, other))

    def remove(self, call: Call) -> None:
        key = (call.call_id, call.caller.tag)
        if self._calls.get(key) is call:
            del self._calls[key]
        if self._aliases:
            for tag in self._other_tags.pop(call.id, ()):
                self._aliases.pop((call.shown_call_id, tag), None)

    def full(self) -> bool:
        return len(self._calls) >= self.limit

    def __iter__(self) -> Any:
        return iter(list(self._calls.values()))

    def __len__(self) -> int:
        return len(self._calls)
