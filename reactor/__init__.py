"""The reactor: an event loop with endpoints, listening ports, timed calls, system events and a coarse tick.

Knows no HTTP. Everything that needs a reactor is given one; there is no global.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .endpoints import (
        Endpoint,
        FDServerEndpoint,
        TCPServerEndpoint,
        UnixServerEndpoint,
        parse_endpoint,
    )
    from .errors import (
        CannotListenError,
        EndpointError,
        ReactorAlreadyRunning,
        ReactorNotRunning,
        RopewalkError,
    )
    from .loop import Reactor
    from .ports import Address, ListeningPort
    from .protocols import ProtocolFactory, StreamProtocol
    from .tick import Tick
    from .triggers import TriggerId

_WHERE = {
    "Address": "ports",
    "CannotListenError": "errors",
    "Endpoint": "endpoints",
    "EndpointError": "errors",
    "FDServerEndpoint": "endpoints",
    "ListeningPort": "ports",
    "ProtocolFactory": "protocols",
    "Reactor": "loop",
    "ReactorAlreadyRunning": "errors",
    "ReactorNotRunning": "errors",
    "RopewalkError": "errors",
    "StreamProtocol": "protocols",
    "TCPServerEndpoint": "endpoints",
    "Tick": "tick",
    "TriggerId": "triggers",
    "UnixServerEndpoint": "endpoints",
    "parse_endpoint": "endpoints",
}

__all__ = [
    "Address",
    "CannotListenError",
    "Endpoint",
    "EndpointError",
    "FDServerEndpoint",
    "ListeningPort",
    "ProtocolFactory",
    "Reactor",
    "ReactorAlreadyRunning",
    "ReactorNotRunning",
    "RopewalkError",
    "StreamProtocol",
    "TCPServerEndpoint",
    "Tick",
    "TriggerId",
    "UnixServerEndpoint",
    "parse_endpoint",
]


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})


def __getattr__(name: str) -> Any:
    """Import a public name when it is first used: an exception's class should not cost an event loop."""
    if name in _WHERE:
        from importlib import import_module

        value = getattr(import_module(f".{_WHERE[name]}", __name__), name)
        globals()[name] = value
        return value
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
