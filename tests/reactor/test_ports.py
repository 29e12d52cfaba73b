"""Listening ports: when they accept, what they tell, how they close; with real sockets on both loops."""

from __future__ import annotations

import asyncio
import os
import socket
import sys
from pathlib import Path

import pytest

from ropewalk.reactor import (
    CannotListenError,
    EndpointError,
    ListeningPort,
    ReactorNotRunning,
    TCPServerEndpoint,
    parse_endpoint,
)

posix_only = pytest.mark.skipif(sys.platform == "win32", reason="Unix sockets")
linux_only = pytest.mark.skipif(sys.platform != "linux", reason="Linux sockets")


async def exchange(address: tuple[str, int] | str, data: bytes = b"ping") -> bytes:
    """What an echo server at the address sends back for `data`."""
    if isinstance(address, str):
        # uvloop cannot connect to an abstract name by itself.
        client = socket.socket(socket.AF_UNIX)
        client.connect("\0" + address[1:] if address.startswith("@") else address)
        reader, writer = await asyncio.open_unix_connection(sock=client)
    else:
        reader, writer = await asyncio.open_connection(*address)
    try:
        writer.write(data)
        return await reader.readexactly(len(data))
    finally:
        writer.close()
        await writer.wait_closed()


def refuses(address: tuple[str, int]) -> bool:
    with socket.socket() as client:
        return client.connect_ex(address) != 0


def test_a_port_listened_on_before_the_run_accepts_in_it(reactor, drive, echo):
    port = reactor.listen("tcp:0:interface=127.0.0.1", echo)
    assert port.address[1] != 0
    assert not port.accepting

    async def scenario() -> None:
        assert port.accepting
        assert await exchange(port.address) == b"ping"

    drive(reactor, scenario)
    assert not port.accepting


def test_who_connects_before_the_run_is_served_in_it(reactor, drive, echo):
    port = reactor.listen("127.0.0.1:0", echo)
    with socket.create_connection(port.address) as client:
        client.sendall(b"early")

        async def scenario() -> bytes:
            reader, writer = await asyncio.open_connection(sock=client)
            try:
                return await reader.readexactly(5)
            finally:
                writer.close()
                await writer.wait_closed()

        assert drive(reactor, scenario) == b"early"


def test_a_port_listened_on_while_running_accepts_at_once(reactor, drive, echo):
    async def scenario() -> None:
        port = reactor.listen(TCPServerEndpoint(0, "127.0.0.1"), echo)
        assert await exchange(port.address) == b"ping"

    drive(reactor, scenario)


def test_each_connection_gets_a_protocol_of_its_own(reactor, drive, echo):
    made = []

    def factory():
        made.append(echo())
        return made[-1]

    port = reactor.listen("127.0.0.1:0", factory)

    async def scenario() -> None:
        await asyncio.gather(*(exchange(port.address, bytes([number])) for number in range(5)))

    drive(reactor, scenario)
    assert len(made) == 5


def test_ports_accept_only_after_what_startup_waits_for_before(reactor, drive, echo):
    port = reactor.listen("127.0.0.1:0", echo)
    seen: list[bool] = []

    async def prepare() -> None:
        reactor.listen("127.0.0.1:0", echo)
        await asyncio.sleep(0.005)
        seen.append(port.accepting)

    reactor.add_system_event_trigger("before", "startup", prepare)
    reactor.add_system_event_trigger("during", "startup", lambda: seen.append(port.accepting))

    async def scenario() -> None:
        pass

    drive(reactor, scenario)
    assert seen == [False, True]


def test_open_ports_accept_during_before_shutdown_and_are_closed_after_it(reactor, drive, echo):
    port = reactor.listen("127.0.0.1:0", echo)
    seen: list[object] = []

    async def before() -> None:
        seen.append(await exchange(port.address))

    reactor.add_system_event_trigger("before", "shutdown", before)
    reactor.add_system_event_trigger("during", "shutdown", lambda: seen.append(refuses(port.address)))

    async def scenario() -> None:
        pass

    drive(reactor, scenario)
    assert seen == [b"ping", True]


def test_no_new_port_is_taken_once_the_ports_are_closed(reactor, drive, echo):
    refused: list[BaseException] = []

    def listen() -> None:
        try:
            reactor.listen("127.0.0.1:0", echo)
        except ReactorNotRunning as error:
            refused.append(error)

    reactor.add_system_event_trigger("during", "shutdown", listen)

    async def scenario() -> None:
        pass

    drive(reactor, scenario)
    assert "stopping" in str(refused[0])
    port = reactor.listen("127.0.0.1:0", echo)
    port.stop_accepting()


def test_a_failure_to_listen_comes_from_the_call(reactor, echo):
    port = reactor.listen("127.0.0.1:0", echo)
    with pytest.raises(CannotListenError, match=str(port.address[1])):
        reactor.listen(f"127.0.0.1:{port.address[1]}", echo)
    with pytest.raises(EndpointError):
        reactor.listen("tpc:80", echo)
    port.stop_accepting()


def test_stopping_to_accept_refuses_newcomers_and_keeps_connections(reactor, drive, echo):
    port = reactor.listen("127.0.0.1:0", echo)

    async def scenario() -> None:
        reader, writer = await asyncio.open_connection(*port.address)
        writer.write(b"1")
        assert await reader.read(1) == b"1"
        port.stop_accepting()
        port.stop_accepting()
        assert not port.accepting
        assert refuses(port.address)
        writer.write(b"2")
        assert await reader.read(1) == b"2"
        writer.close()
        await writer.wait_closed()

    drive(reactor, scenario)


def test_after_stop_listening_no_protocol_is_made_any_more(reactor, drive, echo):
    made = []

    def factory():
        made.append(echo())
        return made[-1]

    port = reactor.listen("127.0.0.1:0", factory)

    async def scenario() -> None:
        with socket.create_connection(port.address):
            await port.stop_listening()
            count = len(made)
            assert refuses(port.address)
            await asyncio.sleep(0.005)
            assert len(made) == count
        await port.stop_listening()

    drive(reactor, scenario)


def test_a_port_that_never_ran_can_be_closed(echo):
    port = ListeningPort(parse_endpoint("127.0.0.1:0"), echo)
    port.stop_accepting()
    assert refuses(port.address)


def test_a_port_closed_before_it_could_start_does_not_accept(reactor, drive, echo):
    async def scenario() -> None:
        port = reactor.listen("127.0.0.1:0", echo)
        port.stop_accepting()
        await asyncio.sleep(0.005)
        assert not port.accepting
        assert refuses(port.address)

    drive(reactor, scenario)


def test_starting_twice_or_after_the_end_is_an_error(reactor, drive, echo):
    async def scenario() -> None:
        loop = asyncio.get_running_loop()
        port = ListeningPort(parse_endpoint("127.0.0.1:0"), echo)
        await port.start(loop)
        with pytest.raises(RuntimeError, match="started already"):
            port.start(loop)
        port.stop_accepting()
        with pytest.raises(RuntimeError, match="closed"):
            port.start(loop)

    drive(reactor, scenario)


def test_addresses_are_the_real_ones_and_read_like_endpoints(reactor, echo):
    port = reactor.listen("127.0.0.1:0", echo)
    assert port.addresses == [port.address]
    assert str(port) == f"127.0.0.1:{port.address[1]}"
    assert parse_endpoint(str(port)).port == port.address[1]
    assert repr(port) == f"<ListeningPort {port} bound>"
    port.stop_accepting()
    assert repr(port) == f"<ListeningPort {port} closed>"


def test_an_ipv6_address_reads_in_brackets(reactor, drive, echo):
    try:
        port = reactor.listen("[::1]:0", echo)
    except CannotListenError:
        pytest.skip("no IPv6 on this machine")
    assert port.address[0] == "::1"
    assert str(port) == f"[::1]:{port.address[1]}"

    async def scenario() -> None:
        assert await exchange(port.address) == b"ping"

    drive(reactor, scenario)


def test_every_address_of_a_name_accepts(reactor, drive, echo, monkeypatch):
    two = [
        (socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", 0)),
        (socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.2", 0)),
    ]
    with monkeypatch.context() as patch:
        patch.setattr(socket, "getaddrinfo", lambda *args, **kwargs: two)
        port = reactor.listen("two.example:0", echo)
    assert str(port) == ", ".join(f"{host}:{port.address[1]}" for host in ("127.0.0.1", "127.0.0.2"))

    async def scenario() -> None:
        for address in port.addresses:
            assert await exchange(address) == b"ping"

    drive(reactor, scenario)
    assert all(refuses(address) for address in port.addresses)


@posix_only
def test_a_unix_port_accepts_and_its_file_goes_with_it(reactor, drive, echo, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    port = reactor.listen("unix:s", echo)
    assert port.address == "s"
    assert str(port) == "unix:s"

    async def scenario() -> None:
        assert await exchange("s") == b"ping"
        os.chdir("/")

    drive(reactor, scenario)
    assert list(tmp_path.iterdir()) == []


@posix_only
@pytest.mark.parametrize("replacement", ["socket", "file", "nothing"])
def test_a_file_that_took_the_place_of_the_socket_is_left_alone(reactor, drive, echo, tmp_path, replacement):
    path = tmp_path / "s"
    reactor.listen(f"unix:{path}", echo)
    with socket.socket(socket.AF_UNIX) as other:

        async def scenario() -> None:
            path.unlink()
            if replacement == "socket":
                other.bind(str(path))
            elif replacement == "file":
                path.write_text("precious")

        drive(reactor, scenario)
        assert path.exists() is (replacement != "nothing")


@posix_only
def test_a_socket_file_that_cannot_be_removed_is_logged(reactor, echo, tmp_path, monkeypatch, caplog):
    port = reactor.listen(f"unix:{tmp_path}/s", echo)

    def refuse(self, **kwargs):
        raise PermissionError(1, "not permitted")

    with monkeypatch.context() as patch:
        patch.setattr(Path, "unlink", refuse)
        port.stop_accepting()
    assert "cannot remove the socket file" in caplog.text


@linux_only
def test_an_abstract_port_accepts(reactor, drive, echo):
    name = f"@ropewalk-port-{os.getpid()}"
    port = reactor.listen(f"unix:{name}", echo)
    assert port.address == name
    assert str(port) == f"unix:{name}"

    async def scenario() -> None:
        assert await exchange(name) == b"ping"

    drive(reactor, scenario)


@posix_only
@pytest.mark.parametrize("family", ["tcp", "unix"])
def test_an_inherited_socket_accepts_and_outlives_the_reactor(reactor, drive, echo, tmp_path, family):
    with socket.socket(socket.AF_INET if family == "tcp" else socket.AF_UNIX) as inherited:
        inherited.bind(("127.0.0.1", 0) if family == "tcp" else str(tmp_path / "s"))
        inherited.listen()
        for _ in range(2):
            port = reactor.listen(f"fd:{inherited.fileno()}", echo)
            assert port.address == inherited.getsockname()

            async def scenario(port: ListeningPort = port) -> None:
                assert await exchange(port.address) == b"ping"

            drive(reactor, scenario)
        with socket.socket(inherited.family) as client:
            client.connect(inherited.getsockname())


def test_a_loop_that_cannot_accept_is_logged_and_the_sockets_are_closed(reactor, drive, echo, caplog):
    class BrokenLoop:
        async def create_server(self, *args, **kwargs):
            raise OSError("no more servers")

        def create_task(self, coroutine):
            return asyncio.get_running_loop().create_task(coroutine)

    async def scenario() -> None:
        port = ListeningPort(parse_endpoint("127.0.0.1:0"), echo)
        await port.start(BrokenLoop())
        assert not port.accepting
        assert refuses(port.address)

    drive(reactor, scenario)
    assert "no more servers" in caplog.text
