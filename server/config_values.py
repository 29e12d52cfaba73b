"""The kinds of value an option may have: what is accepted, as text and as a typed value, and how it is shown.

A kind is derived from a field's annotation by `kind_of`. Its two readers raise `ValueError` with the fault
and its fix; whoever calls them knows the option's name and source, and makes a `ConfigError` of it. What a
reader returns, `from_value` takes again unchanged. Kinds are named tuples since a server that starts makes
them each time, and a frozen dataclass takes five times as long to define.
"""

from __future__ import annotations

import os
import re
import types
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Final, Literal, NamedTuple, Protocol, Union, get_args, get_origin

_WHOLE = re.compile(r"[+-]?[0-9]{1,30}")
_DURATION = re.compile(r"([+-]?(?:[0-9]{1,30}(?:\.[0-9]*)?|\.[0-9]+))\s*(ms|s|m|h)?")
_UNPRINTABLE = re.compile(r"[\x00-\x1f\x7f-\x9f\ud800-\udfff]")
_SIZE = re.compile(r"([+-]?[0-9]{1,30})\s*(b|k|kib|m|mib|g|gib)?", re.IGNORECASE)

_SIZE_WANTED: Final = "write whole bytes, such as 65536, or use a power of 1024, such as 64KiB or 1MiB"
_DURATION_WANTED: Final = "write seconds, such as 30 or 1.5, or add a unit, such as 500ms, 30s or 2m"

_SECONDS_PER: Final = {"s": 1, "m": 60, "h": 3600}
_BYTES_PER: Final = {"b": 1, "k": 1 << 10, "m": 1 << 20, "g": 1 << 30}
_TRUTH: Final = {
    **dict.fromkeys(("1", "true", "yes", "on"), True),
    **dict.fromkeys(("0", "false", "no", "off"), False),
}


@dataclass(frozen=True, slots=True)
class Range:
    """Annotation marker: the smallest and the largest number allowed, both included."""

    minimum: int = 0
    maximum: int = (1 << 63) - 1

    def check(self, number: float) -> None:
        """Raise ValueError for a number outside; not-a-number is outside of every range."""
        if not number >= self.minimum:
            raise ValueError(f"{number} is too small: the least is {self.minimum}")
        if number > self.maximum:
            raise ValueError(f"{number} is too large: the most is {self.maximum}")


@dataclass(frozen=True, slots=True)
class Check:
    """Annotation marker: what a text must pass; the function raises ValueError with the fault and its fix."""

    function: Callable[[str], object]


@dataclass(frozen=True, slots=True)
class Unit:
    """Annotation marker: what a number counts, or what a text names."""

    name: Literal["seconds", "bytes", "path"]


@dataclass(frozen=True, slots=True)
class Spelling:
    """Annotation marker: how an option is written on the command line besides its long flag."""

    short: str = ""
    positional: str = ""
    placeholder: str = ""


Seconds = Annotated[float, Unit("seconds")]
Bytes = Annotated[int, Unit("bytes")]
Path = Annotated[str, Unit("path")]

# A year is past every use; far greater numbers overflow an event loop's clock. Off is 0, not a huge number.
_DURATION_RANGE: Final = Range(0, 365 * 24 * 3600)


class Kind(Protocol):
    """How one type of value is read, checked and written."""

    @property
    def placeholder(self) -> str:
        """The word that stands for the value in usage lines; empty for a switch, which takes none."""

    def from_text(self, text: str) -> object:
        """The value that a command-line argument or an environment variable spells."""

    def from_value(self, value: object) -> object:
        """The value that TOML or Python gives, checked and in its one normal form."""

    def to_text(self, value: Any) -> str:
        """The shortest text that reads back as `value`."""

    def to_toml(self, value: Any) -> str:
        """A TOML value that reads back as `value`."""


class Switch(NamedTuple):
    """On or off."""

    placeholder: str = ""

    def from_text(self, text: str) -> bool:
        """Read 1/0, true/false, yes/no or on/off, in any case."""
        try:
            return _TRUTH[text.strip().lower()]
        except KeyError:
            wanted = "1, true, yes, on or 0, false, no, off"
            raise ValueError(f"{text!r} is neither on nor off: write {wanted}") from None

    def from_value(self, value: object) -> bool:
        """Take True and False alone: 0 and "no" are more likely meant for another option."""
        if not isinstance(value, bool):
            raise ValueError(f"{value!r} is neither true nor false")
        return value

    def to_text(self, value: bool) -> str:
        """As help and the reference page write it."""
        return "on" if value else "off"

    def to_toml(self, value: bool) -> str:
        """A TOML boolean."""
        return "true" if value else "false"


class Number(NamedTuple):
    """A whole number."""

    range: Range = Range()
    placeholder: str = "NUMBER"

    def from_text(self, text: str) -> int:
        """Read decimal digits."""
        if not _WHOLE.fullmatch(text.strip()):
            raise ValueError(f"{text!r} is not a whole number")
        return self.from_value(int(text))

    def from_value(self, value: object) -> int:
        """Take an int within the range."""
        if isinstance(value, bool) or not isinstance(value, int):
            quoted = isinstance(value, str) and _WHOLE.fullmatch(value)
            fix = ": write it without quotes" if quoted else ""
            raise ValueError(f"{value!r} is not a whole number{fix}")
        self.range.check(value)
        return value

    def to_text(self, value: int) -> str:
        """Decimal digits."""
        return str(value)

    def to_toml(self, value: int) -> str:
        """A TOML integer."""
        return str(value)


class Size(NamedTuple):
    """A number of bytes."""

    range: Range = Range()
    placeholder: str = "SIZE"

    def from_text(self, text: str) -> int:
        """Read 65536, 64k or 64KiB; the units are powers of 1024, in any case."""
        match = _SIZE.fullmatch(text.strip())
        if match is None:
            raise ValueError(f"{text!r} is not a size: {_SIZE_WANTED}")
        digits, unit = match.groups("b")
        return self.from_value(int(digits) * _BYTES_PER[unit[0].lower()])

    def from_value(self, value: object) -> int:
        """Take an int of bytes within the range, or a text with a unit."""
        if isinstance(value, str):
            return self.from_text(value)
        if isinstance(value, bool) or not isinstance(value, int):
            raise ValueError(f"{value!r} is not a size: {_SIZE_WANTED}")
        self.range.check(value)
        return value

    def to_text(self, value: int) -> str:
        """The greatest unit that divides it."""
        for unit in ("g", "m", "k"):
            if value and value % _BYTES_PER[unit] == 0:
                return f"{value // _BYTES_PER[unit]}{unit.upper()}iB"
        return str(value)

    def to_toml(self, value: int) -> str:
        """A TOML integer, or a string where a unit reads better."""
        text = self.to_text(value)
        return text if text.isdigit() else f'"{text}"'


class Duration(NamedTuple):
    """A number of seconds."""

    range: Range = _DURATION_RANGE
    placeholder: str = "SECONDS"

    def from_text(self, text: str) -> float:
        """Read 30, 1.5, 30s, 500ms, 2m (minutes) or 1h."""
        match = _DURATION.fullmatch(text.strip())
        if match is None:
            raise ValueError(f"{text!r} is not a time: {_DURATION_WANTED}")
        digits, unit = match.groups("s")
        number = float(digits) if "." in digits else int(digits)
        # Division keeps 3ms at the float nearest to 0.003, which multiplying by 0.001 does not.
        return self.from_value(number / 1000 if unit == "ms" else number * _SECONDS_PER[unit])

    def from_value(self, value: object) -> float:
        """Take a number of seconds within the range, or a text with a unit."""
        if isinstance(value, str):
            return self.from_text(value)
        if isinstance(value, bool) or not isinstance(value, (int, float)):
            raise ValueError(f"{value!r} is not a time: {_DURATION_WANTED}")
        self.range.check(value)
        return float(value)

    def to_text(self, value: float) -> str:
        """Seconds, with their unit."""
        return f"{_plain(value)}s" if value else "0"

    def to_toml(self, value: float) -> str:
        """A TOML string, so that the unit is seen."""
        return f'"{self.to_text(value)}"' if value else "0"


class Real(NamedTuple):
    """A number without a unit that may have a fraction."""

    range: Range = Range()
    placeholder: str = "NUMBER"

    def from_text(self, text: str) -> float:
        """Read 2 or 0.5."""
        match = _DURATION.fullmatch(text.strip())
        if match is None or match[2]:
            raise ValueError(f"{text!r} is not a number")
        return self.from_value(float(match[1]))

    def from_value(self, value: object) -> float:
        """Take an int or a float within the range."""
        if isinstance(value, bool) or not isinstance(value, (int, float)):
            raise ValueError(f"{value!r} is not a number")
        self.range.check(value)
        return float(value)

    def to_text(self, value: float) -> str:
        """Decimal digits, never with an exponent."""
        return _plain(value)

    def to_toml(self, value: float) -> str:
        """A TOML integer, or a float where there is a fraction."""
        return _plain(value)


class Text(NamedTuple):
    """A text, free or with a check to pass; `is_path` says that it names a file or a folder."""

    check: Check | None = None
    is_path: bool = False
    placeholder: str = "TEXT"

    def from_text(self, text: str) -> str:
        """Take the text as it stands."""
        return self.from_value(text)

    def from_value(self, value: object) -> str:
        """Take a str, or for a path anything with the file system protocol."""
        if self.is_path and isinstance(value, os.PathLike):
            value = os.fspath(value)
        if not isinstance(value, str):
            fix = ": write it in quotes" if isinstance(value, (int, float)) else ""
            raise ValueError(f"{value!r} is not a text{fix}")
        # Lone surrogates stand for bytes that are not UTF-8; neither TOML nor a log line could show them.
        if _UNPRINTABLE.search(value):
            raise ValueError(f"{value!r} holds a control character or is not UTF-8")
        if self.check is not None:
            self.check.function(value)
        return value

    def to_text(self, value: str) -> str:
        """The text itself."""
        return value

    def to_toml(self, value: str) -> str:
        """A TOML basic string; what would need another escape is refused on the way in."""
        return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'


class TextList(NamedTuple):
    """Several texts: a repeated flag, a list in TOML, one variable with commas between."""

    item: Text = Text()
    placeholder: str = "TEXT"

    def from_text(self, text: str) -> tuple[str, ...]:
        """Split at commas; spaces around an item do not belong to it, and an empty text has no items."""
        if not text.strip():
            return ()
        return self.from_value([item.strip() for item in text.split(",")])

    def from_value(self, value: object) -> tuple[str, ...]:
        """Take a sequence of texts, or one text alone."""
        items = [value] if isinstance(value, str) else value
        if not isinstance(items, Sequence) or isinstance(items, (bytes, bytearray)):
            raise ValueError(f"{value!r} is not a list of texts")
        if "" in items:
            raise ValueError("an item is empty")
        return tuple(self.item.from_value(item) for item in items)

    def to_text(self, value: tuple[str, ...]) -> str:
        """The items with commas between."""
        return ",".join(value)

    def to_toml(self, value: tuple[str, ...]) -> str:
        """A TOML array of strings."""
        return f"[{', '.join(map(self.item.to_toml, value))}]"


class Choice(NamedTuple):
    """One of a few words."""

    words: tuple[str, ...]

    @property
    def placeholder(self) -> str:
        """The words, as usage lines write alternatives."""
        return "{" + ",".join(self.words) + "}"

    def from_text(self, text: str) -> str:
        """Take one of the words, in any case."""
        return self.from_value(text.strip().lower())

    def from_value(self, value: object) -> str:
        """Take one of the words."""
        if not isinstance(value, str) or value not in self.words:
            wanted = f"{', '.join(self.words[:-1])} or {self.words[-1]}" if self.words[1:] else self.words[0]
            raise ValueError(f"{value!r} is not one of the choices: write {wanted}")
        return value

    def to_text(self, value: str) -> str:
        """The word."""
        return value

    def to_toml(self, value: str) -> str:
        """The word as a TOML string."""
        return f'"{value}"'


class Nullable(NamedTuple):
    """A value that may be absent, which is spelled `none`."""

    kind: Kind

    @property
    def placeholder(self) -> str:
        """As of the value itself."""
        return self.kind.placeholder

    def from_text(self, text: str) -> object:
        """Read `none`, or what the kind reads."""
        return None if text.strip().lower() == "none" else self.kind.from_text(text)

    def from_value(self, value: object) -> object:
        """Take None, "none" (TOML has no null), or what the kind takes."""
        return None if value is None or value == "none" else self.kind.from_value(value)

    def to_text(self, value: object) -> str:
        """`none`, or as the kind writes it."""
        return "none" if value is None else self.kind.to_text(value)

    def to_toml(self, value: object) -> str:
        """A string where there is no value, or as the kind writes it."""
        return '"none"' if value is None else self.kind.to_toml(value)


def kind_of(annotation: object) -> Kind:
    """The kind for a field's annotation, with its markers; TypeError for one that no option can have."""
    markers: list[object] = []
    if get_origin(annotation) is Annotated:
        annotation, *markers = get_args(annotation)
    arguments = get_args(annotation)
    origin = get_origin(annotation)
    if origin in (Union, types.UnionType) and len(arguments) == 2 and arguments[1] is types.NoneType:
        inner: Any = Annotated[(arguments[0], *markers)] if markers else arguments[0]
        return Nullable(kind_of(inner))
    if origin is Literal:
        return Choice(arguments)
    if origin is tuple and arguments[1:] == (...,):
        item = kind_of(arguments[0])
        if isinstance(item, Text):
            return TextList(item)
    unit = next((marker.name for marker in markers if isinstance(marker, Unit)), None)
    limit = next((marker for marker in markers if isinstance(marker, Range)), None)
    if annotation is bool:
        return Switch()
    if annotation is int:
        return Size(limit or Range()) if unit == "bytes" else Number(limit or Range())
    if annotation is float:
        return Duration(limit or _DURATION_RANGE) if unit == "seconds" else Real(limit or Range())
    if annotation is str:
        check = next((marker for marker in markers if isinstance(marker, Check)), None)
        return Text(check, is_path=True, placeholder="PATH") if unit == "path" else Text(check)
    raise TypeError(f"{annotation!r} is not a type that an option can have")


def did_you_mean(word: str, candidates: Iterable[str]) -> str:
    """The end of a complaint about an unknown `word`: the nearest of the `candidates`, or nothing."""
    from difflib import get_close_matches

    nearest = get_close_matches(word, list(candidates), n=1, cutoff=0.6)
    return f"; did you mean {nearest[0]}?" if nearest else ""


def _plain(number: float) -> str:
    """Decimal digits that read back as the same number: no exponent, no fraction when it is whole."""
    if number == int(number):
        return str(int(number))
    from decimal import Decimal

    return format(Decimal(repr(number)), "f")
