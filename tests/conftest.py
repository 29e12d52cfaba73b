"""Fixtures for every test: where the checkout is, and the check that a test leaves nothing behind."""

from __future__ import annotations

import gc
import logging
import sys
from collections.abc import Generator, Iterator
from pathlib import Path

import pytest

# The programs module takes ROPEWALK_REQUIRE_PROGRAMS out of the environment, before any test starts a server.
from tests.leaks import Baseline, LostTasks
from tests.programs import PROGRAMS_REQUIRED

PROJECT_ROOT = Path(__file__).resolve().parent.parent
FAILED = pytest.StashKey[bool]()


def pytest_report_header() -> str | None:
    """Tell when missing programs are failures."""
    return "missing programs are failures" if PROGRAMS_REQUIRED else None


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Remember that a test did not pass: its traceback keeps open what it had."""
    report = yield
    if not report.passed:
        item.stash[FAILED] = True
    return report


@pytest.fixture(scope="session")
def project_root() -> Path:
    """The root of the checkout."""
    return PROJECT_ROOT


@pytest.fixture(scope="session")
def python_path() -> str:
    """The interpreter that runs the tests, for the processes that tests start."""
    return sys.executable


@pytest.fixture(scope="session", autouse=True)
def _lost_tasks() -> Iterator[LostTasks]:
    """Listen to asyncio's logger for tasks that nobody waited for."""
    collector = LostTasks()
    logger = logging.getLogger("asyncio")
    logger.addHandler(collector)
    yield collector
    logger.removeHandler(collector)


@pytest.fixture(scope="session", autouse=True)
def _process_wide_descriptors() -> None:
    """Have libuv open the signal pipe it keeps for the life of the process: no test shall seem to leak it."""
    try:
        import uvloop
    except ImportError:
        return
    uvloop.new_event_loop().close()


@pytest.fixture(autouse=True)
def _nothing_left_behind(request: pytest.FixtureRequest, _lost_tasks: LostTasks) -> Iterator[None]:
    """Fail a test that passed but left threads, child processes, descriptors or lost tasks.

    Fixtures of a wider scope that a test sets up through its arguments come before the baseline. One that
    opens something only while a test runs (a client's kept connection) needs ``@pytest.mark.leaves(reason)``.
    """
    exempt = request.node.get_closest_marker("leaves")
    if exempt is not None:
        if not (exempt.args and isinstance(exempt.args[0], str) and exempt.args[0].strip()):
            pytest.fail("@pytest.mark.leaves needs the reason as its argument", pytrace=False)
        yield
        _lost_tasks.take()
        return
    _lost_tasks.take()
    baseline = Baseline()
    yield
    if request.node.stash.get(FAILED, False):
        return
    # The two young generations hold what this test made: enough to have lost tasks noticed here.
    gc.collect(1)
    found = baseline.leaks() + _lost_tasks.take()
    if found:
        pytest.fail("the test left behind: " + "; ".join(found), pytrace=False)
