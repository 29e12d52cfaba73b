"""The ASGI lifespan protocol 2.0: start-up and shutdown of the application, each with a time limit."""

from __future__ import annotations

import asyncio
import contextvars
import logging
from typing import TYPE_CHECKING, Any, Literal

from ..server.errors import LocalProtocolError, RopewalkError

if TYPE_CHECKING:
    from .bridge import Application, Message

__all__ = ["Lifespan", "StartupFailed"]

logger = logging.getLogger("ropewalk.asgi")


class StartupFailed(RopewalkError):
    """The application did not come up: the message says how, the log has its own words."""


class _ExitRaised(RuntimeError):
    """Stands for a SystemExit or KeyboardInterrupt, its cause, which would end the loop if a task held it."""


class Lifespan:
    """Runs the application's lifespan in a task of its own, whose context becomes that of the requests.

    After :meth:`startup`, ``supported`` says whether the application takes part, ``state`` is what it left
    for the requests and ``context`` holds the context variables that it set. A timeout of 0 waits for ever.
    """

    def __init__(
        self,
        application: Application,
        mode: Literal["auto", "on", "off"],
        *,
        startup_timeout: float,
        shutdown_timeout: float,
    ) -> None:
        self._application = application
        self._mode = mode
        self._startup_timeout = startup_timeout or None
        self._shutdown_timeout = shutdown_timeout or None
        self.supported = False
        self.state: dict[str, Any] = {}
        self.context: contextvars.Context | None = None
        self._task: asyncio.Task[None] | None = None
        self._events: asyncio.Queue[Message] = asyncio.Queue()
        self._startup_received = False
        self._startup: asyncio.Future[str | None] | None = None
        self._shutdown: asyncio.Future[str | None] | None = None

    async def startup(self) -> None:
        """Start the application up.

        :raises StartupFailed: it failed, or took longer than the start-up timeout.
        """
        if self._mode == "off":
            return
        loop = asyncio.get_running_loop()
        self._startup, self._shutdown = loop.create_future(), loop.create_future()
        self.context = contextvars.copy_context()
        self._events.put_nowait({"type": "lifespan.startup"})
        self._task = loop.create_task(self._run(), context=self.context)
        waiting: set[asyncio.Future[Any]] = {self._startup, self._task}
        try:
            done, _ = await asyncio.wait(
                waiting, timeout=self._startup_timeout, return_when=asyncio.FIRST_COMPLETED
            )
        except asyncio.CancelledError:
            await self._give_up()
            raise
        if not done:
            await self._give_up()
            raise StartupFailed(
                f"the application's lifespan start-up took longer than {self._startup_timeout:g} s "
                "(--timeout-startup)"
            )
        if self._startup.done():
            failure = self._startup.result()
            if failure is not None:
                if failure:
                    logger.error("the application's start-up failed:\n%s", failure.rstrip())
                await self._give_up()
                raise StartupFailed("the application reported lifespan.startup.failed")
            self.supported = True
            return
        self._judge_early_end(self._task)

    def _judge_early_end(self, task: asyncio.Task[None]) -> None:
        """The application left the lifespan without a word: it may not know it, or it may have failed."""
        error = None if task.cancelled() else task.exception()
        self._task = None
        self.context = None
        if self._mode == "on":
            if error is not None:
                _log_error("the application failed in its lifespan start-up", error)
                raised = error.__cause__ if isinstance(error, _ExitRaised) else error
                raise StartupFailed(
                    f"the application raised {type(raised).__name__} in its lifespan start-up (--lifespan on)"
                )
            raise StartupFailed("the application returned from its lifespan start-up (--lifespan on)")
        if error is not None and self._startup_received and not isinstance(error, LocalProtocolError):
            # ASGI has the server go on, but it may well be a real failure: it must not be hidden.
            _log_error(
                "the application raised in its lifespan start-up without reporting "
                "lifespan.startup.failed; serving it without a lifespan (--lifespan on makes this fatal)",
                error,
            )
        else:
            logger.info("the application does not support the lifespan protocol; serving it without")

    async def shutdown(self) -> bool:
        """Shut the application down if it was started up; False when it failed or took too long."""
        if not self.supported or self._task is None or self._shutdown is None:
            return True
        self.supported = False
        if self._task.done():
            return not self._log_death(self._task)
        self._events.put_nowait({"type": "lifespan.shutdown"})
        waiting: set[asyncio.Future[Any]] = {self._shutdown, self._task}
        done, _ = await asyncio.wait(
            waiting, timeout=self._shutdown_timeout, return_when=asyncio.FIRST_COMPLETED
        )
        if not done:
            logger.error(
                "the application's lifespan shutdown took longer than %g s (--timeout-shutdown)",
                self._shutdown_timeout,
            )
            await self._give_up()
            return False
        if self._shutdown.done() and (failure := self._shutdown.result()) is not None:
            logger.error("the application's shutdown failed:\n%s", failure.rstrip())
            await self._give_up()
            return False
        # It has said that it is done; what it still does after that gets the same time again.
        await asyncio.wait({self._task}, timeout=self._shutdown_timeout)
        died = self._task.done() and self._log_death(self._task)
        await self._give_up()
        return not died

    async def _run(self) -> None:
        scope = {
            "type": "lifespan",
            "asgi": {"version": "3.0", "spec_version": "2.0"},
            "state": self.state,
        }
        try:
            await self._application(scope, self._receive, self._send)
        except (SystemExit, KeyboardInterrupt) as error:
            raise _ExitRaised(f"the application raised {type(error).__name__} in its lifespan") from error

    async def _receive(self) -> Message:
        message = await self._events.get()
        if message["type"] == "lifespan.startup":
            self._startup_received = True
        return message

    async def _send(self, message: Message) -> None:
        try:
            kind = message["type"]
        except (KeyError, TypeError):
            raise LocalProtocolError(f"a lifespan message is a dict with a type, not {message!r}") from None
        startup, shutdown = self._startup, self._shutdown
        if startup is None or shutdown is None:
            raise LocalProtocolError(f"{kind} was sent before the lifespan began")
        if kind in ("lifespan.startup.complete", "lifespan.startup.failed"):
            if startup.done():
                raise LocalProtocolError(f"{kind} was sent after the start-up had been reported")
            startup.set_result(None if kind.endswith("complete") else str(message.get("message", "")))
        elif kind in ("lifespan.shutdown.complete", "lifespan.shutdown.failed"):
            if not startup.done():
                raise LocalProtocolError(f"{kind} was sent before the start-up had been reported")
            if shutdown.done():
                raise LocalProtocolError(f"{kind} was sent after the shutdown had been reported")
            shutdown.set_result(None if kind.endswith("complete") else str(message.get("message", "")))
        else:
            raise LocalProtocolError(f"message type {kind!r} is not one of the ASGI lifespan")

    def _log_death(self, task: asyncio.Task[None]) -> bool:
        error = None if task.cancelled() else task.exception()
        if error is not None:
            _log_error("the application's lifespan failed", error)
        return error is not None

    async def _give_up(self) -> None:
        """Cancel the task and wait for it, briefly: it may swallow the cancellation."""
        task, self._task = self._task, None
        if task is None:
            return
        if not task.done():
            task.cancel()
            await asyncio.wait({task}, timeout=1.0)
        if task.done() and not task.cancelled():
            task.exception()  # looked at, so that asyncio does not complain; the failure is logged already


def _log_error(what: str, error: BaseException) -> None:
    logger.error("%s", what, exc_info=(type(error), error, error.__traceback__))
