"""A TCP protocol of your own on the reactor: python examples/reactor_echo.py, then telnet to it"""

from __future__ import annotations

import asyncio
import sys

from ropewalk import Reactor


class Echo(asyncio.Protocol):
    """Any asyncio protocol can be listened for."""

    transport: asyncio.Transport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport  # type: ignore[assignment]

    def data_received(self, data: bytes) -> None:
        self.transport.write(data)

    def eof_received(self) -> None:
        self.transport.close()


def main(endpoint: str) -> None:
    reactor = Reactor()
    port = reactor.listen(endpoint, Echo)
    print(f"listening on {port}", flush=True)
    reactor.run()  # until SIGINT or SIGTERM


if __name__ == "__main__":
    main(sys.argv[1] if len(sys.argv) > 1 else "tcp:7007:interface=127.0.0.1")
