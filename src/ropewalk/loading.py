"""From ``module:attribute`` to the object that it names."""

from __future__ import annotations

import importlib
import sys
import traceback
from pathlib import Path
from typing import Any

from .server.errors import RopewalkError

__all__ = ["LoadingError", "load_application"]


class LoadingError(RopewalkError):
    """The application could not be loaded.

    ``traceback`` is the application's own, where it has one: what its code raised, without this server's
    frames and the import system's.
    """

    def __init__(self, message: str, traceback: str = "") -> None:
        super().__init__(message)
        self.traceback = traceback


def load_application(target: str, app_dir: str = ".", factory: bool = False) -> Any:
    """Import the module that ``target`` names, with ``app_dir`` first on the path, and take its attribute.

    With ``factory`` the attribute is called and what it returns is the application.

    :raises LoadingError: the target is malformed, cannot be imported, or is not there.
    """
    module_name, colon, attributes = target.partition(":")
    if not (module_name and colon and attributes):
        hint = f"{module_name}:app" if module_name else "mysite.asgi:application"
        raise LoadingError(
            f"the application is named as module:attribute, not {target!r}; for example {hint}"
        )
    directory = str(Path(app_dir).resolve())
    if not Path(directory).is_dir():
        raise LoadingError(f"--app-dir {app_dir}: no such directory")
    if directory not in sys.path:
        sys.path.insert(0, directory)
    module = _import(module_name, directory)
    found: Any = module
    for name in attributes.split("."):
        try:
            found = getattr(found, name)
        except AttributeError:
            raise LoadingError(
                f"module {module_name!r} has no attribute {attributes!r}{_suggestion(module, attributes)}"
            ) from None
    return _call_factory(found, target) if factory else found


def _import(module_name: str, directory: str) -> Any:
    try:
        return importlib.import_module(module_name)
    except ModuleNotFoundError as error:
        missing = error.name or ""
        if missing and (module_name == missing or module_name.startswith(missing + ".")):
            raise LoadingError(
                f"there is no module {missing!r} in {directory} or among the installed packages; "
                "name the folder that holds it with --app-dir"
            ) from None
        raise LoadingError(
            f"importing {module_name!r} failed: it needs the module {missing!r}, which is not installed here",
            _own_traceback(error),
        ) from error
    except (Exception, SystemExit) as error:
        raise LoadingError(
            f"importing {module_name!r} failed with {type(error).__name__}; the fault is in the code above",
            _own_traceback(error),
        ) from error


def _call_factory(factory: Any, target: str) -> Any:
    if not callable(factory):
        raise LoadingError(f"--factory: {target} is not callable but {type(factory).__name__}")
    try:
        return factory()
    except (Exception, SystemExit) as error:
        raise LoadingError(
            f"--factory: {target}() failed with {type(error).__name__}; the fault is in the code above",
            _own_traceback(error),
        ) from error


def _own_traceback(error: BaseException) -> str:
    """The traceback from the first frame that is neither ours nor the import system's."""
    frames = error.__traceback__
    while frames is not None and (
        frames.tb_frame.f_code.co_filename in (__file__, importlib.__file__)
        or frames.tb_frame.f_code.co_filename.startswith("<frozen importlib")
    ):
        frames = frames.tb_next
    return "".join(traceback.format_exception(type(error), error, frames))


def _suggestion(module: Any, attributes: str) -> str:
    import difflib

    names = [name for name in dir(module) if not name.startswith("_")]
    close = difflib.get_close_matches(attributes, names, n=1)
    if close:
        return f"; did you mean {close[0]!r}?"
    callables = [name for name in ("app", "application", "asgi", "create_app") if name in names]
    return f"; it has {callables[0]!r}" if callables else ""
