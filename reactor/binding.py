"""Listening sockets: bound, given their options and made to listen in one synchronous step."""

from __future__ import annotations

import errno
import os
import socket
import stat
import sys
from pathlib import Path

from .errors import CannotListenError

__all__ = ["adopt_descriptor", "bind_tcp", "bind_unix"]

# With port 0 the port that the first address got may be taken on the next one; so often another is tried.
SAME_PORT_ATTEMPTS = 10


def bind_tcp(
    where: str,
    interface: str,
    port: int,
    families: tuple[socket.AddressFamily, ...],
    v6only: bool,
    backlog: int,
) -> list[socket.socket]:
    """Listen on every address of `interface` ("" is all interfaces) in the families given, on one port."""
    targets = _resolve(where, interface, port, families)
    attempts = SAME_PORT_ATTEMPTS if port == 0 and len(targets) > 1 else 1
    while True:
        attempts -= 1
        try:
            return _bind_all(where, targets, port, v6only, backlog)
        except CannotListenError as error:
            if error.errno != errno.EADDRINUSE or attempts == 0:
                raise


def bind_unix(where: str, path: str, mode: int | None, backlog: int) -> list[socket.socket]:
    """Listen on a Unix socket: a path, or "@name" in Linux's abstract namespace.

    A socket file that nobody answers on is replaced; one that is answered on, and any other file, is not.
    """
    if not hasattr(socket, "AF_UNIX"):
        raise CannotListenError(f"cannot listen on {where}: this system has no Unix sockets for Python")
    abstract = path.startswith("@")
    if abstract and sys.platform != "linux":
        raise CannotListenError(
            f"cannot listen on {where}: only Linux has abstract Unix sockets; give a path"
        )
    if not abstract:
        _remove_stale(where, path)
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    bound = False
    try:
        sock.bind("\0" + path[1:] if abstract else path)
        bound = True
        if mode is not None:
            # A socket that does not listen yet refuses everybody, so there is no moment of too wide a mode.
            Path(path).chmod(mode)
        sock.listen(backlog)
        sock.setblocking(False)
    except OSError as error:
        sock.close()
        if bound and not abstract:
            Path(path).unlink(missing_ok=True)
        raise _refused(where, error, _unix_hint(path, error)) from error
    return [sock]


def adopt_descriptor(where: str, fd: int, backlog: int) -> list[socket.socket]:
    """Listen on a duplicate of an inherited listening socket; the descriptor itself stays the caller's."""
    duplicate = -1
    try:
        duplicate = os.dup(fd)
        sock = socket.socket(fileno=duplicate)
    except OSError as error:
        if duplicate != -1:
            os.close(duplicate)
        hint = {
            errno.EBADF: "no such descriptor is open; was it passed on (systemd passes 3 and up)?",
            errno.ENOTSOCK: "it is open, but not a socket",
        }.get(error.errno or 0, "")
        raise _refused(where, error, hint) from error
    try:
        if sock.type != socket.SOCK_STREAM:
            raise CannotListenError(f"cannot listen on {where}: it is not a stream socket but {sock.type!r}")
        if not sock.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN):
            raise CannotListenError(
                f"cannot listen on {where}: the socket does not listen; its owner must call listen() first"
            )
        sock.setblocking(False)
        # Not for the state, which it has, but so that the accept queue is as long as was asked for.
        sock.listen(backlog)
    except OSError as error:
        sock.close()
        if isinstance(error, CannotListenError):
            raise
        raise _refused(where, error, "") from error
    return [sock]


def _resolve(
    where: str, interface: str, port: int, families: tuple[socket.AddressFamily, ...]
) -> list[tuple[socket.AddressFamily, tuple[str | int, ...]]]:
    """The distinct addresses to bind, in the resolver's order."""
    if not interface:
        return [(family, ("", port)) for family in families]
    family = families[0] if len(families) == 1 else socket.AF_UNSPEC
    try:
        found = socket.getaddrinfo(interface, port, family, socket.SOCK_STREAM, 0, socket.AI_PASSIVE)
    except (OSError, UnicodeError) as error:
        hint = f"the name {interface!r} has no address here; give an IP address or a name of this machine"
        raise _refused(where, error, hint) from error
    # Resolvers repeat an address that the hosts file repeats; a dict drops those and keeps the order.
    targets: dict[tuple[socket.AddressFamily, tuple[str | int, ...]], None] = {}
    for found_family, _, _, _, address in found:
        if found_family in families:
            targets[found_family, tuple(part for part in address if isinstance(part, (str, int)))] = None
    return list(targets)


def _bind_all(
    where: str,
    targets: list[tuple[socket.AddressFamily, tuple[str | int, ...]]],
    port: int,
    v6only: bool,
    backlog: int,
) -> list[socket.socket]:
    sockets: list[socket.socket] = []
    missing: OSError | None = None
    try:
        for family, (host, _, *rest) in targets:
            try:
                sock = _bind_one(family, (host, port, *rest), v6only, backlog)
            except OSError as error:
                if error.errno not in (errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT):
                    raise _refused(where, error, _tcp_hint(port, error)) from error
                # A name may stand for ::1 as well on a machine whose IPv6 is switched off.
                missing = error
                continue
            sockets.append(sock)
            port = sock.getsockname()[1]
        if not sockets:
            raise _refused(where, missing, _tcp_hint(port, missing)) from missing
    except BaseException:
        for sock in sockets:
            sock.close()
        raise
    return sockets


def _bind_one(
    family: socket.AddressFamily, address: tuple[str | int, ...], v6only: bool, backlog: int
) -> socket.socket:
    sock = socket.socket(family, socket.SOCK_STREAM)
    try:
        if sys.platform == "win32":
            # There SO_REUSEADDR would let two servers share a port, and either get the other's connections.
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_EXCLUSIVEADDRUSE, 1)
        else:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, int(v6only))
        sock.bind(address)
        sock.listen(backlog)
        sock.setblocking(False)
    except BaseException:
        sock.close()
        raise
    return sock


def _remove_stale(where: str, path: str) -> None:
    """Remove the socket file of a server that is gone; CannotListenError when it is anything else."""
    try:
        found = os.lstat(path)
    except OSError:
        # Nothing there, or nothing to be seen: bind() will tell.
        return
    if not stat.S_ISSOCK(found.st_mode):
        raise CannotListenError(
            f"cannot listen on {where}: there is a file which is not a socket, and it is left alone; "
            "remove it or choose another path"
        )
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        # A live server with a full accept queue would block the probe; non-blocking, it gets EAGAIN.
        probe.setblocking(False)
        answer = probe.connect_ex(path)
    if answer == errno.ENOENT:
        return
    if answer != errno.ECONNREFUSED:
        reason = "another process answers there" if answer in (0, errno.EAGAIN) else os.strerror(answer)
        taken = CannotListenError(
            f"cannot listen on {where}: {reason}; stop that process or choose another path"
        )
        taken.errno = errno.EADDRINUSE
        raise taken
    try:
        # Two servers may start at once and both find the old file stale; what the other has put there since
        # is another inode.
        now = os.lstat(path)
        if (now.st_dev, now.st_ino) == (found.st_dev, found.st_ino):
            Path(path).unlink()
    except FileNotFoundError:
        pass
    except OSError as error:
        raise _refused(where, error, _unix_hint(path, error)) from error


def _refused(where: str, error: OSError | UnicodeError | None, hint: str) -> CannotListenError:
    """What the user reads: where, what the system said, what to do."""
    said = (getattr(error, "strerror", None) or str(error)) if error is not None else "no address"
    refused = CannotListenError(f"cannot listen on {where}: {said}" + (f" ({hint})" if hint else ""))
    # Set on the object and not passed on, or str() would become the system's form.
    refused.errno = None if isinstance(error, socket.gaierror) else getattr(error, "errno", None)
    return refused


def _tcp_hint(port: int, error: OSError | None) -> str:
    number = error.errno if error is not None else None
    if number == errno.EADDRINUSE:
        return f"another process listens on port {port}; stop it or choose another port, 0 picks a free one"
    if number in (errno.EACCES, errno.EPERM):
        return (
            "ports below 1024 are for privileged processes; choose a higher one, or pass a socket in as fd:N"
            if 0 < port < 1024
            else "this process may not bind there"
        )
    if number == errno.EADDRNOTAVAIL:
        return "no interface of this machine has that address"
    if number == errno.EAFNOSUPPORT:
        return "this machine does not have that kind of address; is IPv6 switched off?"
    return ""


def _unix_hint(path: str, error: OSError) -> str:
    directory = str(Path(path).parent)
    if error.errno == errno.ENOENT or error.errno == errno.ENOTDIR:
        return f"there is no directory {directory}"
    if error.errno in (errno.EACCES, errno.EPERM):
        return f"this process may not create files in {directory}"
    if error.errno == errno.EADDRINUSE:
        return "another process listens there"
    if error.errno is None or error.errno == errno.ENAMETOOLONG:
        return "the path of a Unix socket has about 100 bytes at most"
    return ""
