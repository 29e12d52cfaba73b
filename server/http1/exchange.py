"""The HTTP/1.1 exchange: how a response is framed and written (RFC 9112 6, 7, 9)."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

from ..errors import ClientDisconnected, LocalProtocolError, OutOfOrder
from ..exchange import AWAITING, COMPLETE, GONE, STARTED, STREAMING, TRAILERS, Exchange
from ..response_fields import as_list, check_fields, check_status
from .response_head import render_fields, status_line

if TYPE_CHECKING:
    from collections.abc import Iterable

    from ..exchange import ExchangeConsumer, Field, Fields
    from .connection import Http1Connection
    from .head import HeaderSection

__all__ = ["Http1Exchange", "RequestBody"]

# A body up to this size leaves in one write with its head; above it, copying costs more than a second write.
_JOIN_BELOW = 32 * 1024

_NOT_IN_INFORMATIONAL = frozenset((b"content-length", b"transfer-encoding"))

_CALL = {
    AWAITING: "before start_response",
    STARTED: "after start_response",
    STREAMING: "while the body is being sent",
    TRAILERS: "when only trailers may follow",
    COMPLETE: "after the response was complete",
}


class RequestBody:
    """The body of one request as far as it has arrived and not been read."""

    __slots__ = ("complete", "pieces", "trailers")

    def __init__(self) -> None:
        self.pieces: deque[bytes] = deque()
        self.complete = False
        self.trailers: Fields = []


class Http1Exchange(Exchange):
    """One request of an HTTP/1.1 connection, and the response to it.

    ``keep_alive`` is whether the connection may carry another request after this one; ``framing_left`` counts
    down the content-length that the response declared (None where it declared none).
    """

    __slots__ = (
        "_chunked",
        "_close_delimited",
        "_connection",
        "_head",
        "_left",
        "_plain",
        "_trailers",
        "_trailers_promised",
        "body",
        "keep_alive",
        "section",
    )

    def __init__(
        self,
        connection: Http1Connection,
        method: str,
        path: bytes,
        query: bytes | None,
        http_version: str,
        section: HeaderSection,
    ) -> None:
        self._connection = connection
        self.peer = connection.peer
        self.method = method
        self.path = path
        self.query = query
        self.http_version = http_version
        self.section = section
        self.fields = section.fields
        self.keep_alive = section.keep_alive
        self.consumer: ExchangeConsumer | None = None
        self.state = AWAITING
        self.status = 0
        self.bytes_sent = 0
        self.body: RequestBody | None = None
        # Nothing about the request asks for more than one write of head and body.
        self._plain = section.plain and method != "HEAD"

    # the request -----------------------------------------------------------------------------------

    @property
    def trailers(self) -> Fields:
        return [] if self.body is None else self.body.trailers

    @property
    def body_complete(self) -> bool:
        """Whether the whole request body has arrived."""
        return self.body is None or self.body.complete

    @property
    def body_ended(self) -> bool:
        return self.body is None or (self.body.complete and not self.body.pieces)

    def read(self) -> bytes | None:
        body = self.body
        if body is None:
            return b""
        if body.pieces:
            piece = body.pieces.popleft()
            self._connection.body_taken(len(piece))
            return piece
        if body.complete:
            return b""
        self._connection.body_wanted(self)
        return None

    # the response ----------------------------------------------------------------------------------

    def send_informational(self, status: int, fields: Iterable[Field]) -> None:
        if self.state != AWAITING:
            raise self._misplaced("send_informational")
        if not 100 <= check_status(status) < 200 or status == 101:
            raise LocalProtocolError(f"{status} is not an informational status")
        # RFC 9110 8.6: no content-length, since there is no content
        checked = [field for field in check_fields(fields) if field[0] not in _NOT_IN_INFORMATIONAL]
        if self.http_version != "1.0":  # RFC 9110 15.2: never to an HTTP/1.0 client
            self._connection.write(status_line(status) + render_fields(checked) + b"\r\n")

    def start_response(self, status: int, fields: Iterable[Field], trailers: bool = False) -> None:
        if self.state != AWAITING:
            raise self._misplaced("start_response")
        heads = self._connection.site.heads
        if type(fields) is not list:
            fields = as_list(fields)
        try:
            head = heads.get((status, *fields))
        except TypeError:  # pairs as lists, values as bytearrays
            head = None
        if head is None:
            head = heads.add(status, fields)
        self._head = head
        self._trailers_promised = trailers
        self.status = status
        self.state = STARTED

    def write(self, data: bytes) -> bool:
        if self.state == STARTED:
            self._write_head(data, None)
        elif self.state == STREAMING:
            self._write_body(data)
        else:
            raise self._misplaced("write")
        return not (self._connection.write_paused or self._connection.transfer is not None)

    def finish(self, data: bytes = b"") -> None:
        connection = self._connection
        if self.state == STARTED:
            head = self._head
            size = len(data)
            if (
                self._plain
                and head.plain_length == size
                and size <= _JOIN_BELOW
                and not connection.last_exchange
                and not self._trailers_promised
            ):
                # The ordinary answer: one write, nothing to decide.
                self.bytes_sent = size
                tails = connection.site.tails
                if head.tails is not tails:
                    head.render(tails)
                connection.write(head.rendered + data)
                self.state = COMPLETE
                connection.exchange_finished(self)
                return
            self._write_head(data, size)
        elif self.state == STREAMING:
            self._write_body(data)
        else:
            raise self._misplaced("finish")
        self._end_body()

    def send_file(self, fd: int, offset: int, count: int, last: bool) -> bool:
        if self.state not in (STARTED, STREAMING):
            raise self._misplaced("send_file")
        if self._connection.transfer is not None:
            raise LocalProtocolError("a file was sent while another is still being sent")
        if self.state == STARTED:
            self._write_head(b"", count if last else None)
        if count and not self._discards_body():
            if self._left is not None:
                if count > self._left:
                    self._break_length("the file is longer than the response's content-length")
                self._left -= count
            if self._chunked:
                self._connection.write(b"%x\r\n" % count)
            self.bytes_sent += count
            self._connection.send_file(self, fd, offset, count, last)
            return False
        if last:
            self._end_body()
        return not self._connection.write_paused

    def file_sent(self, last: bool) -> None:
        """Called by the connection when the file's bytes have been handed to the system."""
        if self.state != STREAMING:
            return
        if self._chunked:
            self._connection.write(b"\r\n")
        consumer = self.consumer
        if last:
            self._end_body()
        if consumer is not None:
            consumer.write_resumed()

    def send_trailers(self, fields: Iterable[Field]) -> None:
        if self.state != TRAILERS:
            raise self._misplaced("send_trailers")
        checked = check_fields(fields)
        if self._chunked and not self._discards_body():
            self._connection.write(b"0\r\n" + render_fields(checked) + b"\r\n")
        self._complete()

    def abort(self) -> None:
        if self.state not in (COMPLETE, GONE):
            self._connection.abort()

    @property
    def writable(self) -> bool:
        return (
            not (self._connection.write_paused or self._connection.transfer is not None)
            and self.state != GONE
        )

    def peer_gone(self) -> None:
        """Called by the connection when nothing that is written can arrive any more."""
        consumer = self.consumer
        if self.state != COMPLETE:
            self.state = GONE
        self.consumer = None
        if consumer is not None:
            consumer.disconnected()

    # framing ---------------------------------------------------------------------------------------

    def _write_head(self, data: bytes, size: int | None) -> None:
        """Write the head and the first piece; ``size`` is the body's length where it is known to be all."""
        head = self._head
        connection = self._connection
        self._left = head.content_length
        self._chunked = self._close_delimited = False
        extra = b""
        if self._left is None and not head.bodiless:
            if size is not None and not self._trailers_promised:
                self._left = size
                extra = b"content-length: %d\r\n" % size
            elif self.http_version != "1.0":
                self._chunked = True
                extra = b"transfer-encoding: chunked\r\n"
            else:  # RFC 9112 6.3: to HTTP/1.0 the close is the end
                self._close_delimited = True
                self.keep_alive = False
        if head.close or not self._may_go_on(connection):
            self.keep_alive = False
        if not self.keep_alive:
            extra += b"connection: close\r\n"
        elif self.http_version == "1.0":
            extra += b"connection: keep-alive\r\n"
        self.state = STREAMING
        self._write_pieces(b"".join((head.block, extra, connection.site.tails[head.tail])), data)

    def _may_go_on(self, connection: Http1Connection) -> bool:
        """Whether the connection can carry another request, as known when the head is written."""
        return not connection.last_exchange and (self.body_complete or connection.can_discard(self))

    def _discards_body(self) -> bool:
        return self.method == "HEAD" or self._head.bodiless

    def _write_body(self, data: bytes) -> None:
        if self._connection.transfer is not None:
            raise LocalProtocolError("a piece of the body was sent while a file is still being sent")
        if data:
            self._write_pieces(b"", data)

    def _write_pieces(self, start: bytes, data: bytes) -> None:
        """Write ``start`` (the head, or nothing) and a piece of the body, framed, at one go."""
        connection = self._connection
        if self._discards_body() or not data:
            if start:
                connection.write(start)
            return
        data, surplus = self._within_length(data)
        size = len(data)
        self.bytes_sent += size
        end = b""
        if self._chunked:
            start += b"%x\r\n" % size
            end = b"\r\n"
        if size <= _JOIN_BELOW:
            connection.write(b"".join((start, data, end)))
        else:
            connection.write_parts((start, data, end))
        if surplus:
            self._too_long()

    def _within_length(self, data: bytes) -> tuple[bytes, bool]:
        """``data`` cut to what the content-length still allows, and whether anything was cut off."""
        left = self._left
        if left is None:
            return data, False
        size = len(data)
        if size > left:
            self._left = 0
            return data[:left], True
        self._left = left - size
        return data, False

    def _too_long(self) -> None:
        """The declared length is on the wire and whole; the surplus never is, and the connection ends."""
        message = "the response body is longer than its content-length"
        self.keep_alive = False
        self._connection.site.log_local_error(self, message)
        self._complete()
        raise LocalProtocolError(message)

    def _end_body(self) -> None:
        if self.state != STREAMING:
            return
        if self._left and not self._discards_body():
            self._break_length(f"the response body is {self._left} bytes shorter than its content-length")
        if self._trailers_promised:
            self.state = TRAILERS
            return
        if self._chunked and not self._discards_body():
            self._connection.write(b"0\r\n\r\n")
        self._complete()

    def _break_length(self, message: str) -> None:
        self._connection.site.log_local_error(self, message)
        self._connection.abort()
        raise LocalProtocolError(message)

    def _complete(self) -> None:
        self.state = COMPLETE
        self._connection.exchange_finished(self)

    def _misplaced(self, call: str) -> Exception:
        if self.state == GONE:
            return ClientDisconnected("the client has disconnected")
        return OutOfOrder(f"{call} {_CALL[self.state]}")
