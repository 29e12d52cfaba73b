"""Tests of deciding what to install; nothing is fetched."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest
from sidebyside import environment
from sidebyside.environment import EnvironmentUnusableError, normalised, prepare, wanted
from sidebyside.peers import PEERS


@pytest.mark.parametrize("name", ["Peregrine_Server", "peregrine-server", "peregrine.server"])
def test_distribution_names_are_spelt_one_way(name: str) -> None:
    assert normalised(name) == "peregrine-server"


def test_what_is_wanted_includes_the_interpreter_and_every_requirement() -> None:
    goal = wanted(PEERS)
    assert environment.interpreter() in goal
    assert {"granian", "gunicorn>=27", "gunicorn-h1c>=0.6.14", "fastapi"} <= set(goal)


def test_environment_that_holds_everything_is_used_as_it_is(tmp_path: Path) -> None:
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "python").symlink_to(sys.executable)
    record = {"wanted": [*wanted(PEERS), "something more"], "missing": {"granian": "no wheel"}}
    (tmp_path / environment.RECORD).write_text(json.dumps(record))
    said: list[str] = []
    prepared = prepare(tmp_path, PEERS, said.append)
    assert (said, prepared.missing) == ([], {"granian": "no wheel"})
    assert prepared.python == tmp_path / "bin" / "python"


def test_environment_that_cannot_be_made_says_so(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(EnvironmentUnusableError, match="no virtual environment can be made"):
        prepare(tmp_path / "file" / "peers", PEERS, lambda text: None)


def test_failed_installation_gives_the_complaint(tmp_path: Path) -> None:
    complaint = environment.pip(Path(sys.executable), ["--no-index", str(tmp_path / "nothing.whl")])
    assert complaint is not None
    assert complaint
