"""Phones behind NATs stay reachable over UDP (R4)."""

from __future__ import annotations

from collections import Counter

from denwa.voip.sip.message import Message
from denwa.voip.sip.peer import Peer
from tests.voip.wire import Phone, Wire, answer, subscriber

INTERVAL = 30


def wire_with(count: int = 3) -> Wire:
    return Wire(*(subscriber(i) for i in range(1, count + 1)), nat_keepalive=INTERVAL)


def behind_nat(wire: Wire, index: int) -> Phone:
    phone = Phone(wire, index, host="198.51.100.7", port=40_000 + index)
    phone.contact = f"sip:{phone.account}@192.168.1.{index}:5060"
    return phone


def asked(sent: list[tuple[Peer, Message]]) -> list[Peer]:
    return [peer for peer, message in sent if message.method == b"OPTIONS"]


def test_a_phone_behind_a_nat_is_asked_every_interval_where_it_registered_from() -> None:
    wire = wire_with()
    phone = behind_nat(wire, 1)
    phone.register()
    assert asked(wire.wait(5 * INTERVAL + 1)) == [phone.peer] * 5


def test_the_question_names_the_phone_as_it_names_itself() -> None:
    wire = wire_with()
    phone = behind_nat(wire, 1)
    phone.register()
    (message,) = [message for _, message in wire.wait(INTERVAL + 1) if message.method == b"OPTIONS"]
    assert message.uri == phone.contact.encode()


def test_its_answer_is_taken_and_no_answer_does_no_harm() -> None:
    wire = wire_with()
    phone = behind_nat(wire, 1)
    phone.register()
    (message,) = [message for _, message in wire.wait(INTERVAL + 1) if message.method == b"OPTIONS"]
    before = wire.transactions
    wire.send(phone.peer, answer(message, 200, phone.peer))
    assert wire.counters["nat_keepalive", "answered"] == 1
    assert wire.counters["dropped", "response without transaction"] == 0
    assert asked(wire.wait(INTERVAL)) == [phone.peer]
    assert wire.transactions <= before


def test_phones_that_are_where_they_say_are_not_asked() -> None:
    wire = wire_with()
    Phone(wire, 1).register()
    assert asked(wire.wait(3 * INTERVAL)) == []


def test_a_phone_that_is_gone_is_asked_no_more() -> None:
    wire = wire_with()
    phone = behind_nat(wire, 1)
    phone.register(expires=70)
    assert len(asked(wire.wait(4 * INTERVAL))) == 2
    phone.register()
    assert asked(wire.wait(INTERVAL + 1)) == [phone.peer]
    phone.register(expires=0)
    assert asked(wire.wait(3 * INTERVAL)) == []


def test_many_phones_are_asked_evenly() -> None:
    wire = wire_with(60)
    for index in range(1, 61):
        behind_nat(wire, index).register()
    wire.wait(2)
    a_second = [len(asked(wire.wait(1))) for _ in range(INTERVAL)]
    assert max(a_second) <= 3
    assert sum(a_second) == 60
    assert set(Counter(asked(wire.wait(2 * INTERVAL))).values()) == {2}


def test_after_a_restart_the_questions_go_on() -> None:
    wire = wire_with()
    phone = behind_nat(wire, 1)
    phone.register()
    bindings = [entry for group in wire.committed for entry in group.bindings]
    wire.start()
    wire.engine.restore(bindings, [], wire.now, wire.ms)
    assert asked(wire.wait(INTERVAL + 1)) == [phone.peer]


def test_without_the_setting_nobody_is_asked() -> None:
    wire = Wire()
    behind_nat(wire, 1).register()
    assert asked(wire.wait(600)) == []
