"""Calls that wait for a phone to wake up (RFC 8599 §5.6.1; R5, R2, R3). Sans-IO.

A call to a phone that sleeps waits for its REGISTER, within the ring time, and then goes where the phone is now. If it
does not come, the number is unreachable and what comes next takes the call: forwarding, voicemail (decision 0016).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Final, NamedTuple

from denwa.voip.calls.call import Call, CallState
from denwa.voip.calls.journal import BindingEntry
from denwa.voip.context import Context, printable
from denwa.voip.proxy.attempt import Setup, Target, TargetKind
from denwa.voip.proxy.refusal import NOT_REACHED, NOT_SECURE
from denwa.voip.push.knock import Knock
from denwa.voip.push.parameters import PushDevice, push_device
from denwa.voip.push.ports import PushAnswer, PushRequest, PushService
from denwa.voip.sip.checks import asks_for
from denwa.voip.sip.message import FROM, REQUIRE
from denwa.voip.sip.peer import CONNECT, CONNECT_TLS, Peer, is_tls
from denwa.voip.sip.response import make_response

if TYPE_CHECKING:
    from denwa.voip.registrar.handler import Registrar

WAKE: Final = 60  # timer kind
PUSH_AGAIN: Final = 3_000  # milliseconds in which one push serves all calls to a phone
Resume = Callable[[Call, float], None]


class Asleep(NamedTuple):
    """A phone that can be woken: of which account, and where."""

    account: bytes
    device: PushDevice


class Sleeper:
    """One call that waits for one phone (the owner of its timer)."""

    __slots__ = (
        "asleep",
        "call",
        "due",
        "knock",
        "owner",
        "pushed_ms",
        "resume",
        "since",
        "since_ms",
        "target",
        "told",
    )

    def __init__(self, owner: Waking, call: Call, target: Target, asleep: Asleep, resume: Resume) -> None:
        self.owner = owner
        self.call = call
        self.target = target
        self.asleep = asleep
        self.resume = resume
        self.since = self.due = 0.0
        self.since_ms = self.pushed_ms = 0
        self.knock: Knock | None = None
        self.told = False  # the caller has heard that it rings

    def fire(self, kind: int, due: float, now: float) -> None:
        if due == self.due:
            self.owner.time_is_over(self, now)


class Waking:
    """Wakes phones and keeps the calls that wait for them, by call and by account; both are bounded."""

    def __init__(self, ctx: Context, registrar: Registrar, service: PushService) -> None:
        self._ctx = ctx
        self._registrar = registrar
        self._service = service
        self._rules = ctx.settings.push
        self.by_call: dict[int, Sleeper] = {}
        self._by_account: dict[bytes, list[Sleeper]] = {}
        self._pushes = 0

    # -- targets --------------------------------------------------------------------------------------------------

    def target(self, account: bytes, binding: BindingEntry, peer: Peer, ring_time: float) -> Target:
        """How a binding is called: at once, or after it was woken."""
        contact = binding.contact.encode()
        device = push_device(binding.contact)
        if device is None or device.provider.encode() not in self._rules.providers:
            return Target(TargetKind.PHONE, contact, peer, ring_time)
        kind = TargetKind.PHONE if self._is_awake(binding, peer) else TargetKind.SLEEPING
        return Target(kind, contact, peer, ring_time, None, Asleep(account, device))

    def sleeps(self, binding: BindingEntry, peer: Peer) -> bool:
        """Whether nothing but a push would reach this phone."""
        return self.target(b"", binding, peer, 0.0).kind is TargetKind.SLEEPING

    def _is_awake(self, binding: BindingEntry, peer: Peer) -> bool:
        """It registered lately, on a way that still is one."""
        return not _is_gone(peer) and self._ctx.now_ms - binding.registered_at < self._rules.awake * 1000

    # -- waking ---------------------------------------------------------------------------------------------------

    def wake(self, call: Call, target: Target, resume: Resume, now: float) -> None:
        """Have `target` woken. `resume(call, now)` is called when the call goes on, to the targets that it then has."""
        ctx, asleep = self._ctx, target.asleep
        if asleep is None or len(self.by_call) >= self._rules.waiting_calls:
            ctx.counters["push", "too many waiting"] += 1
            call.setup.targets.appendleft(target._replace(kind=TargetKind.PHONE, asleep=None))
            resume(call, now)
            return
        sleeper = Sleeper(self, call, target, asleep, resume)
        sleeper.since, sleeper.since_ms = now, ctx.now_ms
        seconds = max(1, min(self._rules.wait, int(target.ring_time)))
        sleeper.due = ctx.timers.start(sleeper, WAKE, float(seconds), now)
        others = self._by_account.setdefault(asleep.account, [])
        before = [one for one in others if one.asleep.device == asleep.device]
        others.append(sleeper)
        self.by_call[call.id] = sleeper
        latest = max((one.pushed_ms for one in before), default=0)
        if ctx.now_ms - latest < PUSH_AGAIN:
            sleeper.pushed_ms = latest
            if any(one.told for one in before):
                self._tell(sleeper, now)
        else:
            self._push(sleeper, seconds)
            if not _is_gone(target.peer):
                contact, heard = target.uri, partial(self._heard, asleep)
                sleeper.knock = Knock(ctx, contact, target.peer, heard, now)

    def _push(self, sleeper: Sleeper, seconds: int) -> None:
        ctx, call, asleep = self._ctx, sleeper.call, sleeper.asleep
        sleeper.pushed_ms = ctx.now_ms
        self._pushes += 1
        hidden = call.hidden or bool(call.setup.hidden)
        push = PushRequest(
            f"{call.id}-{self._pushes}",
            asleep.device,
            printable(call.shown_call_id),
            call.number_from if self._rules.tell_caller and not hidden else "",
            seconds,
        )
        ctx.counters["push", "asked for"] += 1
        ctx.note(f"call {printable(call.call_id)}: a phone is woken by {asleep.device.provider}")
        self._service.request(push, lambda answer, now: self._on_answer(asleep, answer, now))

    def _on_answer(self, asleep: Asleep, answer: PushAnswer, now: float) -> None:
        """What the push service says. If it will not wake the phone, that is called where it was."""
        ctx = self._ctx
        ctx.counters["push", "taken" if answer.taken else "failed"] += 1
        if not answer.taken:
            ctx.note(f"push: {asleep.device.provider} does not take it: {answer.reason}")
        for sleeper in [one for one in self._by_account.get(asleep.account, ()) if one.asleep == asleep]:
            if answer.taken:
                self._tell(sleeper, now)
            else:
                self._go_on(sleeper, sleeper.target, now)

    def _heard(self, asleep: Asleep, now: float) -> None:
        """It answers where it was: it is awake, though it has not registered for a while."""
        self._ctx.counters["push", "awake"] += 1
        for sleeper in [one for one in self._by_account.get(asleep.account, ()) if one.asleep == asleep]:
            self._go_on(sleeper, sleeper.target, now)

    def _tell(self, sleeper: Sleeper, now: float) -> None:
        """180 keeps the caller patient. Who insists on reliable ones (RFC 3262) hears only what the phone says."""
        call = sleeper.call
        setup: Setup = call.setup
        server = setup.server
        request = server.request
        if sleeper.told or request is None or asks_for(request, REQUIRE, b"100rel"):
            return
        sleeper.told = True
        server.to_tag = server.to_tag or self._ctx.token()
        shown = request.lines[request.at[FROM]]
        request.replace(FROM, b"From: " + call.caller_true)
        data = make_response(request, 180, server.to_tag)
        request.replace(FROM, shown)
        self._ctx.layer.respond(server, 180, data, now)

    # -- how the waiting ends -------------------------------------------------------------------------------------

    def registered(self, account: bytes, now: float) -> None:
        """A REGISTER of this account is on disk and answered: the phone that was woken is called where it is now."""
        for sleeper in list(self._by_account.get(account, ())):
            found = self._registrar.ringing(account)
            if found is None:
                self._pass_over(sleeper, now)
                continue
            binding, peer = found
            same = push_device(binding.contact) == sleeper.asleep.device
            if same and binding.registered_at >= sleeper.since_ms:
                self._ctx.counters["push", "woken"] += 1
                self._go_on(sleeper, Target(TargetKind.PHONE, binding.contact.encode(), peer, 0.0), now)
            elif not same and not self._registrar.is_bound(account, sleeper.target.uri.decode()):
                self._go_on(sleeper, self.target(account, binding, peer, 0.0), now)  # it gave its place to another

    def time_is_over(self, sleeper: Sleeper, now: float) -> None:
        """The phone did not come. If another one registered meanwhile, that rings (R2)."""
        self._ctx.counters["push", "not woken"] += 1
        found = self._registrar.ringing(sleeper.asleep.account)
        if found is not None and found[0].registered_at >= sleeper.since_ms:
            self._go_on(sleeper, self.target(sleeper.asleep.account, *found, 0.0), now)
        else:
            self._pass_over(sleeper, now)

    def forget(self, call: Call) -> None:
        """The call is over."""
        sleeper = self.by_call.pop(call.id, None)
        if sleeper is None:
            return
        sleeper.due = 0.0
        if sleeper.knock is not None:
            sleeper.knock.stop()
        account = sleeper.asleep.account
        left = [one for one in self._by_account[account] if one is not sleeper]
        if left:
            self._by_account[account] = left
        else:
            del self._by_account[account]

    def _go_on(self, sleeper: Sleeper, target: Target, now: float) -> None:
        """Call `target`, for what is left of the ring time."""
        call = sleeper.call
        setup: Setup = call.setup
        self.forget(call)
        if call.state is CallState.SETUP and not setup.cancelled:
            if setup.secure and not is_tls(target.peer):
                setup.failure = (480, None, "the called side is not reached over TLS")
                setup.why = NOT_SECURE
            else:
                left = float(math.ceil(max(sleeper.target.ring_time - (now - sleeper.since), 1.0)))
                asleep = target.asleep if target.kind is TargetKind.SLEEPING and target is not sleeper.target else None
                kind = TargetKind.SLEEPING if asleep is not None else TargetKind.PHONE
                setup.targets.appendleft(target._replace(kind=kind, ring_time=left, asleep=asleep))
        sleeper.resume(call, now)

    def _pass_over(self, sleeper: Sleeper, now: float) -> None:
        call = sleeper.call
        setup: Setup = call.setup
        if call.forwarded:  # how that went is none of the caller's business
            setup.failure = (480, None, "the number forwarded to does not answer")
        else:
            setup.failure = (480, None, "the phone sleeps and is not woken")
            setup.why = NOT_REACHED
        self.forget(call)
        sleeper.resume(call, now)


def _is_gone(peer: Peer) -> bool:
    """A connection that this process has never had, or has no more."""
    return len(peer) == 3 and peer[2] in (CONNECT, CONNECT_TLS)
