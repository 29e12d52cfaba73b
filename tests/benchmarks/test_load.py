"""Tests of reading what wrk says."""

from __future__ import annotations

import pytest
from sidebyside.load import LoadError, parse

OUTPUT = """\
Running 5s test @ http://127.0.0.1:9911/
  1 threads and 64 connections
Requests/sec:  52064.39

{"requests": 1000, "microseconds": 2500000, "bytes": 150000, "p50": 1200, "p99": 4500, \
"errors": {"connect": 0, "read": 3, "write": 0, "status": 40, "timeout": 1}}
"""


def test_answers_with_an_error_status_are_not_counted_as_completed() -> None:
    assert parse(OUTPUT).requests == 960


def test_only_errors_that_happened_are_reported() -> None:
    assert parse(OUTPUT).errors == {"read": 3, "status": 40, "timeout": 1}


def test_times_are_in_seconds_and_milliseconds() -> None:
    result = parse(OUTPUT)
    assert (result.seconds, result.p50, result.p99, result.received_bytes) == (2.5, 1.2, 4.5, 150000)


@pytest.mark.parametrize("output", ["", "unable to connect to 127.0.0.1:1 Connection refused\n"])
def test_output_without_a_report_is_an_error(output: str) -> None:
    with pytest.raises(LoadError, match="no report"):
        parse(output)
