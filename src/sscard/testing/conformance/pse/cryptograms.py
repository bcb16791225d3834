"""The answer of GENERATE AC: its form, its issuer data, its cryptogram (pse-pboc 2.6, 4.4-4.6)."""

from typing import NamedTuple

from sscard.iso.text import from_n
from sscard.keys import equal
from sscard.keys.vault import VaultError
from sscard.terminal.bank.ber import objects
from sscard.terminal.bank.errors import BadCardData
from sscard.testing.conformance.bench import Bench
from sscard.testing.conformance.pse.application import Application
from sscard.testing.conformance.pse.switches import may_be
from sscard.testing.models.pse_values import AC_ITEMS

__all__ = ["Cryptogram", "cryptogram_problem", "discretionary_problem", "form_problem", "parsed"]

_FIXED = 11
_IAD_LENGTH, _IAD_MAX = 0x07, 32
_ALGORITHMS = (0x01, 0x02, 0x04)
_VERSIONS = (0x01, 0x11, 0x17)
_AMOUNTS = {0x01: 5, 0x02: 5, 0x03: 10, 0x04: 10, 0x05: 5}
"""Bytes of amounts in issuer discretionary data, by its type (4.6)."""
_ONE_AMOUNT = 5


class Cryptogram(NamedTuple):
    """An answer in parts; `value` is empty where a signature holds it, `signed` that signature."""

    cid: int
    atc: int
    value: bytes
    issuer_data: bytes
    signed: bytes = b""
    tags: tuple[int, ...] = ()

    @property
    def cvr(self) -> int:
        """The three bytes of the CVR behind its length."""
        return int.from_bytes(self.issuer_data[4:7], "big")


def parsed(answer: bytes) -> Cryptogram | None:
    """Return an answer in format 1 or 2; None for what is neither (2.6)."""
    try:
        outer = objects(answer, "")
        if len(outer) == 1 and outer[0][0] == 0x80 and len(outer[0][1]) >= _FIXED:
            value = outer[0][1]
            atc = int.from_bytes(value[1:3], "big")
            return Cryptogram(value[0], atc, value[3:11], value[11:])
        if len(outer) != 1 or outer[0][0] != 0x77:
            return None
        held = objects(outer[0][1], "")
    except BadCardData:
        return None
    parts = dict(held)
    if len(parts.get(0x9F27, b"")) != 1 or len(parts.get(0x9F36, b"")) != 2:
        return None
    atc = int.from_bytes(parts[0x9F36], "big")
    order = tuple(tag for tag, _ in held)
    iad, signed = parts.get(0x9F10, b""), parts.get(0x9F4B, b"")
    return Cryptogram(parts[0x9F27][0], atc, parts.get(0x9F26, b""), iad, signed, order)


def form_problem(bench: Bench, found: Cryptogram, atc: int, *, cda: bool = False) -> str:
    """Return what is wrong with the form of an answer, "" when nothing is."""
    plain = ((), (0x9F27, 0x9F36, 0x9F26, 0x9F10))
    if cda:
        wanted: tuple[tuple[int, ...], ...] = ((0x9F27, 0x9F36, 0x9F4B, 0x9F10),)
    else:
        wanted = tuple(
            form
            for form, value in zip(plain, ("80", "77"), strict=True)
            if may_be(bench, "pse_ac_format", value)
        )
    if found.tags not in wanted:
        return f"data objects {' '.join(f'{tag:02X}' for tag in found.tags) or 'in format 1'}"
    if found.atc != atc:
        return f"ATC {found.atc:04X}, and this transaction has {atc:04X}"
    if not cda and len(found.value) != 8:
        return f"a cryptogram of {len(found.value)} bytes"
    return _issuer_data_problem(found.issuer_data)


def _issuer_data_problem(data: bytes) -> str:
    if not 8 <= len(data) <= _IAD_MAX or data[0] != _IAD_LENGTH:
        return f"issuer data {data.hex().upper()} do not begin with 07 and its seven bytes"
    if data[2] not in _VERSIONS:
        return f"cryptogram version {data[2]:02X}"
    if data[3] != 0x03:
        return f"a CVR with length {data[3]:02X}"
    if data[7] not in _ALGORITHMS:
        return f"algorithm {data[7]:02X}"
    if data[8:] and (len(data) - 9 != data[8] or not 1 <= data[8] <= 15):
        return f"issuer discretionary data with length {data[8]:02X}"
    return ""


def message_of(app: Application, found: Cryptogram, values: dict[int, bytes]) -> bytes:
    """Return what a cryptogram is made over; an item the CDOL does not have counts as zeros."""
    data, deal = found.issuer_data, app.deal
    atc = found.atc.to_bytes(2, "big")
    if data[2] != 0x01:
        return values.get(0x9F02, bytes(6)) + values.get(0x9F37, bytes(4)) + atc + data[4:5]
    items = (values.get(tag, b"") for tag, _ in AC_ITEMS)
    padded = (item.rjust(length, b"\0") for item, (_, length) in zip(items, AC_ITEMS, strict=True))
    return b"".join(padded) + deal.aip + atc + data[3:7]


def cryptogram_problem(
    bench: Bench, app: Application, found: Cryptogram, values: dict[int, bytes]
) -> str:
    """Return what is wrong with a cryptogram by the bank's keys, "" when it is right.

    A card whose cryptogram is not right is not computed for any more.
    """
    if bench.issuer is None or app.distrust or len(found.value) != 8:
        return ""
    app.issuer_data = found.issuer_data
    card = app.bank_card
    if card is None:
        app.distrust = "the card's PAN cannot be read: no key can be led to it"
        return ""
    try:
        if not bench.issuer.knows(card):
            app.distrust = f"the vault has no issuer keys of index {card.key_index:02X}"
            return app.distrust
        made = bench.issuer.cryptogram(card, found.atc, message_of(app, found, values))
    except VaultError as error:
        app.distrust = f"the vault cannot verify a cryptogram: {error}"
        return ""
    if equal(made, found.value):
        return ""
    app.distrust = "a cryptogram was not that of this vault's keys: they are not used"
    return "the cryptogram is not the one the bank's keys give"


def discretionary_problem(bench: Bench, app: Application, found: Cryptogram) -> str:
    """Return what is wrong with amounts and MAC of issuer discretionary data (4.6)."""
    data = found.issuer_data[9:]
    size = _AMOUNTS.get(data[0]) if data else None
    if size is None or bench.issuer is None or app.distrust:
        return ""
    card = app.bank_card
    if len(data) != 1 + size + 4:
        return f"issuer discretionary data of type {data[0]:02X} with {len(data)} bytes"
    amounts, mac = data[1 : 1 + size], data[1 + size :]
    if not amounts.hex().isdecimal():
        return "amounts in issuer discretionary data that are no numbers"
    if data[0] == 0x04 and from_n(amounts[5:]) != from_n(app.elements.get(0x9F54, bytes(6))[1:]):
        return "another 9F54 in issuer discretionary data than GET DATA gives"
    if card is None or equal(bench.issuer.idd_mac(card, found.atc, amounts), mac):
        return ""
    if size > _ONE_AMOUNT and "pse_idd_padding" not in bench.switches:
        return ""  # nobody told how this card pads two amounts
    return "the MAC of issuer discretionary data is not the one the bank's keys give"
