"""Runs the load generator (wrk) and reads what it says."""

from __future__ import annotations

import json
import subprocess
from dataclasses import dataclass
from pathlib import Path

from .cores import pinned

SCRIPT = Path(__file__).with_name("load.lua")
CONNECTIONS = 64
REQUEST_TIMEOUT = 10
"""Seconds after which wrk counts a request as timed out."""


class LoadError(Exception):
    """The load generator could not do its work."""


@dataclass(frozen=True, slots=True)
class Load:
    """What one run of the load generator saw; latencies in milliseconds."""

    requests: int
    """Complete answers with a status of 2xx or 3xx."""
    seconds: float
    received_bytes: int
    p50: float
    p99: float
    errors: dict[str, int]
    """Those kinds that happened: connect, read, write, timeout, and status for answers of 4xx and 5xx."""


def parse(output: str) -> Load:
    """Finds the script's JSON line in wrk's output."""
    for line in reversed(output.splitlines()):
        if line.startswith("{"):
            report = json.loads(line)
            errors = {kind: count for kind, count in report["errors"].items() if count}
            return Load(
                requests=report["requests"] - errors.get("status", 0),
                seconds=report["microseconds"] / 1e6,
                received_bytes=report["bytes"],
                p50=report["p50"] / 1e3,
                p99=report["p99"] / 1e3,
                errors=errors,
            )
    raise LoadError(f"no report in wrk's output: {output.strip()[-300:] or 'nothing'}")


def run(url: str, request: Path, seconds: int, core: int) -> Load:
    """Loads a server for some seconds with the request in a file; LoadError where wrk fails."""
    command = ["wrk", "--threads", "1", "--connections", str(CONNECTIONS), "--duration", f"{seconds}s"]
    command += [
        "--timeout",
        f"{REQUEST_TIMEOUT}s",
        "--latency",
        "--script",
        str(SCRIPT),
        url,
        "--",
        str(request),
    ]
    try:
        with pinned(core):
            finished = subprocess.run(
                command,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                check=False,
                timeout=seconds + 2 * REQUEST_TIMEOUT,
            )
    except subprocess.TimeoutExpired:
        raise LoadError(f"wrk did not end within {2 * REQUEST_TIMEOUT} s of its time") from None
    if finished.returncode != 0:
        raise LoadError(f"wrk ended with {finished.returncode}: {finished.stdout.strip()[-300:]}")
    return parse(finished.stdout)
