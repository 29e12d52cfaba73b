"""The ASGI bridge: consumes exchanges by calling an ASGI 3 application for each."""

from __future__ import annotations

import asyncio
import contextvars
import logging
import sys
from collections.abc import Awaitable, Callable, MutableMapping
from math import inf
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote_to_bytes

from ..server.access_log import escape
from ..server.errors import ClientDisconnected
from ..server.exchange import COMPLETE, GONE
from .http import EXTENSIONS, HttpCall

if TYPE_CHECKING:
    from ..reactor.tick import Tick
    from ..server.exchange import Exchange

__all__ = ["Application", "AsgiBridge", "Message", "Scope"]

Scope = dict[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Application = Callable[[Scope, Receive, Send], Awaitable[None]]

logger = logging.getLogger("ropewalk.asgi")

_ASGI = {"version": "3.0", "spec_version": "2.5"}

_EAGER = sys.version_info >= (3, 12)


class AsgiBridge:
    """Calls ``application`` for every exchange that it is given.

    ``state`` is the lifespan's state, copied into every request's scope; ``context`` holds the context
    variables that every call begins with, a copy each. ``calls`` are the calls that run, ``abandoned`` those
    among them whose client has left.
    """

    def __init__(
        self,
        application: Application,
        tick: Tick,
        *,
        root_path: str = "",
        abandoned_after: float = 10.0,
    ) -> None:
        self.application = application
        self.tick = tick
        self.root_path = root_path
        self._raw_root_path = root_path.encode("utf-8")
        self._abandoned_after = abandoned_after or inf
        self.state: dict[str, Any] = {}
        self.context = contextvars.Context()
        self.calls: set[HttpCall] = set()
        self.abandoned: set[HttpCall] = set()
        self.trailers: dict[HttpCall, list[tuple[bytes, bytes]]] = {}
        self.loop: asyncio.AbstractEventLoop
        self._has_task_factory = False

    def start(self, loop: asyncio.AbstractEventLoop) -> None:
        """Begin on ``loop``, which runs."""
        self.loop = loop
        self.tick.add(self.sweep)

    def adopt(self, state: dict[str, Any], context: contextvars.Context | None) -> None:
        """Take over what the application's start-up has left for the requests."""
        self.state = state
        self.context = contextvars.copy_context() if context is None else context
        self._has_task_factory = self.loop.get_task_factory() is not None

    def __call__(self, exchange: Exchange) -> None:
        path = exchange.path
        # A request target is ASCII; what is escaped in it need not be UTF-8.
        text = unquote_to_bytes(path).decode("utf-8", "replace") if b"%" in path else path.decode()
        root_path = self.root_path
        if root_path:
            text = root_path + text
            path = self._raw_root_path + path
        template: Scope | None = exchange.peer.cache
        if template is None:
            template = self._template(exchange)
        # Copying a dict that has all keys already is half the price of building it.
        scope = template.copy()
        scope["http_version"] = exchange.http_version
        scope["method"] = exchange.method
        scope["path"] = text
        scope["raw_path"] = path
        scope["query_string"] = exchange.query or b""
        scope["headers"] = exchange.fields.copy()
        scope["extensions"] = EXTENSIONS.copy()
        scope["state"] = self.state.copy()
        exchange.consumer = call = HttpCall(self, exchange)
        self.calls.add(call)
        # A context of its own: never that of whoever happens to run when the request arrives.
        context = self.context.copy()
        if self._has_task_factory:
            call.task = self.loop.create_task(call.run(scope), context=context)
        elif _EAGER:
            # An application that answers without waiting is done before the loop is visited again.
            call.task = asyncio.Task(
                call.run(scope),
                loop=self.loop,
                name="ropewalk request",
                context=context,
                eager_start=True,  # type: ignore[call-arg,unused-ignore]
            )
        else:
            # With a name given, none has to be made up.
            call.task = asyncio.Task(
                call.run(scope), loop=self.loop, name="ropewalk request", context=context
            )

    def _template(self, exchange: Exchange) -> Scope:
        """A scope with what stays the same for all requests of a connection."""
        peer = exchange.peer
        template: Scope = {
            "type": "http",
            "asgi": _ASGI,
            "http_version": exchange.http_version,
            "method": "",
            "scheme": peer.scheme,
            "path": "",
            "raw_path": b"",
            "query_string": b"",
            "root_path": self.root_path,
            "headers": [],
            "client": peer.client,
            "server": peer.server,
            "state": {},
            "extensions": {},
        }
        peer.cache = template
        return template

    # the end of calls ------------------------------------------------------------------------------

    def failed(self, call: HttpCall, error: BaseException) -> None:
        """The application raised: answer for it if it had not begun to, and log it."""
        exchange = call.exchange
        task = asyncio.current_task()  # call.task is not there yet while a call is begun eagerly
        if isinstance(error, asyncio.CancelledError) and task is not None and task.cancelling():
            logger.debug("%s: the call was cancelled", _name(exchange))
        elif exchange.state == GONE and _is_disconnect(error):
            logger.debug("%s: the client left before the response was complete", _name(exchange))
        else:
            traceback = error.__traceback__
            logger.error(
                "%s: the application raised %s",
                _name(exchange),
                type(error).__name__,
                # Without our own frame, which calls the application.
                exc_info=(type(error), error, traceback and traceback.tb_next),
            )
        exchange.refuse(500, "the application failed")

    def incomplete(self, call: HttpCall) -> None:
        """The application returned with its response unfinished."""
        exchange = call.exchange
        if call.told_to_go:
            logger.debug("%s: the application ended its call on http.disconnect", _name(exchange))
        else:
            logger.error("%s: the application returned without completing its response", _name(exchange))
        exchange.refuse(500, "the application did not answer")

    def abandon(self, call: HttpCall) -> None:
        """The client of ``call`` has left; it has the abandoned timeout to notice."""
        if call.abandoned_at is inf and self._abandoned_after is not inf:
            call.abandoned_at = self.tick.now + self._abandoned_after
            self.abandoned.add(call)

    def sweep(self, now: float) -> None:
        """Cancel the calls that have not ended in time after their client left."""
        for call in [call for call in self.abandoned if call.abandoned_at <= now]:
            self.abandoned.discard(call)
            if call.exchange.state == COMPLETE:
                continue  # it was answered after all, and what it does now is its own affair
            logger.info(
                "%s: cancelled, its client left %g s ago (--timeout-abandoned)",
                _name(call.exchange),
                self._abandoned_after,
            )
            call.task.cancel("the client has left")

    # shutdown --------------------------------------------------------------------------------------

    def ask_to_finish(self) -> int:
        """Give ``http.disconnect`` to the calls that still answer; how many they are."""
        open_calls = [call for call in self.calls if call.exchange.state < COMPLETE]
        for call in open_calls:
            call.asked_to_finish()
        return len(open_calls)

    def cancel(self) -> int:
        """Cancel the calls that still run; how many they are."""
        for call in tuple(self.calls):
            call.task.cancel("the server is stopping")
        return len(self.calls)

    def stop(self) -> None:
        """Leave the reactor's tick."""
        self.tick.remove(self.sweep)


def _name(exchange: Exchange) -> str:
    return f'{exchange.peer.name} "{escape(exchange.request_line)}"'


def _is_disconnect(error: BaseException) -> bool:
    """Whether ``error`` is how a framework passes on that the client has gone.

    It may have been raised from our error, or be a group of nothing else, as task groups make them.
    """
    seen: set[int] = set()
    link: BaseException | None = error
    while link is not None and id(link) not in seen:
        if isinstance(link, ClientDisconnected):
            return True
        if isinstance(link, BaseExceptionGroup) and all(map(_is_disconnect, link.exceptions)):
            return True
        seen.add(id(link))
        link = link.__cause__ or link.__context__
    return False
