"""The short cuts past the parser: none is laxer than the exact judge, or means anything else."""

from __future__ import annotations

import h11
import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from ropewalk.server.config import Limits
from ropewalk.server.errors import RemoteProtocolError
from ropewalk.server.http1.grammar import FAST_REQUEST_LINE, HeadScanner, check_field_line
from ropewalk.server.http1.head import RequestHead, SectionMemo, parse_head

from .driving import GET, Listener, Server, answer, outcome, read_all

LIMITS = Limits()


def head_of(*lines: bytes) -> bytes:
    """A head of these lines."""
    return b"".join(line + b"\r\n" for line in lines) + b"\r\n"


def parse(*lines: bytes, **how: str) -> RequestHead:
    """The parsed head of these lines."""
    return parse_head(head_of(*lines), LIMITS, **how)


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
HOST = (b"Host", b"a")
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
    st.lists(st.one_of(PLAIN_FIELDS, KNOWN_FIELDS, st.just(HOST)), max_size=5).map(
        lambda fields: fields if any(name.lower() == b"host" for name, _ in fields) else [HOST, *fields]
    ),
    st.just(b"\r\n"),
)
QUICK = settings(
    max_examples=100,
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
