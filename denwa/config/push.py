"""Settings of the push service that wakes phones, ``[push]`` (R5)."""

from __future__ import annotations

from collections.abc import Iterator
from ipaddress import ip_address
from pathlib import Path
from urllib.parse import SplitResult, urlsplit

from pydantic import BaseModel, ConfigDict, Field, SecretStr

from denwa.numbering.toml_lines import Location

SHORTEST_SECRET = 16


class Push(BaseModel):
    """Phones that sleep are woken through the operator's ``url`` (empty: none are). Times in seconds."""

    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)

    url: str = ""
    secret: SecretStr | None = None  # key of the signature
    ca_file: Path | None = None  # authorities of the server at `url`; None: the system's
    providers: list[str] = Field(["apns", "fcm"], min_length=1)  # values of pn-provider (RFC 8599 §14.3)
    timeout: int = Field(3, ge=1, le=30)  # for one attempt; there are two
    wait: int = Field(15, ge=1, le=60)  # for the phone, within the ring time
    awake: int = Field(30, ge=0)  # a phone that registered so lately is called at once
    max_expires: int = Field(1_209_600, ge=60)
    lapse_days: int = Field(14, ge=1)  # since its last REGISTER
    waiting_calls: int = Field(1000, ge=1)
    tell_caller: bool = False  # tell the push service who calls


def check_push(push: Push) -> Iterator[tuple[Location, str]]:
    """(place of the setting, reason) of each that makes no sense."""
    if not push.url:
        return
    secret = push.secret.get_secret_value() if push.secret else ""
    if len(secret) < SHORTEST_SECRET:
        yield ("push", "secret"), f"push.url needs a secret of at least {SHORTEST_SECRET} characters"
    try:
        parts = urlsplit(push.url)
        usable = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        usable = False
    if not usable or not push.url.isascii() or any(character <= " " for character in push.url):
        # It may hold a password: it is not repeated.
        yield ("push", "url"), "write https://host/path"
    elif parts.scheme == "http" and not _is_loopback(parts):
        yield ("push", "url"), "http:// is for this machine only: it says who is called, write https://"
    for index, name in enumerate(push.providers):
        if not name or not name.isascii() or not name.replace("-", "").replace(".", "").isalnum():
            yield ("push", "providers", index), f"{name!r} is no name of a push service"


def _is_loopback(parts: SplitResult) -> bool:
    try:
        return ip_address(parts.hostname or "").is_loopback
    except ValueError:
        return parts.hostname == "localhost"
