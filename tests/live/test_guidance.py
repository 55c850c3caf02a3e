"""Why a call was refused, heard at a telephone: early media before the refusal, never an answer, never a charge."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from denwa.config.settings import DATA
from tests.live.wire import DAVE, account, assert_unanswered
from tests.peers import wav
from tests.peers.phone import Phone, PhoneCall
from tests.peers.service import Service

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
    assert spoken < ended["at"] - early["at"] < spoken + 2
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
