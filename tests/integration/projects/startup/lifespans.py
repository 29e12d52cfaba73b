"""Applications whose lifespan goes wrong, each in its own way."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]


async def answer(send: Send, text: str) -> None:
    headers = [(b"content-type", b"text/plain")]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": text.encode()})


async def raising(scope: Scope, receive: Receive, send: Send) -> None:
    """Raises while it starts up, after it took part in the lifespan conversation."""
    if scope["type"] == "lifespan":
        await receive()
        open_database()
    await answer(send, "raising")


def open_database() -> None:
    raise LookupError("the database is not there")


async def failing(scope: Scope, receive: Receive, send: Send) -> None:
    """Says by message that it could not start."""
    if scope["type"] == "lifespan":
        await receive()
        await send({"type": "lifespan.startup.failed", "message": "no licence for this host"})
        return
    await answer(send, "failing")


async def hanging(scope: Scope, receive: Receive, send: Send) -> None:
    """Never finishes starting up."""
    if scope["type"] == "lifespan":
        await receive()
        print("start-up begun", file=sys.stderr, flush=True)
        await asyncio.sleep(3600)
    await answer(send, "hanging")


async def without(scope: Scope, receive: Receive, send: Send) -> None:
    """Knows nothing of lifespans, as Django."""
    if scope["type"] != "http":
        raise ValueError(f"only http is served here, not {scope['type']}")
    await answer(send, "without a lifespan")


async def hanging_at_the_end(scope: Scope, receive: Receive, send: Send) -> None:
    """Starts, and then never finishes shutting down."""
    if scope["type"] == "lifespan":
        await receive()
        await send({"type": "lifespan.startup.complete"})
        await receive()
        await asyncio.sleep(3600)
    await answer(send, "started")


async def failing_at_the_end(scope: Scope, receive: Receive, send: Send) -> None:
    """Starts, and then says by message that it could not shut down."""
    if scope["type"] == "lifespan":
        await receive()
        await send({"type": "lifespan.startup.complete"})
        await receive()
        await send({"type": "lifespan.shutdown.failed", "message": "the ledger is not balanced"})
        return
    await answer(send, "started")
