"""Databases for the tests of the stores."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from sqlalchemy import Engine

from denwa.storage.engine import open_engine
from denwa.storage.tables.all import metadata


@pytest.fixture
def engine(database_url: str) -> Iterator[Engine]:
    """A main database with its tables, on SQLite and on PostgreSQL."""
    engine = open_engine(database_url)
    metadata.create_all(engine)
    yield engine
    engine.dispose()
