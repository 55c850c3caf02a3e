"""Drives one pjsua2 telephone (phone_process.py): every wait is for an event, with a time limit."""

from __future__ import annotations

import itertools
import json
import subprocess
import sys
import threading
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from tests.peers import ports, wav
from tests.peers.events import Event, EventLog

SERVICE_CODECS = ("speex/8000", "iLBC/8000", "GSM/8000", "PCMU/8000", "G722/16000")
_seeds = itertools.count(100)
_SETTINGS: dict[str, Any] = {
    "password": "",
    "domain": "denwa.example",
    "ca_file": "",  # trusted with TLS
    "certificate": "",  # shown with TLS, and its key
    "key": "",
    "srtp": False,
    "codecs": ["PCMU/8000"],
    "expires": 300,
    "session_expires": 0,
    "reliable": False,
    "mwi": False,  # subscribe to the mailbox
    "ilbc_mode": 30,
    "user_agent": "",
    "contact_params": "",
    "loop": True,  # of what is played
}


class PhoneCall:
    """One call on one telephone. States: calling, incoming, ringing, answered, confirmed, ended."""

    def __init__(self, phone: Phone, name: str) -> None:
        self.phone, self.name = phone, name

    def wait(self, state: str, timeout: float = 10) -> Event:
        """The event of the call reaching `state`; an end that comes instead fails the wait at once."""

        def reached(event: Event) -> bool:
            ours = event["event"] == "call" and event["call"] == self.name
            return bool(ours and event["state"] in (state, "ended"))

        event = self.phone.log.wait(reached, timeout, f"{state} of {self.name}")
        assert event["state"] == state, f"{self.phone.log.owner}: {self.name} ended instead of {state}: {event}"
        return event

    def ended(self, timeout: float = 10) -> Event:
        """The call's end, with `status` (of the final response) and its recording closed and readable."""
        self.phone.log.wait(lambda e: e["event"] == "closed" and e["call"] == self.name, timeout, f"end of {self.name}")
        return self.wait("ended", 0.1)

    def event(self, kind: str, timeout: float = 10) -> Event:
        """An event of another kind: incoming, media, answer and hangup (just before they are sent), dtmf."""
        return self.phone.log.wait(
            lambda e: e["event"] == kind and e.get("call") == self.name, timeout, f"{kind} of {self.name}"
        )

    @property
    def call_id(self) -> str:
        """The SIP Call-ID on this side."""
        found = self.phone.log.wait(
            lambda e: e.get("call") == self.name and bool(e.get("call_id")), 5, f"Call-ID of {self.name}"
        )
        return str(found["call_id"])

    @property
    def recording(self) -> Path:
        """What was heard; readable after `ended()`."""
        return Path(self.event("media")["recording"])

    def answer(self, status: int = 200) -> None:
        self.phone.tell(do="answer", call=self.name, status=status)

    def hangup(self) -> Event:
        """Hang up (CANCEL when not yet answered). Returns the event with the time at which it was done."""
        self.phone.tell(do="hangup", call=self.name)
        return self.event("hangup")

    def dtmf(self, digits: str) -> None:
        """Keys by RFC 4733."""
        self.phone.tell(do="dtmf", call=self.name, digits=digits)

    def info(self, kind: str, body: str) -> None:
        """A SIP INFO inside the call."""
        self.phone.tell(do="info", call=self.name, kind=kind, body=body)

    def transfer(self, to: str) -> None:
        """A REFER inside the call."""
        self.phone.tell(do="transfer", call=self.name, to=to)


class Phone:
    """A telephone at `service` (host:port of the SIP service), or without one for calls from peer to peer.

    `host`: its own address, in the network `namespace` when there is one. `more`: see `_SETTINGS`.
    """

    def __init__(
        self,
        folder: Path,
        user: str,
        *,
        service: str = "",
        transport: str = "udp",
        play: Path | None = None,
        host: str = "127.0.0.1",
        namespace: str = "",
        **more: Any,
    ) -> None:
        assert more.keys() <= _SETTINGS.keys(), f"no setting of a phone: {more.keys() - _SETTINGS.keys()}"
        self.user, self.service, self.transport = user, service, transport
        self.port = ports.free_port()
        self.folder = folder / f"phone-{user}-{self.port}"
        self.folder.mkdir(parents=True)
        self.voice = play or wav.write_voice(self.folder / "voice.wav", 6, next(_seeds))
        self._suffix = f";transport={transport}" if transport != "udp" else ""
        self.settings: dict[str, Any] = {
            **_SETTINGS,
            **more,
            "folder": str(self.folder),
            "user": user,
            "registrar": f"sip:{service}{self._suffix}" if service else "",
            "port": self.port,
            "rtp_port": ports.media_ports(),
            "transport": transport,
            "play": str(self.voice),
            "host": host,
        }
        self._inside = ["ip", "netns", "exec", namespace] if namespace else []
        self.log = EventLog(f"phone {user}")
        self._process: subprocess.Popen[str] | None = None
        self._names = itertools.count(1)
        self._commands = itertools.count(1)

    def __enter__(self) -> Self:
        self._process = subprocess.Popen(
            [*self._inside, sys.executable, "-m", "tests.peers.phone_process"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=(self.folder / "stderr").open("w"),
            cwd=Path(__file__).parents[2],
            text=True,
        )
        self._write(self.settings)
        threading.Thread(target=self._read, args=(self._process,), daemon=True).start()
        self.log.wait(lambda e: e["event"] == "ready", 20, "start")
        return self

    def __exit__(self, kind: type[BaseException] | None, fault: BaseException | None, at: TracebackType | None) -> None:
        assert self._process
        assert self._process.stdin
        if self._process.poll() is None:
            self._process.stdin.close()
            try:
                self._process.wait(8)
            except subprocess.TimeoutExpired:
                self._process.kill()
        self._process.wait()

    def _read(self, process: subprocess.Popen[str]) -> None:
        assert process.stdout
        for line in process.stdout:
            if line.startswith("{"):
                self.log.add(json.loads(line))
        self.log.close()

    def tell(self, **command: Any) -> None:
        """Have a command carried out; when this returns it is in force (or refused: AssertionError)."""
        number = next(self._commands)
        self._write({"id": number, **command})
        answer = self.log.wait(lambda e: e.get("command") == number, 10, f"answer to {command}")
        assert answer["event"] == "done", f"{self.log.owner}: {command}: {answer['why']}"

    def _write(self, line: dict[str, Any]) -> None:
        assert self._process
        assert self._process.stdin
        self._process.stdin.write(json.dumps(line, default=str) + "\n")
        self._process.stdin.flush()

    def kill(self) -> None:
        """The phone vanishes from the network, without a word."""
        assert self._process
        self._process.kill()
        self._process.wait()

    def register(self, *, expect: int = 200, timeout: float = 10) -> Event:
        return self._registration("register", expect, timeout)

    def unregister(self, timeout: float = 10) -> Event:
        return self._registration("unregister", 200, timeout)

    def _registration(self, command: str, expect: int, timeout: float) -> Event:
        since = self.log.mark()
        self.tell(do=command)
        event = self.log.wait(lambda e: e["event"] == "registration", timeout, f"answer to {command}", since)
        assert event["status"] == expect, f"{self.log.owner}: {command}: {event}"
        return event

    def lamp(self, counts: str, *, subscribed: bool, since: int = 0, timeout: float = 20) -> Event:
        """Wait until the phone has been told these `Voice-Message` counts (RFC 3842), in a subscription or without."""

        def told(event: Event) -> bool:
            if event["event"] != "mwi" or event["subscribed"] is not subscribed:
                return False
            return f"Voice-Message: {counts} (0/0)" in event["notify"]

        return self.log.wait(told, timeout, f"lamp {counts}", since)

    def answering(self, status: int = 200, *, after: float = 0) -> None:
        """What to do with calls that come from now on: 180 rings only; 200 answers, 486 is busy, `after` seconds."""
        self.tell(do="answering", status=status, after=after)

    def call(self, number: str, *, headers: dict[str, str] | None = None) -> PhoneCall:
        """Dial `number` at the service, or a whole SIP URI."""
        uri = number if number.startswith("sip:") else f"sip:{number}@{self.service}{self._suffix}"
        name = f"dialled-{next(self._names)}"
        self.tell(do="call", to=uri, name=name, headers=headers or {})
        return PhoneCall(self, name)

    def incoming(self, number: int = 1, timeout: float = 10) -> PhoneCall:
        """The `number`th call that came in since the phone was started."""
        name = f"call-{number}"
        self.log.wait(lambda e: e["event"] == "incoming" and e["call"] == name, timeout, f"incoming {name}")
        return PhoneCall(self, name)

    @property
    def incoming_count(self) -> int:
        return len(self.log.all(lambda e: e["event"] == "incoming"))
