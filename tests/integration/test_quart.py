"""A Quart application: hooks, streams, forms."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from .serving import Server, serve


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with serve("quart_site:app") as server:
        yield server


@pytest.fixture
def client(server: Server) -> Iterator[httpx.Client]:
    with server.client(headers={"User-Agent": "test"}) as client:
        yield client


def test_route_sees_path_and_query_and_fields(client: httpx.Client) -> None:
    response = client.get("/hello/Ada?loud=yes")
    assert response.json() == {"hello": "Ada", "loud": "yes", "agent": "test"}


def test_unknown_route_is_404(client: httpx.Client) -> None:
    assert client.get("/nowhere").status_code == 404


def test_streaming_body_arrives_whole(client: httpx.Client) -> None:
    expected = "".join(f"line {number}\n" for number in range(100))
    assert client.get("/stream").text == expected


def test_before_serving_hook_ran(client: httpx.Client) -> None:
    assert client.get("/opened").json() == {"opened": True}


def test_after_serving_hook_runs_at_the_end(tmp_path: Path) -> None:
    farewell = tmp_path / "farewell"
    with serve("quart_site:app", env={"SITE_FAREWELL": str(farewell)}) as server:
        assert not farewell.exists()
        assert server.stop() == 0
        assert farewell.read_text(encoding="ascii") == "closed"


def test_request_body_is_streamed(client: httpx.Client) -> None:
    parts = [os.urandom(100_000) for _ in range(20)]
    whole = b"".join(parts)
    answer = client.post("/digest", content=iter(parts)).json()
    assert answer == {"size": len(whole), "sha256": hashlib.sha256(whole).hexdigest()}


def test_form_with_files_is_read(client: httpx.Client) -> None:
    answer = client.post(
        "/form",
        data={"name": ["one", "two"], "text": "é"},
        files={"rope": ("rope.txt", b"r" * 100_000), "knot": ("knot.txt", b"")},
    ).json()
    assert answer == {
        "fields": {"name": ["one", "two"], "text": ["é"]},
        "files": {"rope": ["rope.txt", 100_000], "knot": ["knot.txt", 0]},
    }


def test_urlencoded_form_is_read(client: httpx.Client) -> None:
    answer = client.post("/form", data={"a": "1 2", "b": "&="}).json()
    assert answer["fields"] == {"a": ["1 2"], "b": ["&="]}


def test_exception_is_a_500_without_its_text() -> None:
    with serve("quart_site:app") as server, server.client() as client:
        server.expect_traceback()
        response = client.get("/fail")
        assert response.status_code == 500
        assert "not for the client" not in response.text
        assert client.get("/opened").status_code == 200
