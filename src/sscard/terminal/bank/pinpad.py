"""The PIN pad, as a protocol: it asks the holder, and never hands out the digits but to us.

`KeyedPad` is one that knows the digits beforehand, for programs and tests.
"""

from dataclasses import dataclass, field
from enum import Enum
from typing import NamedTuple, Protocol

__all__ = ["Entry", "KeyedPad", "PinPad", "PinRequest"]


class Entry(Enum):
    """What came of asking, when it was no PIN."""

    BYPASSED = "bypassed"
    CANCELLED = "cancelled"
    NOT_WORKING = "not working"


class PinRequest(NamedTuple):
    """What the holder is asked: the amount; for an offline PIN the tries left, if known.

    `again` after a wrong one; `bypass` whether he may go without.
    """

    amount: int
    online: bool
    tries_left: int | None = None
    again: bool = False
    bypass: bool = True


class PinPad(Protocol):
    """Asks for a PIN: 4 to 12 digits, or how it ended otherwise."""

    def enter(self, request: PinRequest) -> str | Entry:
        """Return the digits, or what happened instead."""
        ...


@dataclass(slots=True)
class KeyedPad:
    """A pad whose entries are given, one after another; the last one stays."""

    entries: list[str | Entry] = field(repr=False)
    asked: list[PinRequest] = field(default_factory=list)

    @classmethod
    def of(cls, *entries: str | Entry) -> "KeyedPad":
        """Return a pad with these entries; without any, one that does not work."""
        return cls(list(entries or (Entry.NOT_WORKING,)))

    def enter(self, request: PinRequest) -> str | Entry:
        """Return the next entry."""
        self.asked.append(request)
        return self.entries.pop(0) if len(self.entries) > 1 else self.entries[0]
