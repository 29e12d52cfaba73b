"""Status lines and header sections of responses, rendered once per distinct answer.

Applications answer with the same few heads again and again. A head is checked and rendered once and kept
under the very values that the application passed; what changes with time or connection (Date, Server,
Connection) is not part of it.
"""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Final

from ..errors import LocalProtocolError
from ..response_fields import check_fields, check_status, content_length_of

if TYPE_CHECKING:
    from ..exchange import Field, Fields

__all__ = ["ResponseHead", "ResponseHeadMemo", "refusal", "render_fields", "status_line"]

_REASONS: Final = {status.value: status.phrase.encode("ascii") for status in HTTPStatus}

# Ours to decide, whatever the application says: they speak of this connection, not of the resource.
_HOP_BY_HOP: Final = frozenset((b"connection", b"keep-alive", b"transfer-encoding", b"upgrade"))


def status_line(status: int) -> bytes:
    """The status line (RFC 9112 4) with its CRLF; an unregistered status has an empty reason phrase."""
    return b"HTTP/1.1 %d %b\r\n" % (status, _REASONS.get(status, b""))


def render_fields(fields: Fields) -> bytes:
    """Checked fields as lines."""
    return b"".join([b"%b: %b\r\n" % field for field in fields])


def refusal(status: int, reason: str, tail: bytes, head_only: bool = False) -> bytes:
    """A whole response that refuses a request and announces the close of the connection.

    ``tail`` is the rendered Date and Server fields with the empty line.
    """
    phrase = _REASONS.get(status, b"").decode("ascii")
    body = f"{status} {phrase}: {reason}\n".encode("ascii", "backslashreplace")
    return b"".join(
        (
            status_line(status),
            b"content-type: text/plain; charset=utf-8\r\ncontent-length: %d\r\n" % len(body),
            b"connection: close\r\n",
            tail,
            b"" if head_only else body,
        )
    )


class ResponseHead:
    """A rendered status line and header section, still without Date, Server, Connection and the empty line.

    ``bodiless``: the status allows no body (RFC 9110 15.2, 15.3.5, 15.4.5). ``close``: the application asked
    for the connection to be closed. ``tail`` is the index into the site's tails: which of Date and Server it
    set itself. ``plain_length`` is the content-length of a head that asks for nothing special, else -1.
    ``rendered`` is the block with its tail, for as long as ``tails`` are the site's.
    """

    __slots__ = (
        "block",
        "bodiless",
        "close",
        "content_length",
        "plain_length",
        "rendered",
        "status",
        "tail",
        "tails",
    )

    def __init__(self, status: int, fields: Fields) -> None:
        self.status = status
        self.bodiless = status < 200 or status in (204, 304)
        names = {name for name, _ in fields}
        self.tail = (b"date" in names) + 2 * (b"server" in names)
        self.content_length = content_length_of(fields)
        self.close = False
        kept: Fields = []
        for name, value in fields:
            if name == b"connection":
                self.close |= b"close" in [option.strip() for option in value.lower().split(b",")]
            elif name == b"transfer-encoding" and value.lower() != b"chunked":
                raise LocalProtocolError(
                    f"transfer-encoding {value!r}: the server frames the response itself"
                )
            if name in _HOP_BY_HOP:
                continue
            if name == b"content-length" and status in (204,):
                continue  # RFC 9110 8.6: MUST NOT
            kept.append((name, value))
        self.block = status_line(status) + render_fields(kept)
        special = self.bodiless or self.close or self.content_length is None
        self.plain_length = -1 if special else self.content_length
        self.rendered = b""
        self.tails: list[bytes] | None = None

    def render(self, tails: list[bytes]) -> None:
        """Put the block and its tail together; they hold for a second, as long as ``tails`` do."""
        self.tails = tails
        self.rendered = self.block + tails[self.tail]


class ResponseHeadMemo:
    """Rendered heads by what the application passed; bounded, and started afresh when full.

    ``get`` is the dict's own: what it does not have, :meth:`add` checks and renders.
    """

    __slots__ = ("_entries", "get", "max_block", "max_entries")

    def __init__(self, max_entries: int = 512, max_block: int = 2048) -> None:
        self.max_entries = max_entries
        self.max_block = max_block
        self._entries: dict[tuple[Any, ...], ResponseHead] = {}
        self.get = self._entries.get

    def add(self, status: int, fields: list[Field]) -> ResponseHead:
        """The head for a final response that is not there yet, or whose fields cannot be hashed.

        :raises LocalProtocolError: the status or a field is not allowed.
        """
        checked = check_fields(fields)
        if check_status(status) < 200:
            raise LocalProtocolError(f"{status} is not a final status")
        head = ResponseHead(status, checked)
        if len(head.block) <= self.max_block:
            if len(self._entries) >= self.max_entries:
                self._entries.clear()
            try:
                self._entries[(status, *fields)] = head
            except TypeError:  # pairs as lists, values as bytearrays
                pass
        return head

    def __len__(self) -> int:
        return len(self._entries)
