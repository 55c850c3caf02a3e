"""How people and phones spell a telephone number, brought down to what was dialled (N3).

Two steps: :func:`dial_string` takes away scheme, host, parameters, separators and full-width forms, and
:func:`canonical` tells a domestic number from a foreign one, so that ``010 81 …`` and ``+81 0…`` are the domestic
number they mean and nothing else (N6).
"""

from __future__ import annotations

import re
from urllib.parse import unquote

INTERNATIONAL_PREFIX = "010"
COUNTRY_CODE = "81"

# RFC 3966 §3 visual separators, what Japanese writing uses for them, and spaces: all without meaning.
_SEPARATORS = "-.() \t‐‑‒–—―−－ーｰ．・（）　\u00a0[]［］/／"
_FULL_WIDTH = {ord("０") + n: str(n) for n in range(10)} | {ord("＋"): "+", ord("＊"): "*", ord("＃"): "#"}
_TRANSLATION: dict[int, str | None] = {**dict.fromkeys(map(ord, _SEPARATORS)), **_FULL_WIDTH}
HIDE_PREFIX, SHOW_PREFIX = "184", "186"
_DIALLED = re.compile(rf"(?:{HIDE_PREFIX}|{SHOW_PREFIX})?\+?[0-9*#]*", re.ASCII)
_MISPLACED_PLUS = re.compile(r"[0-9*#+]+", re.ASCII)
_SCHEME = re.compile(r"(tel|sips?)\s*[::]", re.IGNORECASE)
_CONTEXT = re.compile(r";\s*phone-context\s*=\s*([^;@]+)", re.IGNORECASE)
_LONGEST_TEXT = 256  # no spelling of a 15-digit number needs more; bounds the work on hostile input


class NumberFault(ValueError):
    """The text is not a telephone number; ``str()`` says why, ``incomplete`` whether digits are missing."""

    def __init__(self, text: str, *, incomplete: bool = False) -> None:
        super().__init__(text)
        self.incomplete = incomplete


def dial_string(text: str) -> str:
    """What was dialled: digits, ``*`` and ``#``, perhaps ``+`` in front (or after 184, 186). Raises NumberFault.

    ``text`` is a written number, a ``tel:`` or ``sip:`` URI, or the user part of one as the phone sent it (maybe
    percent-escaped, maybe with ``;phone-context=…``).
    """
    if text.isascii() and text.isdigit():
        return text
    if len(text) > _LONGEST_TEXT:
        raise NumberFault("the number is too long")
    dialled = _without_uri(text).translate(_TRANSLATION)
    if not dialled:
        raise NumberFault("no number", incomplete=True)
    if not _DIALLED.fullmatch(dialled):
        if _MISPLACED_PLUS.fullmatch(dialled):
            raise NumberFault("'+' may stand only in front of a number")
        raise NumberFault("a telephone number has only digits, +, * and #")
    return dialled


def canonical(dialled: str) -> tuple[bool, str]:
    """``(foreign, digits)`` of a dial string: a foreign number without ``+``, or the domestic number as dialled.

    ``+81`` and ``010 81`` give the domestic form with its leading 0; nothing that is barred at home or leads abroad
    can be reached through them (N5, N6). Raises NumberFault.
    """
    if dialled.startswith("+"):
        rest = dialled[1:]
    elif dialled.startswith(INTERNATIONAL_PREFIX):
        rest = dialled[len(INTERNATIONAL_PREFIX) :]
    else:
        return False, dialled
    if not rest:
        raise NumberFault("the country code and number are missing", incomplete=True)
    if not rest.isdigit():
        raise NumberFault("an international number has only digits")
    if rest[0] == "0":
        raise NumberFault("no country code begins with 0")
    if not rest.startswith(COUNTRY_CODE):
        return True, rest
    return False, _domestic(rest[len(COUNTRY_CODE) :])


def is_short_number(dialled: str, number: str) -> bool:
    """Whether what was dialled, in any spelling and perhaps with 184 or 186 in front, is this short number."""
    try:
        digits = dial_string(dialled)
    except NumberFault:
        return False
    return digits in (number, HIDE_PREFIX + number, SHOW_PREFIX + number)


def _domestic(significant: str) -> str:
    """The domestic dial string of what follows +81; the trunk 0 that people leave in is dropped once."""
    rest = significant.removeprefix("0")
    if not rest:
        raise NumberFault("the number after +81 is missing", incomplete=True)
    if len(rest) == 3 and rest[0] == "1":
        return rest  # +81 110 is the service 110, and barred like it
    if rest.startswith(("0", "10")):
        raise NumberFault("no number in Japan begins like this after +81")
    return "0" + rest


def _without_uri(text: str) -> str:
    bare = text.strip().strip("<>")
    scheme = _SCHEME.match(bare)
    if scheme:
        bare = bare[scheme.end() :]
    context = _CONTEXT.search(bare)
    bare = bare.split("@", 1)[0].split(";", 1)[0].split("?", 1)[0]
    if scheme and scheme[1].lower() != "tel":
        bare = bare.split(":", 1)[0]  # a password or a port
    if "%" in bare:
        bare = unquote(bare, errors="replace")
        if "%" in bare or "@" in bare or ";" in bare:
            raise NumberFault("a telephone number has only digits, +, * and #")
    if context and not bare.lstrip().startswith(("+", "＋")):
        _check_context(unquote(context[1], errors="replace"))
    return bare


def _check_context(context: str) -> None:
    """RFC 3966 §5.1.5: a local number means something only in its context; ours is Japan, or a domain's dial plan."""
    code = context.strip().translate(_TRANSLATION)
    if code.startswith("+") and code != "+" + COUNTRY_CODE:
        raise NumberFault("the phone-context is not Japan's")
