"""What is built is what is in the checkout: the links to the four folders lose no module and add none."""

from __future__ import annotations

import configparser
import os
import shutil
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

LAYERS = ("reactor", "server", "asgi", "wsgi")
PACKAGED = {".py", ".typed", ".html"}
LEFTOVERS = shutil.ignore_patterns("__pycache__", "*.egg-info", "*.so", ".*")


def packaged_files(root: Path) -> set[str]:
    """Every file of the package in a checkout, by its path in the wheel, read from the real folders."""
    found = set()
    for folder, prefix in [
        (root / "src/ropewalk", "ropewalk"),
        *((root / name, f"ropewalk/{name}") for name in LAYERS),
    ]:
        for path in folder.rglob("*"):
            if path.suffix in PACKAGED and "__pycache__" not in path.parts and not path.is_symlink():
                found.add(f"{prefix}/{path.relative_to(folder).as_posix()}")
    return found


def packages(files: set[str]) -> set[str]:
    """The folders that hold modules."""
    return {name.rpartition("/")[0] for name in files if name.endswith(".py")}


@pytest.fixture(scope="module")
def checkout(project_root: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of what a build reads, links kept, without what earlier builds left."""
    copy = tmp_path_factory.mktemp("build") / "checkout"
    copy.mkdir()
    for path in project_root.iterdir():
        if path.is_file() and not path.name.startswith("."):
            shutil.copy2(path, copy)
    for name in ("src", *LAYERS):
        shutil.copytree(project_root / name, copy / name, symlinks=True, ignore=LEFTOVERS)
    return copy


def build(source: Path, output: Path, *kinds: str) -> Path:
    """Build from a folder with the setuptools of this environment; returns the one file that came out."""
    command = [sys.executable, "-m", "build", "--no-isolation", *kinds, "--outdir", str(output), str(source)]
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")}
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, env=environment)
    assert done.returncode == 0, done.stdout + done.stderr
    (built,) = output.iterdir()
    return built


@pytest.fixture(scope="module")
def wheel(checkout: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A wheel built straight from the checkout."""
    return build(checkout, tmp_path_factory.mktemp("wheel"), "--wheel")


@pytest.fixture(scope="module")
def unpacked_sdist(checkout: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The source distribution, unpacked."""
    sdist = build(checkout, tmp_path_factory.mktemp("sdist"), "--sdist")
    folder = tmp_path_factory.mktemp("unpacked")
    with tarfile.open(sdist) as archive:
        archive.extractall(folder, filter="data")
    (unpacked,) = folder.iterdir()
    return unpacked


def contents(wheel: Path) -> set[str]:
    """The files of a wheel, without its metadata."""
    with zipfile.ZipFile(wheel) as archive:
        return {name for name in archive.namelist() if ".dist-info/" not in name}


def metadata(wheel: Path, name: str) -> str:
    """A metadata file of a wheel."""
    with zipfile.ZipFile(wheel) as archive:
        (found,) = (entry for entry in archive.namelist() if entry.endswith(f".dist-info/{name}"))
        return archive.read(found).decode()


def test_wheel_holds_exactly_the_files_of_the_checkout(wheel: Path, checkout: Path) -> None:
    expected = packaged_files(checkout)
    assert {"ropewalk/py.typed", "ropewalk/demo.html"} <= expected
    assert contents(wheel) == expected


def test_every_folder_of_modules_is_a_package(checkout: Path) -> None:
    files = packaged_files(checkout)
    assert {f"{folder}/__init__.py" for folder in packages(files)} <= files
    assert packages(files) >= {"ropewalk"} | {f"ropewalk/{name}" for name in LAYERS}


def test_wheel_is_pure_python_and_has_the_command(wheel: Path) -> None:
    assert wheel.name.endswith("-py3-none-any.whl")
    scripts = configparser.ConfigParser()
    scripts.read_string(metadata(wheel, "entry_points.txt"))
    assert dict(scripts["console_scripts"]) == {"ropewalk": "ropewalk.cli:main"}


def test_wheel_carries_licence_and_readme(wheel: Path, checkout: Path) -> None:
    assert metadata(wheel, "licenses/LICENSE") == (checkout / "LICENSE").read_text(encoding="utf-8")
    described = metadata(wheel, "METADATA")
    assert (checkout / "README.md").read_text(encoding="utf-8").strip() in described


def test_sdist_holds_files_and_no_links(unpacked_sdist: Path, checkout: Path) -> None:
    assert [path for path in unpacked_sdist.rglob("*") if path.is_symlink()] == []
    inside = {
        path.relative_to(unpacked_sdist / "src").as_posix() for path in unpacked_sdist.rglob("src/**/*.*")
    }
    assert {name for name in inside if Path(name).suffix in PACKAGED} == packaged_files(checkout)


def test_wheel_from_the_sdist_holds_the_same_files(unpacked_sdist: Path, wheel: Path, tmp_path: Path) -> None:
    assert contents(build(unpacked_sdist, tmp_path / "out", "--wheel")) == contents(wheel)
