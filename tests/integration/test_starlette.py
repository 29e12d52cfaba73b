"""A Starlette application served over real sockets to httpx and to bare connections."""

from __future__ import annotations

import hashlib
import json
import os
import threading
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from .projects.starlette_site import CHUNKS, SECRET
from .serving import Server, serve

FILE_SIZE = 3 * 1024 * 1024 + 17


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("files") / "large.bin"
    path.write_bytes(os.urandom(FILE_SIZE))
    return path


@pytest.fixture(scope="module")
def server(file: Path) -> Iterator[Server]:
    with serve("starlette_site:app", env={"SITE_FILE": str(file)}) as server:
        # Some routes fail on purpose, and what they raise belongs into the log.
        server.expect_traceback()
        yield server


@pytest.fixture
def client(server: Server) -> Iterator[httpx.Client]:
    with server.client() as client:
        yield client


def seen(server: Server) -> list[str]:
    """What the application noticed so far, asked over a connection of its own."""
    with server.client() as other:
        return list(other.get("/seen").json())


def messages_sent(client: httpx.Client, path: str) -> list[str]:
    """The types of the messages with which the application answered the last request for ``path``."""
    return list(client.get("/sent", params={"path": path}).json())


@pytest.mark.parametrize(
    ("path", "text"),
    [("/", "Hello from Starlette"), ("/thread", "Hello from a thread"), ("/state", "set at start-up")],
    ids=["coroutine", "thread", "lifespan state"],
)
def test_endpoint_answers_with_its_text(client: httpx.Client, path: str, text: str) -> None:
    response = client.get(path)
    assert (response.status_code, response.text) == (200, text)
    assert response.headers["content-length"] == str(len(text))


def test_scope_describes_the_request(client: httpx.Client, server: Server) -> None:
    answer = client.get("/describe/a%20b%2Fc%C3%A9?q=1%202&q=2", headers={"X-Many": "1, 2"}).json()
    assert answer["method"] == "GET"
    assert answer["path"] == "/describe/a b/cé"
    assert answer["raw_path"] == "/describe/a%20b%2Fc%C3%A9"
    assert answer["query"] == "q=1%202&q=2"
    assert answer["root_path"] == ""
    assert answer["http_version"] == "1.1"
    assert answer["client"] == "127.0.0.1"
    assert answer["server"] == ["127.0.0.1", server.port]
    assert ["x-many", "1, 2"] in answer["headers"]
    assert answer["here"] == f"{server.url}/describe"


def test_repeated_requests_on_one_connection_get_their_own_headers(client: httpx.Client) -> None:
    for number in range(5):
        answer = client.get("/describe", headers={"X-Number": str(number // 2)}).json()
        assert ["x-number", str(number // 2)] in answer["headers"]


def test_streaming_response_arrives_whole_and_chunked(client: httpx.Client) -> None:
    response = client.get("/stream")
    assert response.headers["transfer-encoding"] == "chunked"
    assert response.content == b"".join(CHUNKS)


def test_request_body_comes_back(client: httpx.Client) -> None:
    body = os.urandom(300_000)
    assert client.post("/echo", content=body).content == body


def test_chunked_request_body_comes_back(client: httpx.Client) -> None:
    parts = [os.urandom(size) for size in (1, 70_000, 3, 4096)]
    response = client.post("/echo", content=iter(parts))
    assert response.request.headers["transfer-encoding"] == "chunked"
    assert response.content == b"".join(parts)


def test_response_arrives_before_its_background_task_ends(server: Server) -> None:
    with server.connect() as wire:
        wire.send(b"POST /background/early HTTP/1.1\r\nHost: test\r\nContent-Length: 0\r\n\r\n")
        assert wire.answer(method="POST").text == "accepted"
        assert "background early done" not in seen(server)
        wire.send(b"POST /release/early HTTP/1.1\r\nHost: test\r\nContent-Length: 0\r\n\r\n")
        assert wire.answer(method="POST").text == "released"
    server.poll(lambda: "background early done" in seen(server), "the background task ended")


def test_connection_serves_on_while_a_background_task_runs(server: Server) -> None:
    with server.connect() as wire:
        wire.send(b"POST /background/busy HTTP/1.1\r\nHost: test\r\nContent-Length: 0\r\n\r\n")
        assert wire.answer(method="POST").text == "accepted"
        for _ in range(3):
            assert wire.exchange("/").text == "Hello from Starlette"
        assert "background busy done" not in wire.exchange("/seen").text
        wire.send(b"POST /release/busy HTTP/1.1\r\nHost: test\r\nContent-Length: 0\r\n\r\n")
        assert wire.answer(method="POST").text == "released"
    server.poll(lambda: "background busy done" in seen(server), "the background task ended")


def test_background_task_outlives_its_connection(server: Server) -> None:
    with server.connect() as wire:
        wire.send(b"POST /background/orphan HTTP/1.1\r\nHost: test\r\nContent-Length: 0\r\n\r\n")
        assert wire.answer(method="POST").text == "accepted"
    with server.client() as other:
        other.post("/release/orphan")
    server.poll(lambda: "background orphan done" in seen(server), "the background task ended")


def test_file_leaves_by_pathsend(client: httpx.Client, file: Path) -> None:
    response = client.get("/file")
    assert response.headers["content-length"] == str(FILE_SIZE)
    assert hashlib.sha256(response.content).digest() == hashlib.sha256(file.read_bytes()).digest()
    assert messages_sent(client, "/file") == ["http.response.start", "http.response.pathsend"]


def test_file_leaves_whole_through_a_middleware(client: httpx.Client, file: Path) -> None:
    response = client.get("/wrapped/file")
    assert response.content == file.read_bytes()
    assert response.headers["x-wrapped"] == "yes"


@pytest.mark.parametrize(
    ("header", "start", "stop"),
    [
        ("bytes=0-0", 0, 1),
        ("bytes=100-70099", 100, 70_100),
        (f"bytes={FILE_SIZE - 10}-", FILE_SIZE - 10, FILE_SIZE),
        ("bytes=-17", FILE_SIZE - 17, FILE_SIZE),
    ],
    ids=["first byte", "middle", "open end", "suffix"],
)
def test_range_of_a_file(client: httpx.Client, file: Path, header: str, start: int, stop: int) -> None:
    response = client.get("/file", headers={"Range": header})
    assert response.status_code == 206
    assert response.headers["content-range"] == f"bytes {start}-{stop - 1}/{FILE_SIZE}"
    assert response.content == file.read_bytes()[start:stop]


def test_range_past_the_end_of_a_file_is_416(client: httpx.Client) -> None:
    response = client.get("/file", headers={"Range": f"bytes={FILE_SIZE}-"})
    assert response.status_code == 416
    assert response.headers["content-range"] == f"bytes */{FILE_SIZE}"


def test_two_ranges_of_a_file_come_as_multipart(client: httpx.Client, file: Path) -> None:
    response = client.get("/file", headers={"Range": "bytes=0-9,1000-1009"})
    data = file.read_bytes()
    assert response.status_code == 206
    assert response.headers["content-type"].startswith("multipart/byteranges")
    assert len(response.content) == int(response.headers["content-length"])
    assert data[0:10] in response.content
    assert data[1000:1010] in response.content


@pytest.mark.parametrize("path", ["/fail/before", "/wrapped/fail"], ids=["bare", "middleware"])
def test_exception_before_the_response_is_a_plain_500(client: httpx.Client, path: str) -> None:
    response = client.get(path)
    assert response.status_code == 500
    assert response.headers["content-type"].startswith("text/plain")
    assert SECRET not in response.text
    assert "Traceback" not in response.text


def test_exception_of_the_application_is_in_the_log_with_its_traceback(
    client: httpx.Client, server: Server
) -> None:
    before = server.log.count(SECRET)
    client.get("/fail/before")
    server.poll(lambda: server.log.count(SECRET) > before, "the log tells of the exception")
    assert "starlette_site.py" in server.log


@pytest.mark.parametrize(
    ("path", "text"),
    [("/fail/after", "first,second,"), ("/fail/short", "0123456789")],
    ids=["chunked", "sized"],
)
def test_exception_after_the_response_started_breaks_it_off(
    client: httpx.Client, path: str, text: str
) -> None:
    received = b""
    with (
        client.stream("GET", path) as response,
        pytest.raises((httpx.RemoteProtocolError, httpx.ReadError)),
    ):
        assert response.status_code == 200
        for chunk in response.iter_raw():
            received += chunk
    assert received.decode() == text[: len(received)]


def test_chunked_body_that_is_broken_off_lacks_its_last_chunk(server: Server) -> None:
    with server.connect() as wire:
        wire.get("/fail/after")
        received = wire.read_to_end()
    assert b"second," in received
    assert not received.endswith(b"0\r\n\r\n")
    assert SECRET.encode() not in received


def test_connection_goes_on_after_an_exception_whose_answer_was_complete(server: Server) -> None:
    with server.connect() as wire:
        answer = wire.exchange("/fail/before")
        if answer.headers.get("connection") != "close":
            assert wire.exchange("/").status == 200


def test_request_notices_that_its_client_left(server: Server) -> None:
    with server.connect() as wire:
        wire.get("/disconnect")
        server.poll(lambda: "waiting for a disconnect" in seen(server), "the request waits")
        assert "disconnected" not in seen(server)
    server.poll(lambda: "disconnected" in seen(server), "the request noticed", seconds=1)


def test_mounted_application_knows_its_place(client: httpx.Client) -> None:
    assert client.get("/mounted/where").json() == {"root_path": "/mounted", "here": "/mounted/where"}


def test_root_path_option_reaches_the_application() -> None:
    with serve("starlette_site:app", "--root-path", "/prefix") as server, server.client() as client:
        assert client.get("/").text == "Hello from Starlette"
        assert client.get("/mounted/where").json() == {
            "root_path": "/prefix/mounted",
            "here": "/prefix/mounted/where",
        }


@pytest.mark.parametrize("path", ["/", "/stream", "/file"])
def test_head_has_the_fields_of_get_and_no_body(server: Server, path: str) -> None:
    with server.connect() as wire:
        full = wire.exchange(path)
        wire.send(f"HEAD {path} HTTP/1.1\r\nHost: test\r\n\r\n".encode())
        head = wire.answer(method="HEAD")
        assert head.status == 200
        assert head.body == b""
        for name in ("content-type", "content-length", "etag"):
            assert head.headers.get(name) == full.headers.get(name)
        # A body after HEAD would be read as the start of this answer.
        assert wire.exchange("/").text == "Hello from Starlette"


def test_not_modified_has_no_body_and_keeps_the_connection(server: Server) -> None:
    with server.connect() as wire:
        assert wire.exchange("/version").text == "version one"
        answer = wire.exchange("/version", 'If-None-Match: "one"')
        assert (answer.status, answer.body) == (304, b"")
        assert answer.headers["etag"] == '"one"'
        assert wire.exchange("/").status == 200


def test_no_content_keeps_the_connection(server: Server) -> None:
    with server.connect() as wire:
        answer = wire.exchange("/nothing")
        assert (answer.status, answer.body) == (204, b"")
        assert "content-length" not in answer.headers
        assert "transfer-encoding" not in answer.headers
        assert wire.exchange("/").status == 200


def test_large_response_header_arrives(client: httpx.Client) -> None:
    assert client.get("/large/30000").headers["x-large"] == "v" * 30_000


def test_large_request_header_arrives(client: httpx.Client) -> None:
    answer = client.get("/describe", headers={"X-Large": "w" * 12_000}).json()
    assert dict(answer["headers"])["x-large"] == "w" * 12_000


def test_each_cookie_that_is_set_has_its_own_line(client: httpx.Client) -> None:
    response = client.get("/cookies")
    assert [line.split("=")[0] for line in response.headers.get_list("set-cookie")] == ["first", "second"]


def test_cookies_come_back(client: httpx.Client) -> None:
    client.get("/cookies")
    assert client.get("/describe").json()["cookies"] == {"first": "1", "second": "2; quoted"}


def test_middleware_of_starlettes_base_class_passes_streams(client: httpx.Client) -> None:
    response = client.get("/wrapped/stream")
    assert response.headers["x-wrapped"] == "yes"
    assert response.content == b"".join(CHUNKS)


def test_middleware_of_starlettes_base_class_passes_request_bodies(client: httpx.Client) -> None:
    body = json.dumps({"text": "é" * 50_000}).encode()
    assert client.post("/wrapped/echo", content=body).content == body


def test_clients_at_once_each_get_their_own_answer(server: Server) -> None:
    wrong: list[bytes] = []

    def ask(number: int) -> None:
        with server.client() as client:
            for turn in range(10):
                body = b"%d/%d" % (number, turn)
                if client.post("/echo", content=body).content != body:
                    wrong.append(body)

    threads = [threading.Thread(target=ask, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert not any(thread.is_alive() for thread in threads)
    assert not wrong


def test_client_that_half_closed_gets_its_whole_answer(server: Server) -> None:
    with server.connect() as wire:
        wire.get("/stream")
        wire.half_close()
        assert wire.answer().body == b"".join(CHUNKS)
