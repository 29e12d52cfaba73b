"""The grammar of an HTTP/1.1 request head (RFC 9112), judged line by line.

:class:`HeadScanner` is the exact and incremental judge: it takes a head as its bytes arrive and names the
first thing that is wrong with it, the same whatever the cuts. The full parser (``head.py``) accepts nothing
that the scanner refuses; it is only faster on a head that came whole.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from ..errors import LimitExceeded, RemoteProtocolError

if TYPE_CHECKING:
    from ..config import Limits

__all__ = [
    "CONTROL",
    "FAST_REQUEST_LINE",
    "REQUEST_LINE",
    "TOKEN",
    "HeadScanner",
    "check_field_line",
    "valid_authority",
]

_TCHAR: Final = rb"!#$%&'*+\-.^_`|~0-9A-Za-z"  # RFC 9110 5.6.2

TOKEN: Final = re.compile(rb"[" + _TCHAR + rb"]+").fullmatch

REQUEST_LINE: Final = re.compile(rb"([" + _TCHAR + rb"]+) ([!-~]+) HTTP/([0-9])\.([0-9])").fullmatch
"""Method, target, major and minor version of a request line without its CRLF (RFC 9112 3)."""

# A strict subset of what the full parser takes: methods in everyday use, origin-form, and none of the
# characters that a log line or a lenient consumer could trip over (" # \).
FAST_REQUEST_LINE: Final = re.compile(
    rb"(GET|POST|PUT|HEAD|DELETE|PATCH|OPTIONS) "
    rb"(/[!$->@-\[\]-~]*)(?:\?([!$-\[\]-~]*))? HTTP/1\.1\r\n"
).match

CONTROL: Final = re.compile(rb"[\x00-\x08\x0a-\x1f\x7f]").search
"""What no field value may hold (RFC 9110 5.5): control characters other than HTAB."""

# uri-host [":" port] (RFC 3986 3.2.2), without the comma that RFC 3986 would allow in a registered name:
# it is how two Host values look once joined.
_AUTHORITY: Final = re.compile(
    rb"(?:\[[0-9A-Fa-f:.]+\]|(?:[A-Za-z0-9\-._~!$&'()*+;=]|%[0-9A-Fa-f]{2})*)(?::[0-9]{0,5})?"
).fullmatch


def valid_authority(value: bytes) -> bool:
    """Whether ``value`` is a host and optional port, as the Host field must be (RFC 9112 3.2)."""
    return _AUTHORITY(value) is not None


def check_field_line(line: bytes) -> tuple[bytes, bytes]:
    """Split a field line without its CRLF into name and value (RFC 9112 5).

    :raises RemoteProtocolError: it is no ``field-name ":" OWS field-value OWS``.
    """
    name, colon, value = line.partition(b":")
    if not colon:
        raise RemoteProtocolError("a field line has no colon")
    if TOKEN(name) is None:
        if line[0] in b" \t":
            raise RemoteProtocolError("a field line is folded")
        raise RemoteProtocolError("a field name is not a token")
    value = value.strip(b" \t")
    if CONTROL(value) is not None:
        raise RemoteProtocolError("a field value holds a control character")
    return name, value


class HeadScanner:
    """Judges one head as it arrives: :meth:`scan` after every growth of the buffer.

    Only complete lines are judged, in order, and an incomplete one only by its length: this is what makes the
    verdict independent of how the bytes were cut.
    """

    __slots__ = ("_count", "_limits", "_line_start", "_searched", "_section_start", "request_line_end")

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._line_start = 0
        self._searched = 0
        self._section_start = -1  # where the header section begins; -1 until the request line is complete
        self._count = 0
        self.request_line_end = 0
        """Offset behind the request line's CRLF, once it is complete."""

    def scan(self, buffer: bytes | bytearray) -> int | None:
        """The offset behind the empty line that ends the head, or None while it is incomplete.

        :raises RemoteProtocolError: (or LimitExceeded) at the first line that is wrong.
        """
        while True:
            if self._line_start < len(buffer) and self._section_start < 0:
                self._check_first_byte(buffer)
            end = buffer.find(b"\n", self._searched)
            self._check_length(len(buffer) if end < 0 else end + 1)
            if end < 0:
                self._searched = len(buffer)
                return None
            if end == self._line_start or buffer[end - 1] != 0x0D:
                raise RemoteProtocolError("a line ends in a bare LF")
            line = bytes(buffer[self._line_start : end - 1])
            self._line_start = self._searched = end + 1
            if self._section_start < 0:
                self._check_request_line(line)
                self._section_start = self.request_line_end = end + 1
            elif not line:
                return end + 1
            else:
                self._count += 1
                limit = self._limits.header_count
                if limit and self._count > limit:
                    raise LimitExceeded(f"more than {limit} header fields", 431, "--limit-header-count")
                check_field_line(line)

    def _check_first_byte(self, buffer: bytes | bytearray) -> None:
        # A TLS client hello, or anything else binary, must not wait for a line end that may never come.
        if TOKEN(bytes(buffer[self._line_start : self._line_start + 1])) is None:
            raise RemoteProtocolError("the request does not begin with a method")

    def _check_length(self, end: int) -> None:
        """Hold the line that ends (so far) at ``end`` against the limits; the two bytes of CRLF are free."""
        limits = self._limits
        length = end - self._line_start - 2
        if self._section_start < 0:
            if limits.request_line and length > limits.request_line:
                raise LimitExceeded(
                    f"the request line is longer than {limits.request_line} bytes",
                    414,
                    "--limit-request-line",
                )
            return
        if limits.header_field and length > limits.header_field:
            # The section's limit may have been passed earlier in the same line.
            if not limits.header_section or (
                self._line_start + limits.header_field <= self._section_start + limits.header_section
            ):
                raise LimitExceeded(
                    f"a header field is longer than {limits.header_field} bytes",
                    431,
                    "--limit-header-field",
                )
        if limits.header_section and end - self._section_start - 2 > limits.header_section:
            raise LimitExceeded(
                f"the header section is longer than {limits.header_section} bytes",
                431,
                "--limit-header-section",
            )

    @staticmethod
    def _check_request_line(line: bytes) -> None:
        match = REQUEST_LINE(line)
        if match is None:
            raise RemoteProtocolError("the request line is not METHOD TARGET VERSION")
        if match[3] != b"1" or match[4] not in b"01":
            raise RemoteProtocolError("only HTTP/1.0 and HTTP/1.1 are spoken here", 505)
