"""Both event loops, echo protocols, and a way to run a scenario in a reactor."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest

from ropewalk.reactor import Reactor

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

DEADLINE = 5.0


@pytest.fixture(params=["asyncio", "uvloop"])
def kind(request: pytest.FixtureRequest) -> str:
    """The event loop that the test runs on."""
    if request.param == "uvloop":
        pytest.importorskip("uvloop")
    return str(request.param)


@pytest.fixture
def new_loop(kind: str) -> Callable[[], asyncio.AbstractEventLoop]:
    """Makes event loops of the kind; the test closes them."""
    if kind == "uvloop":
        import uvloop

        return uvloop.new_event_loop
    return asyncio.SelectorEventLoop


@pytest.fixture
def reactor(kind: str) -> Reactor:
    """A reactor with a loop of its own."""
    return Reactor(kind, end_timeout=1.0)


class Echo(asyncio.Protocol):
    """Sends back what comes."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        self.transport.write(data)

    def eof_received(self) -> None:
        self.transport.close()


@pytest.fixture
def echo() -> type[Echo]:
    """A factory of echo protocols."""
    return Echo


@pytest.fixture
def drive() -> Callable[[Reactor, Callable[[], Awaitable[Any]]], Any]:
    """Run a reactor for as long as a scenario takes; its result or exception is that of the call."""

    def drive(reactor: Reactor, scenario: Callable[[], Awaitable[Any]]) -> Any:
        results: list[Any] = []
        failures: list[BaseException] = []
        tasks: list[asyncio.Task[None]] = []

        async def main() -> None:
            try:
                async with asyncio.timeout(DEADLINE):
                    results.append(await scenario())
            except BaseException as error:
                failures.append(error)
            finally:
                if reactor.running:
                    reactor.stop()

        reactor.call_when_running(lambda: tasks.append(reactor.loop.create_task(main())))
        reactor.run()
        if failures:
            raise failures[0]
        return results[0]

    return drive
