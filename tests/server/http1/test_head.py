"""Whole request heads: what they mean, and which are refused."""

from __future__ import annotations

import pytest

from ropewalk.server.config import Limits
from ropewalk.server.errors import RemoteProtocolError
from ropewalk.server.http1 import head as module
from ropewalk.server.http1.head import RequestHead, parse_head

from .driving import GET, judge, refused

LIMITS = Limits()


def head_of(*lines: bytes) -> bytes:
    """A head of these lines."""
    return b"".join(line + b"\r\n" for line in lines) + b"\r\n"


def parse(*lines: bytes, **how: str) -> RequestHead:
    """The parsed head of these lines."""
    return parse_head(head_of(*lines), LIMITS, **how)


# the request line ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("line", "method", "path", "query"),
    [
        (b"GET / HTTP/1.1", "GET", b"/", None),
        (b"GET /a?b=c HTTP/1.1", "GET", b"/a", b"b=c"),
        (b"GET /a? HTTP/1.1", "GET", b"/a", b""),
        (b"GET /a?b?c HTTP/1.1", "GET", b"/a", b"b?c"),
        (b"GET //evil.com/x HTTP/1.1", "GET", b"//evil.com/x", None),
        (b"GET /%zz%/%00%c0%af HTTP/1.1", "GET", b"/%zz%/%00%c0%af", None),
        (b'GET /"\\ HTTP/1.1', "GET", b'/"\\', None),
        (b"GET /a:b HTTP/1.1", "GET", b"/a:b", None),
        (b"GET /http://x HTTP/1.1", "GET", b"/http://x", None),
        (b"OPTIONS * HTTP/1.1", "OPTIONS", b"*", None),
        (b"QUERY / HTTP/1.1", "QUERY", b"/", None),
        (b"PROPFIND /dav HTTP/1.1", "PROPFIND", b"/dav", None),
        (b"GET http://a/x?y=1 HTTP/1.1", "GET", b"/x", b"y=1"),
        (b"GET http://a HTTP/1.1", "GET", b"/", None),
        (b"GET http://a?y HTTP/1.1", "GET", b"/", b"y"),
        (b"GET HTTPS://a/ HTTP/1.1", "GET", b"/", None),
        (b"OPTIONS http://a HTTP/1.1", "OPTIONS", b"*", None),
        (b"OPTIONS http://a/ HTTP/1.1", "OPTIONS", b"/", None),
    ],
)
def test_a_request_line_gives_method_path_and_query(line, method, path, query):
    (request,) = judge(line + b"\r\nHost: a\r\n\r\n").requests
    assert (request.method, request.path, request.query) == (method, path, query)
    assert request.fields == [(b"host", b"a")]


@pytest.mark.parametrize(
    ("line", "status"),
    [
        (b"GET HTTP/1.1", 400),
        (b"GET  / HTTP/1.1", 400),
        (b"GET\t/ HTTP/1.1", 400),
        (b"GET /  HTTP/1.1", 400),
        (b"GET / HTTP/1.1 ", 400),
        (b"GET /a b HTTP/1.1", 400),
        (b"GET /caf\xc3\xa9 HTTP/1.1", 400),
        (b"GET /\x7f\x01 HTTP/1.1", 400),
        (b"GET\x00 / HTTP/1.1", 400),
        (b"G[T / HTTP/1.1", 400),
        (b"GET /", 400),
        (b"GET / HTTP/1", 400),
        (b"GET / HTTP/1.10", 400),
        (b"GET / HTTP/ 1.1", 400),
        (b"GET / http/1.1", 400),
        (b"GET / HTTP/2.0", 505),
        (b"GET / HTTP/0.9", 505),
        (b"GET / HTTP/1.2", 505),
        (b"GET / HTTP/3.1", 505),
        (b"PRI * HTTP/2.0", 505),
        (b"PRI * HTTP/1.1", 400),
        (b"get / HTTP/1.1", 501),
        (b"FROB / HTTP/1.1", 501),
        (b"GETX / HTTP/1.1", 501),
        (b"PLAY / HTTP/1.1", 400),
        (b"CONNECT a:443 HTTP/1.1", 501),
        (b"CONNECT / HTTP/1.1", 501),
        (b"GET * HTTP/1.1", 400),
        (b"GET a:443 HTTP/1.1", 400),
        (b"GET foo/bar HTTP/1.1", 400),
        (b"GET ?x HTTP/1.1", 400),
        (b"GET /x#frag HTTP/1.1", 400),
        (b"GET http://a/#x HTTP/1.1", 400),
        (b"GET ftp://a/ HTTP/1.1", 400),
        (b"PUT s://]ufd/: HTTP/1.1", 400),
        (b"GET http:/a HTTP/1.1", 400),
        (b"GET http:///x HTTP/1.1", 400),
        (b"GET http://:80/x HTTP/1.1", 400),
        (b"GET http://u@a/ HTTP/1.1", 400),
        (b"GET http://[::1/ HTTP/1.1", 400),
        (b"GET http://a:b/ HTTP/1.1", 400),
    ],
)
def test_a_malformed_request_line_is_refused(line, status):
    refused(line + b"\r\nHost: a\r\n\r\n", status)


def test_an_absolute_target_replaces_the_host_field_and_heads_the_list():
    head = parse(b"GET http://b:81/ HTTP/1.1", b"X: y", b"Host: a")
    assert head.section.fields == [(b"host", b"b:81"), (b"x", b"y")]
    assert not head.reusable


def test_an_absolute_target_still_needs_a_host_field():
    with pytest.raises(RemoteProtocolError, match="without a Host"):
        parse(b"GET http://b/ HTTP/1.1")


def test_an_absolute_target_gives_an_http_10_request_its_host():
    assert parse(b"GET http://b/ HTTP/1.0").section.fields == [(b"host", b"b")]


# fields --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "lines",
    [
        [b"Host: a\nX: y"],
        [b"Host: a", b"Useless:\n\nGET /smuggled HTTP/1.1", b"Host: a"],
        [b"Host: a", b"X: a\rContent-Length: 5"],
        [b"Host: a", b"X: a\x00b"],
        [b"Host: a", b"X: a\x07b\x7f"],
        [b"Host: a", b"X: one", b" two"],
        [b"Host: a", b"X: one", b"\ttwo"],
        [b"Host: a", b"X: one", b" "],
        [b" X: y", b"Host: a"],
        [b"Host: a", b"X : y"],
        [b"Host: a", b": y"],
        [b"Host: a", b"NoColon"],
        [b"Host: a", b"Bad[Name: y"],
        [b"Host: a", b"X\xefY: y"],
        [b"Host: a", b"ba\x00z: y"],
        [b"X: y"],
        [b"Host: a", b"Host: b"],
        [b"Host: a", b"Host: a"],
        [b"Host: a", b"host: a"],
        [b"Host: a/evil?x="],
        [b"Host: u@a"],
        [b"Host: a b"],
        [b"Host: a,b"],
        [b"Host: a#x"],
        [b"Host : a"],
    ],
)
def test_a_malformed_header_section_is_refused(lines):
    with pytest.raises(RemoteProtocolError):
        parse(b"GET / HTTP/1.1", *lines)
    refused(head_of(b"GET / HTTP/1.1", *lines), 400)


@pytest.mark.parametrize(
    "lines",
    [
        [b"Content-Length: 5", b"Transfer-Encoding: chunked"],
        [b"Transfer-Encoding: chunked", b"Content-Length: 5"],
        [b"Content-Length: 5", b"Content-Length: 0"],
        [b"Content-Length: 5", b"Content-Length: 5"],
        [b"Content-Length: 5, 5"],
        [b"Content-Length: +5"],
        [b"Content-Length: -0"],
        [b"Content-Length: -5"],
        [b"Content-Length: 1_0"],
        [b"Content-Length: 0x5"],
        [b"Content-Length: 5 5"],
        [b"Content-Length:"],
        [b"Content-Length: \xd9\xa5"],
        [b"Content-Length: \xb2"],
        [b"Content-Length: 99999999999999999999"],
        [b"Content-Length: " + b"1" * 4400],
        [b"Content-Length: 5\x0b"],
        [b"Content-Length\x85: 10"],
        [b"Content-Length: 5", b"Content-Length : 6"],
        [b"Transfer-Encoding: chunked, identity"],
        [b"Transfer-Encoding: chunked, chunked"],
        [b"Transfer-Encoding: gzip, chunked"],
        [b"Transfer-Encoding: chunked", b"Transfer-Encoding: chunked"],
        [b"Transfer-Encoding: ,chunked"],
        [b"Transfer-Encoding: \x0bchunked"],
        [b"Transfer-Encoding:", b" chunked"],
        [b"Transfer-Encoding : chunked", b"Content-Length: 5"],
        [b" Transfer-Encoding: chunked", b"Content-Length: 5"],
    ],
)
def test_ambiguous_or_malformed_framing_is_refused(lines):
    refused(head_of(b"POST / HTTP/1.1", b"Host: a", *lines), 400)


@pytest.mark.parametrize(
    "value",
    [b"xchunked", b"gzip", b"identity", b"chunked;q=1", b"\xa0chunked\xa0", b'"chunked"', b""],
    ids=["look-alike", "gzip", "identity", "parameter", "NBSP", "quoted", "empty"],
)
def test_a_transfer_coding_other_than_chunked_is_refused(value):
    """An unknown coding must not fall back to no body at all: 501, or 400 where httptools refuses first."""
    data = head_of(b"POST / HTTP/1.1", b"Host: a", b"Transfer-Encoding: " + value)
    result = judge(data + b"0\r\n\r\n")
    assert result.statuses in ([400], [501])
    assert result.requests == []
    assert result.ending == "half-closed"


def test_chunked_to_http_10_is_refused():
    refused(head_of(b"POST / HTTP/1.0", b"Host: a", b"Transfer-Encoding: chunked"), 400)


def test_the_name_of_the_coding_is_case_insensitive():
    data = head_of(b"POST / HTTP/1.1", b"Host: a", b"Transfer-Encoding: Chunked") + b"1\r\nx\r\n0\r\n\r\n"
    assert judge(data).requests[0].body == b"x"


def test_a_zero_content_length_is_no_body():
    section = parse(b"POST / HTTP/1.1", b"Host: a", b"Content-Length: 000").section
    assert (section.content_length, section.bodiless, section.plain) == (0, True, True)


def test_field_names_come_lower_case_and_values_without_surrounding_space():
    head = parse(b"GET / HTTP/1.1", b"HOST:a", b"X-Y: \t b c\t ", b"X-Empty:", b"X-Y: d", b"Z: \xe9\xff")
    assert head.section.fields == [
        (b"host", b"a"),
        (b"x-y", b"b c"),
        (b"x-empty", b""),
        (b"x-y", b"d"),
        (b"z", b"\xe9\xff"),
    ]


UNDERSCORED = (b"GET / HTTP/1.1", b"Host: a", b"X-A_B: 1", b"X-A-B: 2")


def test_a_field_with_an_underscore_is_dropped_kept_or_refused_as_configured():
    assert parse(*UNDERSCORED).section.fields == [(b"host", b"a"), (b"x-a-b", b"2")]
    kept = parse(*UNDERSCORED, underscore_fields="keep").section.fields
    assert kept == [(b"host", b"a"), (b"x-a_b", b"1"), (b"x-a-b", b"2")]
    refused(head_of(*UNDERSCORED), 400, underscore_fields="refuse")


def test_a_framing_field_spelt_with_an_underscore_frames_nothing():
    data = head_of(b"POST / HTTP/1.1", b"Host: a", b"Transfer_Encoding: chunked", b"Content-Length: 5")
    (request,) = judge(data + b"hello").requests
    assert request.body == b"hello"
    assert request.fields == [(b"host", b"a"), (b"content-length", b"5")]


@pytest.mark.parametrize(
    ("version", "options", "keep_alive"),
    [
        (b"1.1", None, True),
        (b"1.1", b"close", False),
        (b"1.1", b"CLOSE", False),
        (b"1.1", b"keep-alive, close", False),
        (b"1.1", b"x , close\t", False),
        (b"1.1", b"closed", True),
        (b"1.0", None, False),
        (b"1.0", b"keep-alive", True),
        (b"1.0", b"Keep-Alive", True),
        (b"1.0", b"keep-alive, close", False),
    ],
)
def test_the_connection_options_decide_whether_the_connection_is_kept(version, options, keep_alive):
    lines = [b"GET / HTTP/" + version, b"Host: a"]
    if options is not None:
        lines.append(b"Connection: " + options)
    assert parse(*lines).section.keep_alive == keep_alive


def test_close_in_the_second_of_two_connection_fields_counts():
    section = parse(b"GET / HTTP/1.1", b"Host: a", b"Connection: x", b"Connection: close").section
    assert not section.keep_alive
    assert not section.plain


def test_an_upgrade_counts_only_where_connection_names_it():
    named = parse(b"GET / HTTP/1.1", b"Host: a", b"Connection: x, Upgrade", b"Upgrade: h2c", b"Upgrade: z")
    assert named.section.upgrade == b"h2c,z"
    assert not named.reusable
    assert parse(b"GET / HTTP/1.1", b"Host: a", b"Upgrade: h2c").section.upgrade is None


def test_an_upgrade_to_something_unknown_is_an_ordinary_request():
    data = head_of(
        b"GET / HTTP/1.1",
        b"Host: a",
        b"Connection: Upgrade, HTTP2-Settings",
        b"Upgrade: h2c",
        b"HTTP2-Settings: AAMAAABkAAQAAP__",
    )
    assert judge(data + GET).statuses == [200, 200]


@pytest.mark.parametrize(
    ("lines", "expects"),
    [
        ([b"Content-Length: 1"], True),
        ([b"Transfer-Encoding: chunked"], True),
        ([b"Content-Length: 0"], False),
        ([], False),
    ],
    ids=["length", "chunked", "zero length", "no body"],
)
def test_an_expectation_counts_only_where_a_body_follows(lines, expects):
    section = parse(b"POST / HTTP/1.1", b"Host: a", b"Expect: 100-Continue", *lines).section
    assert section.expect_continue == expects


def test_an_unknown_expectation_is_answered_417():
    refused(head_of(b"GET / HTTP/1.1", b"Host: a", b"Expect: foo"), 417)
    refused(head_of(b"GET / HTTP/1.1", b"Host: a", b"Expect: 100-continue", b"Expect: foo"), 417)


def test_http_10_ignores_expectations_and_needs_no_host():
    assert parse(b"GET / HTTP/1.0", b"Expect: foo").http_version == "1.0"


@pytest.mark.parametrize(
    "fields",
    [
        [(b"content-length", b"5"), (b"content-length", b"5")],
        [(b"transfer-encoding", b"chunked"), (b"transfer-encoding", b"chunked")],
        [(b"transfer-encoding", b"chunked"), (b"content-length", b"5")],
        [(b"transfer-encoding", b"chunked, identity")],
        [(b"transfer-encoding", b"")],
        [(b"content-length", b"5, 5")],
        [(b"content-length", b"+5")],
        [(b"content-length", b"")],
        [(b"content-length", b"\xb2")],
        [(b"content-length", b"1" * 20)],
        [(b"host", b"a")],
    ],
)
def test_framing_is_judged_by_our_own_eyes_whatever_httptools_lets_through(fields, monkeypatch):
    def lenient(_head: bytes, _method: bytes) -> list[tuple[bytes, bytes]]:
        return [(b"host", b"a"), *fields]

    monkeypatch.setattr(module, "_parse_fields", lenient)
    with pytest.raises(RemoteProtocolError) as caught:
        parse(b"POST / HTTP/1.1", b"Host: a")
    assert caught.value.status in (400, 501)


def test_a_head_larger_than_one_field_may_be_is_looked_at_line_by_line():
    lines = [b"GET / HTTP/1.1", b"Host: a", *(b"X: " + b"y" * 50 for _ in range(10))]
    assert len(parse_head(head_of(*lines), Limits(header_field=60)).section.fields) == 11
    with pytest.raises(RemoteProtocolError, match="field is longer"):
        parse_head(head_of(*lines), Limits(header_field=52))


@pytest.mark.parametrize(
    ("limits", "status"),
    [
        ({"request_line": 13}, 414),
        ({"header_section": 15}, 431),
        ({"header_count": 1}, 431),
    ],
    ids=["request line", "section", "count"],
)
def test_the_full_parser_knows_the_limits_of_the_scanner(limits, status):
    head = b"GET / HTTP/1.1\r\nHost: a\r\nX: yy\r\n\r\n"
    with pytest.raises(RemoteProtocolError) as caught:
        parse_head(head, Limits(**limits))
    assert caught.value.status == status
    raised = {name: size + 1 for name, size in limits.items()}
    assert parse_head(head, Limits(**raised)).method == "GET"
