"""Stolen passwords, guessing and congestion against the running service (C6, C7, N6, K5)."""

from __future__ import annotations

import mailbox
import re
from collections.abc import Iterator
from contextlib import ExitStack
from email.header import decode_header, make_header
from pathlib import Path

import pytest

from tests.live.wire import ALICE, BOB, CAROL, account
from tests.peers.raw import Dialog, Message, RawPeer
from tests.peers.service import Service
from tests.peers.talk import eventually

pytestmark = pytest.mark.live

LONDON = "010442079460000"
HOME = "0312345678"
CONFIG = """
[limits]
international_day_yen = 16
[alarms]
mail_to = ["ops@example.jp"]
[guidance]
enabled = false
"""


@pytest.fixture
def guarded(tmp_path: Path) -> Iterator[Service]:
    with Service(tmp_path / "service", config=CONFIG) as running:
        yield running


def peer(service: Service, number: str) -> RawPeer:
    return RawPeer(service.address, account(number), f"demo-{account(number)}")


def gateway(service: Service) -> RawPeer:
    return RawPeer(service.address, "pstn", port=service.gateway_port)


def connected(caller: RawPeer, trunk: RawPeer, number: str) -> Dialog:
    """A call that the gateway takes."""
    dialog = caller.invite(number)
    invite = trunk.expect("INVITE")
    trunk.answer(invite, 200, "OK", tag="g", body=trunk.sdp())
    caller.established(dialog, caller.expect(200, "INVITE"))
    caller.ack(dialog)
    trunk.expect("ACK")
    return dialog


def refusal(caller: RawPeer, number: str, status: int) -> str:
    """The Reason of the refusal of a call."""
    dialog = caller.invite(number)
    response = caller.expect(status)
    caller.send_bytes(caller._ack_failure(dialog))
    return response.get("reason")


def refusal_after_a_start(caller: RawPeer, number: str) -> str:
    """The Reason of a 403. Calls abroad get 503 until what was spent is counted."""

    def look() -> str:
        dialog = caller.invite(number)
        response = caller.next()
        while response.status < 200:
            response = caller.next()
        caller.send_bytes(caller._ack_failure(dialog))
        assert response.status == 403 or "being counted" in response.get("reason")
        return response.get("reason") if response.status == 403 else ""

    return eventually(look)


def mails(service: Service) -> list[str]:
    """Subjects of the mails to the operator."""
    box = mailbox.Maildir(next(service.data.rglob("new")).parent) if [*service.data.rglob("new")] else []
    return [str(make_header(decode_header(mail["Subject"]))) for mail in box if mail["To"] == "ops@example.jp"]


def test_a_stolen_password_costs_the_days_amount_and_only_calls_abroad_stop(guarded: Service) -> None:
    with peer(guarded, ALICE) as thief, gateway(guarded) as trunk:
        refusal(thief, LONDON, 403)  # 0 yen by default: off at first (N6)
        guarded.cli("subscriber", "set", ALICE, "international=on")
        calls = [connected(thief, trunk, LONDON) for _ in range(2)]  # 8 yen each are taken
        assert "stopped" in refusal(thief, LONDON, 403)
        for _ in calls:  # the running ones are cut
            trunk.answer(trunk.expect("BYE"), 200, "OK")
            thief.answer(thief.expect("BYE"), 200, "OK")
        eventually(lambda: any("国際電話を停止" in subject for subject in mails(guarded)), 15)  # within a minute
        assert 'denwa_alarms_total{kind="international-stopped"} 1' in guarded.metrics()
        assert ALICE not in guarded.log(100_000)  # K5
        connected(thief, trunk, HOME)
        records = [row for row in guarded.calls() if row["class"] == "international" and row["answered_at"]]
        assert {row["end_cause"] for row in records} == {"service"}
        assert "international" in guarded.cli("limits", "show", ALICE)
        guarded.kill()
        guarded.start()
        assert "stopped" in refusal_after_a_start(thief, LONDON)  # a restart lifts nothing
        guarded.cli("limits", "lift", ALICE)
        connected(thief, trunk, LONDON)


def test_what_was_spent_is_known_again_after_a_kill(guarded: Service) -> None:
    guarded.cli("subscriber", "set", ALICE, "international=on")
    with peer(guarded, ALICE) as alice, gateway(guarded) as trunk:
        dialog = connected(alice, trunk, LONDON)
        alice.bye(dialog)
        trunk.answer(trunk.expect("BYE"), 200, "OK")
        alice.expect(200, "BYE")
        guarded.record(dialog.call_id)
        running = connected(alice, trunk, LONDON)
        guarded.kill()
        guarded.start()
        spent = eventually(lambda: re.search(r"abroad today +16 円 / 16 円", guarded.cli("limits", "show", ALICE)), 10)
        assert spent
        assert "stopped" in refusal(alice, LONDON, 403)
        trunk.answer(trunk.expect("BYE"), 200, "OK")
        assert guarded.record(running.call_id)["end_cause"] == "service"


def guess(guesser: RawPeer) -> Message:
    """REGISTER with a wrong password: what the service says to it."""
    uri, own = "sip:denwa.example", f"<sip:{guesser.user}@denwa.example>"

    def ask(cseq: int, *more: str) -> Message:
        head = [f"From: {own};tag=g", f"To: {own}", "Call-ID: guess", f"Contact: {guesser.contact}"]
        guesser.send_bytes(guesser.request("REGISTER", uri, [*head, f"CSeq: {cseq} REGISTER", *more]))
        return guesser.next()

    challenge = ask(1).get("www-authenticate")
    return ask(2, f"Authorization: {guesser.credentials(challenge, 'REGISTER', uri, 'a guess')}")


def test_guessing_is_useless_and_owner_and_neighbours_notice_nothing(service: Service) -> None:
    """The guesser is where everybody else is, on loopback: the worst place."""
    with ExitStack() as stack:
        owner, neighbour, guesser = (stack.enter_context(peer(service, number)) for number in (ALICE, BOB, ALICE))
        owner.register()
        answers = [guess(guesser) for _ in range(200)]
        assert {answer.status for answer in answers} == {403, 503}
        assert len([answer for answer in answers if answer.status == 403]) <= 15  # of 200 guesses
        assert all(int(answer.get("retry-after")) > 0 for answer in answers if answer.status == 503)
        owner.register()
        neighbour.register()
        dialog = owner.invite(BOB)
        neighbour.expect("INVITE")
        owner.cancel(dialog)
        found = re.search(r'denwa_guessing_total{kind="not looked at"} (\d+)', service.metrics())
        assert found
        assert int(found[1]) >= 185


def test_a_phone_registers_while_its_account_is_guessed_at(service: Service) -> None:
    with service.phone(account(CAROL)) as phone, peer(service, CAROL) as guesser:
        service.registered(phone)
        for _ in range(40):
            guess(guesser)
        service.registered(phone)  # once more, and at once


def test_congestion_restricts_at_once_outlives_a_restart_and_spares_priority(guarded: Service) -> None:  # C7
    with peer(guarded, ALICE) as alice, peer(guarded, BOB) as bob, gateway(guarded) as trunk:
        running = connected(bob, trunk, HOME)
        guarded.cli("subscriber", "set", ALICE, "priority=on")
        guarded.cli("congestion", "on", "--priority-only", "--for", "10")
        connected(alice, trunk, HOME)
        assert "priority" in refusal(bob, HOME, 503)
        guarded.kill()
        guarded.start()
        assert "priority" in refusal(bob, HOME, 503)
        guarded.cli("congestion", "off")
        connected(bob, trunk, HOME)
        guarded.cli("congestion", "on", "--max-seconds", "1")
        for _ in range(2):  # both calls of bob are over; alice's goes on
            bye = bob.expect("BYE")
            assert "kept short" in bye.get("reason")
            bob.answer(bye, 200, "OK")
            trunk.answer(trunk.expect("BYE"), 200, "OK")
        assert guarded.record(running.call_id)["end_cause"] == "service"
        assert len(guarded.cli("calls", "--active").strip().splitlines()) >= 1
        guarded.cli("congestion", "on", "--area", "03")
        assert "area" in refusal(bob, HOME, 503)


def test_a_limit_of_one_subscriber_is_in_force_when_the_command_returns(guarded: Service) -> None:  # C6
    guarded.cli("limits", "set", ALICE, "calls_per_subscriber=1", "call_seconds=3")
    with peer(guarded, ALICE) as alice, peer(guarded, BOB) as bob, gateway(guarded) as trunk:
        connected(alice, trunk, HOME)
        assert "too many calls at once" in refusal(alice, HOME, 403)
        connected(bob, trunk, HOME)
        connected(bob, trunk, HOME)
        assert "longest call" in alice.expect("BYE").get("reason")
        guarded.cli("limits", "set", ALICE, "calls_per_subscriber=default", "call_seconds=default")
        connected(alice, trunk, HOME)
        connected(alice, trunk, HOME)
