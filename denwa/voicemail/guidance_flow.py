"""The call of a refused caller as a state table: early media, the prompt once, the refusal (N5). Pure; the worker
carries it out. It has no way to an answer."""

from __future__ import annotations

from enum import StrEnum

PAUSE = 0.3  # seconds of silence before the prompt, until the caller's phone plays, and after it, until it has played
LONGEST = 15.0  # seconds; a caller whose phone plays no early media just waits


class State(StrEnum):
    OFFERED = "offered"  # 183 sent, no sound yet
    LEADING = "leading"  # the pause before the prompt
    SPEAKING = "speaking"
    TRAILING = "trailing"  # the pause after it
    LEAVING = "leaving"  # the refusal is out
    ENDED = "ended"


class Event(StrEnum):
    SOUND = "sound"  # the early media is set up
    PAUSED = "paused"  # the pause is over
    PLAYED = "played"  # the prompt is over
    LIMIT = "limit"  # it takes too long
    STOP = "stop"  # the service wants the call to end (shutdown, the prompt cannot be played)
    HANGUP = "hangup"  # the call is over, whoever ended it


class Action(StrEnum):
    WAIT = "wait"  # tell when the pause is over
    SPEAK = "speak"
    REFUSE = "refuse"
    FREE = "free"  # the place can take another call


Step = tuple[State, tuple[Action, ...]]

_GOING_ON = (State.OFFERED, State.LEADING, State.SPEAKING, State.TRAILING)

TABLE: dict[tuple[State, Event], Step] = {
    (State.OFFERED, Event.SOUND): (State.LEADING, (Action.WAIT,)),
    (State.LEADING, Event.PAUSED): (State.SPEAKING, (Action.SPEAK,)),
    (State.SPEAKING, Event.PLAYED): (State.TRAILING, (Action.WAIT,)),
    (State.TRAILING, Event.PAUSED): (State.LEAVING, (Action.REFUSE,)),
    **{(state, event): (State.LEAVING, (Action.REFUSE,)) for state in _GOING_ON for event in (Event.LIMIT, Event.STOP)},
    **{(state, Event.HANGUP): (State.ENDED, (Action.FREE,)) for state in (*_GOING_ON, State.LEAVING)},
}


def step(state: State, event: Event) -> Step:
    """What follows `event`. An event that has no row came too late (a prompt ends after the caller left): nothing."""
    return TABLE.get((state, event), (state, ()))
