"""Joins the parts into the running service (composition root)."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import hmac
import logging
import os
import secrets
import time
from collections.abc import Callable, Coroutine, Iterable
from pathlib import Path
from typing import Any

from sqlalchemy import Engine

from denwa.cli.box_wiring import box_numbers
from denwa.cli.gateway_wiring import dns_servers, gateway_names, trunk_of
from denwa.cli.limits_feed import guess_limits, limit_settings
from denwa.cli.mwi_wiring import mwi_rules
from denwa.cli.push_wiring import push_rules
from denwa.config.settings import ConfigurationError, Settings
from denwa.numbering import NumberingPlan
from denwa.rating.rate_calls import Rater
from denwa.storage.directory import DirectoryRow, latest_change, load_changed, load_directory
from denwa.storage.engine import JOURNAL_FILE
from denwa.storage.journal_store import PostgresJournalStore, SqliteJournalStore
from denwa.voicemail.ports import DepositRequest
from denwa.voicemail.service import NoPlace as VoicemailNoPlace
from denwa.voicemail.service import Place as VoicemailPlace
from denwa.voicemail.service import VoicemailService
from denwa.voicemail.visits import VisitRequest
from denwa.voip.calls.cutting import Stop
from denwa.voip.calls.journal import JournalStore
from denwa.voip.context import EngineSettings
from denwa.voip.dns.names import GatewayNames
from denwa.voip.dns.resolver import DnsResolver
from denwa.voip.engine import SipEngine
from denwa.voip.gateways.trunk import Address
from denwa.voip.listen.tls import CertificateFault, Certificates
from denwa.voip.media.codec_policy import CodecOrder
from denwa.voip.own_addresses import Home
from denwa.voip.proxy.ports import LivePrices, NoPlace, Place, PlaceRequest
from denwa.voip.server import Listening, SipServer
from denwa.voip.sip.digest import Digest
from denwa.voip.subscribers import Directory, Forward, Subscriber

log = logging.getLogger(__name__)
RATING_PAUSE = 1.0  # seconds between runs: a run costs the same for one call as for a hundred


def open_journal_store(settings: Settings) -> JournalStore:
    """The journal behind the writer thread, on the driver directly."""
    if settings.database.url:
        return PostgresJournalStore(settings.database.url)
    return SqliteJournalStore(settings.data_dir / JOURNAL_FILE)


def engine_settings(settings: Settings) -> EngineSettings:
    sip, limits = settings.sip, settings.limits
    homes = tuple(Home(one.host or one.bind, one.port, one.tls_port) for one in sip.listeners)
    names = [f"[{home.host}]" if ":" in home.host else home.host for home in homes]
    domains = {name.lower().encode() for name in (*sip.domains, *names, settings.realm)}
    if any(home.host in ("127.0.0.1", "::1") for home in homes):
        domains.add(b"localhost")
    return EngineSettings(
        host=homes[0].host,
        port=homes[0].port,
        homes=homes,
        domains=frozenset(domains),
        realm=settings.realm.encode(),
        trunks=tuple(trunk_of(gateway) for gateway in settings.gateways),
        session_expires=sip.session_expires,
        ring_time=sip.ring_time,
        min_expires=sip.min_expires,
        default_expires=sip.default_expires,
        max_expires=sip.max_expires,
        max_bindings=sip.max_bindings,
        probe_interval=sip.probe_interval,
        mwi=mwi_rules(settings),
        nat_keepalive=sip.nat_keepalive,
        calls_per_subscriber=limits.calls_per_subscriber,
        new_calls_per_minute=limits.new_calls_per_minute,
        max_transactions=limits.transactions,
        max_calls=limits.calls,
        call_seconds=limits.call_seconds,
        sha256_agents=tuple(name.encode() for name in sip.sha256_agents),
        md5_only_agents=tuple(name.encode() for name in sip.md5_only_agents),
        push=push_rules(settings),
        guide_gateways=settings.guidance.gateways,
        guessing=guess_limits(settings),
        limits=limit_settings(settings),
        box=box_numbers(settings),
    )


def open_certificates(settings: Settings) -> Certificates | None:
    """None: nothing speaks TLS here. Raises ConfigurationError."""
    sip = settings.sip
    if sip.tls_certificate is None or sip.tls_key is None:
        return None
    try:
        ask = any(gateway.certificates for gateway in settings.gateways)
        return Certificates(sip.tls_certificate, sip.tls_key, sip.tls_ca_file, ask_clients=ask)
    except CertificateFault as fault:
        raise ConfigurationError(f"sip.tls_certificate, sip.tls_key: {fault}") from None


def listening(settings: Settings) -> list[Listening]:
    return [Listening(one.bind, one.port, one.tls_port) for one in settings.sip.listeners]


def make_engine(
    settings: Settings,
    plan: NumberingPlan,
    key: bytes,
    places: VoicemailPlacesOfService | None,
    prices: LivePrices | None = None,
) -> SipEngine:
    """`key`: the data folder's. `prices` None: no limit is set by money."""
    engine = engine_settings(settings)
    # Nonces stay good across a restart, so that nobody is asked for a password because of one.
    digest = Digest(
        settings.realm.encode(),
        tuple(name.encode() for name in settings.sip.digest_algorithms),
        hmac.new(key, b"digest nonces", hashlib.sha256).digest(),
        settings.sip.nonce_lifetime,
        own_hosts=engine.domains,
    )
    guidance = places if settings.guidance.enabled else None
    return SipEngine(engine, Directory(), plan, digest, _token_source(), places, guidance, prices=prices)


def _token_source() -> Callable[[], bytes]:
    """Unguessable tokens of 16 hexadecimal digits, cut from larger draws: a system call for each would show."""
    drawn: list[bytes] = []

    def token() -> bytes:
        if not drawn:
            text = secrets.token_hex(4096).encode()
            drawn.extend(text[i : i + 16] for i in range(0, len(text), 16))
        return drawn.pop()

    return token


class DirectoryFeed:
    """Keeps the engine's directory like the database: whole at start, by change afterwards.

    `stop_calls(number, why)` ends calls that may not go on after a change; `end_suspended`: a suspension is one.
    """

    def __init__(self, main: Engine, engine: SipEngine, realm: str, *, end_suspended: bool = True) -> None:
        self.stop_calls: Callable[[str, Stop], int] = lambda number, why: 0
        self._end_suspended = end_suspended
        self._main = main
        self._engine = engine
        self._realm = realm
        self._seq = 0
        self._lock = asyncio.Lock()

    def load(self) -> None:
        self._seq = latest_change(self._main)
        directory = self._engine.ctx.directory
        for row in load_directory(self._main):
            directory.put(_subscriber(row))
            if row.realm != self._realm:
                log.error("subscriber %s…: password was hashed for realm %s", row.number[:8], row.realm)

    async def refresh(self) -> None:
        """Take up what has changed since the last time."""
        async with self._lock:
            rows, self._seq = await asyncio.to_thread(load_changed, self._main, self._seq)
        directory = self._engine.ctx.directory
        for row in rows:
            known = directory.by_number.get(row.number)
            if row.state == "terminated":
                self.stop_calls(row.number, Stop.TERMINATED)
                directory.remove(row.number)
                self._engine.registrar.forget(row.account.encode())
                continue
            directory.put(_subscriber(row))
            if known is None:
                continue
            if known.ha1_md5 != row.ha1_md5.encode():
                # N2: a device that holds the old password stops at once, also to ring.
                self._engine.registrar.forget(known.account)
                self.stop_calls(row.number, Stop.PASSWORD)
            if known.active and row.state != "active" and self._end_suspended:
                self.stop_calls(row.number, Stop.SUSPENDED)


def _subscriber(row: DirectoryRow) -> Subscriber:
    return Subscriber(
        number=row.number,
        account=row.account.encode(),
        ha1_md5=row.ha1_md5.encode(),
        ha1_sha256=row.ha1_sha256.encode(),
        active=row.state == "active",
        ring_time=row.ring_time,
        voicemail=row.voicemail,
        international=row.international,
        reject_anonymous=row.reject_anonymous,
        blocked=row.blocked,
        codecs=CodecOrder(row.codecs),
        forward=Forward(row.forward_mode == "always", row.forward_target) if row.forward_target else None,
        priority=row.priority,
    )


_Asked = Coroutine[Any, Any, VoicemailPlace | VoicemailNoPlace]


class VoicemailPlacesOfService:
    """The proxy's port to the voicemail, over the voicemail service of this process."""

    def __init__(self, service: VoicemailService) -> None:
        self._service = service
        self._jobs: set[asyncio.Task[None]] = set()
        self.flush: Callable[[], None] = lambda: None

    def request(self, wish: PlaceRequest, deliver: Callable[[Place | NoPlace, float], None]) -> None:
        request = DepositRequest(
            mailbox=wish.mailbox,
            caller=wish.caller,
            hidden_reason=wish.hidden,
            call_id=wish.call_id,
            cause=wish.cause,
            account=wish.account,
        )
        self._ask(self._service.lease(request), deliver)

    def visit(self, mailbox: str, call_id: str, deliver: Callable[[Place | NoPlace, float], None]) -> None:
        self._ask(self._service.visit(VisitRequest(mailbox, call_id)), deliver)

    def _ask(self, asked: _Asked, deliver: Callable[[Place | NoPlace, float], None]) -> None:
        job = asyncio.get_running_loop().create_task(self._deliver(asked, deliver))
        self._jobs.add(job)
        job.add_done_callback(self._jobs.discard)

    async def _deliver(self, asked: _Asked, deliver: Callable[[Place | NoPlace, float], None]) -> None:
        answer: Place | NoPlace
        try:
            found = await asked
        except Exception:
            log.exception("voicemail gives no place")
            answer = NoPlace(480, "voicemail is not available")
        else:
            if isinstance(found, VoicemailNoPlace):
                answer = NoPlace(found.status, found.reason, found.full)
            else:
                answer = Place(found.uri.encode(), (found.host, found.port), found.lease)
        deliver(answer, time.monotonic())
        self.flush()

    def guide(self, prompt: str) -> Place | None:
        found = self._service.guide(prompt)
        return Place(found.uri.encode(), (found.host, found.port), found.lease) if found is not None else None

    def release(self, lease: str) -> None:
        self._service.release(lease)


def names_of_gateways(settings: Settings, server: SipServer, certificates: dict[tuple[str, int], str]) -> GatewayNames:
    """What keeps the addresses of gateways given by name; `certificates`: the TLS listener's `tls_names`."""

    def tell(gateway: str, addresses: list[Address], sources: Iterable[tuple[str, int]]) -> None:
        server.engine.carriers.locate(gateway, addresses, sources, time.monotonic())
        server.flush()

    resolver = DnsResolver(dns_servers(settings), settings.dns.timeout)
    return GatewayNames(resolver, gateway_names(settings), tell, certificates)


class RatingLoop:
    """Rates calls soon after they have ended, one run at a time."""

    def __init__(self, rater: Rater) -> None:
        self._rater = rater
        self._wake = asyncio.Event()
        self._lock = asyncio.Lock()
        self.failed = False

    def wake(self) -> None:
        self._wake.set()

    async def run(self) -> None:
        while True:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(10.0):
                    await self._wake.wait()
            self._wake.clear()
            try:
                await self.catch_up()
                self.failed = False
            except Exception:
                # The calls stay in the journal and are rated when the database is back.
                self.failed = True
                log.exception("rating failed and is tried again")
            await asyncio.sleep(RATING_PAUSE)

    async def catch_up(self) -> None:
        async with self._lock:
            await asyncio.to_thread(self._rater.catch_up, time.time_ns() // 1_000_000)

    async def gauges(self) -> dict[str, float]:
        """How many calls cannot be rated: the figure to alert on."""
        progress = await asyncio.to_thread(self._rater.ledger.progress)
        return {"calls_not_rated": float(progress.problems)}


def engine_counters(server: SipServer) -> dict[tuple[str, str], int]:
    return dict(server.engine.ctx.counters)


def engine_levels(server: SipServer) -> dict[tuple[str, str], float]:
    """Gauges of each gateway by its name."""
    ready = server.engine.ctx.lines.in_service(time.monotonic())
    return {("gateway_in_service", name): float(usable) for name, usable in ready.items()}


def engine_gauges(server: SipServer, folders: Iterable[Path]) -> dict[str, float]:
    engine = server.engine
    certificates = server.certificates
    return {
        **({"tls_certificate_expires": certificates.expires} if certificates else {}),
        **engine.ctx.lines.counts(time.monotonic()),
        "calls_in_progress": len(engine.calls),
        "relay_sessions": engine.ctx.relaying.sessions if engine.ctx.relaying is not None else 0,
        "bindings": engine.registrar.count(),
        "mwi_subscriptions": len(engine.mwi.notifier),
        "mwi_waiting": len(engine.mwi.pace),
        "subscribers": len(engine.ctx.directory),
        "sources_silenced": len(engine.ctx.guard.silenced),
        "transactions": len(engine.ctx.layer.servers) + len(engine.ctx.layer.clients),
        **{f"disk_free_bytes_{i}": float(_free(folder)) for i, folder in enumerate(folders)},
    }


def _free(folder: Path) -> int:
    stat = os.statvfs(folder)
    return stat.f_bavail * stat.f_frsize
