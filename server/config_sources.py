"""From a command line, the environment and a TOML file to one configuration that knows its origins."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Final, Literal, cast

from .config import Config
from .config_arguments import Arguments, parse_arguments
from .config_options import VARIABLE_PREFIX, Option, Origin, build, options_of
from .config_toml import format_config, read_file
from .config_values import did_you_mean

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

__all__ = ["CommandLine", "parse_command_line"]

Action = Literal["run", "check", "print", "help", "version"]

DEFAULT_FILE: Final = "ropewalk.toml"
FILE_VARIABLE: Final = "ROPEWALK_CONFIG"

# What Kubernetes and Docker links set for a service that is called like the server.
_SERVICE_LINK = re.compile(r"ROPEWALK_(?:SERVICE_(?:HOST|PORT.*)|PORT_[0-9]+_.*|NAME|ENV_.*)")
_SERVICE_ADDRESS = re.compile(r"(?:tcp|udp|sctp)://.*")


@dataclass(frozen=True, slots=True)
class CommandLine:
    """What a command line, in its surroundings, asks for.

    `text` is what `print`, `help` and `version` print; `notes` are remarks worth a warning. For `help` and
    `version` nothing but the command line is read, and the configuration is the default.
    """

    action: Action
    config: Config
    origins: Mapping[str, Origin]
    text: str = ""
    notes: tuple[str, ...] = ()

    def origin(self, keyword: str) -> Origin:
        """Where an option's value came from; KeyError for a keyword that is no option."""
        if keyword in self.origins:
            return self.origins[keyword]
        option = {option.keyword: option for option in options_of(Config)}[keyword]
        return Origin(option.command_line, "default")


def parse_command_line(argv: Sequence[str], environ: Mapping[str, str], cwd: str | Path) -> CommandLine:
    """The configuration and the action that arguments (without the program's name) ask for.

    Values are taken from the arguments, then from `ROPEWALK_` variables of `environ`, then from the TOML
    file that `--config` or ROPEWALK_CONFIG names, or else from ropewalk.toml in `cwd`, and then from the
    defaults. Raises ConfigError, which names the option and its source, for anything unknown or unusable.
    """
    options = options_of(Config)
    arguments = parse_arguments(argv, options)
    if arguments.action in ("help", "version"):
        from .config_help import help_text, version_text

        text = help_text(Config) if arguments.action == "help" else version_text()
        return CommandLine(cast("Action", arguments.action), Config(), MappingProxyType({}), text)
    values: dict[str, object] = {}
    origins: dict[str, Origin] = {}
    for layer in (_file_layer(arguments, environ, Path(cwd), options), read_environment(environ, options)):
        for keyword, (value, origin) in layer.items():
            values[keyword], origins[keyword] = value, origin
    values |= arguments.values
    origins |= arguments.origins
    config = build(Config, values)
    text = format_config(config, origins) if arguments.action == "print" else ""
    action = cast("Action", arguments.action)
    return CommandLine(action, config, MappingProxyType(origins), text, tuple(_notes(config, origins)))


def read_environment(
    environ: Mapping[str, str], options: Sequence[Option]
) -> dict[str, tuple[object, Origin]]:
    """The values of `ROPEWALK_` variables with their origins, by the options' keywords.

    Raises ConfigError for an unknown variable, so that a misspelled one is not just without effect.
    """
    variables = {option.variable: option for option in options}
    values: dict[str, tuple[object, Origin]] = {}
    for name in sorted(environ):
        if not name.startswith(VARIABLE_PREFIX) or name == FILE_VARIABLE:
            continue
        origin = Origin(name, "environment")
        option = variables.get(name)
        if _SERVICE_ADDRESS.fullmatch(environ[name]) or (option is None and _SERVICE_LINK.fullmatch(name)):
            raise origin.error(
                "Kubernetes or Docker sets it for a service called ropewalk: give the service another name, "
                "or set enableServiceLinks: false for the pod"
            )
        if option is None:
            raise origin.error(f"there is no such option{did_you_mean(name, [*variables, FILE_VARIABLE])}")
        values[option.keyword] = (option.read(environ[name], origin), origin)
    return values


def _file_layer(
    arguments: Arguments, environ: Mapping[str, str], cwd: Path, options: Sequence[Option]
) -> dict[str, tuple[object, Origin]]:
    """The values of the file that was named, or of the default one if it exists."""
    if arguments.config_file is not None:
        name, origin = arguments.config_file, Origin("--config", "command line")
    elif FILE_VARIABLE in environ:
        name, origin = environ[FILE_VARIABLE], Origin(FILE_VARIABLE, "environment")
    else:
        name, origin = DEFAULT_FILE, None
    # The name stands in messages and in the comments of a printed configuration.
    if origin is not None and not (name and name.isprintable()):
        raise origin.error(f"{name!r} is not the name of a file")
    try:
        return read_file(cwd / name, name, cwd, options)
    except FileNotFoundError:
        if origin is None:
            return {}
        raise origin.error(f"there is no file {name}") from None


def _notes(config: Config, origins: Mapping[str, Origin]) -> list[str]:
    """Remarks about values that were given and have no effect."""
    if not config.listening.bind:
        return []
    bind = origins["bind"]
    return [
        f"{origins[keyword].option} ({origins[keyword].source}) has no effect: "
        f"{bind.option} ({bind.source}) says where to listen"
        for keyword in ("host", "port")
        if keyword in origins
    ]
