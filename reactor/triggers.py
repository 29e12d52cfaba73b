"""System event triggers: what is to happen before, during and after a reactor's startup and shutdown."""

from __future__ import annotations

import asyncio
import inspect
import itertools
import logging
from typing import TYPE_CHECKING, Any, Literal, NewType

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

__all__ = ["Event", "Phase", "SystemEvents", "TriggerId"]

logger = logging.getLogger("ropewalk.reactor")

Phase = Literal["before", "during", "after"]
Event = Literal["startup", "shutdown"]
TriggerId = NewType("TriggerId", int)

PHASES: tuple[Phase, ...] = ("before", "during", "after")
EVENTS: tuple[Event, ...] = ("startup", "shutdown")

Trigger = tuple["Callable[..., object]", tuple[Any, ...]]


class SystemEvents:
    """Holds triggers by event and phase, and fires a phase: each trigger once, in the order of adding.

    A trigger may return an awaitable; the awaitables of one phase run concurrently and a phase ends with the
    last of them. A trigger that fails is logged and keeps nothing else from happening.
    """

    def __init__(self) -> None:
        self._ids = itertools.count(1)
        self._triggers: dict[tuple[Phase, Event], dict[TriggerId, Trigger]] = {
            (phase, event): {} for event in EVENTS for phase in PHASES
        }
        self._awaited: set[asyncio.Task[None]] = set()

    def add(self, phase: Phase, event: Event, f: Callable[..., object], args: tuple[Any, ...]) -> TriggerId:
        """Queue f(*args) for a phase of an event; ValueError when there is no such phase or event."""
        try:
            queue = self._triggers[phase, event]
        except KeyError:
            raise ValueError(
                f"no such system event phase: {phase!r} {event!r}; phases are {', '.join(PHASES)}, "
                f"events are {', '.join(EVENTS)}"
            ) from None
        trigger_id = TriggerId(next(self._ids))
        queue[trigger_id] = (f, args)
        return trigger_id

    def remove(self, trigger_id: TriggerId) -> None:
        """Drop a trigger that has not been called; ValueError when it has, or is unknown."""
        for queue in self._triggers.values():
            if queue.pop(trigger_id, None) is not None:
                return
        raise ValueError(f"no trigger with the id {trigger_id!r} is waiting: called, removed or never added")

    def drop(self, event: Event) -> None:
        """Forget every trigger of an event that has not been called."""
        for phase in PHASES:
            self._triggers[phase, event].clear()

    async def fire(self, phase: Phase, event: Event, *, skip: Callable[[], bool] = lambda: False) -> None:
        """Call the triggers of one phase and wait for what they return; once `skip()` is true, call no more.

        Triggers that are added to this phase meanwhile are called as well.
        """
        queue = self._triggers[phase, event]
        try:
            while True:
                while queue and not skip():
                    f, args = queue.pop(next(iter(queue)))
                    self._call(phase, event, f, args)
                if not self._awaited:
                    return
                await asyncio.wait(self._awaited)
                self._awaited = {task for task in self._awaited if not task.done()}
        except asyncio.CancelledError:
            for task in self._awaited:
                task.cancel()
            self._awaited = set()
            raise

    def cancel_awaited(self) -> None:
        """Cancel the awaitables that the firing phase waits for, except the one that calls this."""
        try:
            caller = asyncio.current_task()
        except RuntimeError:
            caller = None
        for task in self._awaited:
            if task is not caller:
                task.cancel()

    def _call(self, phase: Phase, event: Event, f: Callable[..., object], args: tuple[Any, ...]) -> None:
        try:
            result = f(*args)
        except Exception:
            logger.exception("the trigger %r %s %s failed", f, phase, event)
            return
        if inspect.isawaitable(result):
            self._awaited.add(asyncio.ensure_future(self._watch(phase, event, f, result)))

    async def _watch(
        self, phase: Phase, event: Event, f: Callable[..., object], result: Awaitable[object]
    ) -> None:
        try:
            await result
        except asyncio.CancelledError:
            task = asyncio.current_task()
            if task is not None and task.cancelling():
                raise
            logger.exception("the trigger %r %s %s was cancelled from within", f, phase, event)
        except Exception:
            logger.exception("the trigger %r %s %s failed", f, phase, event)
