"""Every table of both databases: importing this module fills `metadata` and `journal_metadata`."""

from denwa.storage.tables import (
    billing,
    contracts,
    forwarding,
    greetings,
    journal,
    journal_metadata,
    limits,
    metadata,
    rating,
    voicemail,
)

__all__ = [
    "billing",
    "contracts",
    "forwarding",
    "greetings",
    "journal",
    "journal_metadata",
    "limits",
    "metadata",
    "rating",
    "voicemail",
]
