"""What was measured: single runs, files of them, and the median over the rounds."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from statistics import median
from typing import Any

LOG_OFF = "access log off"
LOG_ON = "access log on"
PRIMARY = {
    "load": "cpu_us",
    "access-log": "cpu_us",
    "idle": "kib_per_connection",
    "startup": "startup_ms",
}
"""The value that servers are compared by, for each kind of workload: the less, the better."""


class MismatchError(ValueError):
    """Results that may not be put into one table."""


@dataclass(frozen=True, slots=True)
class Run:
    """One server under one workload once."""

    workload: str
    kind: str
    server: str
    round: int
    variant: str = ""
    """LOG_OFF or LOG_ON where a workload runs a server in both ways."""
    values: dict[str, float] = field(default_factory=dict)
    errors: dict[str, int] = field(default_factory=dict)
    """Requests that got no right answer, by kind; they are not among the completed ones."""
    failure: str | None = None
    """Why there are no values."""


@dataclass(frozen=True, slots=True)
class Summary:
    """All rounds of one server under one workload."""

    server: str
    variant: str
    medians: dict[str, float]
    """Empty where no round succeeded."""
    low: float
    high: float
    """Least and greatest of the primary value."""
    ratio: float | None
    """Median of the primary value by that of the reference; None where either is missing."""
    errors: dict[str, int]
    failures: tuple[str, ...]


@dataclass(slots=True)
class Results:
    """One invocation's runs with all that is needed to judge them."""

    measured: str
    """Date in UTC."""
    reference: str | None
    """The server that the others are compared with."""
    machine: dict[str, Any]
    versions: dict[str, str]
    options: dict[str, Any]
    missing: dict[str, str] = field(default_factory=dict)
    runs: list[Run] = field(default_factory=list)

    def save(self, path: Path) -> None:
        """Writes a file that load() reads back."""
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(asdict(self), indent=1, sort_keys=True) + "\n")

    @classmethod
    def load(cls, path: Path) -> Results:
        """Reads a file; MismatchError where it is none of ours."""
        try:
            content = json.loads(path.read_text())
            content["runs"] = [Run(**run) for run in content["runs"]]
            return cls(**content)
        except (ValueError, KeyError, TypeError) as error:
            raise MismatchError(f"{path} does not hold benchmark results: {error}") from error

    def workloads(self) -> list[str]:
        """Names in the order they were run."""
        return list(dict.fromkeys(run.workload for run in self.runs))


def merge(parts: Sequence[Results]) -> Results:
    """Puts together what was measured in several invocations.

    Raises:
        MismatchError: they differ in machine, versions, options or reference, or repeat a workload.
    """
    first = parts[0]
    merged = Results(
        first.measured,
        first.reference,
        first.machine,
        dict(first.versions),
        first.options,
        dict(first.missing),
    )
    for part in parts:
        for fact in ("cpu", "cores", "kernel", "python"):
            if part.machine.get(fact) != first.machine.get(fact):
                raise MismatchError(f"{fact}: {first.machine.get(fact)!r} and {part.machine.get(fact)!r}")
        for name, version in part.versions.items():
            if merged.versions.setdefault(name, version) != version:
                raise MismatchError(f"{name}: versions {merged.versions[name]} and {version}")
        if (part.options, part.reference) != (first.options, first.reference):
            raise MismatchError("measured with different options")
        repeated = set(part.workloads()) & set(merged.workloads())
        if repeated:
            raise MismatchError(f"measured twice: {', '.join(sorted(repeated))}")
        merged.missing.update(part.missing)
        merged.runs.extend(part.runs)
    return merged


def summarise(runs: Iterable[Run], workload: str, reference: str | None) -> list[Summary]:
    """Gives one line per server, and per variant of it, in the order they first ran.

    A variant is compared with its own server's LOG_OFF, everything else with the reference.
    """
    groups: dict[tuple[str, str], list[Run]] = {}
    for run in runs:
        if run.workload == workload:
            groups.setdefault((run.server, run.variant), []).append(run)
    middles = {
        key: median(run.values[PRIMARY[run.kind]] for run in group if run.failure is None)
        for key, group in groups.items()
        if any(run.failure is None for run in group)
    }
    summaries = []
    for (server, variant), group in groups.items():
        middle = middles.get((server, variant))
        against = middles.get((server, LOG_OFF) if variant else (reference or "", ""))
        good = [run for run in group if run.failure is None]
        primary = [run.values[PRIMARY[run.kind]] for run in good]
        errors: dict[str, int] = {}
        for run in group:
            for kind, count in run.errors.items():
                errors[kind] = errors.get(kind, 0) + count
        summaries.append(
            Summary(
                server=server,
                variant=variant,
                medians={name: median(run.values[name] for run in good) for name in good[0].values}
                if good
                else {},
                low=min(primary, default=0.0),
                high=max(primary, default=0.0),
                ratio=middle / against if middle is not None and against else None,
                errors=errors,
                failures=tuple(dict.fromkeys(run.failure for run in group if run.failure is not None)),
            )
        )
    return summaries
