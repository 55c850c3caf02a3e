"""What a phone says of its push notification service in its Contact, and what is answered (RFC 8599 §4, §5). Pure."""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache
from typing import Final, NamedTuple

from denwa.voip.sip.uri import SipUri, UriFault, parse_uri, unescape

NOT_SUPPORTED: Final = 555  # RFC 8599 §9


class PushRules(NamedTuple):
    """How phones are woken. No `providers`: nobody is, and push parameters mean nothing here. Times in seconds.

    `wait`: for the REGISTER of a woken phone, within the ring time. `awake`: a phone that registered so lately is
    called at once. `max_expires`: longest registration granted to a phone that can be woken. `lapse`: since its last
    REGISTER, after which it is registered no more whatever its expiry says (R5).
    """

    providers: tuple[bytes, ...] = ()
    wait: int = 15
    awake: int = 30
    max_expires: int = 1_209_600
    lapse: int = 1_209_600
    waiting_calls: int = 1000
    tell_caller: bool = False

    @property
    def longest(self) -> int:
        """Seconds granted at most; 0 when nobody is woken."""
        return min(self.max_expires, self.lapse) if self.providers else 0


NO_PUSH: Final = PushRules()


class PushDevice(NamedTuple):
    """Where a phone is woken: values of pn-provider, pn-param and pn-prid, unescaped (RFC 8599 §8.1-8.3)."""

    provider: str
    param: str
    prid: str


def can_be_woken(contact: bytes) -> bool:
    """A quick look, without false negatives: whether a Contact URI may name a push device."""
    return b";pn-p" in contact or b";pn-p" in contact.lower()


def push_device(contact: str) -> PushDevice | None:
    """The push device in a Contact URI, None when there is none that could be woken."""
    return _read(contact) if ";pn-p" in contact or ";pn-p" in contact.lower() else None


@lru_cache(maxsize=4096)
def _read(contact: str) -> PushDevice | None:
    params = _params(contact.encode())
    provider, prid = params.get(b"pn-provider", b""), params.get(b"pn-prid", b"")
    if not provider or not prid:
        return None
    return PushDevice(_text(provider).lower(), _text(params.get(b"pn-param", b"")), _text(prid))


def unsupported(contacts: Iterable[bytes], rules: PushRules) -> bytes | None:
    """The first push service asked for that is not served here (555, RFC 8599 §5.3.1), None when there is none."""
    for contact in contacts:
        if can_be_woken(contact):
            provider = _params(contact).get(b"pn-provider", b"").lower()
            if provider and provider not in rules.providers:
                return provider
    return None


def capabilities(contacts: Iterable[bytes], rules: PushRules) -> list[bytes]:
    """Feature-Caps of a 200 (RFC 8599 §5.3.1, RFC 6809): the services that the phone named, or all when it only asks
    (pn-provider without a value)."""
    served: dict[bytes, None] = {}
    for contact in contacts:
        if can_be_woken(contact):
            params = _params(contact)
            if b"pn-provider" in params:
                provider = params[b"pn-provider"].lower()
                served |= dict.fromkeys((provider,) if provider else rules.providers)
    return [b'Feature-Caps: *;+sip.pns="%b"' % provider for provider in served]


def _params(contact: bytes) -> dict[bytes, bytes]:
    try:
        uri = parse_uri(contact)
    except UriFault:
        return {}
    return dict(uri.params) if isinstance(uri, SipUri) else {}


def _text(value: bytes) -> str:
    return unescape(value).decode("utf-8", "replace")
