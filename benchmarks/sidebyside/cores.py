"""Which processor core runs the server and which the load, and how a process is kept to one."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Cores:
    """Core numbers as the kernel counts them."""

    server: int
    load: int

    @classmethod
    def parse(cls, text: str) -> Cores:
        """Reads ``SERVER,LOAD``; ValueError where it is not two cores this process may use."""
        server, load = (int(part) for part in text.split(","))
        if not {server, load} <= os.sched_getaffinity(0):
            raise ValueError(f"this process may use the cores {sorted(os.sched_getaffinity(0))}")
        return cls(server, load)

    @classmethod
    def furthest_apart(cls) -> Cores:
        """Takes the last core for the server: the first one usually serves the machine's interrupts."""
        usable = sorted(os.sched_getaffinity(0))
        return cls(server=usable[-1], load=usable[0])


@contextmanager
def pinned(core: int) -> Iterator[None]:
    """Keeps this process, and every process it starts inside the block, to one core."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {core})
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)
