"""How connections end: half-closes by the client, staged closes by the server, and draining."""

from __future__ import annotations

from typing import ClassVar

import pytest

from .driving import (
    GET,
    OK,
    TAIL,
    Client,
    Listener,
    Server,
    answer,
)

POST = b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\n"
CHUNKED = b"POST /c HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
CLOSE = b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"
SECOND = GET.replace(b"/ ", b"/2 ")


class RecentSocket:
    """The socket of a connection over which data came in just now, as Linux's tcp_info tells it."""

    family: ClassVar[int] = 2

    def getsockopt(self, _level: int, _option: int, size: int) -> bytes:
        return bytes(size)

    def setsockopt(self, *_option: object) -> None:
        pass


def began(server: Server) -> list[bytes]:
    """The paths of the exchanges that have begun."""
    return [exchange.path for exchange in server.begun]


# half-closes ---------------------------------------------------------------------------------------


def test_a_half_close_before_any_request_closes():
    client = Server().connect()
    client.close_side()
    assert client.ending == "closed"
    assert client.received == b""


@pytest.mark.parametrize("part", [GET[:-1], GET[:5], b"\r", b"GET / HTTP/1.1\r\n"])
def test_a_half_close_in_the_middle_of_a_head_closes_without_an_answer(part):
    client = Server().connect()
    client.send(part)
    client.close_side()
    assert client.ending == "closed"
    assert client.received == b""


def test_a_client_that_closes_its_side_with_the_request_has_the_whole_answer():
    server = Server()
    client = server.connect(socket=RecentSocket())
    client.send(GET)
    listener = Listener(server.begun[0])
    client.close_side()
    assert client.ending == "open"
    assert listener.told == []
    answer(server.begun[0])
    assert client.received == OK.replace(b"date", b"connection: close\r\ndate")
    assert client.ending == "closed"


def test_a_client_that_closes_its_side_later_is_leaving_but_may_be_answered():
    server = Server()
    client = server.connect()
    client.send(GET)
    listener = Listener(server.begun[0])
    client.close_side()
    assert listener.told == ["client_leaving"]
    answer(server.begun[0])
    assert client.statuses == [200]
    assert client.ending == "closed"


def test_a_client_that_closes_its_side_while_the_response_streams_is_leaving():
    server = Server()
    client = server.connect(socket=RecentSocket())
    client.send(GET)
    exchange = server.begun[0]
    listener = Listener(exchange)
    exchange.start_response(200, [])
    exchange.write(b"a")
    client.close_side()
    assert listener.told == ["client_leaving"]
    exchange.finish(b"b")
    assert client.received.partition(TAIL)[2] == b"1\r\na\r\n1\r\nb\r\n0\r\n\r\n"
    assert client.ending == "closed"


@pytest.mark.parametrize("count", [2, 3])
def test_the_last_of_the_requests_sent_before_the_half_close_ends_the_connection(count):
    server = Server()
    client = server.connect()
    client.send(GET * count)
    client.close_side()
    for number in range(count):
        assert client.ending == "open"
        answer(server.begun[number])
        server.run()
    assert client.statuses == [200] * count
    assert client.received.count(b"connection: close") == 1
    assert client.ending == "closed"


def test_requests_answered_at_once_before_the_half_close_end_the_connection():
    server = Server(answer)
    client = server.connect()
    client.send(GET + GET)
    client.close_side()
    assert client.received == OK + OK
    assert client.ending == "closed"


def test_what_was_incomplete_at_the_half_close_is_not_waited_for():
    server = Server()
    client = server.connect()
    client.send(GET + GET[:10])
    client.close_side()
    answer(server.begun[0])
    server.run()
    assert client.statuses == [200]
    assert client.ending == "closed"


def test_a_body_that_was_incomplete_at_the_half_close_is_not_waited_for():
    server = Server()
    client = server.connect()
    client.send(GET + POST + b"he")
    client.close_side()
    answer(server.begun[0])
    server.run()
    assert client.statuses == [200]
    assert client.ending == "closed"


def test_a_request_read_before_the_half_close_is_answered_once_the_client_reads():
    server = Server()
    client = server.connect(takes=False)
    client.send(GET + SECOND)
    answer(server.begun[0], b"x" * 100_000)
    server.run()
    client.close_side()
    assert client.ending == "open"
    client.take()
    assert began(server) == [b"/", b"/2"]
    answer(server.begun[1])
    client.take()
    assert client.statuses == [200, 200]
    assert client.ending == "closed"


# the staged close ----------------------------------------------------------------------------------


def test_the_server_closes_its_side_first_and_reads_on():
    client = Server(answer).connect()
    client.send(CLOSE)
    assert client.ending == "half-closed"
    client.send(b"more", b"and more")
    assert client.ending == "half-closed"
    client.close_side()
    assert client.ending == "closed"
    assert client.statuses == [200]


def lingering(**options: object) -> tuple[Server, Client]:
    """A connection on which the server has closed its side."""
    server = Server(answer, **options)
    client = server.connect()
    client.send(CLOSE)
    return server, client


def test_lingering_ends_after_the_bytes_it_may_read():
    _, client = lingering(limit_linger=100)
    client.send(b"x" * 100)
    assert client.ending == "half-closed"
    client.send(b"x")
    assert client.ending == "closed"


def test_lingering_ends_when_the_client_is_silent():
    server, client = lingering()
    server.pass_time(4.5)
    client.send(b"x")
    server.pass_time(4.5)
    assert client.ending == "half-closed"
    server.pass_time(0.5)
    assert client.ending == "closed"


def test_lingering_ends_after_its_whole_time_whatever_comes():
    server, client = lingering()
    for _ in range(9):
        server.pass_time(3)
        client.send(b"x")
    assert client.ending == "half-closed"
    server.pass_time(3)
    assert client.ending == "closed"


def test_lingering_without_timeouts_waits_for_the_client():
    server, client = lingering(timeout_linger=0, timeout_linger_idle=0)
    server.pass_time(1000)
    assert client.ending == "half-closed"


def test_without_lingering_the_connection_is_closed_at_once():
    _, client = lingering(limit_linger=0)
    assert client.ending == "closed"


def test_a_transport_that_cannot_close_one_side_is_closed():
    server = Server(answer)
    client = server.connect(half_closes=False)
    client.send(CLOSE)
    assert client.ending == "closed"
    assert client.statuses == [200]


def test_a_client_that_has_reset_the_connection_unnoticed_is_let_go():
    server = Server(answer)
    client = server.connect()

    def write_eof() -> None:
        raise OSError(107, "Transport endpoint is not connected")

    client.transport.write_eof = write_eof
    client.send(CLOSE)
    assert client.ending == "closed"
    assert not server.site.connections


def test_a_refusal_reaches_a_client_that_is_still_sending():
    server = Server(limit_request_body=10)
    client = server.connect(takes=False)
    client.send(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 50000\r\n\r\n")
    client.send(b"x" * 50_000)
    assert client.statuses == [413]
    assert client.ending == "half-closed"
    assert not client.transport.lost


def test_closing_waits_for_what_was_written_and_no_longer_than_the_write_stall():
    server = Server(limit_linger=0, timeout_write_stall=10)
    client = server.connect(takes=False)
    client.send(CLOSE)
    answer(server.begun[0])
    assert client.ending == "closed"
    server.pass_time(9.5)
    assert not client.transport.lost
    server.pass_time(0.5)
    assert client.ending == "aborted"


# draining ------------------------------------------------------------------------------------------


def test_drain_closes_what_is_idle():
    server = Server(answer)
    fresh, used = server.connect(), server.connect()
    used.send(GET)
    server.site.drain()
    assert (fresh.ending, used.ending) == ("closed", "closed")


def test_drain_closes_after_the_response_under_way():
    server = Server()
    client = server.connect()
    client.send(GET)
    server.site.drain()
    assert client.ending == "open"
    assert server.site.busy
    answer(server.begun[0])
    assert b"connection: close\r\n" in client.received
    assert client.ending == "half-closed"
    assert not server.site.busy


def test_drain_closes_after_a_response_whose_head_was_already_sent():
    server = Server()
    client = server.connect()
    client.send(GET)
    exchange = server.begun[0]
    exchange.start_response(200, [])
    exchange.write(b"a")
    server.site.drain()
    exchange.finish(b"b")
    assert client.received.endswith(b"1\r\nb\r\n0\r\n\r\n")
    assert client.ending == "half-closed"


def test_drain_lets_a_request_arrive_that_has_begun_to():
    server = Server(answer)
    client = server.connect()
    client.send(GET[:10])
    assert server.site.busy
    server.site.drain()
    assert client.ending == "open"
    client.send(GET[10:])
    assert client.statuses == [200]
    assert client.ending == "half-closed"


def test_a_connection_that_comes_while_the_site_drains_is_closed():
    server = Server()
    server.site.drain()
    assert server.connect().ending == "closed"


def test_close_idle_closes_also_what_has_begun_to_send():
    server = Server()
    partial, answering = server.connect(), server.connect()
    partial.send(GET[:10])
    answering.send(GET)
    server.site.close_idle()
    assert (partial.ending, answering.ending) == ("closed", "open")


def test_abort_ends_everything():
    server = Server()
    clients = [server.connect() for _ in range(3)]
    clients[0].send(GET)
    clients[1].send(GET[:10])
    listener = Listener(server.begun[0])
    server.site.abort()
    server.run()
    assert [client.ending for client in clients] == ["aborted"] * 3
    assert listener.told == ["disconnected"]
    assert not server.site.connections
