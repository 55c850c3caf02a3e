"""Mutated packets at a live service, and how long good traffic waits meanwhile.

A process floods the service over UDP (as a stranger and as a trusted gateway) and over short TCP connections; beside
it a phone registers and a gateway calls it, each step timed. The service must not crash, restart, meet an internal
error or keep its good traffic waiting. Run by `bench/run fuzz`, in a network namespace of its own.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import re
import socket
import sys
import tempfile
import time
import urllib.request
from collections.abc import Sequence
from pathlib import Path
from random import Random
from typing import Any, NamedTuple

from bench import traffic
from bench.mutations import mutate
from bench.processes import memory_mb
from bench.servers import ACCOUNTS, SERVER_CORE, SIP, Denwa, Running, ServerFault

GOAL_MS = 100.0
STEP_SECONDS = 2.0  # a step that takes longer has failed
GOOD_A_SECOND = 25
NEVER = 1_000_000
STREAM_EVERY = 200  # packets: then one comes over TCP
# Neither is the host of the good traffic: who floods is slowed by the guard against guessing, with all of its host.
STRANGER, FUZZ_GATEWAY = ("127.0.0.9", 0), ("127.0.0.8", 5090)
METRICS = "http://127.0.0.1:8050/metrics"
TORTURE = Path(__file__).parent.parent / "tests" / "voip" / "torture"

_TRUSTED = f"""
[[gateways]]
name = "fuzz"
host = "{FUZZ_GATEWAY[0]}"
port = {FUZZ_GATEWAY[1]}
addresses = ["{FUZZ_GATEWAY[0]}:{FUZZ_GATEWAY[1]}"]
"""


class FuzzedDenwa(Denwa):
    """The service of the other measurements with one more gateway, whose packets are the mutated ones."""

    def _configure(self, folder: Path) -> Path:
        config = super()._configure(folder)
        text = config.read_text(encoding="utf-8")
        # A scanner is answered nothing, and what is not looked at cannot break anything.
        config.write_text(
            text.replace("[limits]", f"[limits]\nscanner_failures = {NEVER}") + _TRUSTED, encoding="utf-8"
        )
        return config


class Step(NamedTuple):
    """What good traffic waited for, and for how many milliseconds; None: in vain."""

    name: str
    waited: float | None


def seeds() -> list[bytes]:
    """The torture messages and what an ordinary registration and call say."""
    found = [path.read_bytes() for path in sorted(TORTURE.glob("rfc*/*.dat"))]
    invite = traffic.invite(1, ACCOUNTS[1])
    ok = traffic.reply(invite, "200 OK", "tag", sdp=True)
    challenge = b'SIP/2.0 401 x\r\nWWW-Authenticate: Digest realm="denwa.example", nonce="abc"\r\n\r\n'
    ordinary = [
        invite,
        ok,
        traffic.reply(invite, "180 Ringing", "tag"),
        traffic.in_dialog("ACK", 1, 1, ok),
        traffic.in_dialog("BYE", 1, 2, ok),
        traffic.register(1, ACCOUNTS[1]),
        traffic.register(1, ACCOUNTS[1], challenge),
    ]
    return found + ordinary * 8


def flood(seed: int, count: int, rate: int, sent: Any) -> None:
    """Send `count` mutated packets at `rate` a second, and throw away what comes back."""
    _before_other_programs(1)
    random, messages = Random(seed), seeds()
    senders = []
    for address in (STRANGER, FUZZ_GATEWAY):
        sender = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        sender.bind(address)
        sender.setblocking(False)
        senders.append(sender)
    begun = time.monotonic()
    for number in range(count):
        data = mutate(random, messages)
        try:
            if number % STREAM_EVERY:
                senders[number % 2].sendto(data, SIP)
            else:
                _over_tcp(random, data)
        except OSError:
            continue  # a full buffer, a connection closed on us: counted as sent, it is what a flood does
        finally:
            sent.value = number + 1
        if not number % 50:
            for sender in senders:
                _discard(sender)
            ahead = number / rate - (time.monotonic() - begun)
            if ahead > 0:
                time.sleep(ahead)


def _before_other_programs(priority: int) -> None:
    """On the core that the service has not, and not delayed by what else the machine does; needs root."""
    if os.geteuid() == 0:
        os.sched_setaffinity(0, set(os.sched_getaffinity(0)) - {SERVER_CORE} or {SERVER_CORE})
        os.sched_setscheduler(0, os.SCHED_RR, os.sched_param(priority))


def _over_tcp(random: Random, data: bytes) -> None:
    with socket.create_connection(SIP, timeout=1.0, source_address=STRANGER) as connection:
        cut = random.randrange(len(data) + 1)
        connection.sendall(data[:cut])
        connection.sendall(data[cut:] + data)


def _discard(sender: socket.socket) -> None:
    try:
        while True:
            sender.recv(65_536)
    except BlockingIOError:
        return


class GoodTraffic:
    """A phone that registers and a gateway that calls it, again and again."""

    def __init__(self) -> None:
        self.phone, self.gateway = (socket.socket(socket.AF_INET, socket.SOCK_DGRAM) for _ in range(2))
        self.phone.bind(traffic.PHONE)
        self.gateway.bind(traffic.GATEWAY)
        self.steps: list[Step] = []
        self._number = 1_000_000

    def round(self) -> None:
        """REGISTER with 401, then a call: each answer timed. A step in vain ends the round."""
        self._number += 1
        number, account = self._number, ACCOUNTS[9_000 + self._number % 900]
        mark = b"register-%d@" % number
        challenge = self._ask("401", self.phone, traffic.register(number, account), b"SIP/2.0 401", mark)
        if not challenge:
            return
        registered = traffic.register(number, account, challenge)
        if not self._ask("registered", self.phone, registered, b"SIP/2.0 200", mark):
            return
        mark = b"bench-%d@" % number
        began = time.monotonic()
        self.gateway.sendto(traffic.invite(number, account), SIP)
        invite = self._wait(self.phone, b"INVITE ", mark)
        self._note("INVITE at the phone", began, invite)
        if not invite:
            return
        began = time.monotonic()
        self.phone.sendto(traffic.reply(invite, "200 OK", "p", sdp=True), SIP)
        ok = self._wait(self.gateway, b"SIP/2.0 200", mark)
        self._note("answer at the caller, on disk", began, ok)
        if not ok:
            return
        self.gateway.sendto(traffic.in_dialog("ACK", number, 1, ok), SIP)
        began = time.monotonic()
        self.gateway.sendto(traffic.in_dialog("BYE", number, 2, ok), SIP)
        bye = self._wait(self.phone, b"BYE ", mark)
        self._note("BYE at the phone, on disk", began, bye)
        if bye:
            self.phone.sendto(traffic.reply(bye, "200 OK"), SIP)

    def _ask(self, name: str, end: socket.socket, data: bytes, start: bytes, mark: bytes) -> bytes:
        began = time.monotonic()
        end.sendto(data, SIP)
        answer = self._wait(end, start, mark)
        self._note(name, began, answer)
        return answer

    def _note(self, name: str, began: float, came: bytes) -> None:
        self.steps.append(Step(name, (time.monotonic() - began) * 1000 if came else None))

    def _wait(self, end: socket.socket, start: bytes, mark: bytes) -> bytes:
        """The next datagram that begins so and holds the mark of this round; what the flood caused is skipped."""
        deadline = time.monotonic() + STEP_SECONDS
        while (left := deadline - time.monotonic()) > 0:
            end.settimeout(left)
            try:
                data = end.recv(65_536)
            except TimeoutError:
                break
            if data.startswith(start) and mark in data:
                return data
        return b""


def percentile(values: Sequence[float], share: float) -> float:
    ranked = sorted(values)
    return ranked[min(len(ranked) - 1, int(share * len(ranked)))]


def internal_errors() -> int:
    """Messages that the service could not handle, by its own count."""
    with urllib.request.urlopen(METRICS, timeout=10) as answer:
        text = answer.read().decode()
    return sum(int(float(line.rpartition(" ")[2])) for line in text.splitlines() if "internal error" in line)


def run(server: Running, seed: int, count: int, rate: int) -> tuple[list[Step], int, float]:
    """Flood, with good traffic beside it until the flood is over: the steps, what was sent, and the seconds it took."""
    _before_other_programs(2)  # the flood does not delay it on its core, only in the service
    good = GoodTraffic()
    sent = multiprocessing.Value("L", 0)
    flooder = multiprocessing.Process(target=flood, args=(seed, count, rate, sent), daemon=True)
    began = time.monotonic()
    flooder.start()
    limit = began + count / rate * 5 + 60
    while flooder.is_alive() and time.monotonic() < limit:
        next_round = time.monotonic() + 1 / GOOD_A_SECOND
        good.round()
        server.check_alive()
        time.sleep(max(0.0, next_round - time.monotonic()))
    flooder.kill()
    return good.steps, int(sent.value), time.monotonic() - began


def report(steps: list[Step]) -> tuple[str, float, int]:
    """A table, the worst p99 in milliseconds and how many steps were in vain."""
    lines = ["| good traffic | times | in vain | p50, ms | p99, ms | longest, ms |"]
    lines.append("| --- | ---: | ---: | ---: | ---: | ---: |")
    worst, failed = 0.0, 0
    for name in dict.fromkeys(step.name for step in steps):
        waits = [step.waited for step in steps if step.name == name and step.waited is not None]
        vain = sum(step.name == name and step.waited is None for step in steps)
        failed += vain
        if waits:
            worst = max(worst, percentile(waits, 0.99))
            shown = f"{percentile(waits, 0.5):.1f} | {percentile(waits, 0.99):.1f} | {max(waits):.1f}"
            lines.append(f"| {name} | {len(waits)} | {vain} | {shown} |")
    return "\n".join(lines), worst, failed


def main() -> int:
    parser = argparse.ArgumentParser(prog="bench/run fuzz", description=__doc__.partition("\n")[0])
    parser.add_argument("--count", type=int, default=1_000_000, help="mutated packets (default 1,000,000)")
    parser.add_argument("--rate", type=int, default=4_000, help="a second (default 4,000)")
    parser.add_argument("--seed", type=int, default=1, help="of the mutations")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="denwa-fuzz-") as name:
        folder = Path(name)
        try:
            with Running(FuzzedDenwa(folder / "prepared"), folder / "run") as server:
                before = memory_mb(server.pid)
                steps, sent, seconds = run(server, options.seed, options.count, options.rate)
                errors, after = internal_errors(), memory_mb(server.pid)
                server.check_alive()
        except ServerFault as fault:
            print(f"fuzz: {fault}", file=sys.stderr)
            return 1
        log = (folder / "run" / "server.log").read_text(errors="replace")
    table, worst, failed = report(steps)
    tracebacks = len(re.findall(r"(?m)^Traceback", log))
    print(f"{sent:,} mutated packets in {seconds:.0f} s ({sent / seconds:,.0f} a second), seed {options.seed}\n")
    print(f"{table}\n")
    print(f"internal errors {errors}, tracebacks in the log {tracebacks}, memory {before:.0f} -> {after:.0f} MiB")
    if tracebacks:
        print(log[log.index("Traceback") :][:3000])
    good = sent == options.count and not errors and not tracebacks and worst < GOAL_MS and not failed
    print("goal (no crash, no internal error, nothing in vain, p99 < 100 ms):", "met" if good else "NOT met")
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
