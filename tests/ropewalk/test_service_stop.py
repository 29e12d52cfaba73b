"""How a service stops: what is in flight, what streams, what never ends, and in which order."""

from __future__ import annotations

import asyncio
import logging
from typing import Any

import pytest
from tests.served import (
    Events,
    HeldEvents,
    Log,
    Message,
    body,
    held,
    refuses,
    serving,
    start,
    until,
)

from ropewalk.reactor import Reactor
from ropewalk.server.config import Config
from ropewalk.service import EXIT_OK, Service

pytestmark = pytest.mark.usefixtures("log", "package_logger")


async def test_request_in_flight_is_finished_and_its_answer_closes_the_connection() -> None:
    async with held() as (app, client, served):
        served.service.stop()
        await until(lambda: not served.service.ports[0].accepting)
        await app.send(start())
        await app.send(body(b"finished"))
        app.release()
        answer = await client.answer()
        assert (answer.body, answer["connection"]) == (b"finished", "close")
        assert await client.rest() == b""


async def test_idle_connection_is_closed_at_once() -> None:
    app = Events()
    async with serving(app, timeout_disconnect_notice=60, timeout_graceful=60) as served:
        client = await served.connect()
        await client.get()
        served.service.stop()
        assert await client.rest() == b""
        await until(lambda: not served.service.reactor.running)
    assert app.happened == ["startup", "shutdown"]


async def test_nobody_is_accepted_while_it_stops() -> None:
    async with held() as (app, client, served):
        address = served.address
        assert isinstance(address, tuple)
        served.service.stop()
        await until(lambda: refuses(address))
        await app.send(start())
        await app.send(body())
        await client.answer()


async def test_pipelined_request_behind_the_one_in_flight_is_not_begun() -> None:
    async with held() as (app, client, served):
        await client.ask("/second")
        served.service.stop()
        await until(lambda: not served.service.ports[0].accepting)
        app.called.clear()
        await app.send(start())
        await app.send(body(b"first"))
        app.release()
        answer = await client.answer()
        assert (answer.body, answer["connection"]) == (b"first", "close")
        assert await client.rest() == b""
        assert not app.called.is_set()


async def test_stream_is_told_to_end_after_the_notice_and_ends_well() -> None:
    async with held(timeout_disconnect_notice=0.03) as (app, client, served):
        assert (await app.receive())["type"] == "http.request"
        await app.send(start())
        await app.send(body(b"event", more=True))
        waiting = asyncio.create_task(app.receive())
        await asyncio.sleep(0)
        served.service.stop()
        assert await waiting == {"type": "http.disconnect"}
        await app.send(body(b"goodbye"))
        app.release()
        assert (await client.answer()).body == b"eventgoodbye"


async def test_call_that_does_not_end_is_cancelled_and_the_lifespan_ends_after_it(log: Log) -> None:
    app = HeldEvents()
    options = {"timeout_disconnect_notice": 0.02, "timeout_graceful": 0.06}
    async with serving(app, **options) as served:
        client = await served.connect()
        await client.ask()
        await app.held.called.wait()
        await app.held.send(start())
        await app.held.send(body(b"part", more=True))
        served.service.stop()
        await until(lambda: not served.service.reactor.running)
        assert (await client.until_broken()).endswith(b"4\r\npart\r\n")
    assert app.happened == ["startup", "cancelled", "shutdown"]
    assert any("--timeout-graceful" in message for message in log.messages(logging.WARNING))
    assert served.service.exit_code == EXIT_OK


async def test_call_that_has_not_answered_when_it_is_cancelled_gets_an_answer() -> None:
    async with held(timeout_graceful=0.03) as (_, client, served):
        served.service.stop()
        answer = await client.answer()
        assert (answer.status, answer["connection"]) == (500, "close")


async def test_background_work_is_waited_for_and_then_cancelled_before_the_lifespan_ends() -> None:
    app = HeldEvents()
    async with serving(app, timeout_graceful=0.05) as served:
        client = await served.connect()
        await client.ask()
        await app.held.called.wait()
        await app.held.send(start())
        await app.held.send(body())
        await client.answer()
        served.service.stop()
        await until(lambda: not served.service.reactor.running)
    assert app.happened == ["startup", "cancelled", "shutdown"]


async def test_background_work_that_ends_in_time_is_not_cancelled() -> None:
    app = HeldEvents()
    async with serving(app) as served:
        client = await served.connect()
        await client.ask()
        await app.held.called.wait()
        await app.held.send(start())
        await app.held.send(body())
        await client.answer()
        served.service.stop()
        await until(lambda: not served.service.ports[0].accepting)
        app.held.release()
        await until(lambda: not served.service.reactor.running)
    assert app.happened == ["startup", "ended", "shutdown"]


async def test_client_that_sends_half_a_request_does_not_hold_up_the_stop() -> None:
    async with serving(Events(), timeout_disconnect_notice=0.03) as served:
        client = await served.connect()
        await client.send(b"GET / HTTP/1.1\r\nHo")
        await until(lambda: any(connection.busy for connection in served.service.site.connections))
        served.service.stop()
        await until(lambda: not served.service.reactor.running)
        assert await client.rest() == b""


async def test_client_that_does_not_read_does_not_hold_up_the_stop() -> None:
    options = {"timeout_disconnect_notice": 0.02, "timeout_graceful": 0.05}
    async with held(receive_buffer=4096, **options) as (app, client, served):
        await app.send(start())
        sending = asyncio.create_task(app.send(body(bytes(16 << 20), more=True)))
        await client.receive_until(b"\r\n\r\n")
        served.service.stop()
        await until(lambda: not served.service.reactor.running)
        with pytest.raises(OSError, match="disconnected"):
            await sending


class Starting(Events):
    """Comes up only when the test lets it."""

    def __init__(self) -> None:
        super().__init__()
        self.begun = asyncio.Event()

    async def __call__(self, scope: Message, receive: Any, send: Any) -> None:
        await receive()
        self.begun.set()
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            self.happened.append("cancelled")
            raise


async def test_stop_during_the_start_up_cancels_it_and_skips_the_shutdown(log: Log) -> None:
    app = Starting()
    config = Config.from_options(bind="127.0.0.1:0")
    made = Service(app, config, Reactor(asyncio.get_running_loop()))
    running = asyncio.create_task(made.reactor.run_in_loop())
    await app.begun.wait()
    made.stop()
    await running
    assert app.happened == ["cancelled"]
    assert made.exit_code == EXIT_OK
    assert made.ports == []
    assert not any("listening on" in message for message in log.messages())
