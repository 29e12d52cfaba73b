"""What a test may not leave behind: threads, child processes, open descriptors, lost asyncio tasks."""

from __future__ import annotations

import gc
import logging
import os
import threading
import time
from dataclasses import dataclass, field

DESCRIPTORS = "/proc/self/fd"
THREADS = "/proc/self/task"

GRACE_SECONDS = 2.0
"""How long what is on its way out (a closing transport) may take; a clean test waits for nothing."""

ENDURING_THREADS = ("AnyIO worker thread",)
"""Idle daemon threads of the test clients: their pool ends them some time after the test."""

LOST_TASKS = (
    "Task exception was never retrieved",
    "Future exception was never retrieved",
    "Task was destroyed",
)


class LostTasks(logging.Handler):
    """Collects what asyncio says of tasks and futures that nobody waited for."""

    def __init__(self) -> None:
        super().__init__(logging.ERROR)
        self.messages: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        """Keep the message if it tells of a lost task."""
        message = record.getMessage()
        if message.startswith(LOST_TASKS):
            self.messages.append(message)

    def take(self) -> list[str]:
        """Return what was collected and begin anew."""
        taken, self.messages = self.messages, []
        return taken


def open_descriptors() -> dict[int, str]:
    """Map each open descriptor of this process to what it stands for; empty where the system cannot tell."""
    found: dict[int, str] = {}
    try:
        names = os.listdir(DESCRIPTORS)  # noqa: PTH208 - runs twice for every test
    except OSError:
        return found
    for name in names:
        # The descriptor that listed the directory is closed again by now.
        try:
            found[int(name)] = os.readlink(f"{DESCRIPTORS}/{name}")  # noqa: PTH115 - as above
        except OSError:
            continue
    return found


def child_processes() -> set[int]:
    """The process ids of the children of this process, also those that ended and were not waited for."""
    found: set[int] = set()
    try:
        threads = os.listdir(THREADS)  # noqa: PTH208 - as above
    except OSError:
        return found
    for thread in threads:
        try:
            with open(f"{THREADS}/{thread}/children", "rb") as listing:  # noqa: PTH123 - as above
                found.update(map(int, listing.read().split()))
        except OSError:
            continue
    return found


def live_threads() -> set[threading.Thread]:
    """The threads that somebody ought to join."""
    return {thread for thread in threading.enumerate() if not thread.name.startswith(ENDURING_THREADS)}


@dataclass
class Baseline:
    """What was open before a test."""

    descriptors: dict[int, str] = field(default_factory=open_descriptors)
    children: set[int] = field(default_factory=child_processes)
    threads: set[threading.Thread] = field(default_factory=live_threads)

    def left_over(self) -> list[str]:
        """Describe what is open now and was not then."""
        found = [f"thread {thread.name!r}" for thread in live_threads() - self.threads]
        found += [f"child process {pid}" for pid in child_processes() - self.children]
        descriptors = open_descriptors()
        if len(descriptors) > len(self.descriptors):
            new = sorted(descriptors.items() - self.descriptors.items())
            found += [f"descriptor {number} ({what})" for number, what in new]
        return found

    def leaks(self, grace: float = GRACE_SECONDS) -> list[str]:
        """Describe what the test left behind, once what is on its way out has had its time."""
        if not self.left_over():
            return []
        # Objects in reference cycles are not leaks: collecting them closes what they held, and the
        # ResourceWarning that comes of it is an error of its own.
        gc.collect()
        deadline = time.monotonic() + grace
        while (found := self.left_over()) and time.monotonic() < deadline:
            time.sleep(0.01)
        return found
