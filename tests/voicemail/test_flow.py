"""The call flow's table."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from denwa.voicemail.flow import TABLE, Action, Event, State, step


def run(*events: Event) -> tuple[State, list[Action]]:
    state, actions = State.ANSWERED, []
    for event in events:
        state, more = step(state, event)
        actions += more
    return state, actions


def test_caller_is_greeted_hears_the_tone_is_recorded_and_cut_at_the_limit() -> None:
    """V2"""
    state, actions = run(Event.ESTABLISHED, Event.PLAYED, Event.PLAYED, Event.LIMIT, Event.HANGUP)
    assert state is State.ENDED
    assert actions == [Action.GREET, Action.BEEP, Action.RECORD, Action.CLOSE, Action.BYE, Action.FREE]


def test_caller_who_is_done_before_the_limit_is_told_that_the_message_is_kept() -> None:
    """V2: `#`, or silence after words"""
    state, actions = run(Event.ESTABLISHED, Event.PLAYED, Event.PLAYED, Event.FINISHED, Event.PLAYED, Event.HANGUP)
    assert state is State.ENDED
    assert actions[3:] == [Action.CLOSE, Action.THANK, Action.BYE, Action.FREE]


def test_caller_who_said_nothing_is_not_thanked() -> None:
    _, actions = run(Event.ESTABLISHED, Event.PLAYED, Event.PLAYED, Event.NOTHING, Event.HANGUP)
    assert actions[3:] == [Action.CLOSE, Action.BYE, Action.FREE]


def test_key_skips_the_greeting_but_not_the_tone() -> None:
    _, actions = run(Event.ESTABLISHED, Event.KEY, Event.KEY, Event.PLAYED)
    assert actions == [Action.GREET, Action.BEEP, Action.RECORD]


def test_limit_that_comes_while_the_caller_is_thanked_changes_nothing() -> None:
    begun = (Event.ESTABLISHED, Event.PLAYED, Event.PLAYED, Event.FINISHED)
    assert run(*begun, Event.LIMIT, Event.FINISHED, Event.KEY) == run(*begun)


def test_hanging_up_during_the_tone_records_nothing() -> None:
    """M2"""
    _, actions = run(Event.ESTABLISHED, Event.PLAYED, Event.HANGUP)
    assert Action.RECORD not in actions
    assert actions[-2:] == [Action.CLOSE, Action.FREE]


def test_tone_that_ends_after_the_caller_left_starts_no_recording() -> None:
    _, actions = run(Event.ESTABLISHED, Event.PLAYED, Event.HANGUP, Event.PLAYED)
    assert Action.RECORD not in actions


@settings(deadline=None)  # a busy machine is no fault
@given(st.lists(st.sampled_from(Event), max_size=12))
def test_whatever_happens_the_outcome_is_told_once_and_the_place_freed_once_after_the_hangup(
    events: list[Event],
) -> None:
    state, actions = run(*events, Event.HANGUP)
    assert state is State.ENDED
    assert actions.count(Action.CLOSE) == 1
    assert actions.count(Action.FREE) == 1
    assert actions.count(Action.RECORD) <= 1
    assert actions.count(Action.BYE) <= 1
    assert actions.count(Action.THANK) <= actions.count(Action.RECORD)
    assert actions.index(Action.CLOSE) < actions.index(Action.FREE)
    if Action.RECORD in actions:
        assert actions[:3] == [Action.GREET, Action.BEEP, Action.RECORD]


@settings(deadline=None)  # a busy machine is no fault
@given(st.lists(st.sampled_from(Event), max_size=12))
def test_after_stop_nothing_more_is_played_or_recorded(events: list[Event]) -> None:
    before = run(*events, Event.STOP)[1]
    after = run(*events, Event.STOP, *events)[1][len(before) :]
    assert not {Action.GREET, Action.BEEP, Action.RECORD, Action.THANK, Action.BYE, Action.CLOSE} & set(after)


def test_every_state_but_the_last_can_be_left_by_a_hangup() -> None:
    assert {state for state, event in TABLE if event is Event.HANGUP} == set(State) - {State.ENDED}
