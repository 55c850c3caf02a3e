"""Draft a revision: what the tables have and the history lacks (for developers; see the package's docstring)."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import NoReturn

from alembic import command
from alembic.script import Script, ScriptDirectory
from sqlalchemy import create_engine

from denwa.storage.migrate import JOURNAL, MAIN


def draft(name: str, message: str) -> None:
    """Write `versions/<number>_<message>.py` for one schema, numbered after the newest."""
    schema = {"main": MAIN, "journal": JOURNAL}[name]
    config = schema.config()
    newest = ScriptDirectory.from_config(config).get_current_head()
    with create_engine("sqlite://").begin() as connection:
        config.attributes.update(connection=connection, schema=schema)
        command.upgrade(config, "head")
        made = command.revision(config, message, rev_id=f"{int(newest or 0) + 1:04d}", autogenerate=True)
    assert isinstance(made, Script)
    file = Path(made.path)
    lines = file.read_text(encoding="utf-8").splitlines(keepends=True)
    file.write_text("".join(line for line in lines if "# ###" not in line), encoding="utf-8")  # Alembic's remarks


def main() -> NoReturn:
    if len(sys.argv) != 3 or sys.argv[1] not in ("main", "journal"):
        sys.exit('usage: python -m denwa.storage.migrations main|journal "What it adds"')
    draft(*sys.argv[1:])
    sys.exit(0)


if __name__ == "__main__":
    main()
