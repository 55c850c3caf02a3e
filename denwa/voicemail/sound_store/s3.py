"""Sounds in an S3-compatible store (Amazon's, or one of the operator's own: MinIO, Ceph, SeaweedFS, Garage)."""

from __future__ import annotations

import re
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import obstore
from obstore.exceptions import BaseError
from obstore.store import S3Store

from denwa.voicemail.sound_store.faults import StoreAway

_RETRIES = 2
_CODE = re.compile(r"<Code>(\w+)</Code>")
_WORDS = {
    "NoSuchBucket": "the bucket does not exist (sounds.bucket)",
    "InvalidAccessKeyId": "the access key is unknown there (sounds.access_key)",
    "SignatureDoesNotMatch": "the secret key is wrong (sounds.secret_key)",
    "AccessDenied": "the access key may not do that: it needs to list, read, write and delete in the bucket",
    "RequestTimeTooSkewed": "this machine's clock is wrong",
}
# What the library knows below HTTP, as it prints it.
_BELOW = (
    ("dns error", "its name is not known"),
    ("ConnectionRefused", "nobody listens there"),
    ("InvalidCertificate", "its certificate is of no authority that is trusted (sounds.ca_file), or for another name"),
    ("InvalidContentType", "it does not speak TLS there: http://?"),
    ("kind: Timeout", "no answer in time (sounds.timeout)"),
    ("kind: Connect", "it cannot be reached"),
)


@dataclass(frozen=True, slots=True)
class Bucket:
    """`endpoint` empty: Amazon's of the region. `timeout`: seconds for one request."""

    name: str
    region: str
    access_key: str
    secret_key: str = field(repr=False)
    endpoint: str = ""
    prefix: str = ""
    authorities: bytes | None = field(default=None, repr=False)  # PEM, beside the system's
    timeout: float = 10.0


class S3Objects:
    """Implements Objects. A request that fails is repeated twice; safe to use from many threads."""

    shared = True

    def __init__(self, bucket: Bucket) -> None:
        """Asks nobody. Raises ValueError for authorities that are none."""
        self._where = f"S3 bucket {bucket.name}" + (f" at {bucket.endpoint}" if bucket.endpoint else "")
        # Given as a provider, they are all that counts: no AWS_… variable of the machine mixes with them.
        credentials = {"access_key_id": bucket.access_key, "secret_access_key": bucket.secret_key, "expires_at": None}
        client = {"timeout": timedelta(seconds=bucket.timeout), "allow_http": True}
        client["connect_timeout"] = timedelta(seconds=min(5.0, bucket.timeout))
        if bucket.authorities is not None:
            client["root_certificate"] = bucket.authorities
        try:
            self._store = S3Store(
                bucket.name,
                prefix=bucket.prefix or None,
                region=bucket.region,
                credential_provider=lambda: credentials,  # type: ignore[arg-type]
                skip_signature=False,
                disable_bulk_delete=True,  # some stores have none
                client_options=client,  # type: ignore[arg-type]
                retry_config={"max_retries": _RETRIES, "retry_timeout": timedelta(seconds=bucket.timeout)},
                endpoint=bucket.endpoint or f"https://s3.{bucket.region}.amazonaws.com",
            )
        except BaseError as fault:
            raise ValueError(str(fault).splitlines()[0]) from None

    def put(self, key: str, data: bytes) -> None:
        with self._words():
            obstore.put(self._store, key, data, use_multipart=False)

    def get(self, key: str) -> bytes:
        with self._words():
            return bytes(obstore.get(self._store, key).bytes())

    def has(self, key: str) -> bool:
        try:
            with self._words():
                # Not HEAD: its answer has no body to tell a missing sound from a missing bucket.
                obstore.get_range(self._store, key, start=0, length=1)
        except FileNotFoundError:
            return False
        return True

    def delete(self, key: str) -> None:
        try:
            with self._words():
                obstore.delete(self._store, key)
        except FileNotFoundError:
            return

    def listing(self) -> dict[str, datetime]:
        with self._words():
            return {one["path"]: one["last_modified"] for batch in obstore.list(self._store) for one in batch}

    def check(self) -> list[str]:
        key = f"check/{secrets.token_hex(8)}"
        found = []
        with self._words():
            written = obstore.put(self._store, key, key.encode(), use_multipart=False)
            if bytes(obstore.get(self._store, key).bytes()) != key.encode():
                found.append(f"{self._where}: what is read is not what was written")
            obstore.delete(self._store, key)
        if written["version"] not in (None, "null"):
            found.append(
                f"{self._where}: it keeps old versions: deleted messages could be restored (V4), switch it off"
            )
        return found

    @contextmanager
    def _words(self) -> Iterator[None]:
        """Turn the library's faults into ours."""
        try:
            yield
        except FileNotFoundError as fault:
            code = _CODE.search(str(fault))
            if code and code[1] == "NoSuchKey":
                raise FileNotFoundError(f"{self._where}: there is no such sound") from None
            raise StoreAway(f"{self._where}: {_reason(str(fault))}") from None
        except (BaseError, PermissionError, TimeoutError) as fault:
            raise StoreAway(f"{self._where}: {_reason(str(fault))}") from None


def _reason(text: str) -> str:
    code = _CODE.search(text)
    if code:
        return _WORDS.get(code[1], f"it says {code[1]}")
    for sign, words in _BELOW:
        if sign in text:
            return words
    return text.partition("\n")[0].rpartition(" - ")[2]
