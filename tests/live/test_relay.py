"""Real telephones through the relay on one machine: hidden callers, and the sound when the service is killed."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.live.wire import ALICE, BOB, account, hang_up, picked_up
from tests.peers import ports, wav
from tests.peers.rtpengine import MISSING, RtpEngineDaemon
from tests.peers.service import Service
from tests.peers.talk import eventually, talk

pytestmark = pytest.mark.live


def sessions(service: Service) -> float:
    found = re.search(r"^denwa_relay_sessions (\S+)$", service.metrics(), re.MULTILINE)
    assert found
    return float(found[1])


def media_port(sdp: str) -> int:
    found = re.search(r"m=audio (\d+)", sdp)
    assert found, sdp
    return int(found[1])


def test_only_the_call_of_a_hidden_caller_takes_the_relay(tmp_path: Path) -> None:
    # N7: the address of the media is the service's; who shows its number speaks directly. Nobody has to name a relay.
    first = ports.service_media_ports()
    last = first + ports.SERVICE_MEDIA_BLOCK - 1
    settings = {"media__port_min": str(first), "media__port_max": str(last)}
    with (
        Service(tmp_path / "service", settings) as service,
        service.phone(account(ALICE)) as alice,
        service.phone(account(BOB)) as bob,
    ):
        service.registered(alice, bob)
        bob.answering(200)
        for number, dialled in enumerate((BOB, "184" + BOB), 1):
            call = alice.call(dialled)
            heard = bob.incoming(number)
            picked_up(call, heard)
            relayed = first <= media_port(str(heard.event("incoming")["invite"])) <= last
            assert (relayed, sessions(service)) == ((True, 1) if number == 2 else (False, 0))
            talk(2)
            hang_up(call, heard)
            assert wav.likeness(heard.recording, alice.voice) > 0.9
            assert wav.likeness(call.recording, bob.voice) > 0.9
        eventually(lambda: sessions(service) == 0, 5)


@pytest.mark.skipif(bool(MISSING), reason=MISSING)
def test_with_rtpengine_sound_goes_on_while_the_service_is_killed_and_comes_back(tmp_path: Path) -> None:
    with RtpEngineDaemon() as relay:
        settings = {
            "media__relay": "rtpengine",
            "media__when": "always",
            "media__rtpengine": "{}:{}".format(*relay.address),
        }
        service = Service(tmp_path / "service", settings)
        with service, service.phone(account(ALICE)) as alice, service.phone(account(BOB)) as bob:
            service.registered(alice, bob)
            bob.answering(200)
            call = alice.call(BOB)
            heard = bob.incoming()
            picked_up(call, heard)
            talk(1)
            service.kill()
            talk(2)
            service.start()
            assert sessions(service) == 1
            talk(1)
            hang_up(call, heard)
            assert wav.likeness(heard.recording, alice.voice) > 0.9
            assert wav.seconds(heard.recording) > 4
            assert int(service.record(call.call_id)["duration_ms"]) > 4000
            eventually(lambda: sessions(service) == 0, 5)
