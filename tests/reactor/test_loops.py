"""The end of a loop of our own: what is left on it is ended, within bounds."""

from __future__ import annotations

import asyncio
import gc
import socket
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from ropewalk.reactor import Reactor

DEADLINE = 5.0


@pytest.fixture
def impatient(kind: str) -> Reactor:
    """A reactor that waits hardly at all in the end."""
    return Reactor(kind, end_timeout=0.02)


def destroy(left: list[asyncio.Task[None]]) -> None:
    """Have asyncio complain of the pending tasks in the test that left them."""
    left.clear()
    gc.collect()


def test_tasks_that_are_left_are_cancelled_and_awaited(reactor, drive):
    fates: list[str] = []

    async def hang() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            await asyncio.sleep(0.002)
            fates.append("cleaned up")

    left = []

    async def scenario() -> None:
        left.append(asyncio.create_task(hang()))
        await asyncio.sleep(0)

    drive(reactor, scenario)
    assert fates == ["cleaned up"]
    assert left[0].cancelled()


def test_tasks_that_ending_tasks_start_are_cancelled_too(reactor, drive):
    left: list[asyncio.Task[object]] = []

    async def leave_another() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            left.append(asyncio.create_task(asyncio.Event().wait()))

    async def scenario() -> None:
        left.append(asyncio.create_task(leave_another()))
        await asyncio.sleep(0)

    drive(reactor, scenario)
    assert len(left) == 2
    assert all(task.cancelled() for task in left)


def test_a_task_that_fails_while_it_ends_is_reported(reactor, drive, caplog):
    async def fail() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            raise ValueError("broken end")

    left = []

    async def scenario() -> None:
        left.append(asyncio.create_task(fail()))
        await asyncio.sleep(0)

    drive(reactor, scenario)
    assert "a task failed while the reactor ended" in caplog.text
    assert "broken end" in caplog.text


@pytest.mark.leaves("a task that refuses to end is destroyed with its loop")
def test_a_task_that_refuses_to_end_is_named_and_left_behind(impatient, drive, caplog):
    left = []

    async def refuse_to_end() -> None:
        while True:
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                pass

    async def scenario() -> None:
        left.append(asyncio.create_task(refuse_to_end()))
        await asyncio.sleep(0)

    drive(impatient, scenario)
    assert not left[0].done()
    assert "left 1 task(s) behind" in caplog.text
    assert "refuse_to_end" in caplog.text
    destroy(left)


def test_an_asynchronous_generator_is_closed(reactor, drive):
    fates: list[str] = []

    async def numbers():
        try:
            yield 1
        finally:
            await asyncio.sleep(0)
            fates.append("closed")

    generator = numbers()

    async def scenario() -> None:
        assert await anext(generator) == 1

    drive(reactor, scenario)
    assert fates == ["closed"]


def test_calls_in_executor_threads_are_waited_for(reactor, drive):
    results: list[str] = []
    release = threading.Event()

    def work() -> None:
        release.wait(DEADLINE)
        results.append("done")

    async def scenario() -> None:
        asyncio.get_running_loop().run_in_executor(None, work)
        asyncio.get_running_loop().call_soon(release.set)

    drive(reactor, scenario)
    assert results == ["done"]


def test_to_thread_works_and_its_threads_end_with_the_run(reactor, drive):
    async def scenario() -> threading.Thread:
        return await asyncio.to_thread(threading.current_thread)

    thread = drive(reactor, scenario)
    assert thread is not threading.current_thread()
    assert not thread.is_alive()


def test_a_stuck_executor_thread_is_named_and_left_behind(impatient, drive, caplog):
    release = threading.Event()

    async def scenario() -> None:
        asyncio.get_running_loop().run_in_executor(None, release.wait, DEADLINE)

    drive(impatient, scenario)
    assert impatient.loop.is_closed()
    assert "waiting for calls in executor threads: ropewalk-executor-1" in caplog.text
    release.set()


def test_an_executor_that_was_put_in_place_of_ours_is_shut_down(reactor, drive):
    executor = ThreadPoolExecutor(1)

    async def scenario() -> None:
        asyncio.get_running_loop().set_default_executor(executor)
        await asyncio.to_thread(abs, -1)

    drive(reactor, scenario)
    with pytest.raises(RuntimeError, match="shutdown"):
        executor.submit(abs, -1)


def test_after_a_crash_nothing_is_waited_for(kind):
    reactor = Reactor(kind, end_timeout=3600)
    release = threading.Event()
    left = []

    async def hang() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            await asyncio.sleep(3600)

    async def quick() -> None:
        await asyncio.Event().wait()

    def start() -> None:
        left.append(reactor.loop.create_task(quick()))
        reactor.loop.run_in_executor(None, release.wait, DEADLINE)
        reactor.call_soon(reactor.crash)

    reactor.call_when_running(start)
    reactor.run()
    assert reactor.crashed
    assert left[0].cancelled()
    assert not release.is_set()
    release.set()


def test_a_crash_ends_the_waiting_for_executor_threads(kind):
    reactor = Reactor(kind, end_timeout=3600)
    release = threading.Event()

    def crash_once_the_loop_waits() -> None:
        reactor.call_from_thread(reactor.crash)
        release.wait(DEADLINE)

    def start() -> None:
        reactor.loop.run_in_executor(None, crash_once_the_loop_waits)
        reactor.stop()

    reactor.call_when_running(start)
    reactor.run()
    assert not release.is_set()
    release.set()
    assert reactor.crashed


@pytest.mark.leaves("a task that refuses to end is destroyed with its loop")
def test_a_crash_ends_the_waiting_for_tasks(kind):
    reactor = Reactor(kind, end_timeout=3600)

    async def refuse_to_end() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            reactor.call_later(0.005, reactor.crash)
            await asyncio.sleep(3600)

    left = []

    def start() -> None:
        left.append(reactor.loop.create_task(refuse_to_end()))
        reactor.call_soon(reactor.stop)

    reactor.call_when_running(start)
    reactor.run()
    assert reactor.crashed
    assert not left[0].done()
    destroy(left)


@pytest.mark.leaves("a connection that nobody closes is closed by the garbage collector")
@pytest.mark.filterwarnings("ignore::ResourceWarning")
def test_a_connection_that_is_left_open_does_not_keep_the_loop_from_closing(reactor, drive, echo):
    port = reactor.listen("127.0.0.1:0", echo)
    with socket.create_connection(port.address) as client:
        client.sendall(b"x")

        async def scenario() -> None:
            assert await asyncio.to_thread(client.recv, 1) == b"x"

        drive(reactor, scenario)
        assert reactor.loop.is_closed()
    gc.collect()


def test_where_warnings_are_errors_uvloop_warns_of_an_open_connection_and_closes_all_the_same(echo, drive):
    pytest.importorskip("uvloop")
    reactor = Reactor("uvloop")
    port = reactor.listen("127.0.0.1:0", echo)
    with socket.create_connection(port.address) as client:
        client.sendall(b"x")

        async def scenario() -> None:
            assert await asyncio.to_thread(client.recv, 1) == b"x"

        with pytest.raises(ResourceWarning, match="unclosed"):
            drive(reactor, scenario)
        assert reactor.loop.is_closed()
        assert not reactor.running
        assert client.recv(1) == b""
