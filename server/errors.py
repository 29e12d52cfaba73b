"""Exceptions of the server layer, named for whose fault they are.

::

    RopewalkError
    ├── ProtocolError
    │   ├── RemoteProtocolError(status)     the peer broke HTTP; ``status`` is the answer it gets
    │   │   └── LimitExceeded(status, option)   it went past a limit; ``option`` names the limit
    │   └── LocalProtocolError              the application, or this server, broke HTTP
    │       └── OutOfOrder                  a call that the state of an exchange does not allow
    ├── ClientDisconnected                  the peer is gone (also an OSError, as ASGI 2.4 asks of send())
    └── ConfigError(option, source)         an option is wrong; says which one and where it came from
"""

from __future__ import annotations

from ..reactor.errors import RopewalkError

__all__ = [
    "ClientDisconnected",
    "ConfigError",
    "LimitExceeded",
    "LocalProtocolError",
    "OutOfOrder",
    "ProtocolError",
    "RemoteProtocolError",
    "RopewalkError",
]


class ProtocolError(RopewalkError):
    """HTTP was broken, by one side or the other."""


class RemoteProtocolError(ProtocolError):
    """The peer broke HTTP; ``status`` is the response status that it is answered with."""

    def __init__(self, message: str, status: int = 400) -> None:
        super().__init__(message)
        self.status = status


class LimitExceeded(RemoteProtocolError):
    """The peer went past a limit; ``option`` is the command-line flag that sets it."""

    def __init__(self, message: str, status: int, option: str) -> None:
        super().__init__(message, status)
        self.option = option


class LocalProtocolError(ProtocolError):
    """The application (or this server) asked for something that HTTP does not allow."""


class OutOfOrder(LocalProtocolError):
    """A call that the state of the exchange does not allow."""


class ClientDisconnected(RopewalkError, OSError):
    """The client is gone, so what was written cannot arrive."""


class ConfigError(RopewalkError):
    """An option has a value that cannot be used.

    ``option`` is the option as its user wrote it (flag, variable or key), ``source`` where it stood
    ("command line", "environment", a file's name).
    """

    def __init__(self, message: str, option: str | None = None, source: str | None = None) -> None:
        super().__init__(message)
        self.option = option
        self.source = source
