"""Places for calls to boxes: how many, for whom, and that nothing stays behind of those that never come."""

from __future__ import annotations

import asyncio
from pathlib import Path

from denwa.storage.outbox_store import OutboxStore
from denwa.storage.pin_store import PinStore
from denwa.storage.voicemail_store import MailboxStore, OwnerStore
from denwa.voicemail.access import Access
from denwa.voicemail.pins import PinHashes
from denwa.voicemail.service import NoPlace, Place, VoicemailService
from denwa.voicemail.visits import VisitRequest
from tests.voicemail.rig import NUMBER, add_subscriber, eventually, make_tables, place_for, running, settings_for

OWN = VisitRequest(NUMBER, "c1@phone")
ELSEWHERE = VisitRequest("", "c2@phone")


def folders(data_dir: Path) -> list[Path]:
    return list((data_dir / "voicemail" / "visits").iterdir())


async def test_those_who_listen_leave_half_of_all_places_to_those_who_speak(tmp_path: Path) -> None:
    engine = make_tables(f"sqlite:///{tmp_path / 'db'}")
    add_subscriber(engine)
    async with running(settings_for(tmp_path), engine) as service:  # two workers at most: eight places
        given = [await service.visit(OWN) for _ in range(5)]
        assert [isinstance(place, Place) for place in given] == [True, True, True, True, False]
        assert (await service.counts())["box_calls"] == len(folders(tmp_path)) == 4
        lease = (await place_for(service)).lease
        for place in given:
            if isinstance(place, Place):
                service.release(place.lease)
        service.release(lease)
        await eventually(lambda: folders(tmp_path) == [])
        async with asyncio.timeout(10):
            while (await service.counts())["box_calls"]:
                await asyncio.sleep(0.02)
        assert isinstance(await service.visit(OWN), Place)


async def test_without_pins_boxes_are_heard_from_the_own_phone_only(tmp_path: Path) -> None:  # V6
    engine = make_tables(f"sqlite:///{tmp_path / 'db'}")
    async with running(settings_for(tmp_path), engine) as service:
        assert isinstance(await service.visit(ELSEWHERE), NoPlace)
        assert folders(tmp_path) == []


async def test_a_service_that_is_stopped_gives_no_places_and_leaves_no_files(tmp_path: Path) -> None:
    engine = make_tables(f"sqlite:///{tmp_path / 'db'}")
    owners = OwnerStore(engine)
    access = Access(PinStore(engine), owners, PinHashes(b"k" * 32))
    service = VoicemailService(settings_for(tmp_path), MailboxStore(engine), OutboxStore(engine), owners, access=access)
    left = tmp_path / "voicemail" / "visits" / "of-a-killed-service"
    left.mkdir(parents=True)
    await service.start()
    assert folders(tmp_path) == []
    assert isinstance(await service.visit(ELSEWHERE), Place)
    await service.stop()
    assert folders(tmp_path) == []
    assert isinstance(await service.visit(OWN), NoPlace)
