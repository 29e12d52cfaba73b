"""A bare HTTP/1.1 client: sends exactly the bytes it is given and reads answers with h11's parser."""

from __future__ import annotations

import select
import socket
import struct
from dataclasses import dataclass, field
from typing import Self

import h11

TIMEOUT_SECONDS = 10.0


@dataclass
class Answer:
    """One response as it came, without the informational ones before it."""

    status: int
    version: str
    headers: dict[str, str]
    body: bytes = b""
    informational: list[int] = field(default_factory=list)

    @property
    def text(self) -> str:
        return self.body.decode()


class Wire:
    """One TCP connection. What was read past the end of an answer is kept for the next one."""

    def __init__(self, host: str, port: int, *, timeout: float = TIMEOUT_SECONDS) -> None:
        self.socket = socket.create_connection((host, port), timeout=timeout)
        self.unread = b""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        self.socket.close()

    def send(self, data: bytes) -> None:
        self.socket.sendall(data)

    def half_close(self) -> None:
        """Tell the server that nothing more will be sent; its answers can still be read."""
        self.socket.shutdown(socket.SHUT_WR)

    def get(self, path: str, *fields: str) -> None:
        """Send a GET request for ``path``."""
        lines = [f"GET {path} HTTP/1.1", "Host: test", *fields, "", ""]
        self.send("\r\n".join(lines).encode())

    def exchange(self, path: str, *fields: str) -> Answer:
        """Send a GET request and read the whole answer."""
        self.get(path, *fields)
        return self.answer()

    def answer(self, *, method: str = "GET") -> Answer:
        """Read one whole response; ``method`` is the request's, since it decides whether a body follows.

        Raises `h11.RemoteProtocolError` if the connection ends before the response does.
        """
        parser = h11.Connection(h11.CLIENT)
        parser.send(h11.Request(method=method, target="/", headers=[("Host", "test")]))
        parser.send(h11.EndOfMessage())
        answer: Answer | None = None
        informational: list[int] = []
        if self.unread:
            parser.receive_data(self.unread)
            self.unread = b""
        while True:
            event = parser.next_event()
            if event is h11.NEED_DATA:
                parser.receive_data(self.socket.recv(65536))
            elif isinstance(event, h11.InformationalResponse):
                informational.append(event.status_code)
            elif isinstance(event, h11.Response):
                headers = {name.decode(): value.decode("latin-1") for name, value in event.headers}
                version = event.http_version.decode()
                answer = Answer(event.status_code, version, headers, informational=informational)
            elif isinstance(event, h11.Data) and answer is not None:
                answer.body += bytes(event.data)
            elif isinstance(event, h11.EndOfMessage) and answer is not None:
                self.unread = parser.trailing_data[0]
                return answer
            else:
                raise AssertionError(f"unexpected {event!r}")

    def answer_or_end(self, *, method: str = "GET") -> Answer | None:
        """Read one whole response, or learn that the server closed without one."""
        if not self.unread:
            try:
                self.unread = self.socket.recv(65536)
            except ConnectionResetError:
                return None
        return self.answer(method=method) if self.unread else None

    def nothing_to_read(self) -> bool:
        """Whether nothing has arrived that was not read yet."""
        if self.unread:
            return False
        readable, _, _ = select.select([self.socket], [], [], 0)
        return not readable

    def send_until_blocked(self, size: int, *, patience: float = 0.3) -> int:
        """Send zeros until no more is taken for ``patience`` seconds; returns how many were."""
        sent, block = 0, bytes(65536)
        while sent < size:
            _, writable, _ = select.select([], [self.socket], [], patience)
            if not writable:
                break
            sent += self.socket.send(block[: size - sent], socket.MSG_DONTWAIT)
        return sent

    def reset_on_close(self) -> None:
        """Have close() send a reset, as when a client's machine dies or its process is killed."""
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))

    def read_until(self, marker: bytes) -> bytes:
        """Read until ``marker`` was seen; returns everything up to and with it."""
        while marker not in self.unread:
            data = self.socket.recv(65536)
            assert data, f"the connection ended before {marker!r}: {self.unread!r}"
            self.unread += data
        end = self.unread.index(marker) + len(marker)
        taken, self.unread = self.unread[:end], self.unread[end:]
        return taken

    def read_to_end(self) -> bytes:
        """Read until the server closes; a reset counts as a close."""
        parts = [self.unread]
        self.unread = b""
        try:
            while data := self.socket.recv(65536):
                parts.append(data)
        except ConnectionResetError:
            pass
        return b"".join(parts)
