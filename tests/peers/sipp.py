"""Runs SIPp with the scenarios of tests/peers/sipp: one call unless told otherwise, with digest and sound."""

from __future__ import annotations

import re
import string
import subprocess
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from tests.peers import ports, wav
from tests.peers.talk import eventually

SCENARIOS = Path(__file__).parent / "sipp"
_DEFAULTS = {
    "domain": "denwa.example",
    "user": "",
    "number": "",
    "expires": "300",
    "status": "200",
    "reason": "Busy Here",
    "hold": "2000",
    "ring": "300",
    "streams": "m=audio [media_port] RTP/AVP 0\na=rtpmap:0 PCMU/8000",
    "from": "<sip:0312345678@127.0.0.1>",
    "identity": "P-Asserted-Identity: <sip:+81312345678@127.0.0.1>",
}


@dataclass(frozen=True)
class Seen:
    """One message in SIPp's own trace; `at` in wall-clock seconds."""

    at: float
    sent: bool
    text: str

    @property
    def start(self) -> str:
        return self.text.partition("\n")[0].strip()

    def header(self, name: str) -> str:
        found = re.search(rf"(?mi)^{re.escape(name)}:\s*(.*?)\s*$", self.text)
        return found[1] if found else ""


def message(trace: list[Seen], start: str, *, sent: bool) -> Seen:
    """The first message of a trace that begins with `start` ("BYE", "SIP/2.0 200"), sent or received."""
    return next(seen for seen in trace if seen.sent == sent and seen.start.startswith(start))


class Sipp:
    """`with Sipp(folder, "callee", port=…) as callee: … callee.finished()`.

    `service`: host:port for callers; callees wait at `port`. `play`: WAV that is played while the call is up; without
    it a callee sends back the sound it gets. `rate`: new calls a second. Other keywords fill the scenario's `${…}`.
    """

    def __init__(
        self,
        folder: Path,
        scenario: str,
        *,
        service: str = "127.0.0.1:5060",
        port: int = 0,
        password: str = "",
        play: Path | None = None,
        calls: int = 1,
        rate: int = 10,
        transport: str = "udp",
        **values: str | int,
    ) -> None:
        self.scenario, self.port = scenario, port or ports.free_port()
        self.folder = folder / f"sipp-{scenario}-{self.port}"
        number = len(list(folder.glob(f"{self.folder.name}*")))
        self.folder = self.folder.with_name(f"{self.folder.name}-{number}")
        self.folder.mkdir(parents=True)
        filled = _DEFAULTS | {name.rstrip("_"): str(value) for name, value in values.items()}
        filled |= {"play": "", "audio_port": "media_port"}
        sound_options = ["-rtp_echo"]  # would echo into the sound that is played: one or the other
        if play:
            sound = wav.write_mulaw(self.folder / "play.ul", play)
            filled["play"] = f'<nop><action><exec rtp_stream="{sound},-1,0"/></action></nop>'
            filled["audio_port"] = "rtpstream_audio_port"
            sound_options = []
        self._file = self.folder / "scenario.xml"
        text = (SCENARIOS / f"{scenario}.xml").read_text(encoding="utf-8")
        self._file.write_text(string.Template(text).safe_substitute(filled), encoding="utf-8")
        self._command = [
            *("sipp", service, "-sf", str(self._file), "-m", str(calls), "-l", str(calls), "-r", str(rate)),
            *("-i", "127.0.0.1", "-p", str(self.port), "-t", {"udp": "u1", "tcp": "t1"}[transport]),
            *("-mi", "127.0.0.1", "-mp", str(ports.media_ports())),
            *("-nostdin", *sound_options, "-timeout", "100s"),
            *("-trace_msg", "-message_file", str(self.folder / "messages")),
            *("-trace_err", "-error_file", str(self.folder / "errors")),
            *("-au", filled["user"], "-ap", password),
        ]
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        with (self.folder / "screen").open("wb") as screen:
            self._process = subprocess.Popen(
                self._command, stdin=subprocess.DEVNULL, stdout=screen, stderr=screen, cwd=self.folder
            )
        eventually(lambda: self._process.poll() is not None or _bound(self.port), 5, every=0.01)  # type: ignore[union-attr]
        return self

    def __exit__(self, kind: type[BaseException] | None, fault: BaseException | None, at: TracebackType | None) -> None:
        assert self._process
        if self._process.poll() is None:
            self._process.kill()
        self._process.wait()

    def finished(self, timeout: float = 30) -> list[Seen]:
        """Wait until the scenario is through. Raises AssertionError when it went otherwise than written."""
        assert self._process
        try:
            code = self._process.wait(timeout)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"SIPp {self.scenario} still runs after {timeout} s\n{self._report()}") from None
        assert code == 0, f"SIPp {self.scenario}: exit {code}\n{self._report()}"
        return self.messages()

    def messages(self) -> list[Seen]:
        """What was sent and received so far."""
        trace = self.folder / "messages"
        text = trace.read_text(encoding="utf-8", errors="replace") if trace.exists() else ""
        found = []
        for part in re.split(r"(?m)^-{10,} (?=\d{4}-)", text.replace("\r", ""))[1:]:
            moment, _, rest = part.partition("\n")
            direction, _, message = rest.partition("\n\n")
            at = datetime.fromisoformat(moment.strip()).astimezone()  # SIPp writes the machine's local time
            found.append(Seen(at.timestamp(), "sent" in direction, message))
        return found

    def _report(self) -> str:
        errors = self.folder / "errors"
        said = errors.read_text(errors="replace")[-1500:] if errors.exists() else ""
        screen = (self.folder / "screen").read_text(errors="replace")[-500:] if not said else ""
        return said + screen + "\n".join(f"{'>' if m.sent else '<'} {m.start}" for m in self.messages())


def _bound(port: int) -> bool:
    """Whether a socket of this machine has the port (local addresses of /proc/net are hexadecimal)."""
    tables = (Path("/proc/net/udp").read_text() + Path("/proc/net/tcp").read_text()).splitlines()
    return any(line.split()[1].endswith(f":{port:04X}") for line in tables)


def run(folder: Path, scenario: str, *, timeout: float = 30, **more: Any) -> list[Seen]:
    """A whole run of one scenario; what was on the wire."""
    with Sipp(folder, scenario, **more) as peer:
        return peer.finished(timeout)
