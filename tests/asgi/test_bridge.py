"""The calls of the application: how they fail, how long they last, and what they see of one another."""

from __future__ import annotations

import asyncio
import contextvars
import gc
import signal
from typing import Any

import pytest
from tests.served import Held, Log, Message, body, held, serving, start, until

from ropewalk.server.errors import ClientDisconnected

variable: contextvars.ContextVar[str] = contextvars.ContextVar("variable", default="unset")


def recurse(depth: int = 0) -> int:
    return recurse(depth + 1) + 1


class Raising:
    """Raises at /fail, after the messages it was given; answers everywhere else."""

    def __init__(self, error: BaseException | type[BaseException] | None, *before: Message) -> None:
        self.error = error
        self.before = before

    async def __call__(self, scope: Message, receive: Any, send: Any) -> None:
        if scope["path"] == "/fail":
            for message in self.before:
                await send(message)
            if self.error is RecursionError:
                recurse()
            if self.error is not None:
                raise self.error
            return
        await send(start())
        await send(body(b"fine"))


FAILURES = [
    Exception("boom"),
    SystemExit(3),
    KeyboardInterrupt(),
    asyncio.CancelledError(),
    GeneratorExit(),
    RecursionError,
    MemoryError(),
    StopIteration(),
    StopAsyncIteration(),
    OSError("no such thing"),
    ExceptionGroup("several", [ValueError("one"), TypeError("two")]),
    BaseExceptionGroup("several", [SystemExit(1)]),
]


# failures --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "error", FAILURES, ids=lambda error: getattr(error, "__name__", type(error).__name__)
)
@pytest.mark.parametrize("after_start", [False, True])
async def test_whatever_is_raised_costs_one_response_and_nothing_else(
    error: Any, after_start: bool, log: Log
) -> None:
    before = [start((b"x-a", b"b"), (b"content-length", b"1000"))] if after_start else []
    async with serving(Raising(error, *before), lifespan="off") as served:
        client, bystander = await served.connect(), await served.connect()
        assert (await bystander.get()).body == b"fine"
        answer = await client.get("/fail")
        assert answer.status == 500
        assert answer["content-type"] == "text/plain; charset=utf-8"
        assert answer.body == b"500 the application failed\n"
        assert answer["x-a"] is None
        # Both connections go on.
        assert (await client.get()).body == b"fine"
        assert (await bystander.get()).body == b"fine"
    logged = log.take_error()
    assert '"GET /fail HTTP/1.1": the application raised' in logged
    assert logged.count("the application raised") == 1


async def test_traceback_in_the_log_begins_in_the_application(log: Log) -> None:
    async with serving(Raising(ValueError("boom")), lifespan="off") as served:
        await served.get("/fail?x=%22")
    logged = log.take_error()
    assert "ValueError: boom" in logged
    assert logged.count("Traceback (most recent call last)") == 1
    assert "test_bridge.py" in logged
    assert "asgi/http.py" not in logged
    assert "/asgi/bridge.py" not in logged


@pytest.mark.parametrize("chunked", [False, True])
async def test_failure_after_bytes_were_written_breaks_the_connection_off(chunked: bool, log: Log) -> None:
    fields = [] if chunked else [(b"content-length", b"100")]
    app = Raising(ValueError("boom"), start(*fields), body(b"part", more=True))
    async with serving(app, lifespan="off") as served:
        client = await served.connect()
        await client.ask("/fail")
        received = await client.until_broken()
        assert b"\r\n0\r\n" not in received
        assert b"500" not in received
        assert b"boom" not in received
        assert (await served.get()).body == b"fine"
    assert "ValueError: boom" in log.take_error()


async def test_failure_after_a_complete_response_spoils_nothing(log: Log) -> None:
    app = Raising(ValueError("boom"), start(), body(b"whole"))
    async with serving(app, lifespan="off") as served:
        client = await served.connect()
        assert (await client.get("/fail")).body == b"whole"
        assert (await client.get()).body == b"fine"
    assert "ValueError: boom" in log.take_error()


@pytest.mark.parametrize("before", [(), (start(),)], ids=["nothing-sent", "started"])
async def test_return_without_an_answer_is_a_500(before: tuple[Message, ...], log: Log) -> None:
    async with serving(Raising(None, *before), lifespan="off") as served:
        client = await served.connect()
        answer = await client.get("/fail")
        assert (answer.status, answer.body) == (500, b"500 the application did not answer\n")
        assert (await client.get()).body == b"fine"
    logged = log.take_error()
    assert "returned without completing its response" in logged
    assert "Traceback" not in logged


async def test_return_in_the_middle_of_a_body_breaks_the_connection_off(log: Log) -> None:
    async with serving(Raising(None, start(), body(b"part", more=True)), lifespan="off") as served:
        client = await served.connect()
        await client.ask("/fail")
        assert b"\r\n0\r\n" not in await client.until_broken()
    assert "without completing" in log.take_error()


@pytest.mark.parametrize(
    "app",
    [
        pytest.param(lambda scope, receive, send: None, id="not-awaitable"),
        pytest.param(lambda scope, receive, send: 1 / 0, id="raises-when-called"),
    ],
)
async def test_application_that_does_not_even_begin_is_a_500(app: Any, log: Log) -> None:
    async with serving(app, lifespan="off", interface="asgi") as served:
        assert (await served.get()).status == 500
    assert "the application raised" in log.take_error()


async def test_fields_that_would_split_the_response_are_a_500_without_them(log: Log) -> None:
    app = Raising(None, start((b"location", b"/\r\nSet-Cookie: a=b\r\n\r\n<script>")))
    async with serving(app, lifespan="off") as served:
        client = await served.connect()
        await client.ask("/fail", "Connection: close")
        received = await client.rest()
        assert received.startswith(b"HTTP/1.1 500 ")
        assert b"Cookie" not in received
        assert b"script" not in received
    assert "control character" in log.take_error()


async def test_request_target_in_the_log_cannot_forge_a_line(log: Log) -> None:
    async with serving(Raising(ValueError()), lifespan="off", root_path="") as served:
        client = await served.connect()
        await client.send(b'GET /fail?"\\ HTTP/1.1\r\nHost: test\r\n\r\n')
        await client.answer()
    for logged in log.take_errors():
        assert '/fail?\\x22\\x5c HTTP/1.1"' in logged


@pytest.mark.parametrize(
    "error",
    [
        pytest.param(lambda: ClientDisconnected("gone"), id="itself"),
        pytest.param(lambda: caused(ClientDisconnected("gone")), id="as-the-cause"),
        pytest.param(
            lambda: ExceptionGroup("in a task group", [ClientDisconnected("gone")]),
            id="in-a-group",
        ),
    ],
)
async def test_departure_of_the_client_that_is_passed_on_is_no_error(error: Any, log: Log) -> None:
    async with held() as (app, client, served):
        client.reset()
        await until(lambda: not served.service.site.connections)
        app.release(error())
        await until(lambda: not served.service.bridge.calls)
        assert not log.take_errors()
        assert any("the client left" in message for message in log.messages())


def caused(cause: BaseException) -> BaseException:
    error = RuntimeError("wrapped by a framework")
    error.__cause__ = cause
    return error


async def test_other_failure_after_the_client_left_is_an_error(log: Log) -> None:
    async with held() as (app, client, served):
        client.reset()
        await until(lambda: not served.service.site.connections)
        app.release(ValueError("boom"))
        await until(lambda: not served.service.bridge.calls)
    assert "ValueError: boom" in log.take_error()


async def test_exceptions_that_cause_each_other_do_not_hang_the_server(log: Log) -> None:
    first, second = ValueError("first"), ValueError("second")
    first.__cause__, second.__cause__ = second, first
    broken_up = False

    def break_up(number: int, frame: object) -> None:
        nonlocal broken_up
        broken_up = True
        first.__cause__ = None
        first.__context__ = None

    before = signal.signal(signal.SIGALRM, break_up)
    try:
        async with held() as (app, client, served):
            client.reset()
            await until(lambda: not served.service.site.connections)
            signal.setitimer(signal.ITIMER_REAL, 0.2)
            app.release(first)
            await until(lambda: not served.service.bridge.calls)
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
    assert "ValueError: first" in log.take_error()
    assert not broken_up


async def test_return_after_http_disconnect_is_no_error(log: Log) -> None:
    async with held() as (app, client, served):
        assert (await app.receive())["type"] == "http.request"
        await app.send(start())
        await app.send(body(b"part", more=True))
        await client.receive_until(b"part")
        client.half_close()
        assert await app.receive() == {"type": "http.disconnect"}
        app.release()
        await until(lambda: not served.service.bridge.calls)
    assert not log.take_errors()


# abandoned calls -------------------------------------------------------------------------------------


async def test_call_is_cancelled_when_it_runs_on_long_after_its_client_left(log: Log) -> None:
    async with held(timeout_abandoned=3) as (app, client, served):
        client.reset()
        await until(lambda: not served.service.site.connections)
        served.advance(2)
        await asyncio.sleep(0)
        assert len(served.service.bridge.calls) == 1
        served.advance(2)
        await until(lambda: not served.service.bridge.calls)
        assert not app.released.is_set()
        assert any("--timeout-abandoned" in message for message in log.messages())
        assert not served.service.bridge.abandoned


async def test_call_whose_client_left_runs_on_when_the_option_is_off() -> None:
    async with held(timeout_abandoned=0) as (_, client, served):
        client.reset()
        await until(lambda: not served.service.site.connections)
        served.advance(100)
        await asyncio.sleep(0.01)
        assert len(served.service.bridge.calls) == 1


async def test_call_whose_client_stays_is_not_cancelled() -> None:
    async with held(timeout_abandoned=3) as (app, client, served):
        served.advance(100)
        await app.send(start())
        await app.send(body(b"late"))
        assert (await client.answer()).body == b"late"


@pytest.mark.parametrize("leave", ["reset", "close"])
async def test_background_work_after_a_complete_response_is_not_cancelled(leave: str) -> None:
    async with held(timeout_abandoned=3) as (app, client, served):
        await app.send(start())
        await app.send(body())
        await client.answer()
        getattr(client, leave)()
        await until(lambda: not served.service.site.connections)
        served.advance(100)
        await asyncio.sleep(0.01)
        assert len(served.service.bridge.calls) == 1


async def test_background_work_after_an_answer_to_a_client_that_half_closed_is_not_cancelled() -> None:
    async with held(timeout_abandoned=3) as (app, client, served):
        await app.send(start())
        await app.send(body(b"part", more=True))
        await client.receive_until(b"part")
        client.half_close()
        await until(lambda: served.service.bridge.abandoned)
        await app.send(body(b"rest"))
        await client.receive_until(b"rest")
        served.advance(100)
        await asyncio.sleep(0.01)
        assert len(served.service.bridge.calls) == 1


async def test_call_that_ends_in_time_is_forgotten() -> None:
    async with held(timeout_abandoned=3) as (app, client, served):
        client.reset()
        await until(lambda: served.service.bridge.abandoned)
        app.release()
        await until(lambda: not served.service.bridge.calls)
        assert not served.service.bridge.abandoned
        served.advance(100)


# context variables and tasks -------------------------------------------------------------------------


class Varying:
    """Answers with the variable as it found it, and sets it to the request's path."""

    def __init__(self) -> None:
        self.shutdown_saw = ""

    async def __call__(self, scope: Message, receive: Any, send: Any) -> None:
        if scope["type"] == "lifespan":
            await receive()
            variable.set("lifespan")
            await send({"type": "lifespan.startup.complete"})
            await receive()
            self.shutdown_saw = variable.get()
            await send({"type": "lifespan.shutdown.complete"})
            return
        found = variable.get()
        variable.set(scope["path"])
        await send(start())
        variable.set(scope["path"] + "/more")
        await send(body(found.encode()))


async def test_variable_set_in_the_lifespan_is_seen_by_every_request() -> None:
    app = Varying()
    async with serving(app) as served:
        client = await served.connect()
        for path in ("/a", "/b"):
            assert (await client.get(path)).body == b"lifespan"
    assert app.shutdown_saw == "lifespan"


async def test_variable_set_in_one_request_is_not_seen_by_a_pipelined_one() -> None:
    async with serving(Varying()) as served:
        client = await served.connect()
        await client.send(b"".join(b"GET /%d HTTP/1.1\r\nHost: test\r\n\r\n" % number for number in range(3)))
        assert [(await client.answer()).body for _ in range(3)] == [b"lifespan"] * 3


async def test_variable_set_by_whoever_serves_is_seen_without_a_lifespan() -> None:
    variable.set("outside")
    async with serving(Varying(), lifespan="off") as served:
        assert (await served.get()).body == b"outside"


async def test_current_task_is_a_task_of_the_running_loop() -> None:
    async with held() as (app, _, _):
        assert isinstance(app.task, asyncio.Task)
        assert app.task in asyncio.all_tasks()
        await app.send(start())
        await app.send(body())


async def test_timeouts_and_task_groups_work_inside_the_application() -> None:
    async def app(scope: Message, receive: Any, send: Any) -> None:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.001):
                await asyncio.Event().wait()
        async with asyncio.TaskGroup() as group:
            numbers = [group.create_task(asyncio.sleep(0, number)) for number in range(3)]
        await send(start())
        await send(body(b"%d" % sum(task.result() for task in numbers)))

    async with serving(app, lifespan="off") as served:
        assert (await served.get()).body == b"3"


async def test_no_call_is_lost_to_the_garbage_collector() -> None:
    async def app(scope: Message, receive: Any, send: Any) -> None:
        await receive()
        # Nothing but the call itself holds this future, as with a lock inside a request.
        future = asyncio.get_running_loop().create_future()
        asyncio.get_running_loop().call_later(0.02, future.set_result, b"kept")
        data = await future
        await send(start())
        await send(body(data))

    async with serving(app, lifespan="off") as served:
        clients = [await served.connect() for _ in range(10)]
        for client in clients:
            await client.ask()
        await until(lambda: len(served.service.bridge.calls) == 10)
        gc.collect()
        assert [(await client.answer()).body for client in clients] == [b"kept"] * 10


async def test_task_factory_of_the_loop_makes_the_tasks() -> None:
    made: list[asyncio.Task[Any]] = []

    def factory(loop: asyncio.AbstractEventLoop, coroutine: Any, **options: Any) -> asyncio.Task[Any]:
        task = asyncio.Task(coroutine, loop=loop, **options)
        made.append(task)
        return task

    loop = asyncio.get_running_loop()
    loop.set_task_factory(factory)
    try:
        async with held() as (app, _, _):
            assert app.task in made
            await app.send(start())
            await app.send(body())
    finally:
        loop.set_task_factory(None)


async def test_task_factory_that_the_lifespan_sets_makes_the_tasks() -> None:
    made: list[asyncio.Task[Any]] = []
    call = Held()

    def factory(loop: asyncio.AbstractEventLoop, coroutine: Any, **options: Any) -> asyncio.Task[Any]:
        task = asyncio.Task(coroutine, loop=loop, **options)
        made.append(task)
        return task

    async def app(scope: Message, receive: Any, send: Any) -> None:
        if scope["type"] == "http":
            await send(start())
            await send(body())
            await call(scope, receive, send)
            return
        await receive()
        asyncio.get_running_loop().set_task_factory(factory)
        await send({"type": "lifespan.startup.complete"})
        await receive()
        await send({"type": "lifespan.shutdown.complete"})

    try:
        async with serving(app) as served:
            await served.get()
            await call.called.wait()
            call.release()
            await until(lambda: not served.service.bridge.calls)
            assert call.task in made
    finally:
        asyncio.get_running_loop().set_task_factory(None)
