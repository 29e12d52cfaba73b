"""Tests of taking turns and of judging single runs, with a small real server."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

import pytest
from sidebyside import idle
from sidebyside.cores import Cores
from sidebyside.peers import CHECKOUT, PEERS, Server, ropewalk
from sidebyside.results import LOG_OFF, LOG_ON, Run
from sidebyside.rounds import Contestant, Plan, Stage, choose, describe, judge
from sidebyside.workloads import WORKLOADS, WrongAnswerError
from tests.programs import require_program

WORKLOAD = {workload.name: workload for workload in WORKLOADS}
RIGHT = {"bytes_per_answer": 140.0, "log_lines_per_request": 0.0}


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A checkout whose source is the greeter."""
    (tmp_path / "src").mkdir()
    shutil.copy(Path(__file__).with_name("greeter.py"), tmp_path / "src")
    return tmp_path


def greeter(checkout: Path, name: str, mode: str = "plain", log: str = "log") -> Server:
    return Server(name, "greeter", "greeter", ("{port}",), quiet=(mode,), logging=(log,), checkout=checkout)


def stage(plan: Plan, said: list[str]) -> Stage:
    return Stage(Path(sys.executable), Cores.furthest_apart(), plan, said.append)


def test_servers_take_turns_and_the_first_changes(checkout: Path) -> None:
    servers = [greeter(checkout, "one", "broken"), greeter(checkout, "two", "broken")]
    runs = list(stage(Plan(rounds=3), []).run(WORKLOAD["idle"], servers))
    assert [(run.round, run.server) for run in runs] == [
        (1, "one"),
        (1, "two"),
        (2, "two"),
        (2, "one"),
        (3, "one"),
        (3, "two"),
    ]


def test_server_that_fails_does_not_keep_others_from_running(checkout: Path) -> None:
    said: list[str] = []
    servers = [greeter(checkout, "bad", "broken"), greeter(checkout, "good")]
    runs = list(stage(Plan(startups=1), said).run(WORKLOAD["startup"], servers))
    assert [(run.server, run.failure) for run in runs] == [
        ("bad", "ended with 1: no ropes today"),
        ("good", None),
    ]
    assert any("bad: FAILED" in line for line in said)


def test_start_is_timed_and_weighed(checkout: Path) -> None:
    (run,) = stage(Plan(startups=1), []).run(WORKLOAD["startup"], [greeter(checkout, "good")])
    assert run.failure is None
    assert 1 < run.values["startup_ms"] < 30_000
    assert run.values["rss_mib"] > 1


def test_wrong_answer_is_a_failed_run(checkout: Path) -> None:
    (run,) = stage(Plan(rounds=1), []).run(WORKLOAD["hello"], [greeter(checkout, "odd", "wrong")])
    assert run.failure is not None
    assert "Hello, swirl!" in run.failure


def test_idle_connections_are_weighed(checkout: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(idle, "SETTLING", 0.0)
    plan = Plan(rounds=1, idle_connections=300)
    (run,) = stage(plan, []).run(WORKLOAD["idle"], [greeter(checkout, "good")])
    assert run.failure is None
    assert run.values["connections"] == 300
    assert run.values["rss_after_mib"] >= run.values["rss_before_mib"] > 1


def test_connections_that_do_not_stay_open_are_a_failure(
    checkout: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(idle, "SETTLING", 0.0)
    plan = Plan(rounds=1, idle_connections=5)
    (run,) = stage(plan, []).run(WORKLOAD["idle"], [greeter(checkout, "rude", "rude")])
    assert run.failure is not None
    assert "0 of 5 connections stayed open" in run.failure


def test_more_connections_than_the_machine_allows_are_refused() -> None:
    with pytest.raises(idle.IdleError, match="hard limit"):
        idle.allow_descriptors(2**40)


def test_load_is_measured_with_and_without_a_log(checkout: Path) -> None:
    require_program("wrk")
    runs = list(
        stage(Plan(rounds=1, seconds=1, warming=0), []).run(
            WORKLOAD["access-log"], [greeter(checkout, "good")]
        )
    )
    off, on = runs
    assert (off.variant, off.failure, off.errors) == (LOG_OFF, None, {})
    assert (on.variant, on.failure, on.errors) == (LOG_ON, None, {})
    assert off.values["requests"] > 0
    assert off.values["cpu_us"] > 0
    assert (off.values["log_lines_per_request"], round(on.values["log_lines_per_request"])) == (0.0, 1)


def test_access_log_workload_has_both_variants_of_the_servers_it_is_for() -> None:
    own = ropewalk("ropewalk", CHECKOUT)
    chosen = choose(WORKLOAD["access-log"], [own, *PEERS])
    assert [(contestant.server.name, contestant.variant) for contestant in chosen] == [
        ("ropewalk", LOG_OFF),
        ("ropewalk", LOG_ON),
        ("uvicorn", LOG_OFF),
        ("uvicorn", LOG_ON),
    ]


def test_all_servers_take_part_in_other_workloads() -> None:
    assert choose(WORKLOAD["hello"], PEERS) == [Contestant(peer) for peer in PEERS]


def test_workload_for_which_no_chosen_server_stands_runs_nothing() -> None:
    daphne = [peer for peer in PEERS if peer.name == "daphne"]
    assert list(stage(Plan(), []).run(WORKLOAD["startup"], daphne)) == []


@pytest.mark.parametrize(
    ("changes", "logging", "complaint"),
    [
        ({"bytes_per_answer": 12.0}, False, "12 bytes an answer, 13 is the least"),
        ({"log_lines_per_request": 1.0}, False, "with the access log off"),
        ({"log_lines_per_request": 0.5}, True, "access log lines a request"),
    ],
    ids=["short answers", "log not off", "log not on"],
)
def test_run_that_did_not_do_the_work_is_refused(
    changes: dict[str, float], logging: bool, complaint: str
) -> None:
    with pytest.raises(WrongAnswerError, match=complaint):
        judge({**RIGHT, **changes}, WORKLOAD["hello"], logging=logging)


def test_run_that_did_the_work_is_accepted() -> None:
    judge(RIGHT, WORKLOAD["hello"], logging=False)
    judge({**RIGHT, "log_lines_per_request": 1.0}, WORKLOAD["hello"], logging=True)


@pytest.mark.parametrize(
    ("run", "text"),
    [
        (Run("hello", "load", "a", 1, failure="it ended"), "a: FAILED: it ended"),
        (
            Run("hello", "load", "a", 1, "", {"cpu_us": 12.34, "requests_per_second": 45678}, {"read": 1}),
            "a: 12.3 µs a request, 45,678 requests/s, ERRORS {'read': 1}",
        ),
        (Run("idle", "idle", "a", 1, values={"kib_per_connection": 2.5}), "a: 2.50 KiB a connection"),
        (Run("startup", "startup", "a", 1, values={"startup_ms": 150.4}), "a: 150 ms"),
    ],
    ids=["failure", "errors", "idle", "startup"],
)
def test_progress_line_tells_the_primary_figure(run: Run, text: str) -> None:
    assert describe(run) == text
