"""Real calls by a pjsua2 phone to real workers, through leases of the service."""

from __future__ import annotations

import asyncio
import mailbox
import sys
import wave
from pathlib import Path

import numpy as np
import pytest

from denwa.storage.voicemail_store import MailboxStore
from tests.voicemail.rig import (
    CALLER,
    GREETING,
    NUMBER,
    PROMPTS,
    SPEECH,
    PhoneCall,
    add_subscriber,
    eventually,
    likeness,
    make_tables,
    place_for,
    refused,
    request,
    running,
    samples,
    settings_for,
    sound_of,
    stored,
)

pytestmark = pytest.mark.live


@pytest.fixture
def engine(tmp_path: Path):
    engine = make_tables(f"sqlite:///{tmp_path / 'denwa.db'}")
    add_subscriber(engine)
    yield engine
    engine.dispose()


@pytest.mark.parametrize("codec", ["PCMU/8000", "iLBC/8000", "GSM/8000", "speex/8000", "G722/16000"])
async def test_caller_hears_greeting_and_tone_and_the_message_is_what_the_caller_said(tmp_path, engine, codec):
    """V2, V5, C3: guidance, tone, at most max_seconds of the caller's sound and of nothing else, then our BYE."""
    settings = settings_for(tmp_path, max_seconds=2)
    heard = tmp_path / "heard.wav"
    async with running(settings, engine) as service:
        place = await place_for(service)
        call = await PhoneCall.to(place.uri, record=heard, codec=codec)
        assert await call.over() == 200
        [message] = await stored(engine)
    assert call.codec.lower() == codec.partition("/")[0].lower()
    assert message.recording.duration_ms == 2000  # exactly the limit
    assert (message.recording.mailbox, message.recording.caller, message.recording.cause) == (NUMBER, CALLER, 486)
    sound = sound_of(settings, message)
    with wave.open(str(sound)) as file:
        assert (file.getframerate(), file.getsampwidth(), file.getnchannels()) == (8000, 2, 1)
        assert file.getnframes() == 16000
    assert sound.stat().st_size == message.recording.size
    assert likeness(SPEECH, sound) > 0.8
    assert likeness(heard, GREETING) > 0.8  # every piece of it is found in what was heard
    assert _loudest_hertz(heard) == pytest.approx(1000, abs=10)


@pytest.mark.parametrize(("codec", "rate"), [("G722/16000", 16000), ("PCMU/8000", 8000)])
async def test_wide_band_calls_keep_their_sixteen_kilohertz_if_the_operator_chose_so(tmp_path, engine, codec, rate):
    """V5: and only they do; the greeting and the tone are the same."""
    settings = settings_for(tmp_path, max_seconds=3, wideband=True)
    heard = tmp_path / "heard.wav"
    async with running(settings, engine) as service:
        place = await place_for(service)
        call = await PhoneCall.to(place.uri, play=PROMPTS / "barred.wav", record=heard, codec=codec, clock=16000)
        assert await call.over() == 200
        [message] = await stored(engine)
    sound = sound_of(settings, message)
    with wave.open(str(sound)) as file:
        assert (file.getframerate(), file.getsampwidth(), file.getnchannels()) == (rate, 2, 1)
        assert abs(file.getnframes() * 1000 / rate - message.recording.duration_ms) < 1
        samples = np.frombuffer(file.readframes(file.getnframes()), "<i2").astype(float)
    assert message.recording.duration_ms == pytest.approx(3000, abs=400)
    assert likeness(PROMPTS / "barred.wav", sound) > 0.8
    assert likeness(heard, GREETING) > 0.8
    spectrum = np.square(np.abs(np.fft.rfft(samples)))
    above_5_khz = spectrum[5000 * len(samples) // rate :].sum() / spectrum.sum()
    assert (above_5_khz > 1e-4) == (rate == 16000)


def _loudest_hertz(heard: Path) -> float:
    """The loudest pitch between the end of the greeting (0.95 s) and of the tone (1.45 s)."""
    part = samples(heard)[int(1.05 * 8000) : int(1.4 * 8000)]
    return float(np.abs(np.fft.rfft(part)).argmax() * 8000 / len(part))


def test_measure_of_likeness_tells_one_sentence_from_another():
    assert likeness(SPEECH, SPEECH) > 0.999
    assert likeness(SPEECH, GREETING) < 0.6
    assert likeness(SPEECH, PROMPTS / "unreachable.wav") < 0.6


async def test_hanging_up_after_the_tone_keeps_what_was_said_until_then(tmp_path, engine):
    settings = settings_for(tmp_path, max_seconds=30)
    async with running(settings, engine) as service:
        call = await PhoneCall.to((await place_for(service)).uri, seconds=3.0)
        await call.over()
        [message] = await stored(engine)
    assert message.recording.duration_ms == pytest.approx(3000 - 950 - 500, abs=250)
    assert likeness(SPEECH, sound_of(settings, message)) > 0.9


async def test_hanging_up_before_the_tone_makes_a_call_notice_and_no_message(tmp_path, engine):
    """M2; the place in the mailbox is given back (V3)."""
    settings = settings_for(tmp_path)
    async with running(settings, engine) as service:
        call = await PhoneCall.to((await place_for(service, caller="", hidden_reason="payphone")).uri, seconds=0.4)
        await call.over()
        maildir = await eventually(lambda: _mails(settings.data_dir / "mail"))
        assert (await service.counts())["reserved"] == 0
        assert (await service.counts())["messages"] == 0
    assert "着信通知" in str(maildir[0]["subject"])
    assert "公衆電話" in maildir[0].get_payload(decode=True).decode()


def _mails(folder: Path):
    import email
    from email.policy import default

    if not folder.exists():
        return []
    return [email.message_from_bytes(m.as_bytes(), policy=default) for m in mailbox.Maildir(folder)]


async def test_message_with_attachment_arrives_in_the_maildir_and_is_deleted_if_so_chosen(tmp_path, engine):
    """M1 attach, V4: deleted right after its mail was accepted, sound and metadata."""
    add_subscriber(engine, "+815050010002", delete_after_mail=True, account="50010002")
    settings = settings_for(tmp_path)
    store = MailboxStore(engine)
    async with running(settings, engine) as service:
        call = await PhoneCall.to((await place_for(service, mailbox="+815050010002")).uri, seconds=3.3)
        await call.over()
        [mail] = await eventually(lambda: _mails(settings.data_dir / "mail"))
        await eventually(lambda: not store.messages("+815050010002"))
    [attachment] = list(mail.iter_attachments())
    assert attachment.get_payload(decode=True)[:4] == b"RIFF"
    assert not list((settings.data_dir / "voicemail" / "messages").glob("*/*.wav"))


async def test_killed_worker_leaves_a_message_of_what_was_recorded(tmp_path, engine):
    """V7, and the pool starts another worker for the next call."""
    settings = settings_for(tmp_path, max_seconds=30)
    async with running(settings, engine) as service:
        place = await place_for(service)
        call = await PhoneCall.to(place.uri)
        answered = await call.until("CONFIRMED")
        wav = settings.data_dir / "voicemail" / "spool" / f"{place.lease}.wav"
        await eventually(lambda: wav.exists() and wav.stat().st_size > 24000)
        _kill_workers(settings)
        killed = asyncio.get_running_loop().time()
        [message] = await stored(engine)
        assert asyncio.get_running_loop().time() - killed < 2
        call.hang_up()
        again = await PhoneCall.to((await place_for(service)).uri, seconds=0.3)
        assert await again.over() == 200
    assert answered
    # The recorder writes blocks of 4096 bytes: at most 0.26 s of what it had is lost.
    assert message.recording.duration_ms >= 24000 // 16 - 260
    assert likeness(SPEECH, sound_of(settings, message)) > 0.9


def _kill_workers(settings) -> None:
    import os
    import signal

    needle = str(settings.data_dir / "voicemail" / "spool").encode()
    for process in Path("/proc").glob("[0-9]*"):
        try:
            command = (process / "cmdline").read_bytes().split(b"\0")
        except OSError:
            continue
        if b"denwa.voicemail.worker" in command and needle in command:
            os.kill(int(process.name), signal.SIGKILL)


async def test_recording_goes_on_when_the_phone_sets_the_sound_up_anew(tmp_path, engine):
    """C5: a session refresh is a re-INVITE."""
    settings = settings_for(tmp_path, max_seconds=3)
    async with running(settings, engine) as service:
        call = await PhoneCall.to((await place_for(service)).uri, reinvite=2.5)
        assert await call.over() == 200
        [message] = await stored(engine)
    assert message.recording.duration_ms == 3000
    assert likeness(SPEECH, sound_of(settings, message)) > 0.8


async def test_killed_service_finds_the_message_that_its_worker_went_on_recording(tmp_path, engine):
    """V7: the call goes on without the service; the next start takes its message up when it ends."""
    settings = settings_for(tmp_path, max_seconds=30)
    first = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "tests.voicemail.service_process", str(tmp_path)), stdout=asyncio.subprocess.PIPE
    )
    assert first.stdout is not None
    uri = (await first.stdout.readline()).decode().strip()
    call = await PhoneCall.to(uri)
    await call.until("CONFIRMED")
    folder = settings.data_dir / "voicemail" / "spool"
    await eventually(lambda: any(wav.stat().st_size > 24000 for wav in folder.glob("*.wav")))
    first.kill()
    await first.wait()
    async with running(settings, engine) as service:
        assert (await service.counts())["reserved"] == 1  # V3: the place is still held
        [wav] = folder.glob("*.wav")
        size = wav.stat().st_size
        await eventually(lambda: wav.stat().st_size > size + 4096)
        call.hang_up()
        assert await call.over() == 200
        [message] = await stored(engine)
        assert (await service.counts())["reserved"] == 0
    assert message.recording.duration_ms * 16 > size + 4096
    assert likeness(SPEECH, sound_of(settings, message)) > 0.9


async def test_uri_that_was_not_leased_is_not_answered(tmp_path, engine):
    """Nobody on loopback leaves messages past the service's rules."""
    async with running(settings_for(tmp_path), engine) as service:
        place = await place_for(service)
        call = await PhoneCall.to(f"sip:0123456789abcdef@127.0.0.1:{place.port}")
        assert await call.over() == 404
        service.release(place.lease)
        await eventually(lambda: service._pool.leases == 0)
        call = await PhoneCall.to(place.uri)
        assert await call.over() == 404
        assert (await service.counts())["reserved"] == 0


async def test_offer_without_any_of_the_five_codecs_is_answered_488(tmp_path, engine):
    """C3."""
    async with running(settings_for(tmp_path), engine) as service:
        call = await PhoneCall.to((await place_for(service)).uri, codec="PCMA/8000")
        assert await call.over() == 488


async def test_eleventh_message_is_refused_also_when_two_call_at_once(tmp_path, engine):
    """V3 with limit 2: one stored, then two callers at once get one place between them."""
    settings = settings_for(tmp_path, max_messages=2)
    async with running(settings, engine) as service:
        call = await PhoneCall.to((await place_for(service)).uri, seconds=3.3)
        await call.over()
        await stored(engine)
        answers = await asyncio.gather(service.lease(request()), service.lease(request()))
        assert sorted(type(answer).__name__ for answer in answers) == ["NoPlace", "Place"]
        no_place = await refused(service)
        assert (no_place.status, no_place.full) == (480, True)


async def test_stop_closes_recordings_and_keeps_them(tmp_path, engine):
    settings = settings_for(tmp_path, max_seconds=30)
    async with running(settings, engine) as service:
        place = await place_for(service)
        call = await PhoneCall.to(place.uri)
        wav = settings.data_dir / "voicemail" / "spool" / f"{place.lease}.wav"
        await eventually(lambda: wav.exists() and wav.stat().st_size > 24000)
    assert await call.over() == 200  # our BYE
    [message] = MailboxStore(engine).messages(NUMBER)
    assert message.recording.duration_ms >= 1000


async def test_fifth_call_gets_a_worker_of_its_own(tmp_path, engine):
    settings = settings_for(tmp_path, max_workers=2)
    async with running(settings, engine) as service:
        places = [await place_for(service) for _ in range(5)]
        assert len({place.port for place in places}) == 2
        calls = [await PhoneCall.to(place.uri, seconds=0.5) for place in places]
        assert [await call.over() for call in calls] == [200] * 5
        await eventually(lambda: service._pool.leases == 0)
