"""Results made up for the tests of tables and charts."""

from __future__ import annotations

from sidebyside.results import LOG_OFF, LOG_ON, Results, Run

LOADED = {"requests_per_second": 40123.0, "p99_ms": 3.21, "rss_mib": 32.5, "pss_mib": 26.75}


def load(server: str, cpu_us: float, workload: str = "hello", errors: dict[str, int] | None = None) -> Run:
    return Run(workload, "load", server, 1, values={"cpu_us": cpu_us, **LOADED}, errors=errors or {})


def make(*runs: Run) -> Results:
    """Gives results whose reference is ropewalk."""
    return Results(
        measured="2026-01-02",
        reference="ropewalk",
        machine={"cpu": "Some CPU", "cores": 2, "kernel": "Linux 6", "python": "CPython 3.11", "wrk": "4.1"},
        versions={"ropewalk": "0.1 (abc)", "uvicorn": "0.54"},
        options={
            "rounds": 1,
            "seconds": 5,
            "startups": 10,
            "idle_connections": 5000,
            "checkouts": ["ropewalk"],
        },
        runs=list(runs),
    )


def of_every_kind() -> Results:
    """Gives results with one workload of each kind."""
    idle = {"kib_per_connection": 2.5, "connections": 5000.0, "rss_before_mib": 30.0, "rss_after_mib": 42.0}
    return make(
        load("ropewalk", 12.0),
        load("uvicorn", 30.0),
        Run("access-log", "access-log", "ropewalk", 1, LOG_OFF, {"cpu_us": 12.0, **LOADED}),
        Run("access-log", "access-log", "ropewalk", 1, LOG_ON, {"cpu_us": 15.0, **LOADED}),
        Run("idle", "idle", "ropewalk", 1, values=idle),
        Run(
            "startup",
            "startup",
            "ropewalk",
            1,
            values={"startup_ms": 150.0, "rss_mib": 25.0, "pss_mib": 20.0},
        ),
    )
