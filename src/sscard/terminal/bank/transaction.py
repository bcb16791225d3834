"""One transaction as the terminal keeps it: what it knows, found and decided (EMV Book 3, 4).

A `Transaction` is the desk on which the steps work, each in a module of its own; the card's
data are `card`, and never override what is the terminal's.
"""

from dataclasses import dataclass, field
from datetime import date, datetime

from sscard.iso.text import ascii_text, bcd, from_cn, n
from sscard.iso.tlv import TlvError, parse_dol
from sscard.spec.emv import ELEMENTS, TransactionType, Tsi, Tvr
from sscard.terminal.bank.errors import BadCardData
from sscard.terminal.bank.settings import AidSettings, Terminal

__all__ = ["Transaction", "day", "dol_entries", "fit"]

_YEARS_OF_1900 = 50
_PAN, _PSN = 0x5A, 0x5F34
_DATA_MAX = 255


@dataclass(slots=True)
class Transaction:
    """The state of one transaction.

    `amount` is the whole amount authorised in the minor unit of the currency, `other` the part
    of it that is paid out (cashback); `unpredictable` four random bytes; `sequence` the
    terminal's counter (9F41), `trace` the number that names the transaction to the host. `aip`,
    `card` and `static_data` come from the card; `given` holds the terminal's own elements and
    what a step produced, by tag; `covered_tvr` the TVR that the last cryptogram was made over.
    """

    terminal: Terminal
    settings: AidSettings
    aid: bytes
    type: TransactionType
    amount: int
    at: datetime
    unpredictable: bytes
    other: int = 0
    sequence: int = 0
    trace: int = field(init=False)
    aip: bytes = b""
    card: dict[int, bytes] = field(default_factory=dict, repr=False)
    static_data: bytes | None = field(default=b"", repr=False)
    pdol_data: bytes = b""
    given: dict[int, bytes] = field(default_factory=dict, repr=False)
    tvr: Tvr = field(default_factory=lambda: Tvr(0))
    tsi: Tsi = field(default_factory=lambda: Tsi(0))
    covered_tvr: bytes = bytes(5)

    def __post_init__(self) -> None:
        self.trace = self.sequence
        terminal, merchant = self.terminal, self.terminal.merchant
        self.given.update(
            {
                0x84: self.aid,
                0x81: min(self.amount, 0xFFFFFFFF).to_bytes(4, "big"),
                0x9A: bcd(f"{self.at:%y%m%d}"),
                0x9C: bytes((self.type,)),
                0x5F2A: bcd(terminal.currency),
                0x5F36: bytes((terminal.exponent,)),
                0x9F01: n(int(merchant.acquirer), 6),
                0x9F02: n(self.amount, 6),
                0x9F03: n(self.other, 6),
                0x9F04: min(self.other, 0xFFFFFFFF).to_bytes(4, "big"),
                0x9F06: self.aid,
                0x9F09: self.settings.version,
                0x9F15: bcd(merchant.category),
                0x9F16: ascii_text(merchant.identifier),
                0x9F1A: bcd(terminal.country),
                0x9F1B: min(self.settings.floor_limit, 0xFFFFFFFF).to_bytes(4, "big"),
                0x9F1C: ascii_text(terminal.identifier),
                0x9F1E: ascii_text(terminal.serial),
                0x9F21: bcd(f"{self.at:%H%M%S}"),
                0x9F33: terminal.capabilities,
                0x9F34: b"\x3f\0\0",
                0x9F35: bytes((terminal.type,)),
                0x9F37: self.unpredictable,
                0x9F39: b"\x05",
                0x9F40: terminal.additional,
                0x9F41: n(self.sequence, 4),
                0x9F4E: merchant.name.encode("gb18030"),
            }
        )

    # ---- data -----------------------------------------------------------------------------

    def value(self, tag: int) -> bytes | None:
        """Return a data element, the terminal's before the card's; None when nobody has it."""
        match tag:
            case 0x95:
                return bytes(self.tvr)
            case 0x9B:
                return bytes(self.tsi)
            case 0x82:
                return self.aip or None
        return self.given.get(tag, self.card.get(tag))

    def fill(self, dol: bytes, what: str) -> bytes:
        """Return what a data object list asks for (EMV Book 3 5.4).

        Errors: `BadCardData` for a list that is none, or asks for more than a command carries.
        """
        entries = dol_entries(dol, what)
        if sum(length for _, length in entries) > _DATA_MAX:
            raise BadCardData(f"{what}: asks for more than a command can carry")
        return b"".join(fit(tag, self.value(tag) or b"", length) for tag, length in entries)

    # ---- the card -------------------------------------------------------------------------

    def supports(self, bit: int) -> bool:
        """Whether a bit (8 to 1) of the first byte of the AIP is set."""
        return bool(self.aip[0] >> (bit - 1) & 1)

    @property
    def pan(self) -> str:
        """The PAN's digits."""
        return from_cn(self.card[_PAN])

    @property
    def psn(self) -> str:
        """The PAN sequence number, two digits; "00" when the card has none."""
        return self.card.get(_PSN, b"\0").hex()

    @property
    def today(self) -> date:
        """The day of the transaction."""
        return self.at.date()

    def note(self, *bits: Tvr) -> None:
        """Set bits of the TVR; no step ever clears one."""
        for bit in bits:
            self.tvr |= bit

    def done(self, *bits: Tsi) -> None:
        """Set bits of the TSI."""
        for bit in bits:
            self.tsi |= bit


def fit(tag: int, value: bytes, length: int) -> bytes:
    """Bring a value to the length a DOL asks for (EMV Book 3 5.4).

    Numbers (n) keep their right end and are filled with 00 on the left, cn with FF on the
    right, all else keeps its left end and is filled with 00 on the right. No value: zeros.
    """
    format_ = ELEMENTS[tag].format if tag in ELEMENTS else "b"
    if not value:
        return bytes(length)
    if format_ == "n":
        return value[-length:].rjust(length, b"\0") if length else b""
    return value[:length].ljust(length, b"\xff" if format_ == "cn" else b"\0")


def dol_entries(dol: bytes, what: str) -> list[tuple[int, int]]:
    """Return the (tag, length) pairs of a list. Errors: `BadCardData`."""
    try:
        return parse_dol(dol)
    except TlvError as error:
        raise BadCardData(f"{what}: {error}") from None


def day(value: bytes, what: str) -> date:
    """Read YYMMDD: years 00 to 49 are of this century. Errors: `BadCardData`."""
    try:
        digits = value.hex()
        year = int(digits[:2])
        century = 2000 if year < _YEARS_OF_1900 else 1900
        return date(century + year, int(digits[2:4]), int(digits[4:6]))
    except ValueError:
        raise BadCardData(f"{what}: {value.hex()} is no date") from None
