"""System event triggers on their own: order, awaiting, failing, removing, skipping."""

from __future__ import annotations

import asyncio

import pytest

from ropewalk.reactor.triggers import SystemEvents


def run(scenario):
    return asyncio.run(asyncio.wait_for(scenario, 5))


def test_a_phase_calls_its_triggers_once_in_the_order_of_adding_with_their_arguments():
    events = SystemEvents()
    calls: list[tuple[object, ...]] = []
    events.add("during", "startup", lambda *args: calls.append(args), (1, 2))
    events.add("during", "startup", lambda *args: calls.append(args), (3,))
    events.add("after", "startup", lambda *args: calls.append(args), ("another phase",))
    events.add("during", "shutdown", lambda *args: calls.append(args), ("another event",))

    async def scenario() -> None:
        await events.fire("during", "startup")
        await events.fire("during", "startup")

    run(scenario())
    assert calls == [(1, 2), (3,)]


def test_the_awaitables_of_a_phase_run_concurrently_and_are_all_awaited():
    events = SystemEvents()
    done: list[str] = []

    async def scenario() -> None:
        both = asyncio.Barrier(2)

        async def meet(name: str) -> None:
            await both.wait()
            done.append(name)

        events.add("before", "shutdown", meet, ("one",))
        events.add("before", "shutdown", meet, ("two",))
        await events.fire("before", "shutdown")
        assert sorted(done) == ["one", "two"]

    run(scenario())


def test_a_trigger_may_return_a_future():
    events = SystemEvents()

    async def scenario() -> None:
        loop = asyncio.get_running_loop()
        future = loop.create_future()
        events.add("during", "startup", lambda: future, ())
        loop.call_soon(loop.call_soon, future.set_result, None)
        await events.fire("during", "startup")
        assert future.done()

    run(scenario())


@pytest.mark.parametrize("is_async", [False, True], ids=["at once", "awaited"])
def test_a_failing_trigger_is_logged_with_its_traceback_and_the_others_are_called(caplog, is_async):
    events = SystemEvents()
    calls: list[str] = []

    def fail() -> None:
        raise ValueError("broken trigger")

    async def fail_later() -> None:
        await asyncio.sleep(0)
        fail()

    events.add("during", "shutdown", fail_later if is_async else fail, ())
    events.add("during", "shutdown", calls.append, ("second",))
    run(events.fire("during", "shutdown"))
    assert calls == ["second"]
    (record,) = caplog.records
    assert record.levelname == "ERROR"
    assert "during shutdown failed" in record.getMessage()
    assert record.exc_info is not None
    assert "broken trigger" in caplog.text


def test_a_trigger_whose_own_await_was_cancelled_counts_as_failed(caplog):
    events = SystemEvents()

    async def await_a_cancelled_future() -> None:
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        future.cancel()
        await future

    events.add("during", "startup", await_a_cancelled_future, ())
    run(events.fire("during", "startup"))
    assert "cancelled from within" in caplog.text


def test_a_removed_trigger_is_not_called_and_cannot_be_removed_again():
    events = SystemEvents()
    calls: list[str] = []
    first = events.add("during", "startup", calls.append, ("first",))
    events.add("during", "startup", calls.append, ("second",))
    events.remove(first)
    with pytest.raises(ValueError, match="no trigger"):
        events.remove(first)
    run(events.fire("during", "startup"))
    assert calls == ["second"]


def test_a_called_trigger_cannot_be_removed():
    events = SystemEvents()
    trigger = events.add("during", "startup", lambda: None, ())
    run(events.fire("during", "startup"))
    with pytest.raises(ValueError, match="called, removed or never added"):
        events.remove(trigger)


@pytest.mark.parametrize(("phase", "event"), [("amid", "startup"), ("before", "persist")])
def test_an_unknown_phase_or_event_is_refused_with_the_known_ones(phase, event):
    with pytest.raises(ValueError, match=r"before, during, after.*startup, shutdown"):
        SystemEvents().add(phase, event, print, ())


def test_a_trigger_added_by_another_of_its_phase_is_called_too():
    events = SystemEvents()
    calls: list[str] = []

    async def add_later() -> None:
        await asyncio.sleep(0)
        events.add("during", "startup", calls.append, ("from an await",))

    events.add("during", "startup", lambda: events.add("during", "startup", calls.append, ("at once",)), ())
    events.add("during", "startup", add_later, ())
    run(events.fire("during", "startup"))
    assert calls == ["at once", "from an await"]


def test_once_skip_is_true_no_more_triggers_are_called():
    events = SystemEvents()
    calls: list[str] = []
    events.add("during", "startup", calls.append, ("first",))
    events.add("during", "startup", calls.append, ("second",))
    run(events.fire("during", "startup", skip=lambda: bool(calls)))
    assert calls == ["first"]


def test_dropped_triggers_are_not_called():
    events = SystemEvents()
    calls: list[str] = []
    events.add("before", "startup", calls.append, ("dropped",))
    events.add("before", "shutdown", calls.append, ("kept",))
    events.drop("startup")

    async def scenario() -> None:
        await events.fire("before", "startup")
        await events.fire("before", "shutdown")

    run(scenario())
    assert calls == ["kept"]


def test_cancelling_the_awaited_spares_the_trigger_that_asks_for_it():
    events = SystemEvents()
    fates: list[str] = []

    async def ask() -> None:
        await asyncio.sleep(0)
        events.cancel_awaited()
        await asyncio.sleep(0)
        fates.append("the asking one went on")

    async def hang() -> None:
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            fates.append("the hanging one was cancelled")
            raise

    events.add("during", "startup", hang, ())
    events.add("during", "startup", ask, ())
    run(events.fire("during", "startup"))
    assert sorted(fates) == ["the asking one went on", "the hanging one was cancelled"]


def test_cancelling_the_awaited_is_no_failure_and_needs_no_loop(caplog):
    events = SystemEvents()

    async def scenario() -> None:
        events.add("during", "startup", asyncio.Event().wait, ())
        asyncio.get_running_loop().call_soon(asyncio.get_running_loop().call_soon, events.cancel_awaited)
        await events.fire("during", "startup")

    run(scenario())
    events.cancel_awaited()
    assert caplog.records == []


def test_cancelling_fire_cancels_what_it_waits_for():
    events = SystemEvents()
    fates: list[str] = []

    async def hang() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            fates.append("ended")

    async def scenario() -> None:
        events.add("during", "shutdown", hang, ())
        firing = asyncio.create_task(events.fire("during", "shutdown"))
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        firing.cancel()
        with pytest.raises(asyncio.CancelledError):
            await firing
        await asyncio.sleep(0)
        assert fates == ["ended"]

    run(scenario())
