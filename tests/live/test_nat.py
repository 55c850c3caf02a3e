"""Two pjsua2 telephones behind two NATs (R4): real packets through real address translation and the real relay."""

from __future__ import annotations

import re
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from denwa.config.settings import DATA
from tests.live.wire import ALICE, BOB, account, converse, hang_up, picked_up
from tests.peers import nat, wav
from tests.peers.phone import Phone
from tests.peers.service import Service
from tests.peers.talk import eventually, talk

_HINDRANCE = nat.why_not()
pytestmark = [pytest.mark.live, pytest.mark.skipif(bool(_HINDRANCE), reason=_HINDRANCE)]


@pytest.fixture(scope="module")
def network() -> Iterator[nat.NatNetwork]:
    with nat.NatNetwork() as built, built.entered():
        yield built


@pytest.fixture(scope="module")
def service(network: nat.NatNetwork, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """The service on its public address, with the relay that it has by itself where a side needs it."""
    folder = tmp_path_factory.mktemp("nat")
    settings = {
        "sip__bind": nat.SERVICE,
        "sip__nat_keepalive": "5",
        "mail__maildir": str(folder / "mail"),
    }
    with Service(folder / "service", settings, demo=False) as running:
        for number in (ALICE, BOB):
            password = ["--sip-password", f"pw-{account(number)}"]
            running.cli("subscriber", "add", "--number", number, "--name", "A", "--mail", "a@example.jp", *password)
        yield running


def phone(service: Service, network: nat.NatNetwork, side: int) -> Phone:
    number = (ALICE, BOB)[side]
    return Phone(
        service.folder,
        account(number),
        password=f"pw-{account(number)}",
        service=f"{nat.SERVICE}:{service.sip_port}",
        host=nat.PHONES[side],
        namespace=network.phones[side],
    )


def gauge(service: Service, name: str) -> float:
    found = re.search(rf"^denwa_{name} (\S+)$", service.metrics(), re.MULTILINE)
    assert found, service.metrics()
    return float(found[1])


@pytest.mark.parametrize("by_callee", [False, True], ids=["caller hangs up", "callee hangs up"])
def test_two_phones_behind_two_nats_hear_each_other(service: Service, network: nat.NatNetwork, by_callee: bool) -> None:
    # R4: sound both ways, BYE to either phone, one record to 50 ms, and the relay's ports come back
    with phone(service, network, 0) as alice, phone(service, network, 1) as bob:
        service.registered(alice, bob)
        bob.answering(200)
        call = alice.call(BOB)
        heard = bob.incoming()
        picked_up(call, heard)
        assert gauge(service, "relay_sessions") == 1
        converse(service, call, heard, 3, by_callee)
        assert wav.likeness(heard.recording, alice.voice) > 0.9
        assert wav.likeness(call.recording, bob.voice) > 0.9
        for other, invite in ((nat.PHONES[0], str(heard.event("incoming")["invite"])),):
            assert f"IN IP4 {other}" not in invite
    eventually(lambda: gauge(service, "relay_sessions") == 0, 5)


def test_a_phone_behind_a_nat_is_reached_long_after_it_registered(service: Service, network: nat.NatNetwork) -> None:
    # R4: the NAT forgets a flow that nothing passes; the questions every `sip.nat_keepalive` seconds pass it
    with phone(service, network, 0) as alice, phone(service, network, 1) as bob:
        service.registered(alice, bob)
        talk(12)
        asked = (Path(bob.folder) / "pjsip.log").read_text(errors="replace").count("Request msg OPTIONS")
        assert asked >= 2
        bob.answering(200)
        call = alice.call(BOB)
        picked_up(call, bob.incoming())
        hang_up(call, bob.incoming())


def test_a_call_that_is_given_up_gives_its_ports_back(service: Service, network: nat.NatNetwork) -> None:
    with phone(service, network, 0) as alice, phone(service, network, 1) as bob:
        service.registered(alice, bob)
        call = alice.call(BOB)
        bob.incoming()
        call.wait("ringing")
        assert gauge(service, "relay_sessions") == 1
        call.hangup()
        call.ended()
        eventually(lambda: gauge(service, "relay_sessions") == 0, 5)


def test_a_refused_caller_behind_a_nat_hears_why(service: Service, network: nat.NatNetwork) -> None:
    # N5 K2 R4: the guidance comes through the relay, which then has its ports back
    with phone(service, network, 0) as alice:
        service.registered(alice)
        call = alice.call("110")
        assert call.wait("ringing", 10)["status"] == 183
        assert gauge(service, "relay_sessions") == 1
        assert call.ended(timeout=20)["status"] == 403
        assert wav.contains(call.recording, DATA / "prompts" / "barred.wav") > 0.9
        eventually(lambda: gauge(service, "relay_sessions") == 0, 5)


def test_a_device_whose_nat_has_forgotten_it_fails_no_call(service: Service, network: nat.NatNetwork) -> None:
    # a stale binding: the caller hears the voicemail after the ring time, not a fault
    service.set(BOB, ring_time=5)
    with phone(service, network, 0) as alice:
        service.registered(alice)
        with phone(service, network, 1) as bob:
            service.registered(bob)
            bob.kill()
        call = alice.call(BOB)
        call.wait("confirmed", 20)
        talk(1)
        call.hangup()
        call.ended()
        assert service.record(call.call_id)["voicemail"] == "yes"
    eventually(lambda: gauge(service, "relay_sessions") == 0, 5)


def test_the_network_is_one_in_which_phones_do_not_reach_each_other(network: nat.NatNetwork) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as here, pytest.raises(OSError, match="unreachable"):
        here.connect((nat.PHONES[0], 5060))
