"""Who is calling, and may they (C1, C2, C6, N3-N6, B1, B2): the steps an INVITE walks before it is routed."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Final

from denwa.numbering.number import PhoneNumber
from denwa.numbering.reading import NumberClass, Reading, Refusal
from denwa.voip.context import Context, Trunk
from denwa.voip.gateways.incoming import called_uri, caller_of
from denwa.voip.proxy import refusal
from denwa.voip.proxy.identity import CallerIdentity, incoming_identity
from denwa.voip.proxy.limits import CallLimits
from denwa.voip.proxy.own_limits import NOTHING_OWN
from denwa.voip.proxy.ports import LivePrices
from denwa.voip.proxy.refusal import Refused
from denwa.voip.registrar.authentication import Unproven, authenticate
from denwa.voip.sip.message import PROXY_AUTHORIZATION, Message
from denwa.voip.sip.peer import Peer
from denwa.voip.sip.transactions import ServerTransaction
from denwa.voip.sip.uri import SipUri, UriFault, parse_uri
from denwa.voip.subscribers import Subscriber

NOBODY: Final = CallerIdentity("", "")


@dataclass(slots=True)
class Admitted:
    """A call that may go on. Exactly one of `caller` and `trunk` is set; `callee` only for a subscriber's number.

    `box`: of a call to a voicemail box, whose (E.164), or "" when the caller is to be asked; None of all others.
    """

    caller: Subscriber | None
    trunk: Trunk | None
    identity: CallerIdentity
    hide: bool
    number: PhoneNumber
    number_class: NumberClass
    callee: Subscriber | None
    box: str | None = None


@dataclass(slots=True)
class Denied:
    """A call that may not: why, in what words if the usual ones can be bettered; the rest as far as known."""

    why: Refused
    caller: Subscriber | None = None
    trunk: Trunk | None = None
    identity: CallerIdentity = NOBODY
    callee: str = ""
    number_class: str = ""
    subscriber: str = ""
    text: str = ""
    extra: tuple[bytes, ...] = ()  # more header lines of the answer
    alarm: bool = False  # the operator should know of it


class Admission:
    def __init__(self, ctx: Context, prices: LivePrices | None = None) -> None:
        self._ctx = ctx
        self.limits = CallLimits(ctx, ctx.settings.limits, prices)
        self.busy: Counter[str] = Counter()  # calls now, by subscriber number (C6)
        self._minute = -1
        self._started: Counter[str] = Counter()  # calls begun in this minute

    def check(
        self, transaction: ServerTransaction, request: Message, peer: Peer, now: float
    ) -> Admitted | Denied | None:
        """None: challenged, nothing more to do."""
        ctx = self._ctx
        trunk = ctx.trunk_of(peer)
        if trunk is not None:
            return self._called_by_trunk(trunk, request)
        caller = authenticate(ctx, request, peer, proxy=True)
        if isinstance(caller, Unproven):
            if caller.status:
                ctx.refuse(transaction, caller.status, caller.text, now, *caller.headers())
            else:
                ctx.challenge(transaction, stale=caller.stale, now=now)
            return None
        return self._called_by_subscriber(caller, request)

    def whose(self, why: Refused, request: Message, peer: Peer) -> Denied | None:
        """An INVITE that is refused whoever sent it: for the record, who did. None: a stranger, or nobody that is
        proved."""
        ctx = self._ctx
        trunk = ctx.trunk_of(peer)
        caller = None
        if trunk is not None:
            identity = incoming_identity(request) if trunk.usual else caller_of(request, trunk)
            called = request.uri if trunk.usual else called_uri(request, trunk)
        else:
            proved = authenticate(ctx, request, peer, proxy=True) if PROXY_AUTHORIZATION in request.at else None
            if not isinstance(proved, Subscriber):
                return None
            caller, called = proved, request.uri
            identity = CallerIdentity(caller.number, "")
        denied = Denied(why, caller, trunk, identity, subscriber=caller.number if caller is not None else "")
        reading = self._reading(called)
        if isinstance(reading, Denied):
            denied.callee = reading.callee
            return denied
        denied.callee, denied.number_class = reading.number.e164, reading.number_class
        if caller is None:
            denied.subscriber = denied.callee if denied.callee in ctx.directory.by_number else ""
        elif reading.caller_id == "hide":
            denied.identity = CallerIdentity(caller.number, "anonymous")
        return denied

    def _called_by_trunk(self, trunk: Trunk, request: Message) -> Admitted | Denied:
        identity = incoming_identity(request) if trunk.usual else caller_of(request, trunk)
        reading = self._read(request.uri if trunk.usual else called_uri(request, trunk))
        if isinstance(reading, Denied):
            reading.trunk, reading.identity = trunk, identity
            return reading
        number = reading.number
        if reading.number_class is not NumberClass.ON_NET:
            return Denied(refusal.NOT_OURS, None, trunk, identity, number.e164, reading.number_class)
        callee = self._ctx.directory.by_number.get(number.e164)
        if callee is None:
            if number.e164 == self._ctx.settings.box.access:
                return Admitted(None, trunk, identity, bool(identity.hidden), number, reading.number_class, None, "")
            return Denied(refusal.NOT_IN_USE, None, trunk, identity, number.e164, reading.number_class)
        if self.rejects(callee, identity):
            return Denied(refusal.REJECTED, None, trunk, identity, number.e164, reading.number_class, callee.number)
        return Admitted(None, trunk, identity, bool(identity.hidden), number, reading.number_class, callee)

    def _called_by_subscriber(self, caller: Subscriber, request: Message) -> Admitted | Denied:
        identity = CallerIdentity(caller.number, "")
        reading = self._read(request.uri)
        if isinstance(reading, Denied):
            if self._ctx.settings.box.is_short(reading.callee):
                return self._to_own_box(caller)
            reading.caller, reading.identity, reading.subscriber = caller, identity, caller.number
            return reading
        hide = reading.caller_id == "hide"
        if hide:
            identity = CallerIdentity(caller.number, "anonymous")
        number, number_class = reading.number, reading.number_class
        why = self.refusal(caller, reading)
        callee = None
        if why is None and number_class is NumberClass.ON_NET:
            callee = self._ctx.directory.by_number.get(number.e164)
            if callee is None:
                if number.e164 == self._ctx.settings.box.access:
                    return Admitted(caller, None, identity, hide, number, number_class, None, "")
                why = refusal.NOT_IN_USE
            elif self.rejects(callee, identity):
                why = refusal.REJECTED
        if why is not None:
            return Denied(why, caller, None, identity, number.e164, number_class, caller.number)
        return Admitted(caller, None, identity, hide, number, number_class, callee)

    def _to_own_box(self, caller: Subscriber) -> Admitted | Denied:
        """V6: also of a subscriber who may not call out, for this is a call to nobody (L2)."""
        identity, number = CallerIdentity(caller.number, ""), PhoneNumber(caller.number)
        why = self._limit(caller)
        if why is not None:
            return Denied(why, caller, None, identity, number.e164, NumberClass.ON_NET, caller.number)
        return Admitted(caller, None, identity, False, number, NumberClass.ON_NET, None, number.e164)

    def refusal(self, caller: Subscriber, reading: Reading) -> Refused | None:
        """Why a subscriber may not make a call now; a call that is asked for counts (C2, N6, C6, C7)."""
        if not caller.active:
            return refusal.SUSPENDED
        if reading.number_class is NumberClass.INTERNATIONAL and not caller.international:
            self.limits.tried_abroad(caller)
            return refusal.INTERNATIONAL_OFF
        return self._limit(caller) or self.limits.refusal(caller, reading, self._started[caller.number])

    def _own_number(self, uri: bytes) -> Reading | None:
        """The plain spelling of a number that a subscriber has needs neither the grammar nor the plan."""
        user, at, host = uri[4:].partition(b"@")
        if not at or uri[:4] != b"sip:" or not user[1:].isdigit():
            return None
        if host.partition(b":")[0] not in self._ctx.settings.domains:
            return None
        e164 = user.decode() if user[:1] == b"+" else "+81" + user[1:].decode()
        if (user[:1] not in (b"0", b"+")) or e164 not in self._ctx.directory.by_number:
            return None
        return Reading(PhoneNumber(e164), NumberClass.ON_NET, None, "default")

    def _read(self, called: bytes) -> Reading | Denied:
        """What was dialled. A block that nobody knows alarms the operator (N4)."""
        reading = self._reading(called)
        if isinstance(reading, Denied) and reading.alarm:
            self._ctx.counters["number_plan_alarms", reading.why.name] += 1
            text = f"a block that the number plan does not know was dialled: {masked(reading.callee)}"
            self.limits.alarm("unknown-block", "", text)
        return reading

    def _reading(self, called: bytes) -> Reading | Denied:
        own = self._own_number(called)
        if own is not None:
            return own
        try:
            uri = parse_uri(called)
        except UriFault as fault:
            return Denied(refusal.NO_NUMBER, text=f"Request-URI: {fault}")
        if isinstance(uri, SipUri):
            if not self._ctx.is_own_host(uri.host):
                return Denied(refusal.FOREIGN_DOMAIN)
            dialled = uri.user_name.decode("utf-8", "replace")
        else:
            dialled = uri.number.decode("utf-8", "replace")
        reading = self._ctx.plan.read(dialled, self._ctx.today())
        if isinstance(reading, Refusal):
            why = refusal.OF_NUMBERS[reading.reason]
            return Denied(why, callee=dialled[:40], text=reading.text, alarm=reading.alarm)
        return reading

    def rejects(self, callee: Subscriber, identity: CallerIdentity) -> bool:
        """B1, B2: a hidden number is never compared with the list (B3); only `anonymous` counts as hidden (B4)."""
        if identity.hidden:
            return callee.reject_anonymous and identity.hidden == "anonymous"
        return identity.number in callee.blocked

    def _limit(self, caller: Subscriber) -> Refused | None:
        settings = self._ctx.settings
        minute = self._ctx.now_ms // 60_000
        if minute != self._minute:
            self._minute = minute
            self._started.clear()
        self._started[caller.number] += 1
        at_once, a_minute = settings.calls_per_subscriber, settings.new_calls_per_minute
        if self.limits.own:
            own = self.limits.own.get(caller.number, NOTHING_OWN)
            at_once = at_once if own.calls is None else own.calls
            a_minute = a_minute if own.calls_per_minute is None else own.calls_per_minute
        if self.busy[caller.number] >= at_once:
            return refusal.TOO_MANY_AT_ONCE
        if self._started[caller.number] > a_minute:
            return refusal.TOO_MANY_A_MINUTE
        return None

    def begin(self, number: str) -> None:
        self.busy[number] += 1

    def finish(self, number: str) -> None:
        if self.busy[number] <= 1:
            del self.busy[number]
        else:
            self.busy[number] -= 1


def masked(dialled: str) -> str:
    """Numbers in logs are masked (K5): the block shows, the subscriber does not."""
    return dialled[:6] + "…"
