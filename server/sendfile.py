"""Files to sockets without copying them through Python, on any event loop's transport.

uvloop has no sendfile of its own, and a second watcher on a transport's descriptor is not allowed. So the
system call is made directly while the transport has nothing waiting; when the socket takes no more, a small
piece of the file goes through the transport, whose "drained" event then says when to go on.
"""

from __future__ import annotations

import os
import socket
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from .http1.connection import Http1Connection
    from .http1.exchange import Http1Exchange

__all__ = ["FileTransfer"]

# Sent per turn of the loop, so that one fast client does not hold up the others.
_PER_TURN: Final = 1024 * 1024
# What goes through the transport when the socket is full: also what has to drain before the next try.
_PIECE: Final = 64 * 1024

_SENDFILE: Final = getattr(os, "sendfile", None)


class FileTransfer:
    """Sends a stretch of one file as a piece of one exchange's body.

    The descriptor stays the caller's. A file that ends early aborts the connection: its length is announced.
    """

    __slots__ = ("_connection", "_exchange", "_fd", "_last", "_left", "_offset", "_socket_fd")

    def __init__(
        self,
        connection: Http1Connection,
        exchange: Http1Exchange,
        fd: int,
        offset: int,
        count: int,
        last: bool,
    ) -> None:
        self._connection = connection
        self._exchange = exchange
        self._fd = fd
        self._offset = offset
        self._left = count
        self._last = last
        self._socket_fd = _plain_socket(connection.transport)

    def begin(self) -> None:
        """Send the first bytes on the next turn, behind the head that was just written."""
        # With a low-water mark of 0 the transport reports the moment at which nothing waits in it.
        self._connection.transport.set_write_buffer_limits(high=_PIECE, low=0)
        self._connection.site.call_soon(self.proceed)

    def proceed(self) -> None:
        """Send as much as goes now; called again when the transport has drained."""
        connection = self._connection
        transport = connection.transport
        if connection.transfer is not self or connection.write_paused:
            return
        try:
            if self._socket_fd is None or transport.get_write_buffer_size():
                blocked = True
            else:
                blocked = self._send_directly(self._socket_fd)
            if blocked and self._left:
                self._send_piece()
        except (OSError, EOFError) as error:
            self._fail(error)
            return
        if not self._left:
            connection.transfer = None
            transport.set_write_buffer_limits(high=connection.site.limits.write_buffer)
            self._exchange.file_sent(self._last)
        elif not connection.write_paused:
            connection.site.call_soon(self.proceed)

    def _send_directly(self, socket_fd: int) -> bool:
        """Use the system call until the socket is full (True) or this turn's share is sent (False)."""
        share = _PER_TURN
        while self._left and share > 0:
            try:
                sent = _SENDFILE(socket_fd, self._fd, self._offset, min(self._left, share))  # type: ignore[misc]
            except (BlockingIOError, InterruptedError):
                return True
            if not sent:
                raise EOFError("the file is shorter than it was")
            self._offset += sent
            self._left -= sent
            share -= sent
        return False

    def _send_piece(self) -> None:
        piece = os.pread(self._fd, min(self._left, _PIECE), self._offset)
        if not piece:
            raise EOFError("the file is shorter than it was")
        self._offset += len(piece)
        self._left -= len(piece)
        self._connection.write(piece)

    def _fail(self, error: Exception) -> None:
        connection = self._connection
        connection.transfer = None
        if not isinstance(error, ConnectionError):  # which only says that the client has left
            connection.site.log_local_error(self._exchange, f"a file could not be sent: {error}")
        connection.abort()


def _plain_socket(transport: Any) -> int | None:
    """The descriptor to call sendfile on, None where bytes must go through the transport (TLS)."""
    if _SENDFILE is None or transport.get_extra_info("sslcontext") is not None:
        return None
    sock = transport.get_extra_info("socket")
    if sock is None or sock.type != socket.SOCK_STREAM:
        return None
    descriptor: int = sock.fileno()
    return descriptor if descriptor >= 0 else None
