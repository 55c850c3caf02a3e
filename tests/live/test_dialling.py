"""Who may call, how a dialled number is read, what is shown of the caller, and which device rings: real telephones."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.live.wire import ALICE, BOB, CAROL, DAVE, ERIN, account, assert_unanswered, login
from tests.peers import sipp
from tests.peers.baresip import Baresip
from tests.peers.phone import Phone
from tests.peers.service import Service
from tests.peers.sipp import Sipp

pytestmark = pytest.mark.live


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """Refusals come at once: what is said before them is proved in test_guidance.py."""
    with Service(tmp_path_factory.mktemp("service"), {"guidance__enabled": "false"}) as running:
        yield running


@pytest.mark.parametrize(
    ("dialled", "number_class", "callee", "yen"),
    [
        ("09012345678", "mobile", "09012345678", "8"),
        ("+81312345678", "fixed", "0312345678", "8"),
        ("05010001234", "partner-050", "05010001234", "0"),
        ("05099991234", "paid-050", "05099991234", "8"),
        ("03177", "fixed", "03177", "8"),  # N5: area code + 177 is allowed
    ],
)
def test_the_class_of_the_number_decides_the_charge(
    service: Service, dialled: str, number_class: str, callee: str, yen: str
) -> None:
    # N4 T2
    with Sipp(service.folder, "callee", port=service.gateway_port) as gateway:
        trace = sipp.run(service.folder, "caller", service=service.address, number=dialled, hold=300, **login(ERIN))
        gateway.finished()
    record = service.record(trace[0].header("Call-ID"))
    assert (record["class"], record["callee"], record["charge_yen"]) == (number_class, callee, yen)


def test_nobody_but_a_gateway_calls_in_without_a_password(service: Service) -> None:
    # C2: from another port of the same machine the call is an unauthenticated one
    with service.phone(account(BOB)) as bob:
        bob.register()
        with (
            Sipp(service.folder, "trunk_caller", service=service.address, number=BOB) as stranger,
            pytest.raises(AssertionError, match=r"40[137]"),
        ):
            stranger.finished()
        assert bob.incoming_count == 0


def test_a_phone_that_can_is_asked_for_sha_256_and_all_others_can_use_md5(service: Service) -> None:
    # R1: SHA-256 first, MD5 as phones need it
    for agent, algorithm in (("PJSUA test phone", "SHA-256"), ("", "MD5")):
        with service.phone(account(CAROL), user_agent=agent) as phone:
            phone.register()
            assert phone.call("05050019999").ended()["status"] == 404
            sent = (phone.folder / "pjsip.log").read_text(errors="replace")
            proofs = [line for line in sent.splitlines() if line.startswith(("Authorization:", "Proxy-Authorization:"))]
            assert len(proofs) >= 2
            assert all(f"algorithm={algorithm}" in proof for proof in proofs), proofs


def test_a_wrong_password_neither_registers_nor_calls(service: Service) -> None:
    # R1 C2
    with service.phone(account(CAROL), password="wrong") as phone:
        phone.register(expect=403)
        call = phone.call(BOB)
        assert call.ended()["status"] == 403
        assert not [row for row in service.calls() if row["call_id"] == call.call_id and row["answered_at"]]
    with service.phone("59999999", password="demo-59999999") as unknown:
        unknown.register(expect=403)


@pytest.mark.parametrize(
    ("dialled", "status"),
    [
        ("110", 403),  # N5 K2
        ("118", 403),
        ("119", 403),
        ("0120123456", 403),
        ("0570123456", 403),
        ("#9110", 403),
        ("0033123456789", 403),
        ("010" + "81" + "120123456", 403),  # N6: no way around N5
        ("010" + "33123456789", 403),  # N6: international is off at first
        ("010" + "18765551234", 403),  # N6: a country that is not offered
        ("05050019999", 404),  # on-net, never given
        ("02012345678", 404),  # N4: not in the plan
    ],
)
def test_a_barred_or_unknown_number_is_refused(service: Service, dialled: str, status: int) -> None:
    with service.phone(account(DAVE)) as dave:
        dave.register()
        call = dave.call(dialled.replace("#", "%23"))
        ended = call.ended()
        assert ended["status"] == status
        assert not dave.log.all(lambda e: e.get("call") == call.name and e.get("status") == 183)
        if status == 403:
            assert "\nReason:" in ended["headers"], ended["headers"]  # N5: says why
        assert_unanswered(service.record(call.call_id), "refused", status)


@pytest.mark.parametrize(
    ("number", "password", "status"),
    [(BOB, "wrong", 403), ("110", "", 403), ("05050019999", "", 404)],
)
def test_sipp_is_refused_like_a_phone(service: Service, number: str, password: str, status: int) -> None:
    # C2 N5
    caller = login(DAVE) | ({"password": password} if password else {})
    trace = sipp.run(service.folder, "refused_caller", service=service.address, number=number, status=status, **caller)
    assert not [row for row in service.calls() if row["call_id"] == trace[0].header("Call-ID") and row["answered_at"]]


def test_baresip_is_refused_with_a_wrong_password_and_for_a_barred_number(service: Service) -> None:
    # R1 N5
    wrong = login(CAROL) | {"password": "wrong"}
    with Baresip(service.folder, service=service.address, **wrong) as baresip:
        baresip.dial(BOB)
        assert "403" in baresip.wait("CALL_CLOSED")["param"]
        assert "OK " not in baresip.command("reginfo")["data"]
    with service.baresip(account(CAROL)) as baresip:
        baresip.registered().dial("119")
        assert "403" in baresip.wait("CALL_CLOSED")["param"]


def test_184_hides_the_number_and_186_shows_it(service: Service) -> None:
    # N3 N7
    with service.phone(account(ALICE)) as alice, service.phone(account(BOB)) as bob:
        service.registered(alice, bob)
        bob.answering(200)
        for count, (prefix, hidden) in enumerate([("184", True), ("186", False), ("", False)], start=1):
            call = alice.call(prefix + BOB)
            call.wait("confirmed")
            call.hangup()
            call.ended()
            invite = sipp.Seen(0, False, bob.incoming(count).event("incoming")["invite"])
            seen = invite.header("From") + invite.header("P-Asserted-Identity") + invite.header("Contact")
            assert ("5001" in seen) is not hidden, invite.text
            assert ("anonymous" in invite.header("From").lower()) is hidden
            assert ("id" in invite.header("Privacy")) is hidden
            record = service.record(call.call_id)
            assert (record["caller"], record["callee"]) == (ALICE, BOB)  # the record knows both


def test_184_towards_the_gateway_asks_for_privacy_and_still_asserts_the_number(service: Service) -> None:
    # N7: RFC 3325 §9.1 towards a trusted gateway
    with service.phone(account(ALICE)) as alice, Sipp(service.folder, "callee", port=service.gateway_port) as gateway:
        alice.register()
        call = alice.call("1840312345678")
        call.wait("confirmed")
        call.hangup()
        call.ended()
        invite = next(m for m in gateway.finished() if not m.sent)
        assert "anonymous" in invite.header("From").lower()
        assert "5001" not in invite.header("From") + invite.header("Contact")
        assert invite.header("Privacy") == "id"
        assert "5050010001" in invite.header("P-Asserted-Identity")


def test_an_incoming_call_without_a_number_shows_anonymous(service: Service) -> None:
    # N7 B4
    with service.phone(account(BOB)) as bob:
        bob.register()
        bob.answering(200)
        sipp.run(
            service.folder,
            "trunk_caller",
            service=service.address,
            port=service.gateway_port,
            number=BOB,
            hold=200,
            from_='"Anonymous" <sip:anonymous@anonymous.invalid>',
            identity="Privacy: id",
        )
        invite = sipp.Seen(0, False, bob.incoming().event("incoming")["invite"])
        assert "Anonymous" in invite.header("From")


def test_the_device_that_registered_last_rings(service: Service) -> None:
    # R2
    with (
        service.phone(account(ALICE)) as alice,
        service.phone(account(BOB)) as old,
        service.phone(account(BOB)) as new,
    ):
        service.registered(alice, old, new)
        old.answering(200)
        new.answering(200)

        def call_reaches(phone: Phone, other: Phone) -> None:
            before, elsewhere = phone.incoming_count, other.incoming_count
            call = alice.call(BOB)
            call.wait("confirmed")
            call.hangup()
            call.ended()
            assert (phone.incoming_count, other.incoming_count) == (before + 1, elsewhere)

        call_reaches(new, old)
        old.register()  # a refresh counts as registering
        call_reaches(old, new)
        old.unregister()
        call_reaches(new, old)
        assert old.call(ALICE).wait("ringing")  # each device can call out


def test_a_regenerated_sip_password_works_at_once_and_the_old_one_stops(own_service: Service) -> None:
    # N2
    with own_service as service, service.phone(account(ERIN)) as erin:
        erin.register()
        service.cli("subscriber", "set", ERIN, "sip_password=generate")
        assert erin.call(BOB).ended()["status"] == 403
