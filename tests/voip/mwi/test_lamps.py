"""Phones that have not subscribed are told of messages all the same (V6)."""

from __future__ import annotations

import pytest

from denwa.voip.mwi.machines import LampState
from denwa.voip.mwi.rules import MwiRules
from denwa.voip.mwi.summary import EMPTY, Counts
from tests.voip.mwi.rig import DOMAIN, ONE_NEW, fill, header, lamp, left_behind, scene
from tests.voip.push.doorbell import RULES, Doorbell, push_phone
from tests.voip.wire import Phone, Wire, starts, subscriber, to


def state(wire: Wire, phone: Phone) -> LampState:
    return wire.engine.mwi.lamps._lamps[phone.account.encode()][phone.contact].state


def test_a_registered_phone_is_told_when_a_message_comes_and_when_it_goes() -> None:  # V6
    wire, [phone] = scene()
    phone.register()
    notify = to(fill(wire, phone, ONE_NEW), phone.peer)
    assert lamp(notify) == (True, "1/0 (0/0)")
    assert notify.uri.decode() == phone.contact
    assert header(notify, "Event") == "message-summary"
    assert f"Message-Account: sip:{phone.account}@{DOMAIN}\r\n".encode() in notify.body
    phone.answer(notify, 200)
    heard = to(fill(wire, phone, Counts(0, 1)), phone.peer)
    assert lamp(heard) == (False, "0/1 (0/0)")
    phone.answer(heard, 200)
    gone = to(fill(wire, phone, EMPTY), phone.peer)
    assert lamp(gone) == (False, "0/0 (0/0)")
    phone.answer(gone, 200)
    assert fill(wire, phone, EMPTY) == []  # nothing has changed
    wire.wait(60)
    assert left_behind(wire) == (0, 0, 0)


def test_the_number_that_is_dialled_to_hear_the_box_is_told() -> None:  # RFC 3842 §5.2: a key for messages dials it
    wire, [phone] = scene(box_number=b"1417")
    phone.register()
    notify = to(fill(wire, phone, ONE_NEW), phone.peer)
    assert f"Message-Account: sip:1417@{DOMAIN}\r\n".encode() in notify.body


def test_a_change_while_a_notify_is_under_way_is_told_when_that_is_answered() -> None:
    wire, [phone] = scene()
    phone.register()
    first = to(fill(wire, phone, ONE_NEW), phone.peer)
    assert fill(wire, phone, Counts(2, 0)) == []
    assert fill(wire, phone, EMPTY) == []
    second = to(phone.answer(first, 200), phone.peer)
    assert lamp(second) == (False, "0/0 (0/0)")
    assert phone.answer(second, 200) == []


def test_every_device_of_a_subscriber_is_told() -> None:  # R2
    wire, [phone] = scene()
    other = Phone(wire, 1, port=7777)
    phone.register()
    other.register()
    assert sorted(starts(fill(wire, phone, ONE_NEW))) == [(phone.peer, "NOTIFY"), (other.peer, "NOTIFY")]


def test_a_phone_that_registers_is_told_what_waits_once_and_after_its_200() -> None:
    wire, [phone] = scene()
    assert fill(wire, phone, ONE_NEW) == []
    before = len(wire.sent)
    phone.register()
    answers = wire.since(before)
    assert [name for _, name in starts(answers)] == ["401", "200", "NOTIFY"]
    phone.answer(answers[-1][1], 200)
    before = len(wire.sent)
    phone.register()  # it refreshes
    assert [name for _, name in starts(wire.since(before))] == ["401", "200"]
    phone.register(call_id="started-again")
    assert lamp(wire.sent[-1][1]) == (True, "1/0 (0/0)")


def test_a_box_never_used_costs_a_register_nothing() -> None:
    wire, [phone] = scene()
    before = len(wire.sent)
    phone.register()
    assert [name for _, name in starts(wire.since(before))] == ["401", "200"]
    assert len(wire.engine.mwi.lamps) == 0


def test_a_lamp_that_went_out_while_the_phone_was_away_goes_out_when_it_comes_back() -> None:
    wire, [phone] = scene()
    phone.register()
    phone.answer(to(fill(wire, phone, ONE_NEW), phone.peer), 200)
    phone.register(expires=0)
    assert fill(wire, phone, EMPTY) == []
    phone.register()
    assert lamp(wire.sent[-1][1]) == (False, "0/0 (0/0)")


@pytest.mark.parametrize("status", [404, 405, 481, 489, 501, 603])
def test_a_phone_that_says_no_is_not_asked_again_until_it_registers_anew(status: int) -> None:
    wire, [phone] = scene()
    phone.register()
    phone.answer(to(fill(wire, phone, ONE_NEW), phone.peer), status)
    assert state(wire, phone) is LampState.DEAF
    assert fill(wire, phone, Counts(2, 0)) == []
    phone.register()
    assert wire.sent[-1][1].status == 200
    phone.register(call_id="started-again")
    assert lamp(wire.sent[-1][1]) == (True, "2/0 (0/0)")


@pytest.mark.parametrize("status", [0, 408, 480, 503])
def test_a_phone_that_was_not_reached_is_told_when_it_refreshes(status: int) -> None:
    wire, [phone] = scene()
    phone.register()
    notify = to(fill(wire, phone, ONE_NEW), phone.peer)
    if status:
        phone.answer(notify, status)
    else:
        assert len(wire.wait(33)) == 10  # timer E: repeated for 32 s
    assert state(wire, phone) is LampState.OWED
    assert wire.engine.mwi.owing == {phone.account.encode()}
    phone.register()
    again = wire.sent[-1][1]
    assert lamp(again) == (True, "1/0 (0/0)")
    phone.answer(again, 200)
    assert not wire.engine.mwi.owing
    wire.wait(60)
    assert left_behind(wire) == (0, 0, 0)


def test_a_phone_behind_a_nat_is_told_where_its_register_came_from() -> None:  # R4
    wire = scene()[0]
    phone = Phone(wire, 1, host="198.51.100.7", port=40001)
    phone.contact = f"sip:{phone.account}@10.0.0.5:5060"
    phone.register()
    notify = to(fill(wire, phone, ONE_NEW), phone.peer)
    assert notify.uri == b"sip:50010001@10.0.0.5:5060"


def test_a_phone_on_tcp_is_told_on_its_connection_and_one_that_is_gone_is_owed() -> None:
    wire, [phone] = scene()
    phone.peer = ("192.0.2.1", 5061, 7)  # type: ignore[assignment]
    phone.contact += ";transport=tcp"
    phone.register()
    notify = to(fill(wire, phone, ONE_NEW), phone.peer)
    assert b"Via: SIP/2.0/TCP" in b"\r\n".join(notify.lines)
    wire.engine.undeliverable(wire.sent[-1][2], wire.now, wire.ms)
    assert state(wire, phone) is LampState.OWED
    assert wire.transactions == 0


def test_a_phone_on_tls_is_told_on_its_connection_and_in_the_names_of_that_way() -> None:
    wire, [phone] = scene()
    phone.peer = ("192.0.2.1", 5061, -9)  # type: ignore[assignment]
    phone.contact += ";transport=tls"
    phone.register()
    notify = to(fill(wire, phone, ONE_NEW), phone.peer)
    assert b"Via: SIP/2.0/TLS" in b"\r\n".join(notify.lines)
    assert header(notify, "Contact").endswith(";transport=tls>")


def test_who_wants_no_unsolicited_word_gets_none() -> None:
    wire, [phone] = scene(unsolicited=False)
    phone.register()
    assert fill(wire, phone, ONE_NEW) == []
    phone.register(call_id="started-again")
    assert wire.sent[-1][1].status == 200


def test_after_a_restart_every_bound_phone_is_told_at_a_bounded_pace() -> None:
    wire, phones = scene(3, per_second=10)
    for phone in phones:
        phone.register()
    bindings = [entry for group in wire.committed for entry in group.bindings]
    wire.start()
    wire.engine.restore(bindings, [], wire.now, wire.ms)  # type: ignore[arg-type]
    boxes = {phone.account.encode(): counts for phone, counts in zip(phones, [EMPTY, ONE_NEW, EMPTY], strict=True)}
    before = len(wire.sent)
    wire.engine.mwi.load(boxes, wire.now, wire.ms)
    wire.collect()
    [(peer, first)] = wire.since(before)
    assert (peer, lamp(first)[0]) == (phones[1].peer, True)  # those with messages first
    phones[1].answer(first, 200)
    assert [peer for peer, _ in wire.wait(0.15)] == [phones[0].peer]
    told = {peer for peer, _ in wire.wait(0.2)}
    assert phones[2].peer in told
    wire.wait(60)
    assert left_behind(wire) == (0, 0, 0)


def test_boxes_whose_phones_are_off_take_no_turn_from_others() -> None:
    wire, [phone] = scene(per_second=10)
    phone.register()
    boxes = {b"5002%04d" % n: ONE_NEW for n in range(1000)}
    before = len(wire.sent)
    wire.engine.mwi.load({**boxes, phone.account.encode(): EMPTY}, wire.now, wire.ms)
    wire.collect()
    assert starts(wire.since(before)) == [(phone.peer, "NOTIFY")]


def test_a_slow_pace_is_kept_too() -> None:
    everybody = [subscriber(index) for index in range(1, 11)]
    wire = Wire(*everybody, mwi=MwiRules(per_second=2))
    phones = [Phone(wire, index) for index in range(1, 11)]
    for phone in phones:
        phone.register()
    wire.engine.mwi.load({phone.account.encode(): ONE_NEW for phone in phones}, wire.now, wire.ms)
    wire.collect()
    told = {peer for peer, _ in wire.wait(2.05)} | {phones[0].peer}
    assert len(told) == 5  # one at once, two a second


def test_a_purge_of_many_boxes_is_told_at_a_bounded_pace_and_each_once() -> None:  # V4
    everybody = [subscriber(index) for index in range(1, 41)]
    wire = Wire(*everybody, mwi=MwiRules(per_second=20))
    phones = [Phone(wire, index) for index in range(1, 41)]
    for phone in phones:
        phone.register()
    before = len(wire.sent)
    for counts in (ONE_NEW, Counts(2, 0)):
        for phone in phones:
            wire.engine.mwi.put(phone.account.encode(), counts, wire.now, wire.ms)
    wire.collect()
    assert len(wire.since(before)) == 2  # a tenth of a second's share
    told = wire.since(before) + wire.wait(2.1)
    first = dict(reversed(told))
    assert first.keys() == {phone.peer for phone in phones}
    assert [lamp(message)[1] for peer, message in first.items() if peer not in (phones[0].peer, phones[1].peer)] == [
        "2/0 (0/0)"
    ] * 38


def test_a_phone_that_sleeps_is_not_woken_for_a_lamp_and_told_when_it_registers() -> None:  # R5
    doorbell = Doorbell()
    wire = Wire(push_service=doorbell, push=RULES)
    phone = push_phone(wire)
    phone.register()
    assert [name for _, name in starts(fill(wire, phone, ONE_NEW))] == ["NOTIFY"]  # it is awake
    phone.answer(wire.sent[-1][1], 200)
    wire.wait(60)
    assert fill(wire, phone, Counts(2, 0)) == []
    assert doorbell.pushes == []
    phone.register()
    assert lamp(wire.sent[-1][1]) == (True, "2/0 (0/0)")


def test_nobody_is_told_of_the_box_of_a_contract_that_has_ended() -> None:  # V4, N2
    wire, [phone] = scene()
    phone.register()
    fill(wire, phone, ONE_NEW)
    wire.engine.registrar.forget(phone.account.encode())
    assert fill(wire, phone, EMPTY) == []
    assert left_behind(wire)[0] == 0
