"""The entries of a trace, one a line of its file, and what stands in front of them.

Frozen values that know nothing of files. Times are virtual microseconds of the card, None where
a card with no virtual clock was recorded.
"""

from dataclasses import dataclass
from typing import NamedTuple

from sscard.inspect.trace.octets import Octets

__all__ = [
    "FORMAT",
    "Apdu",
    "Commit",
    "Entry",
    "Failure",
    "Header",
    "Mute",
    "Power",
    "Random",
    "Recovery",
    "Refused",
    "Trace",
    "Write",
]

FORMAT = 1
"""The number of the format that is written, and the only one that is read."""


@dataclass(frozen=True, slots=True)
class Header:
    """The first line: what was recorded (`source`: card, port, slot or relay), whether masked."""

    source: str
    masked: bool
    title: str = ""


@dataclass(frozen=True, slots=True)
class Power:
    """What the reader did to the card's power: `change` is on, reset or off, `atr` the answer.

    `interface` contact or contactless, "" where the recorder could not know.
    """

    change: str
    atr: bytes = b""
    at_us: int | None = None
    interface: str = ""


class Refused(NamedTuple):
    """The rule that refused a command: why, and the section of the reference."""

    why: str
    ref: str


@dataclass(frozen=True, slots=True)
class Apdu:
    """A command and its answer, as the terminal sent and got them.

    `domain` 0 CM, 1 SSSE, 2 PSE, `applet` its application, where the card told. A relay that
    changed something says in `sent` what the card was given, in `answered` what it said.
    """

    command: Octets
    response: Octets
    domain: int | None = None
    applet: str = ""
    refused: Refused | None = None
    elapsed_us: int | None = None
    operations: int | None = None
    at_us: int | None = None
    sent: Octets | None = None
    answered: Octets | None = None


@dataclass(frozen=True, slots=True)
class Write:
    """One EEPROM operation: erase, program or byte, where, and what stands there afterwards."""

    kind: str
    address: int
    data: Octets


@dataclass(frozen=True, slots=True)
class Commit:
    """A transaction of a domain over some pages stands."""

    domain: int
    pages: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Recovery:
    """Power-on completed a torn transaction."""

    domain: int
    pages: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Random:
    """A domain drew a random value; it precedes the entry of the command that asked for it."""

    domain: int
    value: bytes


@dataclass(frozen=True, slots=True)
class Mute:
    """The firewall stopped a write; the card is mute until reset."""

    why: str


@dataclass(frozen=True, slots=True)
class Failure:
    """A command that was never answered: power lost, card removed, reader gone."""

    command: Octets
    error: str
    why: str


Entry = Power | Apdu | Write | Commit | Recovery | Random | Mute | Failure


@dataclass(frozen=True, slots=True)
class Trace:
    """A whole trace."""

    header: Header
    entries: tuple[Entry, ...]

    @property
    def apdus(self) -> tuple[Apdu, ...]:
        """The commands that were answered."""
        return tuple(entry for entry in self.entries if isinstance(entry, Apdu))
