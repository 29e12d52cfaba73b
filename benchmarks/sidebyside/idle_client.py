"""Opens many connections, makes one request on each, keeps them open: ``python idle_client.py PORT COUNT``.

It goes on to the next step whenever it is given a line on standard input, and says on standard output when a
step is done: ``warm``, ``open N``, ``alive N``.
"""

from __future__ import annotations

import socket
import struct
import sys

REQUEST = b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"
BODY = b"Hello, world!"
WARMING_SHARE = 50
"""One connection in so many is opened and closed beforehand: enough to load what a server loads late, too few
for the memory they leave free to make much difference to what is weighed."""
TIMEOUT = 10.0
RESET_ON_CLOSE = struct.pack("ii", 1, 0)


def connect(port: int) -> socket.socket:
    """Opens a connection and makes one request on it; OSError where the answer does not come."""
    connection = socket.create_connection(("127.0.0.1", port), timeout=TIMEOUT)
    # Thousands of ports left in TIME_WAIT by one run would be missing in the next.
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET_ON_CLOSE)
    connection.sendall(REQUEST)
    answer = b""
    while not answer.endswith(BODY):
        data = connection.recv(4096)
        if not data:
            connection.close()
            raise ConnectionError(f"closed after {answer!r}")
        answer += data
    return connection


def is_open(connection: socket.socket) -> bool:
    """Tells whether the server has left a connection open."""
    connection.setblocking(False)
    try:
        return connection.recv(1, socket.MSG_PEEK) != b""
    except BlockingIOError:
        return True
    except OSError:
        return False


def main(port: int, count: int) -> None:
    """Goes through the steps."""
    for connection in [connect(port) for _ in range(max(1, count // WARMING_SHARE))]:
        connection.close()
    print("warm", flush=True)
    sys.stdin.readline()
    connections: list[socket.socket] = []
    try:
        while len(connections) < count:
            connections.append(connect(port))
    except OSError as error:
        print(f"connection {len(connections) + 1}: {error!r}", file=sys.stderr)
    print("open", len(connections), flush=True)
    sys.stdin.readline()
    print("alive", sum(map(is_open, connections)), flush=True)
    for connection in connections:
        connection.close()


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]))
