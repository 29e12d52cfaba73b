"""The access log: one line per response, written when it is complete."""

from __future__ import annotations

import logging
import re
import time
from typing import TYPE_CHECKING, Final, TextIO

from .exchange import COMPLETE

if TYPE_CHECKING:
    from collections.abc import Callable

    from ..reactor.tick import Tick
    from .exchange import Exchange

__all__ = ["AccessLog", "escape"]

logger = logging.getLogger("ropewalk.server")

# What could end the quoted string, the line, or act on a terminal (latin-1 text).
_UNSAFE: Final = re.compile(r"[^ !#-\[\]-~]")

# Durations below 10 ms in hundredths of a millisecond, written out once.
_TABLE: Final = 1000
_SHORT: Final = [f"{hundredths / 100:.2f}" for hundredths in range(_TABLE)]

# Lines wait this long (seconds) to leave together: one system call for many.
_DELAY: Final = 0.05
_MOST_WAITING: Final = 128


def escape(text: str) -> str:
    r"""``text`` (latin-1) with control bytes, quotes, backslashes and all that is not ASCII as ``\xNN``."""
    return _UNSAFE.sub(lambda match: f"\\x{ord(match[0]):02x}", text)


class AccessLog:
    """Writes lines such as ``2026-11-23 08:30:00 127.0.0.1:50312 "GET /a?b HTTP/1.1" 200 13 0.42ms``.

    Time of day (local), client, request line, status, bytes of the body, and the time from the end of the
    request head to the end of the response. A response that broke off has ``-`` behind its status.

    Lines are gathered for a moment and written together; :meth:`flush` writes what waits.
    """

    __slots__ = ("_call_later", "_entries", "_second", "_stream", "_tick", "timer")

    def __init__(
        self,
        stream: TextIO,
        tick: Tick,
        call_later: Callable[[float, Callable[[], object]], object],
        timer: Callable[[], float] = time.perf_counter,
    ) -> None:
        self._stream = stream
        self._tick = tick
        self._call_later = call_later
        self.timer = timer
        self._entries: list[tuple[Exchange, float, bool]] = []
        self._second = tick.wall

    def record(self, exchange: Exchange, complete: bool) -> None:
        """Log ``exchange``, whose response is complete or has broken off."""
        wall = self._tick.wall
        if wall != self._second:
            self.flush()  # what waits belongs to the second before
            self._second = wall
        entries = self._entries
        if not entries:
            self._call_later(_DELAY, self.flush)
        entries.append((exchange, self.timer() - exchange.started_at, complete))
        if len(entries) >= _MOST_WAITING:
            self.flush()

    def flush(self) -> None:
        """Write the lines that wait."""
        entries = self._entries
        if not entries:
            return
        self._entries = []
        when = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(self._second))
        text = "".join(
            [
                f'{when} {exchange.peer.name} "{exchange.method} {target} HTTP/{exchange.http_version}" '
                f"{exchange.status}{'' if complete or exchange.state == COMPLETE else ' -'} "
                f"{exchange.bytes_sent} {_milliseconds(seconds)}ms\n"
                for (exchange, seconds, complete), target in zip(entries, _targets(entries), strict=True)
            ]
        )
        try:
            self._stream.write(text)
            self._stream.flush()
        except (OSError, ValueError) as error:  # a closed pipe, a full disk, a closed stream
            logger.warning("the access log cannot be written: %s", error)


def _targets(entries: list[tuple[Exchange, float, bool]]) -> list[str]:
    """The request targets as text that is safe to print, decoded and checked all at once."""
    raw = [
        exchange.path if exchange.query is None else b"%b?%b" % (exchange.path, exchange.query)
        for exchange, _, _ in entries
    ]
    text = b" ".join(raw).decode("latin-1")
    targets = text.split(" ")
    if _UNSAFE.search(text) is None and len(targets) == len(raw):
        return targets
    return [escape(target.decode("latin-1")) for target in raw]


def _milliseconds(seconds: float) -> str:
    # Writing a float costs more than the rest of the line; most durations are found in the table.
    hundredths = int(seconds * 100_000.0)
    return _SHORT[hundredths] if 0 <= hundredths < _TABLE else f"{hundredths / 100:.2f}"
