"""The lifespan: every way to go through it, in each mode, and what the server makes of it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, Literal

import pytest
from tests.served import Log, Message

from ropewalk.asgi.lifespan import Lifespan, StartupFailed
from ropewalk.server.errors import LocalProtocolError

Mode = Literal["auto", "on", "off"]

STARTED = {"type": "lifespan.startup.complete"}
START_FAILED = {"type": "lifespan.startup.failed", "message": "the database is not there"}
STOPPED = {"type": "lifespan.shutdown.complete"}
STOP_FAILED = {"type": "lifespan.shutdown.failed", "message": "could not flush"}
RECEIVE = "receive"
HANG = "hang"
STUBBORN = "stubborn"

Step = str | Message | BaseException | Callable[[Message], object]


class Script:
    """An application that does one step after the other: receives, sends, raises, hangs or calls."""

    def __init__(self, *steps: Step) -> None:
        self.steps = steps
        self.received: list[str] = []
        self.scopes: list[Message] = []
        self.cancelled = False
        self.go = asyncio.Event()

    async def __call__(self, scope: Message, receive: Any, send: Any) -> None:
        self.scopes.append(scope)
        for step in self.steps:
            if step == RECEIVE:
                self.received.append((await receive())["type"])
            elif step in (HANG, STUBBORN):
                await self._hang(step == STUBBORN)
            elif isinstance(step, BaseException):
                raise step
            elif isinstance(step, dict):
                await send(step)
            else:
                assert callable(step)
                step(scope)

    async def _hang(self, stubborn: bool) -> None:
        try:
            await self.go.wait()
        except asyncio.CancelledError:
            self.cancelled = True
            if not stubborn:
                raise
            await self.go.wait()


def lifespan(app: Any, mode: Mode = "auto", *, startup: float = 2.0, shutdown: float = 2.0) -> Lifespan:
    return Lifespan(app, mode, startup_timeout=startup, shutdown_timeout=shutdown)


UP = (RECEIVE, STARTED)
BOTH: tuple[Mode, ...] = ("auto", "on")


# start-up --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("mode", BOTH)
async def test_whole_lifespan_is_one_call_with_one_scope(mode: Mode) -> None:
    app = Script(*UP, RECEIVE, STOPPED)
    life = lifespan(app, mode)
    await life.startup()
    assert life.supported
    assert app.received == ["lifespan.startup"]
    assert await life.shutdown() is True
    assert app.received == ["lifespan.startup", "lifespan.shutdown"]
    assert app.scopes == [
        {"type": "lifespan", "asgi": {"version": "3.0", "spec_version": "2.0"}, "state": {}}
    ]


async def test_application_is_not_called_when_the_lifespan_is_off() -> None:
    app = Script(START_FAILED)
    life = lifespan(app, "off")
    await life.startup()
    assert not life.supported
    assert await life.shutdown() is True
    assert app.scopes == []


async def test_state_holds_what_the_application_left_in_it() -> None:
    def fill(scope: Message) -> None:
        scope["state"]["pool"] = 7

    life = lifespan(Script(RECEIVE, fill, STARTED, RECEIVE, STOPPED))
    await life.startup()
    assert life.state == {"pool": 7}
    await life.shutdown()


@pytest.mark.parametrize("mode", BOTH)
@pytest.mark.parametrize("receives", [True, False])
async def test_reported_failure_stops_the_start_in_each_mode(mode: Mode, receives: bool, log: Log) -> None:
    life = lifespan(Script(*[RECEIVE] * receives, START_FAILED), mode)
    with pytest.raises(StartupFailed, match=r"lifespan\.startup\.failed"):
        await life.startup()
    assert log.take_error().endswith("failed:\nthe database is not there")
    assert log.text.count("the database is not there") == 1
    assert await life.shutdown() is True


async def test_reported_failure_without_a_message_stops_the_start(log: Log) -> None:
    life = lifespan(Script(RECEIVE, {"type": "lifespan.startup.failed"}))
    with pytest.raises(StartupFailed):
        await life.startup()


async def test_failure_that_is_reported_and_then_raised_is_logged_once(log: Log) -> None:
    life = lifespan(Script(RECEIVE, START_FAILED, LookupError("the database is not there")))
    with pytest.raises(StartupFailed):
        await life.startup()
    log.take_error()
    assert log.text.count("the database is not there") == 1


async def test_reported_failure_ends_a_call_that_lingers(log: Log) -> None:
    app = Script(RECEIVE, START_FAILED, HANG)
    with pytest.raises(StartupFailed):
        await lifespan(app).startup()
    assert app.cancelled
    log.take_error()


ERRORS = [
    ValueError("boom"),
    SystemExit(3),
    KeyboardInterrupt(),
    AssertionError("scope['type'] == 'http'"),
]


@pytest.mark.parametrize("error", ERRORS, ids=lambda error: type(error).__name__)
async def test_exception_before_receiving_means_no_support_in_auto(error: BaseException, log: Log) -> None:
    life = lifespan(Script(error), "auto")
    await life.startup()
    assert not life.supported
    assert life.context is None
    assert log.messages() == ["the application does not support the lifespan protocol; serving it without"]
    assert await life.shutdown() is True


@pytest.mark.parametrize("error", ERRORS, ids=lambda error: type(error).__name__)
async def test_exception_after_receiving_is_shown_and_the_application_served_in_auto(
    error: BaseException, log: Log
) -> None:
    life = lifespan(Script(RECEIVE, error), "auto")
    await life.startup()
    assert not life.supported
    logged = log.take_error()
    assert type(error).__name__ in logged
    assert "--lifespan on makes this fatal" in logged
    assert await life.shutdown() is True


@pytest.mark.parametrize("receives", [True, False])
@pytest.mark.parametrize("error", ERRORS, ids=lambda error: type(error).__name__)
async def test_exception_stops_the_start_when_the_lifespan_is_on(
    error: BaseException, receives: bool, log: Log
) -> None:
    life = lifespan(Script(*[RECEIVE] * receives, error), "on")
    with pytest.raises(StartupFailed, match="--lifespan on"):
        await life.startup()
    logged = log.take_error()
    assert type(error).__name__ in logged
    assert "test_lifespan.py" in logged
    assert await life.shutdown() is True


async def test_exit_is_named_as_what_it_was_when_the_lifespan_is_on(log: Log) -> None:
    with pytest.raises(StartupFailed, match="raised SystemExit in its lifespan start-up"):
        await lifespan(Script(RECEIVE, SystemExit(3)), "on").startup()
    log.take_error()


@pytest.mark.parametrize("receives", [True, False])
async def test_early_return_means_no_support_in_auto(receives: bool, log: Log) -> None:
    life = lifespan(Script(*[RECEIVE] * receives), "auto")
    await life.startup()
    assert not life.supported
    assert "does not support the lifespan" in log.text
    assert await life.shutdown() is True


@pytest.mark.parametrize("receives", [True, False])
async def test_early_return_stops_the_start_when_the_lifespan_is_on(receives: bool) -> None:
    with pytest.raises(StartupFailed, match="returned from its lifespan start-up"):
        await lifespan(Script(*[RECEIVE] * receives), "on").startup()


async def test_cancellation_that_the_application_raises_itself_is_an_early_end(log: Log) -> None:
    life = lifespan(Script(RECEIVE, asyncio.CancelledError()), "auto")
    await life.startup()
    assert not life.supported
    with pytest.raises(StartupFailed):
        await lifespan(Script(RECEIVE, asyncio.CancelledError()), "on").startup()


@pytest.mark.parametrize("mode", BOTH)
async def test_start_up_that_hangs_is_cancelled_and_names_the_option(mode: Mode) -> None:
    app = Script(RECEIVE, HANG)
    with pytest.raises(StartupFailed, match=r"longer than 0\.02 s \(--timeout-startup\)"):
        await lifespan(app, mode, startup=0.02).startup()
    assert app.cancelled


@pytest.mark.parametrize(
    ("steps", "words"),
    [
        pytest.param((RECEIVE, {"type": "lifespan.started"}), "'lifespan.started' is not", id="unknown"),
        pytest.param((RECEIVE, {"type": "http.response.start"}), "'http.response.start'", id="http"),
        pytest.param((RECEIVE, STOPPED), "before the start-up had been reported", id="shutdown-first"),
    ],
)
async def test_wrong_message_raises_into_the_application(
    steps: tuple[Step, ...], words: str, log: Log
) -> None:
    with pytest.raises(StartupFailed, match="LocalProtocolError"):
        await lifespan(Script(*steps), "on").startup()
    assert words in log.take_error()


async def test_http_answer_to_the_lifespan_means_no_support_in_auto(log: Log) -> None:
    life = lifespan(Script(RECEIVE, {"type": "http.response.start", "status": 200}))
    await life.startup()
    assert not life.supported
    assert not log.errors()


@pytest.mark.parametrize("again", [STARTED, START_FAILED])
async def test_start_up_reported_twice_raises_into_the_application(again: Message, log: Log) -> None:
    raised: list[BaseException] = []

    async def app(scope: Message, receive: Any, send: Any) -> None:
        await receive()
        await send(STARTED)
        try:
            await send(again)
        except LocalProtocolError as error:
            raised.append(error)
        await receive()
        await send(STOPPED)

    life = lifespan(app)
    await life.startup()
    assert await life.shutdown() is True
    assert "after the start-up had been reported" in str(raised[0])


async def test_message_without_a_type_raises_into_the_application(log: Log) -> None:
    for message in ({}, None, "lifespan.startup.complete"):

        async def app(scope: Message, receive: Any, send: Any, message: Any = message) -> None:
            await receive()
            await send(message)

        with pytest.raises(StartupFailed, match="LocalProtocolError"):
            await lifespan(app, "on").startup()
        assert "a dict with a type" in log.take_error()


async def test_cancelled_start_up_cancels_the_application() -> None:
    app = Script(RECEIVE, HANG)
    task = asyncio.create_task(lifespan(app).startup())
    while not app.received:
        await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert app.cancelled


async def test_context_of_the_requests_is_that_of_the_lifespan() -> None:
    import contextvars

    variable: contextvars.ContextVar[int] = contextvars.ContextVar("variable")
    life = lifespan(Script(RECEIVE, lambda scope: variable.set(7), STARTED, RECEIVE, STOPPED))
    await life.startup()
    assert life.context is not None
    assert life.context[variable] == 7
    assert variable.get(None) is None
    await life.shutdown()


# shutdown --------------------------------------------------------------------------------------------


async def test_reported_failure_of_the_shutdown_is_logged(log: Log) -> None:
    life = lifespan(Script(*UP, RECEIVE, STOP_FAILED))
    await life.startup()
    assert await life.shutdown() is False
    assert log.take_error().endswith("failed:\ncould not flush")


async def test_exception_in_the_shutdown_is_logged_with_its_traceback(log: Log) -> None:
    life = lifespan(Script(*UP, RECEIVE, ValueError("boom")))
    await life.startup()
    assert await life.shutdown() is False
    logged = log.take_error()
    assert "ValueError: boom" in logged
    assert "test_lifespan.py" in logged


async def test_exception_behind_a_reported_shutdown_is_a_failure_too(log: Log) -> None:
    life = lifespan(Script(*UP, RECEIVE, STOPPED, ValueError("boom")))
    await life.startup()
    assert await life.shutdown() is False
    assert "ValueError: boom" in log.take_error()


@pytest.mark.parametrize("step", [HANG, STUBBORN])
async def test_shutdown_that_hangs_is_cancelled_and_names_the_option(step: str, log: Log) -> None:
    app = Script(*UP, RECEIVE, step)
    life = lifespan(app, shutdown=0.02)
    await life.startup()
    if step == STUBBORN:
        asyncio.get_running_loop().call_later(0.1, app.go.set)
    assert await life.shutdown() is False
    assert app.cancelled
    assert "longer than 0.02 s (--timeout-shutdown)" in log.take_error()


async def test_call_that_never_returns_after_its_shutdown_is_cancelled_and_fine() -> None:
    app = Script(*UP, RECEIVE, STOPPED, HANG)
    life = lifespan(app, shutdown=0.02)
    await life.startup()
    assert await life.shutdown() is True
    assert app.cancelled


async def test_call_that_returned_after_its_start_up_needs_no_shutdown() -> None:
    app = Script(*UP)
    life = lifespan(app)
    await life.startup()
    await asyncio.sleep(0)
    assert await life.shutdown() is True
    assert app.received == ["lifespan.startup"]


async def test_call_that_died_after_its_start_up_is_a_failure_of_the_shutdown(log: Log) -> None:
    life = lifespan(Script(*UP, ValueError("died while serving")))
    await life.startup()
    await asyncio.sleep(0)
    assert await life.shutdown() is False
    assert "died while serving" in log.take_error()


async def test_call_that_returns_on_the_shutdown_without_a_word_is_fine() -> None:
    life = lifespan(Script(*UP, RECEIVE))
    await life.startup()
    assert await life.shutdown() is True


async def test_shutdown_runs_once() -> None:
    app = Script(*UP, RECEIVE, STOPPED)
    life = lifespan(app)
    await life.startup()
    assert await life.shutdown() is True
    assert await life.shutdown() is True
    assert app.received.count("lifespan.shutdown") == 1


async def test_shutdown_reported_twice_raises_into_the_application(log: Log) -> None:
    life = lifespan(Script(*UP, RECEIVE, STOPPED, STOP_FAILED))
    await life.startup()
    assert await life.shutdown() is False
    assert "after the shutdown had been reported" in log.take_error()


async def test_timeouts_of_0_wait_for_as_long_as_it_takes() -> None:
    app = Script(RECEIVE, HANG, STARTED, RECEIVE, STOPPED)
    life = lifespan(app, startup=0, shutdown=0)
    task = asyncio.create_task(life.startup())
    while not app.received:
        await asyncio.sleep(0)
    app.go.set()
    await task
    assert await life.shutdown() is True
