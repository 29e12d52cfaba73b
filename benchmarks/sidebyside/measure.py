"""Processor time and memory of a server, all its processes and threads, as Linux tells them in /proc."""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

PROC = Path("/proc")
TICKS_PER_SECOND = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True, slots=True)
class ProcessStat:
    """One line of /proc/PID/stat, as far as accounting needs it; times in clock ticks."""

    pid: int
    state: str
    """One letter; Z for a process that has ended and that nobody has waited for."""
    parent: int
    session: int
    cpu_ticks: int
    """User and system time of all its threads, ended ones too, and of the children it has waited for."""
    start_ticks: int
    """Since boot: with the pid it names a process for good, where a pid alone is used again."""


@dataclass(frozen=True, slots=True)
class Memory:
    """Resident memory in KiB; the proportional size shares pages out between the processes that map them."""

    rss_kib: int
    pss_kib: int


def parse_stat(text: str) -> ProcessStat:
    """Reads one process's line; the command name in it may itself hold spaces and brackets (proc(5))."""
    head, _, tail = text.rpartition(")")
    fields = tail.split()
    return ProcessStat(
        pid=int(head.split(" ", 1)[0]),
        state=fields[0],
        parent=int(fields[1]),
        session=int(fields[3]),
        cpu_ticks=sum(map(int, fields[11:15])),
        start_ticks=int(fields[19]),
    )


def parse_rollup(text: str) -> Memory:
    """Reads /proc/PID/smaps_rollup."""
    sizes = {}
    for line in text.splitlines():
        name, _, value = line.partition(":")
        if name in ("Rss", "Pss"):
            sizes[name] = int(value.split()[0])
    return Memory(rss_kib=sizes["Rss"], pss_kib=sizes["Pss"])


def read_stats(proc: Path = PROC) -> list[ProcessStat]:
    """Reads every process there is; one that ends meanwhile is left out."""
    stats = []
    for entry in proc.iterdir():
        if entry.name.isdecimal():
            try:
                stats.append(parse_stat((entry / "stat").read_text(errors="replace")))
            except (FileNotFoundError, ProcessLookupError):
                continue
    return stats


def tree(root: int, stats: Iterable[ProcessStat]) -> list[ProcessStat]:
    """Picks a process, its descendants, and whatever else runs in the session it leads.

    The session catches a grandchild whose parent has gone; descent, a child that opened its own session.
    """
    everyone = list(stats)
    chosen = {stat.pid for stat in everyone if root in (stat.pid, stat.session)}
    growing = True
    while growing:
        found = {stat.pid for stat in everyone if stat.parent in chosen} - chosen
        chosen |= found
        growing = bool(found)
    return [stat for stat in everyone if stat.pid in chosen]


def cpu_seconds(root: int) -> float:
    """Processor time that a process tree has used so far, to the clock tick (usually 10 ms)."""
    return sum(stat.cpu_ticks for stat in tree(root, read_stats())) / TICKS_PER_SECOND


def memory(root: int) -> Memory:
    """Memory of a process tree now."""
    rss = pss = 0
    for stat in tree(root, read_stats()):
        try:
            part = parse_rollup((PROC / str(stat.pid) / "smaps_rollup").read_text())
        except (FileNotFoundError, ProcessLookupError):
            continue
        rss += part.rss_kib
        pss += part.pss_kib
    return Memory(rss, pss)
