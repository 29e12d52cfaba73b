"""The grammar of a request head, line by line: what is refused, with which status, at which exact limit."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ropewalk.server.config import Limits
from ropewalk.server.errors import LimitExceeded, RemoteProtocolError
from ropewalk.server.http1.grammar import (
    CONTROL,
    REQUEST_LINE,
    TOKEN,
    HeadScanner,
    check_field_line,
    valid_authority,
)

LIMITS = Limits()


def scanned(head: bytes, limits: Limits = LIMITS) -> int | tuple[int, str] | None:
    """What the scanner makes of a head given at once: its end, None, or status and reason of the refusal."""
    try:
        return HeadScanner(limits).scan(head)
    except RemoteProtocolError as error:
        return error.status, str(error)


def scanned_bytewise(head: bytes, limits: Limits = LIMITS) -> int | tuple[int, str] | None:
    """The same with the buffer growing by single bytes."""
    scanner = HeadScanner(limits)
    end = None
    try:
        for size in range(1, len(head) + 1):
            end = scanner.scan(bytearray(head[:size]))
            if end is not None:
                return end
    except RemoteProtocolError as error:
        return error.status, str(error)
    return end


def test_the_scanner_tells_where_the_head_ends_and_where_its_request_line():
    head = b"GET /a HTTP/1.1\r\nHost: a\r\nX: y\r\n\r\n"
    scanner = HeadScanner(LIMITS)
    assert scanner.scan(head + b"body") == len(head)
    assert scanner.request_line_end == len(b"GET /a HTTP/1.1\r\n")


@pytest.mark.parametrize(
    "head",
    [b"G", b"GET / HTTP/1.1", b"GET / HTTP/1.1\r", b"GET / HTTP/1.1\r\n", b"GET / HTTP/1.1\r\nA: b\r\n\r"],
    ids=["one byte", "no line end", "half a line end", "request line only", "last byte missing"],
)
def test_an_incomplete_head_has_no_end(head):
    assert scanned(head) is None


@pytest.mark.parametrize(
    ("head", "status", "reason"),
    [
        (b"GET / HTTP/1.1\nHost: a\r\n\r\n", 400, "bare LF"),
        (b"GET / HTTP/1.1\r\nHost: a\nX: y\r\n\r\n", 400, "bare LF"),
        (b"GET / HTTP/1.1\r\nHost: a\r\n\n", 400, "bare LF"),
        (b"\n", 400, "does not begin with a method"),
        (b"\r\nGET", 400, "does not begin with a method"),
        (b"\x16\x03\x01", 400, "does not begin with a method"),
        (b" GET / HTTP/1.1\r\n", 400, "does not begin with a method"),
        (b"GET /\r\n", 400, "METHOD TARGET VERSION"),
        (b"GET / HTTP/2.0\r\n", 505, "HTTP/1.1"),
        (b"GET / HTTP/1.2\r\n", 505, "HTTP/1.1"),
        (b"GET / HTTP/1.1\r\n folded\r\n", 400, "no colon"),
        (b"GET / HTTP/1.1\r\n a: b\r\n", 400, "folded"),
        (b"GET / HTTP/1.1\r\n\ta: b\r\n", 400, "folded"),
    ],
    ids=[
        "LF ends the request line",
        "LF ends a field",
        "LF ends the head",
        "LF first",
        "CRLF first",
        "TLS",
        "space first",
        "HTTP/0.9",
        "HTTP/2.0",
        "HTTP/1.2",
        "space then text",
        "space then field",
        "tab then field",
    ],
)
def test_the_first_wrong_line_is_named(head, status, reason):
    verdict = scanned(head)
    assert isinstance(verdict, tuple)
    assert verdict[0] == status
    assert reason in verdict[1]
    assert scanned_bytewise(head) == verdict


@given(
    st.lists(
        st.sampled_from(
            [
                b"GET / HTTP/1.1",
                b"\r\n",
                b"\r",
                b"\n",
                b"Host: a",
                b" ",
                b"X: " + b"y" * 30,
                b":",
                b"\x00",
                b"z",
            ]
        ),
        max_size=12,
    )
)
@settings(max_examples=150, deadline=None, database=None)
def test_the_scanners_verdict_does_not_depend_on_the_cuts(parts):
    head = b"".join(parts)
    limits = Limits(request_line=20, header_field=25, header_section=40, header_count=3)
    assert scanned_bytewise(head, limits) == scanned(head, limits)


@given(st.binary(max_size=60))
@settings(max_examples=150, deadline=None, database=None)
def test_any_bytes_at_all_get_a_verdict(data):
    assert scanned_bytewise(data) == scanned(data)


def exactly(head: bytes, **limits: int) -> object:
    """What a scanner with these limits says of ``head``: its option if one is passed, else None."""
    try:
        assert HeadScanner(Limits(**limits)).scan(head) == len(head)
    except LimitExceeded as error:
        return error.status, error.option
    return None


FIELD = b"GET / HTTP/1.1\r\nX-Name: 1234567890\r\n\r\n"  # a field of 18 bytes
SECTION = b"GET / HTTP/1.1\r\nA: 1\r\nBB: 22\r\n\r\n"  # 6 + 8 bytes with their line ends


@pytest.mark.parametrize(
    ("head", "limit", "size", "status", "option"),
    [
        (b"GET /1234567 HTTP/1.1\r\n\r\n", "request_line", 21, 414, "--limit-request-line"),
        (FIELD, "header_field", 18, 431, "--limit-header-field"),
        (SECTION, "header_section", 14, 431, "--limit-header-section"),
        (SECTION, "header_count", 2, 431, "--limit-header-count"),
    ],
    ids=["request line", "field", "section", "count"],
)
def test_a_limit_lets_its_own_size_through_and_one_more_not(head, limit, size, status, option):
    assert exactly(head, **{limit: size}) is None
    assert exactly(head, **{limit: size - 1}) == (status, option)
    assert exactly(head, **{limit: 0}) is None, "0 switches the limit off"


@pytest.mark.parametrize(
    ("head", "limits", "option"),
    [
        (b"GET /" + b"a" * 30, {"request_line": 20}, "--limit-request-line"),
        (b"GET / HTTP/1.1\r\nX: " + b"a" * 30, {"header_field": 20}, "--limit-header-field"),
        (b"GET / HTTP/1.1\r\nX: " + b"a" * 30, {"header_section": 20}, "--limit-header-section"),
        (
            b"GET / HTTP/1.1\r\nX: " + b"a" * 30,
            {"header_field": 20, "header_section": 20},
            "--limit-header-field",
        ),
        (
            b"GET / HTTP/1.1\r\nX: " + b"a" * 30,
            {"header_field": 20, "header_section": 19},
            "--limit-header-section",
        ),
        (
            b"GET / HTTP/1.1\r\nA: 1234567890\r\nX: " + b"a" * 50,
            {"header_field": 20, "header_section": 30},
            "--limit-header-section",
        ),
    ],
    ids=[
        "request line",
        "field",
        "section",
        "both at one byte",
        "section a byte before the field",
        "section in the second field",
    ],
)
def test_a_line_without_end_is_refused_at_the_limit_it_passes_first(head, limits, option):
    def first_refusal(steps):
        scanner = HeadScanner(Limits(**limits))
        for size in steps:
            try:
                assert scanner.scan(head[:size]) is None
            except LimitExceeded as error:
                return error.option
        return None

    assert first_refusal([len(head)]) == option
    assert first_refusal(range(1, len(head) + 1)) == option


def test_the_scanner_looks_at_each_byte_once():
    class Counting(bytearray):
        searched = 0

        def find(self, sub, start=0, *end):
            type(self).searched += len(self) - start
            return super().find(sub, start, *end)

    head = b"GET /" + b"a" * 2000
    scanner = HeadScanner(LIMITS)
    buffer = Counting()
    for byte in head:
        buffer.append(byte)
        scanner.scan(buffer)
    assert Counting.searched == len(head)


@pytest.mark.parametrize(
    ("line", "field"),
    [
        (b"Host: a", (b"Host", b"a")),
        (b"X:", (b"X", b"")),
        (b"X: \t ", (b"X", b"")),
        (b"X:\t a b \t", (b"X", b"a b")),
        (b"X: a:b", (b"X", b"a:b")),
        (b"X: a\tb", (b"X", b"a\tb")),
        (b"X: caf\xc3\xa9", (b"X", b"caf\xc3\xa9")),
        (b"!#$%&'*+-.^_`|~09AZaz: x", (b"!#$%&'*+-.^_`|~09AZaz", b"x")),
    ],
    ids=["plain", "empty", "blank", "OWS", "colon in the value", "inner tab", "obs-text", "every token mark"],
)
def test_a_field_line_is_split_at_its_first_colon(line, field):
    assert check_field_line(line) == field


@pytest.mark.parametrize(
    "line",
    [
        b"NoColon",
        b": y",
        b"X : y",
        b"X\t: y",
        b" X: y",
        b"\tX: y",
        b"Bad[Name: y",
        b"X\xefY: y",
        b"ba\x00z: y",
        b"X\x85: y",
        b"X: a\x00b",
        b"X: a\rb",
        b"X: a\nb",
        b"X: a\x07b",
        b"X: a\x7fb",
        b"X: \x0bchunked",
        b"X: 5\x0c",
    ],
)
def test_a_malformed_field_line_is_refused(line):
    with pytest.raises(RemoteProtocolError) as caught:
        check_field_line(line)
    assert caught.value.status == 400


@pytest.mark.parametrize(
    "value",
    [
        b"a",
        b"",
        b"a:80",
        b"a:",
        b":80",
        b"127.0.0.1",
        b"[::1]",
        b"[::1]:8000",
        b"a-b.c_d~e",
        b"x%20y",
        b"a:65535",
    ],
)
def test_a_host_with_or_without_port_is_an_authority(value):
    assert valid_authority(value)


@pytest.mark.parametrize(
    "value",
    [
        b"a/evil?x=",
        b"u@a",
        b"a b",
        b"a,b",
        b"a#x",
        b"a?x",
        b"a:b",
        b"a:80:80",
        b"[::1",
        b"::1",
        b"[]",
        b"[g]",
        b"a%2",
        b"a%zz",
        b"a\\b",
        b"a\xe9",
        b"a:123456",
        b"a\n",
        b'a"',
        b"a<b",
    ],
)
def test_anything_else_is_no_authority(value):
    assert not valid_authority(value)


def test_the_token_pattern_is_rfc_9110s():
    marks = b"!#$%&'*+-.^_`|~"
    for byte in range(256):
        character = bytes((byte,))
        assert bool(TOKEN(character)) == (character.isalnum() or character in marks)
    assert TOKEN(b"") is None


def test_only_htab_of_the_control_characters_may_stand_in_a_value():
    for byte in range(256):
        refused = (byte < 0x20 and byte != 0x09) or byte == 0x7F
        assert bool(CONTROL(bytes((byte,)))) == refused


def test_a_request_line_is_three_words_apart_by_one_space_each():
    match = REQUEST_LINE(b"GET /a?b HTTP/1.0")
    assert match is not None
    assert match.groups() == (b"GET", b"/a?b", b"1", b"0")
    for line in (b"GET  / HTTP/1.1", b"GET / HTTP/1.1 ", b"GET /\xc3\xa9 HTTP/1.1", b"GET / http/1.1"):
        assert REQUEST_LINE(line) is None
