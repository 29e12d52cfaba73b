"""Write docs/reference/options.md from the options' declaration: `python docs/generate_options.py`."""

from __future__ import annotations

from pathlib import Path

from ropewalk.server.config import Config
from ropewalk.server.config_arguments import CONTROLS
from ropewalk.server.config_help import field_texts, usage
from ropewalk.server.config_options import Option, group_options, groups_of

PAGE = Path(__file__).parent / "reference" / "options.md"

INTRODUCTION = """\
<!-- Written by docs/generate_options.py from server/config.py; change it there. -->

# Options

Every option can be given in four ways. For the longest request line these are

* the flag `--limit-request-line 4k` on the command line,
* the variable `ROPEWALK_LIMIT_REQUEST_LINE=4k` in the environment,
* the key `request_line = "4k"` in the table `[limits]` of a TOML file,
* the keyword `limit_request_line=4096` in Python.

The command line wins over the environment, the environment over the file, and the file over the defaults. The
file is `ropewalk.toml` in the current directory if there is one, or the one that `--config` or
`ROPEWALK_CONFIG` names. `ropewalk --print-config` shows what is in force and where it came from. An option
that does not exist, in any of the four ways, is refused with the nearest one that does.

What may be given depends on the word after the flag:

* SIZE is in bytes, or in a power of 1024 with a unit: `65536`, `64k`, `64KiB`, `1MiB`.
* SECONDS may have a fraction or a unit: `30`, `1.5`, `500ms`, `30s`, `2m`, `1h`.
* Words in braces are the choices.
* A flag with a `--no-` form takes no value. In the environment it is `on` or `off` (or `1`, `true`, `yes` and
  `0`, `false`, `no`), in TOML `true` or `false`.
* A repeatable flag is given again for each item. In the environment commas stand between items; TOML and
  Python take a list, or a string for one item.

In TOML and in Python, sizes and times are numbers, or strings where they have a unit. 0 switches a limit or a
timeout off, unless the option says otherwise. Keys without a table stand at the top of the file, before its
tables, or in a table that is named like their section below, in small letters.
"""


def page() -> str:
    """The whole page as Markdown."""
    parts = [INTRODUCTION]
    for group in groups_of(Config).values():
        parts.append(f"## {group.title}\n\n{group.__doc__}\n")
        texts = field_texts(group)
        parts += [_section(option, texts[option.field]) for option in group_options(group)]
    parts.append("## Control\n\nThese flags say what to do with the configuration and are no part of it.\n")
    for control in CONTROLS:
        names = ", ".join(name for name in (control.short, control.flag) if name)
        parts.append(f"### `{f'{names} {control.placeholder}'.rstrip()}`\n\n{control.text}\n")
    return "\n".join(parts)


def _section(option: Option, text: str) -> str:
    default = option.kind.to_text(option.default)
    key = f"`{option.field}` in `[{option.group.table}]`" if option.group.prefix else f"`{option.field}`"
    return (
        f"### `{usage(option)}`\n\n{text}\n\n"
        "| Default | Variable | TOML key | Python keyword |\n|---|---|---|---|\n"
        f"| {f'`{default}`' if default else 'none'} | `{option.variable}` | {key} | `{option.keyword}` |\n"
    )


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
