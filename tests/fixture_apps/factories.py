"""Factories of applications, most of which fail."""

from __future__ import annotations

from typing import Any

from answering import app as _app

not_callable = 7


def create_app() -> Any:
    """Return an application."""
    return _app


def create_failing() -> Any:
    """Fail."""
    raise LookupError("no settings here")


def create_exiting() -> Any:
    """End the process."""
    raise SystemExit(7)


def create_from(settings: str) -> Any:
    """Need an argument."""
    return _app


def create_nothing() -> Any:
    """Return what is no application."""
    return None


async def create_later() -> Any:
    """Need an event loop."""
    return _app
