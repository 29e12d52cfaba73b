"""Tests of the requests, the applications and the answers that must come back."""

from __future__ import annotations

import asyncio
import importlib
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from applications import plain
from sidebyside.workloads import WORKLOADS, Answer, Workload, WrongAnswerError, check

HELLO = WORKLOADS[0]


def parts(request: bytes) -> tuple[str, str, dict[str, str], bytes]:
    head, _, body = request.replace(b"{n}", b"1").partition(b"\r\n\r\n")
    line, *fields = head.decode("ascii").split("\r\n")
    method, target, version = line.split(" ")
    assert version == "HTTP/1.1"
    return (
        method,
        target,
        {name.lower(): value for name, value in (field.split(": ", 1) for field in fields)},
        body,
    )


def call(workload: Workload) -> Answer:
    """Has the application answer the workload's request, as a server would that frames with chunks."""
    module, attribute = workload.application.split(":")
    application = getattr(importlib.import_module(module), attribute)
    method, target, fields, body = parts(workload.request)
    path, _, query = target.partition("?")
    scope = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": method,
        "scheme": "http",
        "path": path,
        "raw_path": path.encode(),
        "query_string": query.encode(),
        "root_path": "",
        "headers": [(name.encode(), value.encode()) for name, value in fields.items()],
        "client": ("127.0.0.1", 1),
        "server": ("127.0.0.1", 2),
    }
    middle = len(body) // 2
    incoming = [
        {"type": "http.request", "body": body[:middle], "more_body": True},
        {"type": "http.request", "body": body[middle:], "more_body": False},
    ]
    sent: list[dict[str, Any]] = []

    async def receive() -> dict[str, Any]:
        return incoming.pop(0)

    async def send(message: dict[str, Any]) -> None:
        sent.append(message)

    asyncio.run(application(scope, receive, send))
    start, *pieces = sent
    assert [piece.get("more_body", False) for piece in pieces] == [True] * (len(pieces) - 1) + [False]
    headers = {name.decode(): value.decode() for name, value in start["headers"]}
    if "content-length" not in headers:
        headers["transfer-encoding"] = "chunked"
    return Answer(start["status"], headers, b"".join(piece.get("body", b"") for piece in pieces))


@contextmanager
def answering(response: bytes) -> Iterator[int]:
    """Gives the port of a server that takes one connection and sends these bytes."""

    def serve() -> None:
        connection, _ = listener.accept()
        with connection:
            connection.recv(65536)
            connection.sendall(response)

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=serve)
        thread.start()
        yield listener.getsockname()[1]
        thread.join(5)


@pytest.mark.parametrize("workload", WORKLOADS, ids=lambda workload: workload.name)
def test_request_is_framed_as_it_says(workload: Workload) -> None:
    _, target, fields, body = parts(workload.request)
    assert target.startswith("/")
    assert "host" in fields
    assert len(body) == int(fields.get("content-length", "0"))


def test_browser_request_has_a_place_for_a_number_in_its_url_alone() -> None:
    browser = next(workload for workload in WORKLOADS if workload.name == "browser")
    line, _, rest = browser.request.partition(b"\r\n")
    assert (line.count(b"{n}"), rest.count(b"{n}")) == (1, 0)


@pytest.mark.parametrize("workload", WORKLOADS, ids=lambda workload: workload.name)
def test_application_gives_the_answer_that_is_checked_for(workload: Workload) -> None:
    answer = call(workload)
    assert answer.status == 200
    assert workload.is_right(answer)
    assert len(answer.body) >= workload.answer_length


@pytest.mark.parametrize("application", [plain.hello, plain.echo, plain.download])
def test_application_completes_the_lifespan(application: Any) -> None:
    incoming = [{"type": "lifespan.startup"}, {"type": "lifespan.shutdown"}]
    sent: list[str] = []

    async def receive() -> dict[str, Any]:
        return incoming.pop(0)

    async def send(message: dict[str, Any]) -> None:
        sent.append(message["type"])

    asyncio.run(application({"type": "lifespan"}, receive, send))
    assert sent == ["lifespan.startup.complete", "lifespan.shutdown.complete"]


def test_echo_gives_up_when_the_client_has_left() -> None:
    sent: list[dict[str, Any]] = []

    async def receive() -> dict[str, Any]:
        return {"type": "http.disconnect"}

    async def send(message: dict[str, Any]) -> None:
        sent.append(message)

    asyncio.run(plain.echo({"type": "http"}, receive, send))
    assert sent == []


def test_right_answer_passes_the_check() -> None:
    with answering(b"HTTP/1.1 200 OK\r\nContent-Length: 13\r\n\r\nHello, world!") as port:
        check(port, HELLO)


@pytest.mark.parametrize(
    ("response", "complaint"),
    [
        (b"HTTP/1.1 200 OK\r\nContent-Length: 13\r\n\r\nHello, swirl!", "status 200, 13 bytes"),
        (b"HTTP/1.1 500 Oh\r\nContent-Length: 13\r\n\r\nHello, world!", "status 500"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 13\r\n\r\nHello", "cannot be read"),
        (b"", "cannot be read"),
        (b"SSH-2.0-OpenSSH\r\n", "cannot be read"),
    ],
    ids=["body", "status", "cut short", "nothing", "no HTTP"],
)
def test_wrong_answer_fails_the_check(response: bytes, complaint: str) -> None:
    with answering(response) as port, pytest.raises(WrongAnswerError, match=complaint):
        check(port, HELLO)


def test_answer_in_json_that_is_no_json_fails_the_check() -> None:
    workload = next(workload for workload in WORKLOADS if workload.name == "starlette")
    response = b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n{"
    with answering(response) as port, pytest.raises(WrongAnswerError, match="cannot be read"):
        check(port, workload)
