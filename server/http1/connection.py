"""The HTTP/1.1 connection: bytes in, exchanges out, one at a time and in order (RFC 9112 9).

It is a protocol by shape (``connection_made``, ``data_received``, …) and needs of its transport only the
writing and pausing that any transport has; it imports no loop, socket, clock or logger. What it shares
with the other connections of its site (limits, memos, the coarse clock, the consumer of exchanges) is the
``site``.

What is read goes through four modes::

    HEAD ──> BODY ──> HEAD …          one request after another
      └──────┴─────> DISCARD          an early or last answer is out; the rest is thrown away, within bounds
      └──────┴─────> DEAF             nothing that still arrives is looked at
"""

from __future__ import annotations

from math import inf
from typing import TYPE_CHECKING, Final

from ..connection import HttpConnection, Linger
from ..errors import LimitExceeded, RemoteProtocolError
from ..exchange import AWAITING, STARTED, STREAMING
from .exchange import Http1Exchange, RequestBody
from .grammar import FAST_REQUEST_LINE, HeadScanner
from .head import parse_head
from .response_head import refusal
from .upload import Upload

if TYPE_CHECKING:
    from ..site import Site
    from .head import HeaderSection

__all__ = ["Http1Connection"]

HEAD: Final = 0
BODY: Final = 1
DISCARD: Final = 2
DEAF: Final = 3

_METHODS: Final = {
    name.encode(): name for name in ("GET", "POST", "PUT", "HEAD", "DELETE", "PATCH", "OPTIONS")
}

_CONTINUE: Final = b"HTTP/1.1 100 Continue\r\n\r\n"


class Http1Connection(HttpConnection):
    """One TCP (or Unix, or TLS) connection that speaks HTTP/1.1.

    ``last_exchange``: the response under way is the last.
    """

    __slots__ = (
        "_blank_skipped",
        "_buffer",
        "_continue_sent",
        "_last",
        "_last_data",
        "_linger",
        "_receiving",
        "_requests",
        "_scanner",
        "_section",
        "_upload",
        "exchange",
        "idle",
        "last_exchange",
        "mode",
    )

    def __init__(self, site: Site) -> None:
        super().__init__(site)
        self.exchange: Http1Exchange | None = None
        self.last_exchange = False
        self.mode = HEAD
        self.idle = True  # no request is under way and nothing is buffered: what comes may take the fast path
        self._buffer: bytearray | None = None  # bytes ahead of their turn, or part of a head
        self._scanner: HeadScanner | None = None
        self._section: HeaderSection | None = None  # the last one, for the head memo
        self._last_data: bytes | None = None  # the last request that was one piece, and what it meant
        self._last: Http1Exchange | None = None
        self._upload: Upload | None = None
        self._linger: Linger | None = None
        self._receiving = False
        self._blank_skipped = False
        self._requests = 0

    # what the transport tells ----------------------------------------------------------------------

    def data_received(self, data: bytes) -> None:
        """Take what arrived. The fast path is a request whose header section has been seen before."""
        if self.idle:
            site = self.site
            if data == self._last_data and self._last is not None:
                # The very same bytes as last time, as clients that poll send them: they mean the same.
                last = self._last
                exchange = Http1Exchange(self, last.method, last.path, last.query, "1.1", last.section)
            else:
                match = FAST_REQUEST_LINE(data)
                if match is None:
                    self._take(data)
                    return
                end = match.end()
                section = self._section
                if section is None or not data.startswith(section.raw, end):
                    section = site.sections.get(data[end : data.find(b"\r\n\r\n", end - 2) + 4])
                    self._section = section
                if section is None or end > site.longest_request_line:
                    self._take(data)
                    return
                method, path, query = match.groups()
                exchange = Http1Exchange(self, _METHODS[method], path, query, "1.1", section)
                end += section.size
                if end != len(data) or not section.bodiless:
                    self._receiving = True
                    self._begin_with(exchange, data[end:])
                    self._receiving = False
                    self._advance()
                    return
                self._last_data = data
                self._last = exchange
            # As _begin_with() does, without its questions.
            self.exchange = exchange
            self.idle = False
            self.deadline = inf
            if site.counts_requests:
                self._count(exchange)
            site.consumer(exchange)
        else:
            self._take(data)

    def eof_received(self) -> bool:
        """The client will send no more; the transport stays open for what is still to be written."""
        self.half_closed = True
        exchange = self.exchange
        if self._upload is not None:
            self._break_off()
        elif exchange is None:
            if self._buffer:
                self._advance()
            else:
                self.close()
        else:
            if not self._buffer:
                self.last_exchange = True
                exchange.keep_alive = False
            # TCP does not say whether the client only closed its side or left. One that has nothing more
            # to say closes its side along with the request; one that does so later is leaving.
            if exchange.state >= STREAMING or not self.site.sent_just_now(self.transport):
                consumer = exchange.consumer
                if consumer is not None:
                    consumer.client_leaving()
        return True

    def connection_lost(self, error: Exception | None) -> None:
        """The transport is gone, for whatever reason."""
        self.site.connections.discard(self)
        self.end()
        self.forget_section()

    def drained(self) -> None:
        exchange = self.exchange
        if exchange is None:
            self._advance()
        elif exchange.consumer is not None and exchange.writable:
            exchange.consumer.write_resumed()

    # reading ---------------------------------------------------------------------------------------

    def _take(self, data: bytes) -> None:
        self.idle = False
        if self.mode == BODY:
            self._receiving = True
            data = self._take_body(data)
            self._receiving = False
        elif self.mode == DISCARD:
            if self._linger is not None and self._linger.take(len(data)):
                self.deadline = self._linger.deadline
            else:
                self.close()
            return
        elif self.mode == DEAF:
            return
        if data:
            if self._buffer is None:
                self._buffer = bytearray()
            self._buffer += data
        if self.exchange is None:
            self._advance()
        if (self.exchange is not None or self.write_paused) and self._read_far_ahead():
            self.pause_reading()

    def _read_far_ahead(self) -> bool:
        """Whether as much is buffered of later requests as may be."""
        return self._buffer is not None and 0 < self.site.limits.pipelined <= len(self._buffer)

    def _advance(self) -> None:
        """Begin the requests that the buffer holds, as far as it is their turn."""
        if self._receiving:
            return
        self._receiving = True
        try:
            while self._buffer and self.exchange is None and self.mode == HEAD and not self.write_paused:
                if not self._next_request(self._buffer):
                    break
        except RemoteProtocolError as error:
            self.refuse(error)
        finally:
            self._receiving = False
        if self.exchange is None and self.mode == HEAD:
            if self.half_closed and not self.write_paused:
                self.close()  # what the buffer still holds can never be completed
            else:
                self.idle = not (self._buffer or self.write_paused or self._blank_skipped)
                self.resume_reading()

    def _next_request(self, buffer: bytearray) -> bool:
        """Begin the request at the front of the buffer; False when it is not all there yet."""
        site = self.site
        scanner = self._scanner
        if scanner is None:
            if buffer[0] == 0x0D and not self._blank_skipped:
                # RFC 9112 2.2: one empty line before a request is an old client's mistake, no attack.
                if len(buffer) == 1:
                    return False
                if buffer[1] == 0x0A:
                    del buffer[:2]
                    self._blank_skipped = True
                    return bool(buffer)
            self._scanner = scanner = HeadScanner(site.limits)
            # From its first byte on the whole head has one deadline, which no progress extends.
            self.deadline = site.now + (site.timeouts.head or inf)
        end = scanner.scan(buffer)
        if end is None:
            return False
        head = parse_head(bytes(buffer[:end]), site.limits, site.http.underscore_fields)
        self._scanner = None
        rest = b""
        if head.section.bodiless:
            del buffer[:end]  # no copy of what follows, however much is pipelined
        else:
            rest = bytes(buffer[end:])
            self._buffer = None
        if head.reusable:
            self._section = head.section
            site.sections.add(head.section)
        exchange = Http1Exchange(self, head.method, head.path, head.query, head.http_version, head.section)
        self._begin_with(exchange, rest)
        return True

    def _begin_with(self, exchange: Http1Exchange, rest: bytes) -> None:
        """Begin ``exchange``; ``rest`` is what arrived behind its head."""
        site = self.site
        self._blank_skipped = False
        self.exchange = exchange
        self.idle = False
        if site.counts_requests:
            self._count(exchange)
        if not exchange.section.bodiless:
            rest = self._begin_body(exchange, rest)
        if rest:
            self._buffer = bytearray(rest)
        if self.half_closed:
            if self._upload is not None:
                self._break_off()  # what is missing of the body will never come
                return
            self.last_exchange = self.last_exchange or not self._buffer
        elif self._read_paused and self._upload is None and not self._read_far_ahead():
            self.resume_reading()
        if self.exchange is exchange:
            if self._upload is None:
                self.deadline = inf
            site.consumer(exchange)

    def _begin_body(self, exchange: Http1Exchange, rest: bytes) -> bytes:
        """Make ready for the body and take what of it is there; what follows it is returned."""
        exchange.body = body = RequestBody()
        self.mode = BODY
        self._continue_sent = False
        try:
            self._upload = Upload(exchange, body, self.site)
        except RemoteProtocolError as error:  # it announces more than the limit
            self.refuse(error)
            return b""
        self.deadline = self._upload.deadline
        self.resume_reading()  # it may have been paused while this request waited for its turn
        return self._take_body(rest) if rest else b""

    def _count(self, exchange: Http1Exchange) -> None:
        site = self.site
        self._requests += 1
        if site.limits.requests and self._requests >= site.limits.requests:
            self.last_exchange = True
        if site.access_log is not None:
            exchange.started_at = site.access_log.timer()

    # the request body ------------------------------------------------------------------------------

    def _take_body(self, data: bytes) -> bytes:
        """Give body bytes to the upload that they belong to; what follows the body is returned."""
        upload = self._upload
        if upload is None:
            return data
        try:
            rest, received = upload.feed(data)
        except RemoteProtocolError as error:
            self.refuse(error)
            return b""
        exchange = upload.exchange
        if upload.ended:
            self._upload = None
            self.mode = HEAD
            self.deadline = inf
            if self.exchange is not exchange:  # it was answered early and the rest thrown away
                self.deadline = self.site.idle_until
        else:
            self.deadline = upload.deadline
            if upload.overrun:
                self.close_in_stages()
            elif upload.linger is None and upload.buffered >= self.site.limits.write_buffer:
                self.pause_reading()
        if exchange.consumer is not None and (received or upload.ended):
            exchange.consumer.body_received()
        return rest

    def body_taken(self, size: int) -> None:
        """The consumer has taken ``size`` bytes of the body: there is room for more."""
        upload = self._upload
        if upload is not None:
            upload.buffered -= size
            if self._read_paused and upload.buffered < self.site.limits.write_buffer:
                upload.rearm(self.site.now)
                self.deadline = upload.deadline
                self.resume_reading()

    def body_wanted(self, exchange: Http1Exchange) -> None:
        """The consumer waits for body bytes: a client that awaits 100 (Continue) gets it now."""
        upload = self._upload
        if upload is None or upload.exchange is not exchange:
            return
        if exchange.section.expect_continue and not self._continue_sent:
            self._continue_sent = True
            if not upload.received and exchange.state in (AWAITING, STARTED):
                self.write(_CONTINUE)  # RFC 9110 10.1.1

    def can_discard(self, exchange: Http1Exchange) -> bool:
        """Whether what is left of the body is worth reading to save the connection."""
        upload = self._upload
        if upload is None or upload.exchange is not exchange:
            return True
        if exchange.section.expect_continue and not self._continue_sent and not upload.received:
            return False  # the client may or may not send it now
        return upload.left is None or upload.left <= self.site.limits.linger

    # the end of an exchange ------------------------------------------------------------------------

    def exchange_finished(self, exchange: Http1Exchange) -> None:
        """Called by the exchange when its response is complete."""
        site = self.site
        self.exchange = None
        exchange.consumer = None
        if site.access_log is not None:
            site.access_log.record(exchange, True)
        if not exchange.keep_alive:
            self.close_in_stages()
        elif self.mode == HEAD:
            self.deadline = site.idle_until
            if not self._buffer:
                self.idle = not self.write_paused
            elif not self._receiving:
                # Not from here: this is the application's stack and its context variables.
                site.call_soon(self._advance)
        elif self._upload is not None:
            self._upload.discard()
            self.deadline = self._upload.deadline
            self.resume_reading()

    def refuse(self, error: RemoteProtocolError) -> None:
        """Answer what broke the protocol or a limit, as far as the state allows, and close in stages."""
        site = self.site
        site.log_refusal(self, error)
        exchange, self.exchange = self.exchange, None
        if exchange is not None and exchange.state not in (AWAITING, STARTED):
            self.exchange = exchange
            self.abort()
            return
        if exchange is not None:
            exchange.status = error.status
            if site.access_log is not None:
                site.access_log.record(exchange, True)
        if exchange is not None or self._upload is None:
            answers_head = exchange is not None and exchange.method == "HEAD"
            self.write(refusal(error.status, str(error), site.tails[0], answers_head))
        self.close_in_stages()
        if exchange is not None:
            exchange.peer_gone()

    def _break_off(self) -> None:
        """The client stopped in the middle of a body: its exchange can never be answered rightly."""
        exchange = self.exchange
        if exchange is not None and exchange.state not in (AWAITING, STARTED):
            self.abort()
            return
        self.end()
        self.close()

    def end(self) -> None:
        """Let go of the exchange under way and of everything that was read."""
        self.mode = DEAF
        self.idle = False
        self.closing = True
        self.deadline = self.write_deadline = inf
        self._buffer = self._scanner = self._upload = self.transfer = None
        exchange, self.exchange = self.exchange, None
        if exchange is not None:
            if self.site.access_log is not None:
                self.site.access_log.record(exchange, False)
            exchange.peer_gone()

    # closing ---------------------------------------------------------------------------------------

    def close_in_stages(self) -> None:
        """Close our side first, then throw away what still arrives, within bounds (RFC 9112 9.6)."""
        self._buffer = self._scanner = self._upload = None
        if self.closing:
            return
        if self.half_closed or not self.site.limits.linger or not self.transport.can_write_eof():
            self.close()
            return
        self.closing = True
        self.idle = False
        self.mode = DISCARD
        self._linger = Linger(self.site)
        self.deadline = self._linger.deadline
        try:
            self.transport.write_eof()
        except OSError:  # the client has reset the connection, and reading was paused
            self.close()
            return
        self.resume_reading()

    def close(self) -> None:
        """Close once all that was written is sent, and look at nothing more."""
        self.idle = False
        self.mode = DEAF
        self._buffer = self._scanner = None
        super().close()

    @property
    def answering(self) -> bool:
        """Whether an exchange is under way."""
        return self.exchange is not None

    @property
    def busy(self) -> bool:
        """Whether a request is being received or answered, or a response is still on its way out."""
        return self.exchange is not None or self._scanner is not None or self.write_paused

    def drain(self) -> None:
        """The site is stopping: close if idle, else after the response under way."""
        if self.idle:
            self.close()
            return
        self.last_exchange = True
        if self.exchange is not None:
            self.exchange.keep_alive = False

    def forget_section(self) -> None:
        """Give up what is remembered of the last request; the site's memo may still know its section."""
        self._section = self._last = self._last_data = None

    # time ------------------------------------------------------------------------------------------

    def read_overdue(self) -> None:
        """What the deadline was for follows from what the connection is doing."""
        if self.mode == DISCARD:
            self.close()
        elif self.mode == BODY:
            if self._upload is None or self._upload.linger is not None:
                self.close_in_stages()
            else:
                self.refuse(LimitExceeded("the request body stalled", 408, "--timeout-body-stall"))
        elif self.mode == HEAD:
            if self._scanner is not None:
                self.refuse(LimitExceeded("the request head took too long", 408, "--timeout-head"))
            elif self.exchange is None:
                self.close()

    def send_file(self, exchange: Http1Exchange, fd: int, offset: int, count: int, last: bool) -> None:
        """Have the site send a file; ``exchange.file_sent`` or the end of the connection follows."""
        self.site.send_file(self, exchange, fd, offset, count, last)
