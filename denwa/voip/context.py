"""What the parts of the SIP engine share: the wire, the timers, the transactions, the journal group. Sans-IO."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date, timedelta
from hashlib import blake2b
from typing import TYPE_CHECKING, Any, Final

from denwa.numbering.plan import NumberingPlan
from denwa.voip.calls.journal import Group
from denwa.voip.gateways.lines import Lines
from denwa.voip.gateways.sources import Sources
from denwa.voip.gateways.trunk import Trunk as Trunk
from denwa.voip.media.negotiation import Negotiation
from denwa.voip.media.relaying import Relaying
from denwa.voip.mwi.rules import ORDINARY_MWI, MwiRules
from denwa.voip.own_addresses import Home, OwnAddresses
from denwa.voip.proxy.box import NO_BOX, BoxNumbers
from denwa.voip.proxy.fraud import ORDINARY_LIMITS, LimitSettings
from denwa.voip.push.parameters import NO_PUSH, PushRules
from denwa.voip.registrar.guessing import ORDINARY_GUESSING, GuessGuard, GuessLimits
from denwa.voip.sip.digest import Digest
from denwa.voip.sip.message import CALL_ID, USER_AGENT, Message
from denwa.voip.sip.peer import Peer
from denwa.voip.sip.response import make_response, reason_header
from denwa.voip.sip.timers import TimerQueues
from denwa.voip.sip.transactions import ServerTransaction, TransactionLayer
from denwa.voip.subscribers import Directory

if TYPE_CHECKING:
    from denwa.voip.mwi.waiting import MessageWaiting
    from denwa.voip.push.waking import Waking

ALLOW: Final = b"Allow: INVITE, ACK, CANCEL, BYE, OPTIONS, UPDATE, INFO, PRACK, REFER, NOTIFY, SUBSCRIBE, REGISTER"
_MOST_AGENTS: Final = 256
_EPOCH: Final = date(1970, 1, 1)
_DAY_MS: Final = 86_400_000
_JST_MS: Final = 9 * 3_600_000


@dataclass(slots=True)
class HeldGroup(Group):
    """A journal group with what waits for it: messages to be sent after the commit, and (function, argument) pairs
    to be called."""

    answers: list[tuple[Peer, bytes]] = field(default_factory=list)
    registers: list[tuple[bytes, int]] = field(default_factory=list)  # (Call-ID, CSeq) of REGISTERs among the answers
    held: list[tuple[Callable[[Any, float], None], Any]] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class EngineSettings:
    """Times in seconds."""

    host: str  # what Via and Record-Route say
    port: int
    domains: frozenset[bytes]  # names and addresses that mean this service
    realm: bytes
    trunks: tuple[Trunk, ...]
    session_expires: int
    ring_time: int
    min_expires: int
    default_expires: int
    max_expires: int
    max_bindings: int
    probe_interval: int
    calls_per_subscriber: int
    new_calls_per_minute: int
    max_transactions: int
    max_calls: int
    sha256_agents: tuple[bytes, ...]  # offered SHA-256 first
    md5_only_agents: tuple[bytes, ...]
    guide_gateways: bool = False  # callers from the telephone network hear why they are refused, too
    call_seconds: int = 0  # longest call; 0: as long as it likes (C6)
    guessing: GuessLimits = ORDINARY_GUESSING
    push: PushRules = NO_PUSH  # R5
    limits: LimitSettings = ORDINARY_LIMITS
    box: BoxNumbers = NO_BOX  # V6
    mwi: MwiRules = ORDINARY_MWI  # V6
    nat_keepalive: int = 0  # seconds between questions to phones behind NATs over UDP; 0: none (R4)
    homes: tuple[Home, ...] = ()  # every address listened on, `host` and `port` the first; empty: these only


class Context:
    """One engine's shared state. `token` gives unguessable hexadecimal text."""

    def __init__(
        self,
        settings: EngineSettings,
        directory: Directory,
        plan: NumberingPlan,
        digest: Digest,
        token: Callable[[], bytes],
    ) -> None:
        self.settings = settings
        self.directory = directory
        self.plan = plan
        self.media = Negotiation(directory)
        self.relaying: Relaying | None = None  # None: there is no media relay
        self.digest = digest
        self.token = token
        self.timers = TimerQueues()
        self.layer: TransactionLayer
        self.outbox: list[tuple[Peer, bytes]] = []
        self.group = HeldGroup()
        self.counters: Counter[tuple[str, str]] = Counter()
        self.notes: list[str] = []  # log lines for a person; the driver prints them
        self._for_agents: dict[tuple[bytes, bytes], list[bytes]] = {}  # what each kind of client gets of a challenge
        self.now_ms = 0
        self.now = 0.0  # of the message or timer that is being dealt with
        self.journal_ok = True
        self.overloaded = False  # more comes than can be dealt with: new calls are refused
        self.registering: set[tuple[bytes, int]] = set()  # (Call-ID, CSeq) of REGISTERs whose 200 waits for the disk
        self._branches = 0
        self._veil_key = token()
        self._branch_prefix = b"z9hG4bK" + token()[:10]
        self.mwi: MessageWaiting
        self.waking: Waking | None = None  # None: no phone is woken (R5)
        self.own_call_seconds: dict[str, int] = {}  # by subscriber (E.164): its own longest call (C6)
        self.sources = Sources(settings.trunks)
        self.lines = Lines(settings.trunks, self._draw, self.counters, self.note)
        self.guard = GuessGuard(settings.guessing, self.trunk_of)
        self._day = -1
        self._today = _EPOCH
        self.own = OwnAddresses(settings.homes or (Home(settings.host, settings.port),))
        first = self.own.all[0]
        sent_by = self.sent_by = first.sent_by
        # What a callee sees of a caller that hides: requests to it come back to us, and we know where it is.
        self.hidden_uri = b"sip:anonymous@" + sent_by
        self.hidden_contact = b"Contact: <" + self.hidden_uri + b">"
        self.record_route_udp = first.record_route
        self.route_udp = b"Route: <sip:" + sent_by + b";lr>"  # what nearly every phone sends back of it
        self.via_udp = first.via_udp

    def send(self, peer: Peer, data: bytes) -> None:
        self.outbox.append((peer, data))

    def today(self) -> date:
        """The calendar day in Asia/Tokyo (no daylight saving since 1951)."""
        day = (self.now_ms + _JST_MS) // _DAY_MS
        if day != self._day:
            self._day = day
            self._today = _EPOCH + timedelta(days=day)
        return self._today

    def new_branch(self, loop_mark: int = 0) -> bytes:
        """A fresh branch; `loop_mark` is what loop detection compares (RFC 5393 §4.2.1)."""
        self._branches += 1
        return b"%b%x.%x" % (self._branch_prefix, self._branches, loop_mark & 0xFFFFFFFF)

    def own_branch_mark(self, branch: bytes) -> int | None:
        """The loop mark of a branch that this process made, else None."""
        if not branch.startswith(self._branch_prefix):
            return None
        mark = branch.rpartition(b".")[2]
        try:
            return int(mark, 16)
        except ValueError:
            return None

    def via_line(self, peer: Peer, branch: bytes) -> bytes:
        if len(peer) == 2 and not self.own.several:
            return self.via_udp + branch + b";rport"
        return self.own.of(peer).via(peer) + branch + b";rport"

    def respond(
        self, transaction: ServerTransaction, status: int, now: float, extra: list[bytes] | None = None
    ) -> None:
        """Answer a request ourselves."""
        request = transaction.request
        if request is None:
            return
        if status > 100 and not transaction.to_tag:
            transaction.to_tag = self.token()
        data = make_response(request, status, transaction.to_tag, extra)
        self.layer.respond(transaction, status, data, now)

    def refuse(self, transaction: ServerTransaction, status: int, text: str, now: float, *extra: bytes) -> None:
        """Answer with a failure that says why: Reason header, counter, log line."""
        self.note_refusal(transaction.request, status, text)
        self.respond(transaction, status, now, [reason_header(status, text), *extra])

    def note_refusal(self, request: Message | None, status: int, text: str) -> None:
        """The counter and the log line of a refusal."""
        if request is not None:
            call_id = printable(request.call_id or request.value(CALL_ID) or b"?")
            self.note(f"{printable(request.method)} {call_id}: {status} {text}")
        self.counters["refused", str(status)] += 1

    def challenge(self, transaction: ServerTransaction, *, stale: bool, now: float) -> None:
        """407 to an INVITE."""
        request = transaction.request
        if request is not None:
            self.respond(transaction, 407, now, self.challenge_lines(request, True, stale))

    def challenge_lines(self, request: Message, proxy: bool, stale: bool) -> list[bytes]:
        """The challenges of a 401 or 407, the algorithms in the order that this client can read.

        SIPp reads the first challenge only and baresip gives up at any that is not MD5, so SHA-256 stands first
        only for clients known to do it (decision 0002).
        """
        lines = self.digest.challenge(self.now_ms, stale=stale, proxy=proxy)
        if len(lines) == 1:
            return lines
        i = request.at.get(USER_AGENT)
        agent_line = b"" if i is None else request.lines[i]
        key = lines[0], agent_line
        chosen = self._for_agents.get(key)
        if chosen is None:
            if len(self._for_agents) >= _MOST_AGENTS:
                self._for_agents.clear()
            chosen = self._for_agents[key] = self._challenges_for(request.value(USER_AGENT) or b"", lines)
        return chosen

    def _challenges_for(self, agent: bytes, lines: list[bytes]) -> list[bytes]:
        if agent.startswith(self.settings.sha256_agents):
            return lines
        if agent.startswith(self.settings.md5_only_agents):
            return [line for line in lines if b"algorithm=MD5" in line]
        return lines[::-1]

    def stateless(self, request: Message, branch: bytes, status: int, extra: list[bytes] | None = None) -> bytes:
        """An answer for which nothing is kept (RFC 3261 §8.2.7): a retransmission gets the same To tag, because the
        tag is made from what a retransmission repeats."""
        tag = b"%x" % (hash((branch, request.call_id, self._branch_prefix)) & 0xFFFFFFFFFFFFFFFF)
        return make_response(request, status, tag, extra)

    def note(self, text: str) -> None:
        if len(self.notes) < 1000:
            self.notes.append(text)

    def hold(self, function: Callable[[Any, float], None], argument: Any) -> None:
        """Call `function(argument, now)` once the present group is on disk."""
        self.group.held.append((function, argument))

    def veiled(self, name: bytes) -> bytes:
        """A name that stands for another one, which cannot be told from it: 24 hexadecimal digits, the same each time
        while this process lives."""
        return blake2b(name, digest_size=12, key=self._veil_key).hexdigest().encode()

    def is_own_host(self, host: bytes) -> bool:
        return host.lower() in self.settings.domains

    def trunk_of(self, peer: Peer) -> Trunk | None:
        """The gateway that a request comes from (C2)."""
        return self.sources.of(peer)

    def _draw(self, most: int) -> int:
        """Chance, from 0 to `most`."""
        return int(self.token(), 16) % (most + 1)


def printable(value: bytes) -> str:
    return value.decode("utf-8", "replace")
