"""The call of a voicemail caller as a state table: greet, tone, record, end (V2). Pure; the worker carries it out."""

from __future__ import annotations

from enum import StrEnum


class State(StrEnum):
    ANSWERED = "answered"  # 200 sent, ACK not seen
    GREETING = "greeting"
    TONE = "tone"
    RECORDING = "recording"
    LEAVING = "leaving"  # our BYE is out
    ENDED = "ended"


class Event(StrEnum):
    ESTABLISHED = "established"  # ACK seen and sound flows
    PLAYED = "played"  # the greeting or the tone is over
    LIMIT = "limit"  # the longest recording is reached
    HANGUP = "hangup"  # the call is over, whoever ended it
    STOP = "stop"  # the service wants the call to end (shutdown, recording impossible)


class Action(StrEnum):
    GREET = "greet"
    BEEP = "beep"
    RECORD = "record"
    CLOSE = "close"  # nothing more is recorded; tell the outcome
    BYE = "bye"
    FREE = "free"  # the place can take another call


Step = tuple[State, tuple[Action, ...]]

TABLE: dict[tuple[State, Event], Step] = {
    (State.ANSWERED, Event.ESTABLISHED): (State.GREETING, (Action.GREET,)),
    (State.ANSWERED, Event.HANGUP): (State.ENDED, (Action.CLOSE, Action.FREE)),
    (State.ANSWERED, Event.STOP): (State.LEAVING, (Action.CLOSE, Action.BYE)),
    (State.GREETING, Event.PLAYED): (State.TONE, (Action.BEEP,)),
    (State.GREETING, Event.HANGUP): (State.ENDED, (Action.CLOSE, Action.FREE)),
    (State.GREETING, Event.STOP): (State.LEAVING, (Action.CLOSE, Action.BYE)),
    (State.TONE, Event.PLAYED): (State.RECORDING, (Action.RECORD,)),
    (State.TONE, Event.HANGUP): (State.ENDED, (Action.CLOSE, Action.FREE)),
    (State.TONE, Event.STOP): (State.LEAVING, (Action.CLOSE, Action.BYE)),
    (State.RECORDING, Event.LIMIT): (State.LEAVING, (Action.CLOSE, Action.BYE)),
    (State.RECORDING, Event.HANGUP): (State.ENDED, (Action.CLOSE, Action.FREE)),
    (State.RECORDING, Event.STOP): (State.LEAVING, (Action.CLOSE, Action.BYE)),
    (State.LEAVING, Event.HANGUP): (State.ENDED, (Action.FREE,)),
}


def step(state: State, event: Event) -> Step:
    """What follows `event`. An event that has no row came too late (a tone ends after the caller left): nothing."""
    return TABLE.get((state, event), (state, ()))
