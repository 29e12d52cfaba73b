"""What a result was measured on: machine, system, interpreter and commit."""

from __future__ import annotations

import os
import platform
import re
import subprocess
from pathlib import Path


def cpu_model(cpuinfo: str) -> str:
    """Reads the processor's name from /proc/cpuinfo; what little ARM kernels give otherwise."""
    match = re.search(r"^model name\s*:\s*(.+)$", cpuinfo, re.MULTILINE)
    return match[1].strip() if match else platform.machine()


def describe() -> dict[str, str | int | float]:
    """Facts about this machine, none of which names it or a person."""
    meminfo = Path("/proc/meminfo").read_text()
    total = re.search(r"^MemTotal:\s*(\d+)", meminfo, re.MULTILINE)
    return {
        "cpu": cpu_model(Path("/proc/cpuinfo").read_text()),
        "cores": os.cpu_count() or 1,
        "memory_gib": round(int(total[1]) / 2**20, 1) if total else 0,
        "kernel": f"{platform.system()} {platform.release()}",
        "python": f"{platform.python_implementation()} {platform.python_version()}",
        "load_at_start": round(os.getloadavg()[0], 2),
    }


def wrk_version() -> str | None:
    """The load generator's version; None where it is not installed."""
    try:
        finished = subprocess.run(["wrk", "-v"], capture_output=True, text=True, check=False, timeout=10)
    except FileNotFoundError:
        return None
    words = (finished.stdout or finished.stderr).split()
    return " ".join(words[1:2]) or "?"


def commit(checkout: Path) -> str:
    """The checkout's commit, with ``-dirty`` where files differ from it; ``unknown`` outside git."""
    command = ["git", "-C", str(checkout), "describe", "--always", "--dirty", "--abbrev=12", "--exclude=*"]
    # Without this git may rewrite the index of a checkout that somebody is working in.
    environment = {**os.environ, "GIT_OPTIONAL_LOCKS": "0"}
    try:
        finished = subprocess.run(
            command, capture_output=True, text=True, check=False, timeout=30, env=environment
        )
    except FileNotFoundError:
        return "unknown"
    return finished.stdout.strip() or "unknown"
