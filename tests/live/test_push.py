"""Phones that sleep, as real telephones: woken through a real HTTP server, called where they register (R5)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.live.wire import ALICE, BOB, CAROL, TOLERANCE_MS, account, converse, instant
from tests.peers import wav
from tests.peers.phone import Phone
from tests.peers.push import SECRET, PushServer
from tests.peers.service import Service
from tests.peers.talk import eventually

pytestmark = pytest.mark.live


@pytest.fixture(scope="module")
def push_server() -> Iterator[PushServer]:
    with PushServer() as server:
        yield server


def settings_for(server: PushServer, **more: str) -> dict[str, str]:
    ours = {"push__url": server.url, "push__secret": SECRET, "push__providers": '["fcm"]', "push__awake": "0"}
    return ours | {"push__wait": "10", "push__max_expires": "1209600"} | more


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory, push_server: PushServer) -> Iterator[Service]:
    with Service(tmp_path_factory.mktemp("service"), settings_for(push_server)) as running:
        yield running


def app(service: Service, number: str, token: str, **more: Any) -> Phone:
    """A telephone whose Contact names its push service."""
    params = f";pn-provider=fcm;pn-param=project;pn-prid={token}"
    return service.phone(account(number), contact_params=params, **more)


def fall_asleep(service: Service, number: str, token: str, **more: Any) -> None:
    """The app registers for long and is closed by its telephone: no word, no socket."""
    with app(service, number, token, expires=86_400, **more) as phone:
        phone.register()
        phone.kill()


def push_for(server: PushServer, token: str, count: int = 1) -> dict[str, Any]:
    """The `count`th push for a telephone."""

    def pushes() -> list[dict[str, Any]]:
        found = server.log.all(lambda e: e["event"] == "push" and e["body"]["prid"] == token)
        return found if len(found) >= count else []

    body: dict[str, Any] = eventually(pushes, 10, every=0.02)[count - 1]["body"]
    return body


@pytest.mark.parametrize("transport", ["udp", "tcp"])
def test_a_phone_that_sleeps_is_woken_and_talks(service: Service, push_server: PushServer, transport: str) -> None:
    token = f"bob-{transport}"
    fall_asleep(service, BOB, token, transport=transport)
    with service.phone(account(ALICE)) as alice, app(service, BOB, token, transport=transport) as bob:
        alice.register()
        call = alice.call(BOB)
        told = push_for(push_server, token)
        assert (told["call_id"], told["provider"], told["param"], told["kind"]) == (
            call.call_id, "fcm", "project", "call",
        )  # fmt: skip
        assert "caller" not in told
        call.wait("ringing")  # before the phone knows of the call
        bob.answering(200)
        bob.register()
        picked = bob.incoming()
        record = converse(service, call, picked, 2.0)
        assert record["end_cause"] == "caller"
        for heard, voice in ((picked.recording, alice.voice), (call.recording, bob.voice)):
            assert wav.likeness(heard, voice) > 0.9


def test_a_phone_that_stays_asleep_leaves_the_call_to_the_voicemail(service: Service, push_server: PushServer) -> None:
    # R3, V1: within the ring time, also when the registration is good for hours
    service.set(CAROL, voicemail="on", ring_time=5)
    fall_asleep(service, CAROL, "carol")
    with service.phone(account(ALICE)) as alice:
        alice.register()
        call = alice.call(CAROL)
        asked = push_for(push_server, "carol")
        assert asked["ttl"] == 5
        call.wait("confirmed", 10)
        call.hangup()
        call.ended()
        record = service.record(call.call_id)
    assert record["voicemail"] == "yes"
    waited = wait_of(record)
    assert 5000 - TOLERANCE_MS <= waited <= 7500


def wait_of(record: dict[str, str]) -> float:
    return (instant(record["answered_at"]) - instant(record["started_at"])) * 1000


def test_a_caller_who_gives_up_is_not_called_back_by_the_woken_phone(service: Service, push_server: PushServer) -> None:
    fall_asleep(service, BOB, "bob-late")
    with service.phone(account(ALICE)) as alice, app(service, BOB, "bob-late") as bob:
        alice.register()
        call = alice.call(BOB)
        push_for(push_server, "bob-late")
        call.wait("ringing")
        call.hangup()
        assert call.ended()["status"] == 487
        bob.register()
        record = service.record(call.call_id)
        assert (record["end_cause"], record["duration_ms"]) == ("cancelled", "0")
        assert bob.incoming_count == 0


def test_registrations_that_can_be_woken_survive_a_kill(own_service: Service) -> None:
    with PushServer() as server:
        own_service.settings |= settings_for(server)
        with own_service as service:
            fall_asleep(service, BOB, "bob-kept", transport="tcp")
            service.kill()
            service.start()
            with service.phone(account(ALICE)) as alice, app(service, BOB, "bob-kept", transport="tcp") as bob:
                alice.register()
                call = alice.call(BOB)
                push_for(server, "bob-kept")
                bob.answering(200)
                bob.register()
                call.wait("confirmed")
                call.hangup()
                call.ended()
                metrics = service.metrics()
    assert 'denwa_push_total{kind="woken"} 1.0' in metrics


def test_a_push_service_that_is_down_costs_no_call(own_service: Service) -> None:
    with PushServer() as server:
        server.status = 500
        own_service.settings |= settings_for(server)
        with own_service as service, service.phone(account(ALICE)) as alice, app(service, BOB, "bob-up") as bob:
            service.registered(alice, bob)
            bob.answering(200)
            call = alice.call(BOB)
            push_for(server, "bob-up", 2)
            call.wait("confirmed")
            call.hangup()
            call.ended()


def test_a_push_service_that_is_not_served_is_refused(service: Service) -> None:
    with service.phone(account(BOB), contact_params=";pn-provider=webpush;pn-prid=x") as bob:
        assert bob.register(expect=555)["status"] == 555
