"""The call of a voicemail caller as a state table: greet, tone, record, thank, end (V2). Pure; the worker carries it
out."""

from __future__ import annotations

from enum import StrEnum


class State(StrEnum):
    ANSWERED = "answered"  # 200 sent, ACK not seen
    GREETING = "greeting"
    TONE = "tone"
    RECORDING = "recording"
    THANKING = "thanking"  # the recording is closed, the caller is told so
    LEAVING = "leaving"  # our BYE is out
    ENDED = "ended"


class Event(StrEnum):
    ESTABLISHED = "established"  # ACK seen and sound flows
    PLAYED = "played"  # the greeting, the tone or the thanks are over
    KEY = "key"  # `#` before anything is recorded: the caller knows the greeting
    FINISHED = "finished"  # the caller has spoken and is done: `#`, or silence
    NOTHING = "nothing"  # the caller has not spoken and will not: `#` or silence; or a busy tone is all there is
    LIMIT = "limit"  # the longest recording is reached
    HANGUP = "hangup"  # the call is over, whoever ended it
    STOP = "stop"  # the service wants the call to end (shutdown, recording impossible)


class Action(StrEnum):
    GREET = "greet"
    BEEP = "beep"
    RECORD = "record"
    CLOSE = "close"  # nothing more is recorded; tell the outcome
    THANK = "thank"  # say that the message is kept
    BYE = "bye"
    FREE = "free"  # the place can take another call


Step = tuple[State, tuple[Action, ...]]

_BEFORE_CLOSE = (State.ANSWERED, State.GREETING, State.TONE, State.RECORDING)

TABLE: dict[tuple[State, Event], Step] = {
    (State.ANSWERED, Event.ESTABLISHED): (State.GREETING, (Action.GREET,)),
    (State.GREETING, Event.PLAYED): (State.TONE, (Action.BEEP,)),
    (State.GREETING, Event.KEY): (State.TONE, (Action.BEEP,)),
    (State.TONE, Event.PLAYED): (State.RECORDING, (Action.RECORD,)),
    (State.RECORDING, Event.FINISHED): (State.THANKING, (Action.CLOSE, Action.THANK)),
    (State.RECORDING, Event.NOTHING): (State.LEAVING, (Action.CLOSE, Action.BYE)),
    (State.RECORDING, Event.LIMIT): (State.LEAVING, (Action.CLOSE, Action.BYE)),
    (State.THANKING, Event.PLAYED): (State.LEAVING, (Action.BYE,)),
    **{(state, Event.HANGUP): (State.ENDED, (Action.CLOSE, Action.FREE)) for state in _BEFORE_CLOSE},
    **{(state, Event.STOP): (State.LEAVING, (Action.CLOSE, Action.BYE)) for state in _BEFORE_CLOSE},
    (State.THANKING, Event.HANGUP): (State.ENDED, (Action.FREE,)),
    (State.THANKING, Event.STOP): (State.LEAVING, (Action.BYE,)),
    (State.LEAVING, Event.HANGUP): (State.ENDED, (Action.FREE,)),
}


def step(state: State, event: Event) -> Step:
    """What follows `event`. An event that has no row came too late (a tone ends after the caller left): nothing."""
    return TABLE.get((state, event), (state, ()))
