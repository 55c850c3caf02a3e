"""What a worker does for a refused caller: its flow, and places that voicemail does not miss."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from denwa.config.settings import Guidance, Settings
from denwa.voicemail.faults import VoicemailSettingsFault
from denwa.voicemail.guidance_flow import Action, Event, State, step
from denwa.voicemail.service import Place, VoicemailService
from denwa.voicemail.setup import guidance_prompts
from tests.voicemail.rig import PROMPTS, add_subscriber, make_tables, place_for, running, settings_for


def run(*events: Event) -> tuple[State, list[Action]]:
    state, actions = State.OFFERED, []
    for event in events:
        state, more = step(state, event)
        actions += more
    return state, actions


def test_the_prompt_is_said_once_between_two_pauses_and_then_the_caller_is_refused() -> None:
    """N5"""
    state, actions = run(Event.SOUND, Event.PAUSED, Event.PLAYED, Event.PAUSED, Event.HANGUP)
    assert state is State.ENDED
    assert actions == [Action.WAIT, Action.SPEAK, Action.WAIT, Action.REFUSE, Action.FREE]


@settings(deadline=None)  # a busy machine is no fault
@given(st.lists(st.sampled_from(Event), max_size=12))
def test_whatever_happens_the_prompt_is_said_at_most_once_and_the_place_freed_once(events: list[Event]) -> None:
    state, actions = run(*events, Event.HANGUP)
    assert state is State.ENDED
    assert actions.count(Action.FREE) == 1
    assert actions.count(Action.SPEAK) <= 1
    assert actions.count(Action.REFUSE) <= 1


@settings(deadline=None)
@given(st.lists(st.sampled_from(Event), max_size=12), st.sampled_from([Event.LIMIT, Event.STOP]))
def test_after_its_time_nothing_more_is_said(events: list[Event], end: Event) -> None:
    before = run(*events, end)[1]
    after = run(*events, end, *events)[1][len(before) :]
    assert not {Action.SPEAK, Action.WAIT, Action.REFUSE} & set(after)


async def until_free(service: VoicemailService, places: int) -> None:
    async with asyncio.timeout(10):
        while (await service.counts())["free_places"] < places:
            await asyncio.sleep(0.02)


async def test_refused_callers_leave_places_for_voicemail(tmp_path: Path) -> None:
    engine = make_tables(f"sqlite:///{tmp_path / 'db'}")
    add_subscriber(engine)
    async with running(settings_for(tmp_path), engine) as service:  # two workers at most: eight places
        await until_free(service, 4)
        given = [service.guide("barred") for _ in range(4)]
        assert [isinstance(place, Place) for place in given] == [True, True, True, False]  # the last free one is kept
        await until_free(service, 5)  # the need has started another worker
        assert service.guide("barred") is not None
        assert service.guide("barred") is None  # half of all places
        leases = [(await place_for(service)).lease for _ in range(4)]
        assert (await service.counts())["guidances"] == 4
        for lease in [*(place.lease for place in given if place), *leases]:
            service.release(lease)
        await until_free(service, 7)
        assert service.guide("no-such-prompt") is None


async def test_as_many_as_are_set_hear_a_prompt_at_once(tmp_path: Path) -> None:
    engine = make_tables(f"sqlite:///{tmp_path / 'db'}")
    limited = settings_for(tmp_path).model_copy(update={"guidance": Guidance(places=1)})
    async with running(limited, engine) as service:
        await until_free(service, 4)
        first = service.guide("barred")
        assert first is not None
        assert service.guide("barred") is None
        service.release(first.lease)
        await until_free(service, 4)
        assert service.guide("barred") is not None


def test_prompts_are_looked_at_when_the_service_starts(tmp_path: Path) -> None:
    assert guidance_prompts(Settings())["barred"] == PROMPTS / "barred.wav"
    assert guidance_prompts(Settings(guidance=Guidance(enabled=False))) == {}
    with pytest.raises(VoicemailSettingsFault, match=r"guidance\.prompts: .* no WAV file"):
        guidance_prompts(Settings(guidance=Guidance(prompts=tmp_path)))
    (tmp_path / "barred.wav").write_bytes(b"RIFF")
    with pytest.raises(VoicemailSettingsFault, match=r"guidance\.prompts: .*barred\.wav: not a WAV file"):
        guidance_prompts(Settings(guidance=Guidance(prompts=tmp_path)))
