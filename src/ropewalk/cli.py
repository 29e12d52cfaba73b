"""The ``ropewalk`` command."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from .server.config_sources import parse_command_line
from .server.errors import ConfigError, RopewalkError

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["main"]

EXIT_USAGE = 2
EXIT_LOADING = 1


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; the exit code.

    0 after a graceful stop, 1 when the application cannot be loaded or an address not be had, 2 for a wrong
    option, 3 when the application fails to start up, 4 when it fails to shut down.
    """
    arguments = sys.argv[1:] if argv is None else argv
    try:
        command = parse_command_line(arguments, os.environ, Path.cwd())
    except ConfigError as error:
        return _fail(str(error), EXIT_USAGE)
    if command.action in ("help", "version", "print"):
        return _print(command.text)
    for note in command.notes:
        sys.stderr.write(f"ropewalk: warning: {note}\n")
    config = command.config
    if not config.application.target:
        return _fail(
            "no application was named; for example: ropewalk mysite.asgi:application (ropewalk --help)",
            EXIT_USAGE,
        )
    # Only now: a wrong option or --help should not wait for an event loop to be imported.
    from .loading import LoadingError, load_application
    from .service import Service, configure_logging

    configure_logging(config.logging.log_level)
    try:
        application = load_application(
            config.application.target, config.application.app_dir, config.application.factory
        )
        service = Service(application, config)
    except LoadingError as error:
        sys.stderr.write(error.traceback)
        return _fail(str(error), EXIT_LOADING)
    except RopewalkError as error:
        return _fail(str(error), EXIT_LOADING)
    if command.action == "check":
        print("the configuration and the application are in order")
        return 0
    return service.run()


def _print(text: str) -> int:
    try:
        print(text.rstrip("\n"), flush=True)
    except BrokenPipeError:
        # Whoever reads has had enough; the interpreter must not trip over it again when it ends.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return 0


def _fail(message: str, code: int) -> int:
    sys.stderr.write(f"ropewalk: error: {message}\n")
    return code
