"""Histories of the two schemas, `main` and `journal`.

After a change in `denwa/storage/tables`, `python -m denwa.storage.migrations main "What it adds"` drafts a revision.
Read it, see that it keeps all data on both databases, and set the schema's `head` in `denwa/storage/migrate.py`.
The tests compare the migrated schema with the tables.
"""
