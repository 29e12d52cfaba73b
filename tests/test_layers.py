"""Imports point one way: reactor <- server <- {asgi, wsgi} <- src/ropewalk, and engines do no I/O.

Read from the syntax trees, so an import inside a function or for annotations only counts like any other.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

import pytest

TOP = "ropewalk"

MAY_IMPORT = {
    "reactor": {"reactor"},
    "server": {"server", "reactor"},
    "asgi": {"asgi", "server", "reactor"},
    "wsgi": {"wsgi", "server", "reactor"},
    TOP: {TOP, "asgi", "wsgi", "server", "reactor"},
}

ENGINES = ("server/http1/*.py", "server/exchange.py")
"""Modules that get bytes and the time as arguments, and call a sink."""

NOT_FOR_ENGINES = {
    "asyncio",
    "concurrent",
    "logging",
    "multiprocessing",
    "os",
    "select",
    "selectors",
    "signal",
    "socket",
    "ssl",
    "subprocess",
    "threading",
    "time",
    "uvloop",
}
FROM_THE_REACTOR_FOR_ENGINES = "reactor.errors"


def source_files(root: Path) -> dict[PurePosixPath, PurePosixPath]:
    """Map every module's path inside the package to its real path in the checkout; links are not followed."""
    found: dict[PurePosixPath, PurePosixPath] = {}
    for layer in MAY_IMPORT:
        folder = root / ("src/ropewalk" if layer == TOP else layer)
        for path in folder.rglob("*.py"):
            if not any(parent.is_symlink() for parent in path.relative_to(root).parents if parent != Path()):
                inside = path.relative_to(folder if layer == TOP else root)
                found[PurePosixPath(inside)] = PurePosixPath(path.relative_to(root))
    return found


def layer_of(module: str) -> str:
    """The layer of what is named from inside the package, such as ``server.http1.head``."""
    first = module.partition(".")[0]
    return first if first in MAY_IMPORT and first != TOP else TOP


def imports(module: PurePosixPath, source: str) -> Iterator[tuple[int, str | None, str]]:
    """Yield (line, module outside the package or None, name inside the package) for every import.

    An absolute import of the package counts as one from outside, because that is what is wrong with it.
    """
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield node.lineno, alias.name, ""
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            yield node.lineno, node.module or "", ""
        elif isinstance(node, ast.ImportFrom):
            above = module.parent.parts
            package = above[: len(above) - (node.level - 1)]
            base = [*package, *(node.module.split(".") if node.module else ())]
            for alias in node.names:
                yield node.lineno, None, ".".join([*base, alias.name])
        elif isinstance(node, ast.Call) and node.args and isinstance(node.args[0], ast.Constant):
            called = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
            if called in ("import_module", "__import__") and isinstance(node.args[0].value, str):
                name = node.args[0].value
                if not name.startswith("."):
                    yield node.lineno, name, ""


def violations(module: PurePosixPath, source: str) -> list[str]:
    """Describe what a module of the package imports and should not."""
    layer = layer_of(module.with_suffix("").as_posix().replace("/", "."))
    engine = any(module.match(pattern) for pattern in ENGINES)
    found = []
    for line, outside, inside in imports(module, source):
        if outside is not None:
            first = outside.partition(".")[0]
            if first in MAY_IMPORT:
                found.append(f"{module}:{line}: absolute import of {outside}")
            elif engine and first in NOT_FOR_ENGINES:
                found.append(f"{module}:{line}: an engine imports {outside}")
        elif layer_of(inside) not in MAY_IMPORT[layer]:
            found.append(f"{module}:{line}: {layer} imports {inside}")
        elif engine and layer_of(inside) == "reactor" and not inside.startswith(FROM_THE_REACTOR_FOR_ENGINES):
            found.append(f"{module}:{line}: an engine imports {inside}")
    return found


def test_every_layer_and_engine_is_found(project_root: Path) -> None:
    files = source_files(project_root)
    assert {layer_of(path.parts[0]) for path in files if len(path.parts) > 1} >= set(MAY_IMPORT) - {TOP}
    assert PurePosixPath("__init__.py") in files
    for pattern in ENGINES:
        assert any(path.match(pattern) for path in files), f"no file is named {pattern}"
    assert len(set(files.values())) == len(files)


def test_imports_point_one_way(project_root: Path) -> None:
    found = []
    for module, real in source_files(project_root).items():
        found += violations(module, (project_root / real).read_text(encoding="utf-8"))
    assert found == []


def test_tests_know_the_package_by_its_name_alone(project_root: Path) -> None:
    layers = set(MAY_IMPORT) - {TOP}
    found = []
    for folder in ("tests", "examples"):
        for path in (project_root / folder).rglob("*.py"):
            module = PurePosixPath(path.relative_to(project_root))
            for line, outside, _ in imports(module, path.read_text(encoding="utf-8")):
                if outside is not None and outside.partition(".")[0] in layers:
                    found.append(f"{module}:{line}: {outside} is ropewalk.{outside}")
    assert found == []


PLANTED = {
    "reactor imports server": ("reactor/x.py", "from ..server.config import Config"),
    "reactor imports asgi": ("reactor/x.py", "from .. import asgi"),
    "server imports asgi": ("server/x.py", "from ..asgi.bridge import Bridge"),
    "server imports wsgi, two folders down": ("server/http1/x.py", "from ...wsgi import bridge"),
    "asgi imports wsgi": ("asgi/x.py", "from ..wsgi import bridge"),
    "wsgi imports asgi": ("wsgi/x.py", "from ..asgi.bridge import Bridge"),
    "asgi imports the top": ("asgi/x.py", "from ..serve import serve"),
    "server imports a name of the top": ("server/x.py", "from .. import __version__"),
    "inside a function": ("reactor/x.py", "def f():\n    from ..server import config"),
    "for annotations only": ("reactor/x.py", "if TYPE_CHECKING:\n    from ..server import config"),
    "absolute import": ("asgi/x.py", "import ropewalk.server.config"),
    "absolute import from the top": ("cli.py", "from ropewalk.server import config"),
    "absolute import by the folder's name": ("asgi/x.py", "from server import config"),
    "absolute import by a call": ("cli.py", "importlib.import_module('ropewalk.asgi')"),
    "engine imports a clock": ("server/http1/x.py", "import time"),
    "engine imports a part of asyncio": ("server/exchange.py", "from asyncio import events"),
    "engine imports os.path": ("server/http1/x.py", "import os.path"),
    "engine imports the reactor's loop": ("server/http1/x.py", "from ...reactor.loop import Reactor"),
    "engine imports the reactor": ("server/exchange.py", "from ..reactor import tick"),
} | {
    f"engine imports {name}": ("server/http1/x.py", f"import {name}")
    for name in ("asyncio", "socket", "select", "ssl", "threading", "logging", "os", "signal", "uvloop")
}


@pytest.mark.parametrize(("module", "source"), PLANTED.values(), ids=PLANTED.keys())
def test_planted_violation_is_caught(module: str, source: str) -> None:
    assert len(violations(PurePosixPath(module), source)) == 1


ALLOWED = {
    "server imports reactor": ("server/x.py", "from ..reactor.tick import Tick"),
    "sibling": ("server/http1/x.py", "from . import head\nfrom .framing import Framing"),
    "engine imports the server's errors": ("server/http1/x.py", "from ..errors import ProtocolError"),
    "engine imports the reactor's errors": (
        "server/exchange.py",
        "from ..reactor.errors import RopewalkError",
    ),
    "asgi imports server and reactor": (
        "asgi/x.py",
        "from ..server import exchange\nfrom ..reactor import tick",
    ),
    "the top imports everything": ("serve.py", "from .asgi import bridge\nfrom .wsgi import bridge as other"),
    "the top imports its own": ("cli.py", "from . import __version__\nfrom .serve import serve"),
    "I/O outside the engines": ("server/site.py", "import asyncio, os, socket, time"),
    "name that begins like a layer": ("server/x.py", "import asgiref.typing"),
    "relative import by a call": ("__init__.py", "importlib.import_module('.serve', __name__)"),
}


@pytest.mark.parametrize(("module", "source"), ALLOWED.values(), ids=ALLOWED.keys())
def test_permitted_import_is_not_blamed(module: str, source: str) -> None:
    assert violations(PurePosixPath(module), source) == []
