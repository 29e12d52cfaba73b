"""Responses on the wire of HTTP/1.1: how they are framed, in how many writes, and what breaks them off."""

from __future__ import annotations

import logging

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ropewalk.server.errors import LocalProtocolError
from ropewalk.server.exchange import AWAITING, COMPLETE, GONE, TRAILERS

from .driving import DATE, GET, OK, TAIL, WALL, GatheringTransport, Listener, Server, Transport, answer

HEAD = GET.replace(b"GET", b"HEAD")
OLD = b"GET / HTTP/1.0\r\n\r\n"
OLD_KEPT = b"GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n"
CLOSE = b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"
POST = b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\n"


def begin(data: bytes = GET, **options: object):
    """A connection on which ``data`` has begun an exchange."""
    server = Server(**options)
    client = server.connect()
    client.send(data)
    return client, server.begun[-1]


def length(size: int) -> list[tuple[bytes, bytes]]:
    """The fields of a response of a known length."""
    return [(b"content-length", b"%d" % size)]


# framing -------------------------------------------------------------------------------------------


def test_a_small_response_is_one_write():
    client, exchange = begin()
    answer(exchange)
    assert client.transport.writes == [OK]
    assert exchange.state == COMPLETE
    assert exchange.bytes_sent == 2


def test_a_body_given_at_once_has_its_length_declared():
    client, exchange = begin()
    exchange.start_response(200, [(b"x", b"y")])
    exchange.finish(b"ok")
    assert client.transport.writes == [b"HTTP/1.1 200 OK\r\nx: y\r\ncontent-length: 2\r\n" + TAIL + b"ok"]


def test_an_empty_body_has_the_length_0():
    client, exchange = begin()
    exchange.start_response(404, [])
    exchange.finish()
    assert client.received == b"HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n" + TAIL


def test_a_body_in_pieces_is_chunked_and_its_first_piece_leaves_with_the_head():
    client, exchange = begin()
    exchange.start_response(200, [])
    assert exchange.write(b"hello") is True
    exchange.write(b"")
    exchange.write(b"x" * 16)
    exchange.finish(b"end")
    assert client.transport.writes == [
        b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n" + TAIL + b"5\r\nhello\r\n",
        b"10\r\n" + b"x" * 16 + b"\r\n",
        b"3\r\nend\r\n",
        b"0\r\n\r\n",
    ]
    assert exchange.bytes_sent == 24
    assert client.ending == "open"


def test_an_empty_first_piece_sends_the_head_alone_and_ends_nothing():
    client, exchange = begin()
    exchange.start_response(200, [])
    exchange.write(b"")
    assert client.received == b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n" + TAIL
    exchange.finish()
    assert client.received.endswith(TAIL + b"0\r\n\r\n")


def test_a_body_in_pieces_of_a_declared_length_is_not_chunked():
    client, exchange = begin()
    exchange.start_response(200, length(5))
    exchange.write(b"he")
    exchange.write(b"l")
    exchange.finish(b"lo")
    assert client.received == b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n" + TAIL + b"hello"


def test_a_transfer_coding_set_by_the_application_is_not_sent_twice():
    client, exchange = begin()
    exchange.start_response(200, [(b"Transfer-Encoding", b"chunked")])
    exchange.write(b"a")
    exchange.finish()
    assert client.received.count(b"transfer-encoding") == 1


@pytest.mark.parametrize("framing", ["length", "chunked", "at once"])
@pytest.mark.parametrize("gathers", [False, True])
def test_a_large_body_is_one_write_and_uncopied_where_the_transport_gathers(framing, gathers):
    body = b"x" * 40_000
    server = Server()
    client = server.connect(kind=GatheringTransport if gathers else Transport)
    client.send(GET)
    exchange = server.begun[0]
    exchange.start_response(200, length(2 * len(body)) if framing == "length" else [])
    if framing == "at once":
        exchange.finish(body)
        content = body
    else:
        exchange.write(body)
        assert len(client.transport.writes) == 1
        exchange.finish(body)
        coded = b"9c40\r\n" + body + b"\r\n"
        content = coded + coded + b"0\r\n\r\n" if framing == "chunked" else body + body
    assert client.received.partition(TAIL)[2] == content
    assert exchange.bytes_sent == len(body) * (1 if framing == "at once" else 2)
    if gathers:
        assert any(part is body for part in client.transport.parts)
        assert b"" not in client.transport.parts


@pytest.mark.parametrize("size", [32 * 1024, 32 * 1024 + 1])
def test_the_size_up_to_which_a_body_is_joined_to_its_head(size):
    server = Server()
    client = server.connect(kind=GatheringTransport)
    client.send(GET)
    answer(server.begun[0], b"x" * size)
    assert len(client.transport.writes) == 1
    assert bool(client.transport.parts) == (size > 32 * 1024)
    assert client.received.endswith(TAIL + b"x" * size)


def test_to_http_10_a_body_of_unknown_length_ends_with_the_connection():
    client, exchange = begin(OLD_KEPT)
    exchange.start_response(200, [])
    exchange.write(b"he")
    exchange.finish(b"llo")
    assert client.received == b"HTTP/1.1 200 OK\r\nconnection: close\r\n" + TAIL + b"hello"
    assert client.ending == "half-closed"


@pytest.mark.parametrize(
    ("request_head", "connection", "ending"),
    [
        (GET, b"", "open"),
        (CLOSE, b"connection: close\r\n", "half-closed"),
        (OLD, b"connection: close\r\n", "half-closed"),
        (OLD_KEPT, b"connection: keep-alive\r\n", "open"),
    ],
    ids=["1.1", "1.1 close", "1.0", "1.0 keep-alive"],
)
@pytest.mark.parametrize("pieces", [1, 2])
def test_the_response_says_what_becomes_of_the_connection(request_head, connection, ending, pieces):
    client, exchange = begin(request_head)
    exchange.start_response(200, length(2))
    if pieces == 2:
        exchange.write(b"o")
        exchange.finish(b"k")
    else:
        exchange.finish(b"ok")
    assert client.received == b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n" + connection + TAIL + b"ok"
    assert client.ending == ending


def test_the_application_may_close_the_connection():
    client, exchange = begin()
    exchange.start_response(200, [*length(2), (b"Connection", b"close")])
    exchange.finish(b"ok")
    assert client.received.count(b"connection: close") == 1
    assert client.ending == "half-closed"


def test_the_application_cannot_keep_what_the_client_closes():
    client, exchange = begin(CLOSE)
    exchange.start_response(200, [*length(2), (b"connection", b"keep-alive")])
    exchange.finish(b"ok")
    assert b"keep-alive" not in client.received
    assert client.ending == "half-closed"


# no content ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("fields", [length(5), []], ids=["length", "no length"])
@pytest.mark.parametrize("pieces", [1, 2])
def test_a_response_to_head_has_the_fields_of_get_and_no_content(fields, pieces):
    client, exchange = begin(HEAD)
    exchange.start_response(200, fields)
    if pieces == 2:
        exchange.write(b"he")
        exchange.finish(b"llo")
    else:
        exchange.finish(b"hello")
    head, _, content = client.received.partition(b"\r\n\r\n")
    assert content == b""
    assert (b"content-length: 5" in head) == (pieces == 1 or bool(fields))
    assert exchange.bytes_sent == 0
    assert exchange.state == COMPLETE
    client.send(GET)
    assert client.ending == "open"


@pytest.mark.parametrize("status", [204, 304])
@pytest.mark.parametrize("pieces", [1, 2])
def test_a_status_without_content_has_none(status, pieces):
    client, exchange = begin()
    exchange.start_response(status, [])
    if pieces == 2:
        exchange.write(b"x")
    exchange.finish(b"y")
    assert client.received.endswith(b"\r\n" + TAIL)
    assert b"content-length" not in client.received
    assert b"transfer-encoding" not in client.received
    assert client.ending == "open"


def test_204_drops_a_content_length():
    client, exchange = begin()
    exchange.start_response(204, length(5))
    exchange.finish(b"hello")
    assert client.received == b"HTTP/1.1 204 No Content\r\n" + TAIL


# a length that is not kept -------------------------------------------------------------------------


@pytest.mark.parametrize("written", [b"", b"abc", b"abcdefghi"])
def test_a_body_shorter_than_declared_breaks_the_connection_off(written, caplog):
    client, exchange = begin()
    listener = Listener(exchange)
    exchange.start_response(200, length(10))
    with pytest.raises(LocalProtocolError, match=f"{10 - len(written)} bytes shorter"):
        exchange.finish(written)
    assert client.ending == "aborted"
    assert exchange.state == GONE
    assert listener.told == ["disconnected"]
    assert "shorter than its content-length" in caplog.text


@pytest.mark.parametrize("calls", ["finish", "write", "write twice", "large"])
def test_a_body_longer_than_declared_is_cut_and_closes_the_connection(calls, caplog):
    client, exchange = begin()
    size = 40_000 if calls == "large" else 5
    exchange.start_response(200, length(size))
    with pytest.raises(LocalProtocolError, match="longer than its content-length"):
        if calls == "write":
            exchange.write(b"hello world")
        elif calls == "write twice":
            exchange.write(b"hell")
            exchange.write(b"o world")
        elif calls == "large":
            exchange.write(b"x" * 50_000)
        else:
            exchange.finish(b"hello world")
    assert client.received.partition(TAIL)[2] == (b"x" * size if calls == "large" else b"hello")
    assert exchange.bytes_sent == size
    assert exchange.state == COMPLETE
    assert client.ending == "half-closed"
    assert "longer than its content-length" in caplog.text
    client.send(GET)
    assert client.statuses == [200]


# trailers ------------------------------------------------------------------------------------------


def test_trailers_follow_the_last_chunk():
    client, exchange = begin()
    exchange.start_response(200, [], trailers=True)
    exchange.write(b"a")
    exchange.finish(b"b")
    assert exchange.state == TRAILERS
    exchange.send_trailers([(b"X-Sum", b"7")])
    assert client.received.partition(TAIL)[2] == b"1\r\na\r\n1\r\nb\r\n0\r\nx-sum: 7\r\n\r\n"
    assert exchange.state == COMPLETE
    assert client.ending == "open"


def test_a_body_given_at_once_is_chunked_where_trailers_follow():
    client, exchange = begin()
    exchange.start_response(200, [], trailers=True)
    exchange.finish(b"ab")
    exchange.send_trailers([])
    assert client.received.partition(TAIL)[2] == b"2\r\nab\r\n0\r\n\r\n"


def test_trailers_are_checked_like_header_fields():
    client, exchange = begin()
    exchange.start_response(200, [], trailers=True)
    exchange.finish(b"ab")
    with pytest.raises(LocalProtocolError):
        exchange.send_trailers([(b"x", b"a\r\nb: c")])
    assert b"b: c" not in client.received


@pytest.mark.parametrize("fields", [length(2), []], ids=["declared length", "HTTP/1.0"])
def test_trailers_are_left_out_where_the_framing_has_no_place_for_them(fields):
    client, exchange = begin(GET if fields else OLD)
    exchange.start_response(200, fields, trailers=True)
    exchange.finish(b"ok")
    exchange.send_trailers([(b"x", b"y")])
    assert client.received.endswith(TAIL + b"ok")
    assert exchange.state == COMPLETE


def test_trailers_of_a_response_to_head_are_not_written():
    client, exchange = begin(HEAD)
    exchange.start_response(200, [], trailers=True)
    exchange.finish(b"ok")
    exchange.send_trailers([(b"x", b"y")])
    assert client.received.endswith(TAIL)


# informational -------------------------------------------------------------------------------------


def test_an_informational_response_precedes_the_final_one():
    client, exchange = begin()
    exchange.send_informational(103, [(b"Link", b"</a.css>; rel=preload")])
    exchange.send_informational(102, [])
    answer(exchange)
    early = b"HTTP/1.1 103 Early Hints\r\nlink: </a.css>; rel=preload\r\n\r\nHTTP/1.1 102 Processing\r\n\r\n"
    assert client.received == early + OK


def test_an_informational_response_is_not_sent_to_http_10():
    client, exchange = begin(OLD)
    exchange.send_informational(103, [])
    assert client.received == b""


@pytest.mark.parametrize("status", [101, 200, 99, 0, None])
def test_only_a_1xx_other_than_101_is_informational(status):
    client, exchange = begin()
    with pytest.raises(LocalProtocolError):
        exchange.send_informational(status, [])
    assert client.received == b""


@pytest.mark.parametrize("request_head", [GET, OLD], ids=["1.1", "1.0"])
def test_an_informational_response_cannot_be_split(request_head):
    client, exchange = begin(request_head)
    with pytest.raises(LocalProtocolError):
        exchange.send_informational(103, [(b"link", b"a\r\nx: y")])
    assert client.received == b""


# fields --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "value"),
    [
        (b"x", b"a\r\nX-Evil: 1"),
        (b"x", b"a\nb"),
        (b"x", b"a\rb"),
        (b"x", b"a\x00"),
        (b"X: y", b"z"),
        (b"X y", b"z"),
        (b"X\r\nY", b"z"),
        (b"", b"z"),
        (b"x", "text"),
        ("x", b"y"),
        (b"x", None),
    ],
)
def test_a_field_that_could_split_the_response_is_refused_and_can_still_be_answered_for(name, value):
    client, exchange = begin()
    with pytest.raises(LocalProtocolError):
        exchange.start_response(200, [(name, value)])
    assert client.received == b""
    assert exchange.state == AWAITING
    exchange.refuse(500, "Internal Server Error")
    assert client.statuses == [500]


@pytest.mark.parametrize("fields", [None, 5, [b"ab"], [(b"a",)], [(b"a", b"b", b"c")]])
def test_fields_that_are_no_pairs_are_refused(fields):
    _, exchange = begin()
    with pytest.raises(LocalProtocolError):
        exchange.start_response(200, fields)


@pytest.mark.parametrize("status", [99, 1000, 0, -200, "200", True, None, 200.5, 100, 103])
def test_a_status_that_is_none_is_refused(status):
    _, exchange = begin()
    with pytest.raises(LocalProtocolError):
        exchange.start_response(status, [])
    assert exchange.state == AWAITING


@pytest.mark.parametrize(
    "make",
    [
        list,
        tuple,
        iter,
        lambda pairs: [list(pair) for pair in pairs],
        lambda pairs: [(bytearray(n), v) for n, v in pairs],
    ],
    ids=["list", "tuple", "generator", "lists", "bytearrays"],
)
def test_fields_may_come_in_any_iterable_of_pairs(make):
    for _ in range(2):
        client, exchange = begin()
        exchange.start_response(200, make([(b"Content-Length", b"2")]))
        exchange.finish(b"ok")
        assert client.received == OK


@pytest.mark.parametrize(
    ("fields", "tail"),
    [
        ([(b"date", b"then")], b"date: then\r\nserver: ropewalk\r\n\r\n"),
        ([(b"Server", b"mine")], b"server: mine\r\n" + DATE + b"\r\n"),
        ([(b"date", b"then"), (b"server", b"mine")], b"date: then\r\nserver: mine\r\n\r\n"),
    ],
    ids=["date", "server", "both"],
)
def test_date_and_server_are_the_applications_if_it_sets_them(fields, tail):
    client, exchange = begin()
    exchange.start_response(200, [*length(0), *fields])
    exchange.finish()
    assert client.received == b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n" + tail


@pytest.mark.parametrize(
    ("options", "tail"),
    [
        ({"server_header": False}, DATE + b"\r\n"),
        ({"date_header": False}, b"server: ropewalk\r\n\r\n"),
        ({"server_header": False, "date_header": False}, b"\r\n"),
    ],
    ids=["no server", "no date", "neither"],
)
def test_date_and_server_can_be_switched_off(options, tail):
    client, exchange = begin(**options)
    answer(exchange)
    assert client.received == b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n" + tail + b"ok"


def test_the_date_is_that_of_the_last_tick_and_not_of_the_memo():
    server = Server(answer)
    client = server.connect()
    client.send(GET)
    server.tick.turn(0.5, WALL + 1)
    client.send(GET)
    assert client.received == OK + OK.replace(b"09:00:00", b"09:00:01")


def test_equal_answers_are_rendered_once():
    server = Server(answer)
    client = server.connect()
    client.send(GET, GET, GET)
    assert len(server.site.heads) == 1
    assert client.received == OK * 3


@settings(max_examples=60, deadline=None, database=None)
@given(
    st.lists(st.binary(max_size=20), min_size=1, max_size=5),
    st.booleans(),
    st.sampled_from([GET, OLD, OLD_KEPT, CLOSE]),
)
def test_any_body_in_any_pieces_arrives(pieces, declared, request_head):
    client, exchange = begin(request_head)
    body = b"".join(pieces)
    exchange.start_response(200, length(len(body)) if declared else [])
    for piece in pieces[:-1]:
        exchange.write(piece)
    exchange.finish(pieces[-1])
    head, _, rest = client.received.partition(b"\r\n\r\n")
    if b"chunked" in head:
        decoded = b""
        while True:
            size, _, rest = rest.partition(b"\r\n")
            decoded += rest[: int(size, 16)]
            rest = rest[int(size, 16) + 2 :]
            if size == b"0":
                break
        assert (decoded, rest) == (body, b"")
    else:
        assert rest == body
        assert b"content-length: %d" % len(body) in head or client.ending == "half-closed"
    assert exchange.bytes_sent == len(body)


# files ---------------------------------------------------------------------------------------------


def test_a_file_longer_than_the_declared_length_breaks_the_connection_off(caplog):
    client, exchange = begin()
    exchange.start_response(200, length(5))
    with pytest.raises(LocalProtocolError, match="longer"), caplog.at_level(logging.ERROR):
        exchange.send_file(0, 0, 6, True)
    assert client.ending == "aborted"


def test_a_file_is_not_read_for_head():
    client, exchange = begin(HEAD)
    exchange.start_response(200, [])
    assert exchange.send_file(-1, 0, 6, True) is True
    assert client.received == b"HTTP/1.1 200 OK\r\ncontent-length: 6\r\n" + TAIL
    assert exchange.state == COMPLETE


def test_an_empty_stretch_of_a_file_sends_nothing():
    client, exchange = begin()
    exchange.start_response(200, [])
    assert exchange.send_file(-1, 0, 0, False) is True
    exchange.finish(b"x")
    assert client.received.partition(TAIL)[2] == b"1\r\nx\r\n0\r\n\r\n"
