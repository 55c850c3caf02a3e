"""The voicemail box by phone, with real telephones: 1417 from the own one, an access number from elsewhere (V6)."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from denwa.config.settings import DATA, Settings
from denwa.numbering import PhoneNumber
from denwa.storage.engine import open_main
from denwa.storage.voicemail_store import MailboxStore
from denwa.voicemail.deposit import sound_key
from denwa.voicemail.ports import Message, Recording
from denwa.voicemail.sound_store.opening import open_sounds
from tests.live.wire import ALICE, BOB, CAROL, DAVE, ERIN, account
from tests.peers import wav
from tests.peers.phone import Phone, PhoneCall
from tests.peers.service import Service
from tests.peers.sipp import Sipp
from tests.peers.talk import eventually, talk

pytestmark = pytest.mark.live

PROMPTS = DATA / "prompts"
ACCESS = "05050019999"
PIN = "271828"
PATIENCE = 30.0  # seconds; a busy machine speaks no faster, but hears later
KEY_GAP = 1.2  # seconds between keys whose effect is awaited
FROM = "<sip:+819012345678@carrier.example>"


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    folder = tmp_path_factory.mktemp("box")
    greeting = wav.write_voice(folder / "greeting.wav", 0.6, seed=51)
    settings = {"voicemail__greeting": str(greeting), "voicemail__access_number": ACCESS}
    with Service(folder / "service", settings) as running:
        yield running


def stored(service: Service, number: str) -> list[Message]:
    """What is in the box, from the database: a command takes long on a busy machine."""
    engine = open_main("", service.data)
    try:
        return MailboxStore(engine).messages(PhoneNumber.parse(number).e164)
    finally:
        engine.dispose()


def put_message(service: Service, number: str, sound: Path, caller: str = "+819012345678") -> None:
    """A message of an earlier call."""
    lease = secrets.token_hex(16)
    mailbox = PhoneNumber.parse(number).e164
    key = sound_key(mailbox, lease)
    sounds = open_sounds(Settings(data_dir=service.data))
    source = service.folder / f"{lease}.wav"
    source.write_bytes(sound.read_bytes())
    sounds.put(source, key)
    now = datetime.now(UTC).replace(microsecond=0)
    hidden = "" if caller else "anonymous"
    recording = Recording(lease, mailbox, caller, hidden, "c@x", 486, now, now, 2000, sounds.size(key), key)
    engine = open_main("", service.data)
    try:
        MailboxStore(engine).deposit(recording, None, now)
    finally:
        engine.dispose()


def prompt(name: str) -> Path:
    return PROMPTS / f"{name}.wav"


def dial(phone: Phone, number: str) -> PhoneCall:
    call = phone.call(number)
    call.wait("confirmed", timeout=PATIENCE)
    return call


def say(*names: str) -> float:
    """Seconds that these prompts take, with the little gaps between them."""
    return sum(wav.seconds(prompt(name)) + 0.1 for name in names)


def key_until_empty(service: Service, number: str, call: PhoneCall, *, keys: str = "#3", info: str = "") -> None:
    """Key until the box is empty: skip what is said, delete. A 3 is of use only while a message is told."""

    def gone() -> bool:
        for key in keys:
            if not info:
                call.dtmf(key)
            elif info == "application/dtmf-relay":
                call.info(info, f"Signal={key}\r\nDuration=160\r\n")
            else:
                call.info(info, key)
            talk(KEY_GAP)
        return not stored(service, number)

    eventually(gone, timeout=2 * PATIENCE)


def leave(call: PhoneCall) -> None:
    call.hangup()
    call.ended(timeout=PATIENCE)


def heard(call: PhoneCall, *names: str) -> None:
    """Each of these prompts. What another one has in common with a prompt comes to 0.64 at most."""
    found = {name: wav.contains(call.recording, prompt(name)) for name in names}
    assert min(found.values()) > 0.7, found


def nothing_left(service: Service) -> None:
    """No file, no place, no call."""
    eventually(lambda: list((service.data / "voicemail" / "visits").iterdir()) == [], timeout=PATIENCE)
    eventually(lambda: "denwa_voicemail_box_calls 0" in service.metrics(), timeout=PATIENCE)


def test_the_own_phone_hears_counts_caller_and_message_and_deletes_it(service: Service, tmp_path: Path) -> None:
    # V6 V4: left by a real phone, heard by another
    with service.phone(account(ALICE)) as alice:
        alice.register()
        call = dial(alice, BOB)
        talk(0.6 + 0.5 + 6)  # a phone that gets too little of the machine says less than it wants to
        leave(call)
    (message,) = eventually(lambda: stored(service, BOB), timeout=PATIENCE)
    sound = tmp_path / "message.wav"
    sound.write_bytes(open_sounds(Settings(data_dir=service.data)).read(message.recording.sound))
    with service.phone(account(BOB)) as bob:
        bob.register()
        call = dial(bob, "1417")
        eventually(lambda: stored(service, BOB)[0].heard_at, timeout=2 * PATIENCE)
        key_until_empty(service, BOB, call, keys="3")
        talk(say("box-deleted", "box-end") + 1)
        call.dtmf("*")
        call.ended(timeout=PATIENCE)
    heard(call, "box-new", "count-1", "call-from", "box-received", "box-deleted", "box-end", "goodbye")
    assert wav.contains(call.recording, sound) > 0.8
    assert service.voicemail(BOB) == []
    assert not list((service.data / "voicemail" / "messages").glob("*/*.wav"))
    record = service.record(call.call_id)
    assert (record["caller"], record["callee"], record["voicemail"]) == (BOB, BOB, "yes")
    assert (record["class"], record["charge_yen"]) == ("on-net", "0")
    nothing_left(service)


@pytest.mark.parametrize("kind", ["application/dtmf-relay", "application/dtmf"])
def test_keys_come_by_sip_info_too(service: Service, kind: str) -> None:  # V6
    put_message(service, CAROL, prompt("barred"), caller="")
    with service.phone(account(CAROL)) as carol:
        carol.register()
        call = dial(carol, "1417")
        talk(say("box-new", "count-1"))
        key_until_empty(service, CAROL, call, info=kind)
        leave(call)
    nothing_left(service)


@pytest.mark.timeout(300)  # numbers and PINs are keyed and prompts heard at the pace of a telephone
def test_a_box_is_heard_from_another_phone_with_number_and_pin_and_shut_by_wrong_tries(service: Service) -> None:
    # V6
    service.cli("voicemail", "pin", "set", DAVE, "--pin", PIN)
    put_message(service, DAVE, prompt("barred"))
    with service.phone(account(ERIN)) as erin:
        erin.register()
        right = dial(erin, ACCESS)
        talk(say("box-enter-number") + 1)
        right.dtmf(f"{DAVE}#{PIN}#")
        talk(6 + say("box-new", "count-1") + 1)
        key_until_empty(service, DAVE, right)
        leave(right)
        for tries in (3, 2):
            wrong = dial(erin, ACCESS)
            for _ in range(tries):
                talk(1)
                wrong.dtmf(f"{DAVE}#000000#")
                talk(say("box-wrong-pin", "box-enter-number") + 7)
            if tries < 3:
                wrong.hangup()
            wrong.ended(timeout=PATIENCE)
        shut = dial(erin, ACCESS)
        talk(1)
        shut.dtmf(f"{DAVE}#{PIN}#")
        shut.ended(timeout=2 * PATIENCE)
    heard(right, "box-enter-number", "box-new")
    heard(wrong, "box-wrong-pin")
    heard(shut, "box-locked", "goodbye")
    assert '"locked_until": "' in service.cli("voicemail", "pin", "show", DAVE, "--json")
    with service.phone(account(DAVE)) as dave:
        dave.register()
        own = dial(dave, "1417")
        talk(say("box-empty") + 1)
        leave(own)
    heard(own, "box-empty")
    nothing_left(service)


def test_a_caller_from_the_telephone_network_opens_a_box_with_keys_by_info(service: Service) -> None:  # V6
    service.cli("voicemail", "pin", "set", ERIN, "--pin", PIN)
    put_message(service, ERIN, prompt("barred"))
    pause = '<pause milliseconds="4000"/>'
    keys = pause.join((info_keys(f"{ERIN}#{PIN}#"), info_keys("#", 30), info_keys("3", 40), info_keys("*", 50)))
    scene = {"number": ACCESS, "from_": FROM, "keys": keys, "hold": 40_000}
    with Sipp(service.folder, "trunk_keys", service=service.address, port=service.gateway_port, **scene) as caller:
        caller.finished(timeout=100)
    assert stored(service, ERIN) == []
    nothing_left(service)


def info_keys(keys: str, first: int = 2) -> str:
    """SIPp's sends of these keys, with the CSeq from `first`."""
    sends = ""
    for cseq, key in enumerate(keys, first):
        sends += f"""<send retrans="500"><![CDATA[
INFO [next_url] SIP/2.0
Via: SIP/2.0/[transport] [local_ip]:[local_port];branch=[branch];rport
[routes]
Max-Forwards: 70
From: {FROM};tag=[call_number]
[last_To:]
Call-ID: [call_id]
CSeq: {cseq} INFO
Content-Type: application/dtmf-relay
Content-Length: [len]

Signal={key}
Duration=160
]]></send><recv response="200"/><pause milliseconds="500"/>"""
    return sends


def test_a_box_calls_nobody_whatever_a_phone_asks_of_it(service: Service) -> None:  # V6
    with service.phone(account(ALICE)) as alice, service.phone(account(CAROL)) as carol:
        service.registered(alice, carol)
        carol.answering(200)
        call = dial(alice, "1417")
        for target in (f"sip:{CAROL}@{service.address}", f"sip:{account(CAROL)}@127.0.0.1:{carol.port}"):
            call.transfer(target)
            call.dtmf("19*#0")
            talk(2)
        assert carol.incoming_count == 0
        leave(call)
    nothing_left(service)


def test_hanging_up_at_any_moment_leaves_nothing_behind(service: Service) -> None:
    put_message(service, BOB, prompt("barred"))
    with service.phone(account(BOB)) as bob:
        bob.register()
        for seconds in (0.0, 0.3, say("box-new", "count-1") + 0.2, say("box-new", "count-1", "call-from") + 1):
            call = dial(bob, "1417")
            talk(seconds)
            leave(call)
    assert [message.heard_at for message in stored(service, BOB)] == [None]
    nothing_left(service)


def test_a_greeting_is_recorded_by_phone_and_heard_by_the_next_caller(service: Service) -> None:  # V6 V2
    with service.phone(account(ERIN)) as erin:
        erin.register()
        call = dial(erin, "1417")
        talk(1)
        call.dtmf("0")
        talk(KEY_GAP)
        call.dtmf("2")
        talk(say("greeting-record") + 0.6 + 4)
        call.dtmf("#")
        talk(2 * KEY_GAP)
        call.dtmf("2")
        talk(say("greeting-saved") + 2)
        leave(call)
        voice = erin.voice
    heard(call, "greeting-record", "greeting-saved")
    with service.phone(account(ALICE)) as alice:
        alice.register()
        call = dial(alice, ERIN)
        talk(5)
        leave(call)
    assert wav.likeness(call.recording, voice) > 0.8
    nothing_left(service)
