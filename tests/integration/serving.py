"""A ropewalk process for a test: started on a free port, followed through its log, always ended.

``serve(...)`` runs ``python -m ropewalk`` in a session of its own and hands over a `Server` once the log says
where it listens. On the way out the process is told to stop by SIGTERM and must leave with status 0, and its
log must hold no traceback, unless the test said otherwise. Every wait has a bound and shows the log at it.
"""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx

from .wire import Wire

PROJECTS = Path(__file__).resolve().parent / "projects"

START_SECONDS = 20.0
STOP_SECONDS = 20.0
POLL_SECONDS = 0.02
LOG_SHOWN = 6_000
"""How many characters of a log a failure shows."""

LISTENING = re.compile(r"listening on (?P<url>http://(?P<host>\S+):(?P<port>\d+)|http\+unix:(?P<path>\S+))")

BLEMISHES = (
    "Traceback (most recent call last)",
    "ResourceWarning",
    "was never awaited",
    "was never retrieved",
    "Task was destroyed",
)
"""What no log of a healthy server holds: tracebacks, and what Python says of things that were left lying."""

LIVE: list[Server] = []
"""The servers running at this moment: a failing test's report shows their logs (conftest.py)."""


class ServerFailure(AssertionError):
    """The server did not do what every server here must do: start, stay, stop cleanly."""


@dataclass(eq=False)
class Server:
    """One running ropewalk process."""

    process: subprocess.Popen[bytes]
    log_file: Path
    url: str = ""
    host: str = ""
    port: int = 0
    socket_path: str = ""
    exit_code: int | None = None
    blemishes_expected: bool = field(default=False)

    @property
    def pid(self) -> int:
        return self.process.pid

    @property
    def log(self) -> str:
        """The text written to standard error so far."""
        return self.log_file.read_text(encoding="utf-8", errors="replace")

    def expect_traceback(self) -> None:
        """Tell that tracebacks in the log are part of this test."""
        self.blemishes_expected = True

    def client(self, **options: Any) -> httpx.Client:
        """A client of this server that looks at no proxy settings of the machine."""
        transport = httpx.HTTPTransport(verify=False, uds=self.socket_path or None)
        base_url = self.url if not self.socket_path else "http://localhost"
        options.setdefault("timeout", 10.0)
        return httpx.Client(transport=transport, base_url=base_url, trust_env=False, **options)

    def connect(self) -> Wire:
        """A bare TCP connection to this server."""
        return Wire(self.host, self.port)

    def wait_for_log(self, pattern: str, *, seconds: float = 10.0) -> re.Match[str]:
        """Wait until the log matches ``pattern``."""
        expression = re.compile(pattern)
        match: list[re.Match[str]] = []

        def found() -> bool:
            match[:] = [hit] if (hit := expression.search(self.log)) is not None else []
            return bool(match)

        self.poll(found, f"the log matches {pattern!r}", seconds=seconds)
        return match[0]

    def poll(self, condition: Callable[[], bool], what: str, *, seconds: float = 10.0) -> None:
        """Wait until ``condition()`` holds; fail with the log after ``seconds``."""
        deadline = time.monotonic() + seconds
        while not condition():
            if time.monotonic() > deadline:
                raise ServerFailure(f"not within {seconds} s: {what}\n{self.described_log()}")
            time.sleep(POLL_SECONDS)

    def settled(self, measure: Callable[[], int], *, calm: float = 0.3, seconds: float = 10.0) -> int:
        """Wait until ``measure()`` has stayed the same for ``calm`` seconds; returns what it then is."""
        value, since = measure(), time.monotonic()

        def unchanged() -> bool:
            nonlocal value, since
            if (new := measure()) != value:
                value, since = new, time.monotonic()
            return time.monotonic() - since >= calm

        self.poll(unchanged, "the measured value settles", seconds=seconds)
        return value

    def refuses_connections(self) -> bool:
        """Whether nobody listens on the port any more."""
        try:
            Wire(self.host, self.port).close()
        except ConnectionRefusedError:
            return True
        except ConnectionResetError:
            # Accepted by the system just as the listening socket was closed.
            return False
        return False

    def send_signal(self, number: signal.Signals) -> None:
        self.process.send_signal(number)

    def stop(self, number: signal.Signals = signal.SIGTERM, *, seconds: float = STOP_SECONDS) -> int:
        """Send a signal and wait for the end; returns the exit status."""
        self.send_signal(number)
        return self.wait(seconds=seconds)

    def wait(self, *, seconds: float = STOP_SECONDS) -> int:
        """Wait for the process to end by itself; returns the exit status."""
        try:
            self.exit_code = self.process.wait(timeout=seconds)
        except subprocess.TimeoutExpired:
            raise ServerFailure(f"still running after {seconds} s\n{self.described_log()}") from None
        return self.exit_code

    def memory(self) -> int:
        """Resident memory in bytes."""
        return self._status("VmRSS")

    def peak_memory(self) -> int:
        """The most resident memory there was since `forget_peak_memory`, in bytes."""
        return self._status("VmHWM")

    def forget_peak_memory(self) -> None:
        Path(f"/proc/{self.pid}/clear_refs").write_text("5", encoding="ascii")

    def _status(self, name: str) -> int:
        status = Path(f"/proc/{self.pid}/status").read_text(encoding="ascii", errors="replace")
        found = re.search(rf"^{name}:\s+(\d+) kB$", status, re.MULTILINE)
        if found is None:
            raise ServerFailure(f"/proc/{self.pid}/status has no {name}")
        return int(found[1]) * 1024

    def described_log(self) -> str:
        """The end of the log, between two lines that say whose it is."""
        return f"--- log of process {self.pid} ---\n{self.log[-LOG_SHOWN:]}--- end of log ---"

    def check_log(self) -> None:
        """Fail if the log tells of an error or of something left behind."""
        if self.blemishes_expected:
            return
        for blemish in BLEMISHES:
            if blemish in self.log:
                raise ServerFailure(f"the log holds {blemish!r}\n{self.described_log()}")


def environment(extra: Mapping[str, str] | None = None) -> dict[str, str]:
    """The environment of a server: ours without settings for ropewalk, and with resource warnings shown."""
    clean = {name: value for name, value in os.environ.items() if not name.upper().startswith("ROPEWALK_")}
    clean["PYTHONWARNINGS"] = "default::ResourceWarning"
    clean["PYTHONUNBUFFERED"] = "1"
    return clean | dict(extra or {})


def command(*arguments: str | Path) -> list[str]:
    return [sys.executable, "-m", "ropewalk", *map(str, arguments)]


@contextmanager
def launch(
    *arguments: str | Path,
    cwd: Path = PROJECTS,
    env: Mapping[str, str] | None = None,
    pass_fds: tuple[int, ...] = (),
) -> Iterator[Server]:
    """Have a ropewalk process with ``arguments`` while the block runs, however it may fare."""
    with tempfile.TemporaryDirectory(prefix="ropewalk-test-") as folder:
        log_file = Path(folder, "log")
        with log_file.open("wb") as log:
            process = subprocess.Popen(
                command(*arguments),
                cwd=cwd,
                env=environment(env),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                pass_fds=pass_fds,
                start_new_session=True,
            )
        server = Server(process, log_file)
        LIVE.append(server)
        try:
            yield server
        finally:
            LIVE.remove(server)
            _end(process)


@contextmanager
def serve(
    target: str,
    *options: str | Path,
    bind: str | None = "127.0.0.1:0",
    cwd: Path = PROJECTS,
    env: Mapping[str, str] | None = None,
    pass_fds: tuple[int, ...] = (),
) -> Iterator[Server]:
    """Have ropewalk serve ``target`` while the block runs, and end well after it.

    ``bind=None`` leaves the address to the options, and an empty target leaves that to them.
    """
    where = () if bind is None else ("--bind", bind)
    what = (target,) if target else ()
    with launch(*what, *where, *options, cwd=cwd, env=env, pass_fds=pass_fds) as server:
        _wait_until_listening(server)
        yield server
        if server.exit_code is None:
            if (code := server.process.poll()) is not None:
                raise ServerFailure(f"ended by itself with status {code}\n{server.described_log()}")
            if (code := server.stop()) != 0:
                raise ServerFailure(f"exit status {code} after SIGTERM\n{server.described_log()}")
        server.check_log()


def _wait_until_listening(server: Server) -> None:
    def listening() -> bool:
        if server.process.poll() is not None:
            raise ServerFailure(f"exit status {server.process.returncode} at start\n{server.described_log()}")
        found = LISTENING.search(server.log)
        if found is None:
            return False
        server.url = found["url"]
        if found["path"]:
            server.socket_path = found["path"]
        else:
            server.host, server.port = found["host"].strip("[]"), int(found["port"])
        return True

    server.poll(listening, "the server says where it listens", seconds=START_SECONDS)


def _end(process: subprocess.Popen[bytes]) -> None:
    if process.poll() is None:
        # The session is the server's own: this reaches its descendants and nobody else.
        os.killpg(process.pid, signal.SIGKILL)
        process.wait(timeout=STOP_SECONDS)


def run(
    *arguments: str | Path,
    cwd: Path = PROJECTS,
    env: Mapping[str, str] | None = None,
    seconds: float = START_SECONDS,
) -> subprocess.CompletedProcess[str]:
    """Run ropewalk with ``arguments`` to its own end, for what does not serve or must not start."""
    process = subprocess.Popen(
        command(*arguments),
        cwd=cwd,
        env=environment(env),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        encoding="utf-8",
        start_new_session=True,
    )
    try:
        output, errors = process.communicate(timeout=seconds)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        output, errors = process.communicate()
        raise ServerFailure(f"still running after {seconds} s\n{output}\n{errors}") from None
    return subprocess.CompletedProcess(process.args, process.returncode, output, errors)
