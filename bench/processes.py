"""CPU time, memory and UDP drops as the kernel counts them (proc(5))."""

from __future__ import annotations

import os
from pathlib import Path

_TICK_US = 1_000_000 / os.sysconf("SC_CLK_TCK")


def pinned(core: int) -> list[str]:
    """Prefix of a command that gets a core, before everything else that runs there.

    Niceness would not do: the kernel weighs it within a session only (sched(7), autogroup). Real time needs root.
    """
    return ["taskset", "-c", str(core), *(["chrt", "--rr", "1"] if os.geteuid() == 0 else [])]


def _stat(pid: int) -> list[str] | None:
    """Fields of /proc/PID/stat from the state on; None when the process is gone."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return None
    return text[text.rindex(")") + 2 :].split()


def process_tree(pid: int) -> list[int]:
    """The process and all its living descendants."""
    children: dict[int, list[int]] = {}
    for name in os.listdir("/proc"):
        if name.isdigit() and (fields := _stat(int(name))) is not None:
            children.setdefault(int(fields[1]), []).append(int(name))
    found, todo = [], [pid]
    while todo:
        found.append(todo.pop())
        todo += children.get(found[-1], [])
    return found


def cpu_us(pid: int) -> float:
    """CPU time in µs that the tree has used so far, with the children it has already buried.

    The kernel hands out ticks of 10 ms, scaled to the exact run time of the process; over seconds that is exact enough.
    """
    ticks = 0
    for member in process_tree(pid):
        if (fields := _stat(member)) is not None:
            ticks += sum(int(field) for field in fields[11:15])  # utime, stime, cutime, cstime
    return ticks * _TICK_US


def memory_mb(pid: int) -> float:
    """Memory of the tree in MiB; a page that several processes share counts once (proportional set size)."""
    kilobytes = 0
    for member in process_tree(pid):
        try:
            rollup = Path(f"/proc/{member}/smaps_rollup").read_text()
        except OSError:
            continue
        kilobytes += sum(int(line.split()[1]) for line in rollup.splitlines() if line.startswith("Pss:"))
    return kilobytes / 1024


def udp_drops() -> int:
    """Datagrams this network namespace has thrown away because a receive buffer was full."""
    rows = [line.split() for line in Path("/proc/net/snmp").read_text().splitlines() if line.startswith("Udp:")]
    return int(dict(zip(rows[0][1:], rows[1][1:], strict=True))["RcvbufErrors"])


def udp_port_bound(port: int) -> bool:
    """Whether a UDP socket of this namespace is bound to the port."""
    return any(line.split()[1].endswith(f":{port:04X}") for line in Path("/proc/net/udp").read_text().splitlines()[1:])


def cpu_model() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return "unknown processor"
