"""What a reader is made of: slots, PIN pad, numbers, clock (ssse-lb002 8).

All of the interface's configuration is here, given by whoever makes a reader; nothing is global.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from enum import IntEnum
from secrets import token_bytes
from typing import TypeAlias

from sscard.terminal.errors import TerminalError
from sscard.terminal.files import LineProtection
from sscard.terminal.national.codes import Code
from sscard.terminal.national.failures import NationalError
from sscard.terminal.national.pad import FixedPad, PinPad
from sscard.terminal.stack import LePolicy
from sscard.terminal.visit import Dialect
from sscard.transport.port import Port

__all__ = ["CardType", "Equipment", "Slot"]

Slot: TypeAlias = Callable[[], Port]
"""A slot: called, it gives the port to the card in it, powered.

Errors: `CardAbsent`, `CardUnpowered`, `ReaderAbsent`, or any SscardError (code -5).
"""


class CardType(IntEnum):
    """iType: the interface the card is looked for at."""

    CONTACT = 1
    CONTACTLESS = 2
    CONTACT_FIRST = 3
    CONTACTLESS_FIRST = 4


@dataclass(frozen=True, slots=True)
class Equipment:
    """What a reader is made of; the configuration of the interface.

    `contact`, `contactless` and `psam` are slots, None where the reader has none; `device` its
    own number; `terminal` the 12 digits it gives without a PSAM; `place` the six digits of the
    PSAM's city, by default the first six of the PSAM's terminal number; `clock` the reader's;
    `protection` how updates travel; `dialect` what differs from region to region. Errors:
    `TerminalError` for another terminal number.
    """

    contact: Slot | None = None
    contactless: Slot | None = None
    psam: Slot | None = None
    pad: PinPad = field(default_factory=FixedPad)
    device: str = ""
    terminal: str = "000000000000"
    place: str = ""
    clock: Callable[[], datetime] = datetime.now
    dialect: Dialect = field(default_factory=Dialect)
    protection: LineProtection = LineProtection.NONE
    case_4_le: LePolicy = LePolicy.KEEP
    random: Callable[[int], bytes] = token_bytes

    def __post_init__(self) -> None:
        if len(self.terminal) != 12 or not (self.terminal.isascii() and self.terminal.isdecimal()):
            raise TerminalError(f"a terminal number is 12 digits, not {self.terminal!r}")

    def slots(self, i_type: int) -> tuple[Slot, ...]:
        """Return the slots to look into, in order.

        Errors: `NationalError`: -1 for another iType, -13 for an interface the reader lacks.
        """
        try:
            wanted = CardType(i_type)
        except ValueError:
            raise NationalError(Code.WRONG_CARD_TYPE, f"iType {i_type}") from None
        orders = {
            CardType.CONTACT: (self.contact,),
            CardType.CONTACTLESS: (self.contactless,),
            CardType.CONTACT_FIRST: (self.contact, self.contactless),
            CardType.CONTACTLESS_FIRST: (self.contactless, self.contact),
        }
        found = tuple(slot for slot in orders[wanted] if slot is not None)
        if not found:
            raise NationalError(Code.UNSUPPORTED, "the reader has no such interface")
        return found
