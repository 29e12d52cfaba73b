"""The application that ``make demo`` serves: one page, a clock as server-sent events, and an echo.

A raw ASGI application, so it also shows what a server and an application say to each other: it streams, it
notices that a client leaves, and it ends its streams when the server shuts down.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import json
import platform
import re
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from html import escape
from importlib.resources import files
from string import Template
from typing import Any
from urllib.parse import quote

from . import __version__

Scope = dict[str, Any]
Message = dict[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]

ECHO_LIMIT = 1 << 20
"""The largest body, in bytes, that /echo sends back; a larger one gets 413."""

TEXT = b"text/plain; charset=utf-8"
PAGE = Template(files(__package__).joinpath("demo.html").read_text(encoding="utf-8"))


def _inline_hash(element: str) -> str:
    """Return the Content-Security-Policy source that permits this one inline element of the page."""
    found = re.search(rf"<{element}>(.*?)</{element}>", PAGE.template, re.DOTALL)
    text = found.group(1) if found is not None else ""
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


# The page shows what the client sent. Escaping keeps that harmless; the policy would, too.
SECURITY_POLICY = (
    f"default-src 'none'; connect-src 'self'; img-src data:; style-src {_inline_hash('style')}; "
    f"script-src {_inline_hash('script')}; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
).encode()


class Streams:
    """The clock streams open at the moment, and the word that they are to end."""

    def __init__(self) -> None:
        self.count = 0
        self.closing = asyncio.Event()


async def app(scope: Scope, receive: Receive, send: Send) -> None:
    """Answer one ASGI connection."""
    if scope["type"] == "lifespan":
        await _lifespan(scope, receive, send)
    elif scope["type"] == "http":
        await _respond(scope, receive, send)
    elif scope["type"] == "websocket":
        await receive()
        await send({"type": "websocket.close", "code": 1000})
    else:
        raise ValueError(f"no such kind of ASGI scope here: {scope['type']!r}")


async def _lifespan(scope: Scope, receive: Receive, send: Send) -> None:
    """Keep the streams' state from start-up to shutdown, and tell them when it is over."""
    await receive()
    streams = Streams()
    if "state" in scope:
        scope["state"]["streams"] = streams
    await send({"type": "lifespan.startup.complete"})
    await receive()
    streams.closing.set()
    await send({"type": "lifespan.shutdown.complete"})


async def _respond(scope: Scope, receive: Receive, send: Send) -> None:
    """Find what answers this path; the page, the clock and the echo know one method each (and HEAD)."""
    method = scope["method"]
    path = scope["path"].removeprefix(scope.get("root_path", "")) or "/"
    routes = {"/": ("GET", "HEAD"), "/clock": ("GET", "HEAD"), "/echo": ("POST",)}
    if path not in routes:
        await _answer(send, 404, b"Not found. There are /, /clock and /echo.\n")
    elif method not in routes[path]:
        allowed = ", ".join(routes[path])
        await _answer(send, 405, f"Use {allowed} here.\n".encode(), extra=[(b"allow", allowed.encode())])
    elif path == "/":
        extra = [(b"content-security-policy", SECURITY_POLICY), (b"referrer-policy", b"no-referrer")]
        await _answer(send, 200, _page(scope).encode(), b"text/html; charset=utf-8", extra)
    elif path == "/echo":
        await _echo(receive, send)
    else:
        await _clock(scope, receive, send)


async def _answer(
    send: Send,
    status: int,
    body: bytes,
    content_type: bytes = TEXT,
    extra: list[tuple[bytes, bytes]] | None = None,
) -> None:
    """Send a response that is complete; the server drops the body where the request was HEAD."""
    headers = [
        (b"content-type", content_type),
        (b"content-length", str(len(body)).encode()),
        (b"cache-control", b"no-store"),
        (b"x-content-type-options", b"nosniff"),
        *(extra or ()),
    ]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})


async def _echo(receive: Receive, send: Send) -> None:
    """Send the request's body back, as bytes that no browser takes for a page."""
    body = bytearray()
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            return
        body += message.get("body", b"")
        if len(body) > ECHO_LIMIT:
            await _answer(send, 413, f"The echo takes at most {ECHO_LIMIT} bytes.\n".encode())
            return
        if not message.get("more_body", False):
            break
    await _answer(send, 200, bytes(body), b"application/octet-stream")


async def _clock(scope: Scope, receive: Receive, send: Send) -> None:
    """Send the time once a second until the client leaves or the server shuts down."""
    headers = [
        (b"content-type", b"text/event-stream; charset=utf-8"),
        (b"cache-control", b"no-store"),
        (b"x-accel-buffering", b"no"),
    ]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    if scope["method"] == "HEAD":
        await send({"type": "http.response.body", "body": b""})
        return
    streams = scope.get("state", {}).get("streams") or Streams()
    gone = asyncio.create_task(_client_gone(receive))
    closing = asyncio.create_task(streams.closing.wait())
    streams.count += 1
    try:
        await _tick(streams, send, {gone, closing})
        # A server that stops may say "disconnected" to a stream whose client is there and waits for the end.
        await send({"type": "http.response.body", "body": b""})
    except OSError:
        # The client has left.
        return
    finally:
        streams.count -= 1
        gone.cancel()
        closing.cancel()
        await asyncio.gather(gone, closing, return_exceptions=True)


async def _tick(streams: Streams, send: Send, ends: set[asyncio.Task[Any]]) -> None:
    """Send one event a second, counted from the first, until one of ``ends`` is done."""
    loop = asyncio.get_running_loop()
    first = loop.time()
    number = 0
    while not any(end.done() for end in ends):
        number += 1
        data = json.dumps({"time": f"{datetime.now(UTC):%H:%M:%S}", "clients": streams.count})
        event = f"event: tick\nid: {number}\ndata: {data}\n\n".encode()
        await send({"type": "http.response.body", "body": event, "more_body": True})
        pause = max(0.0, first + number - loop.time())
        await asyncio.wait(ends, timeout=pause, return_when=asyncio.FIRST_COMPLETED)


async def _client_gone(receive: Receive) -> None:
    """Read past the request's body until the server tells that the client left."""
    while (await receive())["type"] != "http.disconnect":
        pass


def _page(scope: Scope) -> str:
    """Fill the page with what the request said, all of it escaped."""
    headers = [(name.decode("latin-1"), value.decode("latin-1")) for name, value in scope["headers"]]
    rows = "\n".join(f"<tr><th>{escape(name)}</th><td>{escape(value)}</td></tr>" for name, value in headers)
    root = quote(scope.get("root_path", ""))
    return PAGE.substitute(
        method=escape(scope["method"]),
        target=escape(_target(scope)),
        version=escape(scope["http_version"]),
        client=escape(_address(scope.get("client"))),
        server=escape(_address(scope.get("server"))),
        scheme=escape(scope.get("scheme", "http")),
        extensions=escape(", ".join(sorted(scope.get("extensions") or ())) or "none"),
        count="1 header" if len(headers) == 1 else f"{len(headers)} headers",
        headers=rows,
        root=escape(root),
        origin=escape(_origin(scope) + root),
        software=escape(__version__),
        python=escape(platform.python_version()),
        loop=escape(type(asyncio.get_running_loop()).__module__.partition(".")[0]),
    )


def _target(scope: Scope) -> str:
    """The request target as the client spelt it, as far as the scope tells."""
    path: bytes = scope.get("raw_path") or quote(scope["path"]).encode()
    query: bytes = scope.get("query_string", b"")
    return (path + b"?" + query if query else path).decode("latin-1")


def _origin(scope: Scope) -> str:
    """The part of a URL before the path, made from the server's own address and not from the Host field."""
    server = scope.get("server")
    reachable = server is not None and server[1] is not None
    return f"{scope.get('scheme', 'http')}://{_address(server) if reachable else 'localhost'}"


def _address(pair: tuple[str, int | None] | None) -> str:
    """Spell a client or server entry of the scope the way a URL would."""
    if pair is None:
        return "unknown"
    host, port = pair
    if port is None:
        return f"unix:{host}"
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
