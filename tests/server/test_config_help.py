"""The texts for users: `--help`, the reference page, and both without source files."""

from __future__ import annotations

import importlib.util
import os
import py_compile
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import ropewalk
from ropewalk.server.config import Config, Limits
from ropewalk.server.config_arguments import CONTROLS
from ropewalk.server.config_help import field_texts, help_text, usage
from ropewalk.server.config_options import groups_of, options_of

HELP = help_text(Config)
OPTIONS = {option.keyword: option for option in options_of(Config)}


def copy_package(folder: Path) -> None:
    """Put the package into a folder, away from its distribution's metadata."""
    (package,) = map(Path, ropewalk.__path__)
    shutil.copytree(package, folder / "ropewalk", ignore=shutil.ignore_patterns("__pycache__"))


def test_help_fits_80_columns() -> None:
    assert max(map(len, HELP.splitlines())) < 80


def test_help_names_every_flag_with_what_it_takes() -> None:
    lines = {line.strip().partition("  (default")[0] for line in HELP.splitlines()}
    assert {usage(option) for option in OPTIONS.values()} <= lines
    assert {f"{c.short}, {c.flag} {c.placeholder}".strip(", ") for c in CONTROLS} <= lines


def test_help_is_grouped() -> None:
    titles = [line[:-1] for line in HELP.splitlines() if line.endswith(":") and not line.startswith(" ")]
    assert titles == [*(group.title for group in groups_of(Config).values()), "Control"]


@pytest.mark.parametrize(
    "line",
    [
        "usage: ropewalk [OPTIONS] MODULE:ATTRIBUTE",
        "  -b, --bind ENDPOINT",
        "  --port NUMBER  (default: 8000)",
        "  --limit-header-section SIZE  (default: 64KiB)",
        "  --timeout-keep-alive SECONDS  (default: 75s)",
        "  --access-log, --no-access-log  (default: on)",
        "  --loop {auto,uvloop,asyncio}  (default: auto)",
        "      The longest request line; a longer one is answered 414.",
    ],
)
def test_help_has_the_line(line: str) -> None:
    assert line in HELP.splitlines()


def test_text_of_a_field_is_its_literal_without_indentation() -> None:
    text = field_texts(Limits)["request_line"]
    assert text.startswith("The longest request line; a longer one is answered 414.\n\n8190 bytes by default")
    assert "\n " not in text


def test_class_without_source_has_no_texts() -> None:
    made_up = type("Limits", (), {"__module__": "there.is.no.such.module"})
    assert field_texts(made_up) == {}


def test_class_that_its_source_does_not_define_has_no_texts() -> None:
    assert field_texts(type("Elsewhere", (), {"__module__": "ropewalk.server.config"})) == {}


def test_class_whose_source_file_is_gone_has_no_texts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = tmp_path / "short_lived.py"
    source.write_text('class Limits:\n    line: int = 1\n    """The line."""\n')
    spec = importlib.util.spec_from_file_location("short_lived", source)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, "short_lived", module)
    spec.loader.exec_module(module)
    assert field_texts(module.Limits) == {"line": "The line."}
    source.unlink()
    assert field_texts(module.Limits) == {}


def test_version_of_a_package_that_is_not_installed_says_so(tmp_path: Path) -> None:
    copy_package(tmp_path)
    program = "from ropewalk.server.config_help import version_text; print(version_text())"
    done = subprocess.run(
        # Without site-packages, so without the metadata of the installed distribution.
        [sys.executable, "-S", "-B", "-c", program],
        env={**os.environ, "PYTHONPATH": str(tmp_path)},
        capture_output=True,
        text=True,
        check=True,
        timeout=20,
    )
    assert done.stdout.strip() == "ropewalk (not installed)"


def test_help_works_without_source_files(tmp_path: Path) -> None:
    copy_package(tmp_path)
    for source in (tmp_path / "ropewalk").rglob("*.py"):
        py_compile.compile(str(source), cfile=str(source.with_suffix(".pyc")), doraise=True)
        source.unlink()
    program = (
        "import ropewalk.server.config_sources as sources; assert sources.__file__.endswith('.pyc');"
        "print(sources.parse_command_line(['--help'], {}, '/').text)"
    )
    done = subprocess.run(
        [sys.executable, "-c", program],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(tmp_path)},
        capture_output=True,
        text=True,
        check=True,
        timeout=20,
    )
    assert "  --limit-request-line SIZE  (default: 8190)\n  --limit-header-field" in done.stdout


def test_reference_page_is_the_generated_one(project_root: Path) -> None:
    script = project_root / "docs" / "generate_options.py"
    spec = importlib.util.spec_from_file_location("generate_options", script)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    stale = "run: python docs/generate_options.py"
    assert (project_root / "docs" / "reference" / "options.md").read_text(
        encoding="utf-8"
    ) == module.page(), stale
