"""The HTTP/1.1 engine driven by hand: a real `Site` and `Tick`, on a transport and a loop that record.

A `Server` makes connections (`Client`), hands over the exchanges that begin, and lets time pass. `judge`
sends the same bytes whole, byte by byte and at random cuts, and requires that the outcome is the same.
"""

from __future__ import annotations

import asyncio
import random
import re
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from ropewalk.reactor import Tick
from ropewalk.server.access_log import AccessLog
from ropewalk.server.config import Config
from ropewalk.server.exchange import Exchange
from ropewalk.server.site import Site

WALL = 1_795_424_400
DATE = b"date: Mon, 23 Nov 2026 09:00:00 GMT\r\n"
TAIL = DATE + b"server: ropewalk\r\n\r\n"

GET = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"
OK = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n" + TAIL + b"ok"


_STATUS_LINE = re.compile(rb"HTTP/1\.1 ([0-9]{3}) [A-Za-z' -]*\r\n").findall


def statuses(written: bytes) -> list[int]:
    """The status of each response in ``written``, wherever a status line stands."""
    return [int(status) for status in _STATUS_LINE(written)]


class Calls:
    """What was asked to be called soon, called by `run`."""

    def __init__(self) -> None:
        self._waiting: deque[tuple[Callable[..., object], tuple[object, ...]]] = deque()

    def call_soon(self, function: Callable[..., object], *arguments: object) -> None:
        self._waiting.append((function, arguments))

    def step(self) -> bool:
        """Call the first; False when none waits."""
        if not self._waiting:
            return False
        function, arguments = self._waiting.popleft()
        function(*arguments)
        return True

    def run(self) -> None:
        while self.step():
            pass


class Transport:
    """A transport that records; what is written waits in it for as long as ``takes`` is false."""

    def __init__(
        self, calls: Calls, *, takes: bool = True, half_closes: bool = True, **extra: object
    ) -> None:
        self._calls = calls
        self._extra: dict[str, object] = {
            "peername": ("192.0.2.7", 50312),
            "sockname": ("192.0.2.1", 8000),
        } | extra
        self.takes = takes
        self.half_closes = half_closes
        self.protocol: Any = None
        self.writes: list[bytes] = []
        self.reading = True
        self.shut = self.closing = self.aborted = self.lost = False
        self.misused: list[str] = []
        self._arriving: deque[bytes | None] = deque()
        self._waiting = 0
        self._writing_paused = False
        self.high = self.low = 0

    # for the protocol ------------------------------------------------------------------------------

    def get_extra_info(self, name: str, default: object = None) -> object:
        return self._extra.get(name, default)

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        self.high = 64 * 1024 if high is None else high
        self.low = self.high // 4 if low is None else low

    def get_write_buffer_size(self) -> int:
        return self._waiting

    def write(self, data: bytes) -> None:
        if self.shut or self.closing:
            self.misused.append(f"write after {'write_eof' if self.shut else 'close'}: {data[:40]!r}")
            return
        self.writes.append(bytes(data))
        if not self.takes:
            self._waiting += len(data)
            if self._waiting > self.high and not self._writing_paused:
                self._writing_paused = True
                self.protocol.pause_writing()

    def can_write_eof(self) -> bool:
        return self.half_closes

    def write_eof(self) -> None:
        self.shut = True

    def is_closing(self) -> bool:
        return self.closing

    def close(self) -> None:
        self.closing = True
        if not self._waiting:
            self._calls.call_soon(self._lose, None)

    def abort(self) -> None:
        self.closing = self.aborted = True
        self._waiting = 0
        self._calls.call_soon(self._lose, None)

    def pause_reading(self) -> None:
        self.reading = False

    def resume_reading(self) -> None:
        self.reading = True
        self._calls.call_soon(self._deliver)

    # for the client --------------------------------------------------------------------------------

    @property
    def unread(self) -> int:
        """How many bytes the client has sent that the server has not read."""
        return sum(len(data) for data in self._arriving if data is not None)

    def arrive(self, data: bytes | None) -> None:
        self._arriving.append(data)
        self._deliver()

    def take(self, size: int | None = None) -> None:
        """The client reads ``size`` of the bytes that wait for it, or all."""
        self._waiting -= self._waiting if size is None else size
        if self._writing_paused and self._waiting <= self.low:
            self._writing_paused = False
            self.protocol.resume_writing()
        if self.closing and not self._waiting:
            self._calls.call_soon(self._lose, None)

    def fail(self, error: Exception | None) -> None:
        """The connection breaks."""
        self.closing = True
        self._lose(error)

    def _deliver(self) -> None:
        while self._arriving and self.reading and not self.closing:
            data = self._arriving.popleft()
            if data is None:
                if not self.protocol.eof_received():
                    self.close()
            else:
                self.protocol.data_received(data)

    def _lose(self, error: Exception | None) -> None:
        if not self.lost:
            self.lost = True
            self.protocol.connection_lost(error)


class GatheringTransport(Transport):
    """One that takes several buffers at a time, as uvloop's does; ``parts`` are all that came so."""

    __module__ = "uvloop.loop"  # what the site goes by

    def __init__(self, calls: Calls, **how: Any) -> None:
        super().__init__(calls, **how)
        self.parts: list[bytes] = []

    def writelines(self, parts: list[bytes]) -> None:
        self.parts += parts
        self.write(b"".join(parts))


class Client:
    """The other end of one connection."""

    def __init__(self, server: Server, transport: Transport) -> None:
        self._calls = server.calls
        self.transport = transport
        self.connection = transport.protocol = server.site()
        self.connection.connection_made(transport)
        self._calls.run()

    def send(self, *pieces: bytes) -> None:
        """Send ``pieces``, each in a segment of its own."""
        for piece in pieces:
            self.transport.arrive(piece)
            self._calls.run()

    def close_side(self) -> None:
        """Send no more."""
        self.transport.arrive(None)
        self._calls.run()

    def take(self, size: int | None = None) -> None:
        """Read ``size`` of the bytes that wait, or all."""
        self.transport.take(size)
        self._calls.run()

    def vanish(self, error: Exception | None = None) -> None:
        """Reset the connection."""
        self.transport.fail(error)
        self._calls.run()

    @property
    def received(self) -> bytes:
        """All that the server has written."""
        return b"".join(self.transport.writes)

    @property
    def statuses(self) -> list[int]:
        """The status of each response."""
        return statuses(self.received)

    @property
    def ending(self) -> str:
        """How the connection stands: open, half-closed by the server, closed or aborted."""
        transport = self.transport
        if transport.aborted:
            return "aborted"
        if transport.closing:
            return "closed"
        return "half-closed" if transport.shut else "open"


class Server:
    """A site whose clock is turned by hand, and the exchanges that it has begun.

    ``consumer`` is called with each; without one they wait in ``begun`` for the test to answer them.
    """

    def __init__(
        self,
        consumer: Callable[[Exchange], None] | None = None,
        access_log: Callable[[Tick], AccessLog] | None = None,
        **options: object,
    ) -> None:
        self._consumer = consumer
        self.calls = Calls()
        self.tick = Tick(0.5, wall_clock=lambda: WALL)
        self.begun: list[Any] = []
        self.site = Site(
            self._begin,
            Config.from_options(**options),
            self.tick,
            self.calls.call_soon,
            None if access_log is None else access_log(self.tick),
        )

    def _begin(self, exchange: Exchange) -> None:
        self.begun.append(exchange)
        if self._consumer is not None:
            self._consumer(exchange)

    def connect(self, *, kind: type[Transport] = Transport, **how: Any) -> Client:
        """A new connection; ``how`` is for its transport."""
        return Client(self, kind(self.calls, **how))

    def pass_time(self, seconds: float) -> None:
        """Let the tick turn, every half second, for so long."""
        for _ in range(round(seconds / 0.5)):
            self.tick.turn(0.5, WALL)
            self.calls.run()

    def run(self) -> None:
        """Call what waits to be called soon."""
        self.calls.run()


class Listener:
    """The consumer of one exchange: notes what it is told."""

    def __init__(self, exchange: Exchange) -> None:
        self.exchange = exchange
        self.told: list[str] = []
        exchange.consumer = self

    def body_received(self) -> None:
        self.told.append("body_received")

    def write_resumed(self) -> None:
        self.told.append("write_resumed")

    def disconnected(self) -> None:
        self.told.append("disconnected")

    def client_leaving(self) -> None:
        self.told.append("client_leaving")

    def asked_to_finish(self) -> None:
        self.told.append("asked_to_finish")


def answer(exchange: Exchange, body: bytes = b"ok", status: int = 200) -> None:
    """The plainest answer."""
    exchange.start_response(status, [(b"content-length", b"%d" % len(body))])
    exchange.finish(body)


def read_all(exchange: Exchange) -> bytes:
    """What of the request body can be read now."""
    pieces = []
    while piece := exchange.read():
        pieces.append(piece)
    return b"".join(pieces)


@dataclass(frozen=True)
class Request:
    """One request as an application that reads it to its end sees it."""

    method: str
    path: bytes
    query: bytes | None
    version: str
    fields: list[tuple[bytes, bytes]]
    body: bytes
    trailers: list[tuple[bytes, bytes]]


@dataclass(frozen=True)
class Outcome:
    """What became of a connection: the requests answered, the bytes written, and how it stands."""

    requests: list[Request]
    written: bytes
    ending: str

    @property
    def statuses(self) -> list[int]:
        """The status of each response."""
        return statuses(self.written)


class _ReadThenAnswer(Listener):
    """Reads the whole body, notes the request and answers it."""

    def __init__(self, exchange: Exchange, requests: list[Request]) -> None:
        super().__init__(exchange)
        self._requests = requests
        self._body = b""
        self.body_received()

    def body_received(self) -> None:
        exchange = self.exchange
        self._body += read_all(exchange)
        if exchange.body_ended:
            self._requests.append(
                Request(
                    exchange.method,
                    exchange.path,
                    exchange.query,
                    exchange.http_version,
                    list(exchange.fields),
                    self._body,
                    exchange.trailers,
                )
            )
            answer(exchange)


def outcome(pieces: Iterable[bytes], **options: object) -> Outcome:
    """Send ``pieces`` on a fresh connection to an application that reads each request and then answers."""
    requests: list[Request] = []
    server = Server(lambda exchange: void(_ReadThenAnswer(exchange, requests)), **options)
    client = server.connect()
    client.send(*pieces)
    assert client.transport.misused == []
    return Outcome(requests, client.received, client.ending)


def void(_value: object) -> None:
    """For the expression's effect."""


def cut(data: bytes, places: Iterable[int]) -> list[bytes]:
    """``data`` in the pieces between ``places``."""
    bounds = [0, *sorted(set(places)), len(data)]
    return [data[start:end] for start, end in pairwise(bounds) if start < end]


def judge(data: bytes, **options: object) -> Outcome:
    """The outcome of ``data``, the same whole, byte by byte and at random cuts."""
    whole = outcome([data], **options)
    assert outcome(cut(data, range(len(data))), **options) == whole, "byte by byte"
    chosen = random.Random(data)
    for _ in range(3):
        places = sorted(chosen.sample(range(len(data)), min(len(data), chosen.randint(1, 6))))
        assert outcome(cut(data, places), **options) == whole, f"cut at {places}"
    return whole


def refused(data: bytes, status: int, **options: object) -> Outcome:
    """Judge ``data``, alone and behind a good request: it is answered by the refusal only, and a close."""
    alone = judge(data, **options)
    assert (alone.statuses, alone.requests) == ([status], [])
    assert b"\r\nconnection: close\r\n" in alone.written
    assert alone.ending == "half-closed"
    behind = judge(GET + data, **options)
    assert behind.statuses == [200, status]
    assert [request.path for request in behind.requests] == [b"/"]
    assert behind.written == OK + alone.written
    assert behind.ending == "half-closed"
    return alone


def run_on(kind: str, scenario: Callable[[], Any]) -> Any:
    """Run a coroutine function on a new event loop of ``kind``, asyncio or uvloop."""
    if kind == "uvloop":
        import uvloop

        factory: Callable[[], asyncio.AbstractEventLoop] = uvloop.new_event_loop
    else:
        factory = asyncio.new_event_loop
    with asyncio.Runner(loop_factory=factory) as runner:
        return runner.run(scenario())
