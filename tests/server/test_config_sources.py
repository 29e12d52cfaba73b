"""All sources together: the environment, precedence, origins, actions and notes."""

from __future__ import annotations

from importlib.metadata import version
from pathlib import Path

import pytest

from ropewalk.server.config import Config
from ropewalk.server.config_options import Origin
from ropewalk.server.config_sources import parse_command_line
from ropewalk.server.errors import ConfigError


def test_nothing_given_is_the_default_configuration(tmp_path: Path) -> None:
    asked = parse_command_line([], {}, tmp_path)
    assert (asked.action, asked.config, asked.origins, asked.text, asked.notes) == (
        "run",
        Config(),
        {},
        "",
        (),
    )


@pytest.mark.parametrize(
    ("variable", "text", "options"),
    [
        ("ROPEWALK_TARGET", "a:b", {"target": "a:b"}),
        ("ROPEWALK_BIND", ":80, fd:3", {"bind": (":80", "fd:3")}),
        ("ROPEWALK_PORT", "0", {"port": 0}),
        ("ROPEWALK_FACTORY", "yes", {"factory": True}),
        ("ROPEWALK_ACCESS_LOG", "off", {"access_log": False}),
        ("ROPEWALK_LOOP", "asyncio", {"loop": "asyncio"}),
        ("ROPEWALK_ROOT_PATH", "", {"root_path": ""}),
        ("ROPEWALK_LIMIT_REQUEST_LINE", "4k", {"limit_request_line": 4096}),
        ("ROPEWALK_TIMEOUT_HEAD", "500ms", {"timeout_head": 0.5}),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_variable_is_read(tmp_path: Path, variable: str, text: str, options: dict[str, object]) -> None:
    asked = parse_command_line([], {variable: text, "HOME": "/root", "ROPE": "1"}, tmp_path)
    assert asked.config == Config.from_options(**options)
    assert list(asked.origins.values()) == [Origin(variable, "environment")]


@pytest.mark.parametrize(
    ("variable", "text", "fault"),
    [
        ("ROPEWALK_PROT", "80", "there is no such option; did you mean ROPEWALK_PORT?"),
        ("ROPEWALK_LIMITS_LINGER", "80", "did you mean ROPEWALK_LIMIT_LINGER?"),
        ("ROPEWALK_CONFIGS", "a", "did you mean ROPEWALK_CONFIG?"),
        ("ROPEWALK_", "", "there is no such option"),
        ("ROPEWALK_port", "80", "there is no such option"),
        ("ROPEWALK_PORT", "", "'' is not a whole number"),
        ("ROPEWALK_FACTORY", "", "neither on nor off"),
        ("ROPEWALK_LOOP", "gevent", "write auto, uvloop or asyncio"),
        ("ROPEWALK_BIND", ":80,", "an item is empty"),
        ("ROPEWALK_PORT", "tcp://10.0.0.1:80", "enableServiceLinks"),
        ("ROPEWALK_SERVICE_HOST", "10.0.0.1", "enableServiceLinks"),
        ("ROPEWALK_SERVICE_PORT_HTTP", "80", "enableServiceLinks"),
        ("ROPEWALK_PORT_8000_TCP_ADDR", "10.0.0.1", "enableServiceLinks"),
    ],
    ids=lambda value: value,
)
def test_unusable_variable_is_refused_by_name(tmp_path: Path, variable: str, text: str, fault: str) -> None:
    with pytest.raises(ConfigError) as caught:
        parse_command_line([], {variable: text}, tmp_path)
    assert (caught.value.option, caught.value.source) == (variable, "environment")
    assert str(caught.value).startswith(f"{variable} (environment): ")
    assert fault in str(caught.value)


def test_file_in_the_current_directory_is_read(tmp_path: Path) -> None:
    (tmp_path / "ropewalk.toml").write_text("port = 81")
    asked = parse_command_line([], {}, tmp_path)
    assert (asked.config.listening.port, asked.origins) == (81, {"port": Origin("port", "ropewalk.toml")})


def test_current_directory_may_be_a_string(tmp_path: Path) -> None:
    (tmp_path / "ropewalk.toml").write_text("port = 81")
    assert parse_command_line([], {}, str(tmp_path)).config.listening.port == 81


@pytest.fixture
def three_files(tmp_path: Path) -> Path:
    """A folder with the default file and two others, each with a port and a back-log of its own."""
    (tmp_path / "ropewalk.toml").write_text("port = 1\nbacklog = 9")
    (tmp_path / "two.toml").write_text("port = 2")
    (tmp_path / "three.toml").write_text("port = 3")
    return tmp_path


def test_variable_names_a_file_to_read_instead(three_files: Path) -> None:
    listening = parse_command_line([], {"ROPEWALK_CONFIG": "two.toml"}, three_files).config.listening
    assert (listening.port, listening.backlog) == (2, 2048)


def test_flag_names_a_file_to_read_instead(three_files: Path) -> None:
    environ = {"ROPEWALK_CONFIG": "two.toml"}
    asked = parse_command_line(["--config", "three.toml"], environ, three_files)
    assert asked.config.listening.port == 3
    assert asked.origin("port") == Origin("port", "three.toml")


def test_file_may_be_named_by_its_absolute_path(
    three_files: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    elsewhere = tmp_path_factory.mktemp("elsewhere")
    asked = parse_command_line(["--config", str(three_files / "two.toml")], {}, elsewhere)
    assert asked.config.listening.port == 2


@pytest.mark.parametrize(
    ("argv", "environ", "option", "source", "fault"),
    [
        (["--config", "none.toml"], {}, "--config", "command line", "there is no file none.toml"),
        (["--config="], {}, "--config", "command line", "'' is not the name of a file"),
        (["--config", "a\nb"], {}, "--config", "command line", "is not the name of a file"),
        (
            [],
            {"ROPEWALK_CONFIG": "none.toml"},
            "ROPEWALK_CONFIG",
            "environment",
            "there is no file none.toml",
        ),
        ([], {"ROPEWALK_CONFIG": ""}, "ROPEWALK_CONFIG", "environment", "'' is not the name of a file"),
    ],
    ids=["missing", "empty", "line break", "missing, by variable", "empty, by variable"],
)
def test_named_file_that_cannot_be_is_refused(
    tmp_path: Path, argv: list[str], environ: dict[str, str], option: str, source: str, fault: str
) -> None:
    with pytest.raises(ConfigError, match=fault) as caught:
        parse_command_line(argv, environ, tmp_path)
    assert (caught.value.option, caught.value.source) == (option, source)


def test_stronger_source_wins_and_is_the_origin(tmp_path: Path) -> None:
    (tmp_path / "ropewalk.toml").write_text("port = 1\nbacklog = 1\nhost = '::1'")
    environ = {"ROPEWALK_PORT": "2", "ROPEWALK_BACKLOG": "2"}
    asked = parse_command_line(["--port", "3"], environ, tmp_path)
    listening = asked.config.listening
    assert (listening.host, listening.backlog, listening.port) == ("::1", 2, 3)
    assert asked.origins == {
        "host": Origin("host", "ropewalk.toml"),
        "backlog": Origin("ROPEWALK_BACKLOG", "environment"),
        "port": Origin("--port", "command line"),
    }


def test_items_of_a_stronger_source_replace_those_of_a_weaker_one(tmp_path: Path) -> None:
    (tmp_path / "ropewalk.toml").write_text("bind = [':1', ':2']")
    assert parse_command_line(["-b", ":3"], {}, tmp_path).config.listening.bind == (":3",)


def test_unusable_value_of_a_weaker_source_is_refused_even_if_a_stronger_one_wins(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"ROPEWALK_PORT \(environment\)"):
        parse_command_line(["--port", "3"], {"ROPEWALK_PORT": "x"}, tmp_path)


def test_default_has_an_origin_too(tmp_path: Path) -> None:
    asked = parse_command_line([], {}, tmp_path)
    assert asked.origin("timeout_head") == Origin("--timeout-head", "default")
    assert asked.origin("target") == Origin("MODULE:ATTRIBUTE", "default")


def test_origin_of_what_is_no_option_is_a_key_error(tmp_path: Path) -> None:
    with pytest.raises(KeyError):
        parse_command_line([], {}, tmp_path).origin("nothing")


def test_host_and_port_beside_a_binding_are_noted_as_without_effect(tmp_path: Path) -> None:
    (tmp_path / "ropewalk.toml").write_text("bind = ':80'")
    asked = parse_command_line(["--port", "81"], {"ROPEWALK_HOST": "::1"}, tmp_path)
    assert asked.config.listening.endpoints == (":80",)
    assert asked.notes == (
        "ROPEWALK_HOST (environment) has no effect: bind (ropewalk.toml) says where to listen",
        "--port (command line) has no effect: bind (ropewalk.toml) says where to listen",
    )


def test_check_reads_everything(tmp_path: Path) -> None:
    asked = parse_command_line(["--check-config", "a:b"], {"ROPEWALK_PORT": "1"}, tmp_path)
    assert (asked.action, asked.text) == ("check", "")
    assert asked.config == Config.from_options(target="a:b", port=1)
    with pytest.raises(ConfigError):
        parse_command_line(["--check-config"], {"ROPEWALK_PORT": "x"}, tmp_path)


def test_printed_configuration_is_a_file_that_gives_the_same(tmp_path: Path) -> None:
    argv = ["a:b", "-b", ":80", "--timeout-head", "0.1", "--limit-linger", "5k", "--no-access-log"]
    printed = parse_command_line([*argv, "--print-config"], {"ROPEWALK_ROOT_PATH": '/"a\\b"'}, tmp_path)
    assert printed.action == "print"
    (tmp_path / "ropewalk.toml").write_text(printed.text, encoding="utf-8")
    assert parse_command_line([], {}, tmp_path).config == printed.config


def test_printed_configuration_of_a_file_elsewhere_gives_the_same_from_here(tmp_path: Path) -> None:
    (tmp_path / "etc").mkdir()
    (tmp_path / "etc" / "my.toml").write_text("app_dir = 'src'")
    printed = parse_command_line(["--config", "etc/my.toml", "--print-config"], {}, tmp_path)
    (tmp_path / "ropewalk.toml").write_text(printed.text, encoding="utf-8")
    assert parse_command_line([], {}, tmp_path).config == printed.config


def test_version_is_the_distributions(tmp_path: Path) -> None:
    asked = parse_command_line(["--version"], {}, tmp_path)
    assert (asked.action, asked.text) == ("version", f"ropewalk {version('ropewalk')}\n")


@pytest.mark.parametrize("flag", ["--help", "-h", "--version"])
def test_help_and_version_are_given_whatever_else_is_wrong(tmp_path: Path, flag: str) -> None:
    (tmp_path / "ropewalk.toml").write_text("broken")
    asked = parse_command_line([flag], {"ROPEWALK_NONSENSE": "1"}, tmp_path)
    assert asked.text
    assert asked.config == Config()
