"""How a server starts, and how it says why it cannot: exit status, whose traceback, which hint."""

from __future__ import annotations

import re
import socket
import stat
import tempfile
from pathlib import Path

import pytest

from .serving import PROJECTS, run, serve

LOADING_FAILED = LISTENING_FAILED = 1
USAGE = 2
STARTUP_FAILED = 3
TRACEBACK = "Traceback (most recent call last)"
BIND = ("--bind", "127.0.0.1:0")


def frames(log: str) -> list[str]:
    """The files of the frames in the tracebacks of a log."""
    return re.findall(r'^\s*File "([^"]+)"', log, re.MULTILINE)


def test_failed_start_up_is_status_3_with_the_applications_traceback() -> None:
    done = run("startup.lifespans:raising", *BIND, "--lifespan", "on")
    assert done.returncode == STARTUP_FAILED
    assert "LookupError: the database is not there" in done.stderr
    assert any(name.endswith("startup/lifespans.py") for name in frames(done.stderr))
    assert "listening on" not in done.stderr


def test_failed_start_up_of_a_framework_is_status_3_with_its_cause() -> None:
    done = run("startup.frameworks:app", *BIND)
    assert done.returncode == STARTUP_FAILED
    assert "LookupError: the mast is broken" in done.stderr
    assert "listening on" not in done.stderr


def test_start_up_that_the_application_calls_failed_is_status_3_with_its_message() -> None:
    done = run("startup.lifespans:failing", *BIND)
    assert done.returncode == STARTUP_FAILED
    assert "no licence for this host" in done.stderr
    assert TRACEBACK not in done.stderr
    assert "listening on" not in done.stderr


def test_start_up_that_takes_too_long_is_status_3_and_names_the_option() -> None:
    done = run("startup.lifespans:hanging", *BIND, "--timeout-startup", "0.3")
    assert done.returncode == STARTUP_FAILED
    assert "timeout-startup" in done.stderr
    assert "listening on" not in done.stderr


def test_exception_that_is_not_reported_as_a_failed_start_up_is_logged_and_the_application_served() -> None:
    with serve("startup.lifespans:raising") as server:
        server.expect_traceback()
        assert "LookupError: the database is not there" in server.log
        assert "--lifespan on" in server.log


def test_application_without_a_lifespan_is_served() -> None:
    with serve("startup.lifespans:without") as server, server.client() as client:
        assert client.get("/").text == "without a lifespan"


def test_application_without_a_lifespan_is_refused_when_one_is_required() -> None:
    done = run("startup.lifespans:without", *BIND, "--lifespan", "on")
    assert done.returncode == STARTUP_FAILED
    assert "only http is served here, not lifespan" in done.stderr


def test_lifespan_that_is_off_is_not_called() -> None:
    with serve("startup.lifespans:failing", "--lifespan", "off") as server, server.client() as client:
        assert client.get("/").text == "failing"


@pytest.mark.parametrize(
    ("target", "fault", "file"),
    [
        (
            "startup.missing_import:app",
            "No module named 'a_module_that_is_not_installed'",
            "startup/models.py",
        ),
        ("startup.raising_import:app", "KeyError: 'SECRET_KEY'", "startup/raising_import.py"),
    ],
    ids=["module not installed", "exception"],
)
def test_failed_import_shows_the_applications_traceback_and_nobody_elses(
    target: str, fault: str, file: str
) -> None:
    done = run(target, *BIND)
    assert done.returncode == LOADING_FAILED
    assert "ropewalk: error: " in done.stderr
    assert fault in done.stderr
    assert target.partition(":")[0] in done.stderr
    shown = frames(done.stderr)
    assert shown
    assert shown[-1].endswith(file)
    assert all(name.startswith(str(PROJECTS)) for name in shown), shown


def test_syntax_error_is_shown_with_its_place(tmp_path: Path) -> None:
    source = (PROJECTS / "startup" / "misspelt.txt").read_text(encoding="utf-8")
    (tmp_path / "misspelt.py").write_text(source, encoding="utf-8")
    done = run("misspelt:app", *BIND, cwd=tmp_path)
    assert done.returncode == LOADING_FAILED
    assert "ropewalk: error: " in done.stderr
    assert "SyntaxError" in done.stderr
    assert 'misspelt.py", line 3' in done.stderr
    assert all(name.startswith(str(tmp_path)) for name in frames(done.stderr))


@pytest.mark.parametrize(
    ("arguments", "parts"),
    [
        (("nowhere_at_all:app",), ["nowhere_at_all", "app-dir"]),
        (("startup.nowhere:app",), ["startup.nowhere"]),
        (("startup.lifespans:rasing",), ["rasing", "raising"]),
        (("startup.lifespans",), ["startup.lifespans", ":"]),
        (("startup.factories:number",), ["callable", "int"]),
        (("startup.factories:create_nothing", "--factory"), ["callable", "None"]),
    ],
    ids=[
        "no such module",
        "no such submodule",
        "misspelt attribute",
        "no attribute",
        "not callable",
        "factory without result",
    ],
)
def test_target_that_cannot_be_found_is_one_clear_line(arguments: tuple[str, ...], parts: list[str]) -> None:
    done = run(*arguments, *BIND)
    assert done.returncode == LOADING_FAILED
    assert "ropewalk: error: " in done.stderr
    assert TRACEBACK not in done.stderr
    assert "listening on" not in done.stderr
    for part in parts:
        assert part in done.stderr


def test_no_target_is_one_clear_line() -> None:
    done = run(*BIND)
    assert done.returncode == USAGE
    assert done.stderr.startswith("ropewalk: error: ")
    assert "for example" in done.stderr
    assert done.stderr.count("\n") == 1


def test_factory_makes_the_application() -> None:
    with serve("startup.factories:create_app", "--factory") as server, server.client() as client:
        assert client.get("/").text == "made by a factory"


def test_failing_factory_shows_its_traceback() -> None:
    done = run("startup.factories:raise_in_factory", "--factory", *BIND)
    assert done.returncode == LOADING_FAILED
    assert "ropewalk: error: " in done.stderr
    assert "LookupError: the settings are not there" in done.stderr
    assert all(name.startswith(str(PROJECTS)) for name in frames(done.stderr))


def test_attribute_may_be_dotted() -> None:
    with serve("startup.factories:site.api.app") as server, server.client() as client:
        assert client.get("/").text == "without a lifespan"


def test_app_dir_leads_to_the_application(tmp_path: Path) -> None:
    with (
        serve("far_away:app", "--app-dir", PROJECTS / "elsewhere", cwd=tmp_path) as server,
        server.client() as client,
    ):
        assert client.get("/").text.startswith("far away")


def test_without_app_dir_the_application_is_not_found(tmp_path: Path) -> None:
    done = run("far_away:app", *BIND, cwd=tmp_path)
    assert done.returncode != 0
    assert "far_away" in done.stderr


def test_port_in_use_is_told_and_the_started_application_is_shut_down(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        done = run("raw_site:app", "--bind", f"127.0.0.1:{port}", env={"SITE_MARKS": str(tmp_path)})
    assert done.returncode == LISTENING_FAILED
    assert sorted(mark.name for mark in tmp_path.iterdir()) == ["shutdown", "startup"]
    assert str(port) in done.stderr
    assert "in use" in done.stderr
    assert TRACEBACK not in done.stderr


def test_endpoint_that_makes_no_sense_is_one_clear_line() -> None:
    done = run("startup.lifespans:without", "--bind", "127.0.0.1:99999")
    assert done.returncode == USAGE
    assert "ropewalk: error: " in done.stderr
    assert "99999" in done.stderr
    assert TRACEBACK not in done.stderr


def test_several_endpoints_serve_the_same_application() -> None:
    with tempfile.TemporaryDirectory(prefix="rw-") as folder:
        path = Path(folder, "app.sock")
        endpoint = f"unix:{path}:mode=600"
        with serve("startup.lifespans:without", "--bind", endpoint) as server:
            match = server.wait_for_log(r"listening on http://127\.0\.0\.1:(\d+)")
            assert stat.S_IMODE(path.stat().st_mode) == 0o600
            server.socket_path, server.url = str(path), ""
            with server.client() as client:
                assert client.get("/").text == "without a lifespan"
            server.socket_path, server.url = "", f"http://127.0.0.1:{match[1]}"
            with server.client() as client:
                assert client.get("/").text == "without a lifespan"


def test_inherited_socket_is_served() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port = listening.getsockname()[1]
        with serve(
            "startup.lifespans:without", bind=f"fd:{listening.fileno()}", pass_fds=(listening.fileno(),)
        ) as server:
            assert server.port == port
            with server.client() as client:
                assert client.get("/").text == "without a lifespan"
