"""The command line: flags, the positional target and the few control flags that are not options."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, NamedTuple, cast

from .config_options import Origin
from .config_values import Switch, did_you_mean

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from .config_options import Option

SOURCE: Final = "command line"


class Control(NamedTuple):
    """A flag that says what to do with the configuration instead of being part of it."""

    flag: str
    action: str
    text: str
    short: str = ""
    placeholder: str = ""


CONTROLS: Final = (
    Control(
        "--config",
        "",
        "Read this TOML file instead of ropewalk.toml in the current directory; also ROPEWALK_CONFIG.",
        placeholder="FILE",
    ),
    Control("--check-config", "check", "Check the configuration, and exit without serving."),
    Control("--print-config", "print", "Print the configuration in force as TOML, with where it came from."),
    Control("--version", "version", "Print the version."),
    Control("--help", "help", "Print this help.", short="-h"),
)


@dataclass(slots=True)
class Arguments:
    """What a command line said: values and origins by the options' keywords, and the controls."""

    values: dict[str, object] = field(default_factory=dict)
    origins: dict[str, Origin] = field(default_factory=dict)
    config_file: str | None = None
    action: str = "run"


def parse_arguments(argv: Sequence[str], options: Sequence[Option]) -> Arguments:
    """Read the arguments after the program's name; raises ConfigError for the first that cannot be used.

    Flags may stand before and after the target, `--flag=VALUE` is the same as `--flag VALUE`, and nothing
    after `--` is a flag. Of a flag given twice the last counts, but for those that add an item each.
    `--help` ends the reading, so that it works in front of anything.
    """
    spellings = _spellings(options)
    positionals = [option for option in options if option.spelling.positional]
    controls = {name: control for control in CONTROLS for name in (control.flag, control.short) if name}
    arguments = Arguments()
    words = iter(argv)
    switch = ""
    for word in words:
        if word == "--":
            for rest in words:
                _positional(arguments, positionals, rest, "")
            break
        if word == "-" or not word.startswith("-"):
            _positional(arguments, positionals, word, switch)
            switch = ""
            continue
        name, text = _split(word)
        switch = ""
        if name in controls:
            control = controls[name]
            if control.placeholder:
                arguments.config_file = _value(name, text, words, spellings.keys() | controls.keys())
                continue
            _refuse_value(name, text)
            arguments.action = control.action
            if control.action == "help":
                break
        elif name in spellings:
            option = spellings[name]
            if isinstance(option.kind, Switch):
                _refuse_value(name, text, option)
                _store(arguments, option, name == option.flag, Origin(name, SOURCE))
                switch = name
            else:
                value = _value(name, text, words, spellings.keys() | controls.keys())
                _read(arguments, option, value, Origin(name, SOURCE))
        else:
            hint = did_you_mean(name, spellings.keys() | controls.keys())
            raise Origin(name, SOURCE).error(f"there is no such option{hint or '; see ropewalk --help'}")
    return arguments


def _spellings(options: Sequence[Option]) -> dict[str, Option]:
    """Every flag of the options, long, short and negative."""
    spellings: dict[str, Option] = {}
    for option in options:
        for name in (option.flag, option.negative_flag, option.spelling.short):
            if name:
                spellings[name] = option
    return spellings


def _split(word: str) -> tuple[str, str | None]:
    """A flag and the value written in the same word: `--flag=VALUE`, `-fVALUE` or `-f=VALUE`."""
    if word.startswith("--"):
        name, equals, text = word.partition("=")
        return name, text if equals else None
    return word[:2], word[2:].removeprefix("=") if word[2:] else None


def _value(name: str, text: str | None, words: Iterator[str], flags: set[str]) -> str:
    """The value written with the flag, or the next word unless that is a flag."""
    if text is None:
        text = next(words, None)
        if text is None or text == "--" or text.partition("=")[0] in flags:
            raise Origin(name, SOURCE).error("a value must follow")
    return text


def _refuse_value(name: str, text: str | None, option: Option | None = None) -> None:
    if text is not None:
        fix = f": write {option.flag} or {option.negative_flag}" if option else ""
        raise Origin(name, SOURCE).error(f"it takes no value{fix}")


def _positional(arguments: Arguments, options: Sequence[Option], word: str, switch: str) -> None:
    """Store a word that is no flag; `switch` is the flag in front of it when that takes no value."""
    for option in options:
        if option.keyword not in arguments.values:
            return _read(arguments, option, word, Origin(option.spelling.positional, SOURCE))
    fault = (
        f"nothing is expected after {', '.join(str(arguments.values[option.keyword]) for option in options)}"
    )
    if switch:
        fault = f"{switch} takes no value"
    raise Origin(repr(word), SOURCE).error(fault)


def _read(arguments: Arguments, option: Option, text: str, origin: Origin) -> None:
    if not option.is_repeatable:
        return _store(arguments, option, option.read(text, origin), origin)
    earlier = cast("tuple[str, ...]", arguments.values.get(option.keyword, ()))
    return _store(arguments, option, option.accept([*earlier, text], origin), origin)


def _store(arguments: Arguments, option: Option, value: object, origin: Origin) -> None:
    arguments.values[option.keyword] = value
    arguments.origins[option.keyword] = origin
