"""An application that fails while it is imported."""

from __future__ import annotations


def read_settings() -> dict[str, str]:
    settings: dict[str, str] = {}
    return {"key": settings["SECRET_KEY"]}


SETTINGS = read_settings()
app = None
