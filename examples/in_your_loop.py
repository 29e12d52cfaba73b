"""A server as one task of a program that has an event loop already: python examples/in_your_loop.py"""

from __future__ import annotations

import asyncio
import logging
import sys
from typing import Any

import ropewalk

visits = 0


async def app(scope: dict[str, Any], receive: Any, send: Any) -> None:
    global visits
    if scope["type"] != "http":
        raise NotImplementedError(scope["type"])
    visits += 1
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"text/plain")]})
    await send({"type": "http.response.body", "body": b"counted\n"})


async def main(endpoint: str) -> None:
    server = asyncio.create_task(ropewalk.serve(app, bind=endpoint, access_log=False))
    while visits < 3 and not server.done():
        await asyncio.sleep(0.05)
    server.cancel()  # a graceful stop: what is in flight is answered first
    await asyncio.wait([server])
    print(f"{visits} visits, good night")


if __name__ == "__main__":
    logging.basicConfig(level=logging.INFO)  # ropewalk.serve() configures no logging
    asyncio.run(main(sys.argv[1] if len(sys.argv) > 1 else "127.0.0.1:8000"))
