"""EMV of the terminal's side as data: its elements, terminal types, CVM codes, TSI (EMV 4.x).

What a card's side needs stands in `spec.pboc`. Sources: EMV 4.x Book 3 annexes A and C, Book 4
annex A; pse-pboc 2.7, 5.1, 5.4 where these say more.
"""

from collections.abc import Mapping
from enum import IntEnum, IntFlag
from types import MappingProxyType
from typing import Final

from sscard.spec.pboc import TAGS, Tag

__all__ = [
    "APPROVALS",
    "ELEMENTS",
    "REFERRALS",
    "TSI_BITS",
    "CvmCode",
    "CvmCondition",
    "TransactionType",
    "Tsi",
    "Tvr",
]

_ROWS: Final[tuple[Tag, ...]] = (
    Tag(0x81, "amount, authorised (binary)", 4, "b"),
    Tag(0x86, "issuer script command", None, "b"),
    Tag(0x97, "TDOL", None, "b"),
    Tag(0x98, "transaction certificate hash value", 20, "b"),
    Tag(0x99, "transaction PIN data", None, "b"),
    Tag(0x5F36, "transaction currency exponent", 1, "n"),
    Tag(0x9F01, "acquirer identifier", 6, "n"),
    Tag(0x9F04, "amount, other (binary)", 4, "b"),
    Tag(0x9F06, "application identifier (terminal)", None, "b"),
    Tag(0x9F09, "application version number (terminal)", 2, "b"),
    Tag(0x9F15, "merchant category code", 2, "n"),
    Tag(0x9F16, "merchant identifier", 15, "ans"),
    Tag(0x9F18, "issuer script identifier", 4, "b"),
    Tag(0x9F1B, "terminal floor limit", 4, "b"),
    Tag(0x9F1C, "terminal identification", 8, "an"),
    Tag(0x9F1D, "terminal risk management data", None, "b"),
    Tag(0x9F1E, "interface device serial number", 8, "an"),
    Tag(0x9F22, "CA public key index (terminal)", 1, "b"),
    Tag(0x9F33, "terminal capabilities", 3, "b"),
    Tag(0x9F34, "cardholder verification method results", 3, "b"),
    Tag(0x9F35, "terminal type", 1, "n"),
    Tag(0x9F39, "point-of-service entry mode", 1, "n"),
    Tag(0x9F40, "additional terminal capabilities", 5, "b"),
    Tag(0x9F41, "transaction sequence counter", 4, "n"),
    Tag(0x9F4C, "ICC dynamic number", None, "b"),
    Tag(0x9F5B, "issuer script results", None, "b"),
)

ELEMENTS: Final[Mapping[int, Tag]] = MappingProxyType({row.tag: row for row in _ROWS} | dict(TAGS))
"""Data elements of both sides by tag: those of `spec.pboc`, and the terminal's."""


class TransactionType(IntEnum):
    """Tag 9C: the first two digits of the processing code (ISO 8583)."""

    GOODS = 0x00
    CASH = 0x01
    CASHBACK = 0x09
    REFUND = 0x20
    BALANCE = 0x31


def _bit(width: int, byte: int, bit: int) -> int:
    return 1 << ((width - byte) * 8 + bit - 1)


class Tvr(IntFlag):
    """Terminal verification results, tag 95, as a number of five bytes (pse-pboc 2.7)."""

    ODA_NOT_PERFORMED = _bit(5, 1, 8)
    SDA_FAILED = _bit(5, 1, 7)
    DATA_MISSING = _bit(5, 1, 6)
    ON_EXCEPTION_FILE = _bit(5, 1, 5)
    DDA_FAILED = _bit(5, 1, 4)
    CDA_FAILED = _bit(5, 1, 3)
    VERSIONS_DIFFER = _bit(5, 2, 8)
    EXPIRED = _bit(5, 2, 7)
    NOT_YET_EFFECTIVE = _bit(5, 2, 6)
    SERVICE_NOT_ALLOWED = _bit(5, 2, 5)
    NEW_CARD = _bit(5, 2, 4)
    CVM_FAILED = _bit(5, 3, 8)
    CVM_UNKNOWN = _bit(5, 3, 7)
    PIN_TRIES_EXCEEDED = _bit(5, 3, 6)
    PIN_PAD_MISSING = _bit(5, 3, 5)
    PIN_NOT_ENTERED = _bit(5, 3, 4)
    ONLINE_PIN_ENTERED = _bit(5, 3, 3)
    FLOOR_LIMIT_EXCEEDED = _bit(5, 4, 8)
    LOWER_LIMIT_EXCEEDED = _bit(5, 4, 7)
    UPPER_LIMIT_EXCEEDED = _bit(5, 4, 6)
    SELECTED_AT_RANDOM = _bit(5, 4, 5)
    FORCED_ONLINE = _bit(5, 4, 4)
    DEFAULT_TDOL = _bit(5, 5, 8)
    ISSUER_AUTHENTICATION_FAILED = _bit(5, 5, 7)
    SCRIPT_FAILED_BEFORE = _bit(5, 5, 6)
    SCRIPT_FAILED_AFTER = _bit(5, 5, 5)

    def __bytes__(self) -> bytes:
        return self.value.to_bytes(5, "big")


class Tsi(IntFlag):
    """Transaction status information, tag 9B, as a number of two bytes (EMV Book 3 C6)."""

    ODA_PERFORMED = _bit(2, 1, 8)
    CVM_PERFORMED = _bit(2, 1, 7)
    CARD_RISK_MANAGEMENT = _bit(2, 1, 6)
    ISSUER_AUTHENTICATION = _bit(2, 1, 5)
    TERMINAL_RISK_MANAGEMENT = _bit(2, 1, 4)
    SCRIPT_PROCESSING = _bit(2, 1, 3)

    def __bytes__(self) -> bytes:
        return self.value.to_bytes(2, "big")


TSI_BITS: Final[Mapping[tuple[int, int], str]] = MappingProxyType(
    {
        (1, 8): "offline data authentication performed",
        (1, 7): "cardholder verification performed",
        (1, 6): "card risk management performed",
        (1, 5): "issuer authentication performed",
        (1, 4): "terminal risk management performed",
        (1, 3): "script processing performed",
    }
)
"""(byte, bit) of tag 9B."""


class CvmCode(IntEnum):
    """Cardholder verification methods, bits 6 to 1 of a CVM code (pse-pboc 2.7)."""

    FAIL = 0x00
    PLAIN_PIN = 0x01
    ONLINE_PIN = 0x02
    PLAIN_PIN_SIGNATURE = 0x03
    ENCIPHERED_PIN = 0x04
    ENCIPHERED_PIN_SIGNATURE = 0x05
    SIGNATURE = 0x1E
    NO_CVM = 0x1F
    ID_DOCUMENT = 0x20


class CvmCondition(IntEnum):
    """When a rule of a CVM list applies (EMV Book 3 C3; pse-pboc 2.7)."""

    ALWAYS = 0x00
    UNATTENDED_CASH = 0x01
    NOT_CASH = 0x02
    IF_SUPPORTED = 0x03
    MANUAL_CASH = 0x04
    CASHBACK = 0x05
    UNDER_X = 0x06
    OVER_X = 0x07
    UNDER_Y = 0x08
    OVER_Y = 0x09


APPROVALS: Final = frozenset({b"00", b"10", b"11"})
"""Authorisation response codes by which an issuer approves (pse-pboc 5.4)."""
REFERRALS: Final = frozenset({b"01", b"02"})
"""Those by which it asks for a call."""
