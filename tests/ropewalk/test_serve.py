"""``ropewalk.run`` in a program, and ``ropewalk.serve`` in a loop that belongs to somebody else."""

from __future__ import annotations

import asyncio
import functools
import logging
import signal
import socket
from typing import Any

import pytest
from tests.served import (
    Client,
    Events,
    HeldEvents,
    Log,
    Message,
    body,
    refuses,
    start,
    until,
)

import ropewalk
from ropewalk.server.errors import ConfigError, RopewalkError
from ropewalk.service import EXIT_STARTUP

pytestmark = pytest.mark.usefixtures("log", "package_logger")


def test_run_serves_until_a_signal_and_puts_the_handlers_back() -> None:
    app = Events()
    guard: list[int] = []
    before = signal.signal(signal.SIGINT, lambda number, frame: guard.append(number))
    handler = signal.getsignal(signal.SIGINT)

    async def interrupting(scope: Message, receive: Any, send: Any) -> None:
        if scope["type"] == "lifespan":
            asyncio.get_running_loop().call_later(0.02, signal.raise_signal, signal.SIGINT)
        await app(scope, receive, send)

    try:
        assert ropewalk.run(interrupting, bind="127.0.0.1:0", access_log=False) == 0
        assert signal.getsignal(signal.SIGINT) is handler
    finally:
        signal.signal(signal.SIGINT, before)
    assert app.happened == ["startup", "shutdown"]
    assert guard == []


def test_run_returns_the_exit_code(log: Log) -> None:
    assert ropewalk.run(Events(fails_in="startup"), bind="127.0.0.1:0") == EXIT_STARTUP
    assert len(log.take_errors()) == 2


@pytest.mark.parametrize("options", [{"prot": 8000}, {"port": "many"}, {"bind": "teapot:1:2"}])
def test_run_refuses_wrong_options(options: dict[str, Any]) -> None:
    with pytest.raises(ConfigError, match=next(iter(options))):
        ropewalk.run(Events(), **options)


def test_run_refuses_what_is_no_application() -> None:
    with pytest.raises(RopewalkError, match="a callable, not int"):
        ropewalk.run(7)


async def test_run_in_a_running_loop_says_what_to_do_instead() -> None:
    with pytest.raises(RopewalkError, match="loop runs here already"):
        ropewalk.run(Events(), bind="127.0.0.1:0")


async def addresses(log: Log, count: int = 1) -> list[tuple[str, int]]:
    """Where the services listen, as their log says it."""

    def found() -> list[str]:
        return [text.rpartition(":")[2] for text in log.messages() if text.startswith("listening on")]

    await until(lambda: len(found()) == count)
    return [("127.0.0.1", int(port)) for port in found()]


async def body_from(address: tuple[str, int]) -> bytes:
    with socket.socket() as sock:
        sock.setblocking(False)
        client = Client(sock)
        await client.loop.sock_connect(sock, address)
        return (await client.get()).body


async def test_serve_runs_in_the_running_loop_until_its_task_is_cancelled(log: Log) -> None:
    app = Events()
    loop = asyncio.get_running_loop()
    signals = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)]
    handler = loop.get_exception_handler()
    task = asyncio.create_task(ropewalk.serve(app, bind="127.0.0.1:0", access_log=False))
    (address,) = await addresses(log)
    assert await body_from(address) == b"hello"
    assert [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)] == signals
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert app.happened == ["startup", "shutdown"]
    assert refuses(address)
    assert loop.is_running()
    assert loop.get_exception_handler() is handler


async def test_serve_may_run_several_times_in_one_loop(log: Log) -> None:
    async def answering(data: bytes, scope: Message, receive: Any, send: Any) -> None:
        await send(start())
        await send(body(data))

    tasks = []
    found: list[tuple[str, int]] = []
    for number, data in enumerate((b"one", b"two"), 1):
        app = functools.partial(answering, data)
        options = {"bind": "127.0.0.1:0", "access_log": False, "lifespan": "off"}
        tasks.append(asyncio.create_task(ropewalk.serve(app, **options)))
        found = await addresses(log, number)
    assert [await body_from(address) for address in found] == [b"one", b"two"]
    tasks[0].cancel()
    with pytest.raises(asyncio.CancelledError):
        await tasks[0]
    assert await body_from(found[1]) == b"two"
    tasks[1].cancel()
    with pytest.raises(asyncio.CancelledError):
        await tasks[1]


async def test_serve_answers_what_is_in_flight_when_it_is_cancelled(log: Log) -> None:
    app = HeldEvents()
    task = asyncio.create_task(ropewalk.serve(app, bind="127.0.0.1:0", access_log=False))
    (address,) = await addresses(log)
    asking = asyncio.create_task(body_from(address))
    await app.held.called.wait()
    task.cancel()
    await until(lambda: refuses(address))
    await app.held.send(start())
    await app.held.send(body(b"still answered"))
    app.held.release()
    assert await asking == b"still answered"
    with pytest.raises(asyncio.CancelledError):
        await task
    assert app.happened == ["startup", "ended", "shutdown"]


async def test_serve_leaves_logging_alone(package_logger: logging.Logger) -> None:
    before = (package_logger.level, package_logger.handlers[:], package_logger.propagate)
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(ropewalk.serve(Events(), bind="127.0.0.1:0", access_log=False), 0.03)
    assert (package_logger.level, package_logger.handlers, package_logger.propagate) == before


@pytest.mark.parametrize(("fails_in", "code"), [("startup", 3), ("shutdown", 4)])
async def test_serve_raises_when_the_application_fails(fails_in: str, code: int, log: Log) -> None:
    task = asyncio.create_task(ropewalk.serve(Events(fails_in=fails_in), bind="127.0.0.1:0"))
    if fails_in == "shutdown":
        await addresses(log)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
    else:
        with pytest.raises(RopewalkError, match=f"exit code {code}; the log says why"):
            await task
    assert f"no {fails_in} today" in "\n".join(log.take_errors())


async def test_serve_raises_when_the_address_cannot_be_had(log: Log) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        serving = ropewalk.serve(Events(), bind=f"127.0.0.1:{taken.getsockname()[1]}")
        with pytest.raises(RopewalkError, match="exit code 1"):
            await serving
    log.take_error()


async def test_serve_refuses_wrong_options() -> None:
    with pytest.raises(ConfigError, match="prot"):
        await ropewalk.serve(Events(), prot=8000)
