"""How a call that is up ends: a BYE and what is said to it, or the service itself (C4, C5, L2, N2).

The record follows the call. A BYE alone ends nothing: the record is closed, with the time of the BYE, when the far end
takes it (2xx), knows no such call, or never answers; a refusal leaves the call up. Who hung up hears so when the end is
on disk; if the disk takes more than 200 ms the answer passes and the end follows. A BYE whose answer takes longer than
that is written down, so that the end is known also after a kill (decision 0014).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from denwa.voip.calls.call import Call, CallState, CallTable, EndCause
from denwa.voip.calls.journal import AliveEntry
from denwa.voip.calls.requests import Side, ack_to_answer, bye_of_dismissed, farewell
from denwa.voip.context import Context, printable
from denwa.voip.proxy.forward import foreign_routes
from denwa.voip.sip.fields import tag_of
from denwa.voip.sip.message import TO, Message
from denwa.voip.sip.transactions import IGNORE, ClientTransaction

if TYPE_CHECKING:
    from denwa.voip.calls.dialogs import Relay

SLOW = 33  # timer kind
SLOW_AFTER: Final = 0.2  # seconds
HALF: Final = SLOW_AFTER / 2
LINGER_TIME: Final = 32.0
# Answers by which a phone says that it has no such call (RFC 3261 §15.1.1, RFC 5057 §5.1).
GONE: Final = frozenset((404, 408, 410, 481, 604))

# Reason of a BYE of ours (RFC 3326), with a cause that the telephone network knows (Q.850).
NOT_REFRESHED: Final = b'Reason: Q.850;cause=102;text="session not refreshed"'
SIDE_GONE: Final = b'Reason: Q.850;cause=102;text="the other side is gone"'
LONGEST: Final = b'Reason: Q.850;cause=31;text="longest call reached"'


class Endings:
    def __init__(self, ctx: Context, table: CallTable, over: Callable[[Call], None]) -> None:
        self._ctx = ctx
        self._table = table
        self._over = over

    # -- BYE ------------------------------------------------------------------------------------------------------

    def on_bye(self, relay: Relay, now: float) -> bool:
        """A BYE has come. True: it waits for the call's answer, which is not on disk yet; False: it goes on now."""
        call = relay.call
        if call.state is not CallState.UP and call.state is not CallState.ANSWERING:
            return False
        relay.ending = True
        if not call.byes:
            call.bye_ms = self._ctx.now_ms
            call.bye_cause = EndCause.CALLER if relay.from_caller else EndCause.CALLEE
        call.byes += 1
        if call.state is CallState.ANSWERING:
            self._ctx.hold(self._release_bye, relay)
            return True
        relay.due = self._ctx.timers.start(relay, SLOW, SLOW_AFTER, now)
        return False

    def _release_bye(self, relay: Relay, now: float) -> None:
        relay.due = self._ctx.timers.start(relay, SLOW, SLOW_AFTER, now)
        relay.dialogs.send_on(relay, now)

    def on_bye_answered(self, relay: Relay, status: int, now: float) -> bool:
        """The far end's last word on a BYE. True: the record is closed by it, and the answer must wait for that."""
        call = relay.call
        relay.ending = False
        if call.state is not CallState.UP:
            return False  # closed by another BYE, which crossed this one
        call.byes -= 1
        far = call.callee if relay.from_caller else call.caller
        if status >= 300 and status not in GONE:
            self._refused(call, status, now)
            far.alive_ms = self._ctx.now_ms
            self.store_state(call)
            return False
        if status >= 300 and far.alive_ms < call.restored_ms:
            # Not heard of since before a restart: it may have hung up while nobody listened (C5).
            self._close(call, call.alive_ms, EndCause.LOST, now)
        else:
            self._close(call, call.bye_ms, call.bye_cause, now)
        return True

    def _refused(self, call: Call, status: int, now: float) -> None:
        """The call goes on, unless the one who hung up is gone: both sides are asked at once."""
        self._ctx.note(f"call {printable(call.call_id)}: BYE refused with {status}, the call goes on")
        self._ctx.counters["bye_refused", str(status)] += 1
        if not call.byes:
            call.bye_ms = 0
            call.bye_cause = ""
        call.probe_due = now

    def on_bye_unanswered(self, relay: Relay, now: float) -> None:
        """Nobody took the BYE: the far end is gone (RFC 3261 §15.1.1)."""
        self.on_bye_answered(relay, 408, now)

    def hold_answer(self, relay: Relay, answer: tuple[int, bytes], now: float) -> None:
        """Let the answer to a BYE (its status and its bytes) go on once the end is on disk."""
        relay.waiting = answer
        relay.waiting_since = now
        if not relay.due:
            relay.due = self._ctx.timers.start(relay, SLOW, SLOW_AFTER, now)
        self._ctx.hold(self._release_answer, relay)

    def _release_answer(self, relay: Relay, now: float) -> None:
        if relay.waiting is not None:
            status, data = relay.waiting
            relay.waiting = None
            relay.due = 0.0
            self._ctx.layer.respond(relay.server, status, data, now)

    def on_slow(self, relay: Relay, now: float) -> None:
        """200 ms have passed since the BYE without an answer to it, or 100 to 200 ms since its answer without the disk
        being done."""
        relay.due = 0.0
        if relay.waiting is not None:
            if now - relay.waiting_since < HALF - 0.001:  # the timer is the BYE's: nearly all are answered at once
                relay.due = self._ctx.timers.start(relay, SLOW, HALF, now)
                return
            self._ctx.counters["journal", "end_passed_before_commit"] += 1
            self._release_answer(relay, now)
        elif relay.ending and relay.call.state is CallState.UP:
            self.store_state(relay.call)

    # -- records --------------------------------------------------------------------------------------------------

    def store_state(self, call: Call) -> None:
        """Keep what is needed to take the call up again: its last proof of life, its dialog, a BYE on its way."""
        alive = self._ctx.group.alive
        alive.append(AliveEntry(call.id, call.alive_ms, call.dialog_text()))
        for part in call.forwarded:
            alive.append(AliveEntry(part.id, call.alive_ms, f"{call.id}"))

    def _close(self, call: Call, ended_ms: int, cause: str, now: float) -> None:
        call.state = CallState.ENDED
        end = call.end_entry(ended_ms, cause)
        self._ctx.group.ends.append(end)
        for part in call.forwarded:
            self._ctx.group.ends.append(end._replace(id=part.id))
        self._ctx.counters["ended", cause] += 1
        if call.setup is not None:
            call.setup.let_go()
            call.setup = None
        self._table.up.pop(call.id, None)
        self._table.ended.append((now + LINGER_TIME, call))
        self._over(call)

    # -- the service ends a call ----------------------------------------------------------------------------------

    def cut(self, call: Call, cause: str, ended_ms: int, now: float, reason: bytes) -> None:
        """End a call ourselves: the record, then BYE to both sides with `reason` (a header line). A BYE that nobody
        has answered yet was its end."""
        if call.state is not CallState.UP:
            return
        if call.byes:
            ended_ms, cause = call.bye_ms, call.bye_cause
        self._close(call, ended_ms, cause, now)
        self._ctx.hold(self._send_farewells, (call, reason))

    def _send_farewells(self, whose: tuple[Call, bytes], now: float) -> None:
        call, reason = whose
        for side in Side:
            key = self._ctx.new_branch()
            peer, data = farewell(call, side, lambda p, k=key: self._ctx.via_line(p, k), reason)  # type: ignore[misc]
            self._ctx.layer.request(key, b"BYE", data, peer, IGNORE, now)

    def dismiss(self, client: ClientTransaction | None, response: Message, now: float, *, only_ack: bool) -> None:
        """A 2xx of a branch given up: ACK it and, the first time, end that dialog."""
        if client is None:
            return
        via = self._ctx.via_line
        routes = foreign_routes(self._ctx, response, above_ours=True)
        self._ctx.send(client.peer, ack_to_answer(response, via(client.peer, self._ctx.new_branch()), routes))
        key = self._ctx.new_branch()
        if not only_ack and tag_of(response.value(TO) or b""):
            data = bye_of_dismissed(response, via(client.peer, key), routes)
            self._ctx.layer.request(key, b"BYE", data, client.peer, IGNORE, now)
