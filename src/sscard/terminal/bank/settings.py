"""A bank terminal as data: what it is, where it stands, what it accepts (EMV Book 4 annex A).

`POS`, `ATM` and `KIOSK` are shipped, as a UnionPay acquirer in China would set them; change
what differs with `dataclasses.replace`. No behaviour but reading bits.
"""

from dataclasses import dataclass, field
from enum import Enum

from sscard.spec.emv import CvmCode
from sscard.spec.pboc import RID

__all__ = ["ATM", "KIOSK", "POS", "UNIONPAY", "AidSettings", "CdaMode", "Merchant", "Terminal"]

_CVM_BITS = {
    CvmCode.PLAIN_PIN: 0x80,
    CvmCode.ONLINE_PIN: 0x40,
    CvmCode.SIGNATURE: 0x20,
    CvmCode.ENCIPHERED_PIN: 0x10,
    CvmCode.NO_CVM: 0x08,
    CvmCode.ID_DOCUMENT: 0x01,
}
"""Bits of 9F33 byte 2; that of the identity document is PBOC's."""
_BOTH = {
    CvmCode.PLAIN_PIN_SIGNATURE: (CvmCode.PLAIN_PIN, CvmCode.SIGNATURE),
    CvmCode.ENCIPHERED_PIN_SIGNATURE: (CvmCode.ENCIPHERED_PIN, CvmCode.SIGNATURE),
}
_ATM_TYPES = (0x14, 0x15, 0x16)


class CdaMode(Enum):
    """When a combined signature is asked for (EMV Book 4 6.3.2.1): with an ARQC, a final TC.

    An offline TC always carries one.
    """

    MODE_1 = (True, True)
    MODE_2 = (True, False)
    MODE_3 = (False, False)
    MODE_4 = (False, True)

    @property
    def with_arqc(self) -> bool:
        """Whether it is asked for with an ARQC."""
        return self.value[0]

    @property
    def with_final_tc(self) -> bool:
        """Whether it is asked for with a TC after going online."""
        return self.value[1]


@dataclass(frozen=True, slots=True)
class AidSettings:
    """What an acquirer sets for one application identifier.

    `partial` lets names that only begin with `aid` match. `version` is 9F09; the TACs five
    bytes each; `floor_limit`, `random_threshold` amounts in the minor unit of the terminal's
    currency; `random_target`, `random_target_max` percentages, 0 to 99. `default_ddol` and
    `default_tdol` stand in for lists the card does not have, None for none.
    """

    aid: bytes
    partial: bool = True
    version: bytes = bytes.fromhex("0020")
    tac_default: bytes = bytes.fromhex("D84000A800")
    tac_denial: bytes = bytes.fromhex("0010000000")
    tac_online: bytes = bytes.fromhex("D84004F800")
    floor_limit: int = 0
    random_threshold: int = 0
    random_target: int = 0
    random_target_max: int = 0
    default_ddol: bytes | None = bytes.fromhex("9F3704")
    default_tdol: bytes | None = None

    def __post_init__(self) -> None:
        if not 5 <= len(self.aid) <= 16:
            raise ValueError("an AID has 5 to 16 bytes")
        if {len(self.tac_default), len(self.tac_denial), len(self.tac_online)} != {5}:
            raise ValueError("a terminal action code has 5 bytes")
        if not 0 <= self.random_target <= self.random_target_max <= 99:
            raise ValueError("percentages are 0 to 99, the target not above its maximum")


UNIONPAY = (AidSettings(RID + b"\x01\x01"),)
"""UnionPay debit, credit and quasi-credit, by the front of their names (pse-pboc 1.1)."""


@dataclass(frozen=True, slots=True)
class Merchant:
    """Who takes the card: name (9F4E), identifier (9F16), category (9F15), acquirer (9F01)."""

    name: str = "TEST MERCHANT 000001"
    identifier: str = "999901000000001"
    category: str = "5999"
    acquirer: str = "00009999"

    def __post_init__(self) -> None:
        if len(self.identifier) != 15 or not (
            self.identifier.isascii() and self.identifier.isalnum()
        ):
            raise ValueError("a merchant identifier has 15 letters or digits")


@dataclass(frozen=True, slots=True)
class Terminal:
    """One terminal: country and currency (n3), type (9F35), capabilities (9F33, 9F40), AIDs.

    `identifier` is 9F1C, `serial` the interface device's 9F1E; `exponent` the decimal places
    of the currency. `choose_pse` False goes by the AID list alone; `bypass` False lets nobody
    skip the PIN.
    """

    type: int
    capabilities: bytes
    additional: bytes
    aids: tuple[AidSettings, ...] = UNIONPAY
    country: str = "0156"
    currency: str = "0156"
    exponent: int = 2
    identifier: str = "99990001"
    serial: str = "SSCARD01"
    merchant: Merchant = field(default_factory=Merchant)
    cda_mode: CdaMode = CdaMode.MODE_1
    choose_pse: bool = True
    bypass: bool = True

    def __post_init__(self) -> None:
        if self.type >> 4 not in (1, 2, 3) or self.type & 0x0F not in range(1, 7):
            raise ValueError(f"there is no terminal type {self.type:02X}")
        if (len(self.capabilities), len(self.additional)) != (3, 5):
            raise ValueError("9F33 has 3 bytes and 9F40 five")
        if (len(self.identifier), len(self.serial)) != (8, 8):
            raise ValueError("9F1C and 9F1E have 8 characters")

    # ---- the type (EMV Book 4 A1) ----

    @property
    def attended(self) -> bool:
        """Whether somebody stands behind it."""
        return self.type & 0x0F in (1, 2, 3)

    @property
    def online_only(self) -> bool:
        """Whether it approves nothing by itself."""
        return self.type & 0x0F in (1, 4)

    @property
    def offline_only(self) -> bool:
        """Whether it never goes online."""
        return self.type & 0x0F in (3, 6)

    @property
    def is_atm(self) -> bool:
        """Whether it is an ATM: a type of an ATM that dispenses cash (EMV Book 4 A1)."""
        return self.type in _ATM_TYPES and bool(self.additional[0] & 0x80)

    # ---- capabilities (EMV Book 4 A2) ----

    def supports(self, method: int) -> bool:
        """Whether the terminal can carry out a cardholder verification method."""
        parts = next((parts for code, parts in _BOTH.items() if code == method), None)
        if parts is not None:
            return all(self.supports(part) for part in parts)
        bit = next((bit for code, bit in _CVM_BITS.items() if code == method), 0)
        return bool(self.capabilities[1] & bit)

    @property
    def sda(self) -> bool:
        """Whether it does SDA."""
        return bool(self.capabilities[2] & 0x80)

    @property
    def dda(self) -> bool:
        """Whether it does DDA."""
        return bool(self.capabilities[2] & 0x40)

    @property
    def cda(self) -> bool:
        """Whether it does CDA."""
        return bool(self.capabilities[2] & 0x08)


POS = Terminal(0x22, bytes.fromhex("E0F9C8"), bytes.fromhex("6000F0A001"))
"""A merchant's attended terminal, offline with online capability, every CVM and ODA method."""
ATM = Terminal(
    0x14,
    bytes.fromhex("604000"),
    bytes.fromhex("8E00B05005"),
    identifier="99990002",
    merchant=Merchant(name="TEST ATM", category="6011"),
)
"""A bank's cash machine, online only: cash and enquiries, online PIN, no offline checks."""
KIOSK = Terminal(
    0x25,
    bytes.fromhex("6048C8"),
    bytes.fromhex("6000B0A001"),
    identifier="99990003",
    merchant=Merchant(name="TEST KIOSK", category="8099"),
)
"""An unattended machine of a merchant, offline with online capability: online PIN, no CVM."""
