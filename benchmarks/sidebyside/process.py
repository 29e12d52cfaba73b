"""One server's life: started on its core, waited for, measured by others, ended with all it started."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from . import measure
from .cores import pinned

START_TIMEOUT = 30.0
STOP_TIMEOUT = 5.0
POLL = 0.002


class ServerError(Exception):
    """A server did not start, ended early, or would not end."""


def free_port() -> int:
    """Finds a port for a server that cannot report the one it got itself."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def clean_environment(*python_path: Path) -> dict[str, str]:
    """The variables a server sees: none that steer Python or a server but the module path given here.

    A PYTHONDONTWRITEBYTECODE or a GUNICORN_CMD_ARGS that happens to be set would change what is measured.
    """
    kept = {name: os.environ[name] for name in ("PATH", "HOME", "LANG", "TMPDIR") if name in os.environ}
    return {**kept, "PYTHONPATH": os.pathsep.join(str(path) for path in python_path)}


class ServerProcess:
    """A running server, in a session of its own, its output kept in a file."""

    def __init__(
        self, process: subprocess.Popen[bytes], port: int, output: IO[bytes], started: float
    ) -> None:
        self.process = process
        self.port = port
        self.started = started
        """``time.perf_counter()`` just before the process was started."""
        self._output = output

    @property
    def pid(self) -> int:
        return self.process.pid

    def output(self) -> str:
        """The last of what it printed, for a message."""
        size = os.fstat(self._output.fileno()).st_size
        tail = os.pread(self._output.fileno(), 1500, max(0, size - 1500))
        return tail.decode("utf-8", "replace").strip()

    def count_lines(self) -> int:
        """How many lines it has printed, access log included."""
        lines = offset = 0
        while block := os.pread(self._output.fileno(), 1 << 20, offset):
            lines += block.count(b"\n")
            offset += len(block)
        return lines

    def check_alive(self) -> None:
        """Raises ServerError once the process has ended."""
        if self.process.poll() is not None:
            said = self.output() or "it printed nothing"
            raise ServerError(f"ended with {self.process.returncode}: {said}")

    def wait_until_listening(self, timeout: float = START_TIMEOUT) -> None:
        """Returns when the port accepts a connection; ServerError when it does not in time."""
        deadline = time.monotonic() + timeout
        while True:
            self.check_alive()
            try:
                socket.create_connection(("127.0.0.1", self.port), timeout=1).close()
            except OSError:
                if time.monotonic() > deadline:
                    raise ServerError(f"does not listen after {timeout:g} s: {self.output()}") from None
                time.sleep(POLL)
            else:
                return

    def cpu_seconds(self) -> float:
        return measure.cpu_seconds(self.pid)

    def memory(self) -> measure.Memory:
        return measure.memory(self.pid)


@contextmanager
def serving(
    command: list[str], port: int, *, cwd: Path, environment: Mapping[str, str], core: int
) -> Iterator[ServerProcess]:
    """Runs a server for as long as the block lasts, on one core."""
    with tempfile.TemporaryFile() as output:
        started = time.perf_counter()
        with pinned(core):
            process = subprocess.Popen(
                command,
                cwd=cwd,
                env=dict(environment),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        try:
            yield ServerProcess(process, port, output, started)
        finally:
            stop(process)


def stop(process: subprocess.Popen[bytes], timeout: float = STOP_TIMEOUT) -> None:
    """Asks a server to end, and ends whatever of its processes is left when the time is up."""
    family = {stat.pid: stat for stat in measure.tree(process.pid, measure.read_stats())}
    if process.poll() is None:
        process.terminate()
    try:
        process.wait(timeout)
    except subprocess.TimeoutExpired:
        pass
    deadline = time.monotonic() + timeout
    while left := _still_running(family, process):
        if time.monotonic() > deadline or process.poll() is None:
            for pid in left:
                try:
                    os.kill(pid, signal.SIGKILL)
                except ProcessLookupError:
                    continue
            break
        time.sleep(POLL)
    process.wait(timeout)


def _still_running(family: Mapping[int, measure.ProcessStat], process: subprocess.Popen[bytes]) -> list[int]:
    """Finds the members of the family that run on, those that joined it meanwhile included."""
    now = {stat.pid: stat for stat in measure.read_stats() if stat.state != "Z"}
    survivors = {
        pid for pid, stat in family.items() if pid in now and now[pid].start_ticks == stat.start_ticks
    }
    survivors |= {stat.pid for stat in now.values() if stat.session == process.pid}
    return sorted(survivors)
