"""Waivers: known failures that are accepted, each with its reason.

A text file: one waiver a line, the id of a case (or a pattern with `*`) and, behind a space,
the reason; `#` begins a comment line. A waiver without reason is an error.
"""

from collections.abc import Iterable
from fnmatch import fnmatchcase
from pathlib import Path
from typing import NamedTuple

from sscard.errors import ScriptError
from sscard.testing.conformance.model import Case

__all__ = ["Waiver", "load_waivers", "parse_waivers"]


class Waiver(NamedTuple):
    """A pattern of case ids and the reason why their failure is accepted."""

    pattern: str
    reason: str

    def covers(self, case: Case) -> bool:
        """Whether the waiver is for a case."""
        return fnmatchcase(case.id, self.pattern)


def load_waivers(path: Path, cases: Iterable[Case]) -> tuple[Waiver, ...]:
    """Read a waiver file. Errors: as `parse_waivers`; OSError."""
    return parse_waivers(path.read_text(encoding="utf-8"), cases, str(path))


def parse_waivers(text: str, cases: Iterable[Case], name: str = "waivers") -> tuple[Waiver, ...]:
    """Read waivers. Errors: `ScriptError` for one without reason or that covers no case."""
    known = tuple(cases)
    found = []
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        pattern, _, reason = line.strip().partition(" ")
        if not reason.strip():
            raise ScriptError(f"{name}:{number}: the waiver of {pattern} gives no reason")
        waiver = Waiver(pattern, reason.strip())
        if not any(waiver.covers(case) for case in known):
            raise ScriptError(f"{name}:{number}: there is no case {pattern}")
        found.append(waiver)
    return tuple(found)
