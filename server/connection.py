"""What every HTTP connection does with its transport, whatever version it speaks.

Pausing, closing and the write stall are the same for all; an engine adds what it makes of the bytes. Nothing
here imports a loop, socket, clock or logger: the transport is handed in, and time is the site's coarse clock.
"""

from __future__ import annotations

from math import inf
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from .exchange import Peer
    from .sendfile import FileTransfer
    from .site import Site

__all__ = ["HttpConnection", "Linger"]

# Where the transport cannot gather, a copy of up to this size is cheaper than a system call for each part.
COPY_BELOW: Final = 256 * 1024


class HttpConnection:
    """The transport's side of a connection: what an engine is built on.

    ``deadline`` and ``write_deadline`` are compared with the site's clock on every coarse tick;
    :meth:`overdue` is called when one has passed.
    """

    __slots__ = (
        "_bulk",
        "_read_paused",
        "_write_mark",
        "closing",
        "deadline",
        "half_closed",
        "peer",
        "site",
        "transfer",
        "transport",
        "write",
        "write_deadline",
        "write_paused",
    )

    peer: Peer

    def __init__(self, site: Site) -> None:
        self.site = site
        self.transport: Any = None
        self.half_closed = False  # the client has closed its side
        self.closing = False  # nothing more is taken from the client
        self.write_paused = False
        self.deadline = inf
        self.write_deadline = inf
        self.transfer: FileTransfer | None = None  # the file that is being sent
        self._bulk = False  # large pieces have been written
        self._read_paused = False

    def connection_made(self, transport: Any) -> None:
        """Begin: the client has to send its first byte within the first-byte timeout."""
        site = self.site
        self.transport = transport
        self.write = transport.write
        self.peer = site.peer_of(transport)
        transport.set_write_buffer_limits(high=site.limits.write_buffer)
        self.deadline = site.now + (site.timeouts.first_byte or inf)
        site.connections.add(self)
        if site.draining:
            self.close()

    def pause_writing(self) -> None:
        """More than the high-water mark waits to be written."""
        self.write_paused = True
        self._await_progress()

    def resume_writing(self) -> None:
        """What was written has drained below the low-water mark."""
        self.write_paused = False
        self.write_deadline = inf
        if self.transfer is not None:
            self.transfer.proceed()
        else:
            self.drained()

    def drained(self) -> None:
        """For the engine: whoever was told to wait may go on."""
        raise NotImplementedError

    def end(self) -> None:
        """For the engine: let go of everything; the transport is gone or about to be."""
        raise NotImplementedError

    def read_overdue(self) -> None:
        """For the engine: ``deadline`` has passed."""
        raise NotImplementedError

    def drain(self) -> None:
        """For the engine: the site is stopping; close if idle, else after what is under way."""
        raise NotImplementedError

    def forget_section(self) -> None:
        """For the engine: give up what is only remembered to be fast."""
        raise NotImplementedError

    @property
    def answering(self) -> bool:
        """For the engine: whether an exchange is under way."""
        raise NotImplementedError

    @property
    def busy(self) -> bool:
        """For the engine: whether a request is being received or answered, or an answer still on its way."""
        raise NotImplementedError

    # writing ---------------------------------------------------------------------------------------

    def write_parts(self, parts: tuple[bytes, ...]) -> None:
        """Write a large piece of a body with what frames it, without copying where the transport can."""
        if not self._bulk:
            self._bulk = True
            self.site.prepare_for_bulk(self.transport)
        if self.site.gathers_writes(self.transport):
            self.transport.writelines([part for part in parts if part])
        elif sum(map(len, parts)) <= COPY_BELOW:
            self.write(b"".join(parts))
        else:
            for part in parts:
                if part:
                    self.write(part)

    def _await_progress(self) -> None:
        self._write_mark = self.transport.get_write_buffer_size()
        self.write_deadline = self.site.now + (self.site.timeouts.write_stall or inf)

    # pausing ---------------------------------------------------------------------------------------

    def pause_reading(self) -> None:
        """Stop reading from the socket; what the client does not send in time is then not its fault."""
        if not self._read_paused and not self.transport.is_closing():
            self._read_paused = True
            self.deadline = inf
            self.transport.pause_reading()

    def resume_reading(self) -> None:
        """Read again."""
        if self._read_paused:
            self._read_paused = False
            if not self.transport.is_closing():
                self.transport.resume_reading()

    # closing ---------------------------------------------------------------------------------------

    def close(self) -> None:
        """Close once all that was written is sent; the write stall bounds how long that may take."""
        self.closing = True
        self.deadline = inf
        if self.transport.get_write_buffer_size():
            self._await_progress()
        self.transport.close()

    def abort(self) -> None:
        """Break the connection off with a reset: what was sent must not pass for a complete response."""
        self.site.reset(self.transport)
        self.end()

    # time ------------------------------------------------------------------------------------------

    def overdue(self, now: float) -> None:
        """A deadline has passed."""
        if self.write_deadline <= now:
            self._write_overdue(now)
        if self.deadline <= now:
            self.deadline = inf
            self.read_overdue()

    def _write_overdue(self, now: float) -> None:
        waiting = self.transport.get_write_buffer_size()
        if waiting < self._write_mark:
            self._write_mark = waiting
            self.write_deadline = now + self.site.timeouts.write_stall
            return
        self.site.log_limit(self, "the client does not read", "--timeout-write-stall")
        self.abort()


class Linger:
    """What still arrives after an answer, thrown away within bounds of size and time (RFC 9112 9.6).

    Closing on unread data makes the system reset the connection, and the answer may be lost with it.
    """

    __slots__ = ("_end", "_left", "_site", "deadline")

    def __init__(self, site: Site) -> None:
        self._site = site
        self._left = site.limits.linger
        self._end = site.now + (site.timeouts.linger or inf)
        self._rearm()

    def take(self, size: int) -> bool:
        """Throw ``size`` bytes away; False when that was more than is borne with."""
        self._left -= size
        self._rearm()
        return self._left >= 0

    def _rearm(self) -> None:
        self.deadline = min(self._end, self._site.now + (self._site.timeouts.linger_idle or inf))
