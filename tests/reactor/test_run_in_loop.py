"""A reactor in somebody else's running loop: its life there, and cancellation."""

from __future__ import annotations

import asyncio
import signal

import pytest

from ropewalk.reactor import Reactor, RopewalkError

DEADLINE = 5.0


@pytest.fixture
def in_loop(new_loop):
    """Run a coroutine in a loop that is not the reactor's."""

    def in_loop(main):
        loop = new_loop()
        try:
            loop.run_until_complete(asyncio.wait_for(main, DEADLINE))
        finally:
            loop.close()

    return in_loop


def test_run_in_loop_runs_from_startup_to_shutdown_in_the_running_loop(reactor, in_loop):
    calls: list[str] = []
    reactor.add_system_event_trigger("before", "startup", calls.append, "startup")
    reactor.add_system_event_trigger("after", "shutdown", calls.append, "shutdown")

    async def main() -> None:
        reactor.call_when_running(lambda: reactor.call_soon(reactor.stop))
        await reactor.run_in_loop()
        assert reactor.loop is asyncio.get_running_loop()
        assert not reactor.running

    in_loop(main())
    assert calls == ["startup", "shutdown"]


def test_cancelling_run_in_loop_shuts_down_before_it_is_raised(reactor, in_loop):
    calls: list[str] = []

    async def end() -> None:
        await asyncio.sleep(0.001)
        calls.append("shutdown")

    reactor.add_system_event_trigger("before", "shutdown", end)

    async def main() -> None:
        started = asyncio.Event()
        reactor.call_when_running(started.set)
        running = asyncio.create_task(reactor.run_in_loop())
        await started.wait()
        running.cancel()
        with pytest.raises(asyncio.CancelledError):
            await running
        assert calls == ["shutdown"]
        assert not reactor.running
        assert not reactor.crashed

    in_loop(main())


def test_cancelling_run_in_loop_twice_crashes(reactor, in_loop):
    async def main() -> None:
        hanging = asyncio.Event()
        tasks_before = asyncio.all_tasks()

        async def hang() -> None:
            hanging.set()
            await asyncio.Event().wait()

        reactor.add_system_event_trigger("before", "shutdown", hang)
        running = asyncio.create_task(reactor.run_in_loop())
        await asyncio.sleep(0)
        running.cancel()
        await hanging.wait()
        running.cancel()
        with pytest.raises(asyncio.CancelledError):
            await running
        assert reactor.crashed
        assert not reactor.running
        assert asyncio.all_tasks() == tasks_before

    in_loop(main())


def test_a_timeout_around_run_in_loop_is_still_a_timeout(reactor, in_loop):
    async def main() -> None:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.01):
                await reactor.run_in_loop()

    in_loop(main())


def test_run_in_loop_refuses_another_loop_than_the_one_given(new_loop, in_loop):
    given = new_loop()
    try:
        reactor = Reactor(given)

        async def main() -> None:
            with pytest.raises(RopewalkError, match="another event loop"):
                await reactor.run_in_loop()

        in_loop(main())
        assert not reactor.running
    finally:
        given.close()


def test_two_reactors_share_one_loop(kind, in_loop):
    async def main() -> None:
        first, second = Reactor(kind), Reactor(kind)
        both = asyncio.gather(first.run_in_loop(), second.run_in_loop())
        second.call_when_running(first.call_when_running, first.stop)
        second.call_when_running(second.stop)
        await both

    in_loop(main())


def test_run_in_loop_leaves_the_signal_handlers_alone(reactor, in_loop):
    before = signal.getsignal(signal.SIGTERM)

    async def main() -> None:
        seen = []
        reactor.call_when_running(lambda: seen.append(signal.getsignal(signal.SIGTERM)))
        reactor.call_when_running(reactor.stop)
        await reactor.run_in_loop()
        assert seen == [before]

    in_loop(main())
