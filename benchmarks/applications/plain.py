"""ASGI applications without a framework: what is measured is the server and next to nothing else."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

Scope = dict[str, Any]
Message = dict[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]

GREETING = b"Hello, world!"
PIECE = b"\0" * (64 * 1024)
PIECES = 16


async def lifespan(receive: Receive, send: Send) -> None:
    """Answers the lifespan conversation, so that servers which insist on it start."""
    while True:
        message = await receive()
        if message["type"] == "lifespan.startup":
            await send({"type": "lifespan.startup.complete"})
        elif message["type"] == "lifespan.shutdown":
            await send({"type": "lifespan.shutdown.complete"})
            return


async def hello(scope: Scope, receive: Receive, send: Send) -> None:
    """Answers every request with 13 bytes."""
    if scope["type"] == "lifespan":
        await lifespan(receive, send)
        return
    await send(
        {
            "type": "http.response.start",
            "status": 200,
            "headers": [(b"content-type", b"text/plain"), (b"content-length", b"13")],
        }
    )
    await send({"type": "http.response.body", "body": GREETING})


async def echo(scope: Scope, receive: Receive, send: Send) -> None:
    """Reads the whole request body and sends it back."""
    if scope["type"] == "lifespan":
        await lifespan(receive, send)
        return
    chunks: list[bytes] = []
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            return
        chunks.append(message.get("body", b""))
        if not message.get("more_body", False):
            break
    body = b"".join(chunks)
    length = str(len(body)).encode("ascii")
    headers = [(b"content-type", b"application/octet-stream"), (b"content-length", length)]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": body})


async def download(scope: Scope, receive: Receive, send: Send) -> None:
    """Streams 1 MiB in pieces of 64 KiB without saying how long it will be."""
    if scope["type"] == "lifespan":
        await lifespan(receive, send)
        return
    headers = [(b"content-type", b"application/octet-stream")]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    for remaining in range(PIECES - 1, -1, -1):
        await send({"type": "http.response.body", "body": PIECE, "more_body": remaining > 0})
