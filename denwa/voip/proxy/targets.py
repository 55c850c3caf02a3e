"""Where a call to a number is sent: the phone that rings, the gateway, the voicemail, one after the other."""

from __future__ import annotations

from typing import Final

from denwa.numbering.number import PhoneNumber
from denwa.numbering.reading import Reading
from denwa.voip.context import Context
from denwa.voip.proxy.attempt import Setup, Target, TargetKind
from denwa.voip.proxy.outward import uri_for
from denwa.voip.proxy.refusal import NO_GATEWAY, NOT_SECURE
from denwa.voip.proxy.setup import GATEWAY_RING
from denwa.voip.registrar.handler import Registrar
from denwa.voip.sip.peer import is_tls
from denwa.voip.subscribers import Subscriber

_NOWHERE: Final = ("", 0)  # its address is known when its turn comes
_FORWARD: Final = Target(TargetKind.FORWARD, b"", _NOWHERE, 0.0)


class TargetChoice:
    def __init__(self, ctx: Context, registrar: Registrar) -> None:
        self._ctx = ctx
        self._registrar = registrar

    def to_subscriber(self, setup: Setup, callee: Subscriber) -> None:
        """The device that registered last (R2), then the voicemail (V1) or where calls are forwarded to (F1, F2)."""
        forward = callee.forward
        if forward is not None:
            setup.forwarder = callee
            if forward.always:
                setup.targets.append(_FORWARD)
                return
        ringing = self._registrar.ringing(callee.account)
        if ringing is not None:
            binding, peer = ringing
            ring_time = float(callee.ring_time or self._ctx.settings.ring_time)
            waking = self._ctx.waking
            if waking is None:
                self._add(setup, Target(TargetKind.PHONE, binding.contact.encode(), peer, ring_time))
            else:
                self._add(setup, waking.target(callee.account, binding, peer, ring_time))
        if forward is not None:
            setup.targets.append(_FORWARD)
        elif callee.voicemail:
            setup.mailbox = callee
            setup.targets.append(Target(TargetKind.VOICEMAIL, b"", _NOWHERE, 0.0))

    def to_box(self, setup: Setup, mailbox: str) -> None:
        """The voicemail box, and nothing after it (V6)."""
        setup.box = mailbox
        setup.targets.append(Target(TargetKind.VOICEMAIL, b"", _NOWHERE, 0.0))

    def to_gateway(self, setup: Setup, number: PhoneNumber) -> None:
        """The telephone network (C1)."""
        ctx = self._ctx
        e164 = number.e164
        lines, why = ctx.lines.for_call(e164, self._class_of(e164) if ctx.lines.by_class else "", ctx.now)
        if why:
            setup.failure = (503, None, why)
            setup.why = NO_GATEWAY
        for line in lines:
            self._add(setup, Target(TargetKind.GATEWAY, uri_for(e164, line), line.peer, GATEWAY_RING, line))

    def _class_of(self, e164: str) -> str:
        reading = self._ctx.plan.read(e164, self._ctx.today())
        return reading.number_class.value if isinstance(reading, Reading) else ""

    def _add(self, setup: Setup, target: Target) -> None:
        """A caller who asked for sips: calls nobody who is not reached over TLS (RFC 5630 §3.1.3, decision 0008). The
        voicemail is in this house."""
        if setup.secure and not is_tls(target.peer):
            setup.failure = (480, None, "the called side is not reached over TLS")
            setup.why = NOT_SECURE
        else:
            setup.targets.append(target)
