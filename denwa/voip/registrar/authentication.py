"""Digest authentication of a request against the directory (RFC 3261 §22): a subscriber, or why there is none."""

from __future__ import annotations

from typing import Final, NamedTuple

from denwa.voip.context import Context
from denwa.voip.sip.digest import Credentials, Verdict, parse_credentials
from denwa.voip.sip.message import AUTHORIZATION, PROXY_AUTHORIZATION, Message
from denwa.voip.subscribers import Subscriber

# Hashed for accounts that do not exist, so that both take the same time; no password has these.
_NO_MD5: Final = b"0" * 32
_NO_SHA256: Final = b"0" * 64


class Unproven(NamedTuple):
    """Why nobody is behind a request: `status` 0 asks for a challenge (`stale`: the password was right)."""

    status: int
    text: str
    stale: bool = False


_NO_CREDENTIALS: Final = Unproven(0, "no credentials")
_OLD_NONCE: Final = Unproven(0, "the nonce is too old", True)
_UNREADABLE: Final = Unproven(400, "credentials cannot be read")
_WRONG: Final = Unproven(403, "wrong user name or password")


def authenticate(ctx: Context, request: Message, *, proxy: bool) -> Subscriber | Unproven:
    """The subscriber whose password signed the request, or what is to be answered."""
    credentials = _ours(ctx, request, PROXY_AUTHORIZATION if proxy else AUTHORIZATION)
    if credentials is None:
        return _NO_CREDENTIALS
    subscriber = ctx.directory.by_account.get(credentials.username)
    verdict = ctx.digest.check(
        credentials,
        request.method,
        request.uri,
        subscriber.ha1_md5 if subscriber else _NO_MD5,
        subscriber.ha1_sha256 if subscriber else _NO_SHA256,
        ctx.now_ms,
    )
    if subscriber is not None:
        if verdict is Verdict.OK:
            return subscriber
        if verdict is Verdict.STALE:
            return _OLD_NONCE
    if verdict is Verdict.MALFORMED:
        return _UNREADABLE
    ctx.counters["authentication_failures", request.method.decode("ascii", "replace")] += 1
    return _WRONG


def _ours(ctx: Context, request: Message, kind: int) -> Credentials | None:
    """The credentials for our realm among those that the request carries."""
    if kind not in request.at:
        return None
    for line in request.lines_of(kind):
        credentials = parse_credentials(line.partition(b":")[2].strip())
        if credentials is not None and credentials.realm == ctx.digest.realm:
            return credentials
    return None
