"""What a card can tell about itself while it works: frozen events for listeners.

The events of `Detail` say what happens inside a command; only those who ask for them get them.

Nothing here costs anything when nobody listens. Events carry raw bytes; their reprs do not:
whoever prints them decides what to mask (`sscard.inspect`).
"""

from collections.abc import Callable
from dataclasses import dataclass, field

from sscard.cos.refusal import Refusal

__all__ = [
    "Alarm",
    "Committed",
    "Detail",
    "DetailListener",
    "Drew",
    "Event",
    "Exchanged",
    "Interrupted",
    "Listener",
    "PoweredOff",
    "PoweredOn",
    "Recovered",
]


@dataclass(frozen=True, slots=True)
class PoweredOn:
    """The card was powered on, or reset (`warm`), and answered `atr`; `contactless`: by air."""

    atr: bytes
    warm: bool = False
    contactless: bool = False


@dataclass(frozen=True, slots=True)
class Exchanged:
    """One command and its answer; `refusal` says which rule refused it.

    `domain` is the domain that answered (0 CM, 1 SSSE, 2 PSE; None for none), `applet` the
    name of its application, which tells a PSAM from a card manager,
    `elapsed_us` virtual time, `operations` EEPROM operations it took.
    """

    command: bytes = field(repr=False)
    response: bytes = field(repr=False)
    domain: int | None
    refusal: Refusal | None
    elapsed_us: int
    operations: int
    applet: str = ""


@dataclass(frozen=True, slots=True)
class Alarm:
    """The firewall stopped a write; the card is mute until reset (cos 1.4)."""

    why: str


@dataclass(frozen=True, slots=True)
class Drew:
    """A domain's generator gave a random `value`, forced or its own (cos 1.5)."""

    domain: int
    value: bytes


@dataclass(frozen=True, slots=True)
class Committed:
    """A domain's transaction over these pages stands (cos 1.4)."""

    domain: int
    pages: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Recovered:
    """Power-on found a torn transaction that was committed, and wrote its pages (cos 1.4)."""

    domain: int
    pages: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Interrupted:
    """The power went in the middle of a command, which was never answered (cos 1.2)."""

    command: bytes = field(repr=False)
    why: str


@dataclass(frozen=True, slots=True)
class PoweredOff:
    """The power was taken from a card that had some."""


Event = PoweredOn | Exchanged | Alarm
Listener = Callable[[Event], None]
Detail = Drew | Committed | Recovered | Interrupted | PoweredOff
DetailListener = Callable[[Detail], None]
