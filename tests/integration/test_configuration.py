"""That options from every source really reach the running server."""

from __future__ import annotations

import os
import subprocess
import sys
import tomllib
from importlib.metadata import version
from pathlib import Path

import pytest

from .serving import PROJECTS, environment, run, serve

BIND = ("--bind", "127.0.0.1:0")
FAR_AWAY = PROJECTS / "elsewhere"
TRACEBACK = "Traceback"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """An empty folder to run the server in."""
    return tmp_path


def configure(folder: Path, text: str, name: str = "ropewalk.toml") -> Path:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


def test_environment_takes_effect(folder: Path) -> None:
    env = {
        "ROPEWALK_TARGET": "far_away:app",
        "ROPEWALK_BIND": "127.0.0.1:0",
        "ROPEWALK_APP_DIR": str(FAR_AWAY),
        "ROPEWALK_ROOT_PATH": "/from/environment",
        "ROPEWALK_LIMIT_REQUEST_LINE": "100",
    }
    with serve("", bind=None, cwd=folder, env=env) as server, server.client() as client:
        assert client.get("/").text == "far away, root_path='/from/environment'"
        assert client.get("/" + "x" * 100).status_code == 414


def test_file_takes_effect(folder: Path) -> None:
    configure(
        folder,
        f"""
        [application]
        target = "far_away:app"
        app_dir = {str(FAR_AWAY)!r}
        root_path = "/from/file"

        [listening]
        bind = ["127.0.0.1:0"]

        [limits]
        header_count = 12
        """,
    )
    with serve("", bind=None, cwd=folder) as server, server.client() as client:
        assert client.get("/").text == "far away, root_path='/from/file'"
        assert client.get("/", headers={f"X-{number}": "1" for number in range(12)}).status_code == 431


def test_named_file_takes_effect(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    path = configure(tmp_path_factory.mktemp("etc"), "root_path = '/named'\n", "other.toml")
    options = ("--config", path, "--app-dir", FAR_AWAY)
    with serve("far_away:app", *options, cwd=folder) as server, server.client() as client:
        assert client.get("/").text == "far away, root_path='/named'"


def test_command_line_wins_over_environment_and_environment_over_file(folder: Path) -> None:
    configure(folder, "root_path = '/file'\n[limits]\nrequest_line = 90\nheader_count = 9\n")
    env = {"ROPEWALK_ROOT_PATH": "/environment", "ROPEWALK_LIMIT_REQUEST_LINE": "200"}
    options = ("--app-dir", FAR_AWAY, "--root-path", "/command/line")
    with serve("far_away:app", *options, cwd=folder, env=env) as server, server.client() as client:
        assert client.get("/").text == "far away, root_path='/command/line'"
        assert client.get("/" + "x" * 120).status_code == 200
        assert client.get("/" + "x" * 200).status_code == 414
        assert client.get("/", headers={f"X-{number}": "1" for number in range(9)}).status_code == 431


@pytest.mark.parametrize(
    ("options", "present"),
    [((), True), (("--no-server-header", "--no-date-header"), False)],
    ids=["by default", "switched off"],
)
def test_server_and_date_fields(options: tuple[str, ...], present: bool) -> None:
    with (
        serve("far_away:app", "--app-dir", "elsewhere", *options) as server,
        server.client() as client,
    ):
        fields = client.get("/").headers
        assert ("server" in fields, "date" in fields) == (present, present)


def test_access_log_names_the_request(folder: Path) -> None:
    with serve("far_away:app", "--app-dir", FAR_AWAY, cwd=folder) as server, server.client() as client:
        client.get("/a/path?and=query")
        server.wait_for_log(r"GET /a/path\?and=query\b.*\b200\b")


def test_access_log_can_be_switched_off(folder: Path) -> None:
    options = ("--app-dir", FAR_AWAY, "--no-access-log")
    with serve("far_away:app", *options, cwd=folder) as server, server.client() as client:
        client.get("/a/path")
        assert server.stop() == 0
        assert "/a/path" not in server.log


@pytest.mark.parametrize("loop", ["uvloop", "asyncio"])
def test_loop_is_the_one_that_was_asked_for(loop: str) -> None:
    if loop == "uvloop":
        pytest.importorskip("uvloop")
    with serve("loop_site:app", "--loop", loop) as server, server.client() as client:
        assert client.get("/").text.split(".")[0] == loop


def test_requests_on_one_connection_can_be_limited(folder: Path) -> None:
    options = ("--app-dir", FAR_AWAY, "--limit-requests", "2")
    with serve("far_away:app", *options, cwd=folder) as server, server.connect() as wire:
        assert "connection" not in wire.exchange("/").headers
        assert wire.exchange("/").headers["connection"] == "close"
        assert wire.read_to_end() == b""


def test_body_larger_than_its_limit_is_413(folder: Path) -> None:
    options = ("--limit-request-body", "1k")
    with (
        serve("raw_site:app", *options, env={"SITE_MARKS": str(folder)}) as server,
        server.client() as client,
    ):
        assert client.post("/echo", content=b"x" * 1024).status_code == 200
        assert client.post("/echo", content=b"x" * 1025).status_code == 413


def test_idle_connection_is_closed_after_the_keep_alive_timeout(folder: Path) -> None:
    options = ("--app-dir", FAR_AWAY, "--timeout-keep-alive", "0.2")
    with serve("far_away:app", *options, cwd=folder) as server, server.connect() as wire:
        assert wire.exchange("/").status == 200
        assert wire.read_to_end() == b""


def test_head_that_does_not_end_is_408(folder: Path) -> None:
    options = ("--app-dir", FAR_AWAY, "--timeout-head", "0.2")
    with serve("far_away:app", *options, cwd=folder) as server, server.connect() as wire:
        wire.send(b"GET / HTTP/1.1\r\nHost: te")
        answer = wire.answer()
        assert (answer.status, answer.headers["connection"]) == (408, "close")


def test_check_config_says_so_and_starts_nothing(folder: Path) -> None:
    done = run("far_away:app", *BIND, "--app-dir", FAR_AWAY, "--check-config", cwd=folder)
    assert done.returncode == 0
    assert "listening on" not in done.stdout + done.stderr


def test_check_config_finds_that_the_application_is_not_there(folder: Path) -> None:
    done = run("far_away:application", *BIND, "--app-dir", FAR_AWAY, "--check-config", cwd=folder)
    assert done.returncode == 1
    assert "far_away" in done.stderr


@pytest.mark.parametrize(
    ("arguments", "env", "text", "parts"),
    [
        (("--limit-request-lin", "5"), {}, "", ["--limit-request-lin", "--limit-request-line"]),
        (("--timeout-head", "soon"), {}, "", ["--timeout-head", "soon"]),
        (
            (),
            {"ROPEWALK_LIMIT_REQEST_LINE": "5"},
            "",
            ["ROPEWALK_LIMIT_REQEST_LINE", "ROPEWALK_LIMIT_REQUEST_LINE"],
        ),
        ((), {"ROPEWALK_LOOP": "tornado"}, "", ["ROPEWALK_LOOP", "tornado", "asyncio"]),
        ((), {}, "[limits]\nrequest_lin = 5\n", ["request_lin", "request_line", "ropewalk.toml"]),
        ((), {}, "[limit]\nrequest_line = 5\n", ["limit", "limits", "ropewalk.toml"]),
        ((), {}, "[limits]\nrequest_line = -5\n", ["request_line", "-5", "ropewalk.toml"]),
        ((), {}, "[limits\n", ["ropewalk.toml"]),
        (("--config", "nowhere.toml"), {}, "", ["nowhere.toml"]),
    ],
    ids=[
        "unknown flag",
        "bad value of a flag",
        "unknown variable",
        "bad value of a variable",
        "unknown key",
        "unknown table",
        "bad value of a key",
        "broken file",
        "missing file",
    ],
)
@pytest.mark.parametrize("check", [(), ("--check-config",)], ids=["run", "check"])
def test_mistake_is_refused_with_status_2_and_a_hint(
    folder: Path,
    check: tuple[str, ...],
    arguments: tuple[str, ...],
    env: dict[str, str],
    text: str,
    parts: list[str],
) -> None:
    if text:
        configure(folder, text)
    done = run("far_away:app", *BIND, "--app-dir", FAR_AWAY, *arguments, *check, cwd=folder, env=env)
    assert done.returncode == 2
    assert TRACEBACK not in done.stderr
    for part in parts:
        assert part in done.stderr


def test_printed_configuration_loads_back_to_the_same(folder: Path) -> None:
    env = {"ROPEWALK_TIMEOUT_HEAD": "1500ms"}
    first = run("far_away:app", *BIND, "--limit-linger", "2m", "--print-config", cwd=folder, env=env)
    assert first.returncode == 0, first.stderr
    assert tomllib.loads(first.stdout)["limits"]["linger"] in (2 << 20, "2MiB")
    path = configure(folder, first.stdout, "printed.toml")
    second = run("--config", path, "--print-config", cwd=folder)
    assert second.returncode == 0, second.stderr
    assert tomllib.loads(second.stdout) == tomllib.loads(first.stdout)


def test_printed_configuration_is_what_a_server_runs_with(folder: Path) -> None:
    options = ("--app-dir", FAR_AWAY, "--root-path", "/printed", *BIND)
    printed = run("far_away:app", *options, "--print-config", cwd=folder)
    path = configure(folder, printed.stdout, "printed.toml")
    with serve("", "--config", path, bind=None, cwd=folder) as server, server.client() as client:
        assert client.get("/").text == "far away, root_path='/printed'"


def test_version_is_the_distributions(folder: Path) -> None:
    done = run("--version", cwd=folder)
    assert (done.returncode, done.stdout.strip()) == (0, f"ropewalk {version('ropewalk')}")


def test_help_names_every_group(folder: Path) -> None:
    done = run("--help", cwd=folder)
    assert done.returncode == 0
    for flag in ("--bind", "--limit-request-line", "--timeout-graceful", "--factory", "--print-config"):
        assert flag in done.stdout
    assert max(map(len, done.stdout.splitlines())) <= 80


def test_command_is_the_same_as_the_module(folder: Path) -> None:
    program = Path(sys.executable).with_name("ropewalk.exe" if os.name == "nt" else "ropewalk")
    if not program.exists():
        pytest.skip("the command is not installed beside this interpreter")
    done = subprocess.run(
        [program, "--version"],
        cwd=folder,
        env=environment(),
        capture_output=True,
        text=True,
        timeout=20,
        check=True,
    )
    assert done.stdout == run("--version", cwd=folder).stdout
