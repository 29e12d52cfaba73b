"""Tests of starting, watching and ending a server, with a small real one."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

import pytest
from sidebyside import measure, process
from sidebyside.cores import Cores
from sidebyside.process import ServerError, ServerProcess, clean_environment, free_port, serving, stop
from sidebyside.workloads import WORKLOADS, check

HERE = Path(__file__).resolve().parent
HELLO = WORKLOADS[0]


def greeter(mode: str) -> AbstractContextManager[ServerProcess]:
    port = free_port()
    command = [sys.executable, "-m", "greeter", str(port), mode]
    return serving(
        command, port, cwd=HERE, environment=clean_environment(HERE), core=Cores.furthest_apart().server
    )


def until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.005)


def test_server_is_ready_pinned_and_measured_and_gone_after_the_block() -> None:
    with greeter("plain") as running:
        running.wait_until_listening()
        check(running.port, HELLO)
        assert os.sched_getaffinity(running.pid) == {Cores.furthest_apart().server}
        assert running.cpu_seconds() > 0
        assert running.memory().rss_kib > 1024
        pid = running.pid
    assert measure.tree(pid, measure.read_stats()) == []


def test_children_are_measured_and_ended_with_their_server(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(process, "STOP_TIMEOUT", 0.2)
    with greeter("family") as running:
        running.wait_until_listening()
        family = measure.tree(running.pid, measure.read_stats())
        assert len(family) == 2
        stop(running.process, 0.2)
    alive = [stat for stat in measure.read_stats() if stat.state != "Z"]
    assert not {stat.pid for stat in family} & {stat.pid for stat in alive}


def test_server_that_ignores_the_request_to_end_is_killed() -> None:
    with greeter("stubborn") as running:
        running.wait_until_listening()
        stop(running.process, 0.2)
        assert running.process.returncode == -9


def test_server_that_ends_at_once_is_reported_with_what_it_said() -> None:
    with greeter("broken") as running, pytest.raises(ServerError, match="ended with 1: no ropes today"):
        running.wait_until_listening()


def test_server_that_does_not_listen_in_time_is_reported() -> None:
    command = [sys.executable, "-c", "import signal; signal.pause()"]
    core = Cores.furthest_apart().server
    silent = serving(command, free_port(), cwd=HERE, environment=clean_environment(), core=core)
    with silent as running, pytest.raises(ServerError, match=r"does not listen after 0\.05 s"):
        running.wait_until_listening(0.05)


def test_lines_printed_are_counted() -> None:
    with greeter("log") as running:
        running.wait_until_listening()
        for _ in range(3):
            check(running.port, HELLO)
        until(lambda: running.count_lines() == 3)
        assert running.output().splitlines() == ["a request"] * 3


def test_environment_of_servers_is_free_of_what_steers_them(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("PYTHONDONTWRITEBYTECODE", "PYTHONUNBUFFERED", "GUNICORN_CMD_ARGS", "WEB_CONCURRENCY"):
        monkeypatch.setenv(name, "1")
    monkeypatch.setenv("PATH", "/somewhere")
    environment = clean_environment(Path("/a"), Path("/b"))
    assert environment["PATH"] == "/somewhere"
    assert environment["PYTHONPATH"] == "/a:/b"
    assert environment.keys() <= {"PATH", "HOME", "LANG", "TMPDIR", "PYTHONPATH"}
