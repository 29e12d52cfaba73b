"""The virtual environment that all servers run in, made once and brought up to date when needed."""

from __future__ import annotations

import json
import platform
import shutil
import subprocess
import venv
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from .peers import SHARED_REQUIREMENTS, Server

INSTALL_TIMEOUT = 600
RECORD = "installed.json"


class EnvironmentUnusableError(Exception):
    """What every server needs could not be installed."""


@dataclass(frozen=True, slots=True)
class Environment:
    """An interpreter with the servers installed for it."""

    python: Path
    versions: dict[str, str]
    """Of every installed distribution, by its name in lower case with dashes."""
    missing: dict[str, str]
    """Why a server is not there, by its name."""

    def version(self, server: Server) -> str:
        return self.versions.get(normalised(server.distribution), "?")


def normalised(name: str) -> str:
    """Spells a distribution's name one way."""
    return name.lower().replace("_", "-").replace(".", "-")


def interpreter() -> str:
    """Names the Python that an environment is made for."""
    return f"python {platform.python_version()}"


def wanted(servers: Sequence[Server]) -> list[str]:
    """Lists all that should be installed, which is what decides whether an environment is up to date."""
    own = {requirement for server in servers for requirement in (*server.requirements, *server.improvements)}
    return sorted({*own, *SHARED_REQUIREMENTS, interpreter()})


def pip(python: Path, requirements: Sequence[str]) -> str | None:
    """Installs; gives the last line of pip's complaint where that fails."""
    command = [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", *requirements]
    try:
        finished = subprocess.run(
            command,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
            timeout=INSTALL_TIMEOUT,
        )
    except subprocess.TimeoutExpired:
        return f"pip did not end within {INSTALL_TIMEOUT} s"
    if finished.returncode == 0:
        return None
    complaints = [line for line in finished.stdout.splitlines() if line.startswith("ERROR")]
    return complaints[-1] if complaints else f"pip ended with {finished.returncode}"


def prepare(
    directory: Path, servers: Sequence[Server], say: Callable[[str], None], *, refresh: bool = False
) -> Environment:
    """Gives an environment that holds the servers, as far as they can be installed here.

    Raises:
        EnvironmentUnusableError: the frameworks or Ropewalk's own dependencies cannot be installed.
    """
    python = directory / "bin" / "python"
    record = directory / RECORD
    goal = wanted(servers)
    known = _read(record)
    if refresh or known is None or interpreter() not in known["wanted"]:
        shutil.rmtree(directory, ignore_errors=True)
        known = None
    if known is None or not set(goal) <= set(known["wanted"]) or not python.exists():
        known = {"wanted": goal, "missing": _install(directory, python, servers, say)}
        record.write_text(json.dumps(known, indent=2) + "\n")
    return Environment(python, _versions(python), known["missing"])


def _read(record: Path) -> dict | None:  # type: ignore[type-arg]
    try:
        return json.loads(record.read_text())  # type: ignore[no-any-return]
    except (OSError, ValueError):
        return None


def _install(
    directory: Path, python: Path, servers: Sequence[Server], say: Callable[[str], None]
) -> dict[str, str]:
    say(f"making the servers' environment in {directory.name}/ (once; a minute or so)")
    try:
        venv.create(directory, with_pip=True, clear=not python.exists())
    except (subprocess.CalledProcessError, OSError) as error:
        hint = "on Debian and Ubuntu: apt-get install python3-venv"
        raise EnvironmentUnusableError(f"no virtual environment can be made ({hint}): {error}") from error
    own = [requirement for server in servers if server.is_ropewalk for requirement in server.requirements]
    complaint = pip(python, [*SHARED_REQUIREMENTS, *own])
    if complaint:
        raise EnvironmentUnusableError(complaint)
    missing = {}
    for server in servers:
        if not server.is_ropewalk:
            say(f"  installing {server.name}")
            complaint = pip(python, server.requirements)
            if complaint:
                missing[server.name] = complaint
                say(f"  {server.name} cannot be installed here and is left out: {complaint}")
            elif server.improvements and pip(python, [*server.requirements, *server.improvements]):
                say(f"  {server.name} runs without {', '.join(server.improvements)}, not to be had here")
    return missing


def _versions(python: Path) -> dict[str, str]:
    code = (
        "import importlib.metadata as m, json;"
        "print(json.dumps({d.metadata['Name']: d.version for d in m.distributions()}))"
    )
    finished = subprocess.run(
        [str(python), "-c", code], stdout=subprocess.PIPE, text=True, check=True, timeout=60
    )
    return {normalised(name): version for name, version in json.loads(finished.stdout).items()}
