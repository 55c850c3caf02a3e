"""A contract desk as the commands have it, over a real database and the demonstration's numbering plan."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from datetime import UTC, datetime
from functools import cache
from itertools import count

from sqlalchemy import Engine

from denwa.config.settings import Settings
from denwa.contracts.desk import Application, Desk
from denwa.contracts.sealing import Seal, pepper
from denwa.contracts.stock import OwnRange
from denwa.contracts.web_password import WebPasswords
from denwa.numbering import NumberingPlan, load_plan
from denwa.storage.contracts_store import SqlContractsStore

NOW = datetime(2026, 11, 21, 3, 0, tzinfo=UTC)
KEY = bytes(range(32))
REALM = "denwa.example"
OWN = OwnRange("+815050010000", "+815050019999")
NUMBER = "+815050010001"


@cache
def demo_plan() -> NumberingPlan:
    numbering = Settings().numbering
    return load_plan(numbering.directory, numbering.operator_file)


def counting_bytes() -> Callable[[int], bytes]:
    """Bytes that are different each time and the same in every run."""
    calls = count()
    return lambda length: hashlib.shake_256(str(next(calls)).encode()).digest(length)


def make_desk(engine: Engine, *, ranges: tuple[OwnRange, ...] = (OWN,)) -> Desk:
    random_bytes = counting_bytes()
    return Desk(
        store=SqlContractsStore(engine),
        plan=demo_plan(),
        ranges=ranges,
        seal=Seal(KEY, random_bytes),
        web_passwords=WebPasswords(pepper(KEY), random_bytes),
        random_bytes=random_bytes,
        realm=REALM,
    )


def application(**values: str) -> Application:
    return Application(**({"name": "山田", "mail": "yamada@example.jp", "number": NUMBER} | values))  # type: ignore[arg-type]
