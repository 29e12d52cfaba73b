"""What an idle connection costs: the server's memory before and after thousands of them were opened."""

from __future__ import annotations

import resource
import select
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

from .cores import pinned
from .process import ServerProcess

CLIENT = Path(__file__).with_name("idle_client.py")
STEP_TIMEOUT = 120.0
SETTLING = 1.0
"""Seconds between the last request and the weighing, for what a server frees at leisure."""
SPARE_DESCRIPTORS = 500


class IdleError(Exception):
    """The connections could not be opened, or did not stay open."""


@dataclass(frozen=True, slots=True)
class IdleCost:
    """Memory in KiB before and after, and how many connections were open at the second weighing."""

    connections: int
    before: int
    after: int

    @property
    def kib_per_connection(self) -> float:
        return (self.after - self.before) / self.connections


def allow_descriptors(connections: int) -> None:
    """Raises the limit of this process and all it starts; IdleError where the machine forbids it."""
    needed = connections + SPARE_DESCRIPTORS
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY and hard < needed:
        raise IdleError(f"{connections} connections need {needed} descriptors and the hard limit is {hard}")
    if soft != resource.RLIM_INFINITY and soft < needed:
        resource.setrlimit(resource.RLIMIT_NOFILE, (needed, hard))


def weigh(server: ServerProcess, connections: int, core: int) -> IdleCost:
    """Opens connections from a process of its own and weighs the server; IdleError where some do not stay."""
    with pinned(core):
        client = subprocess.Popen(
            [sys.executable, str(CLIENT), str(server.port), str(connections)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
    with client:
        try:
            _await(client, "warm")
            time.sleep(SETTLING)
            before = server.memory().rss_kib
            _go_on(client)
            _await(client, "open")
            time.sleep(SETTLING)
            after = server.memory().rss_kib
            _go_on(client)
            alive = _await(client, "alive")
            if alive < connections:
                raise IdleError(f"{alive} of {connections} connections stayed open: {_complaint(client)}")
            return IdleCost(alive, before, after)
        finally:
            client.kill()


def _go_on(client: subprocess.Popen[str]) -> None:
    if client.stdin is None:
        raise IdleError("the client has no standard input")
    client.stdin.write("\n")
    client.stdin.flush()


def _await(client: subprocess.Popen[str], step: str) -> int:
    """Reads one line of the client's and gives the number in it."""
    if client.stdout is None:
        raise IdleError("the client has no standard output")
    readable, _, _ = select.select([client.stdout], [], [], STEP_TIMEOUT)
    words = client.stdout.readline().split() if readable else []
    if words[:1] != [step]:
        raise IdleError(f"the client did not come to {step!r}: {_complaint(client)}")
    return int(words[1]) if len(words) > 1 else 0


def _complaint(client: subprocess.Popen[str]) -> str:
    """The last line the client said on standard error, the client being of no use any more."""
    client.kill()
    said = client.stderr.read().strip() if client.stderr else ""
    return said.splitlines()[-1] if said else "it said nothing"
