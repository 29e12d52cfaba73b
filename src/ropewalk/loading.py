"""From ``module:attribute`` to the object that it names."""

from __future__ import annotations

import importlib
import inspect
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
    _check_module_name(module_name, attributes)
    directory = str(Path(app_dir).resolve())
    if not Path(directory).is_dir():
        raise LoadingError(f"--app-dir {app_dir}: no such directory")
    if sys.path[:1] != [directory]:
        sys.path.insert(0, directory)
    module = _import(module_name, directory)
    found = _look_up(module, attributes, target)
    return _call_factory(found, target) if factory else found


def _check_module_name(module_name: str, attributes: str) -> None:
    """Refuse file names and relative names, which the import system explains badly."""
    path = module_name.replace("\\", "/")
    if "/" in path or path.endswith(".py"):
        parts = [part for part in path.removesuffix(".py").split("/") if part.strip(".")]
        raise LoadingError(
            f"{module_name!r} is a file and not a module's name; for example {'.'.join(parts)}:{attributes}"
        )
    if not all(path.split(".")):
        raise LoadingError(f"{module_name!r} is not the name of a module")


def _look_up(module: Any, attributes: str, target: str) -> Any:
    found = module
    owner = f"module {module.__name__!r}"
    for name in attributes.split("."):
        try:
            inner = getattr(found, name)
        except AttributeError:
            raise LoadingError(f"{owner} has no attribute {name!r}{_suggestion(found, name)}") from None
        except (Exception, SystemExit) as error:
            raise LoadingError(
                f"looking up {target!r} failed with {type(error).__name__}; the fault is in the code above",
                _own_traceback(error),
            ) from error
        owner = f"{name!r} in {owner}"
        found = inner
    return found


def _import(module_name: str, directory: str) -> Any:
    try:
        return importlib.import_module(module_name)
    except ModuleNotFoundError as error:
        missing = error.name
        if not missing:  # raised by hand, with some words of its own
            raise _import_failed(module_name, error) from error
        if module_name == missing or module_name.startswith(missing + "."):
            raise LoadingError(
                f"there is no module {missing!r} in {directory} or among the installed packages; "
                "name the folder that holds it with --app-dir"
            ) from None
        raise LoadingError(
            f"importing {module_name!r} failed: it needs the module {missing!r}, which is not installed here",
            _own_traceback(error),
        ) from error
    except (Exception, SystemExit) as error:
        raise _import_failed(module_name, error) from error


def _import_failed(module_name: str, error: BaseException) -> LoadingError:
    return LoadingError(
        f"importing {module_name!r} failed with {type(error).__name__}; the fault is in the code above",
        _own_traceback(error),
    )


def _call_factory(factory: Any, target: str) -> Any:
    if not callable(factory):
        raise LoadingError(f"--factory: {target} is not callable but {type(factory).__name__}")
    try:
        made = factory()
    except (Exception, SystemExit) as error:
        raise LoadingError(
            f"--factory: {target}() failed with {type(error).__name__}; the fault is in the code above",
            _own_traceback(error),
        ) from error
    if inspect.iscoroutine(made):
        made.close()
        raise LoadingError(
            f"--factory: {target} is a coroutine function, and there is no event loop yet to run it in; "
            "what has to be awaited belongs in the application's lifespan"
        )
    return made


def _own_traceback(error: BaseException) -> str:
    """The traceback from the first frame that is neither ours nor the import system's."""
    frames = error.__traceback__
    while frames is not None and (
        frames.tb_frame.f_code.co_filename in (__file__, importlib.__file__)
        or frames.tb_frame.f_code.co_filename.startswith("<frozen importlib")
    ):
        frames = frames.tb_next
    return "".join(traceback.format_exception(type(error), error, frames))


def _suggestion(owner: Any, missing: str) -> str:
    import difflib

    names = [name for name in dir(owner) if not name.startswith("_")]
    close = difflib.get_close_matches(missing, names, n=1)
    if close:
        return f"; did you mean {close[0]!r}?"
    callables = [name for name in ("app", "application", "asgi", "create_app") if name in names]
    return f"; it has {callables[0]!r}" if callables else ""
