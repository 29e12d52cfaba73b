"""The reactor: hosts one event loop at a time, from startup to shutdown."""

from __future__ import annotations

import asyncio
import logging
import signal
import threading
from typing import TYPE_CHECKING, TypeVarTuple, Unpack

from .endpoints import Endpoint, parse_endpoint
from .errors import ReactorAlreadyRunning, ReactorNotRunning, RopewalkError
from .loops import LoopKind, OwnLoop, resolve_kind
from .ports import ListeningPort
from .signals import StopSignals
from .tick import Tick
from .triggers import Event, Phase, SystemEvents, TriggerId

if TYPE_CHECKING:
    from collections.abc import Callable

    from .protocols import ProtocolFactory

__all__ = ["Reactor"]

logger = logging.getLogger("ropewalk.reactor")

Ts = TypeVarTuple("Ts")

# Turns for a crashed run's own tasks to hear of it; see OwnLoop for everybody else's.
TURNS_AFTER_CRASH = 5


class Reactor:
    """Hosts an event loop: uvloop's where it is installed, asyncio's, or one that it is handed.

    The life of a run: triggers `before startup`; the ports begin to accept; `during` and `after startup`;
    then stop(), and triggers `before shutdown`; the ports that are still open are closed; `during` and
    `after shutdown`. Triggers serve one run, and those that it did not come to are dropped with it. After
    a run the reactor can be run again, on a fresh loop unless it was handed one, which it never closes.

    Methods are for the reactor's thread unless they say otherwise. `end_timeout` is in seconds: as long at
    most does run() wait, after the last trigger, for tasks that were left over and again for the threads of
    the loop's default executor.
    """

    def __init__(
        self,
        loop: LoopKind | asyncio.AbstractEventLoop = "auto",
        *,
        tick_interval: float = 0.5,
        end_timeout: float = 5.0,
    ) -> None:
        self._kind = resolve_kind(loop) if isinstance(loop, str) else None
        self._given = None if isinstance(loop, str) else loop
        self._loop = self._given
        self._end_timeout = end_timeout
        self.tick = Tick(tick_interval)
        self.running = False
        """Whether a run goes on, from before the first startup trigger until run() returns."""
        self.stopping = False
        """Whether the run is on its way out: stop(), crash() or a signal came."""
        self.crashed = False
        """Whether crash() or a second signal ended the last run."""
        self.exit_signal: int | None = None
        """The number of the signal that stopped the last run."""
        self._claim = threading.Lock()
        self._events = SystemEvents()
        self._ports: set[ListeningPort] = set()
        self._starting_up = False
        self._accepting = False
        self._ports_closed = False
        self._signals_seen = 0
        self._stop_asked = asyncio.Event()
        self._crash: asyncio.Future[None] | None = None

    @property
    def loop(self) -> asyncio.AbstractEventLoop:
        """The loop of this run or the last; before the first there is none but one that was handed in."""
        if self._loop is None:
            raise ReactorNotRunning(
                "the reactor has no event loop before its first run; call_when_running() waits for it"
            )
        return self._loop

    # Running

    def run(self, *, install_signals: bool = True) -> None:
        """Run until stop(), crash() or a signal; blocks.

        SIGINT and SIGTERM stop the reactor and a second one crashes it; the handlers from before are put
        back afterwards. Signals belong to the main thread, so in another one they are not installed.
        KeyboardInterrupt or SystemExit that escapes a callback shuts the reactor down and is raised then; one
        that escapes a trigger ends the run without more triggers.
        """
        loop = self._given
        if loop is not None and loop.is_closed():
            raise RopewalkError("the event loop that this reactor was handed is closed")
        if _runs_in_this_thread() or (loop is not None and loop.is_running()):
            raise ReactorAlreadyRunning("an event loop runs here already: await run_in_loop() in it instead")
        self._begin()
        try:
            if self._kind is None:
                self._run_on(self.loop, None, install_signals)
                return
            own = OwnLoop(self._kind, self._end_timeout)
            try:
                self._run_on(own.loop, own, install_signals)
            finally:
                own.close()
        finally:
            self._end()

    async def run_in_loop(self) -> None:
        """Run in the running loop of somebody else until stop() or crash(); installs no signals.

        When the task that awaits this is cancelled, the reactor shuts down in order before CancelledError is
        raised; cancelled once more, it crashes.
        """
        loop = asyncio.get_running_loop()
        if self._given is not None and self._given is not loop:
            raise RopewalkError("this reactor was handed another event loop than the one that runs here")
        self._begin()
        try:
            await self._live(loop, self._adopt(loop))
        finally:
            self._end()

    def stop(self) -> None:
        """Begin the shutdown; during startup the rest of it is skipped, and what it waits for is cancelled.

        Once more it does nothing. ReactorNotRunning when there is nothing to stop.
        """
        if not self.running:
            raise ReactorNotRunning("cannot stop a reactor that is not running")
        if self.stopping:
            return
        self.stopping = True
        self._stop_asked.set()
        if self._starting_up:
            self._events.cancel_awaited()

    def crash(self) -> None:
        """End the run at once: no more shutdown triggers are called, and none is waited for."""
        if self._crash is None:
            raise ReactorNotRunning("cannot crash a reactor that is not running")
        self.stopping = True
        self.crashed = True
        if not self._crash.done():
            self._crash.set_result(None)

    # Listening

    def listen(
        self, endpoint: str | Endpoint, factory: ProtocolFactory, *, backlog: int = 2048
    ) -> ListeningPort:
        """Listen at once; accept as soon as the reactor runs, with a protocol from `factory` per connection.

        `backlog` is the length of the accept queue where the endpoint does not say. EndpointError for a
        string that means nothing, CannotListenError when the system refuses.
        """
        if self._ports_closed:
            raise ReactorNotRunning(
                f"the reactor is stopping and takes no new ports; not listening on {endpoint}"
            )
        if isinstance(endpoint, str):
            endpoint = parse_endpoint(endpoint)
        port = ListeningPort(endpoint, factory, backlog=backlog, closed=self._ports.discard)
        self._ports.add(port)
        if self._accepting:
            port.start(self.loop)
        return port

    # Calls

    def call_later(self, delay: float, f: Callable[[Unpack[Ts]], object], *args: *Ts) -> asyncio.TimerHandle:
        """Call f(*args) in `delay` seconds; what is returned has cancel(). Exceptions are logged."""
        return self._open_loop().call_later(delay, f, *args)

    def call_soon(self, f: Callable[[Unpack[Ts]], object], *args: *Ts) -> asyncio.Handle:
        """Call f(*args) in the loop's next turn; what is returned has cancel(). Exceptions are logged."""
        return self._open_loop().call_soon(f, *args)

    def call_when_running(self, f: Callable[[Unpack[Ts]], object], *args: *Ts) -> TriggerId | None:
        """Call f(*args) at once if startup is over, or else after it; a trigger's id in that case."""
        if self.running and not self._starting_up:
            f(*args)
            return None
        return self._events.add("after", "startup", f, args)

    def call_from_thread(self, f: Callable[[Unpack[Ts]], object], *args: *Ts) -> None:
        """Thread-safe, and the only method that is: have the reactor's thread call f(*args).

        Calls from one thread are made in their order. Exceptions are logged. ReactorNotRunning when there is
        no loop to make the call.
        """
        loop = self._open_loop()
        try:
            loop.call_soon_threadsafe(f, *args)
        except RuntimeError as error:
            if not loop.is_closed():
                raise
            raise ReactorNotRunning("the reactor has just ended its run; the call is not made") from error

    # System events

    def add_system_event_trigger(
        self, phase: Phase, event: Event, f: Callable[[Unpack[Ts]], object], *args: *Ts
    ) -> TriggerId:
        """Call f(*args) before, during or after startup or shutdown, and await what it returns if it can be.

        The awaitables of a phase run concurrently, and the next phase begins when all are done. A trigger
        that fails is logged and stops nothing.
        """
        return self._events.add(phase, event, f, args)

    def remove_system_event_trigger(self, trigger_id: TriggerId) -> None:
        """Take back a trigger that has not been called; ValueError when it has."""
        self._events.remove(trigger_id)

    # The life of a run

    def _begin(self) -> None:
        if not self._claim.acquire(blocking=False):
            raise ReactorAlreadyRunning("this reactor is running already")

    def _adopt(self, loop: asyncio.AbstractEventLoop) -> asyncio.Future[None]:
        """Make `loop` the one of this run; what is returned is done when the run crashes."""
        self._loop = loop
        self._stop_asked = asyncio.Event()
        self._crash = loop.create_future()
        self._signals_seen = 0
        self.exit_signal = None
        self.crashed = False
        self._starting_up = True
        self.running = True
        return self._crash

    def _end(self) -> None:
        self.running = False
        self.stopping = False
        self._starting_up = False
        self._ports_closed = False
        self._crash = None
        self._claim.release()

    def _run_on(self, loop: asyncio.AbstractEventLoop, own: OwnLoop | None, install_signals: bool) -> None:
        crash = self._adopt(loop)
        signals = None
        if install_signals and threading.current_thread() is threading.main_thread():
            signals = StopSignals(loop, self._signal_arrived)
        life = loop.create_task(self._live_alone(loop, crash, own, signals))
        try:
            loop.run_until_complete(life)
        except (KeyboardInterrupt, SystemExit):
            if not life.done():
                life.cancel()
                try:
                    loop.run_until_complete(life)
                except asyncio.CancelledError:
                    pass
            raise
        finally:
            if life.done() and not life.cancelled():
                # What was raised out of the loop itself still counts as never looked at in the task.
                life.exception()
            if signals is not None:
                signals.restore()

    async def _live_alone(
        self,
        loop: asyncio.AbstractEventLoop,
        crash: asyncio.Future[None],
        own: OwnLoop | None,
        signals: StopSignals | None,
    ) -> None:
        """One run in a loop that nobody else runs, with what belongs around it."""
        try:
            if signals is not None:
                signals.install()
            await self._live(loop, crash)
        finally:
            try:
                if own is not None:
                    await own.wind_up(crash)
            finally:
                if signals is not None:
                    signals.restore()

    async def _live(self, loop: asyncio.AbstractEventLoop, crash: asyncio.Future[None]) -> None:
        """One run: the sequence of events, until it ends, crashes or is cancelled."""
        cancelled: asyncio.CancelledError | None = None
        self.tick.start(loop)
        sequence = loop.create_task(self._sequence(loop))
        try:
            while not (sequence.done() or crash.done()):
                try:
                    await asyncio.wait({sequence, crash}, return_when=asyncio.FIRST_COMPLETED)
                except asyncio.CancelledError as error:
                    if cancelled is None:
                        cancelled = error
                        self.stop()
                    else:
                        self.crash()
            if not sequence.done():
                sequence.cancel()
                for _ in range(TURNS_AFTER_CRASH):
                    await asyncio.sleep(0)
        finally:
            self._close_ports()
            self.tick.stop()
            self._events.drop("shutdown")
            if self._starting_up:
                self._events.drop("startup")
        if sequence.done() and not sequence.cancelled():
            sequence.result()
        if cancelled is not None:
            raise cancelled

    async def _sequence(self, loop: asyncio.AbstractEventLoop) -> None:
        events = self._events
        await events.fire("before", "startup", skip=self._is_stopping)
        if not self.stopping:
            self._accepting = True
            if starting := [port.start(loop) for port in self._ports]:
                await asyncio.wait(starting)
        await events.fire("during", "startup", skip=self._is_stopping)
        await events.fire("after", "startup", skip=self._is_stopping)
        self._starting_up = False
        events.drop("startup")
        await self._stop_asked.wait()
        await events.fire("before", "shutdown")
        self._close_ports()
        await events.fire("during", "shutdown")
        await events.fire("after", "shutdown")

    def _is_stopping(self) -> bool:
        return self.stopping

    def _close_ports(self) -> None:
        self._accepting = False
        self._ports_closed = True
        for port in tuple(self._ports):
            port.stop_accepting()

    def _signal_arrived(self, number: int) -> None:
        name = signal.Signals(number).name
        self._signals_seen += 1
        if self._signals_seen > 1:
            logger.warning("%s once more: ending at once", name)
            self.crash()
        elif self.stopping:
            logger.info("%s: stopping already; once more ends at once", name)
        else:
            logger.info("%s: stopping; once more ends at once", name)
            self.exit_signal = number
            self.stop()

    def _open_loop(self) -> asyncio.AbstractEventLoop:
        loop = self.loop
        if loop.is_closed():
            raise ReactorNotRunning("the reactor is not running; call_when_running() waits for its next run")
        return loop


def _runs_in_this_thread() -> bool:
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True
