"""A small real server for the tests: ``python -m greeter PORT MODE`` greets whoever sends a request head.

Modes: ``plain``; ``log`` prints a line per request; ``rude`` closes after one; ``wrong`` greets wrongly;
``family`` has a child; ``stubborn`` ignores SIGTERM; ``broken`` ends at once.
"""

from __future__ import annotations

import asyncio
import signal
import subprocess
import sys

HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 13\r\n\r\n"


async def serve(port: int, mode: str) -> None:
    async def greet(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                await reader.readuntil(b"\r\n\r\n")
                writer.write(HEAD + (b"Hello, swirl!" if mode == "wrong" else b"Hello, world!"))
                if mode == "log":
                    print("a request", flush=True)
                if mode == "rude":
                    break
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(greet, "127.0.0.1", port, backlog=512)
    async with server:
        await server.serve_forever()


if __name__ == "__main__":
    port, mode = int(sys.argv[1]), sys.argv[2]
    if mode == "broken":
        sys.exit("no ropes today")
    if mode == "stubborn":
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
    if mode == "family":
        subprocess.Popen([sys.executable, "-c", "import signal; signal.pause()"])
    asyncio.run(serve(port, mode))
