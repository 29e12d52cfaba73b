"""The leak checks themselves: each kind of leak is seen, and a clean test is not blamed."""

from __future__ import annotations

import asyncio
import gc
import logging
import os
import re
import shutil
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from tests.leaks import Baseline, LostTasks, open_descriptors

on_linux = pytest.mark.skipif(sys.platform != "linux", reason="descriptors and children are read from /proc")


def test_nothing_new_is_no_leak() -> None:
    assert Baseline().leaks() == []


def test_running_thread_is_named() -> None:
    baseline = Baseline()
    release = threading.Event()
    thread = threading.Thread(target=release.wait, name="forgotten", daemon=True)
    thread.start()
    try:
        assert baseline.leaks(grace=0) == ["thread 'forgotten'"]
    finally:
        release.set()
        thread.join()
    assert baseline.leaks() == []


def test_thread_that_ends_within_the_grace_is_no_leak() -> None:
    baseline = Baseline()
    release = threading.Event()
    thread = threading.Thread(target=release.wait, args=(0.03,))
    thread.start()
    assert baseline.left_over()
    assert baseline.leaks() == []


@on_linux
def test_open_descriptor_is_named_with_its_target() -> None:
    baseline = Baseline()
    reading, writing = os.pipe()
    try:
        found = baseline.leaks(grace=0)
    finally:
        os.close(reading)
        os.close(writing)
    assert [text.partition(" (")[0] for text in found] == [f"descriptor {reading}", f"descriptor {writing}"]
    assert all("(pipe:[" in text for text in found)


@on_linux
def test_descriptor_held_by_a_reference_cycle_is_collected_first() -> None:
    class Holder:
        def __init__(self) -> None:
            self.me = self
            self.descriptors = os.pipe()

        def __del__(self) -> None:
            for number in self.descriptors:
                os.close(number)

    baseline = Baseline()
    Holder()
    assert baseline.leaks() == []


@on_linux
def test_child_process_is_found_until_it_is_waited_for() -> None:
    baseline = Baseline()
    process = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    try:
        assert f"child process {process.pid}" in baseline.leaks(grace=0)
    finally:
        process.communicate()
    assert baseline.leaks() == []


@on_linux
def test_listing_descriptors_does_not_list_the_listing() -> None:
    listed = set(open_descriptors())
    assert listed
    for number in listed:
        os.fstat(number)


@pytest.fixture
def lost_tasks() -> LostTasks:
    """A collector of the test's own, so that what a test loses on purpose is not held against it."""
    return LostTasks()


def collect(record_text: str, collector: LostTasks) -> list[str]:
    """Pass one log record with this message to a collector."""
    collector.handle(logging.LogRecord("asyncio", logging.ERROR, __file__, 1, record_text, None, None))
    return collector.take()


@pytest.mark.leaves("a task is lost on purpose")
def test_task_whose_exception_nobody_retrieved_is_collected(lost_tasks: LostTasks) -> None:
    async def fail() -> None:
        raise RuntimeError("nobody asks")

    async def forget() -> None:
        task = asyncio.create_task(fail())
        await asyncio.wait([task])

    logger = logging.getLogger("asyncio")
    logger.addHandler(lost_tasks)
    try:
        asyncio.run(forget())
        gc.collect()
    finally:
        logger.removeHandler(lost_tasks)
    assert [message.splitlines()[0] for message in lost_tasks.take()] == [
        "Task exception was never retrieved"
    ]
    assert lost_tasks.take() == []


def test_other_messages_of_asyncio_are_not_lost_tasks(lost_tasks: LostTasks) -> None:
    assert collect("Executing <Task> took 0.2 seconds", lost_tasks) == []
    assert collect("Task was destroyed but it is pending!\ntask: <Task>", lost_tasks) != []


LEAKING_SUITE = """
import asyncio
import os
import pytest
from tests.programs import require_program

def test_that_leaks():
    test_that_leaks.kept = os.pipe()

def test_that_loses_a_task():
    async def fail():
        raise ValueError("nobody asks")

    async def forget():
        await asyncio.wait([asyncio.create_task(fail())])

    asyncio.run(forget())

def test_that_fails_and_leaks():
    test_that_fails_and_leaks.kept = os.pipe()
    raise ValueError("once is enough")

@pytest.mark.leaves("on purpose")
def test_with_a_reason():
    test_with_a_reason.kept = os.pipe()

@pytest.mark.leaves
def test_without_a_reason():
    pass

def test_that_is_clean():
    pass

def test_that_needs_a_program():
    require_program("no-such-program")

def test_that_children_do_not_inherit_the_switch():
    assert "ROPEWALK_REQUIRE_PROGRAMS" not in os.environ
"""


def outcomes(project_root: Path, folder: Path, **environment: str) -> dict[str, str]:
    """Run the suite above under this folder's conftest; map each test to how it and its fixtures ended."""
    tests = folder / "tests"
    tests.mkdir()
    for name in ("conftest.py", "leaks.py", "programs.py"):
        shutil.copy(project_root / "tests" / name, tests)
    shutil.copy(project_root / "pyproject.toml", folder)
    (tests / "test_suite.py").write_text(LEAKING_SUITE)
    command = [sys.executable, "-m", "pytest", "-rA", "-p", "no:cacheprovider", "tests"]
    variables = {key: value for key, value in os.environ.items() if not key.startswith("PYTEST_")}
    run = subprocess.run(
        command, cwd=folder, env=variables | environment, capture_output=True, text=True, timeout=60
    )
    found: dict[str, str] = {}
    for outcome, name in re.findall(r"^(\w+) tests/test_suite\.py::(\w+)", run.stdout, re.MULTILINE):
        found[name] = f"{found[name]}+{outcome}" if name in found else outcome
    found |= dict.fromkeys(
        re.findall(r"^SKIPPED .*?needs the program '(.+?)'", run.stdout, re.MULTILINE), "SKIPPED"
    )
    assert found, run.stdout + run.stderr
    return found


EXPECTED = {
    "test_that_leaks": "PASSED+ERROR",
    "test_that_loses_a_task": "PASSED+ERROR",
    "test_that_fails_and_leaks": "FAILED",
    "test_with_a_reason": "PASSED",
    "test_without_a_reason": "ERROR",
    "test_that_is_clean": "PASSED",
    "test_that_children_do_not_inherit_the_switch": "PASSED",
}


@on_linux
def test_fixture_blames_the_leaking_tests_and_no_other(project_root: Path, tmp_path: Path) -> None:
    assert outcomes(project_root, tmp_path) == EXPECTED | {"no-such-program": "SKIPPED"}


@on_linux
def test_missing_program_fails_where_programs_are_required(project_root: Path, tmp_path: Path) -> None:
    found = outcomes(project_root, tmp_path, ROPEWALK_REQUIRE_PROGRAMS="1")
    assert found == EXPECTED | {"test_that_needs_a_program": "FAILED"}
