"""The command: exit codes, what is said on which stream, and a whole run of it as a process."""

from __future__ import annotations

import logging
import os
import re
import socket
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from tests.integration.serving import run, serve
from tests.served import Log

import ropewalk
from ropewalk.cli import main

LOADING = LISTENING = 1
USAGE = 2
STARTUP = 3


@pytest.fixture(autouse=True)
def _no_settings(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, package_logger: logging.Logger) -> None:
    """Keep the settings of whoever runs the tests out, and the command's logging in."""
    for name in os.environ:
        if name.startswith("ROPEWALK_"):
            monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)


def test_version_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--version"]) == 0
    captured = capsys.readouterr()
    assert ropewalk.__version__ in captured.out
    assert captured.err == ""


@pytest.mark.parametrize("flag", ["--help", "-h"])
def test_help_names_the_options(flag: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([flag]) == 0
    captured = capsys.readouterr()
    assert "--timeout-keep-alive" in captured.out
    assert captured.err == ""


def test_help_is_given_whatever_the_environment_holds(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("ROPEWALK_PORT", "nonsense")
    assert main(["--help"]) == 0


def test_configuration_is_printed_without_the_application_being_loaded(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(["no_such_module:app", "--port", "8123", "--print-config"]) == 0
    captured = capsys.readouterr()
    assert "port = 8123" in captured.out
    assert "no_such_module:app" in captured.out
    assert captured.err == ""


def test_printed_configuration_can_be_read_again(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["answering:app", "--limit-request-line", "4321", "--print-config"]) == 0
    text = capsys.readouterr().out
    assert "4321" in text
    (tmp_path / "ropewalk.toml").write_text(text, encoding="utf-8")
    assert main(["--print-config"]) == 0
    assert tomllib.loads(capsys.readouterr().out) == tomllib.loads(text)


@pytest.mark.parametrize("arguments", [(), ("--port", "8123"), ("--check-config",)])
def test_command_without_an_application_says_how_to_name_one(
    arguments: tuple[str, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([*arguments]) == USAGE
    captured = capsys.readouterr()
    assert captured.err.startswith("ropewalk: error: no application was named")
    assert "mysite.asgi:application" in captured.err
    assert captured.out == ""


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        pytest.param(["--no-such-option"], "--no-such-option", id="unknown-option"),
        pytest.param(["--prot", "80"], "--port", id="misspelt-option"),
        pytest.param(["app:app", "--port", "many"], "--port", id="no-number"),
        pytest.param(["app:app", "--port", "70000"], "--port", id="out-of-range"),
        pytest.param(["app:app", "--bind", "127.0.0.1:http"], "--bind", id="bad-endpoint"),
        pytest.param(["app:app", "--bind", "teapot:1:2"], "--bind", id="unknown-endpoint"),
        pytest.param(["app:app", "--lifespan", "maybe"], "--lifespan", id="no-choice"),
        pytest.param(["app:app", "--config", "no-such-file.toml"], "no-such-file.toml", id="no-file"),
        pytest.param(["app:app", "other:app"], "other:app", id="two-targets"),
    ],
)
def test_wrong_option_is_one_line_that_names_it(
    arguments: list[str], words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(arguments) == USAGE
    captured = capsys.readouterr()
    assert captured.err.startswith("ropewalk: error: ")
    assert captured.err.count("\n") == 1
    assert words in captured.err
    assert captured.out == ""


def test_wrong_variable_is_named(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv("ROPEWALK_PORTT", "80")
    assert main(["answering:app"]) == USAGE
    assert "ROPEWALK_PORTT" in capsys.readouterr().err


def test_option_without_effect_is_a_warning(apps: Path, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["answering:app", "--app-dir", str(apps), "--port", "1", "--bind", "127.0.0.1:0"]
    assert main([*arguments, "--check-config"]) == 0
    captured = capsys.readouterr()
    assert captured.err.startswith("ropewalk: warning: --port")
    assert captured.err.count("\n") == 1


def test_check_loads_the_application_and_says_that_all_is_well(
    apps: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["answering:app", "--app-dir", str(apps), "--check-config"]) == 0
    captured = capsys.readouterr()
    assert captured.out == "the configuration and the application are in order\n"
    assert captured.err == ""


@pytest.mark.parametrize("action", [(), ("--check-config",)])
@pytest.mark.parametrize(
    ("target", "options", "words"),
    [
        pytest.param("answering", (), "named as module:attribute", id="malformed"),
        pytest.param("no_such_module:app", (), "there is no module", id="no-module"),
        pytest.param("missing_dependency:app", (), "needs the module", id="no-dependency"),
        pytest.param("answering:ap", (), "did you mean 'app'?", id="no-attribute"),
        pytest.param("factories:not_callable", (), "a callable, not int", id="not-callable"),
        pytest.param("factories:create_app", (), "--factory", id="factory-unsaid"),
        pytest.param("factories:create_nothing", ("--factory",), "not NoneType", id="factory-of-none"),
        pytest.param("wsgi:app", (), "as a WSGI application does", id="wsgi"),
    ],
)
def test_application_that_cannot_be_loaded_is_exit_code_1(
    apps: Path,
    target: str,
    options: tuple[str, ...],
    words: str,
    action: tuple[str, ...],
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main([target, "--app-dir", str(apps), *options, *action]) == LOADING
    captured = capsys.readouterr()
    last_line = captured.err.splitlines()[-1]
    assert last_line.startswith("ropewalk: error: ")
    assert words in last_line
    assert captured.out == ""


def test_exception_of_the_application_s_module_stands_above_the_error(
    apps: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["failing_import:app", "--app-dir", str(apps)]) == LOADING
    lines = capsys.readouterr().err.splitlines()
    assert lines[0] == "Traceback (most recent call last):"
    assert lines[-2] == "LookupError: no settings here"
    assert lines[-1].startswith("ropewalk: error: importing 'failing_import' failed with LookupError")
    assert not [line for line in lines if "ropewalk/loading.py" in line or "<frozen" in line]


def test_start_up_that_fails_is_exit_code_3(apps: Path, log: Log) -> None:
    options = ["--app-dir", str(apps), "--bind", "127.0.0.1:0"]
    assert main(["failing_startup:app", *options]) == STARTUP
    assert "the database is not there" in log.take_errors()[0]


def test_address_that_is_taken_is_exit_code_1(apps: Path, log: Log) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        arguments = ["answering:app", "--app-dir", str(apps), "--bind", f"127.0.0.1:{port}"]
        assert main(arguments) == LISTENING
    logged = log.take_error()
    assert "Address already in use" in logged
    assert str(port) in logged


# as a process ----------------------------------------------------------------------------------------


def test_process_serves_until_it_is_asked_to_stop(apps: Path) -> None:
    with serve("answering:app", cwd=apps) as server:
        with server.client() as client:
            assert client.get("/hello").text == "/hello"
        assert server.stop() == 0
        assert re.search(r"INFO +SIGTERM: stopping", server.log)
        assert server.log.endswith("stopped\n")
        # The access log is the process's standard output, here the same file.
        assert '"GET /hello HTTP/1.1" 200 6 ' in server.log


def test_process_with_a_wrong_option_says_so_in_one_line() -> None:
    done = run("--no-such-option")
    assert (done.returncode, done.stdout) == (USAGE, "")
    assert done.stderr.startswith("ropewalk: error: ")
    assert done.stderr.count("\n") == 1


def test_process_whose_reader_has_had_enough_ends_quietly() -> None:
    reading, writing = os.pipe()
    os.close(reading)
    try:
        done = subprocess.run(
            [sys.executable, "-m", "ropewalk", "--help"],
            stdout=writing,
            stderr=subprocess.PIPE,
            timeout=20,
            check=False,
        )
    finally:
        os.close(writing)
    assert (done.returncode, done.stderr) == (0, b"")
