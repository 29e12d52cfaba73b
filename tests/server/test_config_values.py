"""The kinds of value: what each reads, what it refuses, and that what it writes reads back."""

from __future__ import annotations

import tomllib
from pathlib import PurePosixPath
from typing import Annotated, Any, Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ropewalk.server.config_values import (
    Bytes,
    Check,
    Choice,
    Duration,
    Kind,
    Nullable,
    Number,
    Path,
    Range,
    Real,
    Seconds,
    Size,
    Switch,
    Text,
    TextList,
    did_you_mean,
    kind_of,
)

KIB = 1 << 10
NAN = float("nan")
INFINITE = float("inf")
COLOURS = Choice(("red", "green", "blue"))


def refuse_b(text: str) -> None:
    if text == "b":
        raise ValueError("'b' will not do: write c")


@pytest.mark.parametrize(
    ("kind", "text", "value"),
    [
        (Switch(), "1", True),
        (Switch(), "TRUE", True),
        (Switch(), "yes", True),
        (Switch(), " on ", True),
        (Switch(), "0", False),
        (Switch(), "False", False),
        (Switch(), "no", False),
        (Switch(), "off", False),
        (Number(), "0", 0),
        (Number(), " 12 ", 12),
        (Number(), "+7", 7),
        (Number(), "007", 7),
        (Number(Range(-3, 3)), "-3", -3),
        (Size(), "65536", 65536),
        (Size(), "7b", 7),
        (Size(), "64k", 64 * KIB),
        (Size(), "64KiB", 64 * KIB),
        (Size(), "64 kib", 64 * KIB),
        (Size(), "1m", KIB * KIB),
        (Size(), "1MiB", KIB * KIB),
        (Size(), "2G", 2 * KIB**3),
        (Size(), "2gib", 2 * KIB**3),
        (Duration(), "30", 30.0),
        (Duration(), "1.5", 1.5),
        (Duration(), ".5", 0.5),
        (Duration(), "5.", 5.0),
        (Duration(), "30s", 30.0),
        (Duration(), "500ms", 0.5),
        (Duration(), "3ms", 0.003),
        (Duration(), "2 m", 120.0),
        (Duration(), "1.5h", 5400.0),
        (Duration(), "0", 0.0),
        (Real(), "2", 2.0),
        (Real(), "0.25", 0.25),
        (Text(), "as it stands ", "as it stands "),
        (Text(), "", ""),
        (TextList(), "a", ("a",)),
        (TextList(), "a, b ,c", ("a", "b", "c")),
        (TextList(), "", ()),
        (TextList(), "  ", ()),
        (COLOURS, "green", "green"),
        (COLOURS, " Green", "green"),
        (Nullable(Number()), "none", None),
        (Nullable(Number()), "None", None),
        (Nullable(Number()), "5", 5),
    ],
    ids=repr,
)
def test_text_is_read(kind: Kind, text: str, value: object) -> None:
    read = kind.from_text(text)
    assert read == value
    assert type(read) is type(value)


@pytest.mark.parametrize(
    ("kind", "text", "hint"),
    [
        (Switch(), "", "neither on nor off"),
        (Switch(), "2", "write 1, true, yes, on"),
        (Number(), "", "not a whole number"),
        (Number(), "1_000", "not a whole number"),
        (Number(), "1.0", "not a whole number"),
        (Number(), "1e3", "not a whole number"),
        (Number(), "٣", "not a whole number"),
        (Number(), "9" * 5000, "not a whole number"),
        (Number(), "-1", "too small: the least is 0"),
        (Number(Range(0, 65535)), "65536", "too large: the most is 65535"),
        (Size(), "64kB", "not a size"),
        (Size(), "1.5m", "not a size"),
        (Size(), "m", "such as 64KiB"),
        (Size(), "-1k", "too small"),
        (Size(), "9" * 30, "too large"),
        (Duration(), "", "not a time"),
        (Duration(), "3x", "such as 500ms"),
        (Duration(), "3 0", "not a time"),
        (Duration(), ".", "not a time"),
        (Duration(), "nan", "not a time"),
        (Duration(), "inf", "not a time"),
        (Duration(), "1e3", "not a time"),
        (Duration(), "-1", "too small"),
        (Duration(), "9000h", "too large"),
        (Real(), "3s", "not a number"),
        (Text(), "a\nb", "control character"),
        (Text(), "a\x85b", "control character"),
        (Text(), "caf\udce9", "not UTF-8"),
        (Text(Check(refuse_b)), "b", "write c"),
        (TextList(), "a,,b", "an item is empty"),
        (TextList(), "a,", "an item is empty"),
        (TextList(Text(Check(refuse_b))), "a,b", "write c"),
        (COLOURS, "gren", "write red, green or blue"),
        (Choice(("only",)), "other", "write only"),
        (Nullable(Number()), "nothing", "not a whole number"),
    ],
    ids=lambda value: ascii(value)[:40],
)
def test_unusable_text_is_refused_with_its_fix(kind: Kind, text: str, hint: str) -> None:
    with pytest.raises(ValueError, match=hint):
        kind.from_text(text)


@pytest.mark.parametrize(
    ("kind", "given_value", "value"),
    [
        (Switch(), True, True),
        (Number(), 5, 5),
        (Size(), 5, 5),
        (Size(), "1k", KIB),
        (Duration(), 5, 5.0),
        (Duration(), 0.5, 0.5),
        (Duration(), "2m", 120.0),
        (Real(), 5, 5.0),
        (Text(is_path=True), PurePosixPath("a/b"), "a/b"),
        (TextList(), "a,b", ("a,b",)),
        (TextList(), ["a", "b"], ("a", "b")),
        (TextList(), [], ()),
        (Nullable(Number()), None, None),
        (Nullable(Number()), "none", None),
    ],
    ids=repr,
)
def test_typed_value_is_taken(kind: Kind, given_value: object, value: object) -> None:
    taken = kind.from_value(given_value)
    assert taken == value
    assert type(taken) is type(value)


@pytest.mark.parametrize(
    ("kind", "value", "hint"),
    [
        (Switch(), 1, "neither true nor false"),
        (Switch(), "yes", "neither true nor false"),
        (Number(), True, "not a whole number"),
        (Number(), 5.0, "not a whole number"),
        (Number(), "5", "write it without quotes"),
        (Number(), None, "not a whole number"),
        (Size(), 1.5, "not a size"),
        (Size(), False, "not a size"),
        (Duration(), True, "not a time"),
        (Duration(), None, "not a time"),
        (Duration(), NAN, "too small"),
        (Duration(), INFINITE, "too large"),
        (Real(), "5", "not a number"),
        (Real(), True, "not a number"),
        (Real(), NAN, "too small"),
        (Text(), 5, "write it in quotes"),
        (Text(), None, "not a text"),
        (Text(), b"bytes", "not a text"),
        (Text(), PurePosixPath("a"), "not a text"),
        (TextList(), 5, "not a list"),
        (TextList(), b"bytes", "not a list"),
        (TextList(), {"a": 1}, "not a list"),
        (TextList(), ["a", 5], "write it in quotes"),
        (TextList(), [""], "an item is empty"),
        (TextList(), "", "an item is empty"),
        (COLOURS, "Red", "not one of the choices"),
        (COLOURS, 5, "not one of the choices"),
        (COLOURS, ["red"], "not one of the choices"),
    ],
    ids=repr,
)
def test_unusable_value_is_refused_with_its_fix(kind: Kind, value: object, hint: str) -> None:
    with pytest.raises(ValueError, match=hint):
        kind.from_value(value)


@pytest.mark.parametrize(
    ("kind", "value", "text"),
    [
        (Switch(), True, "on"),
        (Switch(), False, "off"),
        (Size(), 0, "0"),
        (Size(), 8190, "8190"),
        (Size(), 16 * KIB, "16KiB"),
        (Size(), KIB * KIB, "1MiB"),
        (Size(), 1025 * KIB * KIB, "1025MiB"),
        (Size(), KIB**3, "1GiB"),
        (Duration(), 0.0, "0"),
        (Duration(), 75.0, "75s"),
        (Duration(), 0.5, "0.5s"),
        (Duration(), 1e-7, "0.0000001s"),
        (Real(), 1e-7, "0.0000001"),
        (TextList(), ("a", "b"), "a,b"),
        (Nullable(Duration()), None, "none"),
        (Nullable(Duration()), 2.0, "2s"),
    ],
    ids=repr,
)
def test_value_is_shown_as_its_users_would_write_it(kind: Kind, value: object, text: str) -> None:
    assert kind.to_text(value) == text


PRINTABLE = st.text(st.characters(exclude_categories=("Cc", "Cs")), max_size=20)
VALUES: list[tuple[Kind, st.SearchStrategy[Any]]] = [
    (Switch(), st.booleans()),
    (Number(), st.integers(0, (1 << 63) - 1)),
    (Size(), st.integers(0, (1 << 63) - 1) | st.integers(0, 1 << 20).map(lambda number: number * KIB)),
    (Duration(), st.floats(0, 365 * 24 * 3600)),
    (Real(), st.floats(0, 1e18)),
    (Text(), PRINTABLE),
    (Text(is_path=True), PRINTABLE),
    (COLOURS, st.sampled_from(COLOURS.words)),
    (Nullable(Duration()), st.none() | st.floats(0, 1e6)),
]
A_VALUE = st.one_of(*(st.tuples(st.just(kind), values) for kind, values in VALUES))
A_LIST = st.tuples(st.just(TextList()), st.lists(PRINTABLE.filter(bool), max_size=4).map(tuple))


@given(A_VALUE)
def test_shown_value_reads_back(case: tuple[Kind, object]) -> None:
    kind, value = case
    assert kind.from_text(kind.to_text(value)) == value


@given(A_VALUE | A_LIST)
def test_value_written_as_toml_reads_back(case: tuple[Kind, object]) -> None:
    kind, value = case
    document = tomllib.loads(f"key = {kind.to_toml(value)}")
    assert kind.from_value(document["key"]) == value


@given(A_VALUE | A_LIST)
def test_checked_value_is_taken_again_unchanged(case: tuple[Kind, object]) -> None:
    kind, value = case
    taken = kind.from_value(value)
    assert kind.from_value(taken) == taken == value


@given(st.text(max_size=12), st.sampled_from([kind for kind, _ in VALUES]))
def test_any_text_is_read_or_refused(text: str, kind: Kind) -> None:
    try:
        value = kind.from_text(text)
    except ValueError:
        return
    assert kind.from_value(value) == value


@pytest.mark.parametrize(
    ("annotation", "kind"),
    [
        (bool, Switch()),
        (int, Number()),
        (Annotated[int, Range(1, 5)], Number(Range(1, 5))),
        (float, Real()),
        (Seconds, Duration()),
        (Bytes, Size()),
        (Annotated[Bytes, Range(1024)], Size(Range(1024))),
        (str, Text()),
        (Path, Text(is_path=True, placeholder="PATH")),
        (Annotated[str, Check(refuse_b)], Text(Check(refuse_b))),
        (tuple[str, ...], TextList()),
        (tuple[Annotated[str, Check(refuse_b)], ...], TextList(Text(Check(refuse_b)))),
        (Literal["a", "b"], Choice(("a", "b"))),
        (int | None, Nullable(Number())),
        (Seconds | None, Nullable(Duration())),
        (Annotated[int | None, Range(1, 5)], Nullable(Number(Range(1, 5)))),
    ],
    ids=str,
)
def test_annotation_gives_its_kind(annotation: object, kind: Kind) -> None:
    found = kind_of(annotation)
    assert (type(found), found) == (type(kind), kind)


@pytest.mark.parametrize(
    "annotation", [list[str], tuple[int, ...], tuple[str, str], int | str, bytes, int | str | None], ids=str
)
def test_annotation_that_no_option_can_have_is_a_type_error(annotation: object) -> None:
    with pytest.raises(TypeError, match="not a type that an option can have"):
        kind_of(annotation)


def test_suggestion_is_the_nearest_candidate() -> None:
    assert did_you_mean("--prot", ["--host", "--port", "--bind"]) == "; did you mean --port?"


def test_nothing_is_suggested_for_a_word_unlike_all() -> None:
    assert did_you_mean("--zzz", ["--host", "--port"]) == ""
