"""A desk over SQLite. That both databases behave alike is shown in tests/storage."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from denwa.contracts.desk import Desk
from denwa.storage.engine import open_main
from denwa.storage.tables.all import metadata
from tests.contracts.desks import make_desk


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    engine = open_main("", tmp_path)
    metadata.create_all(engine)
    yield make_desk(engine)
    engine.dispose()
