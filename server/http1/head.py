"""The full path through a request head: httptools for the grammar, our own eyes for what it lets through.

A head that was accepted once leaves a :class:`HeaderSection` behind, keyed by its raw bytes. Later requests
with the same bytes after the request line reuse it (:class:`SectionMemo`); equal bytes parse equally, so the
memo can never be laxer than the parser.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import httptools

from ..errors import RemoteProtocolError
from .grammar import REQUEST_LINE, HeadScanner, valid_authority

if TYPE_CHECKING:
    from ..config import Limits
    from ..exchange import Fields

__all__ = ["HeaderSection", "RequestHead", "SectionMemo", "parse_head"]

# Every byte that may stand in a header section, so that translate() deletes all of a good one.
_ALLOWED: Final = bytes(byte for byte in range(256) if byte >= 0x20 and byte != 0x7F) + b"\t\r\n"

# Refused rather than passed on: the peer asks for what only the first hop can give (RFC 9110 10.1.1).
_EXPECT_CONTINUE: Final = b"100-continue"

_MAX_LENGTH_DIGITS: Final = 19  # 10**19 - 1 is already past any body; int() never sees more


class HeaderSection:
    """What one header section means, derived once from its raw bytes.

    ``raw`` runs from behind the request line to behind the empty line. ``content_length`` is None when no
    such field came; ``bodiless``: no body follows; ``plain``: nor has the response to say anything about the
    connection;    ``upgrade`` is the Upgrade field's value where Connection names it.
    """

    __slots__ = (
        "bodiless",
        "chunked",
        "content_length",
        "expect_continue",
        "fields",
        "keep_alive",
        "plain",
        "raw",
        "size",
        "upgrade",
    )

    def __init__(
        self,
        raw: bytes,
        fields: Fields,
        *,
        http_version: str,
        keep_alive: bool,
        content_length: int | None,
        chunked: bool,
        expect_continue: bool,
        upgrade: bytes | None,
    ) -> None:
        self.raw = raw
        self.size = len(raw)
        self.fields = fields
        self.keep_alive = keep_alive
        self.content_length = content_length
        self.chunked = chunked
        self.bodiless = not content_length and not chunked
        self.plain = self.bodiless and keep_alive and http_version == "1.1"
        self.expect_continue = expect_continue
        self.upgrade = upgrade


class RequestHead:
    """One parsed request line with the section that followed it.

    ``reusable``: the section means the same behind any HTTP/1.1 request line with an origin-form target.
    """

    __slots__ = ("http_version", "method", "path", "query", "reusable", "section")

    def __init__(
        self,
        method: str,
        path: bytes,
        query: bytes | None,
        http_version: str,
        section: HeaderSection,
        reusable: bool,
    ) -> None:
        self.method = method
        self.path = path
        self.query = query
        self.http_version = http_version
        self.section = section
        self.reusable = reusable


class SectionMemo:
    """Header sections that the full parser accepted, shared by the connections of a site.

    Bounded in entries and in bytes; when either is reached it starts afresh, which costs one full parse per
    distinct client and needs no bookkeeping on a hit.
    """

    __slots__ = ("_bytes", "_entries", "get", "max_bytes", "max_entries", "max_entry")

    def __init__(self, max_entries: int = 512, max_bytes: int = 512 * 1024, max_entry: int = 4096) -> None:
        self.max_entries = max_entries
        self.max_bytes = max_bytes
        self.max_entry = max_entry
        self._entries: dict[bytes, HeaderSection] = {}
        self._bytes = 0
        self.get = self._entries.get

    def add(self, section: HeaderSection) -> None:
        """Remember ``section`` unless it is too large to be worth it."""
        if section.size > self.max_entry:
            return
        if len(self._entries) >= self.max_entries or self._bytes + section.size > self.max_bytes:
            self.clear()
        self._entries[section.raw] = section
        self._bytes += section.size

    def clear(self) -> None:
        """Forget everything."""
        self._entries.clear()
        self._bytes = 0

    def __len__(self) -> int:
        return len(self._entries)


class _FieldCollector:
    """Receives httptools' callbacks for one head."""

    __slots__ = ("complete", "fields")

    def __init__(self) -> None:
        self.fields: Fields = []
        self.complete = False

    def on_header(self, name: bytes, value: bytes) -> None:
        self.fields.append((name.lower(), value.strip(b" \t")))

    def on_headers_complete(self) -> None:
        self.complete = True


def parse_head(head: bytes, limits: Limits, underscore_fields: str = "drop") -> RequestHead:
    """Parse a complete head, from its method to behind the empty line that ends it.

    :raises RemoteProtocolError: with the status to answer; LimitExceeded where a limit is why.
    """
    line_end = head.find(b"\r\n") + 2
    if not _plainly_well_formed(head, line_end, limits):
        # Something is wrong or unusual: the line-by-line judge says exactly what, or that it is allowed.
        HeadScanner(limits).scan(head)
    match = REQUEST_LINE(head, 0, line_end - 2)
    if match is None or match[3] != b"1" or match[4] not in b"01":
        HeadScanner(limits).scan(head)
        raise RemoteProtocolError("the request line is not METHOD TARGET VERSION")
    method, target = match[1], match[2]
    minor = int(match[4])

    fields = _parse_fields(head, method)
    if limits.header_count and len(fields) > limits.header_count:
        HeadScanner(limits).scan(head)
    path, query, authority = _split_target(method, target)
    raw = head[line_end:]
    section = _derive(raw, fields, minor, authority, underscore_fields)
    reusable = minor == 1 and authority is None and section.upgrade is None
    version = "1.1" if minor else "1.0"
    return RequestHead(method.decode("ascii"), path, query, version, section, reusable)


def _plainly_well_formed(head: bytes, line_end: int, limits: Limits) -> bool:
    """Whether a few passes at memory speed find nothing that the scanner could object to, httptools aside."""
    size = len(head) - line_end
    if limits.request_line and line_end - 2 > limits.request_line:
        return False
    if limits.header_field and size > limits.header_field:
        return False  # one field may be too long; rare enough to be looked at line by line
    if limits.header_section and size - 2 > limits.header_section:
        return False
    lines = head.count(b"\n")
    return (
        not head.translate(None, _ALLOWED)
        and head.count(b"\r\n") == lines
        and head.count(b"\r") == lines
        and b"\n " not in head
        and b"\n\t" not in head
    )


def _parse_fields(head: bytes, method: bytes) -> Fields:
    collector = _FieldCollector()
    try:
        httptools.HttpRequestParser(collector).feed_data(head)
    except httptools.HttpParserUpgrade:
        pass  # the head asks for another protocol; whether it gets it is not the parser's business
    except httptools.HttpParserInvalidMethodError:
        raise RemoteProtocolError(f"method {method[:32]!r} is not known here", 501) from None
    except httptools.HttpParserError as error:
        raise RemoteProtocolError(f"malformed head ({error})") from None
    if not collector.complete:
        raise RemoteProtocolError("malformed head")
    return collector.fields


def _split_target(method: bytes, target: bytes) -> tuple[bytes, bytes | None, bytes | None]:
    """Path, query and, for an absolute-form target, its authority (RFC 9112 3.2)."""
    if method == b"CONNECT":
        raise RemoteProtocolError("CONNECT is not supported: this is an origin server", 501)
    if b"#" in target:
        raise RemoteProtocolError("the request target has a fragment")
    authority: bytes | None = None
    if not target.startswith(b"/"):
        if target == b"*":
            if method != b"OPTIONS":
                raise RemoteProtocolError("target * goes with OPTIONS only")
            return b"*", None, None
        scheme, separator, rest = target.partition(b"://")
        if not separator or scheme.lower() not in (b"http", b"https"):
            raise RemoteProtocolError("the request target has none of the forms of RFC 9112 3.2")
        end = min((at for at in (rest.find(b"/"), rest.find(b"?")) if at >= 0), default=len(rest))
        authority, target = rest[:end], rest[end:]
        if not authority or authority.startswith(b":") or not valid_authority(authority):
            raise RemoteProtocolError("the request target's authority is not a host and optional port")
        if not target.startswith(b"/"):
            if method == b"OPTIONS" and not target:
                return b"*", None, authority
            target = b"/" + target
    path, mark, query = target.partition(b"?")
    return path, query if mark else None, authority


def _derive(
    raw: bytes, fields: Fields, minor: int, authority: bytes | None, underscore_fields: str
) -> HeaderSection:
    """Find in ``fields`` what concerns framing and the connection, and refuse what is ambiguous."""
    host: bytes | None = None
    length: bytes | None = None
    coding: bytes | None = None
    expect: bytes | None = None
    upgrade: bytes | None = None
    options: list[bytes] = []
    underscores = False
    for name, value in fields:
        if name == b"host":
            if host is not None:
                raise RemoteProtocolError("more than one Host field")
            host = value
        elif name == b"content-length":
            if length is not None:
                raise RemoteProtocolError("more than one Content-Length field")
            length = value
        elif name == b"transfer-encoding":
            if coding is not None:
                raise RemoteProtocolError("more than one Transfer-Encoding field")
            coding = value
        elif name == b"connection":
            options += [option.strip(b" \t").lower() for option in value.split(b",")]
        elif name == b"expect":
            expect = value if expect is None else expect + b"," + value
        elif name == b"upgrade":
            upgrade = value if upgrade is None else upgrade + b"," + value
        elif b"_" in name:
            underscores = True

    _check_host(host, minor)
    if underscores and underscore_fields != "keep":
        if underscore_fields == "refuse":
            raise RemoteProtocolError("a field name has an underscore (--underscore-fields)")
        fields = [field for field in fields if b"_" not in field[0]]
    if authority is not None and host != authority:
        # RFC 9112 3.2.2: what the target names replaces what the Host field says.
        fields = [(b"host", authority), *(field for field in fields if field[0] != b"host")]
    content_length, chunked = _framing(length, coding, minor)
    expect_continue = False
    if expect is not None and minor:
        if expect.lower() != _EXPECT_CONTINUE:
            raise RemoteProtocolError("an expectation other than 100-continue", 417)
        expect_continue = chunked or bool(content_length)
    return HeaderSection(
        raw,
        fields,
        http_version="1.1" if minor else "1.0",
        keep_alive=b"close" not in options and (minor == 1 or b"keep-alive" in options),
        content_length=content_length,
        chunked=chunked,
        expect_continue=expect_continue,
        upgrade=upgrade if b"upgrade" in options else None,
    )


def _check_host(host: bytes | None, minor: int) -> None:
    if host is None:
        if minor:
            raise RemoteProtocolError("an HTTP/1.1 request without a Host field")
    elif not valid_authority(host):
        raise RemoteProtocolError("the Host field is not a host and optional port")


def _framing(length: bytes | None, coding: bytes | None, minor: int) -> tuple[int | None, bool]:
    """How the body is delimited (RFC 9112 6.3): its length, and whether it is chunked."""
    if coding is not None:
        if length is not None:
            raise RemoteProtocolError("both Transfer-Encoding and Content-Length")
        if not minor:
            raise RemoteProtocolError("Transfer-Encoding in an HTTP/1.0 request")
        if coding.lower() != b"chunked":
            known = b"chunked" in [part.strip(b" \t").lower() for part in coding.split(b",")]
            raise RemoteProtocolError("a transfer coding other than chunked", 400 if known else 501)
        return None, True
    if length is None:
        return None, False
    # bytes.isdigit() is ASCII only, unlike str's; int() is kept from signs, spaces and underscores.
    if not length.isdigit() or len(length) > _MAX_LENGTH_DIGITS:
        raise RemoteProtocolError("Content-Length is not a number of bytes")
    return int(length), False
