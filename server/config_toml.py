"""The configuration as TOML: read from a file, and written so that it reads back as the same."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .config_options import Option, Origin, group_options, groups_of
from .config_values import Text, did_you_mean
from .errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from pathlib import Path


def read_file(
    path: Path, name: str, cwd: Path, options: Sequence[Option]
) -> dict[str, tuple[object, Origin]]:
    """The values of a TOML file with their origins, by the options' keywords.

    `name` is what messages call the file. Relative paths in a file outside of `cwd` are taken from its
    folder. Raises FileNotFoundError, and ConfigError for everything else that is wrong with the file.
    """
    folder = path.absolute().parent
    values: dict[str, tuple[object, Origin]] = {}
    for key, option, raw in _entries(_load(path, name), name, options):
        origin = Origin(key, name)
        if option.keyword in values:
            raise origin.error(f"it is given already, as {values[option.keyword][1].option}")
        value = option.accept(raw, origin)
        if isinstance(option.kind, Text) and option.kind.is_path and folder.resolve() != cwd.resolve():
            value = str(folder / str(value))
        values[option.keyword] = (value, origin)
    return values


def _load(path: Path, name: str) -> dict[str, object]:
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        raise
    except OSError as fault:
        raise ConfigError(f"{name} cannot be read: {fault.strerror}", source=name) from fault
    # Most servers have no file, so the parser is loaded only once there is something to parse.
    import tomllib

    try:
        return tomllib.loads(content.decode())
    except UnicodeDecodeError as fault:
        raise ConfigError(f"{name} is not UTF-8, which TOML must be: {fault}", source=name) from fault
    except tomllib.TOMLDecodeError as fault:
        raise ConfigError(f"{name} is not TOML: {fault}", source=name) from fault
    except RecursionError:
        raise ConfigError(f"{name} is nested too deeply", source=name) from None


def _entries(
    document: Mapping[str, object], name: str, options: Sequence[Option]
) -> Iterator[tuple[str, Option, object]]:
    """Each key of a document as it was written, with its option and its value."""
    top = {option.field: option for option in options if not option.group.prefix}
    tables: dict[str, dict[str, Option]] = {}
    for option in options:
        tables.setdefault(option.group.table, {})[option.field] = option
    for key, value in document.items():
        if key in top:
            yield key, top[key], value
        elif key in tables:
            if not isinstance(value, dict):
                raise Origin(key, name).error(f"it is a table: write [{key}] and its keys below")
            for field, entry in value.items():
                if field not in tables[key]:
                    raise Origin(f"{key}.{field}", name).error(_unknown_key(field, tables[key], options))
                yield f"{key}.{field}", tables[key][field], entry
        elif isinstance(value, dict):
            raise Origin(f"[{key}]", name).error(f"there is no such table{did_you_mean(key, tables)}")
        else:
            raise Origin(key, name).error(_unknown_key(key, [*top, *tables], options))


def _unknown_key(key: str, neighbours: Iterable[str], options: Sequence[Option]) -> str:
    """The complaint about an unknown key, with the key that was most likely meant."""
    word = key.replace("-", "_").lower()
    homes = [
        option.key for option in options if word in (option.field, option.keyword, option.variable.lower())
    ]
    hint = f"; did you mean {' or '.join(homes)}?" if homes else did_you_mean(word, neighbours)
    return f"there is no such key{hint}"


def format_config(config: object, origins: Mapping[str, Origin]) -> str:
    """A configuration as a TOML file of all options, each with a comment if it is not from the defaults.

    `origins` says by keyword where values came from.
    """
    lines: list[str] = []
    for name, group in groups_of(type(config)).items():
        lines += ["", f"[{group.table}]"] if group.prefix else ["", f"# {group.title}"]
        for option in group_options(group):
            value = getattr(getattr(config, name), option.field)
            line = f"{option.field} = {option.kind.to_toml(value)}"
            if origin := origins.get(option.keyword):
                line += f"  # from {origin.option} ({origin.source})"
            lines.append(line)
    return "\n".join(lines[1:]) + "\n"
