"""Voicemail with real telephones and a real mail server: greeting, message, mail, and the limit of ten."""

from __future__ import annotations

import io
import wave
from collections.abc import Iterator
from datetime import UTC, datetime
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import pytest

from denwa.config.settings import DATA
from tests.live.wire import ALICE, BOB, CAROL, DAVE, ERIN, TOLERANCE_MS, account, assert_unanswered
from tests.peers import sipp, wav
from tests.peers.phone import PhoneCall
from tests.peers.service import Record, Service
from tests.peers.sipp import Sipp
from tests.peers.smtp import MailServer
from tests.peers.talk import eventually, talk

pytestmark = pytest.mark.live

GREETING = DATA / "prompts" / "voicemail-greeting.wav"
SHORT_GREETING_SECONDS = 0.6
TONE_SECONDS = 0.5


@pytest.fixture(scope="module")
def mail_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[MailServer]:
    with MailServer(tmp_path_factory.mktemp("mail")) as server:
        yield server


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory, mail_server: MailServer) -> Iterator[Service]:
    """Voicemail with the shipped greeting, ten seconds at most, and mail over SMTP."""
    settings = {
        "voicemail__max_seconds": "5",
        "mail__smtp_url": mail_server.url,
        "mail__ca_file": str(mail_server.ca_file),
        "mail__from": "mail-noreply@denwa.example",
    }
    with Service(tmp_path_factory.mktemp("service"), settings) as running:
        yield running


@pytest.fixture(scope="module")
def quick_service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """The same with a greeting that is over at once, for tests that are about other things."""
    folder = tmp_path_factory.mktemp("quick")
    greeting = wav.write_voice(folder / "greeting.wav", SHORT_GREETING_SECONDS, seed=50)
    with Service(folder / "service", {"voicemail__greeting": str(greeting)}) as running:
        yield running


def saved(service: Service, number: str, message: int, to: Path) -> Path:
    service.cli("voicemail", "get", number, str(message), "--out", str(to))
    return to


def voicemail_record(service: Service, call: PhoneCall) -> Record:
    record = service.record(call.call_id)
    assert record["voicemail"] == "yes", record
    return record


def attachment(message: EmailMessage) -> bytes:
    (part,) = message.iter_attachments()
    assert part.get_content_maintype() == "audio"
    content = part.get_content()
    assert isinstance(content, bytes)
    return content


def body(message: EmailMessage) -> str:
    part = message.get_body(("plain",))
    assert part
    return str(part.get_content())


def test_a_phone_that_is_off_has_its_calls_recorded_and_mailed(
    service: Service, mail_server: MailServer, tmp_path: Path
) -> None:
    # R3 V1 V2 V5 M1 M3 M4
    service.set(BOB, mail_notice="attach")
    before = mail_server.count
    with service.phone(account(ALICE)) as alice:
        alice.register()
        dialled = datetime.now(UTC)
        call = alice.call(BOB)
        start = call.wait("confirmed", timeout=5)["at"]  # at once, no ring time
        talk(wav.seconds(GREETING) + TONE_SECONDS + 3)
        end = call.hangup()["at"]
        call.ended()
    assert wav.contains(call.recording, GREETING) > 0.9
    record = voicemail_record(service, call)
    assert abs(int(record["duration_ms"]) - (end - start) * 1000) <= TOLERANCE_MS
    assert (record["class"], record["charge_yen"], record["callee"]) == ("on-net", "0", BOB)

    (message,) = eventually(lambda: service.voicemail(BOB))
    assert message["caller"] == ALICE
    expected = end - start - wav.seconds(GREETING) - TONE_SECONDS
    sound = saved(service, BOB, message["id"], tmp_path / "message.wav")
    assert abs(wav.seconds(sound) - expected) < 0.4
    assert abs(wav.seconds(sound) * 1000 - message["duration_ms"]) < 1
    with wave.open(str(sound)) as opened:
        assert (opened.getframerate(), opened.getsampwidth(), opened.getnchannels()) == (8000, 2, 1)
    assert wav.likeness(sound, alice.voice) > 0.9  # V5: only what the caller said
    assert wav.contains(sound, GREETING) < 0.5

    mail = mail_server.mail(before + 1)
    assert mail["to"] == "demo2@example.jp"
    assert "mail-noreply@denwa.example" in mail["from"]
    assert mail["subject"].startswith("【")
    assert attachment(mail) == sound.read_bytes()
    text = body(mail)
    assert ALICE in text
    assert account(BOB) in text
    assert "1/10" in text
    assert f"0:0{round(message['duration_ms'] / 1000)}" in text
    assert datetime.fromisoformat(message["called_at"]) >= dialled.replace(microsecond=0)


def test_no_answer_within_the_ring_time_leads_to_voicemail_and_the_phone_stops_ringing(service: Service) -> None:
    # V1
    service.set(CAROL, ring_time=5)
    with service.phone(account(ALICE)) as alice, service.phone(account(CAROL)) as carol:
        service.registered(alice, carol)
        call = alice.call(CAROL)
        rang = call.wait("ringing")["at"]
        answered = call.wait("confirmed", timeout=8)["at"]
        assert 4.8 < answered - rang < 6.5
        assert carol.incoming().ended()["status"] == 487
        call.hangup()
        call.ended()
        assert voicemail_record(service, call)["end_cause"] == "caller"


def test_busy_leads_to_voicemail_at_once_and_hanging_up_before_the_tone_is_a_call_notice(
    service: Service, mail_server: MailServer
) -> None:
    # V1 M2 M3
    service.set(DAVE, mail_notice="notice")
    before = mail_server.count
    with service.phone(account(ALICE)) as alice, service.phone(account(DAVE)) as dave:
        service.registered(alice, dave)
        dave.answering(486)
        call = alice.call("184" + DAVE)
        call.wait("confirmed", timeout=5)
        talk(1.5)
        call.hangup()
        call.ended()
    voicemail_record(service, call)
    mail = mail_server.mail(before + 1)
    text = body(mail)
    assert not list(mail.iter_attachments())
    assert "非通知" in text
    assert ALICE not in text
    assert "/10" not in text
    assert service.voicemail(DAVE) == []


def test_the_service_hangs_up_when_the_longest_message_is_recorded(service: Service, tmp_path: Path) -> None:
    # V2
    voice = wav.write_voice(tmp_path / "talker.wav", 6, seed=52, breathless=True)
    with service.phone(account(ALICE), play=voice) as alice:
        alice.register()
        call = alice.call(ERIN)
        call.wait("confirmed")
        call.ended(timeout=wav.seconds(GREETING) + TONE_SECONDS + 8)
    (message,) = eventually(lambda: service.voicemail(ERIN))
    sound = saved(service, ERIN, message["id"], tmp_path / "longest.wav")
    with wave.open(io.BytesIO(sound.read_bytes())) as opened:
        assert 4.95 < opened.getnframes() / 8000 <= 5.0
    assert voicemail_record(service, call)["end_cause"] == "callee"


def test_a_caller_from_the_telephone_network_leaves_a_message(quick_service: Service, tmp_path: Path) -> None:
    voice = wav.write_voice(tmp_path / "network.wav", 4, seed=51)
    sipp.run(
        tmp_path,
        "trunk_caller",
        service=quick_service.address,
        port=quick_service.gateway_port,
        number=CAROL,
        play=voice,
        hold=3500,
    )
    (message,) = eventually(lambda: quick_service.voicemail(CAROL))
    assert message["caller"] == "0312345678"
    assert wav.likeness(saved(quick_service, CAROL, message["id"], tmp_path / "m.wav"), voice) > 0.9


def test_without_voicemail_a_phone_that_is_off_is_unavailable(quick_service: Service) -> None:
    quick_service.set(DAVE, voicemail="off")
    with quick_service.phone(account(ALICE)) as alice:
        alice.register()
        call = alice.call(DAVE)
        assert call.ended()["status"] == 480
        assert quick_service.record(call.call_id)["answered_at"] == ""


def test_ten_messages_fit_two_callers_at_once_do_not_make_eleven_and_the_eleventh_is_refused(
    quick_service: Service, tmp_path: Path
) -> None:
    # V3
    hold = int((SHORT_GREETING_SECONDS + TONE_SECONDS + 2) * 1000)  # a second of it must be speech
    voice = wav.write_voice(tmp_path / "many.wav", 4, seed=52)
    login: dict[str, Any] = {"user": account(ERIN), "password": f"demo-{account(ERIN)}"}
    for calls in (5, 4):
        sipp.run(
            tmp_path,
            "caller",
            service=quick_service.address,
            number=BOB,
            play=voice,
            hold=hold,
            calls=calls,
            **login,
        )
    eventually(lambda: len(quick_service.voicemail(BOB)) == 9)
    with quick_service.phone(account(ALICE)) as alice, quick_service.phone(account(DAVE)) as dave:
        quick_service.registered(alice, dave)
        rivals = [alice.call(BOB), dave.call(BOB)]
        talk(hold / 1000)
        for call in rivals:
            if call.phone.log.all(lambda e, c=call: e.get("call") == c.name and e.get("state") == "confirmed"):  # type: ignore[misc]
                call.hangup()
        statuses = sorted(call.ended()["status"] for call in rivals)
        assert statuses == [200, 480]
        eventually(lambda: len(quick_service.voicemail(BOB)) == 10)
        eleventh = alice.call(BOB)
        assert eleventh.ended()["status"] == 480
        assert_unanswered(quick_service.record(eleventh.call_id), "refused", 480)
    assert len(quick_service.voicemail(BOB)) == 10

    oldest = quick_service.voicemail(BOB)[0]
    quick_service.cli("voicemail", "delete", BOB, str(oldest["id"]))
    with Sipp(tmp_path, "caller", service=quick_service.address, number=BOB, play=voice, hold=hold, **login) as another:
        another.finished()
    eventually(lambda: len(quick_service.voicemail(BOB)) == 10)


def test_a_message_being_recorded_survives_a_kill(own_service: Service, tmp_path: Path) -> None:
    # V7
    greeting = wav.write_voice(tmp_path / "greeting.wav", SHORT_GREETING_SECONDS, seed=53)
    own_service.settings["voicemail__greeting"] = str(greeting)
    with own_service as service, service.phone(account(ALICE)) as alice:
        alice.register()
        call = alice.call(BOB)
        call.wait("confirmed")
        talk(SHORT_GREETING_SECONDS + TONE_SECONDS + 2.5)
        service.kill()
        service.start()
        (message,) = eventually(lambda: service.voicemail(BOB))
        sound = saved(service, BOB, message["id"], tmp_path / "kept.wav")
        assert wav.seconds(sound) > 1.8
        assert wav.likeness(sound, alice.voice) > 0.9
