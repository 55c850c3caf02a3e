"""Telephones that lose their power in the middle of a call (C5)."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.live.wire import ALICE, BOB, account, instant, picked_up
from tests.peers.service import Service
from tests.peers.talk import eventually, talk

pytestmark = pytest.mark.live
PROBE = 5  # seconds


def test_a_call_whose_phone_is_gone_ends_for_the_other_and_at_the_last_proof_of_life(tmp_path: Path) -> None:
    # C5: 64*T1 after the question that nobody answers who is left hears BYE; the record is no longer than life was
    with (
        Service(tmp_path / "service", {"sip__probe_interval": str(PROBE)}) as service,
        service.phone(account(ALICE)) as alice,
        service.phone(account(BOB)) as bob,
    ):
        service.registered(alice, bob)
        bob.answering(200)
        call = alice.call(BOB)
        answered = picked_up(call, bob.incoming())
        talk(PROBE + 2)  # both have answered a question
        bob.kill()
        record = eventually(lambda: [row for row in service.calls() if row["ended_at"]], 60, every=1)[0]
        assert (record["call_id"], record["end_cause"]) == (call.call_id, "lost")
        assert PROBE - 1 < instant(record["ended_at"]) - answered.at < PROBE + 3
        assert int(record["units"]) == 1
        call.ended(timeout=10)
