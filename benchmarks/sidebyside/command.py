"""The command line of the benchmarks: chooses what to run, runs it, and says what came of it."""

from __future__ import annotations

import argparse
import signal
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from types import FrameType

from . import chart, idle, machine, report
from .cores import Cores, pinned
from .environment import Environment, EnvironmentUnusableError, prepare
from .peers import CHECKOUT, Server, choose, parse_checkout
from .results import Results, merge
from .rounds import BENCHMARKS, Plan, Stage
from .workloads import WORKLOADS, Workload

QUICK = Plan(rounds=1, seconds=1, startups=3, idle_connections=500)
DOCS = CHECKOUT / "docs" / "explanation"


def parser() -> argparse.ArgumentParser:
    """Declares the options."""
    plan = Plan()
    options = argparse.ArgumentParser(
        prog="benchmarks/run.py",
        description="Runs Ropewalk side by side with other ASGI servers and compares CPU time per request.",
    )
    add = options.add_argument
    add("--servers", metavar="A,B", help="only these (default: all; with --ropewalk-path: no peers)")
    add("--workloads", metavar="A,B", help=f"only these: {', '.join(w.name for w in WORKLOADS)}")
    add("--rounds", type=positive, metavar="N", help=f"times each server runs (default {plan.rounds})")
    add("--seconds", type=positive, metavar="N", help=f"length of one measured run (default {plan.seconds})")
    add("--startups", type=positive, metavar="N", help=f"starts per server (default {plan.startups})")
    add(
        "--idle-connections",
        type=positive,
        metavar="N",
        help=f"connections of the idle workload (default {plan.idle_connections})",
    )
    add("--quick", action="store_true", help="one round of one second: to see that everything works")
    add(
        "--ropewalk-path",
        action="append",
        default=[],
        type=checkout,
        metavar="[LABEL=]PATH",
        help="run the Ropewalk of this checkout; give it twice to compare two (the first is the reference)",
    )
    add(
        "--cores",
        type=cores,
        metavar="SERVER,LOAD",
        help="core numbers (default: the last one and the first one that may be used)",
    )
    add("--output", type=Path, default=BENCHMARKS / "results", metavar="DIR", help="where the JSON file goes")
    add("--refresh", action="store_true", help="make the servers' environment anew, with the latest versions")
    add(
        "--results",
        action="append",
        default=[],
        type=Path,
        metavar="FILE",
        help="measure nothing, report what these JSON files hold",
    )
    add("--write-docs", action="store_true", help="put tables and chart into docs/explanation/performance.*")
    return options


def positive(text: str) -> int:
    """Reads a whole number from 1 up."""
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError("it must be at least 1")
    return number


def checkout(text: str) -> Server:
    try:
        return parse_checkout(text)
    except (ValueError, OSError, KeyError) as error:
        raise argparse.ArgumentTypeError(str(error)) from error


def cores(text: str) -> Cores:
    try:
        return Cores.parse(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"two core numbers are wanted: {error}") from error


def plan_from(options: argparse.Namespace) -> Plan:
    """Takes what was given, and the rest from --quick or the defaults."""
    start = QUICK if options.quick else Plan()
    return Plan(
        rounds=options.rounds or start.rounds,
        seconds=options.seconds or start.seconds,
        startups=options.startups or start.startups,
        idle_connections=options.idle_connections or start.idle_connections,
    )


def choose_workloads(names: str | None) -> list[Workload]:
    """Picks workloads by name, in their own order; ValueError for a name there is none of."""
    wanted = names.split(",") if names else [workload.name for workload in WORKLOADS]
    unknown = set(wanted) - {workload.name for workload in WORKLOADS}
    if unknown:
        known = ", ".join(workload.name for workload in WORKLOADS)
        raise ValueError(f"no workload called {', '.join(sorted(unknown))}; there are {known}")
    return [workload for workload in WORKLOADS if workload.name in wanted]


def say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the command: 0 when every run succeeded, 1 when one failed, 2 when nothing could be run."""
    options = parser().parse_args(arguments)
    # A terminated benchmark must leave through its context managers, which end the servers.
    signal.signal(signal.SIGTERM, _leave)
    try:
        if options.results:
            results = merge([Results.load(path) for path in options.results])
        else:
            results = _measure(options)
    except (ValueError, OSError, EnvironmentUnusableError, idle.IdleError) as error:
        say(f"benchmarks: {error}")
        return 2
    except KeyboardInterrupt:
        say("benchmarks: interrupted")
        return 130
    if not results.runs:
        say("benchmarks: there is nothing to report")
        return 2
    print(report.document(results))
    if options.write_docs:
        try:
            for path in report.write_docs(DOCS, results, chart.draw(results, _own(results))):
                say(f"wrote {path.relative_to(CHECKOUT)}")
        except (report.NoMarksError, FileNotFoundError) as error:
            say(f"benchmarks: {error}")
            return 2
    return 1 if any(run.failure is not None for run in results.runs) else 0


def _leave(number: int, frame: FrameType | None) -> None:
    raise SystemExit(128 + number)


def _own(results: Results) -> set[str]:
    return set(results.options["checkouts"])


def _measure(options: argparse.Namespace) -> Results:
    if not sys.platform.startswith("linux"):
        raise OSError("the accounting reads /proc as Linux has it; no other system will do")
    workloads = choose_workloads(options.workloads)
    servers = choose(options.servers.split(",") if options.servers else None, options.ropewalk_path)
    plan = plan_from(options)
    wrk = machine.wrk_version()
    if wrk is None and any(workload.kind in ("load", "access-log") for workload in workloads):
        raise OSError("the load generator wrk is not installed (on Debian and Ubuntu: apt-get install wrk)")
    if any(workload.kind == "idle" for workload in workloads):
        idle.allow_descriptors(plan.idle_connections)
    chosen = options.cores or Cores.furthest_apart()
    if chosen.server == chosen.load:
        say("warning: server and load share one core, so requests per second and latency mean little")
    environment = prepare(BENCHMARKS / ".peers", servers, say, refresh=options.refresh)
    servers = [server for server in servers if server.name not in environment.missing]
    results = _blank(servers, environment, plan, wrk)
    path = options.output / f"results-{datetime.now(UTC):%Y%m%d-%H%M%S}.json"
    try:
        with pinned(chosen.load):
            stage = Stage(environment.python, chosen, plan, say)
            for workload in workloads:
                results.runs.extend(stage.run(workload, servers))
    finally:
        if results.runs:
            results.save(path)
            say(f"all runs are in {path}")
    return results


def _blank(servers: Sequence[Server], environment: Environment, plan: Plan, wrk: str | None) -> Results:
    own = [server for server in servers if server.is_ropewalk]
    first = (own or list(servers))[:1]
    versions = {
        server.name: f"{server.version} ({machine.commit(server.checkout)})"
        if server.checkout
        else environment.version(server)
        for server in servers
    }
    return Results(
        measured=f"{datetime.now(UTC):%Y-%m-%d}",
        reference=first[0].name if first else None,
        machine={**machine.describe(), "wrk": wrk},
        versions={**versions, "uvloop": environment.versions.get("uvloop", "?")},
        options={
            "rounds": plan.rounds,
            "seconds": plan.seconds,
            "startups": plan.startups,
            "idle_connections": plan.idle_connections,
            "checkouts": [server.name for server in own],
        },
        missing=environment.missing,
    )
