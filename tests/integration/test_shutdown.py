"""How a server ends: what runs is finished, what idles is closed, what never ends is told and then cut."""

from __future__ import annotations

import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from .serving import Server, launch, serve
from .wire import Wire

SHUTDOWN_FAILED = 4

SLACK_SECONDS = 4.0
"""What a loaded machine may add to a bound; far below the 30 s that would pass if a bound did not hold."""


@pytest.fixture
def marks(tmp_path: Path) -> Path:
    """The folder through which the application and the test tell each other things."""
    return tmp_path


@pytest.fixture
def server(marks: Path) -> Iterator[Server]:
    """A server of the test's own, with the ordinary generous bounds."""
    with serve("raw_site:app", env={"SITE_MARKS": str(marks)}) as server:
        yield server


@pytest.fixture
def hasty_server(marks: Path) -> Iterator[Server]:
    """A server of the test's own whose streams are told to end after 0.3 s and must after 1 s."""
    bounds = ("--timeout-disconnect-notice", "0.3", "--timeout-graceful", "1")
    with serve("raw_site:app", *bounds, env={"SITE_MARKS": str(marks)}) as server:
        yield server


def count(mark: Path) -> int:
    """How often the application left this mark."""
    return mark.read_text(encoding="ascii").count("x") if mark.exists() else 0


def begin_events(server: Server, path: str) -> Wire:
    """A connection on which an endless response has begun."""
    wire = server.connect()
    wire.get(path)
    wire.read_until(b"data: begun\n\n")
    return wire


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT], ids=["SIGTERM", "SIGINT"])
def test_signal_ends_an_idle_server_with_status_0(
    server: Server, marks: Path, number: signal.Signals
) -> None:
    assert count(marks / "startup") == 1
    assert server.stop(number, seconds=SLACK_SECONDS) == 0
    assert count(marks / "shutdown") == 1


def test_request_in_flight_is_finished_and_its_connection_closed(server: Server, marks: Path) -> None:
    with server.connect() as wire:
        wire.get("/hold")
        server.poll((marks / "holding").exists, "the request arrived")
        server.send_signal(signal.SIGTERM)
        server.poll(server.refuses_connections, "the server no longer listens")
        assert not count(marks / "shutdown")
        (marks / "release").touch()
        answer = wire.answer()
        assert (answer.status, answer.text) == (200, "held and released")
        assert answer.headers["connection"] == "close"
        assert wire.read_to_end() == b""
    assert server.wait(seconds=SLACK_SECONDS) == 0
    assert count(marks / "shutdown") == 1


def test_upload_in_flight_is_finished(server: Server, marks: Path) -> None:
    with server.connect() as wire:
        wire.send(b"POST /upload HTTP/1.1\r\nHost: test\r\nContent-Length: 10\r\n\r\n01234")
        server.poll((marks / "uploading").exists, "the request arrived")
        server.send_signal(signal.SIGTERM)
        server.poll(server.refuses_connections, "the server no longer listens")
        wire.send(b"56789")
        answer = wire.answer(method="POST")
        assert (answer.status, answer.text) == (200, "10")
    assert server.wait(seconds=SLACK_SECONDS) == 0


def test_idle_connection_is_closed_promptly(server: Server) -> None:
    with server.connect() as used, server.connect() as fresh:
        assert used.exchange("/").status == 200
        server.send_signal(signal.SIGTERM)
        started = time.monotonic()
        assert used.read_to_end() == b""
        assert fresh.read_to_end() == b""
        assert time.monotonic() - started < SLACK_SECONDS
    assert server.wait(seconds=SLACK_SECONDS) == 0


def test_idle_connections_are_closed_while_another_request_is_in_flight(server: Server, marks: Path) -> None:
    with server.connect() as busy, server.connect() as idle:
        assert idle.exchange("/").status == 200
        busy.get("/hold")
        server.poll((marks / "holding").exists, "the request arrived")
        server.send_signal(signal.SIGTERM)
        assert idle.read_to_end() == b""
        (marks / "release").touch()
        assert busy.answer().status == 200
    assert server.wait(seconds=SLACK_SECONDS) == 0


def test_work_after_a_response_is_waited_for(server: Server, marks: Path) -> None:
    with server.connect() as wire:
        assert wire.exchange("/work/after").text == "accepted"
        server.send_signal(signal.SIGTERM)
        assert wire.read_to_end() == b""
        assert not count(marks / "shutdown")
        (marks / "release").touch()
    assert server.wait(seconds=SLACK_SECONDS) == 0
    assert count(marks / "work done") == 1
    assert count(marks / "shutdown") == 1


def test_stream_is_told_of_the_end_and_ends(hasty_server: Server, marks: Path) -> None:
    with begin_events(hasty_server, "/events/polite") as wire:
        hasty_server.send_signal(signal.SIGTERM)
        wire.read_to_end()
    assert hasty_server.wait(seconds=1 + SLACK_SECONDS) == 0
    assert count(marks / "disconnect received") == 1
    assert count(marks / "shutdown") == 1


def test_stream_that_does_not_listen_is_cancelled_at_the_bound(hasty_server: Server, marks: Path) -> None:
    with begin_events(hasty_server, "/events/stubborn") as wire:
        hasty_server.send_signal(signal.SIGTERM)
        started = time.monotonic()
        wire.read_to_end()
        assert time.monotonic() - started > 0.5
    assert hasty_server.wait(seconds=1 + SLACK_SECONDS) == 0
    assert count(marks / "cancelled") == 1
    assert count(marks / "shutdown") == 1
    assert "timeout-graceful" in hasty_server.log


def test_silent_stream_whose_client_stays_is_not_told_before_its_time(marks: Path) -> None:
    bounds = ("--timeout-disconnect-notice", "30", "--timeout-graceful", "1")
    with (
        serve("raw_site:app", *bounds, env={"SITE_MARKS": str(marks)}) as server,
        begin_events(server, "/events/polite") as wire,
    ):
        assert server.stop(seconds=1 + SLACK_SECONDS) == 0
        wire.read_to_end()


def test_event_stream_of_sse_starlette_lets_the_server_end() -> None:
    bounds = ("--timeout-disconnect-notice", "0.3", "--timeout-graceful", "2")
    with serve("fastapi_site:app", *bounds) as server, server.connect() as wire:
        wire.get("/sse/quiet")
        wire.read_until(b"data: only")
        server.send_signal(signal.SIGTERM)
        wire.read_to_end()
        assert server.wait(seconds=2 + SLACK_SECONDS) == 0


def test_second_signal_ends_at_once(server: Server, marks: Path) -> None:
    server.expect_traceback()
    with server.connect() as wire:
        wire.get("/hold")
        server.poll((marks / "holding").exists, "the request arrived")
        server.send_signal(signal.SIGTERM)
        server.poll(server.refuses_connections, "the server no longer listens")
        started = time.monotonic()
        assert server.stop(signal.SIGTERM, seconds=SLACK_SECONDS) == 128 + signal.SIGTERM
        assert time.monotonic() - started < SLACK_SECONDS
        assert b"200 OK" not in wire.read_to_end()


def test_hanging_lifespan_shutdown_is_cut_off() -> None:
    with serve("startup.lifespans:hanging_at_the_end", "--timeout-shutdown", "0.3") as server:
        assert server.stop(seconds=0.3 + SLACK_SECONDS) == SHUTDOWN_FAILED
        assert "timeout-shutdown" in server.log


def test_failing_lifespan_shutdown_is_told_in_log_and_status() -> None:
    with serve("startup.lifespans:failing_at_the_end") as server:
        assert server.stop(seconds=SLACK_SECONDS) == SHUTDOWN_FAILED
        assert "the ledger is not balanced" in server.log


def test_signal_during_start_up_ends_the_server() -> None:
    with launch("startup.lifespans:hanging", "--bind", "127.0.0.1:0") as server:
        server.wait_for_log("start-up begun")
        server.stop(seconds=SLACK_SECONDS)
        assert "listening on" not in server.log
        server.check_log()


def test_port_can_be_bound_again_at_once(server: Server, marks: Path) -> None:
    with server.connect() as wire:
        assert wire.exchange("/").status == 200
        assert server.stop(seconds=SLACK_SECONDS) == 0
    again = f"127.0.0.1:{server.port}"
    with serve("raw_site:app", bind=again, env={"SITE_MARKS": str(marks)}) as successor:
        assert successor.port == server.port
