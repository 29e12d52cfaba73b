"""One request and its response, as everything above the wire sees it.

HTTP/1.1 connections and HTTP/2 streams *produce* exchanges; ASGI, WSGI and the server's own pages *consume*
them. Nothing here names a socket, a parser, an event loop or a protocol version's framing, so N protocols
and M kinds of application need N + M modules.

The life of the response, the same for every protocol::

    AWAITING ── start_response ──> STARTED
    STARTED  ── write ──> STREAMING
    STARTED, STREAMING ── finish ──> COMPLETE, or TRAILERS where these were promised
    TRAILERS ── send_trailers ──> COMPLETE
    any of these but COMPLETE ── the peer leaves, or abort ──> GONE

STARTED means that the consumer has named status and fields and nothing of them has been written yet: the
head leaves together with the first piece of the body. So an application that fails there can still be
answered for with a 500.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any, Final, Protocol

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = [
    "AWAITING",
    "COMPLETE",
    "GONE",
    "STARTED",
    "STREAMING",
    "TRAILERS",
    "Exchange",
    "ExchangeConsumer",
    "Fields",
    "Peer",
]

Field = tuple[bytes, bytes]
Fields = list[Field]
"""Field lines in the order of the wire; request names are lower-case."""

AWAITING: Final = 0
STARTED: Final = 1
STREAMING: Final = 2
TRAILERS: Final = 3
COMPLETE: Final = 4
GONE: Final = 5


class Peer:
    """Both ends of the connection that an exchange came by, one object per connection.

    ``client`` and ``server`` are (host, port) pairs; over a Unix socket ``client`` is None and ``server``
    is (path, None). ``name`` is the client as log lines have it. ``cache`` belongs to the consumer: what it
    derives from the rest once it may keep there, for the later requests of the connection.
    """

    __slots__ = ("cache", "client", "name", "scheme", "server")

    def __init__(
        self,
        client: tuple[str, int] | None,
        server: tuple[str, int | None] | None,
        scheme: str,
    ) -> None:
        self.client = client
        self.server = server
        self.scheme = scheme
        self.cache: Any = None
        if client is None:
            self.name = "unix:"
        else:
            host, port = client
            self.name = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


class ExchangeConsumer(Protocol):
    """What an exchange tells its consumer. Every call is made on the reactor's thread."""

    def body_received(self) -> None:
        """``read()`` has something to give: a piece of the body, or its end."""

    def write_resumed(self) -> None:
        """What was written has drained; a consumer that was told to wait may go on."""

    def disconnected(self) -> None:
        """The client is gone or has been told to go; the state is GONE unless it was COMPLETE."""

    def client_leaving(self) -> None:
        """The client has closed its side while being answered: most likely it has left."""

    def asked_to_finish(self) -> None:
        """The server is stopping: whatever streams without end should come to one."""


class Exchange(ABC):
    """One request and its response; see the module's picture for the order of calls.

    Attributes for the request: ``method`` (as sent), ``path`` (raw bytes, without the query), ``query`` (raw
    bytes, or None where the target has no "?"), ``http_version`` ("1.0", "1.1", "2"), ``fields`` (shared with
    other requests: copy the list before changing it or giving it away), ``peer``.
    Attributes for the response: ``state``, ``status``, ``bytes_sent`` (of the body, before chunk framing).
    """

    __slots__ = (
        "bytes_sent",
        "consumer",
        "fields",
        "http_version",
        "method",
        "path",
        "peer",
        "query",
        "started_at",
        "state",
        "status",
    )

    fields: Fields
    http_version: str
    method: str
    path: bytes
    query: bytes | None
    peer: Peer
    consumer: ExchangeConsumer | None
    state: int
    status: int
    bytes_sent: int
    started_at: float

    # the request -----------------------------------------------------------------------------------

    @property
    @abstractmethod
    def trailers(self) -> Fields:
        """The trailer fields of the request (RFC 9110 6.5), complete once the body is; never merged into
        ``fields``."""

    @property
    @abstractmethod
    def body_ended(self) -> bool:
        """Whether every byte of the request body has been read."""

    @abstractmethod
    def read(self) -> bytes | None:
        """The next piece of the request body, b"" at its end, None when none has come yet.

        None also asks for more: reading from the socket resumes, a client that waits for 100 (Continue)
        gets it, and ``consumer.body_received()`` is called when there is something.
        """

    # the response ----------------------------------------------------------------------------------

    @abstractmethod
    def send_informational(self, status: int, fields: Iterable[Field]) -> None:
        """Send a 1xx response before the final one (RFC 9110 15.2); nothing to an HTTP/1.0 client."""

    @abstractmethod
    def start_response(self, status: int, fields: Iterable[Field], trailers: bool = False) -> None:
        """Name the status and header fields; they are written with the first piece of the body.

        :raises LocalProtocolError: a field could split the response, or the order of calls is wrong.
        :raises ClientDisconnected: the client has gone.
        """

    @abstractmethod
    def write(self, data: bytes) -> bool:
        """Send a piece of the body, more being to come; False asks to wait for ``write_resumed()``."""

    @abstractmethod
    def finish(self, data: bytes = b"") -> None:
        """Send the last piece of the body and complete the response (unless trailers were promised)."""

    @abstractmethod
    def send_file(self, fd: int, offset: int, count: int, last: bool) -> bool:
        """Send ``count`` bytes of an open regular file as a piece of the body; False asks to wait.

        The descriptor stays the caller's, to be kept open until ``write_resumed()`` or ``disconnected()``.
        A file that turns out shorter aborts the exchange.
        """

    @abstractmethod
    def send_trailers(self, fields: Iterable[Field]) -> None:
        """Send the promised trailer fields (RFC 9112 7.1.2) and complete the response."""

    @abstractmethod
    def abort(self) -> None:
        """Break the response off so that the client cannot take it for a complete one."""

    def refuse(self, status: int, reason: str) -> None:
        """Answer with a short text if nothing has been written yet, else break the response off."""
        if self.state in (AWAITING, STARTED):
            self.state = AWAITING
            body = f"{status} {reason}\n".encode()
            self.start_response(
                status,
                [(b"content-type", b"text/plain; charset=utf-8"), (b"content-length", b"%d" % len(body))],
            )
            self.finish(body)
        else:
            self.abort()

    @property
    @abstractmethod
    def writable(self) -> bool:
        """Whether a write now would be let through at once."""

    @property
    def request_target(self) -> bytes:
        """Path and query as one, for the log."""
        return self.path if self.query is None else self.path + b"?" + self.query

    @property
    def request_line(self) -> str:
        """Method, target and version, for the log; nothing in it is escaped yet."""
        return f"{self.method} {self.request_target.decode('latin-1')} HTTP/{self.http_version}"
