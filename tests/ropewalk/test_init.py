"""The package's face: cheap to import, its names made when they are first used."""

from __future__ import annotations

import importlib
import importlib.metadata
import subprocess
import sys

import pytest

import ropewalk


def in_a_fresh_process(code: str) -> str:
    """What ``code`` prints in an interpreter of its own."""
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=20, check=True
    )
    return done.stdout.strip()


def test_import_alone_loads_nothing_else() -> None:
    code = (
        "import sys; before = set(sys.modules); import ropewalk; "
        "print(*(name for name in set(sys.modules) - before if name.startswith(('ropewalk', 'asyncio'))))"
    )
    assert in_a_fresh_process(code) == "ropewalk"


@pytest.mark.parametrize("name", ropewalk.__all__)
def test_public_name_is_there(name: str) -> None:
    assert getattr(ropewalk, name) is getattr(ropewalk, name)


@pytest.mark.parametrize("name", ["Config", "Reactor", "run", "serve"])
def test_public_name_stays_itself_after_the_submodules_are_imported(name: str) -> None:
    before = getattr(ropewalk, name)
    for module in ("service", "cli", "reactor", "server.config"):
        importlib.import_module(f"ropewalk.{module}")
    assert getattr(ropewalk, name) is before
    assert callable(before)


def test_public_names_can_be_imported_by_a_statement() -> None:
    code = "from ropewalk import Config, Reactor, run, serve; print(Config().listening.port)"
    assert in_a_fresh_process(code) == "8000"


def test_dir_shows_the_public_names_before_they_are_used() -> None:
    code = "import ropewalk; print(set(ropewalk.__all__) <= set(dir(ropewalk)))"
    assert in_a_fresh_process(code) == "True"


def test_unknown_name_is_an_attribute_error_that_names_it() -> None:
    with pytest.raises(AttributeError, match="module 'ropewalk' has no attribute 'no_such_name'"):
        _ = ropewalk.no_such_name


def test_version_is_that_of_the_distribution() -> None:
    assert ropewalk.__version__ == importlib.metadata.version("ropewalk")
