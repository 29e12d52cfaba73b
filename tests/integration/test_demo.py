"""The demo application on a running server, with httpx and a browser."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from tests.programs import require_program

from .serving import Server, serve

TARGET = "ropewalk.demo:app"


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    """The demo, shared by the tests that leave it running."""
    with serve(TARGET) as running:
        yield running


@contextmanager
def clock(server: Server) -> Iterator[Iterator[dict[str, Any]]]:
    """Follow the clock: yields the data of its events while the block runs."""
    with server.client() as client, client.stream("GET", "/clock") as response:
        assert response.status_code == 200
        yield (json.loads(line[5:]) for line in response.iter_lines() if line.startswith("data:"))


def test_page_arrives_with_what_the_client_sent(server: Server) -> None:
    with server.client() as client:
        page = client.get("/", params={"strand": "hemp"}, headers={"X-Evil": "<script>alert(1)</script>"})
    assert page.status_code == 200
    assert "<b>GET</b> /?strand=hemp <span>HTTP/1.1</span>" in page.text
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in page.text
    assert page.text.count("<script>") == 1


def test_head_of_the_page_has_the_length_and_no_body(server: Server) -> None:
    with server.client() as client:
        head = client.head("/")
        assert head.content == b""
        assert int(head.headers["content-length"]) > 1000


def test_echo_sends_a_chunked_body_back(server: Server) -> None:
    with server.client() as client:
        answer = client.post("/echo", content=iter([b"heave ", b"ho"]))
    assert answer.content == b"heave ho"


def test_clock_goes_on_after_its_first_event(server: Server) -> None:
    with clock(server) as events:
        times = [next(events)["time"], next(events)["time"]]
    assert times[0] != times[1]


def test_clock_forgets_a_client_that_left(server: Server) -> None:
    with clock(server) as watched:
        with clock(server) as other:
            next(other)
            assert any(event["clients"] == 2 for event, _ in zip(watched, range(5), strict=False))
        assert any(event["clients"] == 1 for event, _ in zip(watched, range(5), strict=False))


def test_stop_lets_an_open_clock_complete() -> None:
    with serve(TARGET, "--timeout-disconnect-notice", "0.2") as server, clock(server) as events:
        next(events)
        server.send_signal(signal.SIGTERM)
        # The client would raise if the chunked body broke off.
        assert len(list(zip(events, range(10), strict=False))) < 10
        assert server.wait() == 0


@contextmanager
def browser(url: str, profile: Path) -> Iterator[None]:
    """Show a page in a headless browser while the block runs."""
    command = [require_program("chromium"), "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic"]
    command += ["--no-first-run", "--disable-background-networking", "--disable-component-update"]
    command += [
        "--disable-sync",
        "--disable-dev-shm-usage",
        "--no-proxy-server",
        f"--user-data-dir={profile}",
    ]
    command += [f"--user-data-dir={profile}", "--remote-debugging-port=0", url]
    nowhere = subprocess.DEVNULL
    process = subprocess.Popen(command, stdin=nowhere, stdout=nowhere, stderr=nowhere, start_new_session=True)
    try:
        yield
    finally:
        # The session is the browser's own: this reaches its helpers and nobody else.
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def test_page_in_a_browser_follows_the_clock(server: Server, tmp_path: Path) -> None:
    with clock(server) as events:
        with browser(server.url, tmp_path / "profile"):
            assert any(event["clients"] == 2 for event, _ in zip(events, range(30), strict=False))
        assert any(event["clients"] == 1 for event, _ in zip(events, range(30), strict=False))
