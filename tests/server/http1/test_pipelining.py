"""Requests sent ahead of their turn: their order, how much of them is read, and clients that do not read."""

from __future__ import annotations

import pytest

from .driving import (
    GET,
    OK,
    Server,
    answer,
    judge,
    read_all,
)

POST = b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\n"
CHUNKED = b"POST /c HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
CLOSE = b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"
SECOND = GET.replace(b"/ ", b"/2 ")


def began(server: Server) -> list[bytes]:
    """The paths of the exchanges that have begun."""
    return [exchange.path for exchange in server.begun]


# pipelining ----------------------------------------------------------------------------------------


def test_the_second_request_begins_when_the_first_was_answered_and_not_in_its_stack():
    server = Server()
    client = server.connect()
    client.send(GET + SECOND)
    assert began(server) == [b"/"]
    answer(server.begun[0])
    assert began(server) == [b"/"], "not from within the first one's call"
    server.run()
    assert began(server) == [b"/", b"/2"]
    answer(server.begun[1])
    assert client.received == OK + OK


def test_many_requests_answered_at_once_are_answered_in_order_without_recursion():
    paths = [b"/%d" % number for number in range(3000)]
    data = b"".join(b"GET %b HTTP/1.1\r\nHost: a\r\n\r\n" % path for path in paths)
    server = Server(answer)
    client = server.connect()
    client.send(data)
    assert began(server) == paths
    assert client.received == OK * 3000


def test_a_malformed_second_request_is_answered_after_the_first():
    server = Server()
    client = server.connect()
    client.send(GET + b"NONSENSE\r\n\r\n" + GET)
    assert client.received == b""
    answer(server.begun[0])
    server.run()
    assert client.statuses == [200, 400]
    assert client.ending == "half-closed"
    assert len(server.begun) == 1


def test_nothing_behind_a_request_that_closes_the_connection_is_begun():
    result = judge(CLOSE + GET)
    assert result.statuses == [200]
    assert result.ending == "half-closed"


def test_reading_pauses_when_enough_was_read_ahead():
    server = Server(limit_pipelined=100)
    client = server.connect()
    client.send(GET, b"x" * 99)
    assert client.transport.reading
    client.send(b"x", b"y" * 50)
    assert not client.transport.reading
    assert client.transport.unread == 50


def test_all_requests_of_a_flood_are_answered_although_little_of_it_is_read_ahead():
    server = Server(limit_pipelined=100)
    client = server.connect()
    client.send(*[GET] * 50)
    assert not client.transport.reading
    assert client.transport.unread > 1000
    for number in range(50):
        answer(server.begun[number])
        server.run()
    assert client.received == OK * 50
    assert client.transport.reading


def test_reading_goes_on_when_the_last_request_read_ahead_was_answered():
    server = Server(limit_pipelined=10)
    client = server.connect()
    client.send(GET, SECOND)
    assert not client.transport.reading
    answer(server.begun[0])
    server.run()
    answer(server.begun[1])
    server.run()
    client.send(GET)
    assert len(server.begun) == 3


def test_reading_ahead_is_not_bounded_where_the_limit_is_off():
    server = Server(limit_pipelined=0)
    client = server.connect()
    client.send(GET, b"x" * 1_000_000)
    assert client.transport.reading


@pytest.mark.parametrize(
    ("head", "rest"),
    [(POST, [b"hello"]), (CHUNKED + b"5", [b"\r\nhello\r\n0\r\n\r\n"]), (POST + b"h", [b"ell", b"o"])],
    ids=["length", "chunked", "part of the body"],
)
def test_reading_goes_on_for_the_body_of_a_request_that_was_read_ahead(head, rest):
    server = Server(limit_pipelined=10)
    client = server.connect()
    client.send(GET, head)
    answer(server.begun[0])
    server.run()
    body = read_all(server.begun[1])
    for piece in rest:
        client.send(piece)
        body += read_all(server.begun[1])
    assert body == b"hello"
    assert server.begun[1].body_ended


def test_a_request_that_was_answered_early_and_the_next_keep_their_order():
    server = Server()
    client = server.connect()
    client.send(POST + b"he")
    answer(server.begun[0])
    client.send(b"llo" + SECOND + GET)
    answer(server.begun[1], b"22")
    server.run()
    answer(server.begun[2])
    assert client.received == OK + OK.replace(b"ok", b"22") + OK
    assert began(server) == [b"/", b"/2", b"/"]


# writing is paused ---------------------------------------------------------------------------------


@pytest.mark.parametrize("pieces", [[GET], [GET[:5], GET[5:]], [POST, b"hello"]], ids=["fast", "cut", "body"])
def test_a_request_waits_until_the_last_response_has_drained(pieces):
    server = Server()
    client = server.connect(takes=False)
    client.send(GET)
    answer(server.begun[0], b"x" * 100_000)
    server.run()
    client.send(*pieces)
    assert len(server.begun) == 1
    client.take()
    assert len(server.begun) == 2


def test_what_is_read_ahead_is_bounded_while_the_client_does_not_read():
    server = Server(limit_pipelined=100)
    client = server.connect(takes=False)
    client.send(GET)
    answer(server.begun[0], b"x" * 100_000)
    client.send(*[GET] * 20)
    assert not client.transport.reading
    client.take()
    assert client.transport.get_write_buffer_size() == 0
    for number in range(1, 21):
        answer(server.begun[number])
        server.run()
    assert client.statuses == [200] * 21
