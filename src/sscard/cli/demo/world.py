"""The other side of the counter: the ministry's keys in a terminal's PSAM, the bank's keys.

Only keys and published constants, no card: what is computed here and agrees with the card has
been computed twice. All values are invented for the reference (ssse-lb002 10.2, pse-pboc 11).
"""

from typing import NamedTuple

from sscard.keys import pboc
from sscard.keys.hierarchy import BankKeys, KeyValue, Origin, Tier
from sscard.keys.rsa import open_message_block, recover
from sscard.keys.session import cryptogram

__all__ = ["BANK", "CA_KEY", "Bank", "Psam", "RsaPublicKey", "icc_key", "issuer_key"]

_IRK = Origin(KeyValue(bytes.fromhex("404142434445464748494A4B4C4D4E4F")))
_UK = Origin(KeyValue(bytes.fromhex("505152535455565758595A5B5C5D5E5F")))


class Psam:
    """A terminal's security module, already dispersed to one card.

    `region` is 6 digits, `factor` the last 8 historical bytes of the card's ATR.
    """

    def __init__(self, region: str, factor: bytes) -> None:
        self._internal = _IRK.at(Tier.CARD, region, factor)
        self._update = _UK.at(Tier.CARD, region, factor)

    def expected(self, factor: bytes, data: bytes) -> bytes:
        """What a genuine card answers to INTERNAL AUTHENTICATE; 8 bytes (ssse-lb002 4.5)."""
        return cryptogram(self._internal.algorithm, self._internal.value, factor, data)

    def prove_update(self, challenge: bytes) -> bytes:
        """Data of EXTERNAL AUTHENTICATE that earn the right to update EF05; 16 bytes."""
        key = self._update
        return cryptogram(key.algorithm, key.value, challenge, challenge) + challenge


class Bank:
    """The issuing bank's host: it knows the issuer master keys, and nothing else of a card."""

    def __init__(self, keys: BankKeys) -> None:
        self._keys = keys

    def cryptogram(self, pan: str, psn: str, atc: int, data: bytes) -> bytes:
        """The cryptogram a genuine card makes over `data` in transaction `atc`; 8 bytes."""
        return pboc.cryptogram(self._session_key(pan, psn, atc), data)

    def response(self, pan: str, psn: str, atc: int, arqc: bytes, arc: bytes) -> bytes:
        """The ARPC by which the card knows its bank; 8 bytes."""
        return pboc.arpc(self._session_key(pan, psn, atc), arqc, arc)

    def _session_key(self, pan: str, psn: str, atc: int) -> bytes:
        return pboc.session_key(self._keys.card_keys(pan, psn).ac.value, atc)


BANK = Bank(
    BankKeys.of(
        bytes.fromhex("0123456789ABCDEFFEDCBA9876543210"),
        bytes.fromhex("11223344556677888877665544332211"),
        bytes.fromhex("A1B2C3D4E5F60718293A4B5C6D7E8F90"),
    )
)


class RsaPublicKey(NamedTuple):
    """Modulus and exponent."""

    n: int
    e: int

    @property
    def size(self) -> int:
        """Bytes of the modulus."""
        return (self.n.bit_length() + 7) // 8

    def open(self, signed: bytes, appended: bytes = b"") -> bytes:
        """Recover a signature and return its fields. Raises ValueError when it is not good."""
        return open_message_block(recover(self.n, self.e, signed), appended)


CA_KEY = RsaPublicKey(
    int(
        "AC21424B6D34741A6AF72EEB1F5E478AF32196496CF3C0E2365FA0D256CA40B45192DA547BE7DCDC1C9C9AA1"
        "68DEF63DD353141695A3671514904607296DB918472F2BAA03E06FF125529098B19EEE1D44398DB42CF5F099"
        "6FB017A07292B0C37C8EF5ADC0D509159A99D6525F583A781C89277E456AF763F3DD07C1AA819B03CACDC2F0"
        "A26861A892415D80B623F837",
        16,
    ),
    3,
)
"""The payment system's key, index 80 (pse-pboc 11.7)."""

_ISSUER_HEAD, _ICC_HEAD = 14, 20
"""Bytes before the modulus in the two certificates (pse-pboc 4.9)."""


def issuer_key(certificate: bytes, remainder: bytes, exponent: bytes) -> RsaPublicKey:
    """Return the issuer's key from tags 90, 92, 9F32. Raises ValueError: certificate not good."""
    fields = CA_KEY.open(certificate, remainder + exponent)
    return _certified(fields, 0x02, _ISSUER_HEAD, remainder, exponent)


def icc_key(
    issuer: RsaPublicKey, certificate: bytes, remainder: bytes, exponent: bytes, static: bytes
) -> RsaPublicKey:
    """Return the card's key from tags 9F46, 9F48, 9F47 and the signed static data."""
    fields = issuer.open(certificate, remainder + exponent + static)
    return _certified(fields, 0x04, _ICC_HEAD, remainder, exponent)


def _certified(
    fields: bytes, form: int, head: int, remainder: bytes, exponent: bytes
) -> RsaPublicKey:
    size = fields[head - 2]
    modulus = fields[head : head + size] + remainder
    if fields[0] != form or len(modulus) != size:
        raise ValueError("the certificate is not of the expected form")
    return RsaPublicKey(int.from_bytes(modulus, "big"), int.from_bytes(exponent, "big"))
