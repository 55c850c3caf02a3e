"""The four transaction machines of RFC 3261 §17 as tables, with RFC 6026 (Accepted) and RFC 4320 (late 100).

A table maps (state, event) to (next state, actions). What is not in it is ignored. The layer interprets the actions
in order; tests read the tables, and nothing else decides.
"""

from __future__ import annotations

from enum import IntEnum
from typing import Final, TypeAlias


class State(IntEnum):
    TRYING = 0  # non-INVITE
    CALLING = 1  # INVITE client
    PROCEEDING = 2
    COMPLETED = 3
    CONFIRMED = 4
    ACCEPTED = 5  # RFC 6026
    TERMINATED = 6


class Event(IntEnum):
    REQUEST = 0  # the request again (server)
    ACK = 1
    SEND_1XX = 2  # our side answers (server)
    SEND_2XX = 3
    SEND_FAILURE = 4
    GOT_1XX = 5  # a response came (client)
    GOT_2XX = 6
    GOT_FAILURE = 7
    RESEND = 8  # timer A, E, G
    END = 9  # timer B, D, F, H, I, J, K, L, M
    LATE = 10  # RFC 4320 §4.1: no final answer by the time E reaches T2


class Action(IntEnum):
    SEND = 0  # send the response given
    RESEND_LAST = 1
    SEND_100 = 2
    ACK_FAILURE = 3  # client: ACK the failure received
    DELIVER = 4  # client: response to the user
    DELIVER_ACK = 5
    TIMED_OUT = 6  # tell the user
    STOP_RESEND = 7
    STOP_END = 8
    START_RESEND = 9  # A, E, G at T1 (unreliable only)
    BACK_OFF = 10  # A doubles; E, G double up to T2
    BACK_OFF_T2 = 11
    SLOW_RESEND = 12  # E at T2 in Proceeding
    START_TIMEOUT = 13  # B, F, H, L, M: 64*T1
    START_WAIT = 14  # D, I, J, K: the time to absorb retransmissions; 0 s on a stream
    FORGET_BODY = 15  # drop what is kept for retransmission


Table: TypeAlias = dict[tuple[State, Event], tuple[State, tuple[Action, ...]]]
_S, _E, _A = State, Event, Action

INVITE_SERVER: Final[Table] = {  # figure 7, RFC 6026 figure 5
    (_S.PROCEEDING, _E.REQUEST): (_S.PROCEEDING, (_A.RESEND_LAST,)),
    (_S.PROCEEDING, _E.SEND_1XX): (_S.PROCEEDING, (_A.SEND,)),
    (_S.PROCEEDING, _E.SEND_2XX): (_S.ACCEPTED, (_A.SEND, _A.FORGET_BODY, _A.START_TIMEOUT)),
    (_S.PROCEEDING, _E.SEND_FAILURE): (_S.COMPLETED, (_A.SEND, _A.START_RESEND, _A.START_TIMEOUT)),
    (_S.COMPLETED, _E.REQUEST): (_S.COMPLETED, (_A.RESEND_LAST,)),
    (_S.COMPLETED, _E.RESEND): (_S.COMPLETED, (_A.RESEND_LAST, _A.BACK_OFF_T2)),
    (_S.COMPLETED, _E.ACK): (_S.CONFIRMED, (_A.STOP_RESEND, _A.FORGET_BODY, _A.START_WAIT)),
    (_S.COMPLETED, _E.END): (_S.TERMINATED, (_A.TIMED_OUT,)),
    (_S.CONFIRMED, _E.END): (_S.TERMINATED, ()),
    (_S.ACCEPTED, _E.SEND_2XX): (_S.ACCEPTED, (_A.SEND, _A.FORGET_BODY)),
    (_S.ACCEPTED, _E.ACK): (_S.ACCEPTED, (_A.DELIVER_ACK,)),
    (_S.ACCEPTED, _E.END): (_S.TERMINATED, ()),
}

OTHER_SERVER: Final[Table] = {  # figure 8
    (_S.TRYING, _E.SEND_1XX): (_S.PROCEEDING, (_A.SEND,)),
    (_S.TRYING, _E.SEND_2XX): (_S.COMPLETED, (_A.SEND, _A.START_WAIT)),
    (_S.TRYING, _E.SEND_FAILURE): (_S.COMPLETED, (_A.SEND, _A.START_WAIT)),
    (_S.TRYING, _E.LATE): (_S.PROCEEDING, (_A.SEND_100,)),
    (_S.PROCEEDING, _E.REQUEST): (_S.PROCEEDING, (_A.RESEND_LAST,)),
    (_S.PROCEEDING, _E.SEND_1XX): (_S.PROCEEDING, (_A.SEND,)),
    (_S.PROCEEDING, _E.SEND_2XX): (_S.COMPLETED, (_A.SEND, _A.START_WAIT)),
    (_S.PROCEEDING, _E.SEND_FAILURE): (_S.COMPLETED, (_A.SEND, _A.START_WAIT)),
    (_S.COMPLETED, _E.REQUEST): (_S.COMPLETED, (_A.RESEND_LAST,)),
    (_S.COMPLETED, _E.END): (_S.TERMINATED, ()),
    # A request that is never answered (RFC 4320 forbids 408) is dropped when its client has given up.
    (_S.TRYING, _E.END): (_S.TERMINATED, ()),
    (_S.PROCEEDING, _E.END): (_S.TERMINATED, ()),
}

INVITE_CLIENT: Final[Table] = {  # figure 5, RFC 6026 figure 4
    (_S.CALLING, _E.RESEND): (_S.CALLING, (_A.RESEND_LAST, _A.BACK_OFF)),
    (_S.CALLING, _E.END): (_S.TERMINATED, (_A.TIMED_OUT,)),
    (_S.CALLING, _E.GOT_1XX): (_S.PROCEEDING, (_A.STOP_RESEND, _A.STOP_END, _A.DELIVER)),
    (_S.CALLING, _E.GOT_2XX): (_S.ACCEPTED, (_A.STOP_RESEND, _A.FORGET_BODY, _A.START_TIMEOUT, _A.DELIVER)),
    (_S.CALLING, _E.GOT_FAILURE): (_S.COMPLETED, (_A.STOP_RESEND, _A.ACK_FAILURE, _A.START_WAIT, _A.DELIVER)),
    (_S.PROCEEDING, _E.GOT_1XX): (_S.PROCEEDING, (_A.DELIVER,)),
    (_S.PROCEEDING, _E.GOT_2XX): (_S.ACCEPTED, (_A.FORGET_BODY, _A.START_TIMEOUT, _A.DELIVER)),
    (_S.PROCEEDING, _E.GOT_FAILURE): (_S.COMPLETED, (_A.ACK_FAILURE, _A.START_WAIT, _A.DELIVER)),
    # Runs only when the layer is told to: 64*T1 after a CANCEL (RFC 3261 §9.1), or timer C (§16.8).
    (_S.PROCEEDING, _E.END): (_S.TERMINATED, (_A.TIMED_OUT,)),
    (_S.COMPLETED, _E.GOT_FAILURE): (_S.COMPLETED, (_A.RESEND_LAST,)),
    (_S.COMPLETED, _E.END): (_S.TERMINATED, ()),
    (_S.ACCEPTED, _E.GOT_2XX): (_S.ACCEPTED, (_A.DELIVER,)),
    (_S.ACCEPTED, _E.END): (_S.TERMINATED, ()),
}

_FINAL = (_A.STOP_RESEND, _A.FORGET_BODY, _A.START_WAIT, _A.DELIVER)
OTHER_CLIENT: Final[Table] = {  # figure 6
    (_S.TRYING, _E.RESEND): (_S.TRYING, (_A.RESEND_LAST, _A.BACK_OFF_T2)),
    (_S.TRYING, _E.END): (_S.TERMINATED, (_A.TIMED_OUT,)),
    (_S.TRYING, _E.GOT_1XX): (_S.PROCEEDING, (_A.DELIVER,)),  # E goes on to its next firing
    (_S.TRYING, _E.GOT_2XX): (_S.COMPLETED, _FINAL),
    (_S.TRYING, _E.GOT_FAILURE): (_S.COMPLETED, _FINAL),
    (_S.PROCEEDING, _E.RESEND): (_S.PROCEEDING, (_A.RESEND_LAST, _A.SLOW_RESEND)),
    (_S.PROCEEDING, _E.END): (_S.TERMINATED, (_A.TIMED_OUT,)),
    (_S.PROCEEDING, _E.GOT_1XX): (_S.PROCEEDING, (_A.DELIVER,)),
    (_S.PROCEEDING, _E.GOT_2XX): (_S.COMPLETED, _FINAL),
    (_S.PROCEEDING, _E.GOT_FAILURE): (_S.COMPLETED, _FINAL),
    (_S.COMPLETED, _E.END): (_S.TERMINATED, ()),
}
