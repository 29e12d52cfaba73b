"""Fails while it is imported, two calls deep."""

from __future__ import annotations


def read_settings() -> None:
    """Fail."""
    raise LookupError("no settings here")


def configure() -> None:
    """Fail a little later."""
    read_settings()


configure()
