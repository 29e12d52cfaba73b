"""Tests of medians, ratios and files of results."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from sidebyside.results import LOG_OFF, LOG_ON, MismatchError, Results, Run, merge, summarise


def run(server: str, value: float, number: int = 1, **more: Any) -> Run:
    return Run("hello", "load", server, number, values={"cpu_us": value}, **more)


def results(*runs: Run, **changes: Any) -> Results:
    facts: dict[str, Any] = {
        "measured": "2026-01-02",
        "reference": "ropewalk",
        "machine": {"cpu": "A", "cores": 2, "kernel": "K", "python": "P"},
        "versions": {"ropewalk": "1"},
        "options": {"rounds": 3},
    }
    return Results(**{**facts, **changes}, runs=list(runs))


def test_summary_is_the_median_with_least_and_greatest() -> None:
    runs = [run("ropewalk", value) for value in (12.0, 90.0, 11.0)]
    (summary,) = summarise(runs, "hello", "ropewalk")
    assert (summary.medians["cpu_us"], summary.low, summary.high) == (12.0, 11.0, 90.0)


def test_ratio_is_of_medians_to_the_reference() -> None:
    summaries = summarise([run("ropewalk", 10.0), run("other", 25.0)], "hello", "ropewalk")
    assert [(summary.server, summary.ratio) for summary in summaries] == [("ropewalk", 1.0), ("other", 2.5)]


def test_there_is_no_ratio_where_the_reference_failed() -> None:
    failed = Run("hello", "load", "ropewalk", 1, failure="it ended")
    first, second = summarise([failed, run("other", 25.0)], "hello", "ropewalk")
    assert (first.medians, first.ratio, first.failures) == ({}, None, ("it ended",))
    assert second.ratio is None


def test_failed_round_is_told_and_left_out_of_the_median() -> None:
    failed = Run("hello", "load", "ropewalk", 2, failure="it ended")
    (summary,) = summarise([run("ropewalk", 10.0), failed, failed], "hello", "ropewalk")
    assert (summary.medians["cpu_us"], summary.failures) == (10.0, ("it ended",))


def test_errors_are_added_up_over_the_rounds() -> None:
    runs = [run("ropewalk", 10.0, errors={"read": 2}), run("ropewalk", 10.0, errors={"read": 1, "status": 5})]
    (summary,) = summarise(runs, "hello", "ropewalk")
    assert summary.errors == {"read": 3, "status": 5}


def test_variant_is_compared_with_its_own_server_without_log() -> None:
    runs = [
        Run("access-log", "access-log", server, 1, variant, {"cpu_us": value})
        for server, variant, value in [
            ("ropewalk", LOG_OFF, 10.0),
            ("ropewalk", LOG_ON, 15.0),
            ("uvicorn", LOG_OFF, 30.0),
            ("uvicorn", LOG_ON, 90.0),
        ]
    ]
    assert [summary.ratio for summary in summarise(runs, "access-log", "ropewalk")] == [1.0, 1.5, 1.0, 3.0]


def test_other_workloads_do_not_enter_a_summary() -> None:
    other = Run("post", "load", "ropewalk", 1, values={"cpu_us": 99.0})
    (summary,) = summarise([run("ropewalk", 10.0), other], "hello", "ropewalk")
    assert summary.high == 10.0


def test_saved_results_are_read_back_equal(tmp_path: Path) -> None:
    saved = results(run("ropewalk", 10.0, errors={"read": 1}), Run("hello", "load", "x", 1, failure="no"))
    saved.save(tmp_path / "deep" / "results.json")
    assert Results.load(tmp_path / "deep" / "results.json") == saved


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"runs": [{}]}', '{"runs": []}', '{"runs": 3}'])
def test_file_that_holds_no_results_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "x.json").write_text(text)
    with pytest.raises(MismatchError, match="does not hold benchmark results"):
        Results.load(tmp_path / "x.json")


def test_results_of_different_workloads_are_put_together() -> None:
    post = Run("post", "load", "ropewalk", 1, values={"cpu_us": 20.0})
    merged = merge([results(run("ropewalk", 10.0)), results(post, versions={"ropewalk": "1", "other": "2"})])
    assert merged.workloads() == ["hello", "post"]
    assert merged.versions == {"ropewalk": "1", "other": "2"}


@pytest.mark.parametrize(
    "changes",
    [
        {"machine": {"cpu": "B", "cores": 2, "kernel": "K", "python": "P"}},
        {"versions": {"ropewalk": "2"}},
        {"options": {"rounds": 1}},
        {"reference": "other"},
    ],
    ids=["machine", "version", "options", "reference"],
)
def test_results_that_do_not_compare_are_not_put_together(changes: dict[str, Any]) -> None:
    with pytest.raises(MismatchError):
        merge([results(run("ropewalk", 10.0)), results(**changes)])


def test_workload_measured_twice_is_not_put_together() -> None:
    with pytest.raises(MismatchError, match="measured twice: hello"):
        merge([results(run("ropewalk", 10.0)), results(run("ropewalk", 11.0))])
