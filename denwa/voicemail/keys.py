"""Keys of a telephone that come as SIP INFO: `application/dtmf-relay` and `application/dtmf`. Pure.

Neither is a standard; telephones and gateways send them all the same. RFC 4733 is read by the media library.
"""

from __future__ import annotations

KEYS = "0123456789*#ABCD"
_NAMES = {"10": "*", "11": "#", "12": "A", "13": "B", "14": "C", "15": "D", "star": "*", "pound": "#", "hash": "#"}
RELAY, PLAIN = "application/dtmf-relay", "application/dtmf"


def key_of_info(message: str) -> str:
    """The key that a whole INFO request names; "" when it names none."""
    head, _, body = message.replace("\r\n", "\n").partition("\n\n")
    if not head.startswith("INFO "):
        return ""
    kind = _content_type(head)
    if kind == RELAY:
        fields = (line.partition("=") for line in body.split("\n"))
        return next((_key(value) for name, _, value in fields if name.strip().lower() == "signal"), "")
    return _key(body) if kind == PLAIN else ""


def _content_type(head: str) -> str:
    for line in head.split("\n"):
        name, _, value = line.partition(":")
        if name.strip().lower() in ("content-type", "c"):
            return value.partition(";")[0].strip().lower()
    return ""


def _key(text: str) -> str:
    name = text.strip().lower()
    name = _NAMES.get(name, name).upper()
    return name if len(name) == 1 and name in KEYS else ""
