"""Public keys out of certificates: issuer, ICC, PIN encipherment (EMV Book 2 5.3, 6.4, 7.1).

Every check of the book has its line and its reason; the recovery itself is the public
operation of `keys.rsa`. Pure. Source: pse-pboc 4.9.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from typing import NamedTuple

from sscard.keys import equal
from sscard.keys.rsa import digest, recover
from sscard.spec.ca_keys import CaKey, find
from sscard.terminal.bank.transaction import Transaction

__all__ = [
    "NotAuthentic",
    "PublicKey",
    "icc_public_key",
    "issuer_public_key",
    "opened",
    "pin_public_key",
]

_SHA_1, _RSA = 0x01, 0x01
_HEADER, _TRAILER = 0x6A, 0xBC
_KEY_BYTES_MIN = 64
_EXPONENTS = (b"\x03", b"\x01\x00\x01")
_ISSUER_DIGITS_MIN = 3
_DATA_MISSING = "the card does not have"


class NotAuthentic(ValueError):
    """Something does not check; `missing` when a data object that it takes is not there."""

    def __init__(self, reason: str, *, missing: bool = False) -> None:
        super().__init__(reason)
        self.missing = missing


class PublicKey(NamedTuple):
    """Modulus and exponent."""

    n: int
    e: int

    @property
    def size(self) -> int:
        """Bytes of the modulus."""
        return (self.n.bit_length() + 7) // 8


@dataclass(frozen=True, slots=True)
class _Layout:
    """Where a certificate has what: its format byte, its identifier's bytes."""

    form: int
    identifier: int
    name: str


_ISSUER = _Layout(0x02, 4, "issuer certificate")
_ICC = _Layout(0x04, 10, "ICC certificate")
_PIN = _Layout(0x04, 10, "PIN encipherment certificate")


def opened(key: PublicKey, data: bytes, form: int, appended: bytes, what: str) -> bytes:
    """Recover a signed block; return its fields, filler and all.

    Checks length, trailer, header, format, hash algorithm's result over fields and `appended`.
    Errors: `NotAuthentic`.
    """
    if len(data) != key.size or key.size < _KEY_BYTES_MIN:
        raise NotAuthentic(f"{what}: its length is not that of the key")
    try:
        block = recover(key.n, key.e, data)
    except ValueError as error:
        raise NotAuthentic(f"{what}: {error}") from None
    if block[-1] != _TRAILER:
        raise NotAuthentic(f"{what}: trailer")
    if block[0] != _HEADER:
        raise NotAuthentic(f"{what}: header")
    if block[1] != form:
        raise NotAuthentic(f"{what}: format")
    fields = block[1:-21]
    if not equal(digest(fields + appended), block[-21:-1]):
        raise NotAuthentic(f"{what}: hash")
    return fields


def issuer_public_key(transaction: Transaction, keys: Iterable[CaKey]) -> PublicKey:
    """Recover the issuer's key from tags 8F, 90, 92, 9F32. Errors: `NotAuthentic`."""
    index = _needed(transaction, 0x8F, "CA key index")
    found = find(keys, transaction.aid[:5], index[0])
    if found is None:
        raise NotAuthentic(f"the terminal has no CA key {index[0]:02X}")
    if not found.valid_on(transaction.today):
        raise NotAuthentic(f"the CA key {index[0]:02X} is no longer valid")
    authority = PublicKey(found.modulus, found.exponent)
    return _certified(transaction, authority, _ISSUER, (0x90, 0x92, 0x9F32), b"")


def icc_public_key(transaction: Transaction, issuer: PublicKey) -> PublicKey:
    """Recover the card's key from 9F46, 9F48, 9F47 and the static data. Errors: as above."""
    tags = (0x9F46, 0x9F48, 0x9F47)
    return _certified(transaction, issuer, _ICC, tags, static_data(transaction))


def pin_public_key(transaction: Transaction, issuer: PublicKey) -> PublicKey:
    """Recover the key PINs are enciphered with: that of 9F2D, 9F2F, 9F2E, else the card's."""
    if 0x9F2D in transaction.card:
        return _certified(transaction, issuer, _PIN, (0x9F2D, 0x9F2F, 0x9F2E), b"")
    return icc_public_key(transaction, issuer)


def static_data(transaction: Transaction) -> bytes:
    """Return the static data to be authenticated, the AIP too when 9F4A says so (Book 3 10.3)."""
    data = transaction.static_data or b""
    listed = transaction.card.get(0x9F4A)
    if listed is None:
        return data
    if listed != b"\x82":
        raise NotAuthentic("the static data tag list (9F4A) has more than the AIP")
    return data + transaction.aip


def _certified(
    transaction: Transaction,
    signer: PublicKey,
    layout: _Layout,
    tags: tuple[int, int, int],
    appended: bytes,
) -> PublicKey:
    """Open a certificate and check all it says; return the key it certifies."""
    name = layout.name
    certificate = _needed(transaction, tags[0], name)
    exponent = _needed(transaction, tags[2], f"exponent of the {name}")
    remainder = transaction.card.get(tags[1], b"")
    fields = opened(signer, certificate, layout.form, remainder + exponent + appended, name)
    at = 1 + layout.identifier
    _check_identifier(transaction.pan, fields[1:at].hex(), layout)
    _check_validity(fields[at : at + 2], transaction.today, name)
    hash_id, key_id, size, exponent_size = fields[at + 5 : at + 9]
    if (hash_id, key_id) != (_SHA_1, _RSA):
        raise NotAuthentic(f"{name}: algorithms {hash_id:02X}, {key_id:02X}")
    room = fields[at + 9 :]
    if exponent_size != len(exponent) or exponent not in _EXPONENTS:
        raise NotAuthentic(f"{name}: the exponent is neither 3 nor 65537")
    if size > len(room) and not remainder:
        raise NotAuthentic(f"{_DATA_MISSING} the remainder of the {name}", missing=True)
    modulus = room[:size] + remainder
    if len(modulus) != size or not modulus[0]:
        raise NotAuthentic(f"{name}: the parts of the key do not fit its length")
    return PublicKey(int.from_bytes(modulus, "big"), int.from_bytes(exponent, "big"))


def _needed(transaction: Transaction, tag: int, name: str) -> bytes:
    value = transaction.card.get(tag)
    if value is None:
        raise NotAuthentic(f"{_DATA_MISSING} the {name} ({tag:02X})", missing=True)
    return value


def _check_identifier(pan: str, identifier: str, layout: _Layout) -> None:
    digits = identifier.rstrip("f")
    if layout is _ISSUER:
        if not (len(digits) >= _ISSUER_DIGITS_MIN and pan.startswith(digits)):
            raise NotAuthentic(f"{layout.name}: of another issuer")
    elif digits != pan:
        raise NotAuthentic(f"{layout.name}: of another card")


def _check_validity(value: bytes, today: date, name: str) -> None:
    """MMYY: good to the last day of the month."""
    digits = value.hex()
    month, year = digits[:2], digits[2:]
    if not digits.isdecimal() or not "01" <= month <= "12":
        raise NotAuthentic(f"{name}: {digits} is no date")
    century = 2000 if int(year) < 50 else 1900
    if (century + int(year), int(month)) < (today.year, today.month):
        raise NotAuthentic(f"{name}: expired")
