"""The voicemail box by phone as a state table: from the own phone, from elsewhere, keys, and how every call ends."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from denwa.config.settings import DATA
from denwa.voicemail.box_flow import ENTRIES, KEY_PATIENCE, Ask, Await, BoxFlow, Do, Effect, Play, Say, needed_prompts
from denwa.voicemail.box_prompts import Entry, header
from denwa.voicemail.box_table import TABLE, Action, Event, State

ONE = Entry(7, "09012345678", "", 1_795_294_584_123, heard=False)
TWO = Entry(8, "", "anonymous", 1_795_294_600_000, heard=False)
OLD = Entry(3, "05050010002", "", 1_795_000_000_000, heard=True)


class Visit:
    """A call from the own phone whose box is open, unless told otherwise."""

    def __init__(self, *entries: Entry, own: bool = True) -> None:
        self.flow = BoxFlow(own=own)
        self.effects: list[Effect] = []
        self.note(self.flow.happened(Event.ESTABLISHED))
        if own:
            self.note(self.flow.opened(entries))

    def note(self, effects: list[Effect]) -> list[Effect]:
        self.effects += effects
        return effects

    def on(self, event: Event) -> list[Effect]:
        return self.note(self.flow.happened(event))

    def key(self, keys: str) -> list[Effect]:
        effects: list[Effect] = []
        for key in keys:
            effects = self.note(self.flow.key(key))
        return effects

    def here(self) -> list[Effect]:
        return self.note(self.flow.here("/x/7.wav"))

    def hear_first(self) -> None:
        """Counts, header and sound of the first message, to its end."""
        self.on(Event.PLAYED)
        self.here()
        self.on(Event.PLAYED)
        self.on(Event.PLAYED)

    @property
    def state(self) -> State:
        return self.flow.state

    def asked(self, what: str) -> list[Ask]:
        return [effect for effect in self.effects if isinstance(effect, Ask) and effect.what == what]


def said(effects: Sequence[Effect]) -> tuple[str, ...]:
    return tuple(prompt for effect in effects if isinstance(effect, Say) for prompt in effect.prompts)


def asks(effects: Sequence[Effect]) -> list[tuple[str, object]]:
    return [(effect.what, effect.fields.get("id")) for effect in effects if isinstance(effect, Ask)]


def test_the_own_phone_is_asked_for_nothing_and_hears_counts_new_ones_first() -> None:  # V6
    visit = Visit(OLD, TWO, ONE)
    assert asks(visit.effects) == [("open", None)]
    assert said(visit.effects) == ("box-new", "count-2", "box-stored", "count-1")
    assert asks(visit.on(Event.PLAYED)) == [("sound", 7)]
    assert said(visit.here()) == header(ONE)
    assert visit.on(Event.PLAYED) == [Play("/x/7.wav")]


def test_a_message_heard_to_its_end_is_marked_once_and_the_menu_told() -> None:
    visit = Visit(ONE)
    visit.hear_first()
    assert visit.state is State.MENU
    assert asks(visit.asked("heard")) == [("heard", 7)]
    assert said(visit.effects)[-1] == "box-menu"
    visit.key("1##")
    assert len(visit.asked("heard")) == 1


def test_a_message_cut_off_by_hanging_up_stays_new() -> None:
    visit = Visit(ONE)
    visit.on(Event.PLAYED)
    visit.here()
    visit.on(Event.PLAYED)
    visit.on(Event.HANGUP)
    assert not visit.asked("heard")


def test_one_plays_again_two_goes_on_three_deletes() -> None:  # V6
    visit = Visit(ONE, TWO)
    visit.hear_first()
    assert said(visit.key("1")) == ("box-next", *header(ONE))
    visit.key("#")
    visit.on(Event.PLAYED)
    assert asks(visit.key("2")) == [("sound", 8)]
    visit.here()
    assert asks(visit.key("3")) == [("delete", 8)]
    assert said(visit.on(Event.DONE)) == ("box-deleted",)
    assert said(visit.on(Event.PLAYED)) == ("box-end", "box-end-menu")


def test_after_a_deletion_the_next_message_follows_and_none_is_skipped() -> None:
    visit = Visit(ONE, TWO, OLD)
    visit.hear_first()
    visit.key("3")
    visit.on(Event.DONE)
    assert asks(visit.on(Event.PLAYED)) == [("sound", 8)]
    assert said(visit.here())[0] == "box-next"


def test_hash_skips_what_is_being_said() -> None:
    visit = Visit(ONE, TWO)
    assert asks(visit.key("#")) == [("sound", 7)]
    visit.here()
    assert visit.key("#") == [Play("/x/7.wav")]
    assert said(visit.key("#")) == ("box-menu",)
    assert asks(visit.key("#")) == [("sound", 8)]


def test_a_message_that_was_deleted_elsewhere_is_said_to_be_gone() -> None:
    visit = Visit(ONE, TWO)
    visit.on(Event.PLAYED)
    assert said(visit.on(Event.MISSING)) == ("box-gone",)
    assert asks(visit.on(Event.PLAYED)) == [("sound", 8)]


def test_an_empty_box_says_so_and_offers_what_is_left() -> None:
    visit = Visit()
    assert said(visit.effects) == ("box-empty",)
    assert said(visit.on(Event.PLAYED)) == ("box-end-menu",)
    assert asks(visit.key("1")) == [("list", None)]


def test_star_ends_the_call_with_a_goodbye() -> None:
    visit = Visit(ONE)
    visit.hear_first()
    assert said(visit.key("*")) == ("goodbye",)
    assert visit.on(Event.PLAYED) == [Do.CLOSE, Do.BYE]
    assert visit.on(Event.HANGUP) == [Do.FREE]


def test_a_caller_who_keys_nothing_is_asked_once_more_and_then_sent_away() -> None:
    visit = Visit(ONE)
    visit.hear_first()
    assert visit.on(Event.PLAYED) == [Await(KEY_PATIENCE)]
    assert said(visit.on(Event.SILENCE)) == ("box-menu",)
    visit.on(Event.PLAYED)
    assert said(visit.on(Event.SILENCE)) == ("goodbye",)


def test_a_key_without_meaning_is_told_so() -> None:
    visit = Visit(ONE)
    visit.hear_first()
    assert said(visit.key("8")) == ("invalid-key", "box-menu")


def test_a_service_that_does_not_answer_is_no_reason_to_hang() -> None:
    visit = Visit(ONE)
    visit.on(Event.PLAYED)
    assert said(visit.on(Event.SILENCE)) == ("box-unavailable", "goodbye")


# -- from elsewhere ----------------------------------------------------------------------------------------------------


def keyed(number: str = "05050010001", pin: str = "271828") -> Visit:
    visit = Visit(own=False)
    visit.key(f"{number}#{pin}#")
    return visit


def test_elsewhere_number_and_pin_are_asked_for_before_anything_is_told() -> None:  # V6
    visit = Visit(own=False)
    assert said(visit.effects) == ("box-enter-number",)
    assert said(visit.key("05050010001#")) == ("box-enter-pin",)
    assert visit.key("271828#")[:2] == [Do.HUSH, Ask("open", {"number": "05050010001", "pin": "271828"})]
    assert not visit.asked("sound")


def test_a_wrong_entry_is_told_and_the_third_one_ends_the_call() -> None:
    visit = keyed()
    for _ in range(ENTRIES - 1):
        assert said(visit.on(Event.WRONG)) == ("box-wrong-pin", "box-enter-number")
        visit.key("05050010001#1#")
    assert said(visit.on(Event.WRONG)) == ("box-wrong-pin", "goodbye")
    assert len(visit.asked("open")) == ENTRIES


def test_a_shut_box_is_told_and_the_call_ends() -> None:
    visit = keyed()
    assert said(visit.on(Event.LOCKED)) == ("box-locked", "goodbye")
    assert visit.state is State.PARTING


def test_star_begins_the_entry_anew() -> None:
    visit = Visit(own=False)
    visit.key("0505#99*05050010001#271828#")
    assert visit.asked("open")[0].fields == {"number": "05050010001", "pin": "271828"}


def test_the_wait_begins_anew_with_every_digit() -> None:
    visit = Visit(own=False)
    assert visit.key("0") == [Do.HUSH, Await(KEY_PATIENCE)]


# -- the own greeting --------------------------------------------------------------------------------------------------


def test_a_greeting_is_recorded_heard_and_saved() -> None:  # V6
    visit = Visit()
    visit.on(Event.PLAYED)
    assert said(visit.key("0")) == ("greeting-menu",)
    assert said(visit.key("2")) == ("greeting-record", "tone")
    assert Do.RECORD in visit.on(Event.PLAYED)
    assert visit.key("#") == [Do.END_RECORD]
    assert said(visit.on(Event.RECORDED)) == ("greeting-review",)
    assert visit.key("1") == [Play("")]
    visit.on(Event.PLAYED)
    assert asks(visit.key("2")) == [("save-greeting", None)]
    assert said(visit.on(Event.DONE)) == ("greeting-saved", "greeting-menu")
    assert asks(visit.key("3")) == [("clear-greeting", None)]
    assert said(visit.on(Event.DONE)) == ("greeting-standard", "greeting-menu")


def test_a_greeting_that_cannot_be_used_is_told() -> None:
    visit = Visit()
    visit.key("9")
    visit.key("2")
    visit.on(Event.PLAYED)
    visit.on(Event.SILENCE)  # a minute is over
    visit.on(Event.RECORDED)
    visit.key("2")
    assert said(visit.on(Event.MISSING)) == ("greeting-failed", "greeting-menu")


# -- whatever happens --------------------------------------------------------------------------------------------------

_KEYS = st.sampled_from("0123456789*#A")
_STEPS = st.lists(st.one_of(st.sampled_from(Event), _KEYS), max_size=40)


def walk(own: bool, steps: Sequence[Event | str]) -> Visit:
    visit = Visit(ONE, TWO, OLD, own=own)
    for step in steps:
        if isinstance(step, Event):
            visit.on(step)
        else:
            visit.key(step)
    return visit


@settings(deadline=None)  # a busy machine is no fault
@given(st.booleans(), _STEPS)
def test_whatever_happens_a_call_ends_and_frees_its_place_once(own: bool, steps: list[Event | str]) -> None:
    visit = walk(own, [*steps, Event.HANGUP])
    assert visit.state is State.ENDED
    assert visit.effects.count(Do.FREE) == 1
    assert visit.effects.count(Do.CLOSE) == 1
    assert visit.effects.count(Do.BYE) <= 1
    assert visit.on(Event.HANGUP) == visit.key("3") == []


@settings(deadline=None)
@given(st.booleans(), _STEPS)
def test_once_it_is_leaving_nothing_more_is_asked_or_said(own: bool, steps: list[Event | str]) -> None:
    visit = walk(own, [*steps, Event.STOP])
    before = len(visit.effects)
    for step in (*steps, *Event):
        visit.note(visit.flow.happened(step) if isinstance(step, Event) else visit.flow.key(step))
    assert not [e for e in visit.effects[before:] if not isinstance(e, Do) or e not in (Do.FREE, Do.CLOSE)]


@settings(deadline=None)
@given(st.lists(st.one_of(st.sampled_from([e for e in Event if e is not Event.OPENED]), _KEYS), max_size=40))
def test_without_the_right_pin_nothing_of_a_box_is_asked_for(steps: list[Event | str]) -> None:
    visit = walk(False, steps)
    assert {effect.what for effect in visit.effects if isinstance(effect, Ask)} <= {"open"}


@settings(deadline=None)
@given(st.booleans(), _STEPS)
def test_two_limits_end_a_call_from_wherever_it_is(own: bool, steps: list[Event | str]) -> None:
    visit = walk(own, [*steps, Event.LIMIT, Event.LIMIT])
    assert visit.state in (State.LEAVING, State.ENDED)


def test_every_state_can_be_left_by_hanging_up_by_stopping_and_by_time() -> None:
    for state in State:
        if state is not State.ENDED:
            assert TABLE[state, Event.HANGUP][0] is State.ENDED
        if state not in (State.ENDED, State.LEAVING):
            assert TABLE[state, Event.STOP][0] is State.LEAVING
            assert (state, Event.LIMIT) in TABLE


def test_every_action_is_of_use_and_every_state_reached() -> None:
    used = {action for _, actions in TABLE.values() for action in actions}
    assert used == set(Action)
    assert {state for state, _ in TABLE.values()} | {State.ANSWERED} == set(State)


@pytest.mark.parametrize("name", sorted(needed_prompts()))
def test_there_is_a_prompt_for_all_that_is_said(name: str) -> None:
    assert (DATA / "prompts" / f"{name}.wav").is_file()
