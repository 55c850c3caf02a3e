"""The migrated schema is that of the tables, on both databases."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Engine, create_engine, inspect, text

from denwa.storage.engine import open_engine
from denwa.storage.migrate import JOURNAL, MAIN, Schema, SchemaFault, current, upgrade_all

SCHEMAS = pytest.mark.parametrize("schema", [MAIN, JOURNAL], ids=lambda schema: schema.name)


@pytest.fixture
def engine(database_url: str) -> Iterator[Engine]:
    """Both schemas in one database, as with PostgreSQL in service."""
    engine = open_engine(database_url)
    yield engine
    engine.dispose()


def differences(engine: Engine, schema: Schema) -> list[object]:
    own = {*schema.metadata().tables, schema.version_table}

    def ours(_thing: object, name: str | None, kind: str, _reflected: bool, _other: object) -> bool:
        return kind != "table" or name in own

    options = {"compare_type": True, "version_table": schema.version_table, "include_object": ours}
    with engine.connect() as connection:
        return list(compare_metadata(MigrationContext.configure(connection, opts=options), schema.metadata()))


@SCHEMAS
def test_a_migrated_database_has_the_tables_of_the_program(engine: Engine, schema: Schema) -> None:
    upgrade_all(engine, engine)
    assert differences(engine, schema) == []


@SCHEMAS
def test_a_difference_would_be_seen(engine: Engine, schema: Schema) -> None:
    upgrade_all(engine, engine)
    table = next(iter(schema.metadata().tables))
    with engine.begin() as connection:
        connection.execute(text(f"ALTER TABLE {table} ADD COLUMN surplus INTEGER"))
    assert differences(engine, schema) != []


@SCHEMAS
def test_check_constraints_are_migrated_too(schema: Schema, tmp_path: Path) -> None:
    """Autogenerate does not compare them; SQLite shows them."""
    engine = open_engine(f"sqlite:///{tmp_path / 'checks.db'}")
    upgrade_all(engine, engine)
    found = {
        (table, check["name"])
        for table in schema.metadata().tables
        for check in inspect(engine).get_check_constraints(table)
    }
    fresh = create_engine("sqlite://")
    schema.metadata().create_all(fresh)
    expected = {
        (table, check["name"])
        for table in schema.metadata().tables
        for check in inspect(fresh).get_check_constraints(table)
    }
    assert found == expected
    engine.dispose()


@SCHEMAS
def test_the_head_that_the_program_knows_is_the_newest_revision(schema: Schema) -> None:
    assert ScriptDirectory.from_config(schema.config()).get_heads() == [schema.head]


def test_a_second_upgrade_has_nothing_to_do(engine: Engine) -> None:
    assert upgrade_all(engine, engine) == [f"main: empty -> {MAIN.head}", f"journal: empty -> {JOURNAL.head}"]
    assert upgrade_all(engine, engine) == []
    assert (current(MAIN, engine), current(JOURNAL, engine)) == (MAIN.head, JOURNAL.head)


def test_two_that_migrate_at_once_both_end_at_head(engine: Engine, database_url: str) -> None:
    # In processes of their own, as Alembic's context is one per process.
    program = (
        "import sys; from denwa.storage.engine import open_engine; from denwa.storage.migrate import upgrade_all; "
        "e = open_engine(sys.argv[1]); upgrade_all(e, e)"
    )
    with ThreadPoolExecutor(2) as pool:
        done = list(
            pool.map(
                lambda _: subprocess.run(
                    [sys.executable, "-c", program, database_url], capture_output=True, text=True, timeout=60
                ),
                range(2),
            )
        )
    assert [(process.returncode, process.stderr) for process in done] == [(0, ""), (0, "")]
    assert (current(MAIN, engine), current(JOURNAL, engine)) == (MAIN.head, JOURNAL.head)


def test_at_head_alembic_is_not_even_imported(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'head.db'}"
    engine = open_engine(url)
    upgrade_all(engine, engine)
    engine.dispose()
    program = (
        "import sys; from denwa.storage.engine import open_engine; from denwa.storage.migrate import upgrade_all; "
        "e = open_engine(sys.argv[1]); assert upgrade_all(e, e) == []; assert 'alembic' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", program, url], check=True, timeout=60)


@SCHEMAS
def test_a_schema_of_a_later_release_is_left_alone(engine: Engine, schema: Schema) -> None:
    upgrade_all(engine, engine)
    with engine.begin() as connection:
        connection.execute(text(f"UPDATE {schema.version_table} SET version_num = '9999'"))
    with pytest.raises(SchemaFault, match="9999"):
        upgrade_all(engine, engine)
    assert current(schema, engine) == "9999"


@SCHEMAS
def test_a_migration_is_whole_or_not_at_all(engine: Engine, schema: Schema) -> None:
    last = list(schema.metadata().sorted_tables)[-1].name
    with engine.begin() as connection:
        connection.execute(text(f"CREATE TABLE {last} (in_the_way INTEGER)"))
    with pytest.raises(Exception, match=last):
        upgrade_all(engine, engine)
    assert current(schema, engine) == ""
    own = set(schema.metadata().tables)
    assert own & set(inspect(engine).get_table_names()) == {last}


@SCHEMAS
def test_a_downgrade_takes_every_table_away_again(engine: Engine, schema: Schema) -> None:
    upgrade_all(engine, engine)
    config = schema.config()
    with engine.begin() as connection:
        config.attributes.update(connection=connection, schema=schema)
        command.downgrade(config, "base")
    assert not set(schema.metadata().tables) & set(inspect(engine).get_table_names())
