"""Message waiting on real telephones (V6, RFC 3842): pjsua2, baresip, linphonec."""

from __future__ import annotations

import contextlib
import re
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.live.wire import ALICE, BOB, CAROL, DAVE, ERIN, account, login
from tests.peers import sipp, wav
from tests.peers.baresip import Baresip
from tests.peers.linphone import Linphone
from tests.peers.service import Service
from tests.peers.talk import eventually

pytestmark = pytest.mark.live

GREETING_SECONDS = 0.3


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    folder = tmp_path_factory.mktemp("mwi")
    with Service(folder / "service", settings_for(folder)) as running:
        yield running


def settings_for(folder: Path) -> dict[str, str]:
    """A greeting that is over at once."""
    greeting = wav.write_voice(folder / "greeting.wav", GREETING_SECONDS, seed=60)
    return {"voicemail__greeting": str(greeting), "sip__min_expires": "10"}


def leave_message(service: Service, folder: Path, number: str) -> None:
    """Alice calls a phone that rejects the call or is off, and speaks for a second."""
    voice = wav.write_voice(folder / "said.wav", 4, seed=61)
    before = stored(service)
    sipp.run(folder, "caller", service=service.address, number=number, play=voice, hold=2200, **login(ALICE))
    eventually(lambda: stored(service) == before + 1, 30)


def stored(service: Service) -> int:
    """Messages in all boxes."""
    found = re.search(r"^denwa_voicemail_messages (\d+)", service.metrics(), re.MULTILINE)
    assert found
    return int(found[1])


def subscriptions(service: Service) -> int:
    """Those that are in the database."""
    with contextlib.closing(sqlite3.connect(service.data / "denwa.db", timeout=10)) as database:
        return int(database.execute("SELECT count(*) FROM mwi_subscriptions").fetchone()[0])


def empty_box(service: Service, number: str) -> None:
    for message in service.voicemail(number):
        service.cli("voicemail", "delete", number, str(message["id"]))


@pytest.mark.parametrize(
    ("number", "subscribed", "transport"),
    [(BOB, True, "udp"), (CAROL, True, "tcp"), (DAVE, False, "udp"), (ERIN, False, "tcp")],
)
def test_the_lamp_is_lit_by_a_message_and_cleared_by_the_command_line(
    service: Service, tmp_path: Path, number: str, subscribed: bool, transport: str
) -> None:
    # V6: pjsua2, subscribed (RFC 3842) and without a subscription
    with service.phone(account(number), transport=transport, mwi=subscribed) as phone:
        phone.answering(486)
        phone.register()
        if subscribed:
            phone.lamp("0/0", subscribed=True)
        since = phone.log.mark()
        leave_message(service, tmp_path, number)
        lit = phone.lamp("1/0", subscribed=subscribed, since=since)
        assert "Messages-Waiting: yes" in lit["notify"]
        assert "Message-Account: sip:1417@denwa.example" in lit["notify"]
        empty_box(service, number)
        assert "Messages-Waiting: no" in phone.lamp("0/0", subscribed=subscribed, since=since)["notify"]


def test_a_phone_that_registers_again_after_it_was_off_shows_what_waits(service: Service, tmp_path: Path) -> None:
    # "MWI stuck or lost after re-registering"
    leave_message(service, tmp_path, CAROL)
    with service.phone(account(CAROL)) as carol:
        carol.register()
        carol.lamp("1/0", subscribed=False)
        carol.unregister()
        empty_box(service, CAROL)
        since = carol.log.mark()
        carol.register()
        carol.lamp("0/0", subscribed=False, since=since)


def test_a_message_heard_by_telephone_turns_the_lamp_off(service: Service, tmp_path: Path) -> None:
    # V6: in the box by phone
    leave_message(service, tmp_path, CAROL)
    with service.phone(account(CAROL), mwi=True) as carol:
        carol.register()
        carol.lamp("1/0", subscribed=True)
        call = carol.call("1417")
        call.wait("confirmed", timeout=30)
        assert "Messages-Waiting: no" in carol.lamp("0/1", subscribed=True, timeout=90)["notify"]
        call.hangup()
        call.ended()
    empty_box(service, CAROL)


@pytest.mark.parametrize("subscribed", [True, False])
def test_a_kill_leaves_no_lamp_that_is_wrong(own_service: Service, tmp_path: Path, subscribed: bool) -> None:
    # What changed while the service was down is told when it is up, before the phone says a word.
    own_service.settings |= settings_for(tmp_path)
    with own_service as service:
        leave_message(service, tmp_path, BOB)
        with service.phone(account(BOB), mwi=subscribed) as bob:
            bob.register()
            bob.lamp("1/0", subscribed=subscribed)
            eventually(lambda: subscriptions(service) == subscribed)
            service.kill()
            empty_box(service, BOB)
            since = bob.log.mark()
            service.start()
            told = bob.lamp("0/0", subscribed=subscribed, since=since)
            assert "Messages-Waiting: no" in told["notify"]


def baresip(service: Service, folder: Path, number: str) -> Baresip:
    own = {"service": service.address, "password": str(login(number)["password"])}
    return Baresip(folder, account(number), **own, mwi=True, answer=False)


def shown(phone: Baresip, text: str) -> bool:
    """On its screen: its first subscription may be answered before anybody listens to its events."""
    return text in phone.screen()


def test_baresip_subscribes_and_shows_what_waits(service: Service, tmp_path: Path) -> None:
    service.set(DAVE, ring_time=5)
    with baresip(service, tmp_path, DAVE) as dave:
        dave.registered()
        eventually(lambda: shown(dave, "Messages-Waiting: no"), 20)
        leave_message(service, tmp_path, DAVE)
        eventually(lambda: shown(dave, "Messages-Waiting: yes"), 20)
        empty_box(service, DAVE)


def test_baresip_that_listens_inside_its_subscription_only_shows_the_truth_after_a_kill(
    own_service: Service, tmp_path: Path
) -> None:
    # decision 0029
    own_service.settings |= settings_for(tmp_path)
    with own_service as service:
        leave_message(service, tmp_path, DAVE)
        with baresip(service, tmp_path, DAVE) as dave:
            dave.registered()
            eventually(lambda: shown(dave, "Messages-Waiting: yes"), 20)
            eventually(lambda: subscriptions(service) == 1)
            service.kill()
            empty_box(service, DAVE)
            service.start()
            eventually(lambda: shown(dave, "Messages-Waiting: no"), 20)


def test_linphonec_that_knows_no_lamp_takes_what_it_is_told(service: Service, tmp_path: Path) -> None:
    """It says nothing of messages on its screen; its log has what it was sent, and it answers 200 each time."""
    password = str(login(BOB)["password"])
    own = {"service": service.address, "password": password}
    with Linphone(tmp_path, account(BOB), **own, answer=False, keep_wire=True) as bob:
        bob.registered()

        def told(text: str) -> bool:
            return f"Messages-Waiting: {text}" in bob.wire_log.read_text(errors="replace")

        service.set(BOB, ring_time=5)
        leave_message(service, tmp_path, BOB)
        eventually(lambda: told("yes"), 20)
        taken = mwi(service, "taken")
        empty_box(service, BOB)
        eventually(lambda: told("no"), 20)
        eventually(lambda: mwi(service, "taken") > taken)


def mwi(service: Service, kind: str) -> int:
    """How many NOTIFYs ended so."""
    found = re.search(rf'^denwa_mwi_total{{kind="{kind}"}} (\d+)', service.metrics(), re.MULTILINE)
    return int(found[1]) if found else 0
