"""Where the SIP engine's time goes: whole calls and registrations through it in one process, without sockets.

python -m bench.profile                    CPU for each message, and for the journal commit
python -m bench.profile --functions 40     and the functions that cost most (cProfile; its own cost distorts)
"""

from __future__ import annotations

import argparse
import cProfile
import gc
import hashlib
import pstats
import secrets
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path
from statistics import mean, median

from bench import traffic
from denwa.cli.wiring import engine_settings
from denwa.config.settings_sources import load_settings
from denwa.numbering import load_plan
from denwa.storage.journal_store import SqliteJournalStore
from denwa.voip.calls.journal import Group
from denwa.voip.context import HeldGroup
from denwa.voip.engine import SipEngine
from denwa.voip.sip.digest import Digest
from denwa.voip.sip.peer import Peer
from denwa.voip.subscribers import Directory, Subscriber

ACCOUNTS = [str(50_010_000 + n) for n in range(10_000)]
CALL_STEPS = ("INVITE", "180", "200 (INVITE)", "ACK", "BYE", "200 (BYE)")
REGISTER_STEPS = ("REGISTER", "REGISTER (digest)")


class EngineRun:
    """The engine with subscribers, a clock of its own, and a stopwatch for each kind of message."""

    def __init__(self, rate: int, wave: int) -> None:
        settings = load_settings(demo=True, environ={})
        plan = load_plan(settings.numbering.directory, settings.numbering.operator_file)
        configuration = engine_settings(settings)
        algorithms = tuple(name.encode() for name in settings.sip.digest_algorithms)
        digest = Digest(
            configuration.realm,
            algorithms,
            secrets.token_bytes(32),
            settings.sip.nonce_lifetime,
            own_hosts=configuration.domains,
        )
        self.engine = SipEngine(configuration, _directory(), plan, digest, lambda: secrets.token_hex(8).encode())
        self.times: dict[str, list[float]] = defaultdict(list)  # step -> µs per message, one figure for each wave
        self.groups: list[HeldGroup] = []
        self._rate, self._wave = rate, wave
        self._now = 1000.0
        self._now_ms = 1_800_000_000_000

    def step(self, name: str, messages: Iterable[tuple[bytes, Peer]]) -> list[tuple[Peer, bytes]]:
        """One drain of the socket: all messages in, what is due to the journal taken as written, everything out."""
        engine, received = self.engine, list(messages)
        start = time.process_time_ns()
        for data, peer in received:
            engine.receive(data, peer, self._now, self._now_ms)
        group = engine.take_group()
        if group is not None:
            engine.committed([group], self._now, self._now_ms)
        used = time.process_time_ns() - start
        self.times[name].append(used / 1000 / max(len(received), 1))
        if group:
            self.groups.append(group)
        out = list(engine.ctx.outbox)
        engine.ctx.outbox.clear()
        engine.ctx.notes.clear()
        return out

    def pass_time(self) -> None:
        """As much as one wave takes at the rate; the timers' cost counts to the wave's operations."""
        self._now += self._wave / self._rate
        self._now_ms += 1000 * self._wave // self._rate
        start = time.process_time_ns()
        due = self.engine.next_due()
        if due is not None and due <= self._now:
            self.engine.advance(self._now, self._now_ms)
        self.times["timers"].append((time.process_time_ns() - start) / 1000 / self._wave)
        self.engine.ctx.outbox.clear()

    def register_all(self, first: int) -> None:
        for number in range(0, len(ACCOUNTS), self._wave):
            self.register_wave(first + number)

    def register_wave(self, first: int) -> None:
        """`wave` phones register one after another."""
        people = [(first + n, ACCOUNTS[(first + n) % len(ACCOUNTS)]) for n in range(self._wave)]
        asked = self.step("REGISTER", [(traffic.register(n, a), traffic.PHONE) for n, a in people])
        challenges = [data for _, data in asked]
        _expect(challenges, b"SIP/2.0 401", len(people))
        again = [(traffic.register(n, a, c), traffic.PHONE) for (n, a), c in zip(people, challenges, strict=True)]
        _expect([data for _, data in self.step("REGISTER (digest)", again)], b"SIP/2.0 200", len(people))
        self.pass_time()

    def call_wave(self, first: int) -> None:
        """`wave` calls from the gateway, each answered and ended."""
        wave = range(first, first + self._wave)
        calls = [(traffic.invite(n, ACCOUNTS[n % len(ACCOUNTS)]), traffic.GATEWAY) for n in wave]
        invites = [d for peer, d in self.step("INVITE", calls) if peer[:2] == traffic.PHONE]
        _expect(invites, b"INVITE ", self._wave)
        self.step("180", [(traffic.reply(d, "180 Ringing", "p"), traffic.PHONE) for d in invites])
        replies = [(traffic.reply(d, "200 OK", "p", sdp=True), traffic.PHONE) for d in invites]
        answers = [d for peer, d in self.step("200 (INVITE)", replies) if peer[:2] == traffic.GATEWAY]
        _expect(answers, b"SIP/2.0 200", self._wave)
        by_call = list(zip(wave, answers, strict=True))
        acks = self.step("ACK", [(traffic.in_dialog("ACK", n, 1, d), traffic.GATEWAY) for n, d in by_call])
        _expect([d for _, d in acks], b"ACK ", self._wave)
        byes = self.step("BYE", [(traffic.in_dialog("BYE", n, 2, d), traffic.GATEWAY) for n, d in by_call])
        sent = [d for peer, d in byes if peer[:2] == traffic.PHONE]
        _expect(sent, b"BYE ", self._wave)
        done = self.step("200 (BYE)", [(traffic.reply(d, "200 OK"), traffic.PHONE) for d in sent])
        _expect([d for _, d in done], b"SIP/2.0 200", self._wave)
        self.pass_time()


def _directory() -> Directory:
    directory = Directory()
    for account in ACCOUNTS:
        secret = f"{account}:{traffic.DOMAIN}:secret-{account}".encode()
        directory.put(
            Subscriber(
                number=f"+8150{account}",
                account=account.encode(),
                ha1_md5=hashlib.md5(secret).hexdigest().encode(),
                ha1_sha256=hashlib.sha256(secret).hexdigest().encode(),
                active=True,
                ring_time=20,
                voicemail=True,
                international=False,
                reject_anonymous=False,
            )
        )
    return directory


def _expect(messages: list[bytes], beginning: bytes, count: int) -> None:
    """A measurement of refusals would be worth nothing: stop at the first message that is another one."""
    wrong = [data for data in messages if not data.startswith(beginning)]
    if wrong or len(messages) != count:
        text = (wrong or [b"nothing"])[0].decode("utf-8", "replace")
        raise SystemExit(
            f"expected {count} times {beginning.decode()!r}, got {len(messages)}, the first other:\n{text}"
        )


def _commit_times(groups: list[HeldGroup]) -> list[float]:
    """µs for each entry: the same groups written to a journal on disk (CPU only, without waiting for the disk)."""
    times = []
    with tempfile.TemporaryDirectory(dir=Path(__file__).parent) as folder:
        store = SqliteJournalStore(Path(folder) / "journal.db")
        for group in groups:
            plain = Group(group.calls, group.ends, group.alive, group.bindings)
            count = len(group.calls) + len(group.ends) + len(group.alive) + len(group.bindings)
            start = time.process_time_ns()
            store.commit(plain)
            times.append((time.process_time_ns() - start) / 1000 / count)
        store.close()
    return times


def _table(title: str, steps: Iterable[str], times: dict[str, list[float]], rows: float) -> list[str]:
    lines = [f"{title:<22} {'mean':>8} {'median':>8} {'best':>8}   µs of CPU for each"]
    totals = [0.0, 0.0, 0.0]
    for step in (*steps, "timers", "journal"):
        values = times[step]
        factor = rows if step == "journal" else 1.0
        # The mean pays for what comes seldom (garbage collection); the best is what a quiet machine would need.
        costs = [mean(values) * factor, median(values) * factor, min(values) * factor]
        totals = [total + cost for total, cost in zip(totals, costs, strict=True)]
        lines.append(f"  {step:<20} " + " ".join(f"{cost:8.1f}" for cost in costs))
    return [*lines, f"  {'together':<20} " + " ".join(f"{total:8.1f}" for total in totals), ""]


def measure(operation: str, count: int, rate: int, wave: int, functions: int) -> list[str]:
    """Run `count` operations in waves; the table, and with `functions` the hot spots."""
    run = EngineRun(rate, wave)
    run.register_all(0)
    run.times.clear()
    run.groups.clear()
    gc.collect()
    gc.freeze()
    gc.disable()  # as in service, where it waits for a quiet moment (decision 0003)
    one = run.call_wave if operation == "call" else run.register_wave
    profiler = cProfile.Profile() if functions else None
    for first in range(len(ACCOUNTS), len(ACCOUNTS) + count, wave):
        if profiler:
            profiler.runcall(one, first)
        else:
            one(first)
    run.times["journal"] = _commit_times(run.groups)
    steps, rows = (CALL_STEPS, 2.0) if operation == "call" else (REGISTER_STEPS, 1.0)
    lines = _table(operation, steps, run.times, rows)
    if profiler:
        pstats.Stats(profiler).sort_stats("tottime").print_stats(r"denwa", functions)
    return lines


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m bench.profile", description="Where the SIP engine's time goes.")
    parser.add_argument("--only", choices=["call", "register"], help="one operation")
    parser.add_argument("--count", type=int, default=20_000, help="operations (default 20000)")
    parser.add_argument("--wave", type=int, default=20, help="operations in one drain of the socket (default 20)")
    parser.add_argument("--rate", type=int, default=3000, help="operations a second of the engine's clock")
    parser.add_argument("--functions", type=int, default=0, help="show the functions that cost most")
    arguments = parser.parse_args()
    for operation in ("call", "register"):
        if arguments.only in (None, operation):
            lines = measure(operation, arguments.count, arguments.rate, arguments.wave, arguments.functions)
            print("\n".join(lines), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
