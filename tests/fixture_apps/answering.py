"""An application that takes part in the lifespan and answers, reachable in several ways."""

from __future__ import annotations

from typing import Any


async def app(scope: dict[str, Any], receive: Any, send: Any) -> None:
    """Answer with the path."""
    if scope["type"] == "lifespan":
        for event in ("startup", "shutdown"):
            await receive()
            await send({"type": f"lifespan.{event}.complete"})
        return
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": scope["path"].encode()})


class _Site:
    class inner:  # noqa: N801 - named like a package
        app = staticmethod(app)

    @property
    def broken(self) -> Any:
        raise LookupError("the site is not configured")


site = _Site()
