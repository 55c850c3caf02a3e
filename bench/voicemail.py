"""Many messages left at once: what a recording costs, whether sound is missing. `bench/run voicemail --help`."""

from __future__ import annotations

import argparse
import csv
import os
import platform
import shutil
import statistics
import string
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TypeVar

from bench.continuity import Heard, Samples, Spoken, read_samples
from bench.processes import cpu_model, cpu_us, memory_mb, process_tree
from bench.report import write_between_markers
from bench.servers import ServerFault
from bench.sipp import SCENARIOS, Counts, Sipp, SippFault
from denwa.config.settings import DATA, Settings
from denwa.voicemail import wav
from denwa.voicemail.sound_store.opening import open_sounds

T = TypeVar("T")
DOCUMENT = Path(__file__).parent.parent / "docs" / "performance.md"
MARKS = ("<!-- bench-voicemail:begin -->", "<!-- bench-voicemail:end -->")
GATEWAY_PORT = 5080
IN_A_BOX = 10  # V3
GREETING_SECONDS = wav.duration_ms(DATA / "prompts" / "voicemail-greeting.wav") / 1000
TONE_SECONDS = 0.5
SETTLE = 3.0  # seconds after the last tone until the measurement begins, and before the first caller hangs up
STARTS = 20.0  # seconds at most for everybody to be answered

_TOML = """\
data_dir = "{data}"
[sip]
domains = ["denwa.example"]
[limits]
calls_per_subscriber = 100
new_calls_per_minute = 6000
[voicemail]
max_workers = {workers}
[[gateways]]
name = "bench"
host = "127.0.0.1"
port = 5080
addresses = ["127.0.0.1:5080"]
"""


@dataclass(frozen=True, slots=True)
class Cost:
    """% of a core for each recording, while all record; memory in MiB, a shared page counted once."""

    service: float
    workers: float
    processes: int
    service_mb: float
    workers_mb: float


@dataclass(frozen=True, slots=True)
class Result:
    cost: Cost
    counts: Counts
    answered_after: list[float]  # seconds from INVITE to 200
    stored_after: float  # seconds from the last hang-up until everything is a message
    cpu_seconds: float  # of service and workers, from the first INVITE until then
    missing: list[float]  # seconds of what was said from the tone to the end, of each message
    tone_late: list[float]  # seconds by which the tone came after its time
    longest_gap: float


class Voicemail:
    """`denwa serve` with boxes for so many callers, before everything else that runs (real time needs root)."""

    def __init__(self, folder: Path, callers: int) -> None:
        self.data = folder / "data"
        self._config = folder / "bench.toml"
        self._log = folder / "service.log"
        self._config.write_text(_TOML.format(data=self.data, workers=max(28, callers // 4 + 3)), encoding="utf-8")
        self.numbers = [f"0505001{box:04}" for box in range(-(-callers // IN_A_BOX))]
        people = folder / "people.csv"
        rows = "".join(f"{number},secret,,,,1\n" for number in self.numbers)
        people.write_text("number,sip_password,name,mail,web_password,bill_day\n" + rows, encoding="utf-8")
        done = subprocess.run(self._denwa("subscriber", "import", str(people)), capture_output=True, text=True)
        if done.returncode != 0:
            raise ServerFault(f"denwa subscriber import: {done.stderr.strip()}")

    def _denwa(self, *command: str) -> list[str]:
        return [sys.executable, "-m", "denwa", "--config", str(self._config), *command]

    def __enter__(self) -> Voicemail:
        with self._log.open("wb") as log:
            command = [*(["chrt", "--rr", "1"] if os.geteuid() == 0 else []), *self._denwa("serve")]
            self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        self.wait(lambda: b"web on" in self._log.read_bytes(), 20, "did not start")
        self.wait(lambda: any(map(_is_worker, process_tree(self.process.pid))), 20, "started no worker")
        return self

    def __exit__(self, *_: object) -> None:
        self.process.terminate()
        try:
            self.process.wait(20)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()

    def wait(self, look: Callable[[], T], seconds: float, fault: str) -> T:
        """The first true answer. Raises ServerFault when there is none in time, or the service has ended."""
        deadline = time.monotonic() + seconds
        while not (found := look()):
            if self.process.poll() is not None or time.monotonic() > deadline:
                raise ServerFault(f"voicemail {fault}; see {self._log}")
            time.sleep(0.05)
        return found

    def recording(self) -> int:
        """Callers who are being recorded."""
        return len(list((self.data / "voicemail" / "spool").glob("*.wav")))

    def stored(self) -> list[bytes]:
        """The sound of every message."""
        sounds = open_sounds(Settings(data_dir=self.data))
        return [sounds.read(key) for key in sorted(sounds.keys())]

    def cost(self, seconds: float, callers: int) -> Cost:
        service = self.process.pid
        workers = [pid for pid in process_tree(service) if _is_worker(pid)]
        before = cpu_us(service), sum(cpu_us(pid) for pid in workers)
        begun = time.monotonic()
        time.sleep(seconds)
        span = (time.monotonic() - begun) * 1e6 * callers / 100
        after = cpu_us(service), sum(cpu_us(pid) for pid in workers)
        of_workers = after[1] - before[1]
        memory = memory_mb(service), sum(memory_mb(pid) for pid in workers)
        return Cost(
            service=(after[0] - before[0] - of_workers) / span,
            workers=of_workers / span,
            processes=len(workers),
            service_mb=memory[0] - memory[1],
            workers_mb=memory[1],
        )


def _is_worker(pid: int) -> bool:
    try:
        return b"denwa.voicemail.worker" in Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return False


def measure(folder: Path, callers: int, seconds: float) -> Result:
    """Raises ServerFault, SippFault."""
    spoken = _voice(folder, GREETING_SECONDS + TONE_SECONDS + seconds + STARTS)
    with Voicemail(folder, callers) as voicemail:
        used = cpu_us(voicemail.process.pid)
        sipp = _callers(folder, voicemail.numbers, callers, GREETING_SECONDS + TONE_SECONDS + seconds)
        patience = STARTS + GREETING_SECONDS + TONE_SECONDS
        begun = time.monotonic()
        voicemail.wait(lambda: voicemail.recording() >= callers, patience, "did not answer everybody")
        spread = time.monotonic() - begun - GREETING_SECONDS - TONE_SECONDS
        if (window := seconds - spread - 2 * SETTLE) < SETTLE:
            raise ServerFault(f"the calls are too short: everybody was answered after {spread:.1f} s")
        time.sleep(SETTLE)
        cost = voicemail.cost(window, callers)
        counts = sipp.finish(seconds)
        hung_up = time.monotonic()
        sounds = voicemail.wait(
            lambda: found if len(found := voicemail.stored()) >= counts.succeeded else [],
            60,
            "did not store every call",
        )
        stored_after = time.monotonic() - hung_up
        used = cpu_us(voicemail.process.pid) - used
    said = Spoken(spoken)
    found = [_heard(folder, sound, said) for sound in sounds]
    start = GREETING_SECONDS + TONE_SECONDS
    return Result(
        cost=cost,
        counts=counts,
        answered_after=_answered_after(folder / "callers"),
        stored_after=stored_after,
        cpu_seconds=used / 1e6,
        missing=[max(0.0, start + seconds - one.first - one.sound) for one in found],
        tone_late=[one.first - start for one in found],
        longest_gap=max(one.longest_gap for one in found),
    )


def _voice(folder: Path, seconds: float) -> Samples:
    """What every caller says, also as the raw µ-law file that SIPp sends; without pauses: one at the end is cut."""
    from tests.peers.wav import write_mulaw, write_voice

    write_mulaw(folder / "voice.ul", write_voice(folder / "voice.wav", seconds, seed=90, breathless=True))
    return read_samples(folder / "voice.wav")


def _callers(folder: Path, numbers: list[str], callers: int, hold: float) -> Sipp:
    """All of them call within a second."""
    text = (SCENARIOS / "voicemail.xml").read_text(encoding="utf-8")
    scenario = folder / "scenario.xml"
    scenario.write_text(string.Template(text).substitute(hold=int(hold * 1000), sound=folder / "voice.ul"), "utf-8")
    boxes = folder / "boxes.csv"
    boxes.write_text("SEQUENTIAL\n" + "".join(f"{number};\n" for number in numbers), encoding="ascii")
    options = ["-inf", str(boxes), "-r", str(callers), "-m", str(callers), "-l", str(callers)]
    options += ["-mi", "127.0.0.1", "-trace_rtt", "-rtt_freq", "1"]
    return Sipp(folder / "callers", str(scenario), GATEWAY_PORT, *options)


def _answered_after(folder: Path) -> list[float]:
    """Seconds from each INVITE to its 200, as SIPp took them."""
    (file,) = folder.glob("*_rtt.csv")
    with file.open(encoding="ascii", errors="replace") as rows:
        return [float(row["response_time_ms"]) / 1000 for row in csv.DictReader(rows, delimiter=";")]


def _heard(folder: Path, sound: bytes, spoken: Spoken) -> Heard:
    path = folder / "message.wav"
    path.write_bytes(sound)
    return spoken.heard(read_samples(path)) or Heard(0, 0, 0, 0)


def report(result: Result, callers: int, seconds: float) -> list[str]:
    cost, missing = result.cost, result.missing
    rows = [
        ("calls answered and hung up by the caller, failed", f"{result.counts.succeeded}, {result.counts.failed}"),
        ("messages stored", f"{len(missing)}"),
        ("INVITE to 200, seconds: median, longest", _two(result.answered_after, 2)),
        ("sound missing in a message, seconds: median, most (goal ≤ 0.5)", _two(missing, 2)),
        ("tone later than guidance and tone are long, seconds: median, most", _two(result.tone_late, 2)),
        ("longest gap in a message, seconds", f"{result.longest_gap:.2f}"),
        ("a recording, % of a core: its worker, the service", f"{cost.workers:.2f}, {cost.service:.2f}"),
        (
            "a call from INVITE to stored message, ms CPU: service and workers, their start included",
            f"{result.cpu_seconds * 1000 / max(1, len(missing)):.0f}",
        ),
        ("last hang-up to last message stored, seconds", f"{result.stored_after:.1f}"),
        (
            f"memory, MiB (PSS): service, {cost.processes} workers together, one of them",
            f"{cost.service_mb:.0f}, {cost.workers_mb:.0f}, {cost.workers_mb / cost.processes:.1f}",
        ),
    ]
    return [
        f"Measured {datetime.now(UTC):%Y-%m-%d} on {cpu_model()}, {os.cpu_count()} cores, Python "
        f"{platform.python_version()}: {callers} callers within a second, {seconds:.0f} s of PCMU recorded of each.",
        "",
        "| | |",
        "| --- | ---: |",
        *(f"| {name} | {value} |" for name, value in rows),
    ]


def _two(values: list[float], digits: int) -> str:
    return f"{statistics.median(values):.{digits}f}, {max(values):.{digits}f}" if values else "–"


def main() -> int:
    parser = argparse.ArgumentParser(prog="bench/run voicemail", description="Many messages left at once.")
    parser.add_argument("--callers", type=int, default=100, help="at once (default 100)")
    parser.add_argument("--seconds", type=float, default=30.0, help="length of a message (default 30)")
    parser.add_argument("--keep", action="store_true", help="keep the folder of the run")
    parser.add_argument("--write", action="store_true", help="write the table into docs/performance.md")
    arguments = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="denwa-bench-voicemail-"))
    try:
        lines = report(measure(folder, arguments.callers, arguments.seconds), arguments.callers, arguments.seconds)
    except (ServerFault, SippFault) as fault:
        print(f"bench: {fault}", file=sys.stderr)
        return 1
    finally:
        if not arguments.keep:
            shutil.rmtree(folder, ignore_errors=True)
    print("\n".join(lines))
    if arguments.write:
        write_between_markers(DOCUMENT, lines, MARKS)
    return 0


if __name__ == "__main__":
    sys.exit(main())
