"""Data object lists at work: cutting data by a list, filling a list from data (pse-pboc 2.7).

Pure; what a value is padded with follows from its format. Malformed lists count as absent:
they come from records, whose content nobody checks.
"""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from sscard.iso.tlv import TlvError, parse_dol, split_dol
from sscard.spec.pboc import TAGS

__all__ = ["NO_DOL", "Dol", "fitted"]


class Dol(NamedTuple):
    """A list of (tag, length) pairs; `length` is that of the data it asks for."""

    entries: tuple[tuple[int, int], ...]
    length: int

    @classmethod
    def parse(cls, raw: bytes) -> "Dol":
        """Parse a DOL; a malformed one is empty."""
        try:
            entries = tuple(parse_dol(raw))
        except TlvError:
            return NO_DOL
        return cls(entries, sum(length for _, length in entries))

    def split(self, data: bytes) -> dict[int, bytes]:
        """Cut `data`, exactly `length` bytes, into values by tag."""
        return dict(split_dol(self.entries, data))

    def fill(self, sources: Sequence[Mapping[int, bytes]]) -> bytes:
        """Return the values the list asks for, each from the first source that has it, or zeros."""
        return b"".join(
            next((fitted(tag, s[tag], length) for s in sources if tag in s), bytes(length))
            for tag, length in self.entries
        )


NO_DOL = Dol((), 0)


def fitted(tag: int, value: bytes, length: int) -> bytes:
    """Return `value` at another length: numbers keep their right end, all else its left one."""
    if len(value) == length:
        return value
    known = TAGS.get(tag)
    if known is not None and known.format == "n":
        return value[-length:].rjust(length, b"\0") if length else b""
    return value[:length].ljust(length, b"\0")
