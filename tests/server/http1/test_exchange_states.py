"""The states of an HTTP/1.1 exchange: which call is allowed when, aborting, and back-pressure."""

from __future__ import annotations

import pytest

from ropewalk.server.errors import ClientDisconnected, LocalProtocolError
from ropewalk.server.exchange import AWAITING, COMPLETE, GONE, STARTED, STREAMING, TRAILERS

from .driving import GET, TAIL, Listener, Server, answer

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


# the order of calls --------------------------------------------------------------------------------

CALLS = {
    "send_informational": lambda exchange: exchange.send_informational(103, []),
    "start_response": lambda exchange: exchange.start_response(200, []),
    "write": lambda exchange: exchange.write(b"x"),
    "finish": lambda exchange: exchange.finish(),
    "send_trailers": lambda exchange: exchange.send_trailers([]),
    "send_file": lambda exchange: exchange.send_file(0, 0, 1, True),
}
ALLOWED = {
    AWAITING: {"send_informational", "start_response"},
    STARTED: {"write", "finish", "send_file"},
    STREAMING: {"write", "finish", "send_file"},
    TRAILERS: {"send_trailers"},
    COMPLETE: set(),
    GONE: set(),
}


def in_state(state: int):
    """An exchange that has been brought into ``state``."""
    client, exchange = begin()
    if state >= STARTED:
        exchange.start_response(200, [], trailers=state == TRAILERS)
    if state == STREAMING:
        exchange.write(b"x")
    elif state in (TRAILERS, COMPLETE):
        exchange.finish()
    elif state == GONE:
        client.vanish()
    assert exchange.state == state
    return client, exchange


@pytest.mark.parametrize(
    ("state", "call"),
    [(state, call) for state, allowed in ALLOWED.items() for call in CALLS if call not in allowed],
)
def test_a_call_out_of_order_is_refused_and_writes_nothing(state, call):
    client, exchange = in_state(state)
    before = client.received
    with pytest.raises(ClientDisconnected if state == GONE else LocalProtocolError):
        CALLS[call](exchange)
    assert client.received == before
    assert exchange.state == state


# refusing and aborting -----------------------------------------------------------------------------


@pytest.mark.parametrize("state", [AWAITING, STARTED])
def test_refusing_answers_while_nothing_has_been_written(state):
    client, exchange = in_state(state)
    exchange.refuse(503, "Service Unavailable")
    body = b"503 Service Unavailable\n"
    assert client.received == (
        b"HTTP/1.1 503 Service Unavailable\r\n"
        b"content-type: text/plain; charset=utf-8\r\n"
        b"content-length: 24\r\n" + TAIL + body
    )
    assert exchange.status == 503
    assert client.ending == "open"


@pytest.mark.parametrize("state", [STREAMING, TRAILERS])
def test_refusing_breaks_off_what_has_begun(state):
    client, exchange = in_state(state)
    before = client.received
    exchange.refuse(500, "Internal Server Error")
    assert client.ending == "aborted"
    assert client.received == before, "no last chunk"
    assert exchange.state == GONE


@pytest.mark.parametrize("state", [COMPLETE, GONE])
def test_aborting_what_has_ended_does_nothing(state):
    client, exchange = in_state(state)
    ending = client.ending
    exchange.abort()
    assert client.ending == ending
    assert exchange.state == state


@pytest.mark.parametrize("state", [AWAITING, STARTED, STREAMING, TRAILERS])
def test_aborting_resets_the_connection_and_tells_the_consumer(state):
    client, exchange = in_state(state)
    listener = Listener(exchange)
    exchange.abort()
    assert client.ending == "aborted"
    assert exchange.state == GONE
    assert listener.told == ["disconnected"]
    assert not exchange.writable


# back-pressure -------------------------------------------------------------------------------------


def test_a_write_past_the_high_water_mark_asks_to_wait_until_the_client_has_read():
    server = Server(limit_write_buffer=2048)
    client = server.connect(takes=False)
    client.send(GET)
    exchange = server.begun[0]
    listener = Listener(exchange)
    exchange.start_response(200, length(10_000))
    assert exchange.write(b"x" * 1000) is True
    assert exchange.writable
    assert exchange.write(b"x" * 2000) is False
    assert not exchange.writable
    client.take(500)
    assert listener.told == []
    client.take()
    assert listener.told == ["write_resumed"]
    assert exchange.writable
    assert exchange.write(b"x") is True


def test_the_consumer_of_a_finished_exchange_is_told_no_more():
    server = Server()
    client = server.connect(takes=False)
    client.send(GET)
    exchange = server.begun[0]
    listener = Listener(exchange)
    answer(exchange, b"x" * 100_000)
    client.take()
    client.vanish()
    assert listener.told == []
    assert exchange.state == COMPLETE


@pytest.mark.parametrize("state", [AWAITING, STARTED, STREAMING])
def test_a_client_that_vanishes_is_told_of_and_raises_on_the_next_write(state):
    client, exchange = in_state(state)
    listener = Listener(exchange)
    client.vanish(ConnectionResetError())
    assert listener.told == ["disconnected"]
    assert exchange.state == GONE
    with pytest.raises(ClientDisconnected):
        exchange.finish(b"x")
