"""Forwarding (着信転送, F1-F4): a call to a subscriber goes on to the number that it set, as a second call of its own.

The second call runs in the same dialog as the first; it has a record of its own, charged to who forwards, and counts
among that subscriber's calls. What stops a forwarding stops the call: 480, never a storm (F3).
"""

from __future__ import annotations

from collections import defaultdict
from typing import Final

from denwa.numbering.number import PhoneNumber
from denwa.numbering.reading import NumberClass, Reading
from denwa.voip.calls.call import Call, CallState, CallTable, Forwarded
from denwa.voip.context import Context, printable
from denwa.voip.media.codec_policy import CodecOrder
from denwa.voip.proxy.admission import Admission, masked
from denwa.voip.proxy.attempt import Setup
from denwa.voip.proxy.history import MOST_DIVERSIONS, NO_PAST, Diversion, DivertedBy, Past, forget, past_of, tell
from denwa.voip.proxy.identity import CallerIdentity, assert_identity
from denwa.voip.proxy.refusal import NOT_FORWARDED, NOT_IN_USE, OF_NUMBERS, REJECTED, Refused
from denwa.voip.proxy.targets import TargetChoice
from denwa.voip.sip.message import FROM, P_ASSERTED_IDENTITY
from denwa.voip.sip.response import make_response
from denwa.voip.subscribers import Subscriber

# Of one caller through one forwarding at the same time: a loop through networks that drop both headers stops here.
MOST_IN_SETUP: Final = 2
_CIRCLE: Final = NOT_FORWARDED._replace(text="forwarding goes round in a circle")
_TOO_OFTEN: Final = NOT_FORWARDED._replace(text="forwarded too often")
_CROWDED: Final = NOT_FORWARDED._replace(text="this caller is being forwarded already")
_ABROAD: Final = NOT_FORWARDED._replace(text="calls are not forwarded abroad")
_WHY: Final = {486: DivertedBy.BUSY, 408: DivertedBy.NO_ANSWER}


class Way:
    """How a call has been forwarded so far."""

    __slots__ = ("diversions", "past")

    def __init__(self, past: Past) -> None:
        self.past = past
        self.diversions: list[Diversion] = []


class Forwarding:
    def __init__(self, ctx: Context, calls: CallTable, admission: Admission, targets: TargetChoice) -> None:
        self._ctx = ctx
        self._calls = calls
        self._admission = admission
        self._targets = targets
        self._in_setup: defaultdict[tuple[str, str], list[Call]] = defaultdict(list)  # by forwarder and caller

    def divert(self, call: Call, setup: Setup, now: float) -> None:
        """Make the call that `setup.forwarder` wants made instead; its targets are the next of `setup`."""
        wanted, setup.forwarder = setup.forwarder, None
        forwarder = self._ctx.directory.by_number.get(wanted.number) if wanted is not None else None
        if forwarder is None or forwarder.forward is None or setup.prepared is None:
            return  # it was switched off while the phone rang (F5)
        if setup.way is None:
            setup.way = Way(past_of(setup.server.request or setup.prepared))  # whole, as it came
        always, number = forwarder.forward
        why = DivertedBy.UNCONDITIONAL if always else _WHY.get(setup.cause, DivertedBy.UNREACHABLE)
        reading = self._ctx.plan.read(number, self._ctx.today())
        if isinstance(reading, Reading):
            refusal = self._refusal(call, setup, setup.way, forwarder, reading)
            number_class = reading.number_class.value
        else:
            refusal, number_class = OF_NUMBERS[reading.reason], ""
        ident = self._calls.new_id(self._ctx.now_ms)
        name = refusal.name if refusal is not None else ""
        call.forwarded += (Forwarded(ident, forwarder.number, number, number_class, self._ctx.now_ms, name),)
        if refusal is not None or not isinstance(reading, Reading):
            self._stop(call, setup, forwarder, refusal or NOT_FORWARDED)
            return
        self._admission.begin(forwarder.number)
        self._admission.limits.open(call, forwarder.number, number, reading.number_class)
        self._ctx.counters["forwarded", why.name.lower()] += 1
        setup.way.diversions.append(Diversion(forwarder.number, why))
        setup.cause = 480
        setup.failure = (480, None, "the number forwarded to is not reached")
        setup.why = None
        self._say_so(call, setup, now)
        self._go_on(call, setup, setup.way, reading)

    def _refusal(self, call: Call, setup: Setup, way: Way, forwarder: Subscriber, reading: Reading) -> Refused | None:
        """Why the second call may not be made (F3, C2, C6), or would not be taken (B1, B2)."""
        number = reading.number.e164
        passed = {diversion.number for diversion in way.diversions} | way.past.numbers | {call.number_from}
        if number in passed or number == forwarder.number or forwarder.number in passed:
            return _CIRCLE
        if len(way.diversions) + way.past.diversions >= MOST_DIVERSIONS:
            return _TOO_OFTEN
        if self._crowded(call, forwarder):
            return _CROWDED
        if reading.number_class is NumberClass.INTERNATIONAL:
            return _ABROAD
        if reading.number_class is NumberClass.ON_NET:
            target = self._ctx.directory.by_number.get(number)
            if target is None:
                return NOT_IN_USE
            # Its list may also name who forwards: so an unwanted forwarding can be stopped from the other side.
            identity = CallerIdentity(call.number_from, setup.hidden)
            if forwarder.number in target.blocked or self._admission.rejects(target, identity):
                return REJECTED
        return self._admission.refusal(forwarder, reading)

    def _crowded(self, call: Call, forwarder: Subscriber) -> bool:
        """Whether as many calls of this caller are being forwarded as can be without a loop. A caller without a number
        may be anybody: those are bounded by the forwarder's limits alone (C6)."""
        if not call.number_from:
            return False
        key = (forwarder.number, call.number_from)
        waiting = [one for one in self._in_setup.pop(key, ()) if one.state is CallState.SETUP]
        if len(waiting) < MOST_IN_SETUP:
            waiting.append(call)
            self._in_setup[key] = waiting
            return False
        self._in_setup[key] = waiting
        return True

    def _stop(self, call: Call, setup: Setup, forwarder: Subscriber, refusal: Refused) -> None:
        ctx = self._ctx
        ctx.counters["forwarded", "refused"] += 1
        ctx.note(f"INVITE {printable(call.call_id)}: 480 not forwarded by {masked(forwarder.number)}: {refusal.text}")
        setup.targets.clear()
        # A circle is told; what the forwarder may or may not do is not for the caller.
        setup.failure = (480, None, refusal.text if refusal.name == NOT_FORWARDED.name else NOT_FORWARDED.text)
        setup.why = NOT_FORWARDED

    def _say_so(self, call: Call, setup: Setup, now: float) -> None:
        """181 to the caller (RFC 3261 §21.1.3); where the call goes is not its business."""
        server = setup.server
        request = server.request
        if request is None:
            return
        server.to_tag = server.to_tag or self._ctx.token()
        shown = request.lines[request.at[FROM]]
        request.replace(FROM, b"From: " + call.caller_true)
        data = make_response(request, 181, server.to_tag)
        request.replace(FROM, shown)
        self._ctx.layer.respond(server, 181, data, now)

    def _go_on(self, call: Call, setup: Setup, way: Way, reading: Reading) -> None:
        request = setup.prepared
        if request is None:
            return
        ctx = self._ctx
        own = call.leg == "outgoing"
        # A phone may claim anything; and what a hidden caller's network tells may betray the caller (N7).
        past = NO_PAST if own or setup.hidden else way.past
        forget(request)
        tell(request, past, way.diversions, reading.number.e164, ctx.settings.realm)
        if reading.number_class is not NumberClass.ON_NET:
            if own and P_ASSERTED_IDENTITY not in request.at:
                assert_identity(request, PhoneNumber(call.number_from), ctx.settings.realm)
            self._targets.to_gateway(setup, reading.number)
            return
        target = ctx.directory.by_number[reading.number.e164]
        if target.codecs is not CodecOrder.PHONE:
            ctx.media.offer(call, request)  # C3: in the order of who is called now; what is left stays left
        self._targets.to_subscriber(setup, target)

    def over(self, call: Call) -> None:
        """The call holds nothing any more."""
        for part in call.forwarded:
            if not part.refused:
                self._admission.finish(part.subscriber)
            key = (part.subscriber, call.number_from)
            waiting = [one for one in self._in_setup.pop(key, ()) if one is not call and one.state is CallState.SETUP]
            if waiting:
                self._in_setup[key] = waiting
