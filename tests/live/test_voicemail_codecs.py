"""Messages over each of the five codecs, by every telephone that has it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.live.left_messages import HEARD, taken
from tests.live.wire import BOB, CAROL, DAVE, account
from tests.peers import wav
from tests.peers.phone import SERVICE_CODECS
from tests.peers.service import Service
from tests.peers.talk import talk

pytestmark = pytest.mark.live

GREETING_SECONDS = 0.6
BEFORE = GREETING_SECONDS + 0.5  # seconds of greeting and tone
BY_LINPHONE = 0.5  # it stretches and drops sound when the machine is busy; another voice has less than 0.4


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """With a short greeting."""
    folder = tmp_path_factory.mktemp("codecs")
    greeting = wav.write_voice(folder / "greeting.wav", GREETING_SECONDS, seed=70)
    with Service(folder / "service", {"voicemail__greeting": str(greeting)}) as running:
        yield running


@pytest.mark.parametrize("codec", SERVICE_CODECS)
def test_sound_arrives_over_each_codec(service: Service, tmp_path: Path, codec: str) -> None:
    # C3 V5
    with service.phone(account(CAROL), codecs=[codec]) as carol:
        carol.register()
        call = carol.call(BOB)
        call.wait("confirmed")
        talk(BEFORE + 3)
        call.hangup()
        call.ended()
        assert str(call.event("media")["codec"]).lower() == codec.partition("/")[0].lower()
        _, sound = taken(service, BOB, "call_id", call.call_id, tmp_path)
        assert wav.likeness(sound, carol.voice) > HEARD


@pytest.mark.parametrize("codec", ["PCMU/8000", "GSM/8000", "G722/16000"])
def test_baresip_leaves_a_message_over_each_codec_it_has(service: Service, tmp_path: Path, codec: str) -> None:
    # C3 V5
    with service.baresip(account(DAVE), codec=codec) as dave:
        dave.registered()
        dave.dial(BOB)
        dave.wait("CALL_ESTABLISHED")
        talk(BEFORE + 3)
        dave.hangup()
        _, sound = taken(service, BOB, "caller", DAVE, tmp_path)
        assert wav.likeness(sound, dave.voice) > HEARD


@pytest.mark.parametrize("codec", ["speex/8000", "PCMU/8000", "GSM/8000", "G722/8000"])
def test_linphone_leaves_a_message_over_each_codec_it_has(service: Service, tmp_path: Path, codec: str) -> None:
    # C3 V5; G722/8000 is the name of G.722 in SDP (RFC 3551)
    with service.linphone(account(DAVE), codecs=[codec]) as dave:
        dave.registered()
        dave.dial(BOB)
        dave.wait("Media streams established")
        talk(BEFORE + 3)
        dave.hangup()
        _, sound = taken(service, BOB, "caller", DAVE, tmp_path)
        assert wav.likeness(sound, dave.voice) > BY_LINPHONE
