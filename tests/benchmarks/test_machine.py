"""Tests of describing the machine and the checkout."""

from __future__ import annotations

import platform
import subprocess
from pathlib import Path

import pytest
from sidebyside import machine


def test_processor_name_is_read_from_its_first_core() -> None:
    text = "processor\t: 0\nmodel name\t: Some CPU @ 3 GHz\n\nprocessor\t: 1\nmodel name\t: Other\n"
    assert machine.cpu_model(text) == "Some CPU @ 3 GHz"


def test_processor_without_a_name_is_called_by_its_architecture() -> None:
    assert machine.cpu_model("processor\t: 0\nBogoMIPS\t: 48\n") == platform.machine()


def test_description_holds_what_a_figure_depends_on_and_no_names() -> None:
    facts = machine.describe()
    assert facts.keys() == {"cpu", "cores", "memory_gib", "kernel", "python", "load_at_start"}
    assert platform.node() not in facts.values()


def test_commit_outside_git_is_unknown(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    assert machine.commit(tmp_path) == "unknown"


def test_commit_of_a_changed_checkout_is_marked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("GIT_AUTHOR_NAME", "GIT_AUTHOR_EMAIL", "GIT_COMMITTER_NAME", "GIT_COMMITTER_EMAIL"):
        monkeypatch.setenv(name, "test@example.org")
    (tmp_path / "file").write_text("one")
    for command in (["init", "-q"], ["add", "file"], ["commit", "-q", "-m", "one"], ["tag", "v1"]):
        subprocess.run(["git", "-C", str(tmp_path), *command], check=True)
    clean = machine.commit(tmp_path)
    (tmp_path / "file").write_text("two")
    assert len(clean) == 12
    assert machine.commit(tmp_path) == f"{clean}-dirty"


def test_missing_load_generator_is_no_error(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert machine.wrk_version() is None
