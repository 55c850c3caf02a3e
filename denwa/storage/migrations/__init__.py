"""Histories of the two schemas. A new revision: `docs/design.md`; one transaction, both databases, no data lost."""
