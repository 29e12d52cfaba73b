"""Coroutine functions run in both event loops; what imports and logging leave behind is put back."""

from __future__ import annotations

import logging
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.served import log, loop_kinds, run_in_loop

__all__ = ["log", "pytest_generate_tests", "pytest_pyfunc_call"]

pytest_generate_tests = loop_kinds
pytest_pyfunc_call = run_in_loop

FIXTURE_APPS = Path(__file__).resolve().parent.parent / "fixture_apps"


@pytest.fixture
def apps(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The folder of the misbehaving applications, and an import system that forgets them afterwards."""
    modules = set(sys.modules)
    monkeypatch.setattr(sys, "path", sys.path[:])
    yield FIXTURE_APPS
    for name in set(sys.modules) - modules:
        found = getattr(sys.modules[name], "__file__", None)
        if found is not None and Path(found).is_relative_to(FIXTURE_APPS):
            del sys.modules[name]


@pytest.fixture
def package_logger() -> Iterator[logging.Logger]:
    """The logger of the package, put back as it was."""
    logger = logging.getLogger("ropewalk")
    before = logger.level, logger.propagate, logger.handlers[:]
    yield logger
    logger.setLevel(before[0])
    logger.propagate = before[1]
    logger.handlers[:] = before[2]
