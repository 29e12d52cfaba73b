"""The transport's side of any HTTP connection: large writes, pausing, lingering and the write stall."""

from __future__ import annotations

import pytest

from ropewalk.server.connection import COPY_BELOW, Linger

from .http1.driving import GET, GatheringTransport, Server, Transport

HEAD, END = b"head\r\n", b"\r\n"


@pytest.mark.parametrize(
    ("size", "writes"),
    [(COPY_BELOW - len(HEAD + END), 1), (COPY_BELOW - len(HEAD + END) + 1, 3)],
    ids=["at the bound", "above it"],
)
def test_parts_are_joined_up_to_a_size_where_the_transport_cannot_gather(size, writes):
    client = Server().connect()
    client.connection.write_parts((HEAD, b"x" * size, END))
    assert len(client.transport.writes) == writes
    assert client.received == HEAD + b"x" * size + END


def test_parts_are_gathered_uncopied_where_the_transport_can():
    client = Server().connect(kind=GatheringTransport)
    body = b"x" * (2 * COPY_BELOW)
    client.connection.write_parts((HEAD, body, END))
    assert client.transport.parts[1] is body
    assert client.received == HEAD + body + END


@pytest.mark.parametrize("kind", [Transport, GatheringTransport])
@pytest.mark.parametrize("size", [10, COPY_BELOW + 1])
def test_empty_parts_are_left_out(kind, size):
    client = Server().connect(kind=kind)
    client.connection.write_parts((b"", b"x" * size, b""))
    assert client.transport.writes == [b"x" * size]


def test_the_transport_is_prepared_for_bulk_once():
    prepared = []
    server = Server()
    server.site.prepare_for_bulk = prepared.append
    client = server.connect()
    for _ in range(3):
        client.connection.write_parts((b"x",))
    assert prepared == [client.transport]


def test_a_transport_has_the_sites_high_water_mark():
    assert Server(limit_write_buffer=5000).connect().transport.high == 5000


def test_pausing_twice_needs_resuming_once():
    client = Server().connect()
    client.connection.pause_reading()
    client.connection.pause_reading()
    assert not client.transport.reading
    client.connection.resume_reading()
    assert client.transport.reading


def test_no_deadline_runs_for_a_client_that_is_not_read_from():
    server = Server(timeout_first_byte=5)
    client = server.connect()
    client.connection.pause_reading()
    server.pass_time(100)
    assert client.ending == "open"


def test_a_closing_transport_is_neither_paused_nor_resumed():
    client = Server().connect()
    client.connection.pause_reading()
    client.transport.closing = True
    client.connection.resume_reading()
    assert not client.transport.reading
    client.transport.reading = True
    client.connection.pause_reading()
    assert client.transport.reading


def test_closing_with_nothing_to_write_starts_no_write_stall():
    server = Server()
    client = server.connect()
    client.connection.close()
    server.pass_time(100)
    assert client.ending == "closed"


def test_closing_under_a_write_stall_gives_the_client_time_as_long_as_it_reads():
    server = Server(timeout_write_stall=10, limit_linger=0)
    client = server.connect(takes=False)
    client.send(GET)
    exchange = server.begun[0]
    exchange.start_response(200, [(b"connection", b"close")])
    exchange.finish(b"x" * 1000)
    for _ in range(4):
        server.pass_time(9)
        client.take(100)
        server.pass_time(1)
    assert client.ending == "closed"
    assert not client.transport.lost
    client.take()
    assert client.transport.lost


def test_lingering_bears_with_its_bytes_and_not_one_more():
    linger = Linger(Server(limit_linger=10).site)
    assert linger.take(4)
    assert linger.take(6)
    assert not linger.take(1)


def test_lingering_is_rearmed_by_what_comes_up_to_its_end():
    server = Server(timeout_linger_idle=5, timeout_linger=12)
    linger = Linger(server.site)
    assert linger.deadline == 5
    server.pass_time(4)
    linger.take(1)
    assert linger.deadline == 9
    server.pass_time(4)
    linger.take(1)
    assert linger.deadline == 12


@pytest.mark.parametrize(
    ("options", "deadline"),
    [
        ({"timeout_linger_idle": 0}, 30),
        ({"timeout_linger": 0}, 5),
        ({"timeout_linger": 0, "timeout_linger_idle": 0}, float("inf")),
    ],
)
def test_either_bound_of_lingering_can_be_switched_off(options, deadline):
    assert Linger(Server(**options).site).deadline == deadline
