"""How commands write: rich on a terminal, plain text in a pipe, JSON for programs."""

import json
import sys
from collections.abc import Iterable

from rich import box
from rich.console import Console
from rich.table import Table

__all__ = ["error_line", "hex_text", "note", "stdout", "table", "write_json"]

_PIPE_WIDTH = 4096
"""Columns where there is no terminal: more than any line of ours has, so none is broken."""


def stdout() -> Console:
    """Return a console on standard output. Text is never taken for markup."""
    terminal = sys.stdout.isatty()
    return Console(
        markup=False, highlight=False, emoji=False, width=None if terminal else _PIPE_WIDTH
    )


def table(columns: Iterable[str], rows: Iterable[Iterable[object]]) -> Table:
    """Return a table of text; without lines where there is no terminal."""
    terminal = sys.stdout.isatty()
    shown = Table(
        box=box.SIMPLE_HEAD if terminal else None,
        show_edge=False,
        pad_edge=False,
        show_header=any(columns := list(columns)),
        header_style="bold",
    )
    for number, column in enumerate(columns):
        last = number == len(columns) - 1
        shown.add_column(column, overflow="fold", no_wrap=not terminal or not last)
    for row in rows:
        shown.add_row(*map(str, row))
    return shown


def write_json(value: object) -> None:
    """Write one JSON document, and flush it: who reads it may be waiting."""
    indent = 2 if sys.stdout.isatty() else None
    sys.stdout.write(json.dumps(value, ensure_ascii=False, indent=indent) + "\n")
    sys.stdout.flush()


def note(text: str) -> None:
    """Write a line for people to standard error."""
    sys.stderr.write(f"{text}\n")
    sys.stderr.flush()


def error_line(text: str) -> None:
    """Write an error to standard error."""
    note(f"sscard: {text}")


def hex_text(data: bytes) -> str:
    """Bytes as every command shows them."""
    return data.hex().upper()
