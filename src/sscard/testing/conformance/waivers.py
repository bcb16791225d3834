"""Waivers: known failures that are accepted, each with its reason.

A text file: one waiver a line, the id of a case (or a pattern with `*`) and, behind a space,
the reason; `#` begins a comment line. A waiver without reason is an error. A reason that begins
with `until` and a date makes the waiver end with that day.
"""

from collections.abc import Iterable
from datetime import date
from fnmatch import fnmatchcase
from pathlib import Path
from typing import NamedTuple

from sscard.errors import ScriptError
from sscard.testing.conformance.model import Case

__all__ = ["Waiver", "load_waivers", "parse_waivers"]


class Waiver(NamedTuple):
    """A pattern of case ids, the reason why their failure is accepted, and the last day of it."""

    pattern: str
    reason: str
    until: date | None = None

    def covers(self, case: Case) -> bool:
        """Whether the waiver is for a case."""
        return fnmatchcase(case.id, self.pattern)

    def ended(self, today: date) -> bool:
        """Whether the waiver is no longer good on a day."""
        return self.until is not None and today > self.until


def load_waivers(path: Path, cases: Iterable[Case]) -> tuple[Waiver, ...]:
    """Read a waiver file. Errors: as `parse_waivers`; OSError."""
    return parse_waivers(path.read_text(encoding="utf-8"), cases, str(path))


def parse_waivers(text: str, cases: Iterable[Case], name: str = "waivers") -> tuple[Waiver, ...]:
    """Read waivers.

    Errors: `ScriptError` for one without reason, with a date that is none, or that covers no case.
    """
    known = tuple(cases)
    found = []
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        pattern, _, reason = line.strip().partition(" ")
        try:
            reason, until = _ending(reason.strip())
        except ValueError as error:
            raise ScriptError(f"{name}:{number}: until is followed by a date: {error}") from error
        if not reason:
            raise ScriptError(f"{name}:{number}: the waiver of {pattern} gives no reason")
        waiver = Waiver(pattern, reason, until)
        if not any(waiver.covers(case) for case in known):
            raise ScriptError(f"{name}:{number}: there is no case {pattern}")
        found.append(waiver)
    return tuple(found)


def _ending(reason: str) -> tuple[str, date | None]:
    """Split `until 2026-12-31 the reason`. Errors: ValueError for what is no date."""
    first, _, rest = reason.partition(" ")
    if first != "until":
        return reason, None
    day, _, words = rest.strip().partition(" ")
    return words.strip(), date.fromisoformat(day)
