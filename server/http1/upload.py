"""A request body on its way in: how much of it, how fast, and where it goes."""

from __future__ import annotations

from math import inf
from typing import TYPE_CHECKING, Final

from ..connection import Linger
from ..errors import LimitExceeded
from .framing import ChunkedDecoder

if TYPE_CHECKING:
    from ..site import Site
    from .exchange import Http1Exchange, RequestBody

__all__ = ["Upload"]

# A body must arrive at the minimum rate once it has had this long to get going (seconds).
_RATE_GRACE: Final = 10.0


class Upload:
    """The body of one exchange while it arrives.

    ``left`` counts down a known length and is None for a chunked body; ``received`` is what has arrived of
    the body, ``buffered`` what of it the consumer has not taken, ``deadline`` when more must have come.
    ``linger`` is there once the body is thrown away, ``overrun`` when that was too much.

    :raises LimitExceeded: the body announces more than the site takes.
    """

    __slots__ = (
        "_body",
        "_decoder",
        "_rate_bytes",
        "_rate_since",
        "_site",
        "buffered",
        "deadline",
        "ended",
        "exchange",
        "left",
        "linger",
        "overrun",
        "received",
    )

    def __init__(self, exchange: Http1Exchange, body: RequestBody, site: Site) -> None:
        self.exchange = exchange
        self._body = body
        self._site = site
        self.left = exchange.section.content_length
        self._decoder: ChunkedDecoder | None = None
        self.received = 0
        self.buffered = 0
        self.ended = False
        self.linger: Linger | None = None
        self.overrun = False
        if self.left is None:
            self._decoder = ChunkedDecoder(site.limits)
        elif site.limits.request_body and self.left > site.limits.request_body:
            raise self._too_large()
        self.rearm(site.now)

    def rearm(self, now: float) -> None:
        """Begin to measure afresh: the client has not been kept from sending since."""
        self._rate_since = now
        self._rate_bytes = 0
        self.deadline = now + (self._site.timeouts.body_stall or inf)

    def discard(self) -> None:
        """Throw away what is still to come: the response is complete without it."""
        self.linger = Linger(self._site)
        self.deadline = self.linger.deadline

    def feed(self, data: bytes) -> tuple[bytes, int]:
        """Take what belongs to the body; returns what follows it and how many body bytes there were.

        :raises RemoteProtocolError: (or LimitExceeded) the body breaks its coding or a limit.
        """
        pieces: list[bytes] = []
        rest = b""
        if self._decoder is None:
            left = self.left or 0
            if len(data) > left:
                rest = data[left:]
                data = data[:left]
            pieces.append(data)
            taken = received = len(data)
            self.left = left - received
            self.ended = not self.left
        else:
            taken = self._decoder.feed(data, pieces)
            rest = data[taken:]
            received = sum(map(len, pieces))
            self.ended = self._decoder.done
        self.received += received
        limit = self._site.limits.request_body
        if limit and self.received > limit:
            raise self._too_large()
        if self.linger is not None:
            self.overrun = not self.linger.take(taken)
        elif received:
            self._body.pieces.extend(pieces)
            self.buffered += received
        if self.ended:
            self._body.complete = True
            if self._decoder is not None:
                self._body.trailers = self._decoder.trailers
        else:
            self._check_pace(received)
        return rest, received

    def _check_pace(self, received: int) -> None:
        now = self._site.now
        timeouts = self._site.timeouts
        if self.linger is not None:
            self.deadline = self.linger.deadline
            return
        self.deadline = now + (timeouts.body_stall or inf)
        self._rate_bytes += received
        rate = self._site.limits.body_rate
        elapsed = now - self._rate_since
        if rate and elapsed > _RATE_GRACE and self._rate_bytes < rate * elapsed:
            raise LimitExceeded(
                f"the request body arrives at less than {rate} bytes per second", 408, "--limit-body-rate"
            )

    def _too_large(self) -> LimitExceeded:
        limit = self._site.limits.request_body
        return LimitExceeded(f"the request body is longer than {limit} bytes", 413, "--limit-request-body")
