"""Bare connections: order of pipelined answers, framing of what goes wrong, clients that leave."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import h11
import pytest

from .serving import Server, serve
from .wire import Answer, Wire

SECRET = "not for the client's eyes"
"""What the site's exceptions say."""


@pytest.fixture(scope="module")
def marks(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder through which the application and the tests tell each other things."""
    return tmp_path_factory.mktemp("marks")


@pytest.fixture(scope="module")
def server(marks: Path) -> Iterator[Server]:
    with serve("raw_site:app", env={"SITE_MARKS": str(marks)}) as server:
        # Some routes fail on purpose, and what they raise belongs into the log.
        server.expect_traceback()
        yield server


@pytest.fixture
def wire(server: Server) -> Iterator[Wire]:
    with server.connect() as wire:
        yield wire


def request(path: str, body: bytes = b"") -> bytes:
    return b"POST %s HTTP/1.1\r\nHost: test\r\nContent-Length: %d\r\n\r\n%s" % (
        path.encode(),
        len(body),
        body,
    )


def test_pipelined_requests_are_answered_in_order(wire: Wire) -> None:
    wire.send(b"".join(request(f"/{number}", b"body %d" % number) for number in range(10)))
    answers = [wire.answer(method="POST").text for _ in range(10)]
    assert answers == [f"/{number} body {number}" for number in range(10)]


def test_more_pipelined_requests_than_are_read_ahead_are_all_answered(wire: Wire) -> None:
    wire.send(b"".join(b"GET /%d HTTP/1.1\r\nHost: test\r\n\r\n" % number for number in range(200)))
    assert [wire.answer().text for _ in range(200)] == [f"/{number} " for number in range(200)]


def test_slow_request_holds_back_the_answers_behind_it(server: Server, wire: Wire, marks: Path) -> None:
    holding, release = marks / "holding", marks / "release"
    wire.send(request("/before") + request("/hold") + request("/after", b"patience"))
    assert wire.answer(method="POST").text == "/before "
    server.poll(holding.exists, "the request arrived")
    # Another connection is served meanwhile, and nothing has overtaken on this one.
    with server.connect() as other:
        assert other.exchange("/other").text == "/other "
    assert wire.nothing_to_read()
    release.touch()
    assert wire.answer(method="POST").text == "held and released"
    assert wire.answer(method="POST").text == "/after patience"


def test_requests_behind_a_streamed_answer_wait_for_its_end(wire: Wire) -> None:
    wire.send(request("/stream") + request("/after"))
    assert wire.answer(method="POST").body.count(b"line") == 100
    assert wire.answer(method="POST").text == "/after "


def test_request_cut_into_single_bytes_is_answered(wire: Wire) -> None:
    for byte in request("/bytes", b"slowly"):
        wire.send(bytes([byte]))
    assert wire.answer(method="POST").text == "/bytes slowly"


def test_body_that_nobody_reads_does_not_become_the_next_request(wire: Wire) -> None:
    smuggled = b"GET /smuggled HTTP/1.1\r\nHost: test\r\n\r\n"
    wire.send(request("/refuse", smuggled) + request("/after"))
    assert wire.answer(method="POST").status == 403
    rest = wire.answer_or_end(method="POST")
    assert rest is None or rest.text == "/after "


def plain_500(answer: Answer) -> bool:
    texts = (SECRET, "Traceback", "raw_site")
    kind = answer.headers.get("content-type", "")
    return (
        answer.status == 500
        and kind.startswith("text/plain")
        and not any(text in answer.text for text in texts)
    )


@pytest.mark.parametrize("path", ["/fail", "/fail/silent"], ids=["exception", "no answer"])
def test_application_that_does_not_answer_is_answered_for_with_a_plain_500(wire: Wire, path: str) -> None:
    assert plain_500(wire.exchange(path))


@pytest.mark.parametrize("name", ["SystemExit", "KeyboardInterrupt", "CancelledError", "RecursionError"])
def test_application_cannot_end_the_server_with(server: Server, name: str) -> None:
    with server.connect() as wire:
        wire.get(f"/raise/{name}")
        answer = wire.answer_or_end()
        assert answer is None or plain_500(answer)
    with server.connect() as wire:
        assert wire.exchange("/alive").text == "/alive "


def test_exception_is_logged_once_with_the_applications_traceback(server: Server, wire: Wire) -> None:
    before = server.log.count(SECRET)
    wire.exchange("/fail")
    server.poll(lambda: server.log.count(SECRET) > before, "the log tells of the exception")
    wire_after = server.connect()
    with wire_after:
        wire_after.exchange("/after")
    assert server.log.count(f"RuntimeError: {SECRET}") == before + 1


@pytest.mark.parametrize(
    ("head", "status"),
    [
        (b"GET / HTTP/1.1\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", 400),
        (b"GET /\r\nHost: a\r\n\r\n", 400),
        (
            b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
            400,
        ),
        (b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: -1\r\n\r\n", 400),
        (b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n", 400),
        (b"GET / HTTP/1.1\r\nHost: a\r\nBad Name: b\r\n\r\n", 400),
        (b"GET /" + b"a" * 9000 + b" HTTP/1.1\r\nHost: a\r\n\r\n", 414),
        (b"GET / HTTP/1.1\r\nHost: a\r\nX: " + b"x" * 70_000 + b"\r\n\r\n", 431),
        (b"GET / HTTP/1.1\r\nHost: a\r\n" + b"X: y\r\n" * 200 + b"\r\n", 431),
        (b"GET / HTTP/3.7\r\nHost: a\r\n\r\n", 505),
    ],
    ids=[
        "no Host",
        "two Hosts",
        "no version",
        "length and chunked",
        "negative length",
        "bad chunk size",
        "space in a name",
        "long target",
        "long field",
        "many fields",
        "unknown version",
    ],
)
def test_broken_request_is_refused_and_the_connection_closed(wire: Wire, head: bytes, status: int) -> None:
    wire.send(head)
    answer = wire.answer()
    assert answer.status == status
    assert answer.headers["connection"] == "close"
    wire.half_close()
    assert wire.read_to_end() == b""


def test_client_that_vanishes_in_mid_stream_leaves_the_server_well(server: Server) -> None:
    for _ in range(10):
        with server.connect() as wire:
            wire.get("/events/polite")
            wire.read_until(b"data: begun")
            wire.reset_on_close()
    with server.connect() as wire:
        assert wire.exchange("/alive").status == 200


def test_chunked_upload_that_is_cut_off_is_a_disconnect_to_the_application(
    server: Server, marks: Path
) -> None:
    with server.connect() as wire:
        wire.send(b"POST /upload HTTP/1.1\r\nHost: test\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n")
        server.poll((marks / "uploading").exists, "the request arrived")
        wire.half_close()
        assert b" 200 " not in wire.read_to_end()
    server.poll((marks / "cut off").exists, "the application was told")


def test_upload_that_nobody_reads_is_not_taken_into_memory(server: Server, marks: Path) -> None:
    size = 64 * 1024 * 1024
    with server.connect() as wire:
        before = server.memory()
        wire.send(b"POST /hold/unread HTTP/1.1\r\nHost: test\r\nContent-Length: %d\r\n\r\n" % size)
        sent = wire.send_until_blocked(size)
        # What the two sockets' buffers hold is the system's, and far less than the whole.
        assert sent < size
        assert server.memory() - before < 4 * 1024 * 1024
        (marks / "release unread").touch()
        assert wire.answer(method="POST").status == 200


def test_slow_reader_holds_back_the_application(server: Server, marks: Path) -> None:
    before = server.memory()
    with server.connect() as wire:
        wire.get("/flood")
        wire.read_until(b"\r\n\r\n")
        server.poll((marks / "flooding").exists, "the application writes")
        written = server.settled(lambda: (marks / "flooding").stat().st_size)
        assert written < 512
        assert server.memory() - before < 8 * 1024 * 1024
        wire.reset_on_close()
    server.poll((marks / "flood ended").exists, "the application was told", seconds=3)


def test_answer_that_is_cut_off_is_an_error_to_the_client(wire: Wire) -> None:
    wire.get("/fail/midway")
    with pytest.raises((h11.RemoteProtocolError, ConnectionResetError)):
        wire.answer()
