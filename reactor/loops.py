"""Making the event loop that a reactor hosts, and taking one out of service in bounded time."""

from __future__ import annotations

import asyncio
import logging
import sys
import warnings
from typing import Any, Literal

from .errors import RopewalkError
from .executor import DaemonThreadExecutor

__all__ = ["LoopKind", "OwnLoop", "resolve_kind"]

logger = logging.getLogger("ropewalk.reactor")

LoopKind = Literal["auto", "uvloop", "asyncio"]
KINDS: tuple[LoopKind, ...] = ("auto", "uvloop", "asyncio")

# Turns for cancellations to travel through tasks that wait for tasks, when there is no time to wait.
TURNS_IN_A_HURRY = 10
LAST_WORD_TIMEOUT = 0.1


def resolve_kind(kind: str) -> Literal["uvloop", "asyncio"]:
    """Settle "auto"; RopewalkError when the loop asked for is unknown or cannot be had here."""
    if kind not in KINDS:
        raise RopewalkError(f"no such event loop: {kind!r}; choose one of {', '.join(KINDS)}")
    if kind == "asyncio":
        return "asyncio"
    try:
        import uvloop  # noqa: F401
    except ImportError as error:
        if kind == "auto":
            return "asyncio"
        raise RopewalkError(
            "uvloop cannot be imported here: install it with 'python -m pip install uvloop', "
            "or choose the loop 'asyncio' ('auto' takes uvloop where it is installed)"
        ) from error
    return "uvloop"


class OwnLoop:
    """An event loop made for one run of a reactor, and its end.

    Of each thing that is left at the end (tasks, asynchronous generators, threads of the default executor)
    the end waits `patience` seconds at most, then names it in the log and leaves it behind.
    """

    def __init__(self, kind: Literal["uvloop", "asyncio"], patience: float) -> None:
        self._patience = patience
        self._executor = DaemonThreadExecutor(patience)
        if kind == "uvloop":
            import uvloop

            self.loop: asyncio.AbstractEventLoop = uvloop.new_event_loop()
        elif sys.platform == "win32":
            self.loop = asyncio.ProactorEventLoop()
        else:
            # Not asyncio.new_event_loop(), which makes whatever the process's policy says.
            self.loop = asyncio.SelectorEventLoop()
        self.loop.set_default_executor(self._executor)

    async def wind_up(self, hurry: asyncio.Future[None]) -> None:
        """End what is left; nothing is waited for once `hurry` is done."""
        hurry.add_done_callback(lambda _: self._executor.abandon())
        await self._end_tasks(hurry)
        if not hurry.done():
            generators = self.loop.create_task(self.loop.shutdown_asyncgens())
            if not await self._ended(generators, hurry, self._patience, "asynchronous generators"):
                generators.cancel()
                await asyncio.sleep(0)
        if not hurry.done():
            # Our own executor keeps to its patience; the extra second is for one that was put in its place.
            # That one's task is not cancelled: cancelling joins the very threads that hang.
            threads = self.loop.create_task(self.loop.shutdown_default_executor())
            if not await self._ended(threads, hurry, self._patience + 1.0, "the default executor"):
                # Once abandoned, our executor shuts down in no time, and its word should find the loop.
                await asyncio.wait({threads}, timeout=LAST_WORD_TIMEOUT)

    def close(self) -> None:
        """Close the loop, waiting for nothing."""
        self._executor.abandon()
        self._executor.shutdown(wait=False)
        # uvloop warns of each transport that is still open and then closes it. Where warnings are errors it
        # skips the closing, and waits for it for ever; so the warnings are held until all is closed.
        with warnings.catch_warnings(record=True) as held:
            warnings.simplefilter("always", ResourceWarning)
            self.loop.close()
        for warning in held:
            warnings.warn_explicit(
                warning.message, warning.category, warning.filename, warning.lineno, source=warning.source
            )

    async def _end_tasks(self, hurry: asyncio.Future[None]) -> None:
        """Cancel all tasks but this one, then those which they started while they ended, and so on."""
        deadline = self.loop.time() + self._patience
        this = asyncio.current_task()
        while left := {task for task in asyncio.all_tasks() if task is not this}:
            for task in left:
                task.cancel()
            everything: asyncio.Future[Any] = asyncio.gather(*left, return_exceptions=True)
            for _ in range(TURNS_IN_A_HURRY):
                await asyncio.sleep(0)
            if not everything.done() and not hurry.done():
                either: list[asyncio.Future[Any]] = [everything, hurry]
                await asyncio.wait(
                    either,
                    timeout=max(deadline - self.loop.time(), 0),
                    return_when=asyncio.FIRST_COMPLETED,
                )
            self._report_failures(left)
            if hurry.done():
                return
            if self.loop.time() >= deadline:
                stuck = sorted(repr(task) for task in left if not task.done())
                if stuck:
                    logger.warning(
                        "left %d task(s) behind that did not end within %g s of being cancelled: %s",
                        len(stuck),
                        self._patience,
                        ", ".join(stuck),
                    )
                return

    def _report_failures(self, tasks: set[asyncio.Task[Any]]) -> None:
        for task in tasks:
            if task.done() and not task.cancelled() and (error := task.exception()) is not None:
                self.loop.call_exception_handler(
                    {"message": "a task failed while the reactor ended", "exception": error, "task": task}
                )

    @staticmethod
    async def _ended(
        step: asyncio.Task[None], hurry: asyncio.Future[None], patience: float, what: str
    ) -> bool:
        """Wait for one step of the end, and say so when it fails or does not come."""
        await asyncio.wait({step, hurry}, timeout=patience, return_when=asyncio.FIRST_COMPLETED)
        if not step.done():
            if not hurry.done():
                logger.warning("gave up after %g s waiting for %s to end", patience, what)
            return False
        if not step.cancelled() and (error := step.exception()) is not None:
            logger.error("ending %s failed", what, exc_info=error)
        return True
