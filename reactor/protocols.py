"""What the reactor asks of a protocol: a shape, not a base class."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias

if TYPE_CHECKING:
    import asyncio

__all__ = ["ProtocolFactory", "StreamProtocol"]


class StreamProtocol(Protocol):
    """The shape of `asyncio.Protocol`; every asyncio protocol has it, and a class of one's own can."""

    def connection_made(self, transport: Any, /) -> None:
        """The connection is there; `transport` writes to it."""

    def data_received(self, data: bytes, /) -> None:
        """Bytes came in, in whatever pieces."""

    def eof_received(self) -> bool | None:
        """The peer will send no more; true keeps the transport open for writing."""

    def connection_lost(self, error: Exception | None, /) -> None:
        """The connection is gone; the last call."""

    def pause_writing(self) -> None:
        """The transport holds more than its high-water mark."""

    def resume_writing(self) -> None:
        """The transport has drained to its low-water mark."""


ProtocolFactory: TypeAlias = Callable[[], "StreamProtocol | asyncio.BaseProtocol"]
"""Makes the protocol of one connection."""
