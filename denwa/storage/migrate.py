"""Schema migration of both databases. At head it costs one query each; Alembic is imported only to migrate.

The main and the journal schema have histories of their own (`migrations/main`, `migrations/journal`) and version
tables of their own, so that they may live in one PostgreSQL database.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from sqlalchemy import Connection, Engine, MetaData, inspect, text

if TYPE_CHECKING:
    from alembic.config import Config

_MIGRATIONS = Path(__file__).parent / "migrations"
_MIGRATION_LOCK = 0x64656E7762  # PostgreSQL: one process migrates, the others wait


class SchemaFault(Exception):
    """The database was made by a later release; the text says which schema it has and which is known."""


@dataclass(frozen=True, slots=True)
class Schema:
    """One of the two schemas. `head` is the newest revision, known without reading the migrations."""

    name: str
    head: str

    @property
    def version_table(self) -> str:
        return f"schema_version_{self.name}"

    def metadata(self) -> MetaData:
        from denwa.storage.tables import all as tables

        return tables.metadata if self.name == "main" else tables.journal_metadata

    def config(self) -> Config:
        from alembic.config import Config

        config = Config()
        config.set_main_option("script_location", str(_MIGRATIONS / self.name).replace("%", "%%"))
        config.set_main_option("path_separator", "os")
        return config


MAIN = Schema("main", "0010")
JOURNAL = Schema("journal", "0003")


def upgrade_all(main_engine: Engine, journal_engine: Engine) -> list[str]:
    """Bring both schemas to head; what was done, one text each. SchemaFault for a schema newer than this program."""
    done = []
    for schema, engine in ((MAIN, main_engine), (JOURNAL, journal_engine)):
        if current(schema, engine) != schema.head:
            done.append(upgrade(schema, engine))
    return done


def current(schema: Schema, engine: Engine) -> str:
    """The revision of a database; "" when it has none."""
    with engine.execution_options(read_only=True).connect() as connection:
        if not inspect(connection).has_table(schema.version_table):
            return ""
        return str(connection.scalar(text(f"SELECT version_num FROM {schema.version_table}")) or "")


def upgrade(schema: Schema, engine: Engine) -> str:
    """Migrate one database to head in one transaction: whole or not at all."""
    from alembic import command
    from alembic.util import CommandError

    before = current(schema, engine)
    config = schema.config()
    with engine.begin() as connection:
        _lock(connection)
        config.attributes["connection"] = connection
        config.attributes["schema"] = schema
        try:
            command.upgrade(config, "head")
        except CommandError as fault:
            raise SchemaFault(
                f"{schema.name}: schema {before or 'none'}, this program knows {schema.head}: {fault}"
            ) from None
    return f"{schema.name}: {before or 'empty'} -> {schema.head}"


def _lock(connection: Connection) -> None:
    # SQLite holds its write lock since BEGIN IMMEDIATE.
    if connection.dialect.name == "postgresql":
        connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _MIGRATION_LOCK})
