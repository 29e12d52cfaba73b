"""The root of the package's exceptions, and those of the reactor layer.

::

    RopewalkError
    ├── ReactorNotRunning        a call that needs a running reactor
    ├── ReactorAlreadyRunning    run() on a reactor that runs
    ├── EndpointError            an endpoint string or object that means nothing (also a ValueError)
    └── CannotListenError        the system refused an address (also an OSError)
"""

from __future__ import annotations

__all__ = [
    "CannotListenError",
    "EndpointError",
    "ReactorAlreadyRunning",
    "ReactorNotRunning",
    "RopewalkError",
]


class RopewalkError(Exception):
    """Any error that this package raises on its own account."""


class ReactorNotRunning(RopewalkError):
    """The call needs a running reactor."""


class ReactorAlreadyRunning(RopewalkError):
    """The reactor runs already; one reactor hosts one loop at a time."""


class EndpointError(RopewalkError, ValueError):
    """An endpoint description is wrong; the message says what and shows a right one."""


class CannotListenError(RopewalkError, OSError):
    """The operating system refused to listen there; ``__cause__`` is its own error."""
