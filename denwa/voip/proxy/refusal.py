"""Why calls are refused, in one table: what the caller is told, shown and played, and what the record keeps.

A refusal of a dialled number (N4-N6) is named and told as `denwa.numbering` does; the rest is here.
"""

from __future__ import annotations

from types import MappingProxyType
from typing import Final, NamedTuple

from denwa.numbering.reading import RefusalReason, refusal
from denwa.voip.calls.call import EndCause
from denwa.voip.sip.response import reason_header


class Refused(NamedTuple):
    """A reason. `name`: in the record's column `reason` and as the label of the counter `refused_calls`; `q850`: cause
    for the telephone network (ITU-T Q.850 table 1); `prompt`: guidance that the caller hears, "" for none."""

    name: str
    status: int
    q850: int
    text: str
    prompt: str = ""
    end_cause: str = EndCause.REFUSED
    retry_after: int = 0  # seconds until it is of use to try again, 0: not said

    def line(self, text: str = "", status: int = 0) -> bytes:
        """The header `Reason` (RFC 3326), with better words or another status than the usual ones if given; and
        `Retry-After`."""
        reason = b"%b, Q.850;cause=%d" % (reason_header(status or self.status, text or self.text), self.q850)
        return reason if not self.retry_after else b"%b\r\nRetry-After: %d" % (reason, self.retry_after)


# Q.850: 1 unallocated number, 20 subscriber absent, 21 call rejected, 25 exchange routing error, 28 address incomplete,
# 34 no circuit, 38 network out of order, 41 temporary failure, 42 equipment congestion, 57 bearer capability not
# authorised, 79 not implemented, 88 incompatible destination, 102 timer expired, 111 protocol error
SUSPENDED: Final = Refused("suspended", 403, 57, "this subscriber may not call out at present", "suspended")
INTERNATIONAL_OFF: Final = Refused(
    "international-off", 403, 57, "international calls are switched off", "international-off"
)
TOO_MANY_AT_ONCE: Final = Refused("too-many-at-once", 403, 21, "too many calls at once", "limit-reached")
TOO_MANY_A_MINUTE: Final = Refused("too-many-a-minute", 403, 21, "too many calls in a minute", "limit-reached")
NOT_IN_USE: Final = Refused("not-in-use", 404, 1, "the number is not in use", "unallocated")
REJECTED: Final = Refused(
    "rejected", 603, 21, "the called party does not take this call", "rejected", EndCause.REJECTED
)
NOT_OURS: Final = Refused("not-ours", 403, 1, "calls from the telephone network end at own numbers only")
NO_NUMBER: Final = Refused("no-number", 400, 28, "the Request-URI cannot be read")
FOREIGN_DOMAIN: Final = Refused("foreign-domain", 404, 1, "this domain is not served here")
NO_COMMON_MEDIA: Final = Refused("no-common-media", 488, 88, "nothing that is offered is carried")
BAD_SESSION_TIMER: Final = Refused("bad-session-timer", 400, 111, "Session-Expires cannot be read")
SHORT_SESSION: Final = Refused("short-session", 422, 111, "session interval too small")
NOT_RECORDED: Final = Refused(
    "not-recorded", 503, 41, "calls cannot be recorded at present", end_cause=EndCause.FAILED, retry_after=5
)
TOO_MANY_CALLS: Final = Refused("too-many-calls", 503, 42, "too many calls", end_cause=EndCause.FAILED, retry_after=5)
UNKNOWN_EXTENSION: Final = Refused("unknown-extension", 420, 79, "extension not known")
LOOP: Final = Refused("loop", 482, 25, "the request has been here before")
MERGED: Final = Refused("merged", 482, 25, "this call is already being set up")
TOO_MANY_HOPS: Final = Refused("too-many-hops", 483, 25, "Max-Forwards used up")
NOT_REGISTERED: Final = Refused("not-registered", 480, 20, "not registered", "unreachable", EndCause.NO_ANSWER)
NOT_REACHED: Final = Refused("not-reached", 480, 20, "not reachable", "unreachable", EndCause.NO_ANSWER)
NOT_SECURE: Final = Refused(
    "not-secure", 480, 20, "the called side is not reached over TLS", end_cause=EndCause.NO_ANSWER
)
MAILBOX_FULL: Final = Refused("mailbox-full", 480, 42, "the mailbox is full")
NO_PLACE: Final = Refused("no-voicemail-place", 480, 42, "voicemail has no place")
NOT_FORWARDED: Final = Refused("not-forwarded", 480, 21, "the call is not forwarded")
NO_RELAY: Final = Refused("no-relay", 503, 34, "the media relay has no ports at present", "congestion", EndCause.FAILED)
NO_GATEWAY: Final = Refused("no-gateway", 503, 34, "no gateway to the telephone network", "congestion", EndCause.FAILED)
GATEWAY_REFUSES_US: Final = Refused(
    "gateway-refuses-us", 503, 38, "the gateway does not know us", "congestion", EndCause.FAILED
)
GATEWAY_SILENT: Final = Refused(
    "gateway-silent", 408, 102, "the gateway does not respond", "congestion", EndCause.FAILED
)
VOICEMAIL_SILENT: Final = Refused(
    "voicemail-silent", 480, 41, "voicemail does not answer", end_cause=EndCause.NO_ANSWER
)

_OWN: Final = (
    SUSPENDED,
    INTERNATIONAL_OFF,
    TOO_MANY_AT_ONCE,
    TOO_MANY_A_MINUTE,
    NOT_IN_USE,
    REJECTED,
    NOT_OURS,
    NO_NUMBER,
    FOREIGN_DOMAIN,
    NO_COMMON_MEDIA,
    BAD_SESSION_TIMER,
    SHORT_SESSION,
    NOT_RECORDED,
    TOO_MANY_CALLS,
    UNKNOWN_EXTENSION,
    LOOP,
    MERGED,
    TOO_MANY_HOPS,
    NOT_REGISTERED,
    NOT_REACHED,
    NOT_SECURE,
    MAILBOX_FULL,
    NO_PLACE,
    NOT_FORWARDED,
    NO_RELAY,
    NO_GATEWAY,
    GATEWAY_REFUSES_US,
    GATEWAY_SILENT,
    VOICEMAIL_SILENT,
)
_Q850_OF_NUMBERS: Final = {
    RefusalReason.BARRED_EMERGENCY: 57,
    RefusalReason.BARRED_SERVICE: 57,
    RefusalReason.BARRED_CARRIER: 57,
    RefusalReason.BARRED_RANGE: 57,
    RefusalReason.COUNTRY_NOT_OFFERED: 57,
    RefusalReason.TOO_SHORT: 28,
    RefusalReason.TOO_LONG: 28,
    RefusalReason.INVALID: 28,
}


def _of_number(reason: RefusalReason) -> Refused:
    told = refusal(reason)
    return Refused(reason.value, told.sip_status, _Q850_OF_NUMBERS.get(reason, 1), told.text, told.prompt)


OF_NUMBERS: Final = MappingProxyType({reason: _of_number(reason) for reason in RefusalReason})
REFUSALS: Final = MappingProxyType({one.name: one for one in (*OF_NUMBERS.values(), *_OWN)})
