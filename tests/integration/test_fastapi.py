"""A FastAPI application: validation, dependencies, uploads in bounded memory, server-sent events."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest

from .serving import Server, serve

MIB = 1024 * 1024
UPLOAD_SIZE = 50 * MIB
MEMORY_ALLOWED = 16 * MIB
BLOCK = bytes(range(256)) * 256


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with serve("fastapi_site:app") as server:
        yield server


@pytest.fixture
def client(server: Server) -> Iterator[httpx.Client]:
    with server.client() as client:
        yield client


def happened(server: Server, event: str) -> int:
    """How often the application counted ``event``, asked over a connection of its own."""
    with server.client() as other:
        return int(other.get("/events").json().get(event, 0))


def test_valid_body_is_accepted(client: httpx.Client) -> None:
    response = client.post("/items", json={"name": "rope", "price": 2.5})
    assert (response.status_code, response.json()) == (201, {"name": "rope", "price": 2.5})


@pytest.mark.parametrize(
    "content",
    [b'{"name": "rope", "price": -1}', b'{"price": 1}', b"{not json", b""],
    ids=["out of range", "missing field", "not JSON", "no body"],
)
def test_invalid_body_is_422(client: httpx.Client, content: bytes) -> None:
    response = client.post("/items", content=content, headers={"Content-Type": "application/json"})
    assert response.status_code == 422
    assert response.json()["detail"]


def test_openapi_document_is_served(client: httpx.Client) -> None:
    assert "/items" in client.get("/openapi.json").json()["paths"]


def test_dependency_is_closed_after_an_ordinary_answer(client: httpx.Client, server: Server) -> None:
    before = happened(server, "connection closed")
    assert client.get("/once").json() == {"open": True}
    server.poll(lambda: happened(server, "connection closed") == before + 1, "the dependency was closed")


def test_dependency_is_closed_when_the_client_leaves_mid_stream(client: httpx.Client, server: Server) -> None:
    opened, closed = happened(server, "connection opened"), happened(server, "connection closed")
    with client.stream("GET", "/numbers") as response:
        lines = response.iter_lines()
        assert [next(lines) for _ in range(3)] == ["0", "1", "2"]
        assert happened(server, "connection opened") == opened + 1
    server.poll(lambda: happened(server, "connection closed") == closed + 1, "the dependency was closed")


class Upload:
    """A large body made block by block, as it is sent, so that this process holds none of it either."""

    def __init__(self, size: int) -> None:
        self.size = size
        self.digest = hashlib.sha256()

    def __iter__(self) -> Iterator[bytes]:
        for _ in range(self.size // len(BLOCK)):
            self.digest.update(BLOCK)
            yield BLOCK


def send_stream(client: httpx.Client, size: int) -> None:
    upload = Upload(size)
    response = client.post("/upload/stream", content=iter(upload))
    assert response.json() == {"size": size, "sha256": upload.digest.hexdigest()}


def send_form(client: httpx.Client, size: int) -> None:
    upload = Upload(size)

    def body() -> Iterator[bytes]:
        yield b'--rope\r\nContent-Disposition: form-data; name="file"; filename="coil.bin"\r\n'
        yield b"Content-Type: application/octet-stream\r\n\r\n"
        yield from upload
        yield b"\r\n--rope--\r\n"

    headers = {"Content-Type": "multipart/form-data; boundary=rope"}
    response = client.post("/upload/file", content=body(), headers=headers)
    assert response.json() == {"size": size, "sha256": upload.digest.hexdigest(), "name": "coil.bin"}


@pytest.mark.skipif(not Path("/proc/self/clear_refs").exists(), reason="needs /proc to measure peak memory")
@pytest.mark.parametrize("send", [send_stream, send_form], ids=["request.stream()", "UploadFile"])
def test_upload_of_50_mb_is_received_in_bounded_memory(
    client: httpx.Client, server: Server, send: Callable[[httpx.Client, int], None]
) -> None:
    # The first upload has the modules imported and the buffers allocated that any upload needs.
    send(client, 2 * MIB)
    server.forget_peak_memory()
    before = server.memory()
    send(client, UPLOAD_SIZE)
    assert server.peak_memory() - before < MEMORY_ALLOWED


@pytest.mark.parametrize(
    ("path", "event"),
    [("/sse", "sse ended"), ("/sse/plain", "plain sse ended")],
    ids=["sse-starlette", "StreamingResponse"],
)
def test_event_generator_is_ended_within_a_second_of_the_clients_leaving(
    client: httpx.Client, server: Server, path: str, event: str
) -> None:
    before = happened(server, event)
    with client.stream("GET", path) as response:
        assert response.headers["content-type"].startswith("text/event-stream")
        # Kept, since httpx closes the response when the iterator goes away.
        lines = response.iter_lines()
        assert next(lines).startswith("data: ")
        assert happened(server, event) == before
    server.poll(lambda: happened(server, event) == before + 1, "the generator's finally ran", seconds=1)


def test_silent_event_generator_is_ended_soon_after_the_client_left(
    client: httpx.Client, server: Server
) -> None:
    before = happened(server, "quiet sse ended")
    with client.stream("GET", "/sse/quiet") as response:
        lines = response.iter_lines()
        assert next(lines) == "data: only"
    server.poll(
        lambda: happened(server, "quiet sse ended") == before + 1, "the generator's finally ran", seconds=3
    )


def test_silent_event_generator_is_ended_within_a_second_of_a_longtime_clients_leaving(
    client: httpx.Client, server: Server
) -> None:
    before = happened(server, "quiet sse ended")
    with client.stream("GET", "/sse/quiet", params={"again_after": 1.6}) as response:
        lines = response.iter_lines()
        assert [line for line, _ in zip(lines, range(3), strict=False)] == ["data: only", "", "data: again"]
    server.poll(
        lambda: happened(server, "quiet sse ended") == before + 1, "the generator's finally ran", seconds=1
    )


def test_events_arrive_while_the_stream_goes_on(client: httpx.Client) -> None:
    with client.stream("GET", "/sse") as response:
        lines = response.iter_lines()
        data = (line for line in lines if line)
        assert [next(data) for _ in range(3)] == ["data: 0", "data: 1", "data: 2"]


def test_many_clients_that_leave_at_once_are_all_noticed(server: Server) -> None:
    before = happened(server, "plain sse ended")
    wires = [server.connect() for _ in range(20)]
    for wire in wires:
        wire.get("/sse/plain")
    for wire in wires:
        wire.read_until(b"data: 0")
    for wire in wires:
        wire.close()
    server.poll(lambda: happened(server, "plain sse ended") == before + 20, "all generators ended", seconds=3)
