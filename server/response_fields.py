"""Checks what an application wants to answer with, before any protocol renders it (RFC 9110 5.5, 15)."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from .errors import LocalProtocolError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from .exchange import Field, Fields

__all__ = ["as_list", "check_fields", "check_status", "content_length_of"]

_NAME: Final = re.compile(rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]+").fullmatch
_BAD_VALUE: Final = re.compile(rb"[\x00-\x08\x0a-\x1f\x7f]").search


def check_status(status: object) -> int:
    """The status as an int (RFC 9110 15: three digits).

    :raises LocalProtocolError: it is something else.
    """
    if isinstance(status, int) and not isinstance(status, bool) and 100 <= status <= 999:
        return int(status)
    raise LocalProtocolError(f"a response status is a number from 100 to 999, not {status!r}")


def as_list(fields: Iterable[Field]) -> list[Field]:
    """The fields as a list, which a generator can be made into only once.

    :raises LocalProtocolError: they are no iterable.
    """
    try:
        return list(fields)
    except TypeError:
        raise LocalProtocolError(
            f"response headers are an iterable of (name, value) pairs, not {type(fields).__name__}"
        ) from None


def check_fields(fields: Iterable[Field]) -> Fields:
    """The fields as a list of (lower-case name, value) pairs of bytes.

    :raises LocalProtocolError: one is no pair of bytes, has a name that is no token, or a value with a
        control character, which is how a response is split in two.
    """
    checked: Fields = []
    try:
        pairs = [(name, value) for name, value in as_list(fields)]
    except (TypeError, ValueError):
        raise LocalProtocolError("response headers are an iterable of (name, value) pairs") from None
    for name, value in pairs:
        for what, part in (("name", name), ("value", value)):
            if not isinstance(part, bytes | bytearray | memoryview):
                raise LocalProtocolError(f"a response header {what} is bytes, not {part!r}")
        name, value = bytes(name).lower(), bytes(value)
        if _NAME(name) is None:
            raise LocalProtocolError(f"response header name {name!r} is not a token")
        value = value.strip(b" \t")
        if _BAD_VALUE(value) is not None:
            raise LocalProtocolError(f"response header {name!r} has a control character in {value!r}")
        checked.append((name, value))
    return checked


def content_length_of(fields: Fields) -> int | None:
    """The length that ``fields`` declare, None where they declare none.

    :raises LocalProtocolError: it is no number, or declared twice.
    """
    length: int | None = None
    for name, value in fields:
        if name == b"content-length":
            if length is not None:
                raise LocalProtocolError("the response has more than one content-length")
            if not value.isdigit() or len(value) > 19:
                raise LocalProtocolError(f"the response's content-length is {value!r}")
            length = int(value)
    return length
