"""A call on its way to the telephone network: which gateways it is tried at, how it is written for each, and what an
answer means for the next try (C1). One call rings at one gateway at most."""

from __future__ import annotations

from enum import Enum
from typing import TYPE_CHECKING, Final

from denwa.voip.gateways.credentials import challenge_of
from denwa.voip.gateways.formats import dressed, request_uri
from denwa.voip.gateways.lines import Line
from denwa.voip.gateways.registration import retry_after
from denwa.voip.sip.fields import tag_of
from denwa.voip.sip.message import FROM, PROXY_AUTHORIZATION, Message

if TYPE_CHECKING:
    from denwa.voip.calls.call import Call, CallTable
    from denwa.voip.context import Context

SILENCE_LIMIT: Final = 2.5  # seconds without any answer after which the next gateway is tried
MOST_CHALLENGES: Final = 2  # of one call at one gateway: the second because the nonce had aged


class Verdict(Enum):
    """What a failure from a gateway means."""

    FINAL = "final"  # it speaks for the called side
    NEXT = "next"  # it speaks for the gateway: another may do better
    AGAIN = "again"  # it wants credentials, and has not seen ours
    UNKNOWN_TO_IT = "unknown to it"  # it wants credentials that we do not have


class Outward:
    def __init__(self, ctx: Context, calls: CallTable) -> None:
        self._ctx = ctx
        self._calls = calls

    def written(self, call: Call, prepared: Message, line: Line, uri: bytes, tries: int) -> Message:
        """The INVITE for this line: a copy as its gateway wants it, with credentials where they are known.

        `tries` counts how often this gateway has challenged this call: a challenged INVITE is begun anew, as a call of
        its own (another From tag), or it would be taken for one that came on two ways (RFC 3261 §8.2.2.2).
        """
        ctx = self._ctx
        trunk = line.trunk
        if ctx.lines.counting:
            ctx.lines.take(call.id, trunk)
        request = dressed(prepared, trunk.format, ctx.settings.realm)
        sender = request.value(FROM) or b""
        if tries:
            tag = ctx.token()
            sender = sender.replace(b";tag=" + tag_of(sender), b";tag=" + tag)
            request.replace(FROM, b"From: " + sender)
            self._calls.alias(call, tag)
        call.caller_shown = sender
        credentials = ctx.lines.gateways[trunk.name].credentials
        if credentials is not None and credentials.known:
            request.remove(PROXY_AUTHORIZATION)
            request.lines.append(credentials.line(b"INVITE", uri, ctx.token()))
        return request

    def judge(self, call: Call, line: Line, response: Message, rang: bool, tries: int, now: float) -> Verdict:
        """What a failure (300 and above) from this line means; the line's health takes note."""
        verdict = self._judge(call, line, response, rang, tries, now)
        if verdict is not Verdict.AGAIN:
            self._ctx.lines.count(line.trunk, "refused" if verdict is Verdict.FINAL else "failed")
            self._ctx.lines.count_refusal(line.trunk, response.status)
        return verdict

    def _judge(self, call: Call, line: Line, response: Message, rang: bool, tries: int, now: float) -> Verdict:
        ctx = self._ctx
        status = response.status
        if status in (401, 407):
            return self._challenged(line, response, tries, now)
        if status == 503:
            ctx.lines.bad(line, "it answers 503", now, retry_after(response))
        else:
            ctx.lines.good(line, now)
        if 500 <= status < 600 and not rang:
            ctx.lines.give_back(call.id, line.trunk)
            return Verdict.NEXT
        return Verdict.FINAL

    def _challenged(self, line: Line, response: Message, tries: int, now: float) -> Verdict:
        ctx = self._ctx
        credentials = ctx.lines.gateways[line.trunk.name].credentials
        challenge = challenge_of(response)
        if credentials is not None and challenge is not None:
            had_fresh = credentials.known and tries > 0 and not challenge.stale
            if not had_fresh and tries < MOST_CHALLENGES:
                credentials.challenged(challenge)
                return Verdict.AGAIN
            credentials.forget()
        ctx.lines.bad(line, f"it answers {response.status} and does not know us", now)
        return Verdict.UNKNOWN_TO_IT

    def left(self, line: Line | None, *, cancelled: bool) -> None:
        """The call went on without this line: its caller or our patience ended it, or what it said is of no use."""
        if line is not None:
            self._ctx.lines.count(line.trunk, "cancelled" if cancelled else "failed")

    def silent(self, call: Call, line: Line, now: float) -> None:
        """It said nothing, or could not be reached."""
        self._ctx.lines.bad(line, "it does not answer INVITE", now)
        self._ctx.lines.count(line.trunk, "failed")
        self._ctx.lines.count_refusal(line.trunk, 0)
        self._ctx.lines.give_back(call.id, line.trunk)


def uri_for(e164: str, line: Line) -> bytes:
    return request_uri(e164, line.peer, line.trunk.format)
