"""Options: one per field of a configuration's groups, with every name that the field has for its users.

The declaration is a frozen dataclass of groups, each a frozen dataclass of fields (`config.Config`). From it
follow, for the field `request_line` of the group `limits`, whose flag prefix is `limit`:

    flag --limit-request-line   variable ROPEWALK_LIMIT_REQUEST_LINE   TOML [limits] request_line
    keyword limit_request_line

The fields of a group without a prefix have flags, variables and keywords without one, and their keys stand
at the top level of a TOML file or in the group's table.
"""

from __future__ import annotations

from dataclasses import MISSING, Field, dataclass, fields
from typing import TYPE_CHECKING, Any, ClassVar, Final, TypeVar, cast, get_type_hints

from .config_values import Kind, Spelling, Switch, TextList, did_you_mean, kind_of
from .errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Mapping

VARIABLE_PREFIX: Final = "ROPEWALK_"

ConfigT = TypeVar("ConfigT")


class Group:
    """What a group of options has beside its fields; checks and normalises them on construction.

    Raises ConfigError that names the option by its keyword.
    """

    __slots__ = ()

    title: ClassVar[str]
    table: ClassVar[str]
    prefix: ClassVar[str]

    def __post_init__(self) -> None:
        for option in group_options(type(self)):
            given = getattr(self, option.field)
            value = option.accept(given, Origin(option.keyword, "arguments"))
            if value is not given:
                object.__setattr__(self, option.field, value)


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a value came from: the option as its user wrote it, and the source it stood in."""

    option: str
    source: str

    def error(self, fault: object) -> ConfigError:
        """A ConfigError that says where the fault is."""
        return ConfigError(f"{self.option} ({self.source}): {fault}", self.option, self.source)


@dataclass(frozen=True, slots=True)
class Option:
    """One field of the configuration under all of its names."""

    group: type[Group]
    field: str
    kind: Kind
    default: Any
    spelling: Spelling

    @property
    def keyword(self) -> str:
        """The name for Python callers, unique among all options: `limit_request_line`."""
        return f"{self.group.prefix}_{self.field}" if self.group.prefix else self.field

    @property
    def flag(self) -> str:
        """The long flag; empty for an option that is a positional argument."""
        return "" if self.spelling.positional else "--" + self.keyword.replace("_", "-")

    @property
    def negative_flag(self) -> str:
        """The flag that switches a switch off; empty for other kinds."""
        return f"--no-{self.flag[2:]}" if isinstance(self.kind, Switch) else ""

    @property
    def command_line(self) -> str:
        """The option as messages about the command line call it: its flag, or its positional name."""
        return self.flag or self.spelling.positional

    @property
    def variable(self) -> str:
        """The environment variable."""
        return VARIABLE_PREFIX + self.keyword.upper()

    @property
    def key(self) -> str:
        """The TOML key, with its table's name in front where it must stand in one."""
        return f"{self.group.table}.{self.field}" if self.group.prefix else self.field

    @property
    def placeholder(self) -> str:
        """What stands for the value in usage lines; empty for a switch."""
        return self.spelling.placeholder or self.kind.placeholder

    @property
    def is_repeatable(self) -> bool:
        """Whether the flag may be given several times, one item each."""
        return isinstance(self.kind, TextList)

    def read(self, text: str, origin: Origin) -> object:
        """The value of a text; raises ConfigError that tells the origin."""
        try:
            return self.kind.from_text(text)
        except ValueError as fault:
            raise origin.error(fault) from None

    def accept(self, value: object, origin: Origin) -> object:
        """The checked form of a typed value; raises ConfigError that tells the origin."""
        try:
            return self.kind.from_value(value)
        except ValueError as fault:
            raise origin.error(fault) from None


def group_options(group: type[Group]) -> tuple[Option, ...]:
    """The options of one group, in the order of its fields."""
    if group not in _DECLARED:
        hints = get_type_hints(group, include_extras=True)
        _DECLARED[group] = tuple(
            _option(group, field, hints[field.name]) for field in fields(cast("Any", group))
        )
    return _DECLARED[group]


def groups_of(config: type) -> dict[str, type[Group]]:
    """The groups of a configuration class by the names of its fields."""
    hints = get_type_hints(config)
    return {field.name: hints[field.name] for field in fields(config)}


def options_of(config: type) -> tuple[Option, ...]:
    """All options of a configuration class, group after group."""
    return tuple(option for group in groups_of(config).values() for option in group_options(group))


def build(config: type[ConfigT], values: Mapping[str, object]) -> ConfigT:
    """A configuration from checked values by keyword, with the defaults of all options that are not there."""
    return config(
        **{
            name: group(
                **{
                    option.field: values[option.keyword]
                    for option in group_options(group)
                    if option.keyword in values
                }
            )
            for name, group in groups_of(config).items()
        }
    )


def from_keywords(
    config: type[ConfigT], keywords: Mapping[str, object], source: str = "arguments"
) -> ConfigT:
    """A configuration from typed values by keyword; raises ConfigError for an unknown or unusable one."""
    options = {option.keyword: option for option in options_of(config)}
    values: dict[str, object] = {}
    for keyword, value in keywords.items():
        origin = Origin(keyword, source)
        if keyword not in options:
            raise origin.error(f"there is no such option{did_you_mean(keyword, options)}")
        values[keyword] = options[keyword].accept(value, origin)
    return build(config, values)


def _option(group: type[Group], field: Field[Any], annotation: Any) -> Option:
    markers = getattr(annotation, "__metadata__", ())
    spelling = next((marker for marker in markers if isinstance(marker, Spelling)), Spelling())
    if field.default is MISSING:
        raise TypeError(f"{group.__name__}.{field.name} has no default")
    return Option(group, field.name, kind_of(annotation), field.default, spelling)


# Type hints are evaluated once per class and not on import: servers alone need them.
_DECLARED: Final[dict[type, tuple[Option, ...]]] = {}
