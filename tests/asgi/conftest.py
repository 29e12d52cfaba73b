"""Tests that are coroutine functions run in both event loops, with the server in the same loop."""

from __future__ import annotations

import pytest

from tests.served import Log, kind, log, run_in_loop

__all__ = ["kind", "log"]


@pytest.hookimpl(tryfirst=True)
def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> bool | None:
    """Run a coroutine function's test."""
    return run_in_loop(pyfuncitem) or None


@pytest.fixture(autouse=True)
def _each_in_both_loops(request: pytest.FixtureRequest, log: Log) -> None:
    """Errors in the log fail every test here, whether it looks at the log or not."""


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Give tests that are coroutine functions the loops to run in, without naming them."""
