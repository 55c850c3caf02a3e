"""What voicemail's tests share: subscribers, a service on a folder of its own, callers on pjsua2, sound measures."""

from __future__ import annotations

import asyncio
import json
import os
import sys
import wave
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
from sqlalchemy import Engine, insert

from denwa.config.settings import DATA, Mail, Settings, Voicemail
from denwa.storage.engine import open_engine
from denwa.storage.outbox_store import OutboxStore
from denwa.storage.tables import metadata
from denwa.storage.tables.contracts import subscribers
from denwa.storage.voicemail_store import MailboxStore, OwnerStore
from denwa.voicemail.ports import DepositRequest, Message
from denwa.voicemail.service import NoPlace, Place, VoicemailService
from denwa.voicemail.sound_store.opening import open_sounds

NUMBER = "+815050010001"
CALLER = "+819012345678"
PROMPTS = DATA / "prompts"
GREETING = PROMPTS / "count-1.wav"  # 0.95 s
SPEECH = Path(__file__).with_name("speech.wav")  # 7.1 s without a pause: what the caller says, kept as long as it is
PHONE = Path(__file__).parent / "phone_process.py"


def make_tables(url: str) -> Engine:
    engine = open_engine(url)
    metadata.create_all(engine)
    return engine


def add_subscriber(engine: Engine, number: str = NUMBER, **changes: Any) -> None:
    now = datetime(2026, 11, 1, tzinfo=UTC)
    values = {
        "number": number,
        "account": number[-8:],
        "name": "山田",
        "mail": "taro@example.jp",
        "state": "active",
        "service_start": now,
        "bill_day": 1,
        "ring_time": 20,
        "voicemail": True,
        "mail_notice": "attach",
        "delete_after_mail": False,
        "forward_mode": "off",
        "forward_target": "",
        "reject_anonymous": False,
        "international": False,
        "codecs": "phone",
        "profile": "",
        "realm": "denwa.example",
        "ha1_md5": "",
        "ha1_sha256": "",
        "sip_password_sealed": "",
        "web_password_hash": "",
        "created_at": now,
        "changed_at": now,
    }
    with engine.begin() as connection:
        connection.execute(insert(subscribers).values(values | changes))


def rtp_ports() -> tuple[int, int]:
    """A range of this test process: tests beside it have others."""
    first = 20000 + os.getpid() % 24 * 400
    return first, first + 399


def settings_for(folder: Path, mail: Mail | None = None, **changes: Any) -> Settings:
    first, last = rtp_ports()
    rules = {"max_seconds": 3, "greeting": GREETING, "rtp_port_min": first, "rtp_port_max": last, "max_workers": 2}
    return Settings(data_dir=folder, voicemail=Voicemail(**{**rules, **changes}), mail=mail or Mail())


@asynccontextmanager
async def running(settings: Settings, engine: Engine) -> AsyncIterator[VoicemailService]:
    service = VoicemailService(settings, MailboxStore(engine), OutboxStore(engine), OwnerStore(engine))
    await service.start()
    try:
        yield service
    finally:
        await service.stop()


def request(**changes: Any) -> DepositRequest:
    fields = {"mailbox": NUMBER, "caller": CALLER, "hidden_reason": "", "call_id": "c1@phone", "cause": 486}
    return DepositRequest(**{**fields, **changes})


async def place_for(service: VoicemailService, **changes: Any) -> Place:
    place = await service.lease(request(**changes))
    assert isinstance(place, Place), place
    return place


async def refused(service: VoicemailService, **changes: Any) -> NoPlace:
    answer = await service.lease(request(**changes))
    assert isinstance(answer, NoPlace), answer
    return answer


class PhoneCall:
    """A call by a pjsua2 phone in its own process."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process
        self.codec = ""
        self.status = 0

    @classmethod
    async def to(cls, uri: str, *, play: Path = SPEECH, record: Path | None = None, **options: Any) -> PhoneCall:
        arguments = [uri, "--play", str(play), *(["--record", str(record)] if record else [])]
        for name, value in options.items():
            arguments += [f"--{name}", str(value)] if value is not True else [f"--{name}"]
        process = await asyncio.create_subprocess_exec(
            sys.executable, str(PHONE), *arguments, stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE
        )
        return cls(process)

    async def until(self, state: str) -> float:
        """Follow the call to a state; the wall-clock time (s) when it was reached."""
        assert self._process.stdout is not None
        async with asyncio.timeout(30):
            async for line in self._process.stdout:
                event = json.loads(line)
                self.codec = event.get("codec", self.codec)
                self.status = event.get("status", self.status)
                if event.get("state") == state or event["event"] == state:
                    return float(event["at"])
        raise AssertionError(f"the call never became {state}")

    async def over(self) -> int:
        """Wait for the end; the last SIP status."""
        await self.until("done")
        await self._process.wait()
        return self.status

    async def kill(self) -> None:
        """End a phone whose far end is dead: it would wait half a minute for the answer to its BYE."""
        self._process.kill()
        await self._process.wait()

    def hang_up(self) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(b"\n")


async def eventually(check: Any, seconds: float = 10.0) -> Any:
    """The first true answer of `check()`; fails when there is none in time."""
    async with asyncio.timeout(seconds):
        while not (found := await asyncio.to_thread(check)):
            await asyncio.sleep(0.02)
    return found


async def stored(engine: Engine, count: int = 1, seconds: float = 10.0) -> list[Message]:
    """The messages of the mailbox, once there are `count`."""
    store = MailboxStore(engine)
    await eventually(lambda: len(store.messages(NUMBER)) >= count, seconds)
    return store.messages(NUMBER)


def sound_of(settings: Settings, message: Message) -> Path:
    """Its WAV as its owner gets it: in a file beside the store, where it is sealed."""
    heard = settings.data_dir / f"heard-{message.id}.wav"
    heard.write_bytes(open_sounds(settings).read(message.recording.sound))
    return heard


def samples(path: Path) -> np.ndarray[Any, np.dtype[np.float64]]:
    """At 8 kHz."""
    with wave.open(str(path)) as sound:
        assert (sound.getnchannels(), sound.getsampwidth()) == (1, 2)
        data = np.frombuffer(sound.readframes(sound.getnframes()), "<i2").astype(float)
        if sound.getframerate() == 16000:
            spectrum = np.fft.rfft(data)
            return np.fft.irfft(spectrum[: len(data) // 4 + 1], len(data) // 2) / 2  # a clean half-band filter
        return data


def likeness(sample: Path, heard: Path, window: int = 2400) -> float:
    """How much of `heard` is found in `sample`: 1 all of it, below 0.6 it is something else.

    Piece by piece (0.3 s), each where it fits best, because a busy machine drops or repeats a packet here and there.
    The middle value of all pieces that are not silent.
    """
    one, other = samples(sample), samples(heard)
    pieces = [other[at : at + window] for at in range(0, len(other) - window + 1, window // 2)]
    loud = [piece for piece in pieces if np.abs(piece).max() > 1000]
    return float(np.median([_best_fit(one, piece) for piece in loud])) if loud else 0.0


def _best_fit(sample: Any, piece: Any) -> float:
    """The highest correlation of `piece` with any equally long part of `sample`."""
    piece = piece - piece.mean()
    size = 1 << int(np.ceil(np.log2(len(sample) + len(piece))))
    product = np.fft.irfft(np.fft.rfft(sample, size) * np.conj(np.fft.rfft(piece, size)), size)
    sums, squares = (np.concatenate([[0], np.cumsum(values)]) for values in (sample, sample**2))
    parts = slice(0, len(sample) - len(piece) + 1)
    deviation = (
        squares[len(piece) :] - squares[: -len(piece)] - (sums[len(piece) :] - sums[: -len(piece)]) ** 2 / len(piece)
    )
    scale = np.sqrt(np.maximum(deviation, 1) * (piece**2).sum())
    return float((product[parts] / np.maximum(scale, 1e-9))[deviation > 1e6].max())
