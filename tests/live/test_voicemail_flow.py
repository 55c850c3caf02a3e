"""How a message ends and what is kept of it, with real telephones: silence, `#`, 60 seconds, tones, own greetings."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from denwa.config.settings import DATA
from tests.live.left_messages import ANOTHER, HEARD, taken
from tests.live.wire import ALICE, BOB, DAVE, ERIN, account
from tests.peers import wav
from tests.peers.phone import Phone, PhoneCall
from tests.peers.service import Service
from tests.peers.talk import eventually, talk

pytestmark = pytest.mark.live

GREETING_SECONDS = 0.6
BEFORE = GREETING_SECONDS + 0.5  # seconds of greeting and tone
SILENCE_SECONDS = 2
SAVED = DATA / "prompts" / "voicemail-saved.wav"
OWN_GREETING = DATA / "prompts" / "unreachable.wav"  # 5.9 s
MOST = 60


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """With a short greeting, and little patience for silence."""
    folder = tmp_path_factory.mktemp("flow")
    greeting = wav.write_voice(folder / "greeting.wav", GREETING_SECONDS, seed=60)
    settings = {"voicemail__greeting": str(greeting), "voicemail__silence_seconds": str(SILENCE_SECONDS)}
    with Service(folder / "service", settings) as running:
        yield running


@pytest.fixture(scope="module")
def endless(service: Service) -> Iterator[PhoneCall]:
    """Somebody who speaks without end; begun before the other tests, looked at after them."""
    with service.phone(account(ERIN)) as erin:
        erin.register()
        call = erin.call(DAVE)
        call.wait("confirmed")
        yield call


@pytest.fixture(scope="module")
def alice(service: Service, endless: PhoneCall) -> Iterator[Phone]:
    with service.phone(account(ALICE), loop=False) as phone:
        phone.register()
        yield phone


def tone(seconds: float, on: float = 0.5, off: float = 0.5, hertz: float = 400) -> wav.Samples:
    at = np.arange(int(seconds * wav.RATE)) / wav.RATE
    return np.asarray(6000 * np.sin(2 * np.pi * hertz * at) * (at % (on + off) < on))


def silence(seconds: float) -> wav.Samples:
    return np.zeros(int(seconds * wav.RATE))


class Said:
    """A voice, and the file that a phone plays from the answer on so that it is heard after the tone."""

    def __init__(self, folder: Path, seconds: float, seed: int, *after: wav.Samples) -> None:
        self.voice = wav.write_voice(folder / "voice.wav", seconds, seed)
        self.file = folder / "said.wav"
        wav.write_wav(self.file, np.concatenate([silence(BEFORE + 0.4), wav.read_wav(self.voice), *after]))


def called(phone: Phone, number: str, play: Path) -> PhoneCall:
    phone.tell(do="play", file=str(play))
    call = phone.call(number)
    call.wait("confirmed")
    return call


def cut_by_service(call: PhoneCall, timeout: float = 30) -> float:
    """Wait for the service's BYE; seconds since the answer."""
    begun = call.wait("confirmed")["at"]
    call.ended(timeout)
    return float(call.wait("ended")["at"]) - float(begun)


def message(service: Service, call: PhoneCall, to: Path, number: str = BOB) -> tuple[dict[str, Any], Path]:
    """What a call left, and its sound; it is deleted."""
    return taken(service, number, "call_id", call.call_id, to)


def no_message(service: Service, call: PhoneCall, number: str = BOB) -> None:
    """The call's outcome is stored, and it is no message (V2, M2)."""
    service.record(call.call_id)
    eventually(lambda: "denwa_voicemail_reserved 0" in service.metrics() or _only_endless_is_held(service))
    assert call.call_id not in [one["call_id"] for one in service.voicemail(number)]


def _only_endless_is_held(service: Service) -> bool:
    return "denwa_voicemail_reserved 1" in service.metrics()


def loudness(path: Path, seconds: float = 0.3) -> float:
    """Root mean square of the end of a recording."""
    return float(np.sqrt(np.mean(wav.read_wav(path)[-int(seconds * wav.RATE) :] ** 2)))


def test_silence_after_the_words_ends_the_message_and_the_caller_is_told_that_it_is_kept(
    service: Service, alice: Phone, tmp_path: Path
) -> None:
    # V2 V5
    said = Said(tmp_path, 3, 61)
    call = called(alice, BOB, said.file)
    took = cut_by_service(call)
    assert BEFORE + 3 + SILENCE_SECONDS < took < BEFORE + 3 + SILENCE_SECONDS + wav.seconds(SAVED) + 3
    assert wav.contains(call.recording, SAVED) > HEARD
    found, sound = message(service, call, tmp_path)
    assert wav.likeness(sound, said.voice) > HEARD
    assert wav.contains(sound, SAVED) < ANOTHER
    assert 2800 < found["duration_ms"] < 3900  # neither the silence before nor that after
    assert service.record(call.call_id)["end_cause"] == "callee"


def test_caller_who_says_nothing_is_not_kept_waiting_and_not_thanked(
    service: Service, alice: Phone, tmp_path: Path
) -> None:
    # V2 M2
    nothing = tmp_path / "nothing.wav"
    wav.write_wav(nothing, silence(20))
    call = called(alice, BOB, nothing)
    assert cut_by_service(call) < BEFORE + SILENCE_SECONDS + 2.5
    assert wav.contains(call.recording, SAVED) < ANOTHER
    no_message(service, call)


@pytest.mark.parametrize("way", ["RFC 4733", "application/dtmf-relay", "application/dtmf"])
def test_hash_ends_the_message_and_is_not_in_it(service: Service, alice: Phone, tmp_path: Path, way: str) -> None:
    # V2 V5
    said = Said(tmp_path, 20, 62)
    call = called(alice, BOB, said.file)
    talk(BEFORE + 3)
    if way == "RFC 4733":
        call.dtmf("#")
    else:
        call.info(way, "Signal=#\r\nDuration=160\r\n" if way.endswith("relay") else "#")
    took = cut_by_service(call)
    assert took < BEFORE + 3 + wav.seconds(SAVED) + 3
    assert wav.contains(call.recording, SAVED) > HEARD
    found, sound = message(service, call, tmp_path)
    assert wav.likeness(sound, said.voice) > HEARD
    assert 1500 < found["duration_ms"] < 3600


def test_hash_skips_the_greeting(service: Service, alice: Phone, tmp_path: Path) -> None:
    service.cli("voicemail", "greeting", "set", BOB, str(OWN_GREETING))
    try:
        voice = wav.write_voice(tmp_path / "long.wav", 12, 63)
        call = called(alice, BOB, voice)
        talk(1)
        call.dtmf("#")
        talk(4)
        call.hangup()
        call.ended()
    finally:
        service.cli("voicemail", "greeting", "clear", BOB)
    found, sound = message(service, call, tmp_path)
    assert found["duration_ms"] > 2000  # of 5 seconds in all, where the greeting takes 5.9
    assert wav.likeness(sound, voice) > HEARD


def test_less_than_a_second_of_speech_is_no_message(service: Service, alice: Phone, tmp_path: Path) -> None:
    # V2 M2
    said = Said(tmp_path, 0.6, 64)
    call = called(alice, BOB, said.file)
    talk(BEFORE + 2)
    call.hangup()
    call.ended()
    no_message(service, call)


def test_busy_tone_after_the_words_ends_the_message_and_is_not_in_it(
    service: Service, alice: Phone, tmp_path: Path
) -> None:
    # V2 V5: the caller's side hung up behind a gateway that sends its tone
    said = Said(tmp_path, 3, 65, tone(30))
    call = called(alice, BOB, said.file)
    assert cut_by_service(call) < BEFORE + 3 + 9
    found, sound = message(service, call, tmp_path)
    assert 2800 < found["duration_ms"] < 3800
    assert wav.likeness(sound, said.voice) > HEARD


def test_busy_tone_alone_is_no_message(service: Service, alice: Phone, tmp_path: Path) -> None:
    # V2 M2
    wav.write_wav(tmp_path / "busy.wav", np.concatenate([silence(BEFORE), tone(30)]))
    call = called(alice, BOB, tmp_path / "busy.wav")
    assert cut_by_service(call) < BEFORE + 9
    no_message(service, call)


def test_quiet_caller_is_made_audible(service: Service, alice: Phone, tmp_path: Path) -> None:
    # V5
    said = Said(tmp_path, 3, 66)
    wav.write_wav(said.file, wav.read_wav(said.file) / 20)
    call = called(alice, BOB, said.file)
    cut_by_service(call)
    _, sound = message(service, call, tmp_path)
    samples = wav.read_wav(sound)
    assert np.sqrt(np.mean(samples**2)) > 1500  # from -47 to about -21 dBFS
    assert np.abs(samples).max() < 32767
    assert wav.likeness(sound, said.voice) > HEARD


def test_callers_hear_the_subscriber_s_own_greeting_from_the_next_call_on(
    service: Service, alice: Phone, tmp_path: Path
) -> None:
    # V2
    service.cli("voicemail", "greeting", "set", BOB, str(OWN_GREETING))
    try:
        voice = wav.write_voice(tmp_path / "voice.wav", 20, 67)
        call = called(alice, BOB, voice)
        talk(wav.seconds(OWN_GREETING) + 0.5 + 3)
        call.hangup()
        call.ended()
    finally:
        service.cli("voicemail", "greeting", "clear", BOB)
    assert wav.contains(call.recording, OWN_GREETING) > HEARD
    _, sound = message(service, call, tmp_path)
    assert wav.likeness(sound, voice) > HEARD  # V5: nothing of the greeting
    after = called(alice, BOB, voice)
    talk(3)
    after.hangup()
    after.ended()
    assert wav.contains(after.recording, OWN_GREETING) < ANOTHER
    message(service, after, tmp_path)


def test_the_service_hangs_up_after_sixty_seconds_of_a_message(
    service: Service, endless: PhoneCall, tmp_path: Path
) -> None:
    # V2
    took = cut_by_service(endless, MOST + 20)
    assert BEFORE + MOST < took < BEFORE + MOST + 3
    found, sound = message(service, endless, tmp_path, DAVE)
    assert MOST * 1000 - 400 <= found["duration_ms"] <= MOST * 1000
    assert wav.likeness(sound, endless.phone.voice) > HEARD
    assert service.record(endless.call_id)["end_cause"] == "callee"
