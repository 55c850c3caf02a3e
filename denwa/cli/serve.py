"""`denwa serve`: the whole service in the foreground."""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import gc
import ipaddress
import json
import logging
import signal
import sys
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

import click
import uvicorn
from sqlalchemy import Engine
from sqlalchemy.exc import SQLAlchemyError

from denwa.cli.billing_day import BillingDay, StepProcess
from denwa.cli.box_wiring import access_number_fault, box_access
from denwa.cli.demo import ensure_demo
from denwa.cli.desk import data_folder_key, utc_now
from denwa.cli.gateway_wiring import tls_names
from denwa.cli.limits_feed import LimitsFeed, TariffPrices
from denwa.cli.main import StateError, settings_of
from denwa.cli.media_wiring import attach_relay
from denwa.cli.mwi_wiring import MailboxLamps, open_lamps
from denwa.cli.push_wiring import attach_push
from denwa.cli.rating_desk import open_rater
from denwa.cli.wiring import (
    DirectoryFeed,
    RatingLoop,
    VoicemailPlacesOfService,
    engine_counters,
    engine_gauges,
    engine_levels,
    listening,
    make_engine,
    names_of_gateways,
    open_certificates,
    open_journal_store,
)
from denwa.config.settings import ConfigurationError, Settings
from denwa.contracts.desk import TOKYO
from denwa.control.socket import LINE_BREAK, SOCKET_NAME, listen
from denwa.mypage.app import web_application
from denwa.numbering import NumberingPlan, PlanFault, load_plan
from denwa.storage.deadline_store import DeadlineStore
from denwa.storage.engine import open_journal, open_main
from denwa.storage.greeting_store import GreetingStore
from denwa.storage.journal_writer import JournalWriter
from denwa.storage.migrate import upgrade_all
from denwa.storage.outbox_store import OutboxStore
from denwa.storage.voicemail_store import MailboxStore, OwnerStore
from denwa.voicemail.service import VoicemailService
from denwa.voip.calls.cutting import Stop
from denwa.voip.calls.journal import JournalStore
from denwa.voip.server import SipServer
from denwa.voip.sip.trace import Trace

log = logging.getLogger("denwa")
GARBAGE_INTERVAL = 30.0  # seconds


@click.command()
@click.option("--config", "config_file", type=click.Path(path_type=Path), help="TOML file (or DENWA_CONFIG)")
@click.option("--demo", is_flag=True, help="demonstration data; loopback only")
@click.pass_context
def serve(ctx: click.Context, config_file: Path | None, demo: bool) -> None:
    """Run the service in the foreground; logs go to stderr."""
    settings = settings_of(ctx, demo=demo, config=config_file)
    if demo:
        _only_loopback(settings)
    logging.basicConfig(stream=sys.stderr, level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s %(message)s")
    logging.getLogger("alembic").setLevel(logging.WARNING)
    try:
        plan = load_plan(settings.numbering.directory, settings.numbering.operator_file)
    except PlanFault as fault:
        raise ConfigurationError(str(fault)) from None
    if wrong := access_number_fault(settings, plan, utc_now().astimezone(TOKYO).date()):
        raise ConfigurationError(f"voicemail.access_number: {wrong}")
    settings.data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
    with _only_one(settings.data_dir):
        _run(Service(settings, plan))


def _only_loopback(settings: Settings) -> None:
    more = [(f"sip.listen {n}", one.bind) for n, one in enumerate(settings.sip.listen, 1)]
    for name, host in (("sip.bind", settings.sip.bind), ("http.bind", settings.http.bind), *more):
        try:
            loopback = ipaddress.ip_address(host).is_loopback
        except ValueError:
            loopback = host == "localhost"
        if not loopback:
            raise ConfigurationError(f"--demo listens on loopback only; {name} is {host}")


@contextlib.contextmanager
def _only_one(data_dir: Path) -> Iterator[None]:
    """Two services on one data folder would write one journal."""
    with (data_dir / "service.lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise StateError(f"a service runs already on {data_dir}") from None
        yield


def _run(service: Service) -> None:
    try:
        import uvloop
    except ImportError:
        asyncio.run(service.run())
    else:
        uvloop.run(service.run())


class Service:
    """Everything that runs, started in an order in which nothing is missed and stopped in the reverse."""

    def __init__(self, settings: Settings, plan: NumberingPlan) -> None:
        self._settings = settings
        self._plan = plan
        self._stop = asyncio.Event()
        self._hurry: Callable[[], None] = lambda: None  # end what the stop waits for

    async def run(self) -> None:
        settings = self._settings
        main = open_main(settings.database.url, settings.data_dir)
        journal = open_journal(settings.database.url, settings.data_dir)
        try:
            self._prepare(main, journal)
        except SQLAlchemyError as fault:
            raise StateError(f"the database cannot be used: {fault}") from None
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, self._asked_to_stop)
        async with contextlib.AsyncExitStack() as stack:
            await self._start(stack, main, journal)
            await self._stop.wait()
            log.info("stopping")
        main.dispose()
        journal.dispose()

    def _asked_to_stop(self) -> None:
        if self._stop.is_set():
            self._hurry()
        self._stop.set()

    def _prepare(self, main: Engine, journal: Engine) -> None:
        for step in upgrade_all(main, journal):
            log.info("schema %s", step)
        if self._settings.demo:
            ensure_demo(main, self._settings, self._plan, datetime.now(UTC))

    async def _start(self, stack: contextlib.AsyncExitStack, main: Engine, journal: Engine) -> None:
        settings = self._settings
        voicemail = self._open_voicemail(main)
        places = VoicemailPlacesOfService(voicemail)
        rater = open_rater(settings, main, journal)
        prices = TariffPrices(rater.tariffs)
        engine = make_engine(settings, self._plan, data_folder_key(main, settings), places, prices)
        limits = LimitsFeed(settings, main, journal, engine.admission.limits, prices, voicemail.mail_waits)
        limits.load(self._plan)
        feed = DirectoryFeed(main, engine, settings.realm, end_suspended=settings.limits.end_calls_of_suspended)
        feed.load()
        attach_relay(settings, engine, stack)
        rating = RatingLoop(rater)
        names = tls_names(settings)
        server = SipServer(
            engine,
            Trace(settings.sip.trace_messages),
            max_connections=settings.limits.tcp_connections,
            on_ended=rating.wake,
            certificates=open_certificates(settings),
            tls_names=names,
        )
        asyncio.get_running_loop().add_signal_handler(signal.SIGHUP, partial(_read_again, server))
        places.flush = server.flush
        attach_push(settings, server, stack)
        feed.stop_calls = server.stop_calls
        voicemail.on_lost = partial(server.cut_call, why=Stop.VOICEMAIL_LOST)
        self._hurry = voicemail.hurry
        store = open_journal_store(settings)
        stack.callback(store.close)
        writer = self._open_journal(server, store)
        stack.callback(writer.close)
        lamps = open_lamps(main, server, voicemail, stack)
        await voicemail.start()
        await self._open_sip(server, voicemail, writer)
        stack.callback(server.close)
        stack.push_async_callback(voicemail.stop)  # while the proxy still carries the BYEs of the workers
        control = await listen(settings.data_dir, _Control(feed, rating, server, limits, lamps, voicemail).answer)
        stack.callback((settings.data_dir / SOCKET_NAME).unlink, missing_ok=True)
        stack.callback(control.close)
        self._spawn(stack, rating.run())
        self._spawn(stack, names_of_gateways(settings, server, names).run())
        billing = BillingDay(StepProcess(settings), settings.billing.run_hour, voicemail.mail_waits)
        self._spawn(stack, billing.run())
        self._spawn(stack, _refresh_now_and_then(feed))
        self._spawn(stack, limits.run())
        self._spawn(stack, _collect_garbage(server))
        await self._open_web(stack, server, voicemail, rating, limits)
        stack.push_async_callback(voicemail.drain)  # first of all: everything is there until the last message is left
        self._say_where()

    async def _open_sip(self, server: SipServer, voicemail: VoicemailService, writer: JournalWriter) -> None:
        settings = self._settings
        try:
            await server.open(listening(settings), writer)
        except OSError as fault:
            await voicemail.stop()
            raise StateError(f"SIP on {settings.sip.bind}:{settings.sip.port}: {fault.strerror or fault}") from None

    def _say_where(self) -> None:
        for one in self._settings.sip.listeners:
            tls = f", {one.tls_port} (TLS)" * (one.tls_port > 0)
            log.info("SIP on %s port %d (UDP, TCP)%s", one.bind, one.port, tls)
        log.info("web on http://%s:%d/", self._settings.http.bind, self._settings.http.port)

    def _open_voicemail(self, main: Engine) -> VoicemailService:
        settings = self._settings
        return VoicemailService(
            settings,
            MailboxStore(main),
            OutboxStore(main),
            OwnerStore(main),
            deadlines=DeadlineStore(main),
            greetings=GreetingStore(main),
            access=box_access(settings, main, data_folder_key(main, settings)),
        )

    def _open_journal(self, server: SipServer, store: JournalStore) -> JournalWriter:
        """The journal, and what it kept taken up by the engine before the first message comes."""
        writer = JournalWriter(store, self._settings.data_dir / "journal.spool", server.journal_done)
        writer.replay_spool()
        now_ms = server.now_ms()
        bindings, calls = store.bindings(now_ms), store.open_calls()
        server.restore(bindings, calls)
        writer.start()
        if calls or bindings:
            log.info("taken up: %d calls, %d bindings", len(calls), len(bindings))
        return writer

    def _spawn(self, stack: contextlib.AsyncExitStack, work: Any) -> None:
        task = asyncio.create_task(work)
        stack.callback(task.cancel)

    async def _open_web(
        self,
        stack: contextlib.AsyncExitStack,
        server: SipServer,
        voicemail: VoicemailService,
        rating: RatingLoop,
        limits: LimitsFeed,
    ) -> None:
        async def gauges() -> dict[str, float]:
            counts = await voicemail.counts()
            of_voicemail = {f"voicemail_{name}": float(count) for name, count in counts.items()}
            of_sip = engine_gauges(server, [self._settings.data_dir]) | limits.gauges()
            return of_sip | of_voicemail | await rating.gauges()

        def health() -> dict[str, bool]:
            return {"sip": server.ready, "rating": not rating.failed}

        application = web_application(health, lambda: engine_counters(server), gauges, lambda: engine_levels(server))
        http = self._settings.http
        web = uvicorn.Server(
            uvicorn.Config(application, host=http.bind, port=http.port, log_level="warning", lifespan="off")
        )
        web.capture_signals = contextlib.nullcontext  # type: ignore[assignment]  # signals are for the whole service
        serving = asyncio.create_task(web.serve())
        while not web.started:
            if serving.done():
                raise StateError(f"web on {http.bind}:{http.port}: the address cannot be used")
            await asyncio.sleep(0.01)

        async def close() -> None:
            web.should_exit = True
            await serving

        stack.push_async_callback(close)


def _read_again(server: SipServer) -> None:
    """SIGHUP: what an operator renews while the service runs."""
    if server.certificates is not None:
        server.certificates.reload(always=True)
    else:
        log.info("SIGHUP: there is no certificate to read again")


async def _collect_garbage(server: SipServer) -> None:
    """Calls leave no cycles behind, and a collection in the middle of traffic goes through all that is up: collect in
    quiet moments, and once an hour whatever goes on (web requests and faults leave some cycles)."""
    gc.collect()
    gc.freeze()
    gc.disable()
    skipped = 0
    while True:
        await asyncio.sleep(GARBAGE_INTERVAL)
        skipped += 1
        if server.quiet or skipped * GARBAGE_INTERVAL >= 3600:
            skipped = 0
            gc.collect()


class _Control:
    """Requests of the control socket (see denwa/control/socket.py)."""

    def __init__(
        self,
        feed: DirectoryFeed,
        rating: RatingLoop,
        server: SipServer,
        limits: LimitsFeed,
        lamps: MailboxLamps,
        voicemail: VoicemailService,
    ) -> None:
        self._lamps = lamps
        self._voicemail = voicemail
        self._feed = feed
        self._rating = rating
        self._server = server
        self._limits = limits

    async def answer(self, request: str) -> str:
        word, _, argument = request.partition(" ")
        if word == "subscribers":
            await self._feed.refresh()
            self._voicemail.subscribers_changed()
        elif word == "mailboxes":
            await self._lamps.refresh(argument)
        elif word == "sync":
            await self._server.settled()
            await self._rating.catch_up()
        elif word == "limits":
            await self._limits.refresh()
        elif word == "spent":
            return json.dumps(self._limits.shown(argument))
        elif word == "trace":
            call_id = argument.encode()
            return self._server.trace.ladder(call_id, self._server.engine.ctx.veiled(call_id)).replace("\n", LINE_BREAK)
        elif word == "gateways":
            return json.dumps(self._server.engine.ctx.lines.shown(time.monotonic()))
        elif word == "cut":
            return f"ok {self._server.cut_call(argument)}"
        else:
            return f"unknown request {word!r}"
        return "ok"


async def _refresh_now_and_then(feed: DirectoryFeed) -> None:
    """Changes made on another machine come without word."""
    while True:
        await asyncio.sleep(1.0)
        try:
            await feed.refresh()
        except SQLAlchemyError as fault:
            log.error("the directory could not be refreshed: %s", fault)
