"""Settings of the store of sounds, ``[sounds]``: messages and greetings in a folder or an S3-compatible store."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, SecretStr

from denwa.numbering.toml_lines import Location

_BUCKET = re.compile(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]")


class Sounds(BaseModel):
    """Where the sound of messages and greetings is. All but ``key_file`` and ``store`` are of ``store = "s3"``."""

    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)

    key_file: Path | None = None  # seals every sound; None: `voicemail.key` in the data folder
    store: Literal["files", "s3"] = "files"  # files: in the data folder
    endpoint: str = ""  # https://host[:port]; empty: Amazon's of the region
    region: str = "us-east-1"
    bucket: str = ""
    prefix: str = ""  # in front of every key, without slashes at its ends
    access_key: str = ""
    secret_key: SecretStr | None = None
    ca_file: Path | None = None  # authorities of the store beside the system's
    timeout: float = Field(10, gt=0, le=60)  # seconds for one request; it is repeated twice in this time again


def check_sounds(sounds: Sounds) -> Iterator[tuple[Location, str]]:
    """(place of the setting, reason) of each that makes no sense."""
    if sounds.store == "files":
        return
    if not _BUCKET.fullmatch(sounds.bucket):
        yield ("sounds", "bucket"), f'{sounds.bucket!r} is no name of a bucket, and store = "s3" needs one'
    if not sounds.access_key:
        yield ("sounds", "access_key"), 'store = "s3" needs it'
    if sounds.secret_key is None or not sounds.secret_key.get_secret_value():
        yield ("sounds", "secret_key"), 'store = "s3" needs it'
    if not sounds.region:
        yield ("sounds", "region"), "must not be empty: many stores take any, us-east-1 for instance"
    if sounds.endpoint and not _is_endpoint(sounds.endpoint):
        # It may hold a password: it is not repeated.
        yield ("sounds", "endpoint"), "write https://host or https://host:port (sounds are sealed: http:// is possible)"
    if any(part in ("", ".", "..") for part in sounds.prefix.split("/")) and sounds.prefix:
        yield ("sounds", "prefix"), f"{sounds.prefix!r}: write it like denwa/voicemail"


def _is_endpoint(text: str) -> bool:
    try:
        parts = urlsplit(text)
        named = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        return False
    bare = not (parts.username or parts.password or parts.query or parts.fragment or parts.path.strip("/"))
    return named and bare and text.isascii() and all(character > " " for character in text)
