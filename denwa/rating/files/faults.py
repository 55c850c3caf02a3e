"""What is wrong with rows of the files."""

from __future__ import annotations


class RowFault(Exception):
    """A row that cannot be used; the text is the problem for the rejects file."""
