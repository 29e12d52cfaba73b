"""A plain ASGI application for tests of the connection's life: slow, stubborn and failing answers.

``SITE_MARKS`` names a folder in which the application leaves a file for each thing that happened to it
(`mark`) and looks for the files by which a test tells it to go on (`told`): the one channel that works while
the server accepts no connections.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Awaitable, Callable, MutableMapping
from pathlib import Path
from typing import Any

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]

MARKS = Path(os.environ["SITE_MARKS"])
SECRET = "not for the client's eyes"


def mark(name: str) -> None:
    """Tell the test that something happened; each line is one time."""
    with (MARKS / name).open("a", encoding="ascii") as file:
        file.write("x\n")


async def told(name: str) -> None:
    """Wait until the test made the file ``name``."""
    while not (MARKS / name).exists():
        await asyncio.sleep(0.01)


async def whole_body(receive: Receive) -> bytes:
    parts: list[bytes] = []
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise ConnectionError("the client left before its request was complete")
        parts.append(message.get("body", b""))
        if not message.get("more_body", False):
            return b"".join(parts)


async def reply(send: Send, body: bytes, status: int = 200) -> None:
    headers = [(b"content-type", b"text/plain"), (b"content-length", b"%d" % len(body))]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})


async def begin_events(send: Send) -> None:
    headers = [(b"content-type", b"text/event-stream")]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": b"data: begun\n\n", "more_body": True})


async def hold(scope: Scope, receive: Receive, send: Send) -> None:
    """Answer when told to."""
    mark("holding")
    await told("release")
    await reply(send, b"held and released")


async def work_after(scope: Scope, receive: Receive, send: Send) -> None:
    """Answer, and do something afterwards that takes until the test says so."""
    await reply(send, b"accepted")
    await told("release")
    mark("work done")


async def hold_unread(scope: Scope, receive: Receive, send: Send) -> None:
    """Answer when told to, without having looked at the body."""
    await told("release unread")
    await reply(send, b"not interested", 200)


async def flood(scope: Scope, receive: Receive, send: Send) -> None:
    """Send as fast as the client takes it; each mark is 64 KiB, and there are at most 64 MiB."""
    await begin_events(send)
    try:
        for _ in range(1024):
            await send({"type": "http.response.body", "body": bytes(65536), "more_body": True})
            mark("flooding")
    except OSError:
        mark("flood ended")
        raise


async def polite_events(scope: Scope, receive: Receive, send: Send) -> None:
    """Events until the server says that the client is gone."""
    await begin_events(send)
    while (await receive())["type"] != "http.disconnect":
        pass
    mark("disconnect received")


async def stubborn_events(scope: Scope, receive: Receive, send: Send) -> None:
    """Events for ever: the application that never looks at what it is told."""
    await begin_events(send)
    try:
        await asyncio.sleep(3600)
    except asyncio.CancelledError:
        mark("cancelled")
        raise


async def upload(scope: Scope, receive: Receive, send: Send) -> None:
    mark("uploading")
    try:
        body = await whole_body(receive)
    except ConnectionError:
        mark("cut off")
        return
    await reply(send, b"%d" % len(body))


async def echo(scope: Scope, receive: Receive, send: Send) -> None:
    await reply(send, scope["path"].encode() + b" " + await whole_body(receive))


async def refuse(scope: Scope, receive: Receive, send: Send) -> None:
    """Answer without having looked at the body."""
    await reply(send, b"no", 403)


async def stream(scope: Scope, receive: Receive, send: Send) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"text/plain")]})
    for number in range(100):
        await send({"type": "http.response.body", "body": b"line %d\n" % number, "more_body": True})
    await send({"type": "http.response.body"})


async def fail(scope: Scope, receive: Receive, send: Send) -> None:
    raise RuntimeError(SECRET)


async def fail_silent(scope: Scope, receive: Receive, send: Send) -> None:
    """Return without an answer, against the specification."""


async def fail_midway(scope: Scope, receive: Receive, send: Send) -> None:
    await begin_events(send)
    raise RuntimeError(SECRET)


def raiser(error: BaseException) -> Callable[[Scope, Receive, Send], Awaitable[None]]:
    """An application that ends with ``error``."""

    async def raise_it(scope: Scope, receive: Receive, send: Send) -> None:
        raise error

    return raise_it


ROUTES = {
    "/hold": hold,
    "/hold/unread": hold_unread,
    "/work/after": work_after,
    "/flood": flood,
    "/events/polite": polite_events,
    "/events/stubborn": stubborn_events,
    "/upload": upload,
    "/refuse": refuse,
    "/stream": stream,
    "/fail": fail,
    "/fail/silent": fail_silent,
    "/fail/midway": fail_midway,
    "/raise/SystemExit": raiser(SystemExit(7)),
    "/raise/KeyboardInterrupt": raiser(KeyboardInterrupt()),
    "/raise/CancelledError": raiser(asyncio.CancelledError()),
    "/raise/RecursionError": raiser(RecursionError("too deep")),
}


async def lifespan(receive: Receive, send: Send) -> None:
    while True:
        message = await receive()
        if message["type"] == "lifespan.startup":
            mark("startup")
            await send({"type": "lifespan.startup.complete"})
        else:
            mark("shutdown")
            await send({"type": "lifespan.shutdown.complete"})
            return


async def app(scope: Scope, receive: Receive, send: Send) -> None:
    if scope["type"] == "lifespan":
        await lifespan(receive, send)
        return
    await ROUTES.get(scope["path"], echo)(scope, receive, send)
