"""A name server on loopback (RFC 1035, 2782, 3403) with the records that a test gives it; written from the RFCs, so
that the service's DNS library is not tested against itself."""

from __future__ import annotations

import socket
import struct
import threading
from collections.abc import Sequence
from ipaddress import ip_address
from types import TracebackType
from typing import Self

A, AAAA, SRV, NAPTR = 1, 28, 33, 35
_NXDOMAIN, _SERVFAIL = 3, 2
Records = dict[tuple[str, int], Sequence[bytes]]


def a(address: str) -> bytes:
    return ip_address(address).packed


def srv(priority: int, weight: int, port: int, target: str) -> bytes:
    return struct.pack("!HHH", priority, weight, port) + _name(target)


def naptr(order: int, preference: int, service: str, replacement: str, flags: str = "s") -> bytes:
    texts = b"".join(bytes([len(text)]) + text.encode() for text in (flags, service, ""))
    return struct.pack("!HH", order, preference) + texts + _name(replacement)


def _name(text: str) -> bytes:
    parts = [part.encode() for part in text.rstrip(".").split(".") if part]
    return b"".join(bytes([len(part)]) + part for part in parts) + b"\0"


class NameServer:
    """`with NameServer() as dns: dns.put("pstn.example", A, a("127.0.0.1"))`. `ttl` is that of every answer; while
    `broken`, it answers SERVFAIL. `asked`: (name, type) of each question."""

    def __init__(self, ttl: int = 5) -> None:
        self.ttl = ttl
        self.broken = False
        self.asked: list[tuple[str, int]] = []
        self._records: Records = {}
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind(("127.0.0.1", 0))
        self.port: int = self._socket.getsockname()[1]
        self._thread = threading.Thread(target=self._serve, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, fault: BaseException | None, at: TracebackType | None) -> None:
        self._socket.sendto(b"", ("127.0.0.1", self.port))  # wakes the thread up
        self._thread.join(5)
        self._socket.close()

    def put(self, name: str, kind: int, *records: bytes) -> None:
        """These are now all records of that name and type."""
        self._records[name.rstrip(".").lower(), kind] = records

    def _serve(self) -> None:
        while True:
            data, peer = self._socket.recvfrom(4096)
            if not data:
                return
            self._socket.sendto(self._answer(data), peer)

    def _answer(self, query: bytes) -> bytes:
        labels, position = [], 12
        while query[position]:
            size = query[position]
            labels.append(query[position + 1 : position + 1 + size].decode())
            position += 1 + size
        name = ".".join(labels).lower()
        (kind,) = struct.unpack_from("!H", query, position + 1)
        question = query[12 : position + 5]
        self.asked.append((name, kind))
        records = self._records.get((name, kind), ())
        known = any(known_name == name for known_name, _ in self._records)
        code = _SERVFAIL if self.broken else 0 if known else _NXDOMAIN
        if code:
            records = ()
        head = query[:2] + struct.pack("!HHHHH", 0x8580 | code, 1, len(records), 0, 0)
        body = b"".join(b"\xc0\x0c" + struct.pack("!HHIH", kind, 1, self.ttl, len(r)) + r for r in records)
        return head + question + body
