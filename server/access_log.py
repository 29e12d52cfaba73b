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

    __slots__ = ("_call_later", "_clock", "_lines", "_rendered", "_second", "_stream", "_tick", "timer")

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
        self._lines: list[str] = []
        self._second = -1
        self._rendered = ""

    def record(self, exchange: Exchange, complete: bool) -> None:
        """Log ``exchange``, whose response is complete or has broken off."""
        wall = self._tick.wall
        if wall != self._second:
            self._second = wall
            self._rendered = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(wall))
        query = exchange.query
        target = (exchange.path if query is None else b"%b?%b" % (exchange.path, query)).decode("latin-1")
        if _UNSAFE.search(target) is not None:
            target = escape(target)
        client = exchange.peer.name
        # Writing a float costs more than the rest of the line; most responses are found in the table.
        hundredths = int((self.timer() - exchange.started_at) * 100_000.0)
        duration = _SHORT[hundredths] if 0 <= hundredths < _TABLE else f"{hundredths / 100:.2f}"
        lines = self._lines
        if not lines:
            self._call_later(_DELAY, self.flush)
        broken = "" if complete or exchange.state == COMPLETE else " -"
        lines.append(
            f'{self._rendered} {client} "{exchange.method} {target} HTTP/{exchange.http_version}" '
            f"{exchange.status}{broken} {exchange.bytes_sent} {duration}ms\n"
        )
        if len(lines) >= _MOST_WAITING:
            self.flush()

    def flush(self) -> None:
        """Write the lines that wait."""
        if not self._lines:
            return
        text = "".join(self._lines)
        self._lines.clear()
        try:
            self._stream.write(text)
            self._stream.flush()
        except (OSError, ValueError) as error:  # a closed pipe, a full disk, a closed stream
            logger.warning("the access log cannot be written: %s", error)
