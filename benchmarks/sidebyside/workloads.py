"""What the servers are asked to do: the application, the request, and the answer that must come back."""

from __future__ import annotations

import http.client
import json
import socket
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

GREETING = b"Hello, world!"
POSTED = bytes(range(256)) * 40
DOWNLOAD_LENGTH = 1024 * 1024
PROBE_TIMEOUT = 10.0

BROWSER_FIELDS = """\
Host: localhost
Connection: keep-alive
sec-ch-ua: "Chromium";v="140", "Not=A?Brand";v="24"
sec-ch-ua-mobile: ?0
sec-ch-ua-platform: "Linux"
Upgrade-Insecure-Requests: 1
User-Agent: Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0
Accept: text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,*/*;q=0.8
Sec-Fetch-Site: same-origin
Sec-Fetch-Mode: navigate
Sec-Fetch-Dest: document
Accept-Encoding: gzip, deflate, br, zstd
Accept-Language: en-GB,en;q=0.9
"""


class WrongAnswerError(Exception):
    """A server answered, but not with what the application sent."""


@dataclass(frozen=True, slots=True)
class Answer:
    """A response read to its end."""

    status: int
    headers: dict[str, str]
    """Names in lower case."""
    body: bytes


@dataclass(frozen=True, slots=True)
class Workload:
    """One thing to measure."""

    name: str
    title: str
    kind: Literal["load", "access-log", "idle", "startup"]
    application: str
    """``module:attribute``, importable from the benchmarks folder."""
    request: bytes
    """The bytes on the wire; ``{n}`` in them becomes a new number for each request."""
    is_right: Callable[[Answer], bool]
    answer_length: int
    """Bytes of the shortest right body: a run whose answers are shorter on average has failed."""
    servers: frozenset[str] | None = None
    """Peers that take part besides Ropewalk where that is not all of them."""


def get(path: str, fields: str = "Host: localhost\n") -> bytes:
    """Writes a GET request as it goes on the wire."""
    return f"GET {path} HTTP/1.1\n{fields}\n".replace("\n", "\r\n").encode("ascii")


def post(path: str, body: bytes) -> bytes:
    """Writes a POST request with a body of known length."""
    fields = f"Host: localhost\nContent-Type: application/octet-stream\nContent-Length: {len(body)}\n"
    return get(path, fields).replace(b"GET", b"POST", 1) + body


def greets(answer: Answer) -> bool:
    return answer.body == GREETING and answer.headers.get("content-length") == str(len(GREETING))


def echoes(answer: Answer) -> bool:
    return answer.body == POSTED


def streams(answer: Answer) -> bool:
    return answer.body == bytes(DOWNLOAD_LENGTH) and answer.headers.get("transfer-encoding") == "chunked"


def is_document(answer: Answer) -> bool:
    expected = {"message": "Hello, world!", "numbers": [1, 2, 3], "nested": {"ready": True}}
    return bool(json.loads(answer.body) == expected)


def is_item(answer: Answer) -> bool:
    expected = {"number": 42, "name": "hawser", "price": 12.5, "tags": ["hemp", "three-strand"]}
    return bool(json.loads(answer.body) == expected)


def _greeting(name: str, title: str, kind: Literal["load", "access-log", "idle", "startup"]) -> Workload:
    return Workload(name, title, kind, "applications.plain:hello", get("/"), greets, len(GREETING))


WORKLOADS = (
    _greeting("hello", "“Hello, world!”", "load"),
    Workload(
        "browser",
        "A browser's headers, a new URL each time",
        "load",
        "applications.plain:hello",
        get("/catalogue/items?page={n}&sort=price", BROWSER_FIELDS),
        greets,
        len(GREETING),
    ),
    Workload(
        "post",
        "10 KiB posted and echoed",
        "load",
        "applications.plain:echo",
        post("/echo", POSTED),
        echoes,
        len(POSTED),
    ),
    Workload(
        "download",
        "1 MiB streamed in 64 KiB pieces",
        "load",
        "applications.plain:download",
        get("/download"),
        streams,
        DOWNLOAD_LENGTH,
    ),
    Workload(
        "starlette",
        "Starlette, a JSON route",
        "load",
        "applications.starlette_json:app",
        get("/document"),
        is_document,
        60,
    ),
    Workload(
        "fastapi",
        "FastAPI, a path parameter and a response model",
        "load",
        "applications.fastapi_item:app",
        get("/items/42"),
        is_item,
        60,
    ),
    Workload(
        "access-log",
        "“Hello, world!” with the access log off and on",
        "access-log",
        "applications.plain:hello",
        get("/"),
        greets,
        len(GREETING),
        frozenset({"uvicorn"}),
    ),
    _greeting("idle", "Memory of an idle keep-alive connection", "idle"),
    Workload(
        "startup",
        "Start-up",
        "startup",
        "applications.plain:hello",
        get("/"),
        greets,
        len(GREETING),
        frozenset({"uvicorn", "granian"}),
    ),
)


def ask(port: int, request: bytes, timeout: float = PROBE_TIMEOUT) -> Answer:
    """Sends the very bytes that the load will consist of and reads one answer; OSError where none comes."""
    with socket.create_connection(("127.0.0.1", port), timeout=timeout) as connection:
        connection.sendall(request.replace(b"{n}", b"1"))
        method = request.split(b" ", 1)[0].decode("ascii")
        with http.client.HTTPResponse(connection, method=method) as response:
            response.begin()
            body = response.read()
            headers = {name.lower(): value for name, value in response.getheaders()}
            return Answer(response.status, headers, body)


def check(port: int, workload: Workload) -> None:
    """Asks once and compares; WrongAnswerError says what came instead."""
    try:
        answer = ask(port, workload.request)
        right = answer.status == 200 and workload.is_right(answer)
    except (http.client.HTTPException, ValueError) as error:
        raise WrongAnswerError(f"the answer cannot be read: {error!r}") from error
    if not right:
        raise WrongAnswerError(f"status {answer.status}, {len(answer.body)} bytes: {answer.body[:80]!r}")
