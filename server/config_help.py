"""The texts that users read about options: what the literals under the fields say, and `--help`.

Nothing here is needed to serve; it is imported when a text is asked for.
"""

from __future__ import annotations

import ast
import inspect
import sys
import textwrap
from importlib import metadata
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from .config_arguments import CONTROLS
from .config_options import group_options, groups_of

if TYPE_CHECKING:
    from .config_options import Group, Option

_USAGE = "usage: ropewalk [OPTIONS] MODULE:ATTRIBUTE"
_CLOSING = """\
Each option is also an environment variable and a key of ropewalk.toml: for \
--limit-request-line, ROPEWALK_LIMIT_REQUEST_LINE and request_line in the table [limits]; \
for --port, ROPEWALK_PORT and port at the top. The command line wins over the environment, \
the environment over the file, and the file over the defaults. SIZE is in bytes, or in a \
power of 1024 with a unit: 65536, 64k, 64KiB, 1MiB. SECONDS may have a unit: 1.5, 500ms, \
30s, 2m. 0 switches a limit or a timeout off."""


def field_texts(group: type) -> dict[str, str]:
    """The literals under the fields of a class, by field; empty where there is no source to read."""
    source = _source(group.__module__)
    for node in ast.walk(ast.parse(source)) if source else ():
        if isinstance(node, ast.ClassDef) and node.name == group.__name__:
            return dict(_literals(node.body))
    return {}


def _source(module: str) -> str | None:
    """A module's source text, from its file or archive; None where only the compiled form is installed."""
    loader: Any = getattr(getattr(sys.modules.get(module), "__spec__", None), "loader", None)
    try:
        return loader.get_source(module) if hasattr(loader, "get_source") else None
    except (ImportError, OSError):
        return None


def _literals(body: list[ast.stmt]) -> list[tuple[str, str]]:
    """Fields that are followed by a text, with that text."""
    found = []
    for statement, following in pairwise(body):
        if isinstance(statement, ast.AnnAssign) and isinstance(statement.target, ast.Name):
            if isinstance(following, ast.Expr) and isinstance(following.value, ast.Constant):
                found.append((statement.target.id, inspect.cleandoc(str(following.value.value))))
    return found


def usage(option: Option) -> str:
    """How an option is written on the command line, with what stands for its value."""
    if option.spelling.positional:
        return option.spelling.positional
    names = ", ".join(name for name in (option.spelling.short, option.flag, option.negative_flag) if name)
    return f"{names} {option.placeholder}".rstrip()


def help_text(config: type, width: int = 79) -> str:
    """What `--help` prints: every option by its group, with its default and what it means."""
    lines = [_USAGE, ""]
    for group in groups_of(config).values():
        lines += [f"{group.title}:", *_group_help(group, width), ""]
    lines.append("Control:")
    for control in CONTROLS:
        names = ", ".join(name for name in (control.short, control.flag) if name)
        lines += [f"  {names} {control.placeholder}".rstrip(), *_indented(control.text, width)]
    return "\n".join([*lines, "", *textwrap.wrap(_CLOSING, width, break_on_hyphens=False), ""])


def _group_help(group: type[Group], width: int) -> list[str]:
    lines = []
    texts = field_texts(group)
    for option in group_options(group):
        default = option.kind.to_text(option.default)
        lines.append(f"  {usage(option)}" + (f"  (default: {default})" if default else ""))
        # Reasons are for the reference page; the first paragraph says what the option does.
        meaning = texts.get(option.field, "").partition("\n\n")[0]
        lines += _indented(meaning.replace("`", ""), width)
    return lines


def _indented(text: str, width: int) -> list[str]:
    return textwrap.wrap(
        text, width, initial_indent=" " * 6, subsequent_indent=" " * 6, break_on_hyphens=False
    )


def version_text() -> str:
    """What `--version` prints."""
    try:
        version = metadata.version("ropewalk")
    except metadata.PackageNotFoundError:
        version = "(not installed)"
    return f"ropewalk {version}\n"
