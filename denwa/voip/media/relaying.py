"""Leads the media of a call through the relay where a side needs it (R4, N7), and hears by it who is alive (C5).

Behind the codec policy: what an offer may hold is decided before, here only addresses and ports change.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Final

from denwa.voip.calls.call import CallState
from denwa.voip.gateways.formats import copied
from denwa.voip.media.negotiation import sdp_place
from denwa.voip.media.relay import (
    Crossing,
    MediaEnd,
    MediaRelay,
    RelayedMedia,
    When,
    cannot_meet,
    media_ends,
    strays,
    stream_ends,
    through,
)
from denwa.voip.sip.message import CONTENT_LENGTH, Message
from denwa.voip.sip.uri import SipUri, UriFault, parse_uri

if TYPE_CHECKING:
    from denwa.voip.calls.call import Call
    from denwa.voip.context import Context
    from denwa.voip.gateways.trunk import Trunk
    from denwa.voip.proxy.attempt import Target
    from denwa.voip.sip.peer import Peer

LOOK_EVERY: Final = 5.0  # seconds between looks at the packets of a call
NO_PORTS: Final = "the media relay has no ports at present"
_DISCARD: Final = "0.0.0.0"


class Relaying:
    """The relay for the calls of one engine. `silence`: seconds without packets of a side until it is asked whether it
    is there; 0: never. `address`: where both sides reach the relay; "": where they reach this service."""

    def __init__(self, ctx: Context, relay: MediaRelay, when: When, silence: int, address: str = "") -> None:
        self._ctx = ctx
        self._relay = relay
        self._choice: bool | None = None if when is When.AUTO else when is When.ALWAYS  # None: each call by its needs
        self._silence = silence
        self._address = address
        self._count = 0
        self._wanted = any(trunk.relay for trunk in ctx.settings.trunks)

    @property
    def sessions(self) -> int:
        """How many sessions hold ports now."""
        return self._relay.sessions

    def restore(self, calls: Iterable[Call], now: float) -> None:
        """After a restart: take up what the relay still carries of these calls, and give the rest back."""
        known = {f"{call.id:x}": call for call in calls}
        for session in self._relay.kept():
            call = known.get(session.partition("-")[0])
            if call is None:
                self._relay.release(session)
            else:
                call.relay = RelayedMedia(session, now + LOOK_EVERY)

    # -- messages -------------------------------------------------------------------------------------------------

    def invite(self, call: Call, request: Message, target: Target) -> Message | None:
        """The INVITE for this target: `request` itself, or a copy that leads through the relay. None: its caller hides
        and must not be shown without a relay, which has no ports."""
        if call.relay is not None:
            self.over(call)
        if not self._needs(call, request, target):
            return request
        self._begin(call)
        copy = copied(request)
        if self._cross(call, copy, True, answers=False, receiver=target.peer):
            return copy
        self._failed(call)
        return None if call.hidden else request

    def request(self, call: Call, request: Message, from_caller: bool, *, answers: bool) -> str:
        """A request inside the call with an offer (or, `answers`, an answer). Gives why it must be refused, or ""."""
        if call.relay is None:
            if answers or call.state is CallState.ENDED or not self._needs_inside(call, request, from_caller):
                return ""
            self._begin(call)
        if self._cross(call, request, from_caller, answers=answers):
            return ""
        self._ctx.counters["relay", "failed"] += 1
        return NO_PORTS

    def response(self, call: Call, response: Message, *, from_caller: bool, late_offer: bool) -> None:
        """A response with SDP, sent by the caller or the callee."""
        if call.relay is None or self._cross(call, response, from_caller, answers=not late_offer):
            return
        self._ctx.counters["relay", "failed"] += 1
        if call.hidden and from_caller:
            self.blank(response)

    def acknowledged(self, call: Call, ack: Message, from_caller: bool) -> None:
        """An ACK, with the answer to a late offer."""
        if self.request(call, ack, from_caller, answers=True) and call.hidden and from_caller:
            self.blank(ack)

    def blank(self, message: Message) -> None:
        """Name no address at all: better no sound than a betrayed caller (N7)."""
        place = sdp_place(message)
        if place is not None:
            start, end = place
            _put(message, start, end, through(message.body[start:end], (), _DISCARD))

    def over(self, call: Call) -> None:
        """The call, or its present target, needs its ports no more."""
        media = call.relay
        if media is not None:
            call.relay = None
            self._relay.release(media.session)

    def _begin(self, call: Call) -> None:
        self._count += 1
        call.relay = RelayedMedia(f"{call.id:x}-{self._count:x}", self._ctx.now + LOOK_EVERY)
        self._ctx.counters["relay", "begun"] += 1

    def _failed(self, call: Call) -> None:
        self.over(call)
        self._ctx.counters["relay", "failed"] += 1
        self._ctx.note(f"call {call.call_id.decode('utf-8', 'replace')}: {NO_PORTS}")

    def _cross(
        self,
        call: Call,
        message: Message,
        from_caller: bool,
        *,
        answers: bool,
        receiver: Peer | None = None,
    ) -> bool:
        """Let the SDP of a message, if it has one, pass through the relay. False: the relay gives no ports."""
        media = call.relay
        place = sdp_place(message)
        if place is None or media is None:
            return True
        start, end = place
        sdp = message.body[start:end]
        ends = media_ends(sdp)
        if not ends:
            return False
        source = self._source(call, from_caller)
        streams = stream_ends(ends, source, trusted=self._is_gateway(call, from_caller))
        given = self._relay.cross(Crossing(media.session, from_caller, answers, streams, sdp))
        if given is None:
            return False
        to = receiver or (call.callee.peer if from_caller else call.caller.peer)
        _put(message, start, end, through(sdp, given, self._address or self._ctx.own.of(to).host))
        return True

    # -- who needs it ---------------------------------------------------------------------------------------------

    def _needs(self, call: Call, request: Message, target: Target) -> bool:
        if self._choice is not None:
            return self._choice
        line = target.line
        if call.veil is not None or (line is not None and line.trunk.relay):
            return True
        caller, callee = call.caller.peer[0], target.peer[0]
        if caller != callee and cannot_meet(caller, callee):
            return True
        if line is None and not call.voicemail and _is_elsewhere(target.uri, callee):
            return True
        if call.direction == "incoming":
            return self._wanted and self._wants(self._ctx.trunk_of(call.caller.peer))
        return not _is_plain(request, caller) and strays(_ends(request), caller)

    def _needs_inside(self, call: Call, request: Message, from_caller: bool) -> bool:
        """A new offer in a call without relay: a phone came behind a NAT, or the relay has died with the service."""
        if self._choice is not None:
            return self._choice
        if call.hidden:
            return True
        ends = _ends(request)
        if not ends:
            return False
        if not self._is_gateway(call, from_caller) and strays(ends, self._source(call, from_caller)):
            return True
        other = call.callee if from_caller else call.caller
        return not self._is_gateway(call, not from_caller) and _is_elsewhere(other.contact, other.peer[0])

    def _wants(self, trunk: Trunk | None) -> bool:
        return trunk is not None and trunk.relay

    def _is_gateway(self, call: Call, caller: bool) -> bool:
        if caller:
            return call.direction == "incoming"
        return self._ctx.trunk_of(self._peer(call, caller)) is not None

    def _source(self, call: Call, caller: bool) -> str:
        return self._peer(call, caller)[0]

    def _peer(self, call: Call, caller: bool) -> Peer:
        """Where a side is; before the answer the callee is where the INVITE went."""
        if caller:
            return call.caller.peer
        branch = call.setup.branch if call.setup is not None else None
        if branch is not None and branch.client is not None:
            peer: Peer = branch.client.peer
            return peer
        return call.callee.peer

    # -- proof of life --------------------------------------------------------------------------------------------

    def look(self, call: Call, now: float) -> None:
        """See who has sent packets since the last look: they live. A side that has fallen silent is asked (C5)."""
        media = call.relay
        if media is None:
            return
        media.due = now + LOOK_EVERY
        heard = self._relay.heard(media.session)
        if heard is None:
            return
        last_ms = self._ctx.now_ms - int(heard.silent * 1000)
        last = now - heard.silent
        if heard.caller != media.caller:
            media.caller, media.caller_heard_at = heard.caller, last
            call.caller.alive_ms = max(call.caller.alive_ms, last_ms)
        if heard.callee != media.callee:
            media.callee, media.callee_heard_at = heard.callee, last
            call.callee.alive_ms = max(call.callee.alive_ms, last_ms)
        if not self._silence or call.byes:
            return
        since = [at for at in (media.caller_heard_at, media.callee_heard_at) if at]
        if since and now - min(since) >= self._silence:
            # Once for each silence: who is only muted, or on hold, says so, and the next packets start it again.
            media.caller_heard_at = media.callee_heard_at = 0.0
            call.probe_due = now


def _ends(message: Message) -> tuple[MediaEnd, ...]:
    place = sdp_place(message)
    return media_ends(message.body[place[0] : place[1]]) if place is not None else ()


def _is_plain(message: Message, source: str) -> bool:
    """Whether every address of an SDP is plainly `source`, as in most calls; False: it has to be read."""
    body = message.body
    named = body.count(b"\nc=IN IP4 %b\r\n" % source.encode())
    return named > 0 and named == body.count(b"\nc=")


def _is_elsewhere(contact: bytes, host: str) -> bool:
    """Whether a phone that is reached at `host` calls itself something else: a NAT stands between."""
    if b"@%b:" % host.encode() in contact:
        return False  # as most of them write it
    try:
        uri = parse_uri(contact)
    except UriFault:
        return True
    return not isinstance(uri, SipUri) or uri.host.decode("ascii", "replace").strip("[]") != host


def _put(message: Message, start: int, end: int, sdp: bytes) -> None:
    message.body = message.body[:start] + sdp + message.body[end:]
    message.replace(CONTENT_LENGTH, b"Content-Length: %d" % len(message.body))
