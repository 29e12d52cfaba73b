"""Tests of the tables and of putting them into a page."""

from __future__ import annotations

from pathlib import Path

import pytest
from sidebyside import report
from sidebyside.report import BEGIN, END, NoMarksError, document, figure, put_between_marks, section, table
from sidebyside.results import Run
from tests.benchmarks import sample


def row(text: str, start: str) -> list[str]:
    (line,) = [line for line in text.splitlines() if line.startswith(f"| {start} ")]
    return [cell.strip() for cell in line.strip("|").split("|")]


def test_table_lines_up_and_sets_figures_to_the_right() -> None:
    assert table(("Server", "µs"), [("a", "1,234"), ("longer name", "5")]) == (
        "| Server      |    µs |\n|-------------|------:|\n| a           | 1,234 |\n| longer name |     5 |"
    )


@pytest.mark.parametrize(
    ("value", "text"), [(1234.5, "1,234"), (100.0, "100"), (99.94, "99.9"), (12.34, "12.3"), (2.345, "2.35")]
)
def test_figure_has_about_three_digits(value: float, text: str) -> None:
    assert figure(value) == text


def test_load_row_holds_cost_range_ratio_and_the_rest() -> None:
    text = section(sample.make(sample.load("ropewalk", 12.0), sample.load("uvicorn", 30.0)), "hello")
    assert row(text, "uvicorn") == [
        "uvicorn",
        "30.0",
        "30.0 to 30.0",
        "2.50",
        "40,123",
        "3.21",
        "32.5",
        "26.8",
    ]


def test_errors_are_marked_and_told_below_the_table() -> None:
    text = section(sample.make(sample.load("ropewalk", 12.0, errors={"read": 2, "status": 1500})), "hello")
    assert row(text, "ropewalk †")[1] == "12.0"
    assert "† ropewalk: errors not counted as completed requests: 2 read, 1,500 status." in text


def test_failure_is_shown_in_place_of_figures_with_its_reason() -> None:
    failed = Run("hello", "load", "granian", 1, failure="ended with 1:\nno module")
    text = section(sample.make(sample.load("ropewalk", 12.0), failed), "hello")
    assert row(text, "granian †") == ["granian †", "failed", *["n/a"] * 6]
    assert "† granian: a run failed: ended with 1: no module" in text


@pytest.mark.parametrize("workload", ["hello", "access-log", "idle", "startup"])
def test_every_kind_of_workload_has_a_table_with_equal_columns(workload: str) -> None:
    text = section(sample.of_every_kind(), workload)
    lines = [line for line in text.splitlines() if line.startswith("|")]
    assert len(lines) >= 3
    assert len({line.count("|") for line in lines}) == 1


def test_document_says_machine_versions_and_every_workload() -> None:
    text = document(sample.of_every_kind())
    for part in ("Some CPU", "CPython 3.11", "wrk 4.1", "ropewalk 0.1 (abc)", "uvicorn 0.54", "### Start-up"):
        assert part in text
    assert text.count("### ") == 4


def test_document_names_servers_that_could_not_be_installed() -> None:
    results = sample.of_every_kind()
    results.missing = {"peregrine": "no wheel"}
    assert "not measured: peregrine." in document(results)


def test_only_what_stands_between_the_marks_is_replaced() -> None:
    page = f"# Page\n\n{BEGIN}\n\nold\n\n{END}\n\nmore\n"
    written = put_between_marks(page, "\nnew\n")
    assert written == f"# Page\n\n{BEGIN}\n\nnew\n\n{END}\n\nmore\n"
    assert put_between_marks(written, "new") == written


@pytest.mark.parametrize(
    "page",
    ["", BEGIN, END, f"{END}{BEGIN}", f"{BEGIN}{BEGIN}{END}", f"{BEGIN}{END}{END}"],
    ids=["none", "begin", "end", "wrong order", "two begins", "two ends"],
)
def test_page_without_a_clear_place_is_refused(page: str) -> None:
    with pytest.raises(NoMarksError):
        put_between_marks(page, "new")


def test_documentation_page_has_the_marks_and_takes_results(tmp_path: Path, project_root: Path) -> None:
    page = (project_root / "docs" / "explanation" / "performance.md").read_text()
    (tmp_path / "performance.md").write_text(page)
    written = report.write_docs(tmp_path, sample.of_every_kind(), "<svg/>")
    assert written == [tmp_path / "performance.md", tmp_path / "performance.svg"]
    text = (tmp_path / "performance.md").read_text()
    assert "](performance.svg)" in text
    assert "### “Hello, world!”" in text
    assert text.startswith(page[: page.index(BEGIN)])


def test_page_without_marks_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "performance.md").write_text("# Page\n")
    with pytest.raises(NoMarksError):
        report.write_docs(tmp_path, sample.of_every_kind(), "<svg/>")
    assert [path.name for path in tmp_path.iterdir()] == ["performance.md"]
    assert (tmp_path / "performance.md").read_text() == "# Page\n"
