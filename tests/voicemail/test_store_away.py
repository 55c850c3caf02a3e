"""A caller leaves a message while the S3-compatible store is away: nobody notices, and nothing is lost (V2, V7)."""

from __future__ import annotations

from pathlib import Path

import pytest

from denwa.config.settings import Settings
from denwa.voicemail import storing
from tests.peers.seaweedfs import SeaweedFs
from tests.voicemail.rig import (
    SPEECH,
    PhoneCall,
    add_subscriber,
    eventually,
    likeness,
    make_tables,
    place_for,
    running,
    settings_for,
    sound_of,
    stored,
)

pytestmark = [pytest.mark.live, pytest.mark.timeout(240)]


async def leave_message(service: object) -> None:
    place = await place_for(service)  # type: ignore[arg-type]
    phone = await PhoneCall.to(place.uri)
    assert await phone.over() == 200  # the service hung up after its 3 seconds


async def test_message_left_while_the_store_is_away_is_in_it_afterwards(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(storing, "FIRST_PAUSE", 0.5)
    engine = make_tables(f"sqlite:///{tmp_path / 'denwa.db'}")
    add_subscriber(engine)
    with SeaweedFs(tmp_path / "seaweedfs") as store:
        settings: Settings = settings_for(tmp_path).model_copy(update={"sounds": store.settings("voicemail")})
        async with running(settings, engine) as service:
            await leave_message(service)
            [first] = await stored(engine, 1, seconds=60)
            store.stop()
            await leave_message(service)
            await eventually(lambda: "nobody listens there" in caplog.text, seconds=60)
            assert (await service.counts())["recordings_waiting"] == 1
            assert (await service.counts())["messages"] == 1
            store.start()
            _, second = await stored(engine, 2, seconds=60)
            assert (await service.counts())["reserved"] == 0
        for message in (first, second):
            assert likeness(SPEECH, sound_of(settings, message)) > 0.9
    spool = tmp_path / "voicemail" / "spool"
    assert not list(spool.iterdir())
    assert not (tmp_path / "voicemail" / "messages").exists()
    engine.dispose()
