"""The command line: which words are flags, values and the target, and what is refused."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ropewalk.server.config import Config
from ropewalk.server.config_arguments import CONTROLS, Control, parse_arguments
from ropewalk.server.config_options import Origin, options_of
from ropewalk.server.errors import ConfigError

OPTIONS = options_of(Config)


@pytest.mark.parametrize(
    ("argv", "values"),
    [
        ([], {}),
        (["shop:app"], {"target": "shop:app"}),
        (["--port", "80"], {"port": 80}),
        (["--port=80"], {"port": 80}),
        (["--root-path="], {"root_path": ""}),
        (["--app-dir", "a=b"], {"app_dir": "a=b"}),
        (["--app-dir=a=b"], {"app_dir": "a=b"}),
        (["--app-dir", "-"], {"app_dir": "-"}),
        (["--app-dir", "-odd"], {"app_dir": "-odd"}),
        (["--app-dir=--port"], {"app_dir": "--port"}),
        (["-b", ":80"], {"bind": (":80",)}),
        (["-b:80"], {"bind": (":80",)}),
        (["-b=:80"], {"bind": (":80",)}),
        (["-b", ":80", "--bind", "fd:3"], {"bind": (":80", "fd:3")}),
        (["--bind", "unix:/a,b"], {"bind": ("unix:/a,b",)}),
        (["--access-log"], {"access_log": True}),
        (["--no-access-log"], {"access_log": False}),
        (["--no-access-log", "--access-log"], {"access_log": True}),
        (["--port", "80", "--port", "81"], {"port": 81}),
        (["--factory", "shop:make", "--port", "80"], {"factory": True, "target": "shop:make", "port": 80}),
        (["shop:app", "--no-factory"], {"target": "shop:app", "factory": False}),
        (["--port", "80", "--", "shop:app"], {"port": 80, "target": "shop:app"}),
        (["--", "--port"], {"target": "--port"}),
        (["--timeout-keep-alive", "500ms"], {"timeout_keep_alive": 0.5}),
        (["--limit-linger", "2m"], {"limit_linger": 2 << 20}),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_arguments_are_read(argv: list[str], values: dict[str, object]) -> None:
    arguments = parse_arguments(argv, OPTIONS)
    assert arguments.values == values
    assert arguments.origins.keys() == values.keys()
    assert arguments.action == "run"


@pytest.mark.parametrize(
    ("argv", "option", "fault"),
    [
        (["--prot", "80"], "--prot", "there is no such option; did you mean --port?"),
        (["--no-acess-log"], "--no-acess-log", "did you mean --no-access-log?"),
        (["--limit-request-lin=5"], "--limit-request-lin", "did you mean --limit-request-line?"),
        (["--chek-config"], "--chek-config", "did you mean --check-config?"),
        (["--zzz"], "--zzz", "there is no such option; see ropewalk --help"),
        (["--timeout", "5"], "--timeout", "there is no such option"),
        (["-x"], "-x", "there is no such option"),
        (["--no-port"], "--no-port", "there is no such option"),
        (["--port"], "--port", "a value must follow"),
        (["--port", "--host", "::1"], "--port", "a value must follow"),
        (["--port", "--host=::1"], "--port", "a value must follow"),
        (["--port", "--", "80"], "--port", "a value must follow"),
        (["-b"], "-b", "a value must follow"),
        (["-b", "-h"], "-b", "a value must follow"),
        (["--config"], "--config", "a value must follow"),
        (["--access-log=off"], "--access-log", "it takes no value: write --access-log or --no-access-log"),
        (["--no-factory="], "--no-factory", "it takes no value"),
        (["--help=me"], "--help", "it takes no value"),
        (["--port", "-1"], "--port", "-1 is too small"),
        (["--port", ""], "--port", "'' is not a whole number"),
        (["-b", "nothing"], "-b", "bad endpoint 'nothing'"),
        (["-b", ":80", "--bind", ""], "--bind", "an item is empty"),
        (["a:b", "8000"], "'8000'", "nothing is expected after a:b"),
        (["a:b", "--access-log", "off"], "'off'", "--access-log takes no value"),
        (["--access-log", "a:b", "c"], "'c'", "nothing is expected after a:b"),
        (["--", "a", "b"], "'b'", "nothing is expected after a"),
        (["caf\udce9:app"], "MODULE:ATTRIBUTE", "not UTF-8"),
    ],
    ids=lambda value: ascii(" ".join(value)) if isinstance(value, list) else "",
)
def test_unusable_argument_is_refused_by_name(argv: list[str], option: str, fault: str) -> None:
    with pytest.raises(ConfigError) as caught:
        parse_arguments(argv, OPTIONS)
    assert (caught.value.option, caught.value.source) == (option, "command line")
    assert str(caught.value).startswith(f"{option} (command line): ")
    assert fault in str(caught.value)


@pytest.mark.parametrize("control", [control for control in CONTROLS if control.action])
def test_control_flag_sets_the_action_and_no_option(control: Control) -> None:
    arguments = parse_arguments([control.flag], OPTIONS)
    assert (arguments.action, arguments.values) == (control.action, {})


def test_help_has_a_short_flag() -> None:
    assert parse_arguments(["-h"], OPTIONS).action == "help"


def test_help_ends_the_reading() -> None:
    assert parse_arguments(["--port", "80", "--help", "--nonsense"], OPTIONS).action == "help"


def test_file_is_named_by_the_last_config_flag() -> None:
    assert parse_arguments(["--config", "a.toml", "--config=b.toml"], OPTIONS).config_file == "b.toml"


def test_origins_tell_the_option_as_it_was_written() -> None:
    origins = parse_arguments(["a:b", "-b", ":80", "--no-access-log", "--port=80"], OPTIONS).origins
    assert origins == {
        "target": Origin("MODULE:ATTRIBUTE", "command line"),
        "bind": Origin("-b", "command line"),
        "access_log": Origin("--no-access-log", "command line"),
        "port": Origin("--port", "command line"),
    }


FLAGS = [flag for option in OPTIONS for flag in (option.flag, option.negative_flag) if flag]
WORDS = st.sampled_from([*FLAGS, "--", "-", "-b", "-h", "--config", "a:b", ":80", "1", "off", ""]) | st.text(
    max_size=6
)


@settings(max_examples=40)
@given(st.lists(WORDS | st.tuples(WORDS, WORDS).map("=".join), max_size=6))
def test_any_command_line_is_read_or_refused_by_name(argv: list[str]) -> None:
    try:
        arguments = parse_arguments(argv, OPTIONS)
    except ConfigError as error:
        assert error.option and error.source == "command line"
        return
    assert arguments.values.keys() == arguments.origins.keys() <= {option.keyword for option in OPTIONS}
