"""What the connections of a site share: the clock and its dates, names of peers, sockets and their resets."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable
from email.utils import formatdate
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ropewalk.reactor import Tick
from ropewalk.server.config import Config
from ropewalk.server.exchange import Exchange
from ropewalk.server.site import Site, imf_fixdate

from .http1.driving import GET, OK, WALL, Listener, Server, Transport, answer, run_on

KINDS = ["asyncio", "uvloop"]
FAMILIES = ["tcp", "unix"]
PATIENCE = 5.0


# dates ---------------------------------------------------------------------------------------------


@settings(max_examples=200, deadline=None, database=None)
@given(st.integers(0, 253_402_300_799))
def test_dates_are_written_as_email_writes_them(wall):
    assert imf_fixdate(wall).decode() == formatdate(wall, usegmt=True)


def test_the_date_follows_the_tick():
    server = Server(answer)
    client = server.connect()
    for wall in (WALL, WALL + 1, WALL + 86_400):
        server.tick.turn(0.5, wall)
        client.send(GET)
        assert client.transport.writes[-1].count(b"date: " + imf_fixdate(wall) + b"\r\n") == 1


def test_the_tails_are_rendered_once_a_second():
    server = Server()
    tails = server.site.tails
    server.tick.turn(0.5, WALL + 0.9)
    assert server.site.tails is tails
    server.tick.turn(0.5, WALL + 1.1)
    assert server.site.tails is not tails


def test_a_closed_site_is_swept_no_more():
    server = Server()
    client = server.connect()
    server.site.close()
    server.pass_time(100)
    assert client.ending == "open"
    assert server.site.now == 0


# peers ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("extra", "client", "server", "scheme"),
    [
        (
            {"peername": ("192.0.2.7", 5), "sockname": ("192.0.2.1", 80)},
            ("192.0.2.7", 5),
            ("192.0.2.1", 80),
            "http",
        ),
        (
            {"peername": ("2001:db8::7", 5, 0, 0), "sockname": ("2001:db8::1", 80, 0, 2)},
            ("2001:db8::7", 5),
            ("2001:db8::1", 80),
            "http",
        ),
        (
            {"peername": ("192.0.2.7", 5), "sockname": ("192.0.2.1", 443), "sslcontext": object()},
            ("192.0.2.7", 5),
            ("192.0.2.1", 443),
            "https",
        ),
        ({"peername": "", "sockname": "/run/x"}, None, ("/run/x", None), "http"),
        ({"peername": b"", "sockname": b"\x00abstract\xff"}, None, ("\x00abstract\udcff", None), "http"),
        ({"peername": "", "sockname": ""}, None, None, "http"),
        ({"peername": None, "sockname": None}, None, None, "http"),
        ({"peername": None, "sockname": ("192.0.2.1", 80)}, None, None, "http"),
    ],
    ids=["IPv4", "IPv6", "TLS", "Unix", "abstract Unix", "unnamed Unix", "gone", "client gone"],
)
def test_a_peer_is_taken_from_what_the_transport_says(extra, client, server, scheme):
    site = Server().site
    transport = Transport(Server().calls, **extra)
    peer = site.peer_of(transport)
    assert (peer.client, peer.server, peer.scheme) == (client, server, scheme)


# the memory of connections -------------------------------------------------------------------------


@pytest.mark.parametrize(("connections", "forgets"), [(1000, False), (1001, True)])
def test_idle_connections_give_up_their_memo_where_there_are_many(connections, forgets):
    server = Server(answer)
    client = server.connect()
    client.send(GET)
    for _ in range(connections - 1):
        server.connect()
    server.pass_time(5.5)
    server.site.sections.clear()
    client.send(GET)
    first, second = server.begun
    assert (second.section is not first.section) == forgets
    assert client.received == OK + OK


# real sockets --------------------------------------------------------------------------------------


class Pair:
    """A real connection of a site: the server's transport and the client's socket."""

    def __init__(self, site: Site, transport: Any, client: socket.socket, begun: list[Exchange]) -> None:
        self.site = site
        self.transport = transport
        self.client = client
        self.begun = begun
        self.loop = asyncio.get_running_loop()

    async def request(self, data: bytes = GET) -> Exchange:
        """Send ``data``; the exchange that it begins."""
        count = len(self.begun)
        await self.loop.sock_sendall(self.client, data)
        await self.until(lambda: len(self.begun) > count)
        return self.begun[-1]

    async def read(self) -> bytes:
        """All that comes up to the server's end."""
        received = []
        async with asyncio.timeout(PATIENCE):
            while piece := await self.loop.sock_recv(self.client, 1 << 16):
                received.append(piece)
        return b"".join(received)

    async def until(self, condition: Callable[[], bool]) -> None:
        """Let the loop turn until ``condition`` holds."""
        async with asyncio.timeout(PATIENCE):
            while not condition():
                await asyncio.sleep(0)


def on_a_pair(kind: str, family: str, scenario: Callable[[Pair], Any], **options: object) -> None:
    """Run ``scenario`` with a connection of a site on a loop of ``kind``, over TCP or a Unix socket."""

    async def run() -> None:
        loop = asyncio.get_running_loop()
        begun: list[Exchange] = []
        site = Site(begun.append, Config.from_options(**options), Tick(), loop.call_soon)
        if family == "unix":
            client, accepted = socket.socketpair()
        else:
            with socket.create_server(("127.0.0.1", 0)) as listener:
                client = socket.create_connection(listener.getsockname())
                accepted, _ = listener.accept()
        client.setblocking(False)
        accepted.setblocking(False)
        transport, _ = await loop.connect_accepted_socket(site, accepted)
        pair = Pair(site, transport, client, begun)
        try:
            await scenario(pair)
        finally:
            site.abort()
            await pair.until(lambda: not site.connections)
            await asyncio.sleep(0)
            client.close()
            accepted.close()

    run_on(kind, run)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("family", FAMILIES)
def test_a_reset_over_tcp_reaches_the_client_as_one(kind, family):
    async def scenario(pair: Pair) -> None:
        exchange = await pair.request()
        listener = Listener(exchange)
        exchange.start_response(200, [])
        exchange.write(b"a")
        exchange.abort()
        assert listener.told == ["disconnected"]
        if family == "tcp":
            with pytest.raises(ConnectionResetError):
                await pair.read()
        else:
            assert not (await pair.read()).endswith(b"0\r\n\r\n")

    on_a_pair(kind, family, scenario)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("family", FAMILIES)
def test_a_large_response_arrives_whole_before_the_close(kind, family):
    body = bytes(range(256)) * 8192

    async def scenario(pair: Pair) -> None:
        exchange = await pair.request(GET[:-2] + b"Connection: close\r\n\r\n")
        answer(exchange, body)
        received = await pair.read()
        assert received.partition(b"\r\n\r\n")[2] == body

    on_a_pair(kind, family, scenario)


@pytest.mark.parametrize("kind", KINDS)
def test_what_the_system_says_of_a_connection_that_sent_just_now(kind):
    async def scenario(pair: Pair) -> None:
        for _ in range(50):  # a busy machine may take more than the moment
            await pair.loop.sock_sendall(pair.client, b"x")
            await pair.until(lambda: True)
            if pair.site.sent_just_now(pair.transport):
                return
        raise AssertionError("data that was sent is not noticed")

    on_a_pair(kind, "tcp", scenario)


@pytest.mark.parametrize("kind", KINDS)
def test_a_unix_socket_does_not_say_when_data_came(kind):
    async def scenario(pair: Pair) -> None:
        await pair.request()
        assert not pair.site.sent_just_now(pair.transport)

    on_a_pair(kind, "unix", scenario)


def test_a_closed_socket_says_nothing_and_can_be_reset():
    server = Server()
    closed = socket.socket()
    closed.close()
    transport = Transport(server.calls, socket=closed)
    assert not server.site.sent_just_now(transport)
    transport.protocol = server.site()
    server.site.reset(transport)
    assert transport.aborted


@pytest.mark.parametrize("kind", KINDS)
def test_the_systems_buffer_is_kept_small_for_a_client_on_the_same_machine(kind):
    async def scenario(pair: Pair) -> None:
        exchange = await pair.request()
        accepted = pair.transport.get_extra_info("socket")
        before = accepted.getsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF)
        exchange.start_response(200, [])
        exchange.write(b"x" * 40_000)
        after = accepted.getsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF)
        assert after <= 2 * 128 * 1024
        assert after != before

    on_a_pair(kind, "tcp", scenario)


@pytest.mark.parametrize("kind", KINDS)
def test_writes_are_gathered_on_uvloop_only(kind):
    async def scenario(pair: Pair) -> None:
        assert pair.site.gathers_writes(pair.transport) == (kind == "uvloop")

    on_a_pair(kind, "tcp", scenario)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("family", FAMILIES)
def test_a_client_that_closes_its_side_with_the_request_is_answered_and_closed(kind, family):
    async def scenario(pair: Pair) -> None:
        exchange = await pair.request()
        pair.client.shutdown(socket.SHUT_WR)
        answer(exchange)
        received = await pair.read()
        assert received.startswith(b"HTTP/1.1 200 OK\r\n")
        assert received.endswith(b"ok")

    on_a_pair(kind, family, scenario)
