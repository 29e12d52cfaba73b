"""Draws CPU time per request as bars, one panel for each workload, in SVG without any library."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

from .report import TITLES, figure
from .results import Results, Summary, summarise

WIDTH = 880
MARGIN = 24
GAP = 32
COLUMNS = 2
PANEL = (WIDTH - 2 * MARGIN - GAP * (COLUMNS - 1)) / COLUMNS
NAMES = 92
VALUES = 52
TITLE = 26
ROW = 21
BAR = 13
HEAD = 66

# The picture brings its own ground, so that it can be read on a page whose colours it does not know.
STYLE = """\
  text { font: 13px system-ui, -apple-system, "Segoe UI", Roboto, sans-serif; fill: #1f2328 }
  .ground { fill: #ffffff; stroke: #d1d9e0 }
  .head { font-size: 17px; font-weight: 600 }
  .title { font-weight: 600 }
  .quiet { fill: #59636e }
  .value { font-variant-numeric: tabular-nums }
  .own { font-weight: 600 }
  .axis { stroke: #d1d9e0 }
  .bar { fill: #afb8c1 }
  .bar.own { fill: #c2571a }
  @media (prefers-color-scheme: dark) {
    text { fill: #e6edf3 }
    .ground { fill: #151b23; stroke: #3d444d }
    .quiet { fill: #9198a1 }
    .axis { stroke: #3d444d }
    .bar { fill: #57606a }
    .bar.own { fill: #f0883e }
  }"""


@dataclass(frozen=True, slots=True)
class Bar:
    """One server in one panel; microseconds."""

    server: str
    value: float
    own: bool


def bars(summaries: Sequence[Summary], own: set[str]) -> list[Bar]:
    """Puts the servers that have a figure in order, the cheapest first."""
    measured = [summary for summary in summaries if summary.medians]
    ordered = sorted(measured, key=lambda summary: summary.medians["cpu_us"])
    return [Bar(summary.server, summary.medians["cpu_us"], summary.server in own) for summary in ordered]


def panel(title: str, rows: Sequence[Bar], x: float, y: float) -> list[str]:
    """Draws one workload with its upper left corner at x, y; each panel has a scale of its own."""
    axis, room = x + NAMES, PANEL - NAMES - VALUES
    most = max(bar.value for bar in rows)
    lines = [f'<text class="title" x="{x:g}" y="{y + 13:g}">{escape(title)}</text>']
    for number, bar in enumerate(rows):
        top = y + TITLE + number * ROW
        base = top + BAR - 2
        own = " own" if bar.own else ""
        length = max(1.0, bar.value / most * room)
        name = escape(bar.server)
        lines += [
            f'<text class="name{own}" x="{axis - 8:g}" y="{base:g}" text-anchor="end">{name}</text>',
            f'<rect class="bar{own}" x="{axis:g}" y="{top:g}" width="{length:.1f}" height="{BAR}" rx="2"/>',
            f'<text class="value{own}" x="{axis + length + 6:.1f}" y="{base:g}">{figure(bar.value)}</text>',
        ]
    bottom = y + TITLE + (len(rows) - 1) * ROW + BAR + 3
    lines.append(f'<line class="axis" x1="{axis:g}" y1="{y + TITLE - 3:g}" x2="{axis:g}" y2="{bottom:g}"/>')
    return lines


def draw(results: Results, own: set[str]) -> str:
    """Gives the whole picture; servers in ``own`` stand out. Workloads nobody finished are left out."""
    panels: list[tuple[str, list[Bar]]] = []
    for workload in results.workloads():
        if any(run.kind == "load" for run in results.runs if run.workload == workload):
            rows = bars(summarise(results.runs, workload, results.reference), own)
            if rows:
                panels.append((TITLES.get(workload, workload), rows))
    drawn: list[str] = []
    y: float = HEAD + MARGIN / 2
    for start in range(0, len(panels), COLUMNS):
        across = panels[start : start + COLUMNS]
        for column, (title, rows) in enumerate(across):
            drawn += panel(title, rows, MARGIN + column * (PANEL + GAP), y)
        y += TITLE + max(len(rows) for _, rows in across) * ROW + MARGIN
    size = f'width="{WIDTH}" height="{y:g}" viewBox="0 0 {WIDTH} {y:g}"'
    note = (
        "Microseconds, all processes and threads of the server; less is better. Each panel has its own scale."
    )
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" {size} role="img" aria-labelledby="title">',
            '<title id="title">CPU time per request by server and workload</title>',
            f"<style>\n{STYLE}\n</style>",
            f'<rect class="ground" x="0.5" y="0.5" width="{WIDTH - 1}" height="{y - 1:g}" rx="8"/>',
            f'<text class="head" x="{MARGIN}" y="34">CPU time per request</text>',
            f'<text class="quiet" x="{MARGIN}" y="55">{note}</text>',
            *drawn,
            "</svg>",
            "",
        ]
    )
