"""What calls cost: started half minutes, the credit, the month's files; with calls made by real peers."""

from __future__ import annotations

import csv
import hashlib
import io
import json
from pathlib import Path
from typing import Any

import pytest

from tests.live.wire import ALICE, BOB, CAROL, login
from tests.peers import sipp
from tests.peers.service import Service
from tests.peers.sipp import Sipp

pytestmark = pytest.mark.live


def test_every_started_30_seconds_cost_8_yen(service: Service, tmp_path: Path) -> None:
    # T1
    calls: dict[str, Any] = {"service": service.address, "number": "0312345678"}
    with (
        Sipp(tmp_path, "callee", port=service.gateway_port, calls=2) as gateway,
        Sipp(tmp_path, "caller", hold=29_500, **calls, **login(BOB)) as shorter,
        Sipp(tmp_path, "caller", hold=30_100, **calls, **login(CAROL)) as longer,
    ):
        short, long = (caller.finished(timeout=45)[0].header("Call-ID") for caller in (shorter, longer))
        gateway.finished()
    below, above = service.record(short), service.record(long)
    assert 29_400 < int(below["duration_ms"]) <= 30_000
    assert (below["units"], below["charge_yen"]) == ("1", "8")
    assert 30_000 < int(above["duration_ms"]) < 30_800
    assert (above["units"], above["charge_yen"]) == ("2", "16")


def test_the_first_100_yen_are_credit_and_the_month_says_so_in_the_same_bytes_each_time(
    own_service: Service, tmp_path: Path
) -> None:
    # T2 T4 T5 T6 L3
    paid, free = 14, 3
    with own_service as service:
        target: dict[str, Any] = {"service": service.address, "hold": 300, **login(ALICE)}
        with Sipp(tmp_path, "callee", port=service.gateway_port, calls=paid + free) as gateway:
            traces = [
                sipp.run(tmp_path, "caller", number="09012345678", calls=paid, **target),
                sipp.run(tmp_path, "caller", number="05010001234", calls=free, **target),
            ]
            gateway.finished()
        made = {message.header("Call-ID") for trace in traces for message in trace}
        rows = service.calls("--subscriber", ALICE)
        assert {row["call_id"] for row in rows} == made
        assert len(rows) == paid + free
        assert sum(int(row["charge_yen"]) for row in rows) == paid * 8
        month = rows[0]["answered_at"][:7]

        def export(folder: str) -> dict[str, bytes]:
            service.cli("export", "month", month, "--out", str(tmp_path / folder))
            return {file.name: file.read_bytes() for file in sorted((tmp_path / folder).iterdir())}

        first, second = export("first"), export("second")
        assert first == second
        for line in first[f"denwa-{month}.sha256"].decode().splitlines():
            digest, name = line.split()
            assert hashlib.sha256(first[name]).hexdigest() == digest
        (bill,) = [
            row
            for row in csv.DictReader(io.StringIO(first[f"denwa-{month}.csv"].decode()))
            if row["subscriber"] == ALICE
        ]
        assert int(bill["calls"]) == paid + free
        assert int(bill["duration_ms"]) == sum(int(row["duration_ms"]) for row in rows)
        assert (bill["mobile_yen"], bill["credit_yen"]) == (str(paid * 8), "100")
        assert int(bill["tax_yen"]) == (paid * 8 - 100) * 10 // 100  # fraction of a yen cut off
        assert int(bill["total_yen"]) == paid * 8 - 100 + int(bill["tax_yen"])
        shown = json.loads(service.cli("month", "show", month, "--json"))
        assert str(int(bill["total_yen"])) in json.dumps(shown)


def test_a_month_that_is_not_over_cannot_be_closed(service: Service) -> None:
    # L3
    month = "2999-01"
    service.cli("month", "close", month, expect=1)
