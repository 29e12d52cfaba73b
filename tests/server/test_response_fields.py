"""What an application may answer with: statuses, names, values and lengths."""

from __future__ import annotations

from enum import IntEnum
from http import HTTPStatus

import pytest

from ropewalk.server.errors import LocalProtocolError
from ropewalk.server.response_fields import as_list, check_fields, check_status, content_length_of


class Teapot(IntEnum):
    """A status of an application's own."""

    SHORT = 418


@pytest.mark.parametrize("status", [100, 200, 404, 999, HTTPStatus.OK, Teapot.SHORT])
def test_a_status_has_three_digits(status):
    checked = check_status(status)
    assert checked == status
    assert type(checked) is int


@pytest.mark.parametrize("status", [99, 1000, 0, -1, True, 200.0, "200", b"200", None, [200]])
def test_anything_else_is_no_status(status):
    with pytest.raises(LocalProtocolError, match="100 to 999"):
        check_status(status)


def test_names_are_lower_cased_and_values_stripped():
    assert check_fields([(b"Content-Type", b" \ttext/html\t ")]) == [(b"content-type", b"text/html")]


def test_any_kind_of_bytes_will_do():
    fields = check_fields([(bytearray(b"A"), memoryview(b"b"))])
    assert fields == [(b"a", b"b")]
    assert {type(part) for pair in fields for part in pair} == {bytes}


def test_obs_text_and_htab_may_stand_in_a_value():
    assert check_fields([(b"a", b"caf\xe9\tx")]) == [(b"a", b"caf\xe9\tx")]


@pytest.mark.parametrize("byte", [*range(0x09), *range(0x0A, 0x20), 0x7F])
def test_no_control_character_may_stand_in_a_value(byte):
    with pytest.raises(LocalProtocolError, match="control character"):
        check_fields([(b"a", b"x" + bytes((byte,)) + b"y")])


@pytest.mark.parametrize("value", [b"x\r\n", b"\nx", b"x\r", b"\x00"])
def test_a_line_end_is_refused_also_at_either_end_of_a_value(value):
    with pytest.raises(LocalProtocolError):
        check_fields([(b"a", value)])


@pytest.mark.parametrize("name", [b"", b"a b", b"a:", b"a\r\n", b"a\n", b"\xe9", b"a(b)", b" a", b"a\x00"])
def test_a_name_is_a_token(name):
    with pytest.raises(LocalProtocolError, match="token"):
        check_fields([(name, b"x")])


@pytest.mark.parametrize("pair", [("a", b"b"), (b"a", "b"), (b"a", 1), (None, b"b")])
def test_names_and_values_are_bytes(pair):
    with pytest.raises(LocalProtocolError, match="is bytes"):
        check_fields([pair])


@pytest.mark.parametrize("fields", [[b"abc"], [(b"a",)], [(b"a", b"b", b"c")], [None], [1]])
def test_fields_are_pairs(fields):
    with pytest.raises(LocalProtocolError, match="pairs"):
        check_fields(fields)


@pytest.mark.parametrize("fields", [None, 5])
def test_what_cannot_be_iterated_is_no_fields(fields):
    with pytest.raises(LocalProtocolError, match="are an iterable of"):
        as_list(fields)


def test_a_generator_of_fields_is_read_once():
    assert as_list(pair for pair in [(b"a", b"b")]) == [(b"a", b"b")]


@pytest.mark.parametrize(
    ("fields", "length"),
    [
        ([], None),
        ([(b"x", b"1")], None),
        ([(b"content-length", b"0")], 0),
        ([(b"a", b"b"), (b"content-length", b"0012")], 12),
        ([(b"content-length", b"9" * 19)], int("9" * 19)),
    ],
)
def test_the_declared_length_is_found(fields, length):
    assert content_length_of(fields) == length


@pytest.mark.parametrize(
    "value", [b"", b"-1", b"+1", b"1.0", b"1_0", b"0x1", b"1 1", b"1, 1", b"\xb2", b"9" * 20]
)
def test_a_length_that_is_no_number_is_refused(value):
    with pytest.raises(LocalProtocolError, match="content-length"):
        content_length_of([(b"content-length", value)])


def test_two_lengths_are_refused_even_when_equal():
    with pytest.raises(LocalProtocolError, match="more than one"):
        content_length_of([(b"content-length", b"1"), (b"content-length", b"1")])
