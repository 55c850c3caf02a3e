"""Session timers as a proxy asks for them (RFC 4028 §8), so that a dead call ends (C5)."""

from __future__ import annotations

from typing import Final

from denwa.voip.sip.checks import asks_for
from denwa.voip.sip.fields import FieldFault, delta_seconds
from denwa.voip.sip.message import MIN_SE, SESSION_EXPIRES, SUPPORTED, Message

LEAST: Final = 90  # RFC 4028 §5


class IntervalTooSmall(Exception):
    """To be answered with 422 and Min-SE."""


def ask_for_timer(request: Message, wanted: int) -> int:
    """Make an INVITE ask for a session timer of at most `wanted` seconds; gives the interval asked for.

    Raises IntervalTooSmall when the caller's own wish is below 90 s and it can be told so, FieldFault on nonsense.
    """
    value = request.value(SESSION_EXPIRES)
    if value is None:
        floor = _min_se(request)
        interval = max(wanted, floor)
        request.lines.append(b"Session-Expires: %d" % interval)
        return interval
    interval = delta_seconds(value, "Session-Expires")
    params = value[len(value.partition(b";")[0]) :]
    if interval < LEAST:
        if asks_for(request, SUPPORTED, b"timer"):
            raise IntervalTooSmall
        interval = LEAST
        request.replace(MIN_SE, b"Min-SE: %d" % LEAST)
    interval = max(min(interval, wanted), _min_se(request))
    request.replace(SESSION_EXPIRES, b"Session-Expires: %d%b" % (interval, params))
    return interval


def _min_se(request: Message) -> int:
    value = request.value(MIN_SE)
    return 0 if value is None else delta_seconds(value, "Min-SE")


def agree_timer(response: Message, asked: int, caller_supports: bool) -> int:
    """The interval that a 2xx sets, in seconds; 0 when neither side keeps one (then the service probes).

    When only the caller knows session timers, the 2xx is told to it as agreed with the caller refreshing (§8.2).
    """
    value = response.value(SESSION_EXPIRES)
    if value is not None:
        try:
            return max(delta_seconds(value, "Session-Expires"), LEAST)
        except FieldFault:
            return asked
    if not caller_supports or not asked:
        return 0
    response.lines += [b"Require: timer", b"Session-Expires: %d;refresher=uac" % asked]
    return asked
