"""The executor whose shutdown takes bounded time."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor, wait

import pytest

from ropewalk.reactor.executor import DaemonThreadExecutor

DEADLINE = 5.0


@pytest.fixture
def executor():
    executor = DaemonThreadExecutor(DEADLINE, max_workers=2)
    yield executor
    executor.shutdown()


def test_it_passes_for_a_standard_executor(executor):
    assert isinstance(executor, ThreadPoolExecutor)


def test_a_call_gets_its_arguments_and_gives_its_result(executor):
    assert executor.submit(divmod, 7, 3).result(DEADLINE) == (2, 1)
    assert executor.submit(int, "ff", base=16).result(DEADLINE) == 255
    assert list(executor.map(abs, [-1, -2, -3])) == [1, 2, 3]


def test_an_exception_is_the_callers(executor):
    with pytest.raises(ZeroDivisionError):
        executor.submit(divmod, 1, 0).result(DEADLINE)
    assert executor.submit(abs, -1).result(DEADLINE) == 1


def test_calls_run_in_daemon_threads_and_no_more_than_the_limit(executor):
    both = threading.Barrier(3, timeout=DEADLINE)

    def meet() -> threading.Thread:
        both.wait()
        return threading.current_thread()

    meeting = [executor.submit(meet) for _ in range(2)]
    waiting = executor.submit(threading.current_thread)
    both.wait()
    threads = {future.result(DEADLINE) for future in meeting}
    assert len(threads) == 2
    assert all(thread.daemon for thread in threads)
    assert waiting.result(DEADLINE) in threads


def test_an_idle_thread_is_used_again():
    executor = DaemonThreadExecutor(DEADLINE)
    try:
        first = executor.submit(threading.current_thread).result(DEADLINE)
        # The result is out a moment before the thread is idle, but not each time of fifty.
        threads = {executor.submit(threading.current_thread).result(DEADLINE) for _ in range(50)}
        assert first in threads
        assert len(threads) < 50
    finally:
        executor.shutdown()


def test_shutdown_runs_what_is_queued_and_ends_the_threads(executor):
    results: list[int] = []
    threads = [executor.submit(threading.current_thread) for _ in range(4)]
    for number in range(20):
        executor.submit(results.append, number)
    executor.shutdown()
    assert sorted(results) == list(range(20))
    assert not any(future.result(0).is_alive() for future in threads)


def test_after_shutdown_nothing_is_taken(executor):
    executor.shutdown()
    executor.shutdown()
    with pytest.raises(RuntimeError, match="shut down"):
        executor.submit(abs, 1)


def test_a_queued_call_can_be_cancelled(executor):
    release = threading.Event()
    busy = [executor.submit(release.wait, DEADLINE) for _ in range(2)]
    queued = executor.submit(abs, 1)
    assert queued.cancel()
    release.set()
    wait(busy, DEADLINE)
    executor.shutdown()
    assert queued.cancelled()


def test_shutdown_with_cancel_futures_drops_what_is_queued(executor):
    release = threading.Event()
    for _ in range(2):
        executor.submit(release.wait, DEADLINE)
    queued = executor.submit(abs, 1)
    executor.shutdown(wait=False, cancel_futures=True)
    assert queued.cancelled()
    release.set()


def test_shutdown_gives_up_on_a_stuck_call_and_names_its_thread(caplog):
    executor = DaemonThreadExecutor(0.01)
    release = threading.Event()
    stuck = executor.submit(release.wait, DEADLINE)
    executor.shutdown()
    assert not stuck.done()
    assert "gave up after 0.01 s" in caplog.text
    assert "ropewalk-executor-1" in caplog.text
    release.set()
    assert stuck.result(DEADLINE)


def test_abandoning_ends_a_shutdown_that_waits_and_cancels_what_is_queued():
    executor = DaemonThreadExecutor(3600, max_workers=1)
    begun, release = threading.Event(), threading.Event()

    def hang() -> bool:
        begun.set()
        return release.wait(DEADLINE)

    stuck = executor.submit(hang)
    queued = executor.submit(abs, -1)
    assert begun.wait(DEADLINE)
    waiting = threading.Thread(target=executor.shutdown)
    waiting.start()
    executor.abandon()
    waiting.join(DEADLINE)
    assert not waiting.is_alive()
    assert queued.cancelled()
    release.set()
    assert stuck.result(DEADLINE)
