"""Stop signals: delivered to a callback while a reactor runs, and given back afterwards."""

from __future__ import annotations

import signal
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable
    from types import FrameType

__all__ = ["STOP_SIGNALS", "StopSignals"]

STOP_SIGNALS: tuple[signal.Signals, ...] = tuple(
    getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGBREAK") if hasattr(signal, name)
)


class StopSignals:
    """Has the loop call `callback(number)` for each stop signal, between install() and restore().

    Both are for the main thread, and both for a turn of the running loop: uvloop takes the process's wake-up
    descriptor only while it runs, and refuses to forget a handler at any other time.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop, callback: Callable[[int], None]) -> None:
        self._loop = loop
        self._callback = callback
        self._previous: dict[signal.Signals, Any] = {}
        self._wakeup_fd = -1

    def install(self) -> None:
        """Take the signals over."""
        self._wakeup_fd = _current_wakeup_fd()
        for number in STOP_SIGNALS:
            previous = signal.getsignal(number)
            try:
                self._loop.add_signal_handler(number, self._callback, int(number))
            except NotImplementedError:
                signal.signal(number, self._from_interpreter)
            self._previous[number] = previous

    def restore(self) -> None:
        """Put back the handlers and the wake-up descriptor that install() found; idempotent."""
        previous, self._previous = self._previous, {}
        for number, handler in previous.items():
            try:
                self._loop.remove_signal_handler(number)
            except NotImplementedError:
                pass
            # None stands for a handler that was not installed from Python; it cannot be put back.
            if handler is not None:
                signal.signal(number, handler)
        # asyncio clears the descriptor with its last handler; a loop that still needs it leaves it in place.
        if previous and self._wakeup_fd != -1 and _current_wakeup_fd() == -1:
            try:
                signal.set_wakeup_fd(self._wakeup_fd)
            except (OSError, ValueError):
                # Its owner closed it meanwhile.
                pass

    def _from_interpreter(self, number: int, frame: FrameType | None) -> None:
        """Runs between any two bytecodes of the main thread, so it only leaves word with the loop."""
        self._loop.call_soon_threadsafe(self._callback, number)


def _current_wakeup_fd() -> int:
    """The descriptor that signals are written to; the signal module can only tell by exchanging it."""
    current = signal.set_wakeup_fd(-1)
    if current != -1:
        signal.set_wakeup_fd(current, warn_on_full_buffer=False)
    return current
