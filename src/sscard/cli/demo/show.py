"""The demo on a screen: a rule, a table of what was sent, what was read, what was verified."""

from rich.console import Console
from rich.table import Table
from rich.text import Text

from sscard.cli.demo.report import Chapter
from sscard.cli.demo.story import Story
from sscard.cli.output import table
from sscard.iso.sw import SW

__all__ = ["show_chapter", "show_end"]

_DATA_SHOWN = 24
"""Hex digits of a command's and of an answer's data in a table, where there is room."""
_ROOM, _ROOM_FOR_SOME = 150, 110
"""Columns of a screen that can show them, or a third of them; a narrower one shows none."""


def show_chapter(console: Console, chapter: Chapter) -> None:
    """Show one chapter."""
    console.print()
    if console.is_terminal:
        console.rule(chapter.title, align="left", style="cyan")
    else:
        console.print(f"== {chapter.title}")
    console.print(chapter.lead, style="dim")
    if chapter.steps:
        console.print(_steps(chapter, console.width))
    if chapter.items:
        places = any(item.place for item in chapter.items)
        columns = ("where", "", "") if places else ("", "")
        rows_ = [
            (*((item.place,) if places else ()), item.name, item.value) for item in chapter.items
        ]
        console.print()
        console.print(table(columns, rows_))
    for check in chapter.checks:
        console.print(
            Text.assemble(
                ("✓ ", "bold green"), check.what, (f"  {check.computed.hex().upper()}", "dim")
            )
        )
    console.print(
        f"{chapter.commands} APDUs, {_milliseconds(chapter.elapsed_us)} of virtual time,"
        f" {chapter.operations} EEPROM operations",
        style="dim",
    )


def _steps(chapter: Chapter, width: int) -> Table:
    digits = _DATA_SHOWN if width >= _ROOM else _DATA_SHOWN // 3
    rows: list[tuple[object, ...]] = []
    for step in chapter.steps:
        done = step.exchange
        wire: tuple[object, ...] = ()
        if width >= _ROOM_FOR_SOME:
            sent, answer = done.shown_command, done.data.hex().upper()
            wire = (_short(sent, 11 + digits), _short(answer, digits))
        rows.append((done.name, *wire, done.sw, step.note or _meaning(done.sw)))
    wire_columns = ("sent", "answer") if width >= _ROOM_FOR_SOME else ()
    return table(("command", *wire_columns, "SW", ""), rows)


def show_end(console: Console, story: Story) -> None:
    """Show the sum of it all."""
    facts = story.to_json()
    console.print()
    console.print(
        f"{facts['commands']} APDUs, {_milliseconds(facts['virtual_us'])} of virtual time,"
        f" {facts['eeprom_operations']} EEPROM operations; the page worn most was erased"
        f" {facts['most_worn_page_erases']} times."
    )
    findings = facts["fsck"]
    console.print("fsck: clean." if not findings else f"fsck: {len(findings)} findings!")


def _meaning(sw: SW) -> str:
    return "" if sw == SW.OK else sw.meaning


def _short(text: str, digits: int) -> str:
    return text if len(text) <= digits or text.endswith(">") else f"{text[:digits]}.."


def _milliseconds(microseconds: int) -> str:
    return f"{microseconds / 1000:,.1f} ms"
