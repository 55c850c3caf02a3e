"""Runs Alembic for one schema on the connection that `denwa.storage.migrate` hands over."""

from __future__ import annotations

from typing import Any, Literal

from alembic import context
from alembic.autogenerate.api import AutogenContext
from sqlalchemy import BigInteger

from denwa.storage.columns import UtcMillis, Yen


def configure_and_run() -> None:
    """Called by `env.py`; the transaction belongs to the caller."""
    attributes = context.config.attributes
    schema, connection = attributes["schema"], attributes["connection"]
    metadata = schema.metadata()
    own = set(metadata.tables) | {schema.version_table}

    def ours(thing: Any, name: str | None, kind: str, _reflected: bool, _other: Any) -> bool:
        # On PostgreSQL the other schema's tables are in the same database.
        return kind != "table" or name in own

    context.configure(
        connection=connection,
        target_metadata=metadata,
        version_table=schema.version_table,
        include_object=ours,
        compare_type=True,
        render_item=_render,
        transactional_ddl=True,
    )
    context.run_migrations()


def _render(kind: str, thing: Any, autogen: AutogenContext) -> str | Literal[False]:
    """A migration names plain column types: it must stay as it is when our own types change."""
    if kind == "type" and isinstance(thing, (UtcMillis, Yen)):
        return "sa.BigInteger()"
    if kind == "type" and isinstance(thing, BigInteger) and "sqlite" in thing._variant_mapping:
        return 'sa.BigInteger().with_variant(sa.Integer(), "sqlite")'
    return False
