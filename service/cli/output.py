"""What commands print: tables for people, JSON for programs."""

import json
from collections.abc import Callable, Iterable, Sequence
from typing import Any, TypeVar

import click

Command = TypeVar("Command", bound=Callable[..., Any])


def json_option(command: Command) -> Command:
    """Adds `--json` to a command, as its argument `as_json`."""
    return click.option("--json", "as_json", is_flag=True, help="Print JSON.")(command)


def print_json(value: Any) -> None:
    click.echo(json.dumps(value, indent=2))


def print_table(rows: Iterable[dict[str, Any]], columns: Sequence[str]) -> None:
    """The columns of the rows, aligned, under their names; `-` for null."""
    lines = [[column.replace("_", " ") for column in columns]]
    lines += [[_cell(row[column]) for column in columns] for row in rows]
    widths = [max(len(line[i]) for line in lines) for i in range(len(columns))]
    for line in lines:
        padded = (cell.ljust(width) for cell, width in zip(line, widths, strict=True))
        click.echo("  ".join(padded).rstrip())


def print_object(value: dict[str, Any]) -> None:
    """One `name: value` a line."""
    width = max(len(name) for name in value)
    for name, each in value.items():
        click.echo(f"{(name + ':').ljust(width + 2)}{_cell(each)}")


def _cell(value: Any) -> str:
    if value is None:
        return "-"
    # Names and models come from callers: no escape sequence of theirs may reach a terminal.
    text = value if isinstance(value, str) else json.dumps(value)
    return "".join(c if c.isprintable() else "?" for c in text)
