"""Every table of both databases: importing this module fills `metadata` and `journal_metadata`."""

from denwa.storage.tables import (
    billing,
    box_access,
    contracts,
    forwarding,
    greetings,
    journal,
    journal_metadata,
    limits,
    metadata,
    rating,
    subscriptions,
    voicemail,
)

__all__ = [
    "billing",
    "box_access",
    "contracts",
    "forwarding",
    "greetings",
    "journal",
    "journal_metadata",
    "limits",
    "metadata",
    "rating",
    "subscriptions",
    "voicemail",
]
