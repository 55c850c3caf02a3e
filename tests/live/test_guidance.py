"""Why a call was refused, heard at a telephone: early media before the refusal, never an answer, never a charge."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import pytest

from denwa.config.settings import DATA
from denwa.voicemail.guidance_flow import PAUSE
from tests.live.wire import ALICE, BOB, CAROL, DAVE, ERIN, account, assert_unanswered
from tests.peers import wav
from tests.peers.phone import Phone, PhoneCall
from tests.peers.service import Service
from tests.peers.talk import eventually, talk

pytestmark = pytest.mark.live

PROMPTS = DATA / "prompts"
PLACES = 2


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    with Service(tmp_path_factory.mktemp("service"), {"guidance__places": str(PLACES)}) as running:
        yield running


@pytest.fixture(scope="module")
def phone(service: Service) -> Iterator[Phone]:
    with service.phone(account(DAVE)) as dave:
        dave.register()
        yield dave


def assert_heard(call: PhoneCall, prompt: str, status: int) -> None:
    """The whole prompt came as early media, and then the refusal."""
    ended = call.ended(timeout=20)
    assert ended["status"] == status
    assert "\nReason: SIP;cause=" in ended["headers"], ended["headers"]
    early = call.wait("ringing", 0.1)
    assert early["status"] == 183
    spoken = wav.seconds(PROMPTS / f"{prompt}.wav")
    assert spoken < ended["at"] - early["at"] < 2 * spoken + 2 * PAUSE  # once, however busy the machine is
    assert wav.contains(call.recording, PROMPTS / f"{prompt}.wav") > 0.9
    assert not call.phone.log.all(lambda e: e.get("call") == call.name and e.get("state") in ("answered", "confirmed"))


@pytest.mark.parametrize(
    ("dialled", "prompt", "status", "reason"),
    [
        ("110", "barred", 403, "barred-emergency"),  # N5 K2
        ("05050019999", "unallocated", 404, "not-in-use"),
        ("01033123456789", "international-off", 403, "international-off"),  # N6
        ("01018765551234", "country-not-offered", 403, "country-not-offered"),  # N6
    ],
)
def test_a_refused_caller_hears_why(
    service: Service, phone: Phone, dialled: str, prompt: str, status: int, reason: str
) -> None:
    call = phone.call(dialled)
    assert_heard(call, prompt, status)
    record = service.record(call.call_id)
    assert_unanswered(record, "refused", status)
    assert (record["reason"], record["charge_yen"], record["voicemail"]) == (reason, "0", "no")


def test_the_refusal_of_an_emergency_number_is_logged_and_counted(service: Service, phone: Phone) -> None:
    # K2
    call = phone.call("119")
    call.ended(timeout=20)
    assert f"{call.call_id}: 403 emergency numbers" in service.log_file.read_text()
    assert 'denwa_refused_calls_total{kind="barred-emergency"}' in service.metrics()


def test_a_phone_that_requires_reliable_provisional_answers_hears_it_too(service: Service) -> None:
    # RFC 3262
    with service.phone(account(ERIN), reliable=True) as erin:
        erin.register()
        call = erin.call("118")
        assert_heard(call, "barred", 403)
        log = (erin.folder / "pjsip.log").read_text(errors="replace")
        assert "PRACK sip:" in log
        assert_unanswered(service.record(call.call_id), "refused", 403)


def test_who_hangs_up_during_the_prompt_is_let_go_at_once(service: Service, phone: Phone) -> None:
    call = phone.call("110")
    call.wait("ringing")
    call.event("media")
    talk(0.5)
    call.hangup()
    assert call.ended(timeout=2)["status"] == 487
    assert_unanswered(service.record(call.call_id), "refused", 403)
    eventually(lambda: "denwa_voicemail_guidances 0.0" in service.metrics())


def test_a_number_that_is_switched_off_is_said_to_be_so(service: Service, phone: Phone) -> None:
    # R3
    service.set(ALICE, voicemail="off")
    call = phone.call(ALICE)
    assert_heard(call, "unreachable", 480)
    record = service.record(call.call_id)
    assert (record["end_cause"], record["reason"]) == ("no_answer", "not-registered")


def test_a_caller_on_the_blocklist_is_told_so_and_the_phone_does_not_ring(service: Service, phone: Phone) -> None:
    # B5
    service.cli("block", "add", CAROL, DAVE)
    with service.phone(account(CAROL)) as carol:
        carol.register()
        call = phone.call(CAROL)
        assert_heard(call, "rejected", 603)
        assert carol.incoming_count == 0
    assert_unanswered(service.record(call.call_id), "rejected", 603)


def test_a_suspended_subscriber_is_told_so(own_service: Service) -> None:
    # L2
    with own_service as service, service.phone(account(BOB)) as bob:
        service.cli("subscriber", "suspend", BOB)
        bob.register()
        call = bob.call("0312345678")
        assert_heard(call, "suspended", 403)
        assert service.record(call.call_id)["reason"] == "suspended"


def test_more_refused_callers_than_places_get_the_code_at_once_and_voicemail_goes_on(service: Service) -> None:
    with contextlib.ExitStack() as stack:
        callers = [stack.enter_context(service.phone(account(number))) for number in (ALICE, BOB, CAROL)]
        service.registered(*callers)
        hearing = [caller.call("119") for caller in callers[:PLACES]]
        for call in hearing:
            call.event("media")
        late = callers[PLACES].call("119")
        assert late.ended(timeout=2)["status"] == 403
        assert not late.phone.log.all(lambda e: e.get("call") == late.name and e.get("status") == 183)
        recorded = callers[PLACES].call(ERIN)
        recorded.wait("confirmed", timeout=5)
        recorded.hangup()
        for call in hearing:
            assert_heard(call, "barred", 403)
