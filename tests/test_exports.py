"""The public names of the package: which there are, that each is documented, and that importing is cheap."""

from __future__ import annotations

import json
import pkgutil
import subprocess
import sys

import pytest

import ropewalk

PUBLIC = {
    "Config",
    "Reactor",
    "__version__",
    "run",
    "serve",
}

NOT_AT_IMPORT = {
    "asyncio",
    "uvloop",
    "httptools",
    "ssl",
    "argparse",
    "tomllib",
    "logging",
    "asgiref",
}
"""What nobody pays for who only imports the package (to ask its version, or to reach one sub-package)."""


def in_a_new_process(code: str) -> str:
    """Run code in an interpreter that has imported nothing of ours; returns what it prints."""
    done = subprocess.run([sys.executable, "-I", "-c", code], capture_output=True, text=True, timeout=30)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_public_names_are_the_documented_ones() -> None:
    assert set(ropewalk.__all__) == PUBLIC
    assert len(ropewalk.__all__) == len(PUBLIC)


@pytest.mark.parametrize("name", sorted(PUBLIC))
def test_public_name_is_there_and_has_a_docstring(name: str) -> None:
    value = getattr(ropewalk, name)
    if not isinstance(value, str):
        assert (value.__doc__ or "").strip()
        assert value.__module__.startswith("ropewalk.")


def test_no_module_bears_a_public_name() -> None:
    # Importing such a module would put it in the place of the public name.
    assert {module.name for module in pkgutil.iter_modules(ropewalk.__path__)} & PUBLIC == set()


def test_unknown_name_is_an_attribute_error_that_names_it() -> None:
    with pytest.raises(AttributeError, match="no_such_name"):
        ropewalk.no_such_name  # type: ignore[attr-defined] # noqa: B018


def test_star_import_gives_the_public_names() -> None:
    printed = in_a_new_process("from ropewalk import *; import json; print(json.dumps(sorted(globals())))")
    assert set(json.loads(printed)) >= PUBLIC


def test_import_loads_no_event_loop_and_no_parser() -> None:
    printed = in_a_new_process("import ropewalk, sys, json; print(json.dumps(sorted(sys.modules)))")
    loaded = set(json.loads(printed))
    assert "ropewalk" in loaded
    assert loaded & NOT_AT_IMPORT == set()
    assert {name for name in loaded if name.startswith("ropewalk.")} == set()


def test_version_is_that_of_the_distribution() -> None:
    from importlib.metadata import version

    assert ropewalk.__version__ == version("ropewalk")
