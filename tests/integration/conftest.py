"""Integration tests: the log of each running server is part of a failing test's report."""

from __future__ import annotations

from collections.abc import Generator

import pytest

from .serving import LIVE


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Add the logs of the servers running at this moment to the report of a failure."""
    report = yield
    if report.failed:
        for server in LIVE:
            log = server.described_log()
            if log.splitlines()[0] not in report.longreprtext:
                report.sections.append(("server", log))
    return report
