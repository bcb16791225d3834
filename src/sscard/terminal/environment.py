"""Reading the environment: is this a card of ours, and which (ssse-lb002 8, step 1; 1; 5.3).

After a reset: the ATR, SELECT of the SSSE, and EF05, which every card gives freely.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from types import MappingProxyType

from sscard.iso.apdu import Command
from sscard.iso.atr import Atr, AtrError
from sscard.iso.sw import SW
from sscard.iso.tlv import TlvError
from sscard.keys import Algorithm
from sscard.keys.vault import CardIdentity
from sscard.spec.ssse import SSSE_NAME, V1, V2, V3, Directory
from sscard.terminal.errors import EnvironmentLocked, OtherCard, refusal
from sscard.terminal.records import Field, Value, decode_record
from sscard.terminal.stack import Channel

__all__ = ["BLOCKED_WORDS", "Environment", "read_environment", "select_ssse"]

_CODE, _CATEGORY, _VERSION, _ISSUED, _EXPIRES, _NUMBER = 0x01, 0x02, 0x03, 0x05, 0x06, 0x07
_ISSUER = V2[0].files[0]
_HISTORICAL = 13
_FINANCIAL = "3"
_MARKER = bytes.fromhex("9F0C86")
_MARKED = {"01": Algorithm.TDES, "02": Algorithm.SSF33, "03": Algorithm.SM4}

BLOCKED_WORDS = (SW.FILE_INVALIDATED,)
"""What SELECT answers for a blocked application, with its FCI (ssse-lb002 4.8)."""


@dataclass(frozen=True, slots=True)
class Environment:
    """What a terminal knows of a card before it asks anything of it.

    `selected` is the status word of SELECT; `fields` the items of EF05 by tag, none of them
    when the application is blocked.
    """

    atr: bytes
    fci: bytes
    selected: SW
    fields: Mapping[int, Field]

    @property
    def historical(self) -> bytes:
        """The historical bytes, the reader's "card reset information"; none of a broken ATR."""
        try:
            return Atr.parse(self.atr).historical
        except AtrError:
            return b""

    @property
    def ordinary(self) -> bool:
        """Whether the ATR has the form of ssse-lb002 1.1: 13 historical bytes, the first 00."""
        return len(self.historical) == _HISTORICAL and self.historical[0] == 0

    @property
    def blocked(self) -> bool:
        """Whether SELECT said that the application is blocked."""
        return self.selected in BLOCKED_WORDS

    @property
    def readable(self) -> bool:
        """Whether EF05 could be read."""
        return bool(self.fields)

    @property
    def code(self) -> bytes:
        """The card identification code, 16 bytes; empty when unread."""
        return self.fields[_CODE].raw if _CODE in self.fields else b""

    @property
    def region(self) -> str:
        """The six digits of the issuing city; empty when unread or no digits."""
        digits = self.code[:3].hex()
        return digits if digits.isdecimal() else ""

    @property
    def identity(self) -> CardIdentity:
        """What the card's keys depend on."""
        return CardIdentity(self.region, self.historical[-8:])

    @property
    def marker(self) -> str:
        """The algorithm as the FCI marks it, 01 DES, 02 SSF33, 03 SM4; "" unmarked (3.3)."""
        at = self.fci.find(_MARKER)
        return self.fci[at + len(_MARKER) :][:1].hex() if at >= 0 else ""

    @property
    def algorithm(self) -> Algorithm | None:
        """The algorithm of a marked card; None of one that bears no mark, or an unknown one."""
        return _MARKED.get(self.marker)

    @property
    def version(self) -> str:
        """The version of the specification, "2.00"."""
        return self._text(_VERSION)

    @property
    def number(self) -> str:
        """The 卡号, nine characters."""
        return self._text(_NUMBER)

    @property
    def financial(self) -> bool:
        """Whether the card says that it has a financial function (卡的类别)."""
        return self._text(_CATEGORY) == _FINANCIAL

    @property
    def issued(self) -> date | None:
        """The day of issue."""
        return self._day(_ISSUED)

    @property
    def expires(self) -> date | None:
        """The last day the card is good for."""
        return self._day(_EXPIRES)

    @property
    def table(self) -> tuple[Directory, ...]:
        """The file tables of the card's version; the second generation's when it is unknown."""
        return {"1": V1, "3": V3}.get(self.version[:1], V2)

    def value(self, tag: int) -> Value:
        """Return an item of EF05; None when it is not set or was not read."""
        return self.fields[tag].value if tag in self.fields else None

    def _text(self, tag: int) -> str:
        value = self.value(tag)
        return value if isinstance(value, str) else ""

    def _day(self, tag: int) -> date | None:
        value = self.value(tag)
        return value if isinstance(value, date) else None


def select_ssse(channel: Channel) -> tuple[bytes, SW]:
    """SELECT the SSSE by name; return its FCI and the status word.

    Everything proved before is gone. Errors: `OtherCard` when there is none (6A82),
    `EnvironmentLocked` for a card that is blocked as a whole (6A81), `ApduError` for anything
    else.
    """
    select = Command(0x00, 0xA4, 0x04, 0x00, SSSE_NAME, 256)
    reply = channel.exchange(select)
    if reply.sw == SW.FILE_NOT_FOUND:
        raise OtherCard("the card has no social security environment: another card")
    if reply.sw == SW.NOT_SUPPORTED:
        raise EnvironmentLocked("the card's social security environment is locked for good (6A81)")
    if reply.sw != SW.OK and reply.sw not in BLOCKED_WORDS:
        raise refusal(reply.sw, select)
    return reply.data, reply.sw


def read_environment(channel: Channel, atr: bytes) -> Environment:
    """Select the SSSE and read EF05. Errors: as `select_ssse`.

    A record that does not fit the table is left out; the validity checks will miss it.
    """
    fci, sw = select_ssse(channel)
    fields: dict[int, Field] = {}
    for number in range(1, len(_ISSUER.items) + 1):
        reply = channel.exchange(Command(0x00, 0xB2, number, 0x05 << 3 | 4, le=256))
        if reply.sw != SW.OK:
            break
        try:
            field = decode_record(_ISSUER, reply.data)
        except TlvError:
            continue
        fields[field.item.tag] = field
    return Environment(atr, fci, sw, MappingProxyType(fields))
