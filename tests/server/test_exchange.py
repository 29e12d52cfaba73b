"""What every exchange has, whatever protocol it came by: the log's view of it, and refusing."""

from __future__ import annotations

import pytest

from ropewalk.server.exchange import Peer

from .http1.driving import GET, Server


@pytest.mark.parametrize(
    ("client", "name"),
    [
        (("192.0.2.1", 5), "192.0.2.1:5"),
        (("2001:db8::1", 65535), "[2001:db8::1]:65535"),
        (None, "unix:"),
    ],
)
def test_a_peer_is_named_for_the_log(client, name):
    peer = Peer(client, ("192.0.2.9", 80), "http")
    assert peer.name == name
    assert peer.name == name


@pytest.mark.parametrize(
    ("target", "line"),
    [
        (b"/a", "GET /a HTTP/1.1"),
        (b"/a?", "GET /a? HTTP/1.1"),
        (b"/a?b=c", "GET /a?b=c HTTP/1.1"),
    ],
)
def test_the_request_line_is_put_together_as_it_came(target, line):
    server = Server()
    server.connect().send(GET.replace(b"/ ", target + b" "))
    (exchange,) = server.begun
    assert exchange.request_target == target
    assert exchange.request_line == line


def test_exchanges_of_one_connection_share_their_peer_and_its_cache():
    server = Server(lambda exchange: exchange.refuse(404, "Not Found"))
    client = server.connect()
    client.send(GET)
    server.begun[0].peer.cache = "kept"
    client.send(GET)
    assert server.begun[1].peer is server.begun[0].peer
    server.connect().send(GET)
    assert server.begun[2].peer.cache is None
