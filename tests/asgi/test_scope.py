"""The scope of a request: every entry with its value and its exact type."""

from __future__ import annotations

import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from tests.served import Client, Served, body, serving, start


class Witness:
    """Keeps the scopes it is called with, and answers."""

    def __init__(self) -> None:
        self.scopes: list[dict[str, Any]] = []

    async def __call__(self, scope: dict[str, Any], receive: Any, send: Any) -> None:
        if scope["type"] == "lifespan":
            await receive()
            scope["state"]["answer"] = [42]
            await send({"type": "lifespan.startup.complete"})
            await receive()
            await send({"type": "lifespan.shutdown.complete"})
            return
        self.scopes.append(scope)
        await send(start())
        await send(body())

    @property
    def scope(self) -> dict[str, Any]:
        return self.scopes[-1]


@asynccontextmanager
async def witnessed(**options: Any) -> AsyncIterator[tuple[Witness, Served, Client]]:
    witness = Witness()
    async with serving(witness, **options) as served:
        yield witness, served, await served.connect()


async def test_plain_request_has_exactly_the_entries_of_the_specification() -> None:
    async with witnessed() as (witness, served, client):
        await client.get("/a/b?c=d")
        own_port = client.socket.getsockname()[1]
        assert witness.scope == {
            "type": "http",
            "asgi": {"version": "3.0", "spec_version": "2.5"},
            "http_version": "1.1",
            "method": "GET",
            "scheme": "http",
            "path": "/a/b",
            "raw_path": b"/a/b",
            "query_string": b"c=d",
            "root_path": "",
            "headers": [(b"host", b"test")],
            "client": ("127.0.0.1", own_port),
            "server": ("127.0.0.1", served.address[1]),
            "state": {"answer": [42]},
            "extensions": {
                "http.response.pathsend": {},
                "http.response.zerocopysend": {},
                "http.response.early_hint": {},
                "http.response.trailers": {},
            },
        }


async def test_entries_have_the_exact_types() -> None:
    async with witnessed() as (witness, _, client):
        await client.get("/caf%C3%A9?q", "X-A: b")
        scope = witness.scope
        for name in ("type", "http_version", "method", "scheme", "path", "root_path"):
            assert type(scope[name]) is str, name
        for name in ("raw_path", "query_string"):
            assert type(scope[name]) is bytes, name
        for name in ("client", "server"):
            host, port = scope[name]
            assert type(host) is str
            assert type(port) is int
        assert type(scope["headers"]) is list
        assert all(type(part) is bytes for pair in scope["headers"] for part in pair)
        assert all(len(pair) == 2 for pair in scope["headers"])
        assert type(scope["state"]) is dict
        assert type(scope["extensions"]) is dict


@pytest.mark.parametrize("version", ["1.0", "1.1"])
async def test_http_version_is_the_request_s(version: str) -> None:
    async with witnessed() as (witness, _, client):
        await client.send(f"GET / HTTP/{version}\r\nHost: test\r\n\r\n".encode())
        await client.answer()
        assert witness.scope["http_version"] == version


async def test_versions_may_alternate_on_one_connection() -> None:
    async with witnessed() as (witness, _, client):
        for version in ("1.1", "1.0", "1.1"):
            head = f"GET / HTTP/{version}\r\nHost: test\r\nConnection: keep-alive\r\n\r\n"
            await client.send(head.encode())
            await client.answer()
        assert [scope["http_version"] for scope in witness.scopes] == ["1.1", "1.0", "1.1"]


@pytest.mark.parametrize("method", ["GET", "POST", "DELETE", "PROPFIND"])
async def test_method_is_the_request_s(method: str) -> None:
    async with witnessed() as (witness, _, client):
        await client.ask("/", method=method)
        await client.answer(method)
        assert witness.scope["method"] == method


@pytest.mark.parametrize(
    ("target", "path", "raw_path", "query"),
    [
        pytest.param("/", "/", b"/", b"", id="root"),
        pytest.param("/a?", "/a", b"/a", b"", id="empty-query"),
        pytest.param("/a?b?c", "/a", b"/a", b"b?c", id="question-mark-in-query"),
        pytest.param("/a%3Fb?c", "/a?b", b"/a%3Fb", b"c", id="escaped-question-mark"),
        pytest.param("/a%2Fb", "/a/b", b"/a%2Fb", b"", id="escaped-slash"),
        pytest.param("/a?b=%C3%A9", "/a", b"/a", b"b=%C3%A9", id="query-stays-escaped"),
        pytest.param("/caf%C3%A9", "/café", b"/caf%C3%A9", b"", id="utf-8"),
        pytest.param("/%E2%82%AC%F0%9F%98%80", "/€😀", b"/%E2%82%AC%F0%9F%98%80", b"", id="longer-utf-8"),
        pytest.param("/%FF", "/\ufffd", b"/%FF", b"", id="no-utf-8"),
        pytest.param("/%C3", "/\ufffd", b"/%C3", b"", id="utf-8-cut-short"),
        pytest.param("/100%", "/100%", b"/100%", b"", id="lone-percent-sign"),
        pytest.param("/%zz%4", "/%zz%4", b"/%zz%4", b"", id="no-escape"),
        pytest.param("/%2541", "/%41", b"/%2541", b"", id="decoded-once"),
        pytest.param("/a+b", "/a+b", b"/a+b", b"", id="plus-is-no-space"),
        pytest.param("/a/../b//c", "/a/../b//c", b"/a/../b//c", b"", id="not-normalised"),
        pytest.param("/%00", "/\0", b"/%00", b"", id="escaped-nul"),
    ],
)
async def test_target_is_split_and_its_path_decoded(
    target: str, path: str, raw_path: bytes, query: bytes
) -> None:
    async with witnessed() as (witness, _, client):
        await client.get(target)
        scope = witness.scope
        assert (scope["path"], scope["raw_path"], scope["query_string"]) == (path, raw_path, query)


async def test_root_path_is_in_front_of_path_and_raw_path() -> None:
    async with witnessed(root_path="/café") as (witness, _, client):
        await client.get("/a%20b?c")
        scope = witness.scope
        assert scope["root_path"] == "/café"
        assert scope["path"] == "/café/a b"
        assert scope["raw_path"] == "/café".encode() + b"/a%20b"
        assert scope["query_string"] == b"c"


async def test_header_names_are_lower_case_and_values_and_order_as_sent() -> None:
    async with witnessed() as (witness, _, client):
        await client.get("/", "X-Two: b", "x-ONE:  a  ", "X-Two: C")
        assert witness.scope["headers"] == [
            (b"host", b"test"),
            (b"x-two", b"b"),
            (b"x-one", b"a"),
            (b"x-two", b"C"),
        ]


@pytest.mark.parametrize("entry", ["headers", "extensions", "state"])
async def test_entry_changed_in_one_request_is_fresh_in_the_next(entry: str) -> None:
    async with witnessed() as (witness, _, client):
        await client.get()
        first = witness.scope[entry]
        before = first.copy()
        first.clear()
        await client.get()
        assert witness.scope[entry] is not first
        assert witness.scope[entry] == before


async def test_scope_changed_in_one_request_is_fresh_in_the_next() -> None:
    async with witnessed() as (witness, _, client):
        await client.get()
        witness.scope["session"] = "mine"
        witness.scope["scheme"] = "gopher"
        witness.scope["path"] = "/elsewhere"
        await client.get()
        assert "session" not in witness.scope
        assert witness.scope["scheme"] == "http"
        assert witness.scope["path"] == "/"


async def test_state_is_a_copy_that_shares_its_values() -> None:
    async with witnessed() as (witness, served, client):
        await client.get()
        witness.scope["state"]["mine"] = True
        other = await served.connect()
        await other.get()
        first, second = (scope["state"] for scope in witness.scopes)
        assert second["answer"] is first["answer"]
        assert "mine" not in second


async def test_state_is_empty_without_a_lifespan() -> None:
    async with witnessed(lifespan="off") as (witness, _, client):
        await client.get()
        assert witness.scope["state"] == {}


async def test_ipv6_client_and_server_have_two_parts() -> None:
    if not socket.has_ipv6:
        pytest.skip("no IPv6 here")
    async with witnessed(bind="[::1]:0") as (witness, served, client):
        await client.get()
        assert witness.scope["client"] == client.socket.getsockname()[:2]
        assert witness.scope["server"] == ("::1", served.address[1])


async def test_unix_socket_has_no_client_and_its_path_as_server(tmp_path: Path) -> None:
    path = str(tmp_path / "s")
    async with witnessed(bind=f"unix:{path}") as (witness, _, client):
        await client.get()
        assert witness.scope["client"] is None
        assert witness.scope["server"] == (path, None)
        assert witness.scope["scheme"] == "http"
