"""Tests of the command line; the runs themselves are tested apart."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from sidebyside.command import QUICK, choose_workloads, parser, plan_from
from sidebyside.results import Run
from sidebyside.rounds import Plan
from sidebyside.workloads import WORKLOADS
from tests.benchmarks import sample


def bench(root: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(root / "benchmarks" / "run.py"), *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)


@pytest.mark.parametrize(
    ("arguments", "plan"),
    [
        ([], Plan()),
        (["--quick"], QUICK),
        (["--quick", "--seconds", "4"], replace(QUICK, seconds=4)),
        (
            ["--rounds", "9", "--startups", "2", "--idle-connections", "7"],
            Plan(rounds=9, startups=2, idle_connections=7),
        ),
    ],
    ids=["defaults", "quick", "quick but longer", "all given"],
)
def test_plan_comes_from_the_options_given(arguments: list[str], plan: Plan) -> None:
    assert plan_from(parser().parse_args(arguments)) == plan


@pytest.mark.parametrize(
    "arguments",
    [
        ["--rounds", "0"],
        ["--seconds", "x"],
        ["--cores", "1"],
        ["--ropewalk-path", "/nowhere"],
        ["--speed", "9"],
    ],
    ids=["zero", "no number", "one core", "no checkout", "unknown"],
)
def test_option_that_makes_no_sense_is_refused(
    arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        parser().parse_args(arguments)
    assert ended.value.code == 2
    assert arguments[0] in capsys.readouterr().err


def test_workloads_are_chosen_by_name_in_their_own_order() -> None:
    assert [workload.name for workload in choose_workloads("post,hello")] == ["hello", "post"]
    assert choose_workloads(None) == list(WORKLOADS)


def test_unknown_workload_is_refused_with_the_names_there_are() -> None:
    with pytest.raises(ValueError, match="no workload called hullo; there are hello, browser"):
        choose_workloads("hullo")


def test_saved_results_are_reported_without_measuring(tmp_path: Path, project_root: Path) -> None:
    sample.of_every_kind().save(tmp_path / "x.json")
    finished = bench(project_root, "--results", str(tmp_path / "x.json"))
    assert finished.returncode == 0
    assert "### Start-up" in finished.stdout


def test_failed_run_in_the_results_shows_in_the_exit_status(tmp_path: Path, project_root: Path) -> None:
    failed = Run("hello", "load", "granian", 1, failure="it ended")
    sample.make(sample.load("ropewalk", 12.0), failed).save(tmp_path / "x.json")
    assert bench(project_root, "--results", str(tmp_path / "x.json")).returncode == 1


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["--results", "/nowhere.json"], "No such file"),
        (["--workloads", "hullo"], "no workload called hullo"),
        (["--servers", "unicorn"], "no server called unicorn"),
    ],
    ids=["no file", "no workload", "no server"],
)
def test_command_that_cannot_run_says_why(arguments: list[str], complaint: str, project_root: Path) -> None:
    finished = bench(project_root, *arguments)
    assert finished.returncode == 2
    assert complaint in finished.stderr
    assert "Traceback" not in finished.stderr
