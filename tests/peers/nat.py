"""Two NATs and the network between them, on this machine: network namespaces, veth pairs and iptables. Needs root.

    phone 192.168.1.20 - NAT 198.51.100.2 - service 203.0.113.10 - NAT 198.51.100.6 - phone 10.0.0.5

Each NAT gives every flow another port, drawn at random, and lets nothing in that was not asked for. No route leads from
one phone's network to the other.
"""

from __future__ import annotations

import contextlib
import ctypes
import itertools
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Self

SERVICE = "203.0.113.10"
NATS = ("198.51.100.2", "198.51.100.6")
PHONES = ("192.168.1.20", "10.0.0.5")
_HERE = Path("/proc/thread-self/ns/net")
_CLONE_NEWNET = 0x40000000
_numbers = itertools.count(1)


def why_not() -> str:
    """Why there can be no such network here, "" when there can."""
    if os.geteuid() != 0:
        return "network namespaces need root"
    missing = [tool for tool in ("ip", "iptables") if shutil.which(tool) is None]
    if missing:
        return f"{' and '.join(missing)} (Debian: iproute2, iptables) not installed"
    name = f"denwa-try-{os.getpid()}"
    tried = subprocess.run(["ip", "netns", "add", name], capture_output=True, text=True)
    if tried.returncode:
        return f"no network namespaces here: {tried.stderr.strip()}"
    try:
        rule = ["iptables", "-t", "nat", "-A", "POSTROUTING", "-p", "udp", "-j", "MASQUERADE", "--random-fully"]
        tried = subprocess.run(["ip", "netns", "exec", name, *rule], capture_output=True, text=True)
        return f"no NAT here: {tried.stderr.strip()}" if tried.returncode else ""
    finally:
        subprocess.run(["ip", "netns", "del", name], check=True)


class NatNetwork:
    """`phones` are the namespaces of the two phones; `entered()` puts the calling thread where the service is."""

    def __init__(self) -> None:
        mark = f"dn{os.getpid() % 100_000}x{next(_numbers)}"
        self._service = f"{mark}-s"
        self._nats = [f"{mark}-n{i}" for i in (0, 1)]
        self.phones = [f"{mark}-p{i}" for i in (0, 1)]

    def __enter__(self) -> Self:
        try:
            self._build()
        except BaseException:
            self._remove()
            raise
        return self

    def __exit__(self, kind: type[BaseException] | None, fault: BaseException | None, at: TracebackType | None) -> None:
        self._remove()

    def _build(self) -> None:
        for name in (self._service, *self._nats, *self.phones):
            _run("ip", "netns", "add", name)
            self._in(name, "ip", "link", "set", "lo", "up")
        self._in(self._service, "ip", "addr", "add", f"{SERVICE}/32", "dev", "lo")
        self._in(self._service, "sysctl", "-qw", "net.ipv4.ip_forward=1")
        for i, (nat, phone) in enumerate(zip(self._nats, self.phones, strict=True)):
            inside = PHONES[i].rpartition(".")[0] + ".1"
            self._join(self._service, f"nat{i}", f"198.51.100.{4 * i + 1}/30", nat, "out", f"{NATS[i]}/30")
            self._join(nat, "in", f"{inside}/24", phone, "eth", f"{PHONES[i]}/24")
            self._in(nat, "ip", "route", "add", "default", "via", f"198.51.100.{4 * i + 1}")
            self._in(phone, "ip", "route", "add", "default", "via", inside)
            self._in(nat, "sysctl", "-qw", "net.ipv4.ip_forward=1")
            outward = ["-t", "nat", "-A", "POSTROUTING", "-o", "out"]
            for protocol in ("udp", "tcp"):
                self._in(nat, "iptables", *outward, "-p", protocol, "-j", "MASQUERADE", "--random-fully")
            asked_for = ["-m", "conntrack", "!", "--ctstate", "ESTABLISHED,RELATED"]
            self._in(nat, "iptables", "-A", "FORWARD", "-i", "out", *asked_for, "-j", "DROP")

    def _join(self, one: str, name: str, address: str, other: str, other_name: str, other_address: str) -> None:
        _run("ip", "-n", one, "link", "add", name, "type", "veth", "peer", "name", other_name, "netns", other)
        for namespace, device, its in ((one, name, address), (other, other_name, other_address)):
            self._in(namespace, "ip", "addr", "add", its, "dev", device)
            self._in(namespace, "ip", "link", "set", device, "up")

    def _in(self, namespace: str, *command: str) -> None:
        _run("ip", "netns", "exec", namespace, *command)

    def _remove(self) -> None:
        for name in (*self.phones, *self._nats, self._service):
            subprocess.run(["ip", "netns", "del", name], capture_output=True)

    @contextlib.contextmanager
    def entered(self) -> Iterator[None]:
        """What this thread opens and starts within is in the service's network."""
        with _HERE.open() as back, Path(f"/run/netns/{self._service}").open() as there:
            _enter(there.fileno())
            try:
                yield
            finally:
                _enter(back.fileno())


def _enter(namespace: int) -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.setns(namespace, _CLONE_NEWNET):
        raise OSError(ctypes.get_errno(), "setns")


def _run(*command: str) -> None:
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError(f"{' '.join(command)}: {done.stderr.strip()}")
