"""The configuration: one declaration per option, from which its flag, variable, TOML key and docs follow.

Each field of a group is an option (`config_options` says under which names), and the literal under it is its
documentation: the first paragraph stands in `--help`, all of it on the reference page. Sizes are bytes and
times are seconds; 0 switches a limit or a timeout off unless the option says otherwise.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Annotated, ClassVar, Literal

from ..reactor.endpoints import TCPServerEndpoint, parse_endpoint
from ..reactor.errors import EndpointError
from .config_options import Group, from_keywords
from .config_values import Bytes, Check, Path, Range, Seconds, Spelling

__all__ = ["Application", "Config", "Http", "Limits", "Listening", "Logging", "Process", "Timeouts"]


def _check_mount(path: str) -> None:
    """Refuse what no mount below a proxy can be."""
    if path and (path[0] != "/" or path[-1] == "/" or "?" in path or "#" in path):
        raise ValueError(f"{path!r} is not a mount: write a path such as /shop, without a slash at its end")


def _endpoint(host: str, port: int) -> str:
    """The short form of an endpoint, with the brackets that an IPv6 address needs."""
    return f"[{host}]:{port}" if ":" in host and host[0] != "[" else f"{host}:{port}"


def _check_host(host: str) -> None:
    """Refuse hosts with a port, and those that an endpoint would not take for a host, such as unix and fd."""
    try:
        if parse_endpoint(_endpoint(host, 0)) == TCPServerEndpoint(0, host.strip("[]")):
            return
    except EndpointError:
        pass
    raise ValueError(
        f"{host!r} is not a host: write an address or a name, such as 127.0.0.1 or ::1, without a port; "
        "other endpoints are for --bind"
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Application(Group):
    """What is served."""

    title: ClassVar[str] = "Application"
    table: ClassVar[str] = "application"
    prefix: ClassVar[str] = ""

    target: Annotated[str, Spelling(positional="MODULE:ATTRIBUTE")] = ""
    """The application to serve: the module to import, a colon, and the name in it, which may be dotted.

    There is no default, since there is no application that everybody has."""

    factory: bool = False
    """The target is a callable without arguments that returns the application.

    Off by default: most targets are the application itself."""

    app_dir: Path = "."
    """The folder put first on the import path before the target is imported.

    The current directory by default, which is where most projects have their packages. In a file it is
    relative to the folder of that file."""

    interface: Literal["auto", "asgi", "asgi2"] = "auto"
    """What the application speaks: ASGI 3 (`asgi`), the two callables of ASGI 2 (`asgi2`), or to be found
    out.

    The default looks at the signature; say it when the application is wrapped so that this cannot be
    seen."""

    lifespan: Literal["auto", "on", "off"] = "auto"
    """Whether the application is told of start-up and shutdown.

    With `auto`, the default, an application that fails on the lifespan scope is taken not to know it; with
    `on` that failure stops the server; with `off` it is never called."""

    root_path: Annotated[str, Check(_check_mount), Spelling(placeholder="PATH")] = ""
    """The path below which a proxy in front has mounted the application.

    Empty by default: mounted at the top. It starts with a slash and does not end with one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Listening(Group):
    """Where connections come in."""

    title: ClassVar[str] = "Listening"
    table: ClassVar[str] = "listening"
    prefix: ClassVar[str] = ""

    bind: Annotated[
        tuple[Annotated[str, Check(parse_endpoint)], ...], Spelling(short="-b", placeholder="ENDPOINT")
    ] = ()
    """An endpoint to listen on, such as 127.0.0.1:8000, [::1]:8000, unix:/run/app.sock or fd:3; repeatable.

    Empty by default; when there is one, host and port are not used. Port 0 takes a free port. In an
    environment variable, commas stand between several."""

    host: Annotated[str, Check(_check_host), Spelling(placeholder="ADDRESS")] = "127.0.0.1"
    """The address or name to listen on when nothing is bound.

    The default can be reached from this machine only, so that nothing is published by accident; 0.0.0.0
    listens on all IPv4 addresses and :: on all IPv6 ones."""

    port: Annotated[int, Range(0, 65535)] = 8000
    """The TCP port to listen on when nothing is bound; 0 takes a free one.

    8000 by default: it needs no privileges, and developers expect it."""

    backlog: Annotated[int, Range(1, 2**31 - 1)] = 2048
    """How many connections the system may hold before they are accepted.

    2048 by default rides out a burst of clients; the system cuts it to its own limit (net.core.somaxconn on
    Linux)."""

    @property
    def endpoints(self) -> tuple[str, ...]:
        """What to listen on, as endpoint strings: what is bound, or host and port."""
        return self.bind or (_endpoint(self.host, self.port),)


@dataclass(frozen=True, slots=True, kw_only=True)
class Process(Group):
    """The process that serves."""

    title: ClassVar[str] = "Process"
    table: ClassVar[str] = "process"
    prefix: ClassVar[str] = ""

    loop: Literal["auto", "uvloop", "asyncio"] = "auto"
    """The event loop.

    With `auto`, the default, uvloop where it is installed, since it is much the faster, and asyncio
    elsewhere."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Http(Group):
    """How HTTP is spoken."""

    title: ClassVar[str] = "HTTP"
    table: ClassVar[str] = "http"
    prefix: ClassVar[str] = ""

    server_header: bool = True
    """Send `Server: ropewalk` in responses that have no Server field of their own.

    On by default: whoever looks for a fault sees which server answered. It names no version."""

    date_header: bool = True
    """Send a Date field in responses that have none of their own.

    On by default: a server with a clock must send it (RFC 9110, section 6.6.1). Switch it off when a proxy
    in front adds it."""

    underscore_fields: Literal["drop", "refuse", "keep"] = "drop"
    """What is done with request fields whose name has an underscore: drop them, refuse the request with
    400, or keep them.

    Names in the manner of CGI (HTTP_X_FORWARDED_FOR) cannot tell an underscore from a dash, so such a field
    can pass for one that a proxy in front has set or removed. They are dropped by default, as nginx
    does."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Logging(Group):
    """What is written to the log."""

    title: ClassVar[str] = "Logging"
    table: ClassVar[str] = "logging"
    prefix: ClassVar[str] = ""

    access_log: bool = True
    """Log each request when its response has ended.

    On by default: it is the first thing asked for when something went wrong."""

    log_level: Literal["critical", "error", "warning", "info", "debug"] = "info"
    """The least severe messages that are logged.

    `info`, the default, tells of start, stop and every limit that fires; `debug` also of what each peer did
    wrong."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits(Group):
    """What a peer may send, and how much is held for it."""

    title: ClassVar[str] = "Limits"
    table: ClassVar[str] = "limits"
    prefix: ClassVar[str] = "limit"

    request_line: Bytes = 8190
    """The longest request line; a longer one is answered 414.

    8190 bytes by default, as Apache and gunicorn allow, since proxies cut long targets near there. 0
    switches the limit off."""

    header_field: Bytes = 16 << 10
    """The longest field of a request's header, name and value; a longer one is answered 431.

    16 KiB by default holds large tokens and cookies. 0 switches the limit off."""

    header_section: Bytes = 64 << 10
    """The longest header of a request, all fields together; a longer one is answered 431.

    64 KiB by default, several times what browsers send. 0 switches the limit off."""

    header_count: int = 128
    """The most fields in a request's header; more are answered 431.

    128 by default: browsers and proxies together send less than half of it, and each field costs work. 0
    switches the limit off."""

    trailer_section: Bytes = 8 << 10
    """The longest trailer section after a chunked body; a longer one is answered 431.

    8 KiB by default: trailers carry checksums and timings. 0 switches the limit off."""

    trailer_count: int = 32
    """The most fields in a trailer section; more are answered 431.

    32 by default, counted apart from the header's fields. 0 switches the limit off."""

    chunk_line: Bytes = 1 << 10
    """The longest line that starts a chunk, its size with its extensions; a longer one is answered 400.

    1 KiB by default: a size takes at most 16 digits, and extensions are hardly used. 0 switches the limit
    off."""

    chunk_extensions: Bytes = 16 << 10
    """The most bytes of chunk extensions in one body, all chunks together; more are answered 400.

    16 KiB by default, so that a body of small chunks cannot carry far more extensions than content. 0
    switches the limit off."""

    request_body: Bytes = 0
    """The largest request body; a larger one is answered 413, before it is read when its length is
    announced.

    0, no limit, by default: bodies are streamed to the application in bounded memory, and only the
    application knows what it wants. Set it when the application keeps whole bodies."""

    body_rate: Bytes = 500
    """The fewest bytes per second at which a request body must arrive, averaged over the body; below it,
    408.

    500 bytes by default, slower than any usable line, and looked at only once the body has taken 10
    seconds. It ends clients that hold a request open with a byte now and then. 0 switches the limit off."""

    pipelined: Bytes = 64 << 10
    """How much of a connection's next requests is read ahead of the one being answered.

    64 KiB by default, besides what one read brings; none of it is parsed before its turn. The connection is
    then not read from until the response has ended, so nothing is lost. 0 switches the limit off."""

    requests: int = 0
    """The most requests on one connection; the last is answered with `Connection: close`.

    0, no limit, by default. Set it where a balancer in front only spreads new connections."""

    write_buffer: Annotated[Bytes, Range(1 << 10)] = 64 << 10
    """How much of a response is held for a slow client before the application has to wait.

    64 KiB by default: enough to keep a line busy, little enough for thousands of slow clients. It cannot be
    switched off; 1 KiB is the least."""

    linger: Bytes = 1 << 20
    """How much is read and discarded after an early answer before the connection is closed.

    1 MiB by default. Closing on data not yet read makes the system reset the connection, and the client may
    lose the answer, such as a 413 (RFC 9112, section 9.6). With 0 nothing is discarded and the connection
    is closed at once."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Timeouts(Group):
    """How long a peer, the application and a stop may take."""

    title: ClassVar[str] = "Timeouts"
    table: ClassVar[str] = "timeouts"
    prefix: ClassVar[str] = "timeout"

    first_byte: Seconds = 30
    """How long a new connection may stay silent before it is closed.

    30 seconds by default: browsers open connections ahead of need. 0 switches the timeout off."""

    head: Seconds = 30
    """How long a request's head may take from its first byte to its last; later ones are answered 408.

    30 seconds by default, absolute: bytes that trickle in do not extend it. 0 switches the timeout off."""

    body_stall: Seconds = 30
    """How long a request body may pause while the application waits for more; then the request is answered
    408.

    30 seconds by default, as mobile lines do pause. The time in which the application does not read is not
    counted. 0 switches the timeout off."""

    write_stall: Seconds = 60
    """How long a client may take none of the response that waits for it before the connection is aborted.

    60 seconds by default. 0 switches the timeout off."""

    keep_alive: Seconds = 75
    """How long a connection is kept for another request after a response.

    75 seconds by default, longer than the 60 for which common balancers keep theirs: the side that also
    sends requests should be the first to close. 0 switches the timeout off, so idle connections are
    kept."""

    linger_idle: Seconds = 5
    """How long a lingering connection may be silent before it is closed; see --limit-linger.

    5 seconds by default. 0 switches the timeout off."""

    linger: Seconds = 30
    """How long lingering may take in all; see --limit-linger.

    30 seconds by default. 0 switches the timeout off."""

    startup: Seconds = 60
    """How long the application's lifespan start-up may take before the server gives up and exits.

    60 seconds by default: room for migrations and warm caches. 0 switches the timeout off."""

    shutdown: Seconds = 30
    """How long the application's lifespan shutdown may take before it is cancelled.

    30 seconds by default. 0 switches the timeout off."""

    disconnect_notice: Seconds = 5
    """How long after a stop signal responses still being streamed are told `http.disconnect`.

    5 seconds by default: ordinary responses end by themselves within it, and event streams, which would
    not, get time to end well. 0 switches the notice off: they run until --timeout-graceful."""

    graceful: Seconds = 30
    """How long a graceful stop may take; what still runs then is cancelled.

    30 seconds by default, as long as Kubernetes waits before it kills. 0 switches the timeout off: the stop
    waits for as long as requests run."""

    abandoned: Seconds = 10
    """How long an application may run on after its client has left before it is cancelled.

    10 seconds by default: time to notice and to clean up, so that clients who leave do not pile up work. 0
    switches the timeout off: it is never cancelled for that."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Config:
    """Everything that can be set, in groups; parts are given the one group that they need."""

    application: Application = field(default_factory=Application)
    listening: Listening = field(default_factory=Listening)
    process: Process = field(default_factory=Process)
    http: Http = field(default_factory=Http)
    logging: Logging = field(default_factory=Logging)
    limits: Limits = field(default_factory=Limits)
    timeouts: Timeouts = field(default_factory=Timeouts)

    @classmethod
    def from_options(cls, **options: object) -> Config:
        """A configuration from keywords named like the flags: `bind="127.0.0.1:8000", timeout_keep_alive=5`.

        Files and the environment are not read. Raises ConfigError for an unknown option or an unusable value.
        """
        return from_keywords(cls, options)
