"""Digest authentication of a request against the directory (RFC 3261 §22): a subscriber, or why there is none."""

from __future__ import annotations

from typing import Final, NamedTuple

from denwa.voip.context import Context
from denwa.voip.sip.authorization import Credentials, parse_credentials
from denwa.voip.sip.digest import Verdict
from denwa.voip.sip.message import AUTHORIZATION, PROXY_AUTHORIZATION, Message
from denwa.voip.sip.peer import Peer
from denwa.voip.subscribers import Subscriber

# Hashed for accounts that do not exist, so that both take the same time; no password has these.
_NO_MD5: Final = b"0" * 32
_NO_SHA256: Final = b"0" * 64


class Unproven(NamedTuple):
    """Why nobody is behind a request: `status` 0 asks for a challenge (`stale`: the password was right).

    `retry_after`: seconds until it is of use to ask again; 0: not said.
    """

    status: int
    text: str
    stale: bool = False
    retry_after: int = 0

    def headers(self) -> list[bytes]:
        return [b"Retry-After: %d" % self.retry_after] if self.retry_after else []


_NO_CREDENTIALS: Final = Unproven(0, "no credentials")
_OLD_NONCE: Final = Unproven(0, "the nonce is too old", True)
_UNREADABLE: Final = Unproven(400, "credentials cannot be read")
_WRONG: Final = Unproven(403, "wrong user name or password")


def authenticate(ctx: Context, request: Message, peer: Peer, *, proxy: bool) -> Subscriber | Unproven:
    """The subscriber whose password signed the request that came from `peer`, or what is to be answered."""
    credentials = _ours(ctx, request, PROXY_AUTHORIZATION if proxy else AUTHORIZATION)
    guard = ctx.guard
    if credentials is None:
        if not guard.is_known(peer):
            guard.strike(peer, request.to_uri, ctx.now_ms)
        return _NO_CREDENTIALS
    wait = guard.wait_for(peer, credentials.username, ctx.now_ms)
    if wait:
        guard.strike(peer, credentials.username, ctx.now_ms)
        ctx.counters["guessing", "not looked at"] += 1
        return Unproven(503, "too many wrong passwords", retry_after=wait)
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
            if guard.proved(peer, credentials.username, credentials.response):
                return subscriber
            ctx.counters["guessing", "replayed"] += 1
            return _OLD_NONCE
        if verdict is Verdict.STALE:
            return _OLD_NONCE
    if verdict is Verdict.MALFORMED:
        return _UNREADABLE
    guard.failed(peer, credentials.username, ctx.now_ms)
    ctx.counters["authentication_failures", request.method.decode("ascii", "replace")] += 1
    return _WRONG


def _ours(ctx: Context, request: Message, kind: int) -> Credentials | None:
    """The credentials for our realm among those that the request carries."""
    if kind not in request.at:
        return None
    if request.credentials is not None:  # of the one header of the one kind that it has
        return request.credentials if request.credentials.realm == ctx.digest.realm else None
    for value in request.values(kind):
        credentials = parse_credentials(value)
        if credentials is not None and credentials.realm == ctx.digest.realm:
            return credentials
    return None
