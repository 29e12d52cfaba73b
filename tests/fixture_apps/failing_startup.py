"""Reports that its start-up failed."""

from __future__ import annotations

from typing import Any


async def app(scope: dict[str, Any], receive: Any, send: Any) -> None:
    """Fail in the lifespan, and never get as far as a request."""
    await receive()
    await send({"type": "lifespan.startup.failed", "message": "the database is not there"})
