"""One call of an ASGI application for one HTTP exchange (ASGI HTTP 2.5)."""

from __future__ import annotations

import asyncio
import os
import stat
from collections.abc import Mapping
from math import inf
from typing import TYPE_CHECKING, Any, Final

from ..server.errors import ClientDisconnected, LocalProtocolError, OutOfOrder
from ..server.exchange import AWAITING, COMPLETE, GONE, STARTED, STREAMING, TRAILERS

if TYPE_CHECKING:
    from ..server.exchange import Exchange
    from .bridge import AsgiBridge, Message, Scope

__all__ = ["EXTENSIONS", "HttpCall"]

EXTENSIONS: Final[dict[str, dict[str, Any]]] = {
    "http.response.pathsend": {},
    "http.response.zerocopysend": {},
    "http.response.early_hint": {},
    "http.response.trailers": {},
}

# A pipe must not hold up the loop until somebody writes to it; to a regular file O_NONBLOCK means nothing.
_OPEN_FLAGS: Final = getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_NONBLOCK", 0)

_STATE: Final = {
    AWAITING: "before http.response.start",
    STARTED: "after http.response.start",
    STREAMING: "after the first http.response.body",
    TRAILERS: "when http.response.trailers is due",
    COMPLETE: "after the response was complete",
}


class HttpCall:
    """Runs the application in a task and gives it ``receive`` and ``send``.

    Any number of the application's tasks may wait in either at a time, and a wait that is cancelled loses
    nothing: whoever waits looks at the exchange again when woken.
    """

    __slots__ = ("_body_given", "_waiters", "abandoned_at", "bridge", "exchange", "task", "told_to_go")

    task: asyncio.Task[None]

    def __init__(self, bridge: AsgiBridge, exchange: Exchange) -> None:
        self.bridge = bridge
        self.exchange = exchange
        self.abandoned_at = inf
        self._body_given = False
        self.told_to_go = False
        self._waiters: list[asyncio.Future[None]] | None = None

    async def run(self, scope: Scope) -> None:
        """Call the application and see to it that the exchange comes to an end."""
        bridge = self.bridge
        try:
            await bridge.application(scope, self.receive, self.send)
        # Whatever an application raises, be it SystemExit, costs its own response and nothing else.
        except BaseException as error:
            bridge.failed(self, error)
        else:
            if self.exchange.state < COMPLETE:
                bridge.incomplete(self)
        finally:
            bridge.calls.discard(self)
            if bridge.trailers:
                bridge.trailers.pop(self, None)
            if self.abandoned_at is not inf:
                bridge.abandoned.discard(self)

    # what the application calls --------------------------------------------------------------------

    async def receive(self) -> Message:
        """The next event: a piece of the request body, or ``http.disconnect`` once it is over."""
        exchange = self.exchange
        while exchange.state < COMPLETE:
            if not self._body_given:
                piece = exchange.read()
                if piece is not None:
                    more = not exchange.body_ended
                    self._body_given = not more
                    return {"type": "http.request", "body": piece, "more_body": more}
            elif self.told_to_go:
                break
            await self._wait()
        return {"type": "http.disconnect"}

    async def send(self, message: Message) -> None:
        """Send an event of the response.

        :raises ClientDisconnected: (an OSError) the client has gone.
        :raises LocalProtocolError: the message is wrong, or comes in the wrong state.
        """
        exchange = self.exchange
        kind: Any = None
        try:
            kind = message["type"]
            if kind == "http.response.start":
                exchange.start_response(
                    message["status"],
                    message["headers"] if "headers" in message else [],  # noqa: SIM401 - half of get()'s price
                    "trailers" in message and message["trailers"],
                )
                return
            if kind == "http.response.body":
                body = message["body"] if "body" in message else b""  # noqa: SIM401
                if type(body) is not bytes:
                    body = _as_bytes(body)
                if "more_body" not in message or not message["more_body"]:
                    exchange.finish(body)
                    if self._waiters is not None:
                        self._wake()
                    return
                if exchange.write(body):
                    return
        except OutOfOrder:
            raise LocalProtocolError(f"{kind} was sent {_STATE[exchange.state]}") from None
        except (KeyError, TypeError) as error:
            raise _malformed(message, kind, error) from None
        if kind == "http.response.body":
            await self._drain()
        else:
            await self._send_extension(kind, message)

    async def _send_extension(self, kind: str, message: Message) -> None:
        exchange = self.exchange
        if kind == "http.response.early_hint":
            if exchange.state != AWAITING:
                raise self._misplaced(kind)
            exchange.send_informational(103, [(b"link", link) for link in message.get("links", ())])
        elif kind in ("http.response.pathsend", "http.response.zerocopysend"):
            if exchange.state not in (STARTED, STREAMING) or (
                kind == "http.response.pathsend" and exchange.state != STARTED
            ):
                raise self._misplaced(kind)
            if kind == "http.response.pathsend":
                await self._send_path(message["path"])
            else:
                await self._send_open_file(message)
        elif kind == "http.response.trailers":
            if exchange.state != TRAILERS:
                raise self._misplaced(kind)
            # Trailers may come in several messages; all but the last say that more follow.
            trailers = [*self.bridge.trailers.pop(self, ()), *message.get("headers", ())]
            if message.get("more_trailers", False):
                self.bridge.trailers[self] = trailers
            else:
                exchange.send_trailers(trailers)
                self._wake()
        else:
            raise LocalProtocolError(f"message type {kind!r} is not one of an ASGI HTTP response")

    async def _send_path(self, path: str) -> None:
        fd = os.open(path, os.O_RDONLY | _OPEN_FLAGS)
        try:
            status = os.fstat(fd)
            if not stat.S_ISREG(status.st_mode):
                raise LocalProtocolError(f"http.response.pathsend: {path!r} is not a regular file")
            await self._send_file(fd, 0, status.st_size, True)
        finally:
            os.close(fd)

    async def _send_open_file(self, message: Message) -> None:
        file = message["file"]
        fd = file if isinstance(file, int) else file.fileno()
        status = os.fstat(fd)
        if not stat.S_ISREG(status.st_mode):
            raise LocalProtocolError("http.response.zerocopysend: the file is not a regular file")
        offset, count = message.get("offset"), message.get("count")
        if (offset or 0) < 0 or (count or 0) < 0:
            raise LocalProtocolError("http.response.zerocopysend: offset and count are not negative")
        begin = os.lseek(fd, 0, os.SEEK_CUR) if offset is None else offset
        rest = max(0, status.st_size - begin)
        size = rest if count is None else min(count, rest)
        await self._send_file(fd, begin, size, not message.get("more_body", False))
        if offset is None:  # as sendfile(2) does without an offset: the file's own position moves
            os.lseek(fd, begin + size, os.SEEK_SET)

    async def _send_file(self, fd: int, offset: int, count: int, last: bool) -> None:
        exchange = self.exchange
        try:
            if not exchange.send_file(fd, offset, count, last):
                await self._drain()
        except asyncio.CancelledError:
            exchange.abort()  # the transfer must not outlive the descriptor
            raise
        if exchange.state >= COMPLETE and self._waiters is not None:
            self._wake()

    # waiting ---------------------------------------------------------------------------------------

    async def _drain(self) -> None:
        exchange = self.exchange
        while not exchange.writable and exchange.state < COMPLETE:
            await self._wait()
        if exchange.state == GONE:
            raise ClientDisconnected("the client has disconnected")

    async def _wait(self) -> None:
        waiter = self.bridge.loop.create_future()
        if self._waiters is None:
            self._waiters = []
        self._waiters.append(waiter)
        try:
            await waiter
        except asyncio.CancelledError:
            # An application that polls receive() with a timeout must not leave a waiter behind each time.
            if self._waiters is not None and waiter in self._waiters:
                self._waiters.remove(waiter)
            raise

    def _wake(self) -> None:
        waiters, self._waiters = self._waiters, None
        for waiter in waiters or ():
            if not waiter.done():
                waiter.set_result(None)

    # what the exchange tells -----------------------------------------------------------------------

    def body_received(self) -> None:
        self._wake()

    def write_resumed(self) -> None:
        self._wake()

    def disconnected(self) -> None:
        self.bridge.abandon(self)
        self._wake()

    def client_leaving(self) -> None:
        self.told_to_go = True
        self.bridge.abandon(self)
        self._wake()

    def asked_to_finish(self) -> None:
        self.told_to_go = True
        self._wake()

    def _misplaced(self, kind: str) -> Exception:
        state = self.exchange.state
        if state == GONE:
            return ClientDisconnected("the client has disconnected")
        return LocalProtocolError(f"{kind} was sent {_STATE[state]}")


def _malformed(message: object, kind: object, error: Exception) -> Exception:
    """Say what is wrong with a message that could not be read."""
    if not isinstance(message, Mapping):
        return LocalProtocolError(f"send() takes a dict with a type, not {type(message).__name__}")
    if isinstance(error, KeyError):
        return LocalProtocolError(f"{kind or 'a message'} was sent without {error}")
    return error


def _as_bytes(body: object) -> bytes:
    if isinstance(body, bytes | bytearray | memoryview):
        return bytes(body)
    raise LocalProtocolError(f"http.response.body: body is bytes, not {type(body).__name__}")
