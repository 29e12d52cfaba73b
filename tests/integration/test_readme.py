"""What the README shows works as it stands there."""

from __future__ import annotations

import re
from pathlib import Path

from .serving import serve


def test_python_example_of_the_readme_is_served(project_root: Path, tmp_path: Path) -> None:
    readme = (project_root / "README.md").read_text(encoding="utf-8")
    (example,) = re.findall(r"^```python\n(.*?)^```$", readme, re.MULTILINE | re.DOTALL)
    (tmp_path / "example.py").write_text(example, encoding="utf-8")
    with serve("example:app", cwd=tmp_path) as server, server.client() as client:
        assert client.get("/").text == "Heave ho!\n"


def test_quick_start_is_two_targets_of_the_makefile(project_root: Path) -> None:
    readme = (project_root / "README.md").read_text(encoding="utf-8")
    quick_start = readme.partition("## Quick start")[2].partition("\n## ")[0]
    commands = re.findall(r"^make ([a-z-]+)", quick_start, re.MULTILINE)
    assert commands == ["demo", "test"]
    makefile = (project_root / "Makefile").read_text(encoding="utf-8")
    for target in commands:
        assert re.search(rf"^{target}:", makefile, re.MULTILINE)


def test_files_that_the_readme_links_to_exist(project_root: Path) -> None:
    readme = (project_root / "README.md").read_text(encoding="utf-8")
    for target in re.findall(r"\]\(([^)#:]+)\)", readme):
        assert (project_root / target).exists(), target
