"""A site: what the HTTP connections of one application have in common."""

from __future__ import annotations

import logging
import socket
import struct
import sys
import time
from math import inf
from typing import TYPE_CHECKING, Any, Final

from .errors import LimitExceeded
from .exchange import Peer
from .http1.connection import Http1Connection
from .http1.head import SectionMemo
from .http1.response_head import ResponseHeadMemo
from .sendfile import FileTransfer

if TYPE_CHECKING:
    from collections.abc import Callable

    from ..reactor.tick import Tick
    from .access_log import AccessLog
    from .config import Config
    from .connection import HttpConnection
    from .errors import RemoteProtocolError
    from .exchange import Exchange
    from .http1.exchange import Http1Exchange

__all__ = ["Site", "imf_fixdate"]

logger = logging.getLogger("ropewalk.server")

_DAYS: Final = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_MONTHS: Final = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")

# With this many connections, those that have been idle for a while give up their head memo.
_MANY_CONNECTIONS: Final = 1000
_IDLE_FOR: Final = 5.0

# Where Linux's tcp_info has the milliseconds since data last arrived (a FIN is no data) and the round trip in
# microseconds.
_TCP_INFO: Final = getattr(socket, "TCP_INFO", None) if sys.platform == "linux" else None
_LAST_DATA_RECEIVED: Final = 52
_ROUND_TRIP: Final = 68
_JUST_NOW: Final = 10  # milliseconds
_NEAR: Final = 500  # microseconds
_NEAR_BUFFER: Final = 128 * 1024

_RESET_ON_CLOSE: Final = struct.pack("ii", 1, 0)


def imf_fixdate(wall: int) -> bytes:
    """Unix seconds as the Date field writes them (RFC 9110 5.6.7)."""
    now = time.gmtime(wall)
    return (
        f"{_DAYS[now.tm_wday]}, {now.tm_mday:02d} {_MONTHS[now.tm_mon - 1]} {now.tm_year} "
        f"{now.tm_hour:02d}:{now.tm_min:02d}:{now.tm_sec:02d} GMT"
    ).encode("ascii")


class Site:
    """Calls make protocols: a site is the factory that a reactor listens with.

    ``consumer`` is called with each exchange as it begins. ``now`` is the tick's coarse clock and
    ``idle_until`` the keep-alive deadline of a connection idle from now on. ``tails`` are the rendered
    Date and Server fields with the empty line behind them, by what the application set itself (bit 0: Date,
    bit 1: Server).
    """

    def __init__(
        self,
        consumer: Callable[[Exchange], None],
        config: Config,
        tick: Tick,
        call_soon: Callable[..., object],
        access_log: AccessLog | None = None,
    ) -> None:
        self.consumer = consumer
        self.limits = config.limits
        self.timeouts = config.timeouts
        self.http = config.http
        self.tick = tick
        self.call_soon = call_soon
        self.access_log = access_log
        self.counts_requests = bool(access_log) or bool(config.limits.requests)
        self.longest_request_line = config.limits.request_line + 2 if config.limits.request_line else inf
        self._keep_alive = config.timeouts.keep_alive or inf
        self.now = tick.now
        self.idle_until = tick.now + self._keep_alive
        self.sections = SectionMemo()
        self.heads = ResponseHeadMemo()
        self.connections: set[HttpConnection] = set()
        self.draining = False
        self.tails: list[bytes] = []
        self._tails_wall = -1
        self._render_tails()
        tick.add(self.sweep)

    def __call__(self) -> Http1Connection:
        return Http1Connection(self)

    def peer_of(self, transport: Any) -> Peer:
        """Who is at either end of ``transport``."""
        client = transport.get_extra_info("peername")
        server = transport.get_extra_info("sockname")
        scheme = "https" if transport.get_extra_info("sslcontext") is not None else "http"
        if isinstance(client, tuple) and isinstance(server, tuple):
            return Peer((client[0], client[1]), (server[0], server[1]), scheme)
        # A Unix socket: its client has no name of its own.
        if isinstance(server, bytes):
            server = server.decode("utf-8", "surrogateescape")
        return Peer(None, (server, None) if isinstance(server, str) and server else None, scheme)

    # time ------------------------------------------------------------------------------------------

    def sweep(self, now: float) -> None:
        """Called on every coarse tick: render the date, find deadlines that have passed."""
        self.now = now
        self.idle_until = now + self._keep_alive
        self._render_tails()
        connections = self.connections
        overdue = [
            connection
            for connection in connections
            if connection.deadline <= now or connection.write_deadline <= now
        ]
        for connection in overdue:
            connection.overdue(now)
        if len(connections) > _MANY_CONNECTIONS:
            idle_until = self.idle_until - _IDLE_FOR
            for connection in connections:
                if connection.deadline < idle_until:
                    connection.forget_section()

    def _render_tails(self) -> None:
        wall = self.tick.wall
        if wall == self._tails_wall:
            return
        self._tails_wall = wall
        date = b"date: " + imf_fixdate(wall) + b"\r\n" if self.http.date_header else b""
        server = b"server: ropewalk\r\n" if self.http.server_header else b""
        self.tails = [date + server + b"\r\n", server + b"\r\n", date + b"\r\n", b"\r\n"]

    # shutdown --------------------------------------------------------------------------------------

    def drain(self) -> None:
        """Begin to stop: idle connections close, the others after the response under way."""
        self.draining = True
        for connection in tuple(self.connections):
            connection.drain()

    @property
    def busy(self) -> bool:
        """Whether a request is being received or answered."""
        return any(connection.busy for connection in self.connections)

    def close_idle(self) -> None:
        """Close the connections whose next request is still incomplete."""
        for connection in tuple(self.connections):
            if not connection.answering:
                connection.close()

    def abort(self) -> None:
        """End every connection that is still there."""
        for connection in tuple(self.connections):
            connection.abort()

    def close(self) -> None:
        """Leave the reactor's tick; for a site whose connections are gone."""
        self.tick.remove(self.sweep)

    # services for connections ----------------------------------------------------------------------

    def gathers_writes(self, transport: Any) -> bool:
        """Whether ``transport.writelines`` hands several buffers to the system in one call, uncopied.

        asyncio's joins them, or (3.12.0 to 3.12.8, 3.13.0 and 3.13.1: CVE-2024-12254) does not pause the
        protocol afterwards.
        """
        return type(transport).__module__.startswith("uvloop")

    def prepare_for_bulk(self, transport: Any) -> None:
        """Keep what the system buffers for a near client small, before much is written to it.

        Linux lets the buffers of a connection grow to megabytes, which a distant client needs to be kept
        busy. Over a round trip of less than half a millisecond a fraction does, and with it the data stays
        in the processor's cache: sending 1 MiB over loopback costs little more than half.
        """
        info = self._tcp_info(transport, _ROUND_TRIP)
        if info is not None and info <= _NEAR:
            transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _NEAR_BUFFER)

    def send_file(
        self,
        connection: Http1Connection,
        exchange: Http1Exchange,
        fd: int,
        offset: int,
        count: int,
        last: bool,
    ) -> None:
        """Send ``count`` bytes of the file ``fd`` over ``connection``, then tell ``exchange``."""
        connection.transfer = FileTransfer(connection, exchange, fd, offset, count, last)
        connection.transfer.begin()

    def reset(self, transport: Any) -> None:
        """Abort ``transport`` with a TCP reset, which no client can take for the end of a message."""
        sock = transport.get_extra_info("socket")
        if sock is not None and sock.family in (socket.AF_INET, socket.AF_INET6):
            try:
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET_ON_CLOSE)
            except OSError:
                pass  # closed already
        transport.abort()

    def sent_just_now(self, transport: Any) -> bool:
        """Whether data came in from the client within the last moment; False where the system cannot say."""
        milliseconds = self._tcp_info(transport, _LAST_DATA_RECEIVED)
        return milliseconds is not None and milliseconds <= _JUST_NOW

    @staticmethod
    def _tcp_info(transport: Any, offset: int) -> int | None:
        """A number of Linux's tcp_info, None where there is none."""
        sock = transport.get_extra_info("socket")
        if _TCP_INFO is None or sock is None or sock.family not in (socket.AF_INET, socket.AF_INET6):
            return None
        try:
            info = sock.getsockopt(socket.IPPROTO_TCP, _TCP_INFO, offset + 4)
        except OSError:
            return None
        number: int = struct.unpack_from("I", info, offset)[0]
        return number

    def log_refusal(self, connection: Http1Connection, error: RemoteProtocolError) -> None:
        """Note a request that was refused: one line, no traceback, nothing of what the peer sent."""
        option = f" ({error.option})" if isinstance(error, LimitExceeded) else ""
        logger.info("%s: refused with %d: %s%s", connection.peer.name, error.status, error, option)

    def log_limit(self, connection: HttpConnection, what: str, option: str) -> None:
        """Note a limit that fired, with the option that sets it."""
        logger.info("%s: %s (%s); connection aborted", connection.peer.name, what, option)

    def log_local_error(self, exchange: Exchange, what: str) -> None:
        """Note what the application did wrong."""
        logger.error('%s: "%s": %s', exchange.peer.name, exchange.request_line, what)
