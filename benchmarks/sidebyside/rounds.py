"""Runs every server under every workload in turns, round after round."""

from __future__ import annotations

import http.client
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path

from . import idle, load
from .cores import Cores
from .peers import Server
from .process import POLL, START_TIMEOUT, ServerError, ServerProcess, clean_environment, free_port, serving
from .results import LOG_OFF, LOG_ON, PRIMARY, Run
from .workloads import Workload, WrongAnswerError, ask, check

BENCHMARKS = Path(__file__).resolve().parents[1]
KIB_PER_MIB = 1024
FAILURES = (ServerError, WrongAnswerError, load.LoadError, idle.IdleError, OSError)


@dataclass(frozen=True, slots=True)
class Plan:
    """How long and how often."""

    rounds: int = 3
    seconds: int = 5
    warming: int = 1
    """Seconds of load before the measured ones."""
    startups: int = 10
    idle_connections: int = 5000


@dataclass(frozen=True, slots=True)
class Contestant:
    """A server in the way it takes part in one workload."""

    server: Server
    variant: str = ""


@dataclass(frozen=True, slots=True)
class Stage:
    """Where everything runs: one interpreter, two cores."""

    python: Path
    cores: Cores
    plan: Plan
    say: Callable[[str], None]

    def run(self, workload: Workload, servers: Sequence[Server]) -> Iterator[Run]:
        """Measures one workload; a server that fails is reported as failed and the others go on."""
        contestants = choose(workload, servers)
        rounds = self.plan.rounds
        if workload.kind == "startup" and contestants:
            rounds = self.plan.startups
            for contestant in contestants:
                # Nobody's first start is measured: it may compile modules and fill the page cache.
                self._measure(workload, contestant, 0)
        for number in range(rounds):
            # Who goes first changes with the round, lest a rhythm of the machine always hit the same server.
            start = number % len(contestants) if contestants else 0
            for contestant in contestants[start:] + contestants[:start]:
                run = self._measure(workload, contestant, number + 1)
                self.say(f"{workload.name} {number + 1}/{rounds}  {describe(run)}")
                yield run

    def _measure(self, workload: Workload, contestant: Contestant, number: int) -> Run:
        name = contestant.server.name
        try:
            values, errors = self._values(workload, contestant)
        except FAILURES as error:
            failure = str(error) or repr(error)
            return Run(workload.name, workload.kind, name, number, contestant.variant, failure=failure)
        return Run(workload.name, workload.kind, name, number, contestant.variant, values, errors)

    def _values(self, workload: Workload, contestant: Contestant) -> tuple[dict[str, float], dict[str, int]]:
        with self._serving(workload, contestant) as running:
            if workload.kind == "startup":
                return self._first_answer(running, workload), {}
            running.wait_until_listening()
            check(running.port, workload)
            if workload.kind == "idle":
                return self._idle(running), {}
            return self._loaded(running, workload, logging=contestant.variant == LOG_ON)

    def _serving(self, workload: Workload, contestant: Contestant) -> AbstractContextManager[ServerProcess]:
        server, port = contestant.server, free_port()
        command = server.command(
            self.python,
            workload.application,
            port,
            access_log=contestant.variant == LOG_ON,
            patient=workload.kind == "idle",
        )
        source = [server.checkout / "src"] if server.checkout else []
        environment = clean_environment(*source, BENCHMARKS)
        return serving(command, port, cwd=BENCHMARKS, environment=environment, core=self.cores.server)

    def _loaded(
        self, running: ServerProcess, workload: Workload, *, logging: bool
    ) -> tuple[dict[str, float], dict[str, int]]:
        url = f"http://127.0.0.1:{running.port}/"
        with tempfile.NamedTemporaryFile() as request:
            request.write(workload.request)
            request.flush()
            if self.plan.warming:
                load.run(url, Path(request.name), self.plan.warming, self.cores.load)
            cpu, lines = running.cpu_seconds(), running.count_lines()
            result = load.run(url, Path(request.name), self.plan.seconds, self.cores.load)
            cpu, lines = running.cpu_seconds() - cpu, running.count_lines() - lines
        memory = running.memory()
        running.check_alive()
        if not result.requests:
            raise load.LoadError(f"no request was answered: {result.errors}")
        values = {
            "cpu_us": cpu / result.requests * 1e6,
            "requests_per_second": result.requests / result.seconds,
            "p50_ms": result.p50,
            "p99_ms": result.p99,
            "rss_mib": memory.rss_kib / KIB_PER_MIB,
            "pss_mib": memory.pss_kib / KIB_PER_MIB,
            "server_core_use": cpu / result.seconds,
            "requests": result.requests,
            "bytes_per_answer": result.received_bytes / result.requests,
            "log_lines_per_request": lines / result.requests,
        }
        judge(values, workload, logging=logging)
        return values, result.errors

    def _idle(self, running: ServerProcess) -> dict[str, float]:
        cost = idle.weigh(running, self.plan.idle_connections, self.cores.load)
        running.check_alive()
        return {
            "kib_per_connection": cost.kib_per_connection,
            "connections": cost.connections,
            "rss_before_mib": cost.before / KIB_PER_MIB,
            "rss_after_mib": cost.after / KIB_PER_MIB,
        }

    def _first_answer(self, running: ServerProcess, workload: Workload) -> dict[str, float]:
        while True:
            running.check_alive()
            if time.perf_counter() - running.started > START_TIMEOUT:
                raise ServerError(f"no answer after {START_TIMEOUT:g} s: {running.output()}")
            try:
                answer = ask(running.port, workload.request, START_TIMEOUT)
            except (OSError, http.client.HTTPException):
                time.sleep(POLL)
                continue
            elapsed = time.perf_counter() - running.started
            if answer.status != 200 or not workload.is_right(answer):
                raise WrongAnswerError(f"status {answer.status}: {answer.body[:80]!r}")
            memory = running.memory()
            return {
                "startup_ms": elapsed * 1e3,
                "rss_mib": memory.rss_kib / KIB_PER_MIB,
                "pss_mib": memory.pss_kib / KIB_PER_MIB,
            }


def choose(workload: Workload, servers: Sequence[Server]) -> list[Contestant]:
    """Picks who takes part, and with the access log on as well where that is the question."""
    taking_part = [
        server
        for server in servers
        if server.is_ropewalk or workload.servers is None or server.name in workload.servers
    ]
    variants = (LOG_OFF, LOG_ON) if workload.kind == "access-log" else ("",)
    return [Contestant(server, variant) for server in taking_part for variant in variants]


def judge(values: dict[str, float], workload: Workload, *, logging: bool) -> None:
    """Refuses a run in which the server did not do the work: WrongAnswerError says what was amiss."""
    if values["bytes_per_answer"] < workload.answer_length:
        raise WrongAnswerError(
            f"{values['bytes_per_answer']:.0f} bytes an answer, {workload.answer_length} is the least"
        )
    lines = values["log_lines_per_request"]
    if logging and lines < 0.9:
        raise WrongAnswerError(f"{lines:.2f} access log lines a request")
    if not logging and lines > 0.1:
        raise WrongAnswerError(f"{lines:.2f} log lines a request with the access log off")


def describe(run: Run) -> str:
    """One line of progress."""
    who = f"{run.server} {run.variant}".strip()
    if run.failure is not None:
        return f"{who}: FAILED: {run.failure}"
    value = run.values[PRIMARY[run.kind]]
    texts = {
        "load": f"{value:.1f} µs a request, {run.values.get('requests_per_second', 0):,.0f} requests/s",
        "idle": f"{value:.2f} KiB a connection",
        "startup": f"{value:.0f} ms",
    }
    text = texts.get(run.kind, texts["load"])
    return f"{who}: {text}" + (f", ERRORS {run.errors}" if run.errors else "")
