"""The reactor: an event loop with endpoints, listening ports, timed calls, system events and a coarse tick.

Knows no HTTP. Everything that needs a reactor is given one; there is no global.
"""

from __future__ import annotations

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
