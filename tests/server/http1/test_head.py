"""Whole request heads: what they mean, which are refused, and that no short cut is laxer than the full parser."""

from __future__ import annotations

import h11
import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from ropewalk.server.config import Limits
from ropewalk.server.errors import RemoteProtocolError
from ropewalk.server.http1.grammar import FAST_REQUEST_LINE, HeadScanner, check_field_line
from ropewalk.server.http1.head import RequestHead, SectionMemo, parse_head

from .driving import GET, Listener, Server, answer, judge, outcome, read_all, refused

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


# properties ----------------------------------------------------------------------------------------

TOKENS = st.text("abcXYZ019-!#$%&'*+.^_`|~", min_size=1, max_size=12).map(str.encode)
VALUES = st.binary(max_size=20).map(lambda value: bytes(b for b in value if b >= 0x20 and b != 0x7F))
PLAIN_FIELDS = st.tuples(TOKENS, VALUES).filter(
    lambda field: (
        field[0].lower()
        not in (b"host", b"content-length", b"transfer-encoding", b"connection", b"upgrade", b"expect")
    )
)
KNOWN_FIELDS = st.sampled_from(
    [
        (b"Host", b"b"),
        (b"host", b"a:80"),
        (b"Content-Length", b"0"),
        (b"Content-Length", b"3"),
        (b"Transfer-Encoding", b"chunked"),
        (b"Connection", b"close"),
        (b"Connection", b"keep-alive, Upgrade"),
        (b"Upgrade", b"websocket"),
        (b"Expect", b"100-continue"),
        (b"X_Y", b"z"),
    ]
)
TARGETS = st.one_of(
    st.sampled_from(
        [b"/", b"/a?b", b"*", b"http://b/x", b"/#", b'/"', b"//x", b"a:1", b"http://", b"?", b"/\x7f"]
    ),
    st.text("abc/?%=&.;:@!", max_size=12).map(lambda text: b"/" + text.encode()),
)
METHODS = st.sampled_from([b"GET", b"POST", b"HEAD", b"OPTIONS", b"DELETE", b"CONNECT", b"FROB", b"get"])
HEADS = st.builds(
    lambda method, target, version, fields, ending: (
        method
        + b" "
        + target
        + b" HTTP/"
        + version
        + b"\r\n"
        + b"".join(name + b": " + value + b"\r\n" for name, value in fields)
        + ending
    ),
    METHODS,
    TARGETS,
    st.sampled_from([b"1.1"] * 6 + [b"1.0", b"1.2"]),
    st.lists(st.one_of(PLAIN_FIELDS, KNOWN_FIELDS, st.just((b"Host", b"a"))), max_size=5).map(
        lambda fields: [(b"Host", b"a"), *fields] if not any(name.lower() == b"host" for name, _ in fields) else fields
    ),
    st.just(b"\r\n"),
)  # fmt: skip
QUICK = settings(
    max_examples=150,
    deadline=None,
    database=None,
    suppress_health_check=[HealthCheck.filter_too_much, HealthCheck.too_slow],
)


def mutated(head: bytes, at: int, change: bytes) -> bytes:
    """``head`` with one byte replaced, inserted or taken out."""
    at %= len(head)
    return head[:at] + change + head[at + (len(change) != 2) :]


MUTATED = st.builds(
    mutated,
    HEADS,
    st.integers(0, 500),
    st.sampled_from([b"", b"\r", b"\n", b"\x00", b" ", b"\t", b":", b",", b"\xa0", b"  ", b"\r\n", b"\x7f"]),
)


@QUICK
@given(st.one_of(HEADS, MUTATED))
def test_what_the_full_parser_accepts_the_scanner_accepts(head):
    """httptools is never laxer than the exact judge, and means the same by the same fields."""
    try:
        parsed = parse_head(head, LIMITS, "keep")
    except RemoteProtocolError:
        return
    end = HeadScanner(LIMITS).scan(head)
    assert end is not None
    assert end <= len(head)
    lines = head[:end].split(b"\r\n")[1:-2]
    fields = [(name.lower(), value) for name, value in map(check_field_line, lines)]
    if parsed.section.fields != fields:
        host = parsed.section.fields[0]
        assert host[0] == b"host"
        assert b"://" in head
        assert parsed.section.fields[1:] == [field for field in fields if field[0] != b"host"]


@QUICK
@given(st.from_regex(FAST_REQUEST_LINE.__self__.pattern, fullmatch=True))
def test_the_fast_pattern_accepts_nothing_that_the_full_parser_refuses(line):
    match = FAST_REQUEST_LINE(line)
    assert match is not None
    head = parse_head(line + b"Host: a\r\n\r\n", LIMITS)
    assert (head.method.encode(), head.path, head.query) == match.groups()


@pytest.mark.parametrize(
    "line",
    [
        b"GET / HTTP/1.0",
        b"GET http://a/ HTTP/1.1",
        b"OPTIONS * HTTP/1.1",
        b"CONNECT a:1 HTTP/1.1",
        b"get / HTTP/1.1",
        b'GET /" HTTP/1.1',
        b"GET /# HTTP/1.1",
        b"GET /?# HTTP/1.1",
        b"GET /\\ HTTP/1.1",
        b"GET /\xe9 HTTP/1.1",
        b"GET /\x7f HTTP/1.1",
        b"GET  / HTTP/1.1",
    ],
)
def test_the_fast_pattern_leaves_the_unusual_to_the_full_parser(line):
    assert FAST_REQUEST_LINE(line + b"\r\n") is None


@QUICK
@given(
    st.one_of(HEADS, MUTATED),
    st.sampled_from([b"", b"abc", b"3\r\nabc\r\n0\r\n\r\n", GET]),
)
def test_the_memo_changes_no_outcome(head, rest):
    """Sent whole behind requests with the same fields, or cut so that only the full parser can take it."""
    data = head + rest
    section = head.partition(b"\r\n")[2]
    warm = b"GET /warm HTTP/1.1\r\n" + section
    alone = outcome([warm])
    assume(alone.statuses == [200] and alone.ending == "open")
    fast, slow = outcome([warm, data]), outcome([warm, data[:1], data[1:]])
    assert fast == slow
    assert outcome([warm, data, data]) == outcome([warm, data[:1], data[1:] + data[:1], data[1:]])


def request_through_h11(data: bytes):
    """Method, target, fields and body of ``data`` as h11 reads it, None where it refuses."""
    connection = h11.Connection(h11.SERVER, max_incomplete_event_size=1 << 20)
    try:
        connection.receive_data(data)
        event = connection.next_event()
        if not isinstance(event, h11.Request):
            return None
        body = b""
        while isinstance(piece := connection.next_event(), h11.Data):
            body += bytes(piece.data)
    except h11.RemoteProtocolError:
        return None
    if not isinstance(piece, h11.EndOfMessage):
        return None
    return event.method, event.target, list(event.headers), body, list(piece.headers)


@QUICK
@given(
    st.sampled_from([b"GET", b"POST", b"PUT", b"DELETE"]),
    st.text("abc/?%=&.;:@!", max_size=20).map(lambda text: b"/" + text.encode()),
    st.lists(PLAIN_FIELDS, max_size=6),
    st.binary(max_size=60),
    st.sampled_from(["length", "chunked", "none"]),
)
def test_h11_reads_the_same_request(method, target, fields, body, framing):
    lines = [method + b" " + target + b" HTTP/1.1", b"Host: a"]
    lines += [name + b": " + value for name, value in fields]
    sent = b""
    if framing == "length":
        lines.append(b"Content-Length: %d" % len(body))
        sent = body
    elif framing == "chunked":
        lines.append(b"Transfer-Encoding: chunked")
        sent = b"".join(
            b"%x\r\n%b\r\n" % (len(body[i : i + 7]), body[i : i + 7]) for i in range(0, len(body), 7)
        )
        sent += b"0\r\nX-Sum: 1\r\n\r\n"
    data = head_of(*lines) + sent
    theirs = request_through_h11(data)
    ours = outcome([data], underscore_fields="keep").requests
    assume(theirs is not None and ours)
    assert theirs is not None
    (request,) = ours
    target = request.path if request.query is None else request.path + b"?" + request.query
    assert (request.method.encode(), target, request.fields, request.body, request.trailers) == theirs


# the memos -----------------------------------------------------------------------------------------


def test_a_second_request_with_the_same_fields_shares_the_section():
    server = Server(answer)
    client = server.connect()
    client.send(GET)
    client.send(GET.replace(b"/ ", b"/other?q "))
    first, second = server.begun
    assert second.section is first.section
    assert (second.method, second.path, second.query) == ("GET", b"/other", b"q")
    assert len(server.site.sections) == 1


def test_the_section_is_shared_with_other_connections():
    server = Server(answer)
    for _ in range(2):
        server.connect().send(GET)
    first, second = server.begun
    assert second.section is first.section


def test_the_same_bytes_again_begin_an_exchange_of_their_own():
    server = Server(answer)
    client = server.connect()
    client.send(GET, GET, GET, GET)
    assert len({id(exchange) for exchange in server.begun}) == 4
    assert client.statuses == [200] * 4
    assert {(exchange.method, exchange.path, exchange.query) for exchange in server.begun} == {
        ("GET", b"/", None)
    }


@pytest.mark.parametrize(
    "other",
    [
        b"GET / HTTP/1.1\r\nHost: b\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: a\r\nX: y\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost:a\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n",
    ],
    ids=["value", "more fields", "spacing", "a body of none"],
)
def test_other_bytes_have_a_section_of_their_own(other):
    server = Server(answer)
    client = server.connect()
    client.send(GET, other)
    first, second = server.begun
    assert second.section is not first.section
    assert len(server.site.sections) == 2


def test_a_section_with_a_body_is_remembered_and_its_body_read():
    server = Server()
    client = server.connect()
    post = b"POST /%d HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\n"
    for number, body in enumerate((b"one", b"two")):
        client.send(post % number + body)
        exchange = server.begun[-1]
        assert read_all(exchange) == body
        answer(exchange)
    assert server.begun[0].section is server.begun[1].section


def test_an_incomplete_head_does_not_match_the_memo():
    server = Server(answer)
    client = server.connect()
    client.send(GET, GET[:-1])
    assert len(server.begun) == 1
    client.send(GET[-1:])
    assert len(server.begun) == 2


def test_a_request_line_over_the_limit_is_refused_on_the_fast_path_too():
    line = b"GET /12345 HTTP/1.1"
    server = Server(answer, limit_request_line=len(line))
    client = server.connect()
    client.send(line + b"\r\nHost: a\r\n\r\n", line + b"\r\nHost: a\r\n\r\n")
    assert client.statuses == [200, 200]
    client.send(line.replace(b"5", b"56") + b"\r\nHost: a\r\n\r\n")
    assert client.statuses == [200, 200, 414]


@pytest.mark.parametrize(
    "head",
    [
        b"GET http://b/ HTTP/1.1\r\nHost: a\r\n\r\n",
        b"GET / HTTP/1.0\r\nHost: a\r\nConnection: keep-alive\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n",
    ],
    ids=["absolute target", "HTTP/1.0", "upgrade"],
)
def test_a_section_that_means_something_else_elsewhere_is_not_remembered(head):
    server = Server(answer)
    server.connect().send(head)
    assert len(server.begun) == 1
    assert len(server.site.sections) == 0


def test_a_refused_head_is_not_remembered():
    server = Server(answer)
    server.connect().send(b"GET / HTTP/1.1\r\nHost: a b\r\n\r\n")
    assert len(server.site.sections) == 0


def test_the_fields_of_a_shared_section_are_the_same_list_until_copied():
    server = Server()
    client = server.connect()
    client.send(GET)
    exchange = server.begun[0]
    Listener(exchange)
    assert exchange.fields is exchange.section.fields


def section(number: int, size: int = 0):
    """A section that is distinct by ``number``, with ``size`` bytes of padding."""
    return parse(b"GET / HTTP/1.1", b"Host: a", b"X: %d" % number, b"Y: " + b"y" * size).section


def test_the_memo_starts_afresh_when_it_has_all_the_entries_it_may():
    memo = SectionMemo(max_entries=3)
    sections = [section(number) for number in range(4)]
    for each in sections[:3]:
        memo.add(each)
    assert len(memo) == 3
    assert memo.get(sections[0].raw) is sections[0]
    memo.add(sections[3])
    assert len(memo) == 1
    assert memo.get(sections[0].raw) is None
    assert memo.get(sections[3].raw) is sections[3]


def test_the_memo_starts_afresh_when_it_has_all_the_bytes_it_may():
    first, second = section(1), section(2)
    memo = SectionMemo(max_bytes=first.size + second.size)
    memo.add(first)
    memo.add(second)
    assert len(memo) == 2
    memo.add(section(3))
    assert len(memo) == 1


def test_a_section_larger_than_an_entry_may_be_is_not_kept():
    large = section(1, size=100)
    memo = SectionMemo(max_entry=large.size - 1)
    memo.add(large)
    assert len(memo) == 0
    SectionMemo(max_entry=large.size).add(large)
    memo = SectionMemo(max_entry=large.size)
    memo.add(large)
    assert len(memo) == 1


def test_a_cleared_memo_counts_its_bytes_from_nothing():
    first, second = section(1), section(2)
    memo = SectionMemo(max_bytes=first.size + second.size)
    memo.add(first)
    memo.add(second)
    memo.clear()
    memo.add(first)
    memo.add(second)
    assert len(memo) == 2


def test_a_site_does_not_remember_sections_without_end():
    server = Server(answer)
    client = server.connect()
    for number in range(600):
        client.send(b"GET / HTTP/1.1\r\nHost: a\r\nX: %d\r\n\r\n" % number)
    assert len(server.begun) == 600
    assert len(server.site.sections) <= server.site.sections.max_entries
