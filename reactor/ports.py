"""Listening ports: bound sockets and the protocols that are made for who connects to them."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import stat
from pathlib import Path
from typing import TYPE_CHECKING, cast

from .endpoints import Endpoint, UnixServerEndpoint

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable

    from .protocols import ProtocolFactory

__all__ = ["Address", "ListeningPort"]

logger = logging.getLogger("ropewalk.reactor")

Address = tuple[str, int] | str


class ListeningPort:
    """One endpoint that is listened on, bound from construction on; it accepts from start() on.

    Who connects in between waits in the system's accept queue. `str()` gives the addresses for log lines.
    """

    def __init__(
        self,
        endpoint: Endpoint,
        factory: ProtocolFactory,
        *,
        backlog: int = 2048,
        closed: Callable[[ListeningPort], None] | None = None,
    ) -> None:
        self.endpoint = endpoint
        self.factory = factory
        self._closed_callback = closed
        self._backlog = backlog if endpoint.backlog is None else endpoint.backlog
        self._waiting = endpoint.bind(backlog)
        self._servers: list[asyncio.AbstractServer] = []
        self._starting: asyncio.Task[None] | None = None
        self._closed = False
        self.addresses: list[Address] = [_address(sock) for sock in self._waiting]
        self._file: tuple[Path, os.stat_result] | None = None
        if isinstance(endpoint, UnixServerEndpoint) and not endpoint.abstract:
            # Absolute, as the process may change its directory before it ends.
            path = Path(endpoint.path).absolute()
            with contextlib.suppress(FileNotFoundError):
                self._file = (path, path.lstat())

    @property
    def address(self) -> Address:
        """The first address: (host, port), or the path of a Unix socket."""
        return self.addresses[0]

    @property
    def accepting(self) -> bool:
        """Whether who connects gets a protocol; False before start() took effect and after the end."""
        return bool(self._servers) and not self._closed

    def __str__(self) -> str:
        return ", ".join(map(_address_text, self.addresses))

    def __repr__(self) -> str:
        state = "closed" if self._closed else "accepting" if self._servers else "bound"
        return f"<ListeningPort {self} {state}>"

    def start(self, loop: asyncio.AbstractEventLoop) -> asyncio.Task[None]:
        """Begin to accept on `loop` within its next turns; the task is done when all sockets do."""
        if self._closed:
            raise RuntimeError(f"the port {self} is closed")
        if self._starting is not None:
            raise RuntimeError(f"the port {self} is started already")
        self._starting = loop.create_task(self._serve(loop))
        return self._starting

    def stop_accepting(self) -> None:
        """Close the listening sockets and leave the connections alone; idempotent."""
        if self._closed:
            return
        self._closed = True
        # Before the socket closes: as long as it is open its inode's number cannot go to another file.
        self._unlink()
        for server in self._servers:
            server.close()
        for sock in self._waiting:
            sock.close()
        self._waiting = []
        if self._closed_callback is not None:
            self._closed_callback(self)

    async def stop_listening(self) -> None:
        """stop_accepting(), and return when no protocol is going to be connected any more."""
        self.stop_accepting()
        # asyncio calls connection_made two turns after it accepted; whom it has not given a transport by now,
        # it drops like those in the system's queue.
        for _ in range(3):
            await asyncio.sleep(0)

    async def _serve(self, loop: asyncio.AbstractEventLoop) -> None:
        try:
            while self._waiting:
                # Also for Unix sockets: create_unix_server() would remove the file of a socket that was only
                # inherited, and that its owner still listens on.
                factory = cast("Callable[[], asyncio.BaseProtocol]", self.factory)
                server = await loop.create_server(
                    factory, sock=self._waiting[0], backlog=self._backlog, start_serving=False
                )
                if self._closed:
                    server.close()
                    return
                del self._waiting[0]
                self._servers.append(server)
                await server.start_serving()
        except Exception:
            logger.exception("cannot accept on %s", self)
            self.stop_accepting()

    def _unlink(self) -> None:
        """Remove the socket file, unless another server has put its own there since."""
        if self._file is None:
            return
        path, made = self._file
        try:
            found = path.lstat()
            if stat.S_ISSOCK(found.st_mode) and os.path.samestat(found, made):
                path.unlink()
        except FileNotFoundError:
            pass
        except OSError as error:
            logger.warning("cannot remove the socket file %s: %s", path, error)


def _address(sock: socket.socket) -> Address:
    name = sock.getsockname()
    if isinstance(name, bytes):
        return "@" + os.fsdecode(name[1:])
    if isinstance(name, str):
        return name
    host, port = name[:2]
    return (host, port)


def _address_text(address: Address) -> str:
    if isinstance(address, str):
        return f"unix:{address}"
    host, port = address
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
