"""The smallest application, served from Python: python examples/hello.py"""

from __future__ import annotations

import sys
from typing import Any

import ropewalk


async def app(scope: dict[str, Any], receive: Any, send: Any) -> None:
    if scope["type"] != "http":
        raise NotImplementedError(scope["type"])
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"text/plain")]})
    await send({"type": "http.response.body", "body": b"Hello!\n"})


if __name__ == "__main__":
    sys.exit(ropewalk.run(app, bind=sys.argv[1] if len(sys.argv) > 1 else "127.0.0.1:8000"))
