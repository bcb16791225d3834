"""What a card can tell about itself while it works: frozen events for listeners.

Nothing here costs anything when nobody listens. Events carry raw bytes; their reprs do not:
whoever prints them decides what to mask (`sscard.inspect`).
"""

from collections.abc import Callable
from dataclasses import dataclass, field

from sscard.cos.refusal import Refusal

__all__ = ["Alarm", "Event", "Exchanged", "Listener", "PoweredOn"]


@dataclass(frozen=True, slots=True)
class PoweredOn:
    """The card was powered on, or reset, and answered `atr`."""

    atr: bytes


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


Event = PoweredOn | Exchanged | Alarm
Listener = Callable[[Event], None]
