"""Guessing is useless, and whoever owns an account is never locked out (quality.md; RFC 3261 §22, §26.3.2.4)."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from denwa.voip.registrar.guessing import ANSWER_PATIENCE_MS, Debts, GuessGuard, GuessLimits, source_of
from denwa.voip.sip import digest
from denwa.voip.sip.peer import Peer
from tests.voip.wire import GATEWAY, START_MS, Phone, Wire, subscriber

LIMITS = GuessLimits()
OWNER: Peer = ("192.0.2.1", 5061)
MINUTE = 60_000
_responses = itertools.count()


def guard(limits: GuessLimits = LIMITS) -> GuessGuard:
    return GuessGuard(limits, lambda peer: peer[0] == GATEWAY[0])


def prove(one: GuessGuard, peer: Peer, account: bytes = b"50010001") -> None:
    assert one.proved(peer, account, b"response %d" % next(_responses))


def guess(one: GuessGuard, peer: Peer, account: bytes, now: int) -> bool:
    """Whether a wrong password was looked at."""
    if one.wait_for(peer, account, now):
        one.strike(peer, account, now)
        return False
    one.failed(peer, account, now)
    return True


def test_a_guesser_gets_ten_guesses_and_then_one_in_five_seconds() -> None:
    one = guard()
    hour = [guess(one, ("198.51.100.9", 5060), b"50010001", START_MS + ms) for ms in range(0, 60 * MINUTE, 100)]
    assert sum(hour) <= LIMITS.free + 60 * MINUTE // LIMITS.interval_ms
    assert all(hour[: LIMITS.free])


def test_ever_new_sources_guess_no_faster_at_one_account() -> None:
    one = guard()
    looked = sum(guess(one, (f"198.51.{n // 250}.{n % 250}", 5060), b"50010001", START_MS + n) for n in range(10_000))
    assert looked <= LIMITS.free + 10_000 // LIMITS.interval_ms + 1


def test_one_source_that_tries_every_account_is_slowed() -> None:
    one = guard()
    looked = sum(guess(one, ("198.51.100.9", 5060), b"5001%04d" % n, START_MS + n) for n in range(10_000))
    assert looked <= LIMITS.free + LIMITS.first_tries + 10_000 // 1000 + 10_000 // LIMITS.interval_ms + 1


def test_addresses_of_one_ipv6_network_are_one_source() -> None:
    assert source_of("2001:db8::1") == source_of("2001:db8::ffff:1") != source_of("2001:db8:0:1::1")
    one = guard()
    looked = sum(guess(one, (f"2001:db8::{n:x}", 5060), b"50010001", START_MS + n) for n in range(1000))
    assert looked <= LIMITS.free + 1


def test_the_owners_device_is_looked_at_whatever_strangers_do_to_its_account() -> None:
    one = guard()
    prove(one, OWNER)
    for n in range(1000):
        guess(one, (f"198.51.100.{n % 250}", n + 1), b"50010001", START_MS + n)
        assert one.wait_for(OWNER, b"50010001", START_MS + n) == 0
    # nor does a guesser behind the same NAT stop it
    for n in range(1000):
        guess(one, (OWNER[0], 40_000 + n), b"50010001", START_MS + n)
        assert one.wait_for(OWNER, b"50010001", START_MS + n) == 0


def test_a_registered_device_is_known_after_a_restart_by_its_binding() -> None:
    one = guard()
    one.places = lambda account: [OWNER] if account == b"50010001" else []
    for n in range(100):
        guess(one, (OWNER[0], 40_000), b"50010002", START_MS + n)
        guess(one, ("198.51.100.9", 5060), b"50010001", START_MS + n)
    assert one.wait_for(OWNER, b"50010001", START_MS + 100) == 0


def test_one_bad_phone_behind_a_nat_stops_no_other() -> None:
    one = guard(LIMITS._replace(first_tries=5))
    nat = "203.0.113.5"
    prove(one, (nat, 1001), b"50010001")
    for ms in range(0, 10 * MINUTE, 200):
        guess(one, (nat, 1002), b"50010002", START_MS + ms)  # its password was changed, and it does not give up
    now = START_MS + 10 * MINUTE
    guess(one, (nat, 1002), b"50010002", now)
    assert one.wait_for((nat, 1002), b"50010002", now) > 0
    assert one.wait_for((nat, 1001), b"50010001", now) == 0
    assert one.wait_for((nat, 2001), b"50010001", now) == 0  # also when the NAT gives it another port
    assert one.wait_for((nat, 1003), b"50010003", now) == 0  # and a phone that has never been here
    assert one.silenced == {}


def test_a_device_that_goes_on_with_an_old_password_is_slowed_itself() -> None:
    one = guard()
    prove(one, OWNER)
    looked = sum(guess(one, OWNER, b"50010001", START_MS + ms) for ms in range(0, 10 * MINUTE, 100))
    assert looked <= LIMITS.free + 10 * MINUTE // LIMITS.interval_ms
    assert one.wait_for(("192.0.2.77", 5060), b"50010001", START_MS + 10 * MINUTE) == 0  # elsewhere it is not


def test_a_source_of_nothing_but_failures_gets_no_answer_for_a_while() -> None:
    one = guard()
    scanner = ("198.51.100.9", 5060)
    for n in range(LIMITS.strikes):
        assert not one.is_silenced(scanner, START_MS)
        guess(one, scanner, b"%d" % n, START_MS)
    later = START_MS + ANSWER_PATIENCE_MS
    guess(one, scanner, b"0", later)
    assert one.is_silenced(scanner, later)
    assert not one.is_silenced(("198.51.100.10", 5060), later)
    assert not one.is_silenced(scanner, later + LIMITS.silence_ms)
    assert one.silenced == {}


def test_a_source_challenged_for_ever_more_names_is_a_scanner_whether_they_exist_or_not() -> None:
    one = guard()
    for n in range(LIMITS.strikes):
        one.strike(("198.51.100.9", n + 1), b"<sip:%d@denwa.example>" % n, START_MS)
    later = START_MS + ANSWER_PATIENCE_MS
    one.strike(("198.51.100.9", 1), b"<sip:0@denwa.example>", later)
    assert one.is_silenced(("198.51.100.9", 5060), later)


def test_many_phones_behind_one_address_that_ask_at_once_have_time_to_answer() -> None:
    """After a power cut hundreds are challenged before the first can answer."""
    one = guard()
    for n in range(10 * LIMITS.strikes):
        one.strike(("198.51.100.9", n + 1), b"<sip:%d@denwa.example>" % n, START_MS + n)
    assert not one.is_silenced(("198.51.100.9", 5060), START_MS + 1000)
    one.proved(("198.51.100.9", 1), b"50010001", b"r" * 32)
    one.strike(("198.51.100.9", 1), b"<sip:0@denwa.example>", START_MS + ANSWER_PATIENCE_MS)
    assert one.silenced == {}


def test_an_old_password_silences_nobody() -> None:
    one = guard()
    home = ("203.0.113.7", 5060)
    for ms in range(0, 120 * MINUTE, 1000):
        guess(one, home, b"50010001", START_MS + ms)
    assert one.silenced == {}
    wait = one.wait_for(home, b"50010001", START_MS + 120 * MINUTE)
    assert wait <= LIMITS.interval_ms // 1000  # a new one is taken within seconds


def test_the_first_401_counts_nowhere() -> None:
    one = guard()
    for n in range(1000):  # phones behind one NAT, challenged and then proved
        one.strike(("203.0.113.5", n + 1), b"<sip:5001%04d@denwa.example>" % n, START_MS)
        prove(one, ("203.0.113.5", n + 1), b"5001%04d" % n)
    for _ in range(1000):  # a phone that never gets further, for instance behind a broken router
        one.strike(("203.0.113.6", 5060), b"<sip:50010001@denwa.example>", START_MS)
    assert one.silenced == {}


def test_a_gateway_is_never_silenced() -> None:
    one = guard()
    for n in range(100):
        guess(one, GATEWAY, b"%d" % n, START_MS)
    assert one.silenced == {}


def test_tables_that_strangers_fill_are_bounded() -> None:
    debts: Debts[int] = Debts(5000, most=100)
    for n in range(10_000):
        debts.add(n, START_MS + n)
    assert len(debts) <= 100
    assert debts.of(9_999, START_MS + 9_999) == 1


@settings(max_examples=50)
@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3), st.integers(0, 3000)), max_size=200))
def test_however_failures_come_no_pair_has_more_than_its_due(steps: list[tuple[int, int, int]]) -> None:
    one, now, looked = guard(), START_MS, dict.fromkeys(itertools.product(range(4), range(4)), 0)
    for host, account, pause in steps:
        now += pause
        looked[host, account] += guess(one, (f"198.51.100.{host}", 5060), b"%d" % account, now)
    due = LIMITS.free + (now - START_MS) // LIMITS.interval_ms + 1
    assert all(count <= due for count in looked.values())


def test_a_nat_with_registered_phones_is_not_silenced_after_a_restart() -> None:
    wire = Wire(subscriber(1))
    phone = Phone(wire, 1, host="203.0.113.5")
    phone.register()
    bindings = [one for group in wire.committed for one in group.bindings]
    wire.start()
    wire.engine.restore(bindings, [], wire.now, wire.ms)  # type: ignore[arg-type]
    for n in range(100):
        wire.send(phone.peer, phone.register_text(account=f"{n}"))
    assert wire.engine.ctx.guard.silenced == {}


def test_a_real_and_an_unknown_account_cost_the_same_work(monkeypatch: pytest.MonkeyPatch) -> None:
    """Same answer, same time: as many hashes of as many bytes, and nothing else depends on the account."""
    hashed: list[int] = []

    def counting(text: bytes) -> bytes:
        hashed.append(len(text))
        return b"0" * 32

    monkeypatch.setattr(digest, "_md5", counting)
    works = []
    for account in (1, 77):
        wire = Wire(subscriber(1))
        hashed.clear()
        Phone(wire, account).register(password="wrong")
        works.append(list(hashed))
    assert works[0] == works[1]
    assert len(works[0]) == 2


# -- on the wire ------------------------------------------------------------------------------------------------------


def test_real_and_unknown_accounts_get_the_same_answers_all_along() -> None:
    answers = []
    for account in (1, 77):  # 77 does not exist
        wire = Wire(subscriber(1))
        phone = Phone(wire, account, host="198.51.100.9", port=5060)
        seen = [bytes(phone.register(password="wrong").lines[0]) for _ in range(15)]
        answers.append(seen)
    assert answers[0] == answers[1]
    assert answers[0][0].startswith(b"SIP/2.0 403")
    assert answers[0][-1].startswith(b"SIP/2.0 503")


def test_who_is_slowed_is_told_when_to_come_back() -> None:
    wire = Wire(subscriber(1))
    phone = Phone(wire, 1, host="198.51.100.9", port=5060)
    for _ in range(LIMITS.free):
        phone.register(password="wrong")
    answer = phone.register()  # even with the right password: it was not looked at
    assert answer.status == 503
    assert any(line.startswith(b"Retry-After: ") for line in answer.lines)
    assert wire.counters["guessing", "not looked at"] == 1
    wire.now += 30
    assert phone.register().status == 200


def test_the_owner_calls_and_registers_while_the_account_is_attacked() -> None:
    wire = Wire()
    owner = Phone(wire, 1)
    assert owner.register().status == 200
    for n in range(40):
        Phone(wire, 1, host=f"198.51.100.{n}", port=5060).register(password="wrong")
    assert owner.register().status == 200
    Phone(wire, 2).register()
    assert any(message.method == b"INVITE" for _, message in owner.invite("05050010002"))


def test_a_scanner_is_answered_nothing_and_calls_that_are_up_go_on() -> None:
    wire = Wire(subscriber(1))
    scanner = Phone(wire, 1, host="198.51.100.9", port=5060)
    wire.wait(1)  # past the sweep of a start
    for n in range(LIMITS.strikes):
        wire.send(scanner.peer, scanner.register_text(account=f"{n}"))
    wire.wait(ANSWER_PATIENCE_MS / 1000)
    wire.send(scanner.peer, scanner.register_text(account="0"))
    before = len(wire.sent)
    assert wire.send(scanner.peer, scanner.register_text()) == []
    options = scanner.request("OPTIONS", "sip:denwa.example", to="<sip:denwa.example>", call_id="o", cseq=1)
    assert wire.send(scanner.peer, options) == []
    assert len(wire.sent) == before
    assert wire.counters["dropped", "scanner"] == 2


def test_credentials_that_were_used_are_worth_nothing_from_elsewhere() -> None:
    """A captured REGISTER with another Contact: Contact and Call-ID are not signed."""
    wire = Wire()
    phone = Phone(wire, 1)
    challenge = wire.send(phone.peer, phone.register_text("Expires: 60\r\n"))[-1][1]
    text = phone.register_text("Expires: 60\r\n" + phone.authorization(challenge, "REGISTER", "sip:denwa.example"))
    assert wire.send(phone.peer, text)[-1][1].status == 200
    assert wire.send(phone.peer, text)[-1][1].status == 200  # the phone's own repetition
    thief = ("198.51.100.9", 5060)
    answer = wire.send(thief, text.replace("192.0.2.1:5061", "198.51.100.9:5060").replace("reg-", "new-"))[-1][1]
    assert answer.status == 401
    assert any(b"stale=true" in line for line in answer.lines)
    assert [place[0] for place in wire.engine.registrar.places(b"50010001")] == ["192.0.2.1"] * 2


def test_a_stale_nonce_is_said_to_be_stale_only_with_the_right_password() -> None:
    wire = Wire()
    phone = Phone(wire, 1)
    challenge = wire.send(phone.peer, phone.register_text())[-1][1]
    wire.now += 400
    for password, stale in (("pw", True), ("wrong", False)):
        more = phone.authorization(challenge, "REGISTER", "sip:denwa.example", password)
        answer = wire.send(phone.peer, phone.register_text(more))[-1][1]
        assert any(b"stale=true" in line for line in answer.lines) is stale
