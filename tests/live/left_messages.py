"""Messages that callers of the tests left, and how much of a sound is found in them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tests.peers.service import Service
from tests.peers.talk import eventually

HEARD = 0.7  # another voice has less than 0.5; a busy machine drops frames here and there
ANOTHER = 0.55


def taken(service: Service, number: str, key: str, value: str, to: Path) -> tuple[dict[str, Any], Path]:
    """The one message of a box whose `key` (`call_id`, `caller`) is `value`, and its sound; it is deleted."""
    (found,) = eventually(lambda: [one for one in service.voicemail(number) if one[key] == value])
    service.cli("voicemail", "get", number, str(found["id"]), "--out", str(to / "message.wav"))
    service.cli("voicemail", "delete", number, str(found["id"]))
    return found, to / "message.wav"
