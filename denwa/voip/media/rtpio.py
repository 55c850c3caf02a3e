"""The embedded media relay: `rtp.io`, which is RTPProxy as threads of this process, spoken to over its own socket.

It answers a command within some ten microseconds, so that the engine waits for it. It dies with the process, and its
ports with it (decision 0020).
"""

from __future__ import annotations

import contextlib
import logging
import socket
from typing import Any, Final

from denwa.voip.media.relay import Crossing, Heard, RelayEnd, StreamEnd

log = logging.getLogger(__name__)
PATIENCE: Final = 0.25  # seconds that an answer may take
TRIES: Final = 3  # it draws ports, and now and then finds none though some are free
# Its threads close the sockets of a session that has ended when a packet wakes them, so that one which has given all
# its ports away might never give any again. Some ports stay free, and each release sends a packet to a session of ours.
_USED: Final = 0.9
_WAKER: Final = "wake"
# No session ends by silence: calls on hold are silent. The calls give their ports back, and so does the process.
_LONGEST: Final = 7 * 86_400
_CALLER, _CALLEE = "c", "d"


class RelayFault(Exception):
    """The relay cannot be started; the text says why."""


class RelayMissing(RelayFault):
    """It is not installed: there is no wheel of it for this machine."""


class _Session:
    """`first`: who made it; streams made so far by their numbers."""

    __slots__ = ("first", "streams")

    def __init__(self, first: str) -> None:
        self.first = first
        self.streams: set[int] = set()


class RtpIo:
    """A MediaRelay at `bind` (an IPv4 address of this machine, or 0.0.0.0) with UDP ports from `first` to `last`.

    Raises RelayFault when rtp.io does not take these, RelayMissing when it is not installed.
    """

    def __init__(self, bind: str, first: int, last: int) -> None:
        try:
            from rtp.io import rtpproxy
        except ImportError as fault:
            raise RelayMissing(f"rtp.io cannot be loaded: {fault}") from None
        arguments = ["-F", "-d", "crit", "-l", bind, "-m", str(first), "-M", str(last), "-T", str(_LONGEST)]
        try:
            _try_address(bind)
            # Without modules: one of those it loads by itself writes a file of calls wherever the service runs.
            self._proxy: Any = rtpproxy(extra_args=arguments, modules=())
        except (RuntimeError, OSError) as fault:
            raise RelayFault(f"rtp.io does not start on {bind}, ports {first} to {last}: {fault}") from None
        self._socket: socket.socket = self._proxy.rtpp_sock
        self._socket.settimeout(PATIENCE)
        self._owed = 0  # answers that did not come in time
        self._sessions: dict[str, _Session] = {}
        self._free = int((last - first + 1) // 2 * _USED) // 2  # streams: each takes two pairs of ports
        self._wake_at = ("127.0.0.1" if bind == "0.0.0.0" else bind, 0)
        self._waking = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._waking.setblocking(False)
        given = self.cross(Crossing(_WAKER, True, False, (StreamEnd(self._wake_at[0], 9, True),), b""))
        if given is None or given[0] is None:
            raise RelayFault(f"rtp.io gets no ports from {first} to {last}")
        self._wake_at = (self._wake_at[0], given[0].port)

    def close(self) -> None:
        """Stop the relay's threads."""
        for session in list(self._sessions):
            self.release(session)
        self._waking.close()
        self._proxy = None

    @property
    def sessions(self) -> int:
        return len(self._sessions) - 1  # without the one that wakes

    def kept(self) -> frozenset[str]:
        """Nothing outlives the process."""
        return frozenset()

    def cross(self, crossing: Crossing) -> tuple[RelayEnd | None, ...] | None:
        sender, receiver = (_CALLER, _CALLEE) if crossing.from_caller else (_CALLEE, _CALLER)
        session = self._sessions.setdefault(crossing.session, _Session(sender))
        ends: list[RelayEnd | None] = []
        for number, stream in enumerate(crossing.streams, 1):
            port = 0 if stream is None else self._port(crossing.session, session, number, stream, sender, receiver)
            if stream is not None and not port:
                if not session.streams:
                    del self._sessions[crossing.session]
                return None
            ends.append(RelayEnd("", port) if stream is not None else None)
        return tuple(ends)

    def _port(self, name: str, session: _Session, number: int, stream: StreamEnd, sender: str, receiver: str) -> int:
        """The port that the receiver of this stream's description sends to; 0: there is none."""
        if ":" in stream.host:
            return 0  # it listens on IPv4 only
        # `A`: packets are only taken from that host, and go to that port whatever theirs is. Without it the first
        # packets tell both.
        how = "UA" if stream.known else "U"
        other = f" {receiver};{number}" if number in session.streams else ""
        if not other and not self._free:
            log.error("all ports of the media relay are in use")
            return 0
        command = f"{how} {name} {stream.host} {stream.port} {sender};{number}{other}"
        words: list[str] = []
        for _ in range(TRIES):
            words = self._ask(command).split()
            if not words or not words[0].startswith("E7"):
                break
        if not words or not words[0].isdigit() or not 0 < int(words[0]) < 65536:
            log.error("rtp.io gives no port: %s", " ".join(words) or "no answer")
            return 0
        if not other:
            session.streams.add(number)
            self._free -= 1
        return int(words[0])

    def heard(self, session: str) -> Heard | None:
        known = self._sessions.get(session)
        if known is None or not known.streams:
            return None
        other = _CALLEE if known.first == _CALLER else _CALLER
        caller = callee = 0
        silent = float(_LONGEST)
        for number in known.streams:
            words = self._ask(f"Q {session} {known.first};{number} {other};{number}").split()
            if len(words) < 3 or not all(word.isdigit() for word in words[:3]):
                return None
            left, from_first, from_other = map(int, words[:3])
            silent = min(silent, float(_LONGEST - left))
            caller += from_first if known.first == _CALLER else from_other
            callee += from_other if known.first == _CALLER else from_first
        return Heard(caller, callee, max(silent, 0.0))

    def release(self, session: str) -> None:
        known = self._sessions.pop(session, None)
        if known is not None and known.streams:
            self._free += len(known.streams)
            other = _CALLEE if known.first == _CALLER else _CALLER
            self._ask(f"D {session} {known.first} {other}")
            self._wake()

    def _wake(self) -> None:
        host, port = self._wake_at
        for its_port in (port, port + 1):  # RTP and RTCP have a thread each
            with contextlib.suppress(OSError):
                self._waking.sendto(b"\0", (host, its_port))

    def active(self) -> int:
        """Calls' sessions as rtp.io itself counts them; -1: it does not answer."""
        for line in self._ask("I").splitlines():
            name, _, value = line.partition(":")
            if name == "active sessions":
                return int(value) - 1
        return -1

    def _ask(self, command: str) -> str:
        """One command and its answer, "" when none comes in time."""
        try:
            while self._owed > 0:
                self._owed -= self._socket.recv(8192).count(b"\n")
            self._socket.sendall(command.encode() + b"\n")
            self._owed = 1
            answer = self._socket.recv(8192)
            self._owed = 0
        except OSError as fault:
            log.error("rtp.io does not answer: %s", fault)
            return ""
        return answer.decode("ascii", "replace").strip()


def _try_address(host: str) -> None:
    """rtp.io finds out with the first call. Raises OSError when `host` is no address of this machine."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.bind((host, 0))
