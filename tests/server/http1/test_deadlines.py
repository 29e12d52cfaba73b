"""Deadlines, through the coarse tick alone: which one runs when, and what ends with it."""

from __future__ import annotations

import logging

import pytest

from .driving import (
    GET,
    OK,
    Client,
    Listener,
    Server,
    answer,
    read_all,
)

POST = b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\n"
CLOSE = b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"


# deadlines -----------------------------------------------------------------------------------------


def ends_after(seconds: float, server: Server, client: Client, ending: str = "closed") -> None:
    """The connection is open up to the last tick before ``seconds`` have passed, and ends with that one."""
    before = client.ending
    server.pass_time(seconds - 0.5)
    assert client.ending == before
    server.pass_time(0.5)
    assert client.ending == ending


def test_a_connection_that_sends_nothing_is_closed_without_a_word():
    server = Server()
    client = server.connect()
    ends_after(30, server, client)
    assert client.received == b""


@pytest.mark.parametrize("start", [b"G", b"GET / HTTP/1.1\r\nHost: a\r\n"])
def test_a_head_has_one_deadline_from_its_first_byte(start, caplog):
    server = Server(timeout_head=10)
    client = server.connect()
    server.pass_time(20)
    client.send(start)
    with caplog.at_level(logging.INFO, "ropewalk.server"):
        ends_after(10, server, client, "half-closed")
    assert client.statuses == [408]
    assert "--timeout-head" in caplog.text


def test_progress_does_not_extend_the_deadline_of_a_head():
    server = Server(timeout_head=10)
    client = server.connect()
    for byte in b"GET / HTTP/1.1\r\nX":
        client.send(bytes((byte,)))
        server.pass_time(0.5)
    client.send(b"-")
    server.pass_time(1.5)
    assert client.statuses == [408]


def test_the_head_of_the_second_request_has_a_deadline_of_its_own():
    server = Server(answer, timeout_head=10)
    client = server.connect()
    client.send(GET)
    server.pass_time(50)
    client.send(b"G")
    ends_after(10, server, client, "half-closed")
    assert client.statuses == [200, 408]


def test_an_empty_line_does_not_extend_the_first_deadline():
    server = Server(timeout_first_byte=10)
    client = server.connect()
    server.pass_time(5)
    client.send(b"\r\n")
    ends_after(5, server, client)
    assert client.received == b""


def test_no_deadline_runs_while_the_application_answers():
    server = Server()
    client = server.connect()
    client.send(GET)
    server.pass_time(1000)
    answer(server.begun[0])
    assert client.received == OK


def test_no_deadline_runs_while_the_application_answers_a_request_whose_body_is_there():
    server = Server()
    client = server.connect()
    client.send(POST, b"hello")
    server.pass_time(1000)
    assert read_all(server.begun[0]) == b"hello"
    answer(server.begun[0])
    assert client.received == OK


@pytest.mark.parametrize("asynchronous", [False, True])
def test_a_connection_is_kept_for_the_keep_alive_time(asynchronous):
    server = Server(None if asynchronous else answer)
    client = server.connect()
    client.send(GET)
    if asynchronous:
        server.pass_time(100)
        answer(server.begun[0])
    ends_after(75, server, client)
    assert client.received == OK


def test_every_request_begins_the_keep_alive_time_anew():
    server = Server(answer)
    client = server.connect()
    for _ in range(3):
        client.send(GET)
        server.pass_time(74)
    assert client.ending == "open"


@pytest.mark.parametrize(
    ("option", "data"),
    [("timeout_first_byte", b""), ("timeout_head", b"G"), ("timeout_keep_alive", GET)],
)
def test_a_timeout_of_0_never_fires(option, data):
    server = Server(answer, **{option: 0})
    client = server.connect()
    if data:
        client.send(data)
    server.pass_time(500)
    assert client.ending == "open"


def stalled(**options: object) -> tuple[Server, Client]:
    """A client that does not read a large response."""
    server = Server(**options)
    client = server.connect(takes=False)
    client.send(GET)
    exchange = server.begun[0]
    exchange.start_response(200, [])
    exchange.write(b"x" * 100_000)
    return server, client


def test_a_client_that_does_not_read_is_aborted(caplog):
    server, client = stalled()
    listener = Listener(server.begun[0])
    with caplog.at_level(logging.INFO, "ropewalk.server"):
        ends_after(60, server, client, "aborted")
    assert listener.told == ["disconnected"]
    assert "--timeout-write-stall" in caplog.text


def test_a_client_that_reads_a_little_is_given_more_time():
    server, client = stalled()
    for _ in range(5):
        server.pass_time(59)
        client.take(1000)
        server.pass_time(1)
        assert client.ending == "open"
    server.pass_time(60)
    assert client.ending == "aborted"


def test_a_client_that_has_read_enough_is_under_no_deadline():
    server, client = stalled()
    client.take()
    server.pass_time(1000)
    assert client.ending == "open"


def test_a_write_stall_of_0_never_fires():
    server, client = stalled(timeout_write_stall=0)
    server.pass_time(1000)
    assert client.ending == "open"


def test_a_kept_connection_whose_response_is_unread_ends_by_the_write_stall():
    server = Server(timeout_keep_alive=5, timeout_write_stall=20)
    client = server.connect(takes=False)
    client.send(GET)
    answer(server.begun[0])
    server.pass_time(5)
    assert client.ending == "closed"
    assert not client.transport.lost
    ends_after(20, server, client, "aborted")
