"""What the tests of commands share: new databases that are copies of a migrated one."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from sqlalchemy import Engine, inspect

from denwa.storage import migrate
from denwa.storage.engine import open_engine

_migrated: dict[str, tuple[Path, str]] = {}  # schema -> a file at head, and what its migration said
_upgrade = migrate.upgrade


def _copy_a_migrated_one(schema: migrate.Schema, engine: Engine, folders: pytest.TempPathFactory) -> str:
    if schema.name not in _migrated:
        file = folders.mktemp("migrated") / f"{schema.name}.db"
        template = open_engine(f"sqlite:///{file}")
        _migrated[schema.name] = (file, _upgrade(schema, template))
        template.dispose()
    file, said = _migrated[schema.name]
    raw = engine.raw_connection()
    try:
        assert raw.driver_connection is not None
        with closing(sqlite3.connect(file)) as source:
            source.backup(raw.driver_connection)
    finally:
        raw.close()
    return said


@pytest.fixture(autouse=True)
def new_databases_are_copied(monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory) -> None:
    """The migrations of an empty SQLite database take 0.2 s: run once in each test process, and proved elsewhere."""

    def upgrade(schema: migrate.Schema, engine: Engine) -> str:
        if engine.dialect.name != "sqlite" or inspect(engine).get_table_names():
            return _upgrade(schema, engine)
        return _copy_a_migrated_one(schema, engine, tmp_path_factory)

    monkeypatch.setattr(migrate, "upgrade", upgrade)
