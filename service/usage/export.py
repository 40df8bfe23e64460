"""Rows as CSV and as JSON lines, one at a time, so that an export of any length needs no memory."""

import csv
import io
import json
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

CONTENT_TYPES = {"csv": "text/csv; charset=utf-8", "jsonl": "application/x-ndjson"}
# A spreadsheet would run a text that begins so as a formula; model names are the callers' own.
_FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r")


def export(form: str, rows: Iterable[dict[str, Any]], columns: Sequence[str]) -> Iterator[str]:
    """Lines with their line ends; `form` is csv (with a header, empty for null) or jsonl."""
    return _csv(rows, columns) if form == "csv" else _jsonl(rows)


def _jsonl(rows: Iterable[dict[str, Any]]) -> Iterator[str]:
    return (json.dumps(row, separators=(",", ":")) + "\n" for row in rows)


def _csv(rows: Iterable[dict[str, Any]], columns: Sequence[str]) -> Iterator[str]:
    yield _line(columns)
    for row in rows:
        yield _line([_cell(row[column]) for column in columns])


def _line(cells: Sequence[str]) -> str:
    line = io.StringIO()
    csv.writer(line, lineterminator="\r\n").writerow(cells)
    return line.getvalue()


def _cell(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    text = str(value)
    return f"'{text}" if text.startswith(_FORMULA_STARTS) else text
