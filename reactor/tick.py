"""The coarse tick: one timer that serves every deadline and every cached date of a reactor."""

from __future__ import annotations

import logging
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable

__all__ = ["Tick"]

logger = logging.getLogger("ropewalk.reactor")

MAX_INTERVALS_PER_TURN = 2


class Tick:
    """Calls its subscribers every `interval` seconds and keeps a clock that is free to read.

    A deadline is a number compared with `now` in a subscriber's sweep; no timer is made for it.
    `now` counts seconds from the tick's construction and stands still while the tick is stopped.
    """

    __slots__ = ("_callbacks", "_due", "_loop", "_seen", "_timer", "_wall_clock", "interval", "now", "wall")

    def __init__(self, interval: float = 0.5, *, wall_clock: Callable[[], float] = time.time) -> None:
        if not interval > 0:
            raise ValueError(f"the tick interval must be above 0 seconds, not {interval!r}")
        self.interval = interval
        self.now = 0.0
        self._wall_clock = wall_clock
        self.wall = int(wall_clock())
        # A dict for its order and its cheap removal; the values mean nothing.
        self._callbacks: dict[Callable[[float], None], None] = {}
        self._loop: asyncio.AbstractEventLoop | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._seen = 0.0
        self._due = 0.0

    def add(self, callback: Callable[[float], None]) -> None:
        """Have `callback(now)` called on every tick, from the next one on; twice added is called once."""
        self._callbacks[callback] = None

    def remove(self, callback: Callable[[float], None]) -> None:
        """Call `callback` no more, not even later in the sweep that is going on; unknown ones are ignored."""
        self._callbacks.pop(callback, None)

    def turn(self, elapsed: float, wall: float) -> None:
        """Advance by `elapsed` seconds and call the subscribers; `wall` is the unix time in seconds."""
        # A tick comes late when the loop was blocked, and then the peers could not be heard either: what they
        # sent in time is unread in the sockets yet. Counting the whole gap would expire all of them at once.
        self.now += min(max(elapsed, 0.0), MAX_INTERVALS_PER_TURN * self.interval)
        self.wall = int(wall)
        callbacks = self._callbacks
        now = self.now
        for callback in tuple(callbacks):
            if callback not in callbacks:
                continue
            try:
                callback(now)
            except Exception:
                logger.exception("a tick callback failed: %r", callback)

    def start(self, loop: asyncio.AbstractEventLoop) -> None:
        """Begin to tick on `loop`, whose first tick comes one interval from now."""
        if self._loop is not None:
            raise RuntimeError("the tick is started already")
        self._loop = loop
        self.wall = int(self._wall_clock())
        self._seen = loop.time()
        self._due = self._seen + self.interval
        self._timer = loop.call_at(self._due, self._fire)

    def stop(self) -> None:
        """Tick no more; idempotent, and start() may follow on another loop."""
        self._loop = None
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _fire(self) -> None:
        loop = self._loop
        if loop is None:
            return
        time_now = loop.time()
        elapsed = time_now - self._seen
        self._seen = time_now
        try:
            self.turn(elapsed, self._wall_clock())
        finally:
            # A callback may have stopped the tick, or stopped it and started it elsewhere.
            if self._loop is loop:
                # Stepping from the due time keeps the mean interval exact; after a block the missed ticks are
                # left out, or they would all come at once.
                self._due += self.interval
                if self._due <= time_now:
                    self._due = time_now + self.interval
                self._timer = loop.call_at(self._due, self._fire)
