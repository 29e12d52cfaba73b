"""An application served inside the event loop of the test itself, bare clients of it, and its log.

Everything runs in one thread, so a test can hold the application, the client or the server's clock at any
point. A client reads only when it is told to: nothing drains the socket behind the test's back.
"""

from __future__ import annotations

import asyncio
import inspect
import logging
import socket
import struct
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from typing import Any

import h11
import pytest

from ropewalk.reactor import Reactor
from ropewalk.server.config import Config
from ropewalk.service import Service

TEST_SECONDS = 5.0
POLL_SECONDS = 0.002

Pair = tuple[bytes, bytes]
Message = dict[str, Any]


def start(*fields: Pair, status: int = 200, **entries: Any) -> Message:
    """A message that starts a response."""
    return {"type": "http.response.start", "status": status, "headers": list(fields), **entries}


def body(data: bytes = b"", *, more: bool = False) -> Message:
    """A message with a piece of a body."""
    return {"type": "http.response.body", "body": data, "more_body": more}


def new_loop(kind: str) -> asyncio.AbstractEventLoop:
    """A fresh event loop: ``asyncio`` or ``uvloop``."""
    if kind == "asyncio":
        return asyncio.new_event_loop()
    loop: asyncio.AbstractEventLoop = pytest.importorskip("uvloop").new_event_loop()
    return loop


def loop_kinds(metafunc: pytest.Metafunc) -> None:
    """For a conftest's pytest_generate_tests: have coroutine functions run in both loops."""
    if inspect.iscoroutinefunction(metafunc.function):
        metafunc.fixturenames.append("kind")
        metafunc.parametrize("kind", ["asyncio", "uvloop"])


@pytest.hookimpl(tryfirst=True)
def run_in_loop(pyfuncitem: pytest.Function) -> bool | None:
    """For a conftest's pytest_pyfunc_call: run a test that is a coroutine function in a loop of its own."""
    test = pyfuncitem.obj
    if not inspect.iscoroutinefunction(test):
        return None
    arguments = {name: pyfuncitem.funcargs[name] for name in inspect.signature(test).parameters}
    kind = pyfuncitem.callspec.params["kind"]

    async def bounded() -> None:
        async with asyncio.timeout(TEST_SECONDS):
            await test(**arguments)

    with asyncio.Runner(loop_factory=lambda: new_loop(kind)) as runner:
        runner.run(bounded())
    return True


async def until(condition: Callable[[], object], *, seconds: float = 3.0) -> None:
    """Wait until ``condition()`` is true."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            raise AssertionError(f"still not so after {seconds} s: {inspect.getsource(condition).strip()}")
        await asyncio.sleep(POLL_SECONDS)


async def standstill(measure: Callable[[], int], *, polls: int = 25) -> int:
    """Wait until ``measure()`` is above 0 and has not changed for so many polls; returns it."""
    deadline = time.monotonic() + 3.0
    value, unchanged = measure(), 0
    while unchanged < polls:
        if time.monotonic() > deadline:
            raise AssertionError(f"did not come to a standstill: {value}")
        await asyncio.sleep(POLL_SECONDS)
        new = measure()
        unchanged = unchanged + 1 if new == value and new else 0
        value = new
    return value


def refuses(address: tuple[str, int]) -> bool:
    """Whether nobody listens there."""
    try:
        socket.create_connection(address, timeout=1).close()
    except ConnectionRefusedError:
        return True
    return False


class Log(logging.Handler):
    """What the server and asyncio log. Errors that a test does not take are failures of the test."""

    LOGGERS = ("ropewalk", "asyncio")

    def __init__(self) -> None:
        super().__init__(logging.DEBUG)
        self.records: list[logging.LogRecord] = []
        self._taken = 0

    def emit(self, record: logging.LogRecord) -> None:
        self.records.append(record)

    @property
    def text(self) -> str:
        """Messages and tracebacks, as a formatter writes them."""
        return "\n".join(map(logging.Formatter().format, self.records))

    def messages(self, level: int = logging.DEBUG) -> list[str]:
        return [record.getMessage() for record in self.records if record.levelno >= level]

    def errors(self) -> list[logging.LogRecord]:
        return [record for record in self.records if record.levelno >= logging.ERROR]

    def take_error(self) -> str:
        """The one error that has been logged and not been taken, with its traceback."""
        errors = self.errors()[self._taken :]
        assert len(errors) == 1, f"{len(errors)} errors where one is due:\n{self.text}"
        self._taken += 1
        return logging.Formatter().format(errors[0])

    def take_errors(self) -> list[str]:
        """All errors that have been logged and not been taken."""
        errors = self.errors()[self._taken :]
        self._taken += len(errors)
        return [logging.Formatter().format(record) for record in errors]

    @contextmanager
    def listening(self) -> Iterator[None]:
        """Take what is logged, and put the loggers back as they were."""
        loggers = [logging.getLogger(name) for name in self.LOGGERS]
        before = [(logger.level, logger.propagate, logger.handlers[:]) for logger in loggers]
        logging.getLogger("ropewalk").setLevel(logging.DEBUG)
        for logger in loggers:
            logger.addHandler(self)
        try:
            yield
        finally:
            for logger, (level, propagate, handlers) in zip(loggers, before, strict=True):
                logger.setLevel(level)
                logger.propagate = propagate
                logger.handlers[:] = handlers


@dataclass
class Answer:
    """One response as it came; ``informational`` are the (status, fields) of those before it."""

    status: int
    version: str
    fields: list[Pair]
    body: bytes = b""
    informational: list[tuple[int, list[Pair]]] = field(default_factory=list)
    trailers: list[Pair] = field(default_factory=list)

    def __getitem__(self, name: str) -> str | None:
        """The value of a field, None where there is none."""
        values = [value.decode("latin-1") for key, value in self.fields if key == name.encode()]
        assert len(values) < 2, f"{name} comes {len(values)} times"
        return values[0] if values else None


class Held:
    """An application whose calls do nothing but wait, and leave receive and send to the test."""

    def __init__(self) -> None:
        self.called = asyncio.Event()
        self.released = asyncio.Event()
        self.error: BaseException | None = None
        self.scope: Message = {}
        self.receive: Callable[[], Awaitable[Message]]
        self.send: Callable[[Message], Awaitable[None]]
        self.task: asyncio.Task[Any] | None = None

    async def __call__(self, scope: Message, receive: Any, send: Any) -> None:
        self.scope, self.receive, self.send = scope, receive, send
        self.task = asyncio.current_task()
        self.called.set()
        await self.released.wait()
        if self.error is not None:
            raise self.error

    def release(self, error: BaseException | None = None) -> None:
        """Have the call return, or raise ``error``."""
        self.error = error
        self.released.set()


class Events:
    """Answers every request; tells of its lifespan in ``happened``, where tests may also write."""

    def __init__(self, *, fails_in: str = "") -> None:
        self.happened: list[str] = []
        self.fails_in = fails_in

    async def __call__(self, scope: Message, receive: Any, send: Any) -> None:
        if scope["type"] == "lifespan":
            for event in ("startup", "shutdown"):
                await receive()
                self.happened.append(event)
                end = "failed" if event == self.fails_in else "complete"
                await send({"type": f"lifespan.{event}.{end}", "message": f"no {event} today"})
            return
        await self.answer(scope, receive, send)

    async def answer(self, scope: Message, receive: Any, send: Any) -> None:
        await send(start())
        await send(body(b"hello"))


class HeldEvents(Events):
    """Leaves its requests to the test."""

    def __init__(self) -> None:
        super().__init__()
        self.held = Held()

    async def answer(self, scope: Message, receive: Any, send: Any) -> None:
        try:
            await self.held(scope, receive, send)
        except asyncio.CancelledError:
            self.happened.append("cancelled")
            raise
        self.happened.append("ended")


class Client:
    """One connection to the server."""

    def __init__(self, sock: socket.socket) -> None:
        self.socket = sock
        self.loop = asyncio.get_running_loop()
        self.unread = b""

    async def send(self, data: bytes) -> None:
        await self.loop.sock_sendall(self.socket, data)

    async def ask(
        self,
        target: str = "/",
        *fields: str,
        method: str = "GET",
        version: str = "1.1",
        body: bytes = b"",
    ) -> None:
        """Send a request."""
        length = [f"Content-Length: {len(body)}"] if body else []
        lines = [f"{method} {target} HTTP/{version}", "Host: test", *length, *fields, "", ""]
        await self.send("\r\n".join(lines).encode("latin-1") + body)

    async def get(self, target: str = "/", *fields: str) -> Answer:
        """Send a request and read the whole response."""
        await self.ask(target, *fields)
        return await self.answer()

    async def receive(self, size: int = 65536) -> bytes:
        """What comes next, b"" at the end of the connection."""
        if self.unread:
            data, self.unread = self.unread[:size], self.unread[size:]
            return data
        return await self.loop.sock_recv(self.socket, size)

    async def receive_until(self, mark: bytes) -> bytes:
        """What comes up to and with ``mark``; what was read past it is kept."""
        data = b""
        while mark not in data:
            piece = await self.receive()
            assert piece, f"the connection ended after {data!r}"
            data += piece
        found, _, rest = data.partition(mark)
        self.unread = rest + self.unread
        return found + mark

    async def rest(self) -> bytes:
        """Everything up to the end of the connection, which must be an orderly one."""
        data = b""
        while piece := await self.receive():
            data += piece
        return data

    async def until_broken(self) -> bytes:
        """Everything up to the reset that breaks the connection off."""
        data = b""
        while True:
            try:
                piece = await self.receive()
            except ConnectionResetError:
                return data
            assert piece, f"an orderly end of the connection, after {data[-200:]!r}"
            data += piece

    async def answer(self, method: str = "GET") -> Answer:
        """Read one whole response to a request with ``method``."""
        parser = h11.Connection(h11.CLIENT, max_incomplete_event_size=1 << 20)
        parser.send(h11.Request(method=method, target="/", headers=[("Host", "test")]))
        parser.send(h11.EndOfMessage())
        answer: Answer | None = None
        informational: list[tuple[int, list[Pair]]] = []
        body: list[bytes] = []
        while True:
            event = parser.next_event()
            if event is h11.NEED_DATA:
                parser.receive_data(await self.receive())
            elif isinstance(event, h11.InformationalResponse):
                informational.append((event.status_code, list(event.headers)))
            elif isinstance(event, h11.Response):
                version = event.http_version.decode()
                answer = Answer(event.status_code, version, list(event.headers), b"", informational)
            elif isinstance(event, h11.Data):
                body.append(bytes(event.data))
            elif isinstance(event, h11.EndOfMessage) and answer is not None:
                self.unread = parser.trailing_data[0] + self.unread
                answer.body = b"".join(body)
                answer.trailers = list(event.headers)
                return answer
            else:
                raise AssertionError(f"unexpected {event!r}")

    def half_close(self) -> None:
        """Say that nothing more will be sent; answers can still be read."""
        self.socket.shutdown(socket.SHUT_WR)

    def close(self) -> None:
        self.socket.close()

    def reset(self) -> None:
        """Leave with a TCP reset."""
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.socket.close()


class Served:
    """A server that runs in this loop."""

    def __init__(self, service: Service) -> None:
        self.service = service
        self.clients: list[Client] = []

    @property
    def address(self) -> tuple[str, int] | str:
        return self.service.ports[0].address

    async def connect(self, *, receive_buffer: int = 0) -> Client:
        """A new connection; ``receive_buffer`` bounds what the system takes in for a client that waits."""
        address = self.address
        if isinstance(address, str):
            family = socket.AF_UNIX
        else:
            family = socket.AF_INET6 if ":" in address[0] else socket.AF_INET
        sock = socket.socket(family, socket.SOCK_STREAM)
        client = Client(sock)
        self.clients.append(client)
        sock.setblocking(False)
        if receive_buffer:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        await client.loop.sock_connect(sock, address)
        return client

    async def get(self, target: str = "/", *fields: str) -> Answer:
        """The answer to one request on a connection of its own."""
        client = await self.connect()
        answer = await client.get(target, *fields)
        client.close()
        return answer

    def advance(self, seconds: float) -> None:
        """Have the server's clock show a later time; no time passes."""
        tick = self.service.reactor.tick
        turns = round(seconds / tick.interval)
        for _ in range(turns):
            tick.turn(tick.interval, time.time())


@asynccontextmanager
async def held(
    target: str = "/",
    *fields: str,
    method: str = "GET",
    version: str = "1.1",
    receive_buffer: int = 0,
    **options: Any,
) -> AsyncIterator[tuple[Held, Client, Served]]:
    """One call of an application, held by the test; at the end it is released and must have ended."""
    app = Held()
    options.setdefault("lifespan", "off")
    async with serving(app, **options) as served:
        client = await served.connect(receive_buffer=receive_buffer)
        await client.ask(target, *fields, method=method, version=version)
        await app.called.wait()
        yield app, client, served
        app.release(app.error)
        calls = served.service.bridge.calls
        await until(lambda: not calls)


@asynccontextmanager
async def serving(application: Any, **options: Any) -> AsyncIterator[Served]:
    """Serve ``application`` in the running loop, on a free port unless ``bind`` says otherwise."""
    options.setdefault("bind", "127.0.0.1:0")
    options.setdefault("access_log", False)
    service = Service(application, Config.from_options(**options), Reactor(asyncio.get_running_loop()))
    started = asyncio.Event()
    service.reactor.call_when_running(started.set)
    running = asyncio.create_task(service.reactor.run_in_loop())
    running.add_done_callback(lambda _: started.set())
    await started.wait()
    served = Served(service)
    try:
        yield served
    except BaseException:
        # A test that fails must not wait for what it held up.
        service.bridge.cancel()
        raise
    finally:
        for client in served.clients:
            client.close()
        if service.reactor.running and not service.reactor.stopping:
            service.stop()
        await running


@pytest.fixture
def log() -> Iterator[Log]:
    """What is logged while the test runs; it fails when errors were logged that it did not take."""
    log = Log()
    with log.listening():
        yield log
    assert not (left := log.take_errors()), "errors that the test did not expect:\n" + "\n".join(left)


@pytest.fixture(autouse=True)
def watched_log(log: Log) -> None:
    """Have unexpected errors fail every test, also those that do not look at the log."""
