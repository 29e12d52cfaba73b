"""Files to sockets: whole, in bounded shares, at the client's pace, broken off where one is short."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from ropewalk.server import sendfile
from ropewalk.server.errors import LocalProtocolError
from ropewalk.server.exchange import COMPLETE, GONE, STARTED, STREAMING

from .http1.driving import GET, OK, TAIL, Listener, Server, answer
from .test_site import FAMILIES, KINDS, Pair, on_a_pair

SIZE = 3 * 1024 * 1024 + 17
CONTENT = (b"ropewalk\x00" * (SIZE // 9 + 1))[:SIZE]
PIECE = 64 * 1024


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file of some megabytes."""
    path = tmp_path_factory.mktemp("files") / "whole"
    path.write_bytes(CONTENT)
    return path


@pytest.fixture
def fd(whole: Path) -> Iterator[int]:
    """The open file; closing it fails where somebody else did."""
    descriptor = os.open(whole, os.O_RDONLY)
    yield descriptor
    os.close(descriptor)


def length(size: int) -> list[tuple[bytes, bytes]]:
    """The fields of a response of a known length."""
    return [(b"content-length", b"%d" % size)]


# over real sockets ---------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("family", FAMILIES)
def test_a_file_arrives_whole_and_stays_the_callers(kind, family, fd):
    async def scenario(pair: Pair) -> None:
        exchange = await pair.request(GET[:-2] + b"Connection: close\r\n\r\n")
        listener = Listener(exchange)
        exchange.start_response(200, length(SIZE))
        assert exchange.send_file(fd, 0, SIZE, True) is False
        received = await pair.read()
        assert received.partition(b"\r\n\r\n")[2] == CONTENT
        assert listener.told == ["write_resumed"]
        assert exchange.state == COMPLETE
        assert os.fstat(fd).st_size == SIZE
        assert os.lseek(fd, 0, os.SEEK_CUR) == 0

    on_a_pair(kind, family, scenario)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("family", FAMILIES)
def test_a_stretch_of_a_file_goes_between_other_pieces_of_the_body(kind, family, fd):
    async def scenario(pair: Pair) -> None:
        exchange = await pair.request(GET[:-2] + b"Connection: close\r\n\r\n")
        listener = Listener(exchange)
        exchange.start_response(200, [])
        exchange.write(b"<")
        exchange.send_file(fd, 9, 200_000, False)
        await pair.until(lambda: bool(listener.told))
        exchange.finish(b">")
        received = await pair.read()
        file = b"30d40\r\n" + CONTENT[9:200_009] + b"\r\n"
        assert received.partition(b"\r\n\r\n")[2] == b"1\r\n<\r\n" + file + b"1\r\n>\r\n0\r\n\r\n"

    on_a_pair(kind, family, scenario)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("family", FAMILIES)
def test_a_client_that_does_not_read_yet_has_little_held_for_it(kind, family, fd):
    async def scenario(pair: Pair) -> None:
        exchange = await pair.request(GET[:-2] + b"Connection: close\r\n\r\n")
        body = SIZE * 4
        exchange.start_response(200, length(body))
        sent = 0
        listener = Listener(exchange)

        def more() -> None:
            nonlocal sent
            if exchange.state in (STARTED, STREAMING):
                sent += SIZE
                exchange.send_file(fd, 0, SIZE, sent == body)

        listener.write_resumed = more
        more()
        connection = next(iter(pair.site.connections))
        await pair.until(lambda: connection.write_paused)
        assert 0 < pair.transport.get_write_buffer_size() <= 2 * PIECE
        received = await pair.read()
        assert len(received.partition(b"\r\n\r\n")[2]) == body
        assert received.endswith(CONTENT)
        assert exchange.state == COMPLETE

    on_a_pair(kind, family, scenario)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("family", FAMILIES)
def test_a_file_shorter_than_announced_breaks_the_connection_off(kind, family, fd, caplog):
    async def scenario(pair: Pair) -> None:
        exchange = await pair.request()
        listener = Listener(exchange)
        exchange.start_response(200, length(SIZE))
        exchange.send_file(fd, 10, SIZE, True)
        received = b""
        try:
            received = await pair.read()
        except ConnectionResetError:
            pass
        assert len(received.partition(b"\r\n\r\n")[2]) < SIZE
        assert listener.told == ["disconnected"]
        assert exchange.state == GONE

    on_a_pair(kind, family, scenario)
    assert "the file is shorter than it was" in caplog.text


@pytest.mark.parametrize("kind", KINDS)
def test_the_connection_carries_another_request_after_a_file(kind, fd):
    async def scenario(pair: Pair) -> None:
        exchange = await pair.request()
        exchange.start_response(200, length(5))
        exchange.send_file(fd, 0, 5, True)
        await pair.until(lambda: exchange.state == COMPLETE)
        again = await pair.request(GET[:-2] + b"Connection: close\r\n\r\n")
        answer(again)
        received = await pair.read()
        assert received.count(b"HTTP/1.1 200 OK") == 2
        assert received.endswith(b"ok")

    on_a_pair(kind, "tcp", scenario)


# driven by hand ------------------------------------------------------------------------------------


class Sink:
    """Stands in for the system call: takes what it is given, or nothing where ``full``."""

    def __init__(self) -> None:
        self.calls: list[tuple[int, int]] = []
        self.full = False

    def __call__(self, _out: int, _file: int, offset: int, count: int) -> int:
        if self.full:
            raise BlockingIOError
        self.calls.append((offset, count))
        return count


class StreamSocket:
    """The socket of a transport that the sink stands behind."""

    family = 0
    type = 1

    def fileno(self) -> int:
        return 99


@pytest.fixture
def sink(monkeypatch: pytest.MonkeyPatch) -> Sink:
    """Every file goes here instead of to a socket."""
    sink = Sink()
    monkeypatch.setattr(sendfile, "_SENDFILE", sink)
    return sink


def begin(limit_write_buffer: int = PIECE, **how: object):
    """A server, a client, and an exchange whose response of the file's length has been started."""
    server = Server(limit_write_buffer=limit_write_buffer)
    client = server.connect(**how)
    client.send(GET)
    exchange = server.begun[0]
    exchange.start_response(200, length(SIZE))
    return server, client, exchange


def test_one_turn_of_the_loop_sends_a_bounded_share(sink):
    server, client, exchange = begin(socket=StreamSocket())
    exchange.send_file(0, 0, SIZE, True)
    assert sink.calls == [], "not in the application's stack"
    shares = []
    while server.calls.step():
        shares.append(sum(count for _, count in sink.calls))
        sink.calls.clear()
    assert sum(shares) == SIZE
    assert max(shares) == 1024 * 1024
    assert client.received.endswith(TAIL)
    assert exchange.state == COMPLETE


def test_a_full_socket_has_a_piece_pass_through_the_transport(sink, fd):
    server, client, exchange = begin(socket=StreamSocket(), takes=False)
    client.take()
    sink.full = True
    exchange.send_file(fd, 0, SIZE, True)
    server.run()
    waiting = client.transport.get_write_buffer_size()
    assert 0 < waiting <= 2 * PIECE
    through = len(client.received.partition(TAIL)[2])
    assert client.received.endswith(CONTENT[:through])
    sink.full = False
    client.take(waiting - 1)
    assert sink.calls == [], "the transport must be empty, or the order is lost"
    client.take()
    assert sink.calls[0][0] == through
    assert sum(count for _, count in sink.calls) == SIZE - through
    assert exchange.state == COMPLETE


def test_the_file_waits_behind_a_head_that_the_socket_did_not_take(sink, fd):
    server, client, exchange = begin(socket=StreamSocket(), takes=False)
    exchange.send_file(fd, 0, 1000, False)
    server.run()
    assert sink.calls == []
    assert client.received.partition(TAIL)[2] == CONTENT[:1000]


@pytest.mark.parametrize(
    "extra",
    [{"sslcontext": object(), "socket": StreamSocket()}, {}],
    ids=["TLS", "no socket"],
)
def test_where_the_socket_cannot_be_used_all_goes_through_the_transport(extra, sink, fd):
    server, client, exchange = begin(**extra)
    exchange.send_file(fd, 0, SIZE, True)
    server.run()
    assert sink.calls == []
    assert client.received.partition(TAIL)[2] == CONTENT
    assert max(map(len, client.transport.writes)) == PIECE
    assert exchange.state == COMPLETE


def test_a_system_without_sendfile_sends_through_the_transport(monkeypatch, fd):
    monkeypatch.setattr(sendfile, "_SENDFILE", None)
    server, client, exchange = begin(socket=StreamSocket())
    exchange.send_file(fd, 0, SIZE, True)
    server.run()
    assert client.received.partition(TAIL)[2] == CONTENT


@pytest.mark.parametrize("kind", ["datagram", "closed"])
def test_a_socket_that_is_no_open_stream_is_not_used(kind, sink, fd):
    sock = StreamSocket()
    if kind == "datagram":
        sock.type = 2
    else:
        sock.fileno = lambda: -1
    server, client, exchange = begin(socket=sock)
    exchange.send_file(fd, 0, SIZE, True)
    server.run()
    assert sink.calls == []
    assert client.received.partition(TAIL)[2] == CONTENT


def test_a_file_that_cannot_be_read_breaks_the_connection_off(caplog):
    server, client, exchange = begin()
    listener = Listener(exchange)
    exchange.send_file(-1, 0, SIZE, True)
    server.run()
    assert client.ending == "aborted"
    assert listener.told == ["disconnected"]
    assert "a file could not be sent" in caplog.text


def test_a_piece_read_short_breaks_the_connection_off(fd, caplog):
    server, client, exchange = begin()
    exchange.send_file(fd, SIZE, SIZE, True)
    server.run()
    assert client.ending == "aborted"
    assert "the file is shorter than it was" in caplog.text


def test_the_application_may_not_write_while_a_file_is_being_sent(fd):
    server, client, exchange = begin()
    exchange.send_file(fd, 0, 100, False)
    assert not exchange.writable
    for call in (lambda: exchange.write(b"x"), lambda: exchange.finish(b"x")):
        with pytest.raises(LocalProtocolError, match="file"):
            call()
    server.run()
    assert exchange.writable
    assert exchange.write(CONTENT[100:200]) is True
    assert client.received.partition(TAIL)[2] == CONTENT[:200]


def test_a_second_file_before_the_first_is_sent_is_refused(fd):
    server, client, exchange = begin()
    exchange.send_file(fd, 0, 100, False)
    with pytest.raises(LocalProtocolError, match="file"):
        exchange.send_file(fd, 100, 100, False)
    server.run()
    assert client.received.partition(TAIL)[2] == CONTENT[:100]


def test_a_client_that_vanishes_is_sent_nothing_more(sink):
    server, client, exchange = begin(socket=StreamSocket())
    listener = Listener(exchange)
    exchange.send_file(0, 0, SIZE, True)
    server.calls.step()
    sent = len(sink.calls)
    client.vanish()
    server.run()
    assert len(sink.calls) == sent
    assert listener.told == ["disconnected"]


def test_a_client_that_does_not_read_a_file_is_aborted(fd):
    server, client, exchange = begin(takes=False)
    exchange.send_file(fd, 0, SIZE, True)
    server.run()
    server.pass_time(60)
    assert client.ending == "aborted"
    assert exchange.state == GONE


def test_the_next_response_is_under_the_sites_own_high_water_mark_again(fd):
    server, client, exchange = begin(limit_write_buffer=4096)
    exchange.send_file(fd, 0, SIZE, True)
    server.run()
    assert client.transport.high == 4096
    client.send(GET)
    answer(server.begun[1])
    assert client.received.endswith(OK)
