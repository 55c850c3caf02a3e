"""Digest authentication of a request against the directory (RFC 3261 §22): a subscriber, or an answer was sent."""

from __future__ import annotations

from typing import Final

from denwa.voip.context import Context
from denwa.voip.sip.digest import Credentials, Verdict, parse_credentials
from denwa.voip.sip.message import AUTHORIZATION, PROXY_AUTHORIZATION, Message
from denwa.voip.sip.transactions import ServerTransaction
from denwa.voip.subscribers import Subscriber

# Hashed for accounts that do not exist, so that both take the same time; no password has these.
_NO_MD5: Final = b"0" * 32
_NO_SHA256: Final = b"0" * 64


def authenticate(
    ctx: Context, transaction: ServerTransaction, request: Message, *, proxy: bool, now: float
) -> Subscriber | None:
    """The subscriber whose password signed the request; None when a challenge or a refusal has been sent instead."""
    credentials = _ours(ctx, request, PROXY_AUTHORIZATION if proxy else AUTHORIZATION)
    if credentials is None:
        ctx.challenge(transaction, proxy=proxy, stale=False, now=now)
        return None
    subscriber = ctx.directory.by_account.get(credentials.username)
    verdict = ctx.digest.check(
        credentials,
        request.method,
        request.uri,
        subscriber.ha1_md5 if subscriber else _NO_MD5,
        subscriber.ha1_sha256 if subscriber else _NO_SHA256,
        ctx.now_ms,
    )
    if verdict is Verdict.OK and subscriber is not None:
        return subscriber
    if verdict is Verdict.STALE and subscriber is not None:
        ctx.challenge(transaction, proxy=proxy, stale=True, now=now)
    elif verdict is Verdict.MALFORMED:
        ctx.refuse(transaction, 400, "credentials cannot be read", now)
    else:
        ctx.counters["authentication_failures", request.method.decode("ascii", "replace")] += 1
        ctx.refuse(transaction, 403, "wrong user name or password", now)
    return None


def _ours(ctx: Context, request: Message, kind: int) -> Credentials | None:
    """The credentials for our realm among those that the request carries."""
    if kind not in request.at:
        return None
    for line in request.lines_of(kind):
        credentials = parse_credentials(line.partition(b":")[2].strip())
        if credentials is not None and credentials.realm == ctx.digest.realm:
            return credentials
    return None
