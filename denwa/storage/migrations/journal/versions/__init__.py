"""Revisions of the journal schema, oldest first by name."""
