"""Wires reactor, site and bridge together, and owns the order of start, drain and stop.

::

    before startup     the application's lifespan start-up
    during startup     listen
    before shutdown    stop accepting; answer what is in flight; tell streams; cancel what is left
    during shutdown    the application's lifespan shutdown
    after shutdown     the last log lines
"""

from __future__ import annotations

import asyncio
import gc
import logging
import sys
from typing import TYPE_CHECKING, Any

from .asgi.bridge import AsgiBridge
from .asgi.interface import as_asgi3
from .asgi.lifespan import Lifespan, StartupFailed
from .reactor.errors import CannotListenError, EndpointError
from .reactor.loop import Reactor
from .server.access_log import AccessLog
from .server.config import Config
from .server.errors import RopewalkError
from .server.site import Site

if TYPE_CHECKING:
    from .reactor.ports import ListeningPort

__all__ = ["EXIT_LISTEN", "EXIT_OK", "EXIT_SHUTDOWN", "EXIT_STARTUP", "Service", "run", "serve"]

logger = logging.getLogger("ropewalk.server")

EXIT_OK = 0
EXIT_LISTEN = 1
EXIT_STARTUP = 3
EXIT_SHUTDOWN = 4

# Containers allocated and not freed before the collector looks at the young ones.
_COLLECT_AFTER = 2_000

# How often a stopping server looks whether it is done, and how long it then gives clients to close their
# side, and cancelled calls to end (seconds).
_LOOK = 0.01
_LAST_BYTES = 1.0


class Service:
    """One application on one reactor: what ``ropewalk module:attribute`` runs.

    ``ports`` are the listening ports while it serves; ``exit_code`` says how it went.
    """

    def __init__(self, application: Any, config: Config, reactor: Reactor | None = None) -> None:
        self.config = config
        self.reactor = reactor = reactor or Reactor(config.process.loop)
        asgi3 = as_asgi3(application, config.application.interface)
        timeouts = config.timeouts
        self.bridge = AsgiBridge(
            asgi3,
            reactor.tick,
            root_path=config.application.root_path,
            abandoned_after=timeouts.abandoned,
        )
        self._asgi3 = asgi3
        self._lifespan: Lifespan | None = None
        self.access_log: AccessLog | None = None
        if config.logging.access_log:
            self.access_log = AccessLog(sys.stdout, reactor.tick, reactor.call_later)
        self.site = Site(self.bridge, config, reactor.tick, reactor.call_soon, self.access_log)
        self.ports: list[ListeningPort] = []
        self.exit_code = EXIT_OK
        reactor.add_system_event_trigger("before", "startup", self._start_up)
        reactor.add_system_event_trigger("during", "startup", self._listen)
        reactor.add_system_event_trigger("before", "shutdown", self._drain)
        reactor.add_system_event_trigger("during", "shutdown", self._shut_down)
        reactor.add_system_event_trigger("after", "shutdown", self._close)

    def run(self) -> int:
        """Serve until a signal or :meth:`stop`, in a process of its own; the exit code."""
        thresholds = gc.get_threshold()
        self.reactor.call_when_running(_spare_the_collector)
        try:
            self.reactor.run()
        finally:
            gc.unfreeze()
            gc.set_threshold(*thresholds)
        if self.reactor.crashed:
            self._close()
            return 128 + (self.reactor.exit_signal or 0)
        return self.exit_code

    def stop(self) -> None:
        """Begin a graceful stop."""
        self.reactor.stop()

    # start -----------------------------------------------------------------------------------------

    async def _start_up(self) -> None:
        self.bridge.start(self.reactor.loop)
        self._lifespan = lifespan = Lifespan(
            self._asgi3,
            self.config.application.lifespan,
            startup_timeout=self.config.timeouts.startup,
            shutdown_timeout=self.config.timeouts.shutdown,
        )
        try:
            await lifespan.startup()
        except StartupFailed as error:
            logger.error("not serving: %s", error)
            self.exit_code = EXIT_STARTUP
            self.reactor.stop()
            return
        self.bridge.adopt(lifespan.state, lifespan.context)

    def _listen(self) -> None:
        for endpoint in self.config.listening.endpoints:
            try:
                port = self.reactor.listen(endpoint, self.site, backlog=self.config.listening.backlog)
            except (CannotListenError, EndpointError) as error:
                logger.error("not serving: %s", error)
                self.exit_code = EXIT_LISTEN
                self.reactor.stop()
                return
            self.ports.append(port)
        for port in self.ports:
            for address in port.addresses:
                logger.info("listening on %s", _url(address))

    # stop ------------------------------------------------------------------------------------------

    async def _drain(self) -> None:
        """Answer what is in flight, tell the streams, cancel what is left: each within its time."""
        # Whoever was just accepted gets a protocol first, so that the site knows of it.
        await asyncio.gather(*(port.stop_listening() for port in self.ports))
        self.site.drain()
        timeouts = self.config.timeouts
        loop = asyncio.get_running_loop()
        begun = loop.time()
        notice = begun + timeouts.disconnect_notice if timeouts.disconnect_notice else None
        hard = begun + timeouts.graceful if timeouts.graceful else None
        while self.bridge.calls or self.site.busy:
            await asyncio.sleep(_LOOK)
            now = loop.time()
            if notice is not None and now >= notice:
                notice = None
                if told := self.bridge.ask_to_finish():
                    logger.info(
                        "%d responses still under way are told http.disconnect (--timeout-disconnect-notice)",
                        told,
                    )
                self.site.close_idle()
            if hard is not None and now >= hard:
                break
        await self._cancel_rest()
        end = loop.time() + _LAST_BYTES
        while self.site.connections and loop.time() < end:
            await asyncio.sleep(_LOOK)
        self.site.abort()

    async def _cancel_rest(self) -> None:
        if not self.bridge.calls:
            return
        logger.warning(
            "%d calls of the application still run and are cancelled (--timeout-graceful)",
            self.bridge.cancel(),
        )
        end = asyncio.get_running_loop().time() + _LAST_BYTES
        while self.bridge.calls and asyncio.get_running_loop().time() < end:
            await asyncio.sleep(_LOOK)

    async def _shut_down(self) -> None:
        if self._lifespan is not None and not await self._lifespan.shutdown():
            self.exit_code = self.exit_code or EXIT_SHUTDOWN

    def _close(self) -> None:
        self.site.close()
        self.bridge.stop()
        if self.access_log is not None:
            self.access_log.flush()
        logger.info("stopped")


def run(application: Any, **options: Any) -> int:
    """Serve ``application`` until SIGINT or SIGTERM; blocks, and returns the exit code.

    ``options`` are named like the command line's flags, with underscores:
    ``run(app, bind="127.0.0.1:8000", timeout_keep_alive=20)``.

    :raises ConfigError: an option is unknown or has a value that cannot be used.
    """
    config = Config.from_options(**options)
    configure_logging(config.logging.log_level)
    return Service(application, config).run()


async def serve(application: Any, **options: Any) -> None:
    """Serve ``application`` in the running event loop until the task is cancelled.

    Takes the options of :func:`run`; captures no signals and configures no logging, which belong to whoever
    runs the loop.

    :raises ConfigError: an option is unknown or has a value that cannot be used.
    :raises RopewalkError: the application did not start, or an endpoint could not be listened on.
    """
    config = Config.from_options(**options)
    service = Service(application, config, Reactor(asyncio.get_running_loop()))
    await service.reactor.run_in_loop()
    if service.exit_code != EXIT_OK:
        raise RopewalkError(f"the server ended with exit code {service.exit_code}; the log says why")


def configure_logging(level: str) -> None:
    """Send the package's log to stderr, unless the program has configured it already."""
    package = logging.getLogger("ropewalk")
    package.setLevel(level.upper())
    if package.handlers or logging.getLogger().handlers:
        return
    handler = logging.StreamHandler()
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)-7s %(message)s", "%Y-%m-%d %H:%M:%S"))
    package.addHandler(handler)
    package.propagate = False


def _spare_the_collector() -> None:
    """Keep the garbage collector from looking at what has been loaded, and from looking too often.

    A request in flight holds a dozen containers, none of which is ever part of a cycle: with a few dozen
    clients the default threshold has the collector walk them on every turn of the loop.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(max(gc.get_threshold()[0], _COLLECT_AFTER), *gc.get_threshold()[1:])


def _url(address: tuple[str, int] | str) -> str:
    if isinstance(address, str):
        return f"http+unix:{address}"
    host, port = address
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
