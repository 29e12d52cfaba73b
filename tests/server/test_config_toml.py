"""TOML files: what is read, what is refused, and that what is written reads back."""

from __future__ import annotations

import os
import tomllib
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ropewalk.server.config import Config
from ropewalk.server.config_options import Origin, build, options_of
from ropewalk.server.config_toml import format_config, read_file
from ropewalk.server.config_values import Choice, Duration, Number, Size, Switch
from ropewalk.server.errors import ConfigError

OPTIONS = options_of(Config)


def read(folder: Path, text: str | bytes, name: str = "ropewalk.toml") -> dict[str, tuple[object, Origin]]:
    """What a file with the text in the folder says, read from that folder."""
    path = folder / name
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return read_file(path, name, folder, OPTIONS)


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("", {}),
        ("target = 'a:b'", {"target": "a:b"}),
        ("[application]\ntarget = 'a:b'\nfactory = true", {"target": "a:b", "factory": True}),
        ("bind = [':80', 'fd:3']", {"bind": (":80", "fd:3")}),
        ("bind = ':80'", {"bind": (":80",)}),
        ("[listening]\nport = 0", {"port": 0}),
        ("[limits]\nlinger = '2m'\nrequests = 5", {"limit_linger": 2 << 20, "limit_requests": 5}),
        ("limits.linger = 5", {"limit_linger": 5}),
        (
            "[timeouts]\nhead = 5\nlinger = 1.5\nstartup = '2m'",
            {"timeout_head": 5, "timeout_linger": 1.5, "timeout_startup": 120},
        ),
        ("access_log = false\n[timeouts]\nhead = 0", {"access_log": False, "timeout_head": 0}),
    ],
    ids=ascii,
)
def test_file_is_read(tmp_path: Path, text: str, values: dict[str, object]) -> None:
    assert {keyword: value for keyword, (value, _) in read(tmp_path, text).items()} == values


def test_origin_tells_the_key_as_it_was_written_and_the_file(tmp_path: Path) -> None:
    found = read(tmp_path, "port = 1\n[http]\ndate_header = false\n[limits]\nlinger = 5", "my.toml")
    assert {keyword: origin for keyword, (_, origin) in found.items()} == {
        "port": Origin("port", "my.toml"),
        "date_header": Origin("http.date_header", "my.toml"),
        "limit_linger": Origin("limits.linger", "my.toml"),
    }


@pytest.mark.parametrize(
    ("text", "option", "fault"),
    [
        ("prot = 1", "prot", "there is no such key; did you mean port?"),
        ("access-log = true", "access-log", "did you mean access_log?"),
        ("limit_request_line = 1", "limit_request_line", "did you mean limits.request_line?"),
        ("ROPEWALK_PORT = 1", "ROPEWALK_PORT", "did you mean port?"),
        ("keep_alive = 1", "keep_alive", "did you mean timeouts.keep_alive?"),
        ("linger = 1", "linger", "did you mean limits.linger or timeouts.linger?"),
        ("zzz = 1", "zzz", "there is no such key"),
        ("limit = 1", "limit", "did you mean limits?"),
        ("[limits]\nrequest_lin = 1", "limits.request_lin", "did you mean request_line?"),
        ("[limits]\nkeep_alive = 1", "limits.keep_alive", "did you mean timeouts.keep_alive?"),
        ("[limits.deeper]\nlinger = 1", "limits.deeper", "there is no such key"),
        ("[limit]\nlinger = 1", "[limit]", "there is no such table; did you mean limits?"),
        ("[zzz]", "[zzz]", "there is no such table"),
        ("limits = 1", "limits", "it is a table: write [limits]"),
        ("[[limits]]\nlinger = 1", "limits", "it is a table"),
        ("port = 1\n[listening]\nport = 2", "listening.port", "it is given already, as port"),
        ("port = '80'", "port", "write it without quotes"),
        ("port = 65536", "port", "too large"),
        ("access_log = 'yes'", "access_log", "neither true nor false"),
        ("target = 5", "target", "write it in quotes"),
        ("target = 2026-01-01", "target", "not a text"),
        ("target = {}", "target", "not a text"),
        ("bind = [80]", "bind", "not a text"),
        ("bind = ['nothing']", "bind", "bad endpoint"),
        ("loop = 'UVLOOP'", "loop", "write auto, uvloop or asyncio"),
        ('root_path = "/a\\u0000"', "root_path", "control character"),
        ("[timeouts]\nhead = nan", "timeouts.head", "too small"),
        ("[timeouts]\nhead = inf", "timeouts.head", "too large"),
        ("[timeouts]\nhead = '3x'", "timeouts.head", "not a time"),
        ("[limits]\nlinger = 1.5", "limits.linger", "not a size"),
    ],
    ids=ascii,
)
def test_unusable_key_is_refused_by_name(tmp_path: Path, text: str, option: str, fault: str) -> None:
    with pytest.raises(ConfigError) as caught:
        read(tmp_path, text)
    assert (caught.value.option, caught.value.source) == (option, "ropewalk.toml")
    assert str(caught.value).startswith(f"{option} (ropewalk.toml): ")
    assert fault in str(caught.value)


@pytest.mark.parametrize(
    ("content", "fault"),
    [
        (b"port = ", "is not TOML: Invalid value"),
        (b"port = 1\nport = 2", "is not TOML"),
        (b"target = 'caf\xe9'", "is not UTF-8"),
        (b"target = " + b"[" * 100_000, "nested too deeply"),
    ],
    ids=["broken", "key twice", "not UTF-8", "too deep"],
)
def test_file_that_is_no_toml_is_refused_by_name(tmp_path: Path, content: bytes, fault: str) -> None:
    with pytest.raises(ConfigError, match=f"^ropewalk.toml .*{fault}") as caught:
        read(tmp_path, content)
    assert (caught.value.option, caught.value.source) == (None, "ropewalk.toml")


def test_folder_instead_of_a_file_is_refused_by_name(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"^etc cannot be read: ") as caught:
        read_file(tmp_path, "etc", tmp_path, OPTIONS)
    assert caught.value.source == "etc"


def test_missing_file_is_left_to_the_caller(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        read_file(tmp_path / "none.toml", "none.toml", tmp_path, OPTIONS)


def app_dir(folder: Path, text: str, cwd: Path) -> object:
    path = folder / "ropewalk.toml"
    path.write_text(text)
    return read_file(path, "ropewalk.toml", cwd, OPTIONS)["app_dir"][0]


def test_path_in_a_file_elsewhere_is_relative_to_the_folder_of_the_file(tmp_path: Path) -> None:
    (tmp_path / "etc").mkdir()
    assert app_dir(tmp_path / "etc", "app_dir = 'src'", tmp_path) == str(tmp_path / "etc" / "src")


def test_path_in_a_file_of_the_current_directory_stays_as_it_is(tmp_path: Path) -> None:
    assert app_dir(tmp_path, "app_dir = 'src'", tmp_path) == "src"


def test_absolute_path_in_a_file_stays_as_it_is(tmp_path: Path) -> None:
    (tmp_path / "etc").mkdir()
    elsewhere = os.path.abspath("/srv/app")  # noqa: PTH100
    assert app_dir(tmp_path / "etc", f"app_dir = {elsewhere!r}", tmp_path) == elsewhere


def test_every_option_is_written_with_its_default() -> None:
    document = tomllib.loads(format_config(Config(), {}))
    written = {key for key, value in document.items() if not isinstance(value, dict)}
    written |= {
        f"{table}.{key}" for table, keys in document.items() if isinstance(keys, dict) for key in keys
    }
    assert written == {option.key for option in OPTIONS}


def test_defaults_are_written_without_comments() -> None:
    lines = format_config(Config(), {}).splitlines()
    assert [line for line in lines if "#" in line and not line.startswith("# ")] == []


def test_value_is_written_with_where_it_came_from() -> None:
    config = Config.from_options(port=81, limit_linger=4096)
    origins = {
        "port": Origin("--port", "command line"),
        "limit_linger": Origin("ROPEWALK_LIMIT_LINGER", "environment"),
    }
    lines = format_config(config, origins).splitlines()
    assert "port = 81  # from --port (command line)" in lines
    assert 'linger = "4KiB"  # from ROPEWALK_LIMIT_LINGER (environment)' in lines


HOSTS = st.sampled_from(["127.0.0.1", "::1", "localhost", ""])
ENDPOINTS = st.sampled_from(
    [":80", "[::1]:0", "fd:3", 'unix:/run/"a".sock', r"unix:/b\\slash", "unix:@caf\xe9"]
)
PATHS = st.text(st.characters(exclude_categories=("Cc", "Cs")), max_size=8)


def values_of(keyword: str, kind: Any) -> st.SearchStrategy[Any]:
    """Values that an option may have."""
    match kind:
        case Switch():
            return st.booleans()
        case Number() | Size():
            return st.integers(kind.range.minimum, kind.range.maximum)
        case Duration():
            return st.floats(0, 1e6)
        case Choice():
            return st.sampled_from(kind.words)
    special = {"host": HOSTS, "bind": st.lists(ENDPOINTS, max_size=3), "root_path": st.just("/a b/\u20ac")}
    return special.get(keyword, PATHS)


A_CONFIG = st.fixed_dictionaries(
    {}, optional={option.keyword: values_of(option.keyword, option.kind) for option in OPTIONS}
).map(lambda options: Config.from_options(**options))


@settings(
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
    max_examples=20,
    deadline=None,
)
@given(config=A_CONFIG)
def test_written_configuration_reads_back_to_the_same(tmp_path: Path, config: Config) -> None:
    origins = {option.keyword: Origin(option.variable, "environment") for option in OPTIONS}
    found = read(tmp_path, format_config(config, origins))
    assert build(Config, {keyword: value for keyword, (value, _) in found.items()}) == config
