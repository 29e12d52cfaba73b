"""Request bodies on the wire: chunked transfer coding with its trailers (RFC 9112 7.1).

Bodies of known length need no decoder: the connection counts them down itself.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from ..errors import LimitExceeded, RemoteProtocolError
from .grammar import check_field_line

if TYPE_CHECKING:
    from ..config import Limits
    from ..exchange import Fields

__all__ = ["ChunkedDecoder"]

_TOKEN: Final = rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]+"
_QUOTED: Final = rb'"(?:[\t !#-\[\]-~\x80-\xff]|\\[\t -~\x80-\xff])*"'

# chunk-size [ chunk-ext ] (RFC 9112 7.1, 7.1.1). White space is taken only where the grammar has BWS.
_CHUNK_LINE: Final = re.compile(
    rb"([0-9A-Fa-f]+)"
    rb"((?:[ \t]*;[ \t]*" + _TOKEN + rb"(?:[ \t]*=[ \t]*(?:" + _TOKEN + rb"|" + _QUOTED + rb"))?)*)"
).fullmatch

_MAX_CHUNK: Final = 2**63 - 1

# Fields that frame, route or authenticate a message mean nothing once it has been acted upon
# (RFC 9110 6.5.1): they are dropped from the trailers.
_NOT_IN_TRAILERS: Final = frozenset(
    b"authorization cache-control connection content-encoding content-length content-range content-type "
    b"cookie expect forwarded host if-match if-modified-since if-none-match if-range if-unmodified-since "
    b"keep-alive max-forwards pragma proxy-authenticate proxy-authorization proxy-connection range "
    b"set-cookie te trailer transfer-encoding upgrade www-authenticate x-forwarded-for x-forwarded-host "
    b"x-forwarded-port x-forwarded-proto x-real-ip".split()
)

_SIZE, _DATA, _DATA_END, _TRAILERS, _DONE = range(5)


class ChunkedDecoder:
    """Decodes one chunked body, fed in any cuts.

    ``trailers`` is complete, and ``done`` true, once the last CRLF has been fed.
    """

    __slots__ = (
        "_extensions",
        "_left",
        "_limits",
        "_line",
        "_state",
        "_trailer_bytes",
        "_trailer_count",
        "trailers",
    )

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._state = _SIZE
        self._line = bytearray()  # an incomplete line, or an incomplete CRLF behind a chunk
        self._left = 0
        self._extensions = 0
        self._trailer_bytes = 0
        self._trailer_count = 0
        self.trailers: Fields = []

    @property
    def done(self) -> bool:
        """Whether the body and its trailers have ended."""
        return self._state == _DONE

    def feed(self, data: bytes, pieces: list[bytes]) -> int:
        """Append what ``data`` holds of the body to ``pieces``; the offset behind what was used.

        The offset is ``len(data)`` unless the body ended before. Pieces decoded ahead of an error are in
        ``pieces`` when it is raised.

        :raises RemoteProtocolError: (or LimitExceeded) the coding is broken.
        """
        at, size = 0, len(data)
        while at < size and self._state != _DONE:
            if self._state == _DATA:
                piece = data[at : at + self._left] if at or size > self._left else data
                at += len(piece)
                self._left -= len(piece)
                pieces.append(piece)
                if not self._left:
                    self._state = _DATA_END
            elif self._state == _DATA_END:
                self._line.append(data[at])
                at += 1
                if not b"\r\n".startswith(self._line):
                    raise RemoteProtocolError("chunk data is not followed by CRLF")
                if len(self._line) == 2:
                    self._line.clear()
                    self._state = _SIZE
            else:
                at = self._feed_line(data, at)
        return at

    def _feed_line(self, data: bytes, at: int) -> int:
        end = data.find(b"\n", at)
        piece = data[at : end + 1] if end >= 0 else data[at:]
        self._line += piece
        trailer = self._state == _TRAILERS
        limit = self._limits.trailer_section - self._trailer_bytes if trailer else self._limits.chunk_line
        # The two bytes of CRLF are free, complete or not: the verdict does not hang on the cuts.
        if (self._limits.trailer_section if trailer else limit) and len(self._line) - 2 > limit:
            raise self._too_long(trailer)
        if end < 0:
            return len(data)
        if not self._line.endswith(b"\r\n"):
            raise RemoteProtocolError("a line of the chunked body ends in a bare LF")
        line = bytes(self._line[:-2])
        self._line.clear()
        if trailer:
            self._trailer(line)
        else:
            self._chunk_line(line)
        return end + 1

    def _too_long(self, trailer: bool) -> LimitExceeded:
        if trailer:
            size = self._limits.trailer_section
            return LimitExceeded(
                f"the trailer section is longer than {size} bytes", 431, "--limit-trailer-section"
            )
        return LimitExceeded(
            f"a chunk-size line is longer than {self._limits.chunk_line} bytes", 400, "--limit-chunk-line"
        )

    def _chunk_line(self, line: bytes) -> None:
        match = _CHUNK_LINE(line)
        if match is None:
            raise RemoteProtocolError("a chunk-size line is malformed")
        digits, extension = match.groups()
        self._extensions += len(extension)
        limit = self._limits.chunk_extensions
        if limit and self._extensions > limit:
            raise LimitExceeded(
                f"more than {limit} bytes of chunk extensions", 400, "--limit-chunk-extensions"
            )
        self._left = int(digits, 16)
        if self._left > _MAX_CHUNK:
            raise RemoteProtocolError("a chunk is larger than any body can be")
        self._state = _DATA if self._left else _TRAILERS

    def _trailer(self, line: bytes) -> None:
        if not line:
            self._state = _DONE
            return
        self._trailer_bytes += len(line) + 2
        self._trailer_count += 1
        limit = self._limits.trailer_count
        if limit and self._trailer_count > limit:
            raise LimitExceeded(f"more than {limit} trailer fields", 431, "--limit-trailer-count")
        name, value = check_field_line(line)
        name = name.lower()
        if name not in _NOT_IN_TRAILERS and b"_" not in name:
            self.trailers.append((name, value))
