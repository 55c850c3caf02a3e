"""Revisions of the main schema, oldest first by name."""
