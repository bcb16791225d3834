"""Issuer scripts: what the bank has a card do at its next visit (pse-pboc 4.8, 5.6).

An order becomes one command with its MAC in a template 71 or 72 with its identifier 9F18, so
that the terminal's script results name it. Pure.
"""

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from sscard.iso import tlv
from sscard.issuer.errors import IssuerError
from sscard.keys.vault.bank import BankCard, BankVault
from sscard.spec.pboc import PUT_DATA, TAGS

__all__ = ["SCRIPT_BYTES_MAX", "ScriptKind", "ScriptOrder", "command", "template"]

SCRIPT_BYTES_MAX = 128
"""What a terminal must be able to take of 71 and 72 in one answer (EMV Book 4)."""


class ScriptKind(StrEnum):
    """What can be ordered."""

    APPLICATION_BLOCK = "application block"
    APPLICATION_UNBLOCK = "application unblock"
    CARD_BLOCK = "card block"
    PIN_UNBLOCK = "pin unblock"
    PIN_CHANGE = "pin change"
    PUT_DATA = "put data"
    UPDATE_RECORD = "update record"


_PLAIN = {
    ScriptKind.APPLICATION_BLOCK: bytes.fromhex("841E0000"),
    ScriptKind.APPLICATION_UNBLOCK: bytes.fromhex("84180000"),
    ScriptKind.CARD_BLOCK: bytes.fromhex("84160000"),
    ScriptKind.PIN_UNBLOCK: bytes.fromhex("84240000"),
}


@dataclass(frozen=True, slots=True)
class ScriptOrder:
    """One order.

    `tag` of PUT DATA; `sfi` and `record` of UPDATE RECORD; `value` the data of both, and for
    a PIN change the stored PIN (8 bytes, enciphered), `current` the one it replaces or b"".
    `before` sends it in 71, before the second GENERATE AC. Errors: IssuerError for what no card
    takes.
    """

    kind: ScriptKind
    tag: int = 0
    sfi: int = 0
    record: int = 0
    value: bytes = field(default=b"", repr=False)
    before: bool = False
    current: bytes = field(default=b"", repr=False)

    def __post_init__(self) -> None:
        if self.kind is ScriptKind.PUT_DATA and self.tag not in PUT_DATA:
            raise IssuerError(f"PUT DATA changes no {self.tag:04X} (pse-pboc 5.1)")
        if self.kind is ScriptKind.PUT_DATA and not self.value:
            raise IssuerError("PUT DATA wants a value")
        length = TAGS[self.tag].length if self.kind is ScriptKind.PUT_DATA else None
        if length is not None and len(self.value) != length:
            raise IssuerError(
                f"{self.tag:04X} has {length} bytes, not {len(self.value)} (pse-pboc 5.1)"
            )
        if self.kind is ScriptKind.UPDATE_RECORD:
            if not (1 <= self.sfi <= 30 and 1 <= self.record <= 255):
                raise IssuerError("UPDATE RECORD names an SFI 1 to 30 and a record 1 to 255")
            if self.sfi <= 10 and self.value[:1] != b"\x70":
                raise IssuerError("a record of SFI 1 to 10 begins with 70 (pse-pboc 5.6)")
        lengths = len(self.value), len(self.current)
        if self.kind is ScriptKind.PIN_CHANGE and lengths not in ((8, 0), (8, 8)):
            raise IssuerError("a PIN change carries a stored PIN: see IssuerHost.order_pin")
        if len(self.value) > 100:
            raise IssuerError(
                f"a script has {SCRIPT_BYTES_MAX} bytes in all: the value is too long"
            )

    def to_json(self) -> dict[str, Any]:
        """Return the order as plain data."""
        return {
            "kind": self.kind.value,
            "tag": self.tag,
            "sfi": self.sfi,
            "record": self.record,
            "value": self.value.hex(),
            "before": self.before,
            "current": self.current.hex(),
        }

    @classmethod
    def from_json(cls, row: dict[str, Any]) -> "ScriptOrder":
        """Read plain data that `to_json` made."""
        value = bytes.fromhex(row["value"])
        kind = ScriptKind(row["kind"])
        current = bytes.fromhex(row["current"])
        return cls(kind, row["tag"], row["sfi"], row["record"], value, row["before"], current)


def command(order: ScriptOrder, bank: BankVault, card: BankCard, atc: int, ac1: bytes) -> bytes:
    """Return the command APDU of an order, with its MAC. `ac1`: the ARQC. pse-pboc 4.8."""
    if order.kind is ScriptKind.PIN_CHANGE:
        p2, data = bank.pin_change(card, atc, order.value, order.current)
        head = bytes((0x84, 0x24, 0x00, p2))
    elif order.kind is ScriptKind.PUT_DATA:
        head, data = b"\x04\xda" + order.tag.to_bytes(2, "big"), order.value
    elif order.kind is ScriptKind.UPDATE_RECORD:
        head, data = bytes((0x04, 0xDC, order.record, order.sfi << 3 | 4)), order.value
    else:
        head, data = _PLAIN[order.kind], b""
    header = head + bytes((len(data) + 4,))
    return header + data + bank.script_mac(card, atc, ac1, header, data)


def template(identifier: int, apdu: bytes, *, before: bool) -> bytes:
    """Return 71 or 72 with 9F18, the order's number in 4 bytes, and the command in 86."""
    inner = tlv.encode(0x9F18, identifier.to_bytes(4, "big")) + tlv.encode(0x86, apdu)
    return tlv.encode(0x71 if before else 0x72, inner)
