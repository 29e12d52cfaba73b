"""Makes its names when they are asked for, and fails at it."""

from __future__ import annotations

from typing import Any


def __getattr__(name: str) -> Any:
    if name == "app":
        raise RuntimeError("no database to make the application with")
    raise AttributeError(name)
