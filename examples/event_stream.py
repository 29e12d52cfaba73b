"""Server-sent events that end with the client, or with the server: python examples/event_stream.py"""

from __future__ import annotations

import asyncio
import sys
from typing import Any

import ropewalk


async def app(scope: dict[str, Any], receive: Any, send: Any) -> None:
    if scope["type"] != "http":
        raise NotImplementedError(scope["type"])
    gone = asyncio.create_task(wait_for_disconnect(receive))
    try:
        headers = [(b"content-type", b"text/event-stream"), (b"cache-control", b"no-cache")]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        number = 0
        while not gone.done():
            number += 1
            event = f"data: {number}\n\n".encode()
            await send({"type": "http.response.body", "body": event, "more_body": True})
            await asyncio.wait([gone], timeout=0.2)
        await send({"type": "http.response.body"})
    except OSError:
        pass  # the client had gone while an event was on its way
    finally:
        gone.cancel()


async def wait_for_disconnect(receive: Any) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


if __name__ == "__main__":
    sys.exit(ropewalk.run(app, bind=sys.argv[1] if len(sys.argv) > 1 else "127.0.0.1:8000"))
