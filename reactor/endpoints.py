"""Endpoints: where to listen, as values, and the strings they are written as.

::

    tcp:8000                                  every IPv4 interface; also 8000, :8000 and *:8000
    tcp:8000:interface=127.0.0.1              one address; also 127.0.0.1:8000
    tcp:8000:interface=localhost              every address of a name; also localhost:8000
    tcp6:8000:interface=[::1]:backlog=100     IPv6; also [::1]:8000
    tcp6:8000:ipv6only=off                    every IPv6 and IPv4 interface through one socket
    unix:/run/app.sock:mode=660               a Unix socket with a file mode
    unix:@app                                 in Linux's abstract namespace
    fd:3                                      an inherited listening socket

Colons part the parts, and the first `=` in a part assigns; a backslash takes the meaning from either, and so
do brackets around an IPv6 address.
"""

from __future__ import annotations

import difflib
import ipaddress
import re
import socket
from dataclasses import dataclass
from typing import Any, Final, Literal, Protocol

from .binding import adopt_descriptor, bind_tcp, bind_unix
from .errors import EndpointError

__all__ = [
    "Endpoint",
    "FDServerEndpoint",
    "TCPServerEndpoint",
    "UnixServerEndpoint",
    "parse_endpoint",
]

EXAMPLES: Final = {
    "tcp": "tcp:8000 or tcp:8000:interface=127.0.0.1",
    "tcp6": "tcp6:8000 or tcp6:8000:interface=[::1]",
    "unix": "unix:/run/app.sock or unix:/run/app.sock:mode=660",
    "fd": "fd:3",
}
OPTIONS: Final = {
    "tcp": ("interface", "backlog"),
    "tcp6": ("interface", "ipv6only", "backlog"),
    "unix": ("mode", "backlog"),
    "fd": ("backlog",),
}
# Kinds that other servers know: with a port behind them they would pass for a host's name.
FOREIGN_KINDS: Final = frozenset({"http", "https", "ssl", "systemd", "tls", "udp", "udp4", "udp6"})

NAME = re.compile(r"[\w.-]+")
DIGITS_AND_DOTS = re.compile(r"[0-9.]+")
NUMBER = re.compile(r"[0-9]{1,10}")
SHORT_FORM = re.compile(r"(\[[^\]]*\]|[^:\[\]\\=]*):([^:]*)", re.DOTALL)


class Endpoint(Protocol):
    """What can be listened on."""

    @property
    def backlog(self) -> int | None:
        """The length of the accept queue; None leaves it to who listens."""

    def bind(self, backlog: int) -> list[socket.socket]:
        """Sockets that are bound, listening and non-blocking; CannotListenError when the system refuses."""


@dataclass(frozen=True, slots=True)
class TCPServerEndpoint:
    """A TCP port on one interface or all; an IPv6 address as the interface makes the family "tcp6"."""

    port: int
    interface: str = ""
    family: Literal["tcp", "tcp6"] = "tcp"
    ipv6only: bool = True
    backlog: int | None = None

    def __post_init__(self) -> None:
        if self.family not in ("tcp", "tcp6"):
            raise EndpointError(f"the family is {self.family!r}; it is 'tcp' or 'tcp6'")
        if type(self.port) is not int or not 0 <= self.port <= 65535:
            raise EndpointError(
                f"the port is {self.port!r}; a port is a number from 0 to 65535, as in tcp:8000"
            )
        _check_backlog(self.backlog)
        interface, version = _check_interface(self.interface)
        if version == 4 and self.family == "tcp6":
            raise EndpointError(
                f"{interface} is an IPv4 address; write tcp:{self.port}:interface={interface}"
            )
        object.__setattr__(self, "interface", interface)
        if version == 6:
            object.__setattr__(self, "family", "tcp6")
        if not self.ipv6only and self.family != "tcp6":
            raise EndpointError(f"ipv6only is for IPv6; write tcp6:{self.port}:ipv6only=off")

    def bind(self, backlog: int) -> list[socket.socket]:
        """Sockets for every address of the interface, all on one port; SO_REUSEADDR is set on POSIX."""
        is_name = bool(self.interface) and not _ip_version(self.interface)
        families: tuple[socket.AddressFamily, ...] = (socket.AF_INET,)
        if self.family == "tcp6":
            families = (socket.AF_INET6,)
        elif is_name:
            families = (socket.AF_INET, socket.AF_INET6)
        return bind_tcp(
            str(self), self.interface, self.port, families, self.ipv6only, self.backlog or backlog
        )

    def __str__(self) -> str:
        text = f"{self.family}:{self.port}"
        if self.interface:
            text += (
                f":interface=[{self.interface}]" if ":" in self.interface else f":interface={self.interface}"
            )
        if not self.ipv6only:
            text += ":ipv6only=off"
        return text + _backlog_text(self.backlog)


@dataclass(frozen=True, slots=True)
class UnixServerEndpoint:
    """A Unix stream socket: a path, or "@name" in Linux's abstract namespace, where nothing has a mode."""

    path: str
    mode: int | None = None
    backlog: int | None = None

    def __post_init__(self) -> None:
        if self.path in ("", "@") or "\0" in self.path:
            raise EndpointError(f"the path is {self.path!r}; write {EXAMPLES['unix']}")
        if self.mode is not None:
            if type(self.mode) is not int or not 0 <= self.mode <= 0o777:
                raise EndpointError(
                    f"the mode is {self.mode!r}; a mode is from 000 to 777 octal, as in mode=660"
                )
            if self.abstract:
                raise EndpointError(f"an abstract socket has no mode; write unix:{self.path}")
        _check_backlog(self.backlog)

    @property
    def abstract(self) -> bool:
        """Whether the socket is in the abstract namespace and so has no file."""
        return self.path.startswith("@")

    def bind(self, backlog: int) -> list[socket.socket]:
        """One socket; the file of a server that is gone is replaced, anything else is left alone."""
        return bind_unix(str(self), self.path, self.mode, self.backlog or backlog)

    def __str__(self) -> str:
        text = "unix:" + re.sub(r"[\\:=]", r"\\\g<0>", self.path)
        if self.mode is not None:
            text += f":mode={self.mode:03o}"
        return text + _backlog_text(self.backlog)


@dataclass(frozen=True, slots=True)
class FDServerEndpoint:
    """A listening stream socket that this process was given, by descriptor; any family."""

    fd: int
    backlog: int | None = None

    def __post_init__(self) -> None:
        if type(self.fd) is not int or not 0 <= self.fd < 2**31:
            raise EndpointError(
                f"the descriptor is {self.fd!r}; a descriptor is a number from 0 on, as in fd:3"
            )
        _check_backlog(self.backlog)

    def bind(self, backlog: int) -> list[socket.socket]:
        """A duplicate of the socket, whose closing leaves the inherited one open."""
        return adopt_descriptor(str(self), self.fd, self.backlog or backlog)

    def __str__(self) -> str:
        return f"fd:{self.fd}{_backlog_text(self.backlog)}"


ServerEndpoint = TCPServerEndpoint | UnixServerEndpoint | FDServerEndpoint


def parse_endpoint(text: str) -> ServerEndpoint:
    """The endpoint that a string describes; EndpointError says what is wrong and shows a right one."""
    try:
        return _parse(text)
    except EndpointError as error:
        raise EndpointError(f"bad endpoint {text!r}: {error}") from None


def _parse(text: str) -> ServerEndpoint:
    if not text:
        raise EndpointError("it is empty; write tcp:8000, 127.0.0.1:8000 or unix:/run/app.sock")
    kind, colon, rest = text.partition(":")
    if kind not in EXAMPLES:
        return _parse_short(text)
    if not colon:
        raise EndpointError(f"there is nothing after {kind}; write {EXAMPLES[kind]}")
    (key, first), *parts = _split(rest)
    if key is not None:
        raise EndpointError(
            f"{_escape_hint(key, first)} stands where {_FIRST[kind]} should; write {EXAMPLES[kind]}"
        )
    options: dict[str, Any] = {}
    for key, value in parts:
        if key is None:
            raise EndpointError(f"{value!r} is no option, those are key=value; write {EXAMPLES[kind]}")
        if key in options:
            raise EndpointError(f"the option {key} is given twice; write {EXAMPLES[kind]}")
        options[key] = _option(kind, key, value)
    if kind == "unix":
        return UnixServerEndpoint(first, **options)
    if kind == "fd":
        return FDServerEndpoint(_number(first, "descriptor", "fd:3"), **options)
    return TCPServerEndpoint(
        _number(first, "port", EXAMPLES[kind]), family="tcp" if kind == "tcp" else "tcp6", **options
    )


_FIRST = {"tcp": "the port", "tcp6": "the port", "unix": "the path", "fd": "the descriptor"}


def _parse_short(text: str) -> TCPServerEndpoint:
    """`8000`, `:8000`, `*:8000`, `host:8000`, `[::1]:8000`."""
    if NUMBER.fullmatch(text):
        return TCPServerEndpoint(_number(text, "port", "tcp:8000"))
    if "://" in text:
        raise EndpointError("that is a URL; write tcp:8000 or 127.0.0.1:8000")
    if text.startswith(("/", "./", "../")):
        raise EndpointError(f"for a Unix socket write unix:{text}")
    match = SHORT_FORM.fullmatch(text)
    host, port = match.groups() if match else (text.partition(":")[0], "")
    if match is None or (NAME.fullmatch(host) and not DIGITS_AND_DOTS.fullmatch(host)):
        _refuse_unknown_kind(text, host, is_host=match is not None)
    number = _number(port, "port", "127.0.0.1:8000")
    if host.startswith("["):
        if _ip_version(host[1:-1]) != 6:
            raise EndpointError(f"{host} is not an IPv6 address in brackets; write [::1]:8000")
        return TCPServerEndpoint(number, host[1:-1], "tcp6")
    return TCPServerEndpoint(number, host)


def _refuse_unknown_kind(text: str, kind: str, *, is_host: bool) -> None:
    """EndpointError unless `kind` may well be the name of a host with a port after it."""
    if not is_host and (_ip_version(text) == 6 or _ip_version(text.rpartition(":")[0]) == 6):
        raise EndpointError("an IPv6 address stands in brackets; write [::1]:8000")
    close = difflib.get_close_matches(kind.lower(), EXAMPLES, n=1)
    if is_host and not close and kind.lower() not in FOREIGN_KINDS:
        return
    if ":" not in text and not close:
        raise EndpointError("there is no port in it; write tcp:8000, 127.0.0.1:8000 or unix:/run/app.sock")
    meant = f"did you mean {close[0]}, as in {EXAMPLES[close[0]]}?" if close else "write tcp:8000"
    name = f" For a host of that name write tcp:8000:interface={kind}" if is_host else ""
    raise EndpointError(f"{kind!r} is no kind of endpoint ({', '.join(EXAMPLES)} are); {meant}{name}")


def _split(text: str) -> list[tuple[str | None, str]]:
    """The parts between bare colons, each with what is before its first bare `=`, or None."""
    parts: list[tuple[str | None, str]] = []
    key: str | None = None
    value: list[str] = []
    at = 0
    while at < len(text):
        character = text[at]
        at += 1
        if character == "\\":
            if at == len(text):
                raise EndpointError("it ends in a backslash; write \\\\ for a backslash itself")
            value.append(text[at])
            at += 1
        elif character == ":":
            parts.append((key, "".join(value)))
            key, value = None, []
        elif character == "=" and key is None:
            key, value = "".join(value), []
            if text.startswith("[", at):
                end = text.find("]", at)
                if end == -1:
                    raise EndpointError("a bracket is not closed; write interface=[::1]")
                value.append(text[at : end + 1])
                at = end + 1
        else:
            value.append(character)
    parts.append((key, "".join(value)))
    return parts


def _option(kind: str, key: str, value: str) -> object:
    if key not in OPTIONS[kind]:
        close = difflib.get_close_matches(key, OPTIONS[kind], n=1)
        known = f"did you mean {close[0]}?" if close else f"it takes {', '.join(OPTIONS[kind])}"
        raise EndpointError(f"{kind} has no option {key!r}; {known} As in {EXAMPLES[kind]}")
    if key == "interface":
        bare = value[1:-1] if value.startswith("[") and value.endswith("]") else value
        if not bare:
            raise EndpointError(
                "the interface is empty; leave the option out for all of them, "
                "and put an IPv6 address in brackets, as in interface=[::1]"
            )
        return bare
    if key == "backlog":
        return _number(value, "backlog", f"{EXAMPLES[kind].partition(' ')[0]}:backlog=100")
    if key == "ipv6only":
        if value not in ("on", "off"):
            raise EndpointError(f"ipv6only is {value!r}; write ipv6only=on or ipv6only=off")
        return value == "on"
    if not re.fullmatch(r"[0-7]{3,4}", value):
        raise EndpointError(f"the mode is {value!r}; a mode is three octal digits, as in mode=660")
    return int(value, 8)


def _number(value: str, what: str, example: str) -> int:
    if not value:
        raise EndpointError(f"the {what} is missing; write {example}")
    if not NUMBER.fullmatch(value):
        raise EndpointError(f"the {what} is {value!r}, which is not a number; write {example}")
    return int(value)


def _escape_hint(key: str, value: str) -> str:
    escaped = f"{key}\\={value}"
    return f"the option {key}={value} (or, if the = belongs to a name, {escaped})"


def _check_backlog(backlog: int | None) -> None:
    if backlog is not None and (type(backlog) is not int or not 1 <= backlog < 2**31):
        raise EndpointError(f"the backlog is {backlog!r}; a backlog is a number from 1 on, as in backlog=100")


def _check_interface(interface: str) -> tuple[str, int]:
    """The interface in its canonical spelling, and its IP version (0 for a name or all)."""
    if interface in ("", "*"):
        return "", 0
    version = _ip_version(interface)
    if version:
        return str(ipaddress.ip_address(interface)), version
    if not NAME.fullmatch(interface) or DIGITS_AND_DOTS.fullmatch(interface):
        raise EndpointError(
            f"the interface {interface!r} is no IP address and no host name; "
            "write tcp:8000:interface=127.0.0.1 or tcp6:8000:interface=[::1]"
        )
    return interface, 0


def _ip_version(text: str) -> int:
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return 0
    scope = getattr(address, "scope_id", None)
    return address.version if scope is None or NAME.fullmatch(scope) else 0


def _backlog_text(backlog: int | None) -> str:
    return "" if backlog is None else f":backlog={backlog}"
