"""What SIP must know of a subscriber, in memory: looked up on every request, changed at once when told."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from denwa.voip.media.codec_policy import CodecOrder


class Forward(NamedTuple):
    """Where calls go instead (F1): at once, or when nobody answers. `number` is E.164."""

    always: bool
    number: str


@dataclass(slots=True, frozen=True)
class Subscriber:
    """One subscriber. `number` is E.164; `account` the SIP user name (N2); HA1 in lower-case hexadecimal."""

    number: str
    account: bytes
    ha1_md5: bytes
    ha1_sha256: bytes
    active: bool  # in good standing: may call out (C2)
    ring_time: int  # seconds (V1)
    voicemail: bool
    international: bool  # switched on by the subscriber (N6)
    reject_anonymous: bool  # B2
    blocked: frozenset[str] = frozenset()  # E.164 (B1)
    codecs: CodecOrder = CodecOrder.PHONE  # C3
    forward: Forward | None = None
    priority: bool = False  # may call when only some may (C7)


class Directory:
    """All subscribers by account and by number."""

    def __init__(self) -> None:
        self.by_account: dict[bytes, Subscriber] = {}
        self.by_number: dict[str, Subscriber] = {}

    def put(self, subscriber: Subscriber) -> None:
        old = self.by_number.get(subscriber.number)
        if old is not None and old.account != subscriber.account:
            self.by_account.pop(old.account, None)
        self.by_number[subscriber.number] = subscriber
        self.by_account[subscriber.account] = subscriber

    def remove(self, number: str) -> None:
        old = self.by_number.pop(number, None)
        if old is not None:
            self.by_account.pop(old.account, None)

    def __len__(self) -> int:
        return len(self.by_number)
