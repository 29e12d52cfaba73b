"""Ropewalk: an event-driven application server for ASGI, WSGI and raw TCP/UDP protocols in one process."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .reactor.loop import Reactor
    from .server.config import Config
    from .service import run, serve

__version__ = "0.1.0.dev0"

__all__ = ["Config", "Reactor", "__version__", "run", "serve"]

_WHERE = {
    "Config": ".server.config",
    "Reactor": ".reactor.loop",
    "run": ".service",
    "serve": ".service",
}


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})


def __getattr__(name: str) -> Any:
    """Import the public names when they are first used: ``import ropewalk`` alone costs nothing."""
    if name in _WHERE:
        from importlib import import_module

        value = getattr(import_module(_WHERE[name], __name__), name)
        globals()[name] = value
        return value
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
