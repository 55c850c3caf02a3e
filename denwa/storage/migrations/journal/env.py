"""Alembic's entry point."""

from denwa.storage.migrations.environment import configure_and_run

configure_and_run()
