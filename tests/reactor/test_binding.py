"""Listening sockets: their options, what is refused and how that reads, and what happens to socket files."""

from __future__ import annotations

import errno
import os
import socket
import stat
import sys
from contextlib import ExitStack, closing
from typing import TYPE_CHECKING

import pytest

from ropewalk.reactor import CannotListenError, FDServerEndpoint, UnixServerEndpoint, parse_endpoint

if TYPE_CHECKING:
    from collections.abc import Iterator

posix_only = pytest.mark.skipif(sys.platform == "win32", reason="POSIX sockets")
linux_only = pytest.mark.skipif(sys.platform != "linux", reason="Linux sockets")
not_as_root = pytest.mark.skipif(
    hasattr(os, "geteuid") and os.geteuid() == 0, reason="root may write everywhere"
)


def has_ipv6() -> bool:
    try:
        with socket.socket(socket.AF_INET6) as sock:
            sock.bind(("::1", 0))
    except OSError:
        return False
    return True


needs_ipv6 = pytest.mark.skipif(not has_ipv6(), reason="no IPv6 on this machine")


@pytest.fixture
def bind() -> Iterator[object]:
    """Bind an endpoint string; the sockets are closed after the test."""
    with ExitStack() as stack:

        def bind(text: str, backlog: int = 16) -> list[socket.socket]:
            sockets = parse_endpoint(text).bind(backlog)
            for sock in sockets:
                stack.enter_context(closing(sock))
            return sockets

        yield bind


def connects(sock: socket.socket) -> bool:
    with socket.socket(sock.family) as client:
        client.settimeout(5)
        return client.connect_ex(sock.getsockname()) == 0


def test_a_tcp_socket_listens_on_the_port_that_the_system_picked(bind):
    (sock,) = bind("tcp:0:interface=127.0.0.1")
    assert sock.getsockname()[1] != 0
    assert connects(sock)
    assert not sock.getblocking()
    assert not sock.get_inheritable()


@posix_only
def test_a_tcp_socket_may_be_bound_again_while_old_connections_linger(bind):
    (sock,) = bind("tcp:0:interface=127.0.0.1")
    assert sock.getsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR)


def test_the_ipv4_wildcard_is_all_ipv4_interfaces_and_nothing_else(bind):
    (sock,) = bind("tcp:0")
    assert sock.family == socket.AF_INET
    assert sock.getsockname()[0] == "0.0.0.0"


@needs_ipv6
@pytest.mark.parametrize(("option", "only"), [("", 1), (":ipv6only=on", 1), (":ipv6only=off", 0)])
def test_ipv6only_is_set_whatever_the_system_default(bind, option, only):
    (sock,) = bind(f"tcp6:0{option}")
    assert sock.getsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY) == only
    port = sock.getsockname()[1]
    with socket.socket() as client:
        assert (client.connect_ex(("127.0.0.1", port)) == 0) is not bool(only)


@needs_ipv6
def test_both_families_can_have_the_same_port(bind):
    (six,) = bind("tcp6:0")
    (four,) = bind(f"tcp:{six.getsockname()[1]}")
    assert connects(four)


def test_a_name_is_listened_on_at_every_address_and_on_one_port(bind, monkeypatch):
    two = [
        (socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", 0)),
        (socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.2", 0)),
        (socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", 0)),
    ]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *args, **kwargs: two)
    sockets = bind("tcp:0:interface=two.example")
    assert [sock.getsockname()[0] for sock in sockets] == ["127.0.0.1", "127.0.0.2"]
    assert len({sock.getsockname()[1] for sock in sockets}) == 1


def test_an_address_that_the_machine_lacks_is_left_out_when_the_name_has_another(bind, monkeypatch):
    two = [
        (socket.AF_INET, socket.SOCK_STREAM, 6, "", ("192.0.2.1", 0)),
        (socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", 0)),
    ]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *args, **kwargs: two)
    (sock,) = bind("two.example:0")
    assert sock.getsockname()[0] == "127.0.0.1"


def test_when_the_second_address_is_refused_the_first_is_given_up(bind, monkeypatch):
    (taken,) = bind("127.0.0.2:0")
    port = taken.getsockname()[1]
    two = [
        (socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", port)),
        (socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.2", port)),
    ]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *args, **kwargs: two)
    with pytest.raises(CannotListenError):
        bind(f"two.example:{port}")
    monkeypatch.undo()
    assert connects(bind(f"127.0.0.1:{port}")[0])


def test_localhost_resolves(bind):
    assert all(connects(sock) for sock in bind("localhost:0"))


def test_a_name_without_an_address_is_refused():
    def nothing(*args: object, **kwargs: object) -> list[object]:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(socket, "getaddrinfo", nothing)
        with pytest.raises(
            CannotListenError, match=r"no\.such\.host.*Name or service.*has no address"
        ) as caught:
            parse_endpoint("no.such.host:0").bind(1)
    assert isinstance(caught.value.__cause__, socket.gaierror)


def test_an_address_in_use_is_refused_with_the_address_the_reason_and_a_hint(bind):
    port = bind("127.0.0.1:0")[0].getsockname()[1]
    with pytest.raises(CannotListenError) as caught:
        bind(f"127.0.0.1:{port}")
    message = str(caught.value)
    assert f"tcp:{port}:interface=127.0.0.1" in message
    assert os.strerror(errno.EADDRINUSE) in message
    assert "another process listens" in message
    assert caught.value.errno == errno.EADDRINUSE
    assert isinstance(caught.value, OSError)
    assert isinstance(caught.value.__cause__, OSError)


def test_an_address_of_another_machine_is_refused():
    with pytest.raises(CannotListenError, match="no interface of this machine") as caught:
        parse_endpoint("192.0.2.1:0").bind(1)
    assert caught.value.errno == errno.EADDRNOTAVAIL


@not_as_root
@linux_only
def test_a_privileged_port_is_refused_with_a_hint():
    with pytest.raises(CannotListenError, match="below 1024"):
        parse_endpoint("127.0.0.1:1").bind(1)


@posix_only
def test_a_unix_socket_listens_on_its_path(bind, tmp_path):
    (sock,) = bind(f"unix:{tmp_path}/s")
    assert connects(sock)
    assert not sock.getblocking()


@posix_only
@pytest.mark.parametrize("mode", [0o600, 0o660, 0o666, 0o000])
def test_a_unix_socket_gets_its_mode_whatever_the_umask(bind, tmp_path, mode):
    before = os.umask(0o077)
    try:
        bind(f"unix:{tmp_path}/s:mode={mode:03o}")
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "s").stat().st_mode) == mode


@posix_only
def test_without_a_mode_the_umask_rules(bind, tmp_path):
    before = os.umask(0o027)
    try:
        bind(f"unix:{tmp_path}/s")
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "s").stat().st_mode) == 0o750


@posix_only
def test_nobody_can_connect_before_the_mode_is_set(bind, tmp_path, monkeypatch):
    path = tmp_path / "s"
    answers = []
    chmod = type(path).chmod

    def spy(self, mode, **kwargs):
        with socket.socket(socket.AF_UNIX) as client:
            answers.append(client.connect_ex(str(path)))
        chmod(self, mode, **kwargs)

    monkeypatch.setattr(type(path), "chmod", spy)
    bind(f"unix:{path}:mode=600")
    assert answers == [errno.ECONNREFUSED]


@posix_only
def test_a_stale_socket_file_is_replaced(bind, tmp_path):
    path = tmp_path / "s"
    with socket.socket(socket.AF_UNIX) as gone:
        gone.bind(str(path))
        gone.listen()
    assert path.exists()
    (sock,) = bind(f"unix:{path}")
    assert connects(sock)


@posix_only
def test_a_live_socket_is_refused_and_goes_on(bind, tmp_path):
    (live,) = bind(f"unix:{tmp_path}/s")
    with pytest.raises(CannotListenError, match="another process answers there") as caught:
        bind(f"unix:{tmp_path}/s")
    assert caught.value.errno == errno.EADDRINUSE
    assert connects(live)


@linux_only
def test_a_live_socket_with_a_full_queue_is_refused_without_blocking(bind, tmp_path):
    (live,) = bind(f"unix:{tmp_path}/s", backlog=1)
    with ExitStack() as stack:
        while True:
            client = stack.enter_context(socket.socket(socket.AF_UNIX))
            client.setblocking(False)
            if client.connect_ex(live.getsockname()) == errno.EAGAIN:
                break
        with pytest.raises(CannotListenError, match="another process answers there"):
            bind(f"unix:{tmp_path}/s")


@posix_only
@pytest.mark.parametrize("kind", ["file", "directory", "link to a file"])
def test_what_is_not_a_socket_is_refused_and_left_alone(bind, tmp_path, kind):
    path = tmp_path / "s"
    target = tmp_path / "target"
    if kind == "directory":
        path.mkdir()
    else:
        target.write_text("precious")
        path.symlink_to(target) if kind.startswith("link") else target.rename(path)
    before = path.lstat()
    with pytest.raises(CannotListenError, match="not a socket"):
        bind(f"unix:{path}")
    assert os.path.samestat(path.lstat(), before)


@posix_only
def test_a_datagram_socket_file_in_use_is_refused_and_left_alone(bind, tmp_path):
    path = tmp_path / "s"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as other:
        other.bind(str(path))
        with pytest.raises(CannotListenError):
            bind(f"unix:{path}")
        assert path.is_socket()


@posix_only
def test_a_missing_directory_is_named(bind, tmp_path):
    with pytest.raises(CannotListenError, match=f"there is no directory {tmp_path}/none"):
        bind(f"unix:{tmp_path}/none/s")


@posix_only
def test_a_path_that_is_too_long_for_a_socket_is_refused_with_the_limit(bind, tmp_path):
    with pytest.raises(CannotListenError, match="about 100 bytes"):
        bind(f"unix:{tmp_path}/{'x' * 120}")


@posix_only
def test_a_failure_after_binding_removes_the_new_file(tmp_path, monkeypatch):
    path = tmp_path / "s"

    def refuse(self, mode, **kwargs):
        raise PermissionError(errno.EPERM, os.strerror(errno.EPERM))

    monkeypatch.setattr(type(path), "chmod", refuse)
    with pytest.raises(CannotListenError, match="may not create"):
        parse_endpoint(f"unix:{path}:mode=600").bind(1)
    assert not path.exists()


@linux_only
def test_an_abstract_socket_listens_without_a_file(bind, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    name = f"ropewalk-test-{os.getpid()}"
    (sock,) = bind(f"unix:@{name}")
    assert sock.getsockname() == b"\0" + name.encode()
    assert connects(sock)
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(CannotListenError, match="another process"):
        UnixServerEndpoint(f"@{name}").bind(1)


@posix_only
@pytest.mark.parametrize("text", ["tcp:0:interface=127.0.0.1", "unix:{tmp}/s"], ids=["tcp", "unix"])
def test_an_inherited_descriptor_is_duplicated_and_its_family_found(bind, tmp_path, text):
    (inherited,) = bind(text.format(tmp=tmp_path))
    (adopted,) = bind(f"fd:{inherited.fileno()}")
    assert adopted.fileno() != inherited.fileno()
    assert adopted.family == inherited.family
    assert adopted.getsockname() == inherited.getsockname()
    assert not adopted.get_inheritable()
    adopted.close()
    assert connects(inherited)


@posix_only
def test_a_descriptor_that_is_not_open_is_refused():
    read, write = os.pipe()
    os.close(read)
    os.close(write)
    with pytest.raises(CannotListenError, match=f"fd:{write}.*no such descriptor"):
        FDServerEndpoint(write).bind(1)


@posix_only
def test_a_descriptor_that_is_no_socket_is_refused(tmp_path):
    with (tmp_path / "file").open("w") as file, pytest.raises(CannotListenError, match="not a socket"):
        FDServerEndpoint(file.fileno()).bind(1)


@posix_only
def test_a_datagram_descriptor_is_refused():
    with (
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock,
        pytest.raises(CannotListenError, match="not a stream socket"),
    ):
        FDServerEndpoint(sock.fileno()).bind(1)


@linux_only
@pytest.mark.parametrize("bound", [False, True])
def test_a_stream_descriptor_that_does_not_listen_is_refused(bound):
    with socket.socket() as sock:
        if bound:
            sock.bind(("127.0.0.1", 0))
        with pytest.raises(CannotListenError, match="does not listen"):
            FDServerEndpoint(sock.fileno()).bind(1)


@linux_only
def test_the_endpoints_own_backlog_wins_over_the_listeners(bind):
    def queue_length(text: str) -> int:
        (sock,) = bind(text, backlog=8)
        with ExitStack() as stack:
            for count in range(64):
                client = stack.enter_context(socket.socket(socket.AF_UNIX))
                client.setblocking(False)
                if client.connect_ex(sock.getsockname()) == errno.EAGAIN:
                    return count
        return 64

    name = f"unix:@ropewalk-backlog-{os.getpid()}"
    assert queue_length(f"{name}-a") == 9
    assert queue_length(f"{name}-b:backlog=2") == 3
