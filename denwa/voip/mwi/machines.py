"""Who is told when: the life of a subscription, and of the lamp of a phone that has none, as tables.

A table maps (state, event) to (next state, actions). What is not in it is ignored. `subscription.py` and `lamps.py`
carry the actions out in order; nothing else decides.
"""

from __future__ import annotations

from enum import IntEnum, StrEnum
from typing import Final, TypeAlias


class Event(IntEnum):
    CHANGE = 0  # there are other messages than before
    SEEN = 1  # the phone has refreshed its registration or subscription
    ANEW = 2  # the phone has registered anew, or from another place
    CLOSE = 3  # the subscription is over: asked for, expired, or ended by the service
    TAKEN = 4  # the NOTIFY was answered with a 2xx
    REFUSED = 5  # … with a failure that means no
    UNREACHED = 6  # … not at all, or the phone cannot at present
    LATER = 7  # … with a failure that says when to try again (Retry-After)
    AGAIN = 8  # that time has come


class Action(StrEnum):
    SEND = "send"  # a NOTIFY with what is in the box
    SEND_LAST = "send_last"  # the same, which also says that the subscription is over
    ABANDON = "abandon"  # whatever is answered to the NOTIFY sent last
    PAUSE = "pause"  # wait as long as Retry-After says
    FORGET = "forget"
    FALL_BACK = "fall_back"  # the phone is told without a subscription


class SubscriptionState(IntEnum):
    TOLD = 0
    SENDING = 1
    OUTDATED = 2  # sending, and changed meanwhile
    PAUSED = 3
    ENDING = 4  # sending, and over
    LAST = 5  # sending that it is over
    OVER = 6


class LampState(IntEnum):
    TOLD = 0
    SENDING = 1
    OUTDATED = 2  # sending, and changed meanwhile
    OWED = 3  # not reached; told when it is seen again
    DEAF = 4  # it does not want to be told; asked again when it registers anew


Table: TypeAlias = dict[tuple[IntEnum, Event], tuple[IntEnum, tuple[Action, ...]]]
_S, _L, _E, _A = SubscriptionState, LampState, Event, Action
_FAILED: Final = (_A.FALL_BACK, _A.FORGET)

# RFC 6665 §4.2.2: one NOTIFY at a time, so that they arrive in order; a failure without Retry-After removes the
# subscription; §4.2.1.4: each SUBSCRIBE is followed by a NOTIFY.
SUBSCRIPTION: Final[Table] = {
    (_S.TOLD, _E.CHANGE): (_S.SENDING, (_A.SEND,)),
    (_S.TOLD, _E.SEEN): (_S.SENDING, (_A.SEND,)),
    (_S.TOLD, _E.CLOSE): (_S.LAST, (_A.SEND_LAST,)),
    (_S.SENDING, _E.CHANGE): (_S.OUTDATED, ()),
    (_S.SENDING, _E.SEEN): (_S.SENDING, (_A.ABANDON, _A.SEND)),  # it may have moved
    (_S.SENDING, _E.CLOSE): (_S.ENDING, ()),
    (_S.SENDING, _E.TAKEN): (_S.TOLD, ()),
    (_S.SENDING, _E.LATER): (_S.PAUSED, (_A.PAUSE,)),
    (_S.OUTDATED, _E.SEEN): (_S.SENDING, (_A.ABANDON, _A.SEND)),
    (_S.OUTDATED, _E.CLOSE): (_S.ENDING, ()),
    (_S.OUTDATED, _E.TAKEN): (_S.SENDING, (_A.SEND,)),
    (_S.OUTDATED, _E.LATER): (_S.PAUSED, (_A.PAUSE,)),
    (_S.PAUSED, _E.SEEN): (_S.SENDING, (_A.SEND,)),
    (_S.PAUSED, _E.AGAIN): (_S.SENDING, (_A.SEND,)),
    (_S.PAUSED, _E.CLOSE): (_S.LAST, (_A.SEND_LAST,)),
    (_S.ENDING, _E.TAKEN): (_S.LAST, (_A.SEND_LAST,)),
    (_S.ENDING, _E.LATER): (_S.OVER, _FAILED),
    (_S.LAST, _E.TAKEN): (_S.OVER, (_A.FORGET,)),
    (_S.LAST, _E.LATER): (_S.OVER, _FAILED),
    (_S.SENDING, _E.REFUSED): (_S.OVER, _FAILED),
    (_S.SENDING, _E.UNREACHED): (_S.OVER, _FAILED),
    (_S.OUTDATED, _E.REFUSED): (_S.OVER, _FAILED),
    (_S.OUTDATED, _E.UNREACHED): (_S.OVER, _FAILED),
    (_S.ENDING, _E.REFUSED): (_S.OVER, _FAILED),
    (_S.ENDING, _E.UNREACHED): (_S.OVER, _FAILED),
    (_S.LAST, _E.REFUSED): (_S.OVER, _FAILED),
    (_S.LAST, _E.UNREACHED): (_S.OVER, _FAILED),
}

LAMP: Final[Table] = {
    (_L.TOLD, _E.CHANGE): (_L.SENDING, (_A.SEND,)),
    (_L.TOLD, _E.ANEW): (_L.SENDING, (_A.SEND,)),
    (_L.SENDING, _E.CHANGE): (_L.OUTDATED, ()),
    (_L.SENDING, _E.ANEW): (_L.SENDING, (_A.ABANDON, _A.SEND)),
    (_L.SENDING, _E.TAKEN): (_L.TOLD, ()),
    (_L.SENDING, _E.REFUSED): (_L.DEAF, ()),
    (_L.SENDING, _E.UNREACHED): (_L.OWED, ()),
    (_L.SENDING, _E.LATER): (_L.OWED, ()),
    (_L.OUTDATED, _E.ANEW): (_L.SENDING, (_A.ABANDON, _A.SEND)),
    (_L.OUTDATED, _E.TAKEN): (_L.SENDING, (_A.SEND,)),
    (_L.OUTDATED, _E.REFUSED): (_L.DEAF, ()),
    (_L.OUTDATED, _E.UNREACHED): (_L.OWED, ()),
    (_L.OUTDATED, _E.LATER): (_L.OWED, ()),
    (_L.OWED, _E.CHANGE): (_L.SENDING, (_A.SEND,)),
    (_L.OWED, _E.SEEN): (_L.SENDING, (_A.SEND,)),
    (_L.OWED, _E.ANEW): (_L.SENDING, (_A.SEND,)),
    (_L.DEAF, _E.ANEW): (_L.SENDING, (_A.SEND,)),
}
