"""From a declaration to options: their names, and the configurations made from keywords."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar

import pytest

from ropewalk.server.config_options import Group, Origin, from_keywords, group_options, options_of
from ropewalk.server.config_values import Bytes, Seconds, Spelling
from ropewalk.server.errors import ConfigError


@dataclass(frozen=True, slots=True, kw_only=True)
class Sails(Group):
    """What a ship carries."""

    title: ClassVar[str] = "Sails"
    table: ClassVar[str] = "sails"
    prefix: ClassVar[str] = "sail"

    top_mast: int = 2
    loft: Bytes | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Hull(Group):
    """What a ship floats on."""

    title: ClassVar[str] = "Hull"
    table: ClassVar[str] = "hull"
    prefix: ClassVar[str] = ""

    dry_dock: bool = False
    tide: Seconds = 30


@dataclass(frozen=True, slots=True, kw_only=True)
class Ship:
    """Both."""

    hull: Hull = field(default_factory=Hull)
    sails: Sails = field(default_factory=Sails)


OPTIONS = {option.keyword: option for option in options_of(Ship)}


def test_options_stand_in_the_order_of_their_declaration() -> None:
    assert list(OPTIONS) == ["dry_dock", "tide", "sail_top_mast", "sail_loft"]


def test_names_of_an_option_with_a_prefix() -> None:
    option = OPTIONS["sail_top_mast"]
    assert (option.flag, option.variable, option.key, option.negative_flag) == (
        "--sail-top-mast",
        "ROPEWALK_SAIL_TOP_MAST",
        "sails.top_mast",
        "",
    )


def test_names_of_a_switch_without_a_prefix() -> None:
    option = OPTIONS["dry_dock"]
    assert (option.flag, option.variable, option.key, option.negative_flag) == (
        "--dry-dock",
        "ROPEWALK_DRY_DOCK",
        "dry_dock",
        "--no-dry-dock",
    )


def test_optional_value_keeps_its_units() -> None:
    assert from_keywords(Ship, {"sail_loft": "2k"}).sails.loft == 2048
    assert from_keywords(Ship, {"sail_loft": None}).sails.loft is None


def test_placeholder_is_that_of_the_kind_unless_the_declaration_says_otherwise() -> None:
    from ropewalk.server.config import Config

    assert OPTIONS["sail_loft"].placeholder == "SIZE"
    assert {option.keyword: option.placeholder for option in options_of(Config)}["bind"] == "ENDPOINT"


def test_keywords_not_given_have_their_defaults() -> None:
    assert from_keywords(Ship, {"tide": "1m"}) == Ship(hull=Hull(tide=60))


def test_group_normalises_what_it_is_constructed_with() -> None:
    tide = Hull(tide=5).tide
    assert (tide, type(tide)) == (5.0, float)


def test_group_refuses_an_unusable_value_on_construction() -> None:
    with pytest.raises(ConfigError, match=r"sail_top_mast \(arguments\): -1 is too small") as caught:
        Sails(top_mast=-1)
    assert (caught.value.option, caught.value.source) == ("sail_top_mast", "arguments")


def test_unknown_keyword_is_refused_with_a_suggestion() -> None:
    with pytest.raises(ConfigError, match=r"sail_topmast \(arguments\).*did you mean sail_top_mast\?"):
        from_keywords(Ship, {"sail_topmast": 1})


def test_unusable_keyword_names_itself() -> None:
    with pytest.raises(ConfigError, match=r"tide \(arguments\): 'soon' is not a time"):
        from_keywords(Ship, {"tide": "soon"})


def test_origin_makes_an_error_that_names_it() -> None:
    error = Origin("--tide", "command line").error("it is low")
    assert (str(error), error.option, error.source) == (
        "--tide (command line): it is low",
        "--tide",
        "command line",
    )


def test_field_without_a_default_is_a_type_error() -> None:
    @dataclass(frozen=True, slots=True, kw_only=True)
    class Cargo(Group):
        title: ClassVar[str] = "Cargo"
        table: ClassVar[str] = "cargo"
        prefix: ClassVar[str] = ""

        weight: int

    with pytest.raises(TypeError, match=r"Cargo\.weight has no default"):
        group_options(Cargo)


def test_positional_option_has_no_flag() -> None:
    from ropewalk.server.config import Application

    target = group_options(Application)[0]
    assert target.spelling == Spelling(positional="MODULE:ATTRIBUTE")
    assert (target.flag, target.command_line) == ("", "MODULE:ATTRIBUTE")
