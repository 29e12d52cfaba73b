"""A WSGI application."""

from __future__ import annotations

from typing import Any


def app(environ: dict[str, Any], start_response: Any) -> list[bytes]:
    """Answer the WSGI way."""
    start_response("200 OK", [])
    return [b"hello"]
