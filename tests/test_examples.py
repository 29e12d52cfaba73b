"""Every file in examples/ is short and works as it stands, against a real client."""

from __future__ import annotations

import re
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

LONGEST = 60
LISTENING = re.compile(r"listening on (?:http://)?127\.0\.0\.1:(\d+)")


@contextmanager
def running(project_root: Path, name: str) -> Iterator[tuple[subprocess.Popen[str], int]]:
    """The example as a process, and the port on which it listens."""
    process = subprocess.Popen(
        [sys.executable, "-u", f"examples/{name}.py", "127.0.0.1:0"],
        cwd=project_root,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    try:
        assert process.stdout is not None
        for line in process.stdout:
            if found := LISTENING.search(line):
                yield process, int(found[1])
                break
        else:
            pytest.fail(f"examples/{name}.py ended without listening")
    finally:
        process.kill()
        process.wait(10)
        if process.stdout is not None:
            process.stdout.close()


def stop(process: subprocess.Popen[str]) -> None:
    process.send_signal(signal.SIGTERM)
    assert process.wait(10) == 0


def try_hello(process: subprocess.Popen[str], port: int) -> None:
    assert httpx.get(f"http://127.0.0.1:{port}/").text == "Hello!\n"
    stop(process)


def try_event_stream(process: subprocess.Popen[str], port: int) -> None:
    with httpx.stream("GET", f"http://127.0.0.1:{port}/") as response:
        assert response.headers["content-type"] == "text/event-stream"
        lines = (line for line in response.iter_lines() if line)
        assert [next(lines), next(lines)] == ["data: 1", "data: 2"]
    stop(process)


def try_in_your_loop(process: subprocess.Popen[str], port: int) -> None:
    for _ in range(3):
        assert httpx.get(f"http://127.0.0.1:{port}/").text == "counted\n"
    assert process.wait(10) == 0
    assert process.stdout is not None
    assert "3 visits, good night" in process.stdout.read()


def try_reactor_echo(process: subprocess.Popen[str], port: int) -> None:
    with socket.create_connection(("127.0.0.1", port), timeout=10) as client:
        client.sendall(b"ahoy")
        assert client.recv(4) == b"ahoy"
        client.shutdown(socket.SHUT_WR)
        assert client.recv(1) == b""
    stop(process)


TRIALS: dict[str, Callable[[subprocess.Popen[str], int], None]] = {
    "event_stream": try_event_stream,
    "hello": try_hello,
    "in_your_loop": try_in_your_loop,
    "reactor_echo": try_reactor_echo,
}


@pytest.mark.parametrize("name", TRIALS)
def test_example_works(project_root: Path, name: str) -> None:
    with running(project_root, name) as (process, port):
        TRIALS[name](process, port)


def test_every_example_is_tried(project_root: Path) -> None:
    assert {path.stem for path in (project_root / "examples").glob("*.py")} == set(TRIALS)


def test_examples_are_short(project_root: Path) -> None:
    for path in (project_root / "examples").glob("*.py"):
        lines = path.read_text(encoding="utf-8").count("\n")
        assert lines < LONGEST, f"{path.name} has {lines} lines"
