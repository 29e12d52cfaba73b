"""The servers: what to install for each, and the command line that starts one of them with one worker."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parents[2]
OWN_NAME = "ropewalk"
IDLE_SECONDS = 600
"""Keep-alive time-out for the idle workload, lest a server shed the connections that are being weighed."""


class UnknownPeerError(ValueError):
    """No server has this name."""


@dataclass(frozen=True, slots=True)
class Server:
    """A server and how it is started; ``{target}`` and ``{port}`` in arguments are filled in."""

    name: str
    module: str
    """Run with ``python -m``."""
    distribution: str
    arguments: tuple[str, ...]
    quiet: tuple[str, ...] = ()
    """Arguments that switch the access log off and leave warnings on."""
    logging: tuple[str, ...] = ()
    """Arguments that switch the access log on, to standard output or error."""
    patient: tuple[str, ...] = ()
    """Arguments that keep thousands of idle connections open for IDLE_SECONDS."""
    requirements: tuple[str, ...] = ()
    improvements: tuple[str, ...] = ()
    """Requirements that make it faster and that it runs without."""
    checkout: Path | None = None
    """Where Ropewalk's source is; peers are installed."""
    version: str = ""
    """Of a checkout; that of a peer is known once it is installed."""

    @property
    def is_ropewalk(self) -> bool:
        return self.checkout is not None

    def command(
        self, python: Path, target: str, port: int, *, access_log: bool = False, patient: bool = False
    ) -> list[str]:
        """The whole command line."""
        arguments = [part.format(target=target, port=port) for part in self.arguments]
        arguments += self.logging if access_log else self.quiet
        if patient:
            arguments += self.patient
        return [str(python), "-m", self.module, *arguments]


def ropewalk(name: str, checkout: Path) -> Server:
    """Ropewalk as it stands in a checkout, under a name of its own."""
    project = tomllib.loads((checkout / "pyproject.toml").read_text())["project"]
    return Server(
        name=name,
        module="ropewalk",
        distribution="ropewalk",
        arguments=("{target}", "--bind", "127.0.0.1:{port}"),
        quiet=("--no-access-log",),
        logging=("--access-log",),
        patient=("--timeout-keep-alive", str(IDLE_SECONDS)),
        requirements=tuple(project["dependencies"]),
        checkout=checkout,
        version=project["version"],
    )


PEERS = (
    Server(
        name="uvicorn",
        module="uvicorn",
        distribution="uvicorn",
        arguments=("{target}", "--host=127.0.0.1", "--port={port}", "--loop=uvloop", "--http=httptools"),
        quiet=("--no-access-log", "--log-level=warning"),
        logging=("--access-log", "--log-level=info", "--no-use-colors"),
        patient=(f"--timeout-keep-alive={IDLE_SECONDS}",),
        requirements=("uvicorn[standard]",),
    ),
    Server(
        name="granian",
        module="granian",
        distribution="granian",
        arguments=("{target}", "--interface=asgi", "--host=127.0.0.1", "--port={port}", "--loop=uvloop"),
        quiet=("--no-access-log", "--log-level=warning"),
        logging=("--access-log", "--log-level=info"),
        patient=("--http1-header-read-timeout=60000", "--backpressure=10000"),
        requirements=("granian",),
    ),
    Server(
        name="peregrine",
        module="peregrine",
        distribution="peregrine-server",
        arguments=("{target}", "--host", "127.0.0.1", "--port", "{port}"),
        quiet=("--log-level", "warning"),
        logging=("--access-log",),
        patient=("--keep-alive", str(IDLE_SECONDS * 1000), "--max-connections", "10000"),
        requirements=("peregrine-server",),
    ),
    Server(
        name="gunicorn",
        module="gunicorn",
        distribution="gunicorn",
        arguments=(
            "{target}",
            "--bind=127.0.0.1:{port}",
            "--worker-class=asgi",
            "--asgi-loop=uvloop",
            "--no-control-socket",
        ),
        quiet=("--log-level=warning",),
        logging=("--access-logfile=-",),
        patient=(f"--keep-alive={IDLE_SECONDS}", "--worker-connections=10000"),
        requirements=("gunicorn>=27",),
        improvements=("gunicorn-h1c>=0.6.14",),
    ),
    Server(
        name="hypercorn",
        module="hypercorn",
        distribution="hypercorn",
        arguments=("{target}", "--bind=127.0.0.1:{port}", "--worker-class=uvloop"),
        quiet=("--log-level=warning",),
        logging=("--access-logfile=-",),
        patient=(f"--keep-alive={IDLE_SECONDS}",),
        requirements=("hypercorn",),
    ),
    Server(
        name="daphne",
        module="daphne",
        distribution="daphne",
        arguments=("{target}", "--bind=127.0.0.1", "--port={port}"),
        quiet=("--verbosity=0",),
        logging=("--verbosity=0", "--access-log=-"),
        requirements=("daphne",),
    ),
)
SHARED_REQUIREMENTS = ("uvloop", "httptools", "starlette", "fastapi")
NAMES = (OWN_NAME, *(peer.name for peer in PEERS))


def parse_checkout(text: str) -> Server:
    """Reads ``PATH`` or ``LABEL=PATH``; ValueError where no checkout of Ropewalk is there."""
    label, separator, path = text.rpartition("=")
    checkout = Path(path).resolve()
    if not (checkout / "src" / "ropewalk" / "__init__.py").is_file():
        raise ValueError(f"no checkout of ropewalk in {path!r}")
    if separator and not label:
        raise ValueError(f"an empty label in {text!r}")
    return ropewalk(label or checkout.name, checkout)


def choose(names: list[str] | None, checkouts: list[Server]) -> list[Server]:
    """Puts the servers to run in order, Ropewalk first.

    Checkouts given by hand stand in for Ropewalk, and run alone unless peers are named as well.
    """
    unknown = set(names or ()) - set(NAMES)
    if unknown:
        raise UnknownPeerError(f"no server called {', '.join(sorted(unknown))}; there are {', '.join(NAMES)}")
    if names is None:
        names = [] if checkouts else list(NAMES)
    if not checkouts and OWN_NAME in names:
        checkouts = [ropewalk(OWN_NAME, CHECKOUT)]
    labels = [server.name for server in checkouts]
    if len(set(labels)) < len(labels) or set(labels) & {peer.name for peer in PEERS}:
        raise ValueError(f"each checkout needs a label of its own: {', '.join(labels)}")
    return [*checkouts, *(peer for peer in PEERS if peer.name in names)]
