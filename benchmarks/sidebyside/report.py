"""Writes results as Markdown, by itself or between two marks of a page."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from .results import Results, Summary, summarise
from .workloads import WORKLOADS

BEGIN = "<!-- benchmark results begin: written by benchmarks/run.py --write-docs -->"
END = "<!-- benchmark results end -->"
CHART = "performance.svg"
TITLES = {workload.name: workload.title for workload in WORKLOADS}


class NoMarksError(ValueError):
    """A page has no place for the results."""


def table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Lays out a Markdown table: first column to the left, figures to the right."""
    widths = [max(len(row[column]) for row in (heads, *rows)) for column in range(len(heads))]

    def line(cells: Sequence[str]) -> str:
        padded = [cells[0].ljust(widths[0])]
        padded += [cell.rjust(width) for cell, width in zip(cells[1:], widths[1:], strict=True)]
        return "| " + " | ".join(padded) + " |"

    rule = "|" + "-" * (widths[0] + 2) + "|" + "".join("-" * (width + 1) + ":|" for width in widths[1:])
    return "\n".join([line(heads), rule, *map(line, rows)])


def figure(value: float) -> str:
    """Writes a figure with three digits that mean something, or all those before the point."""
    if value >= 100:
        return f"{value:,.0f}"
    return f"{value:.1f}" if value >= 10 else f"{value:.2f}"


def section(results: Results, workload: str) -> str:
    """One workload's heading, table and notes."""
    kind = next(run.kind for run in results.runs if run.workload == workload)
    summaries = summarise(results.runs, workload, results.reference)
    heads, columns = _COLUMNS[kind]
    against = "log off" if kind == "access-log" else results.reference or "reference"
    rows = []
    for summary in summaries:
        name = f"{summary.server}, {summary.variant}" if summary.variant else summary.server
        mark = " †" if summary.errors or summary.failures else ""
        if not summary.medians:
            rows.append([name + mark, "failed", *["n/a"] * (len(heads) + 1)])
            continue
        ratio = "n/a" if summary.ratio is None else f"{summary.ratio:.2f}"
        spread = f"{figure(summary.low)} to {figure(summary.high)}"
        first, *rest = (figure(summary.medians[column]) for column in columns)
        rows.append([name + mark, first, spread, ratio, *rest])
    heads = ("Server", heads[0], "from least to most", f"ratio to {against}", *heads[1:])
    lines = [f"### {TITLES.get(workload, workload)}", "", table(heads, rows)]
    notes = [note for summary in summaries for note in _notes(summary)]
    if notes:
        lines += ["", *notes]
    return "\n".join(lines)


_COLUMNS: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "load": (
        ("CPU µs/request", "requests/s", "p99 ms", "RSS MiB", "PSS MiB"),
        ("cpu_us", "requests_per_second", "p99_ms", "rss_mib", "pss_mib"),
    ),
    "access-log": (
        ("CPU µs/request", "requests/s", "p99 ms"),
        ("cpu_us", "requests_per_second", "p99_ms"),
    ),
    "idle": (
        ("KiB/connection", "connections", "RSS before, MiB", "after"),
        ("kib_per_connection", "connections", "rss_before_mib", "rss_after_mib"),
    ),
    "startup": (
        ("ms to first answer", "RSS MiB", "PSS MiB"),
        ("startup_ms", "rss_mib", "pss_mib"),
    ),
}
"""Heads and values for each kind, the primary one first."""


def _notes(summary: Summary) -> list[str]:
    name = f"{summary.server}, {summary.variant}" if summary.variant else summary.server
    notes = [f"† {name}: a run failed: {' '.join(why.split())[-300:]}  " for why in summary.failures]
    if summary.errors:
        counts = ", ".join(f"{count:,} {kind}" for kind, count in sorted(summary.errors.items()))
        notes.append(f"† {name}: errors not counted as completed requests: {counts}.  ")
    return notes


def provenance(results: Results) -> str:
    """Says where and how the figures came about."""
    machine, options = results.machine, results.options
    versions = ", ".join(f"{name} {version}" for name, version in results.versions.items())
    where = f"{machine['cpu']}, {machine['cores']} cores, {machine['kernel']}, {machine['python']}"
    often = f"{options['rounds']} round(s) of {options['seconds']} s"
    special = f"{options['startups']} starts, {options['idle_connections']:,} idle connections"
    lines = [
        f"Measured on {results.measured}: {where}, wrk {machine.get('wrk', '?')}.",
        f"Medians of {often} ({special}).",
        "",
        f"Versions: {versions}.",
    ]
    if results.missing:
        lines += ["", f"Not installable there, so not measured: {', '.join(sorted(results.missing))}."]
    return "\n".join(lines)


def document(results: Results) -> str:
    """Everything, as it goes into the page or onto the screen."""
    parts = [provenance(results), *(section(results, workload) for workload in results.workloads())]
    return "\n\n".join(parts)


def put_between_marks(page: str, content: str) -> str:
    """Replaces what stands between the marks; NoMarksError where they are not both there once, in order."""
    before, begin, rest = page.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end or BEGIN in rest or END in after:
        raise NoMarksError("the page needs the two marks for benchmark results, once each")
    return f"{before}{BEGIN}\n\n{content.strip()}\n\n{END}{after}"


def write_docs(folder: Path, results: Results, chart: str) -> list[Path]:
    """Puts tables and chart into docs/explanation; gives the files written."""
    page, picture = folder / "performance.md", folder / CHART
    image = "![CPU time per request by server and workload; the tables below hold the same figures]"
    content = f"{image}({CHART})\n\n{document(results)}"
    written = put_between_marks(page.read_text(), content)
    picture.write_text(chart)
    page.write_text(written)
    return [page, picture]
