"""The default executor of a reactor's own loop: threads that cannot hold up the end of the process."""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["DaemonThreadExecutor"]

logger = logging.getLogger("ropewalk.reactor")

P = ParamSpec("P")
T = TypeVar("T")


class DaemonThreadExecutor(ThreadPoolExecutor):
    """A ThreadPoolExecutor whose shutdown waits `patience` seconds at most, and whose threads are daemons.

    The standard library's joins its threads without limit, once in shutdown() and once more when the
    interpreter exits, so one call that never returns (a dead database, a read from a terminal) keeps the
    process alive. The subclassing is for loops that accept nothing else as their default executor.
    """

    def __init__(self, patience: float, *, max_workers: int | None = None) -> None:
        super().__init__(max_workers=max_workers, thread_name_prefix="ropewalk-executor")
        self._patience = patience
        self._limit: int = self._max_workers
        self._changed = threading.Condition()
        self._jobs: deque[tuple[Future[Any], Callable[..., Any], tuple[Any, ...], dict[str, Any]]] = deque()
        self._workers: set[threading.Thread] = set()
        self._leaving: list[threading.Thread] = []
        self._idle = 0
        self._closing = False
        self._abandoned = False

    def submit(self, fn: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> Future[T]:
        """Thread-safe. RuntimeError after shutdown()."""
        future: Future[T] = Future()
        with self._changed:
            if self._closing:
                raise RuntimeError("cannot submit to an executor that has been shut down")
            self._jobs.append((future, fn, args, kwargs))
            if len(self._jobs) > self._idle and len(self._workers) < self._limit:
                worker = threading.Thread(
                    target=self._work, name=f"ropewalk-executor-{len(self._workers) + 1}", daemon=True
                )
                self._workers.add(worker)
                worker.start()
            else:
                self._changed.notify()
        return future

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """Thread-safe. Take no more work; with `wait`, return when the threads ended or patience did."""
        deadline = time.monotonic() + self._patience
        with self._changed:
            self._closing = True
            cancelled = [job[0] for job in self._jobs] if cancel_futures else []
            if cancel_futures:
                self._jobs.clear()
            self._changed.notify_all()
            while wait and self._workers and not self._abandoned:
                left = deadline - time.monotonic()
                if left <= 0:
                    logger.warning(
                        "gave up after %g s waiting for calls in executor threads: %s",
                        self._patience,
                        ", ".join(sorted(worker.name for worker in self._workers)),
                    )
                    break
                self._changed.wait(left)
            leaving, self._leaving = self._leaving, []
        if wait:
            # They are past their last job, so this is no wait worth the name; it makes their end certain.
            for worker in leaving:
                worker.join()
        for future in cancelled:
            future.cancel()

    def abandon(self) -> None:
        """Thread-safe. Cancel what no thread has begun, and let a shutdown() that waits return at once."""
        with self._changed:
            self._abandoned = True
            cancelled = [job[0] for job in self._jobs]
            self._jobs.clear()
            self._changed.notify_all()
        for future in cancelled:
            future.cancel()

    def _work(self) -> None:
        """Runs in a worker thread: takes jobs until the executor is shut down and none is left."""
        while True:
            with self._changed:
                self._idle += 1
                while not self._jobs and not self._closing:
                    self._changed.wait()
                self._idle -= 1
                if not self._jobs:
                    self._workers.discard(threading.current_thread())
                    self._leaving.append(threading.current_thread())
                    self._changed.notify_all()
                    return
                future, fn, args, kwargs = self._jobs.popleft()
            if future.set_running_or_notify_cancel():
                try:
                    result = fn(*args, **kwargs)
                except BaseException as error:
                    future.set_exception(error)
                else:
                    future.set_result(result)
            # Or the last job's arguments and result would live until the next job comes.
            del future, fn, args, kwargs
            result = None
