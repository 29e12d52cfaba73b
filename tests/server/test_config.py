"""The declaration itself: names, defaults, ranges, endpoints, and what it costs to import."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import FrozenInstanceError, replace
from pathlib import Path

import pytest

from ropewalk.server.config import Application, Config, Limits, Listening, Timeouts
from ropewalk.server.config_arguments import CONTROLS
from ropewalk.server.config_help import field_texts
from ropewalk.server.config_options import Option, groups_of, options_of
from ropewalk.server.errors import ConfigError

OPTIONS = options_of(Config)
GROUPS = groups_of(Config)


@pytest.mark.parametrize("names", ["keyword", "variable", "key"])
def test_no_two_options_share_a_name(names: str) -> None:
    seen = [getattr(option, names) for option in OPTIONS]
    assert len(seen) == len(set(seen))


def test_no_two_flags_are_spelled_alike() -> None:
    flags = [
        flag for option in OPTIONS for flag in (option.flag, option.negative_flag, option.spelling.short)
    ]
    flags += [flag for control in CONTROLS for flag in (control.flag, control.short)]
    given = [flag for flag in flags if flag]
    assert len(given) == len(set(given))


def test_no_key_at_the_top_of_a_file_is_called_like_a_table() -> None:
    assert not {option.key for option in OPTIONS} & {group.table for group in GROUPS.values()}


def test_tables_are_called_like_the_groups() -> None:
    assert {name: group.table for name, group in GROUPS.items()} == {name: name for name in GROUPS}


@pytest.mark.parametrize("option", OPTIONS, ids=lambda option: option.keyword)
def test_default_is_in_the_form_that_checking_gives(option: Option) -> None:
    assert option.kind.from_value(option.default) == option.default


@pytest.mark.parametrize("group", GROUPS.values(), ids=GROUPS)
def test_every_field_has_a_text_of_sentences(group: type) -> None:
    texts = field_texts(group)
    for option in OPTIONS:
        if option.group is group:
            assert texts[option.field].endswith("."), f"{option.keyword} is not documented"
            assert texts[option.field].partition("\n\n")[0].endswith(".")


@pytest.mark.parametrize("option", OPTIONS, ids=lambda option: option.keyword)
def test_every_text_gives_the_reason_for_the_default(option: Option) -> None:
    reason = field_texts(option.group)[option.field].partition("\n\n")[2]
    assert "default" in reason, f"{option.keyword} says nothing of its default"


@pytest.mark.parametrize(
    "option",
    [option for option in OPTIONS if option.group in (Limits, Timeouts)],
    ids=lambda option: option.keyword,
)
def test_every_limit_and_timeout_says_what_0_does(option: Option) -> None:
    text = field_texts(option.group)[option.field]
    if option.keyword == "limit_write_buffer":
        assert "cannot be switched off" in " ".join(text.split())
    else:
        assert "0" in text.split() or "0," in text.split()
        assert option.kind.from_value(0) == 0


def test_configuration_cannot_be_changed() -> None:
    with pytest.raises(FrozenInstanceError):
        Config().limits.pipelined = 3  # type: ignore[misc]


def test_changed_copy_is_checked_too() -> None:
    with pytest.raises(ConfigError, match="limit_pipelined"):
        replace(Config().limits, pipelined=-3)


@pytest.mark.parametrize(
    ("given", "endpoints"),
    [
        ({}, ("127.0.0.1:8000",)),
        ({"port": 0}, ("127.0.0.1:0",)),
        ({"host": "localhost", "port": 80}, ("localhost:80",)),
        ({"host": "::1"}, ("[::1]:8000",)),
        ({"host": "[::1]"}, ("[::1]:8000",)),
        ({"host": "::"}, ("[::]:8000",)),
        ({"host": "fe80::1%eth0"}, ("[fe80::1%eth0]:8000",)),
        ({"host": ""}, (":8000",)),
        ({"host": "*"}, ("*:8000",)),
        ({"bind": ("unix:/run/app.sock",), "host": "::1", "port": 80}, ("unix:/run/app.sock",)),
        ({"bind": ("[::1]:1", "fd:3")}, ("[::1]:1", "fd:3")),
    ],
    ids=str,
)
def test_endpoints_are_what_is_bound_or_host_and_port(
    given: dict[str, object], endpoints: tuple[str, ...]
) -> None:
    assert Config.from_options(**given).listening.endpoints == endpoints


@pytest.mark.parametrize(
    "host", ["127.0.0.1:80", "[::1]:80", "unix", "fd", "tcp", "unix:/a", "a b", "http://a", "1.2.3", "::1::"]
)
def test_host_that_is_none_is_refused(host: str) -> None:
    with pytest.raises(ConfigError, match=r"host \(arguments\): .* is not a host"):
        Listening(host=host)


@pytest.mark.parametrize("bind", ["nothing", "127.0.0.1:99999", "unx:/run/a", "a,b:80"])
def test_endpoint_that_is_none_is_refused(bind: str) -> None:
    with pytest.raises(ConfigError, match=r"bind \(arguments\): bad endpoint"):
        Config.from_options(bind=["127.0.0.1:80", bind])


@pytest.mark.parametrize("path", ["", "/shop", "/a", "/shop/eu", "/caf\xe9 1"])
def test_mount_is_taken(path: str) -> None:
    assert Application(root_path=path).root_path == path


@pytest.mark.parametrize("path", ["shop", "/", "/shop/", "/shop?x", "/shop#x", "//"])
def test_path_that_is_no_mount_is_refused(path: str) -> None:
    with pytest.raises(ConfigError, match=r"root_path \(arguments\): .* is not a mount"):
        Application(root_path=path)


@pytest.mark.parametrize(
    "options",
    [
        {"port": 65536},
        {"port": -1},
        {"backlog": 0},
        {"backlog": 1 << 31},
        {"limit_write_buffer": 1023},
        {"limit_header_count": -1},
        {"timeout_head": -0.1},
        {"loop": "gevent"},
        {"access_log": 1},
        {"bind": 8000},
        {"bind": [8000]},
        {"app_dir": None},
    ],
    ids=str,
)
def test_value_outside_of_what_is_declared_is_refused(options: dict[str, object]) -> None:
    (keyword,) = options
    with pytest.raises(ConfigError) as caught:
        Config.from_options(**options)
    assert (caught.value.option, caught.value.source) == (keyword, "arguments")


def test_python_callers_name_options_like_the_flags() -> None:
    config = Config.from_options(
        bind="127.0.0.1:0",
        limit_request_line=100,
        timeout_keep_alive="500ms",
        app_dir=Path("a"),
        access_log=False,
    )
    assert config.listening.bind == ("127.0.0.1:0",)
    assert config.limits.request_line == 100
    assert config.timeouts.keep_alive == 0.5
    assert config.application.app_dir == "a"
    assert config.logging.access_log is False


def test_python_callers_get_a_suggestion_for_an_unknown_option() -> None:
    with pytest.raises(ConfigError, match="did you mean timeout_keep_alive"):
        Config.from_options(keep_alive=5)


def test_importing_the_configuration_loads_nothing_that_serving_does_not_need() -> None:
    program = (
        "import sys; from ropewalk.server.config_sources import parse_command_line;"
        "parse_command_line(['a:b', '--port', '0'], {'ROPEWALK_BACKLOG': '5'}, '/');"
        "print(*{'argparse', 'tomllib', 'ropewalk.server.config_help'} & set(sys.modules))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=20
    )
    assert done.stdout.split() == []
