"""The debit cards the machines play with, and the bank that holds their keys.

A subject is made from data elements, not from a file: limits, ADA, codes, AIP and issuer data of
any kind. The model's side of it comes from the same elements. Source: pse-pboc 4, 5.1, 9.3, 11.
"""

import hashlib
from collections.abc import Mapping
from typing import Any, Final, NamedTuple

from sscard.builder import build
from sscard.card import Card
from sscard.errors import ProfileError
from sscard.iso import tlv
from sscard.keys import pboc
from sscard.perso.model import Directory
from sscard.perso.profile import Profile
from sscard.testing.models.pse_values import Debit, Room, inner

__all__ = ["Bank", "PseSubject", "pse_subject"]

_CARD_KEYS: Final = {0x10: "AC", 0x11: "MAC", 0x12: "ENC"}
_LINEAR, _CYCLIC = 0x04, 0x06
_EXPONENT: Final = 3


class Bank:
    """The issuer: card keys as in 4.1 and the ICC key, under which everything is checked."""

    def __init__(self, keys: Mapping[str, bytes], prime_p: int, prime_q: int) -> None:
        self.keys = dict(keys)
        self.modulus = prime_p * prime_q
        self.size = -(-self.modulus.bit_length() // 8)
        self._private = pow(_EXPONENT, -1, (prime_p - 1) * (prime_q - 1)) if prime_p else 0

    def session_key(self, kind: str, atc: int) -> bytes:
        """Return the session key of AC, MAC or ENC, 16 bytes (4.2)."""
        return pboc.session_key(self.keys[kind], atc)

    def cryptogram(self, atc: int, data: bytes) -> bytes:
        """Return AC, 8 bytes (4.4)."""
        return pboc.cryptogram(self.session_key("AC", atc), data)

    def arpc(self, atc: int, ac1: bytes, arc: bytes) -> bytes:
        """Return ARPC, 8 bytes (4.7)."""
        return pboc.arpc(self.session_key("AC", atc), ac1, arc)

    def script_mac(self, atc: int, ac1: bytes, header: bytes, data: bytes) -> bytes:
        """Return the MAC of a script, 4 bytes (4.8)."""
        key = self.session_key("MAC", atc)
        return pboc.script_mac(key, header, atc, ac1, data)

    def idd_mac(self, atc: int, amounts: bytes) -> bytes:
        """Return the MAC in issuer discretionary data, 4 bytes (4.6)."""
        return pboc.idd_mac(self.session_key("MAC", atc), atc, amounts)

    def pin_change(self, atc: int, new: str, current: str | None) -> bytes:
        """Return the enciphered block of PIN CHANGE, 16 bytes (4.8)."""
        block = pboc.pin_change_block(self.keys["ENC"], new, current)
        return pboc.script_block_encrypt(self.session_key("ENC", atc), block)

    def new_pin(self, atc: int, enciphered: bytes, current: str | None) -> str:
        """Return the digits of such a block; ValueError when it holds none."""
        key = self.session_key("ENC", atc)
        return pboc.pin_change_digits(
            self.keys["ENC"], pboc.script_block_decrypt(key, enciphered), current
        )

    # --- the ICC key (4.9, 4.10), as numbers ---------------------------

    def signature(self, dynamic: bytes, appended: bytes) -> bytes:
        """Return signed dynamic application data."""
        head = bytes((0x05, 0x01, len(dynamic))) + dynamic
        head = head.ljust(self.size - 22, b"\xbb")
        hashed = hashlib.sha1(head + appended, usedforsecurity=False).digest()
        return self._power(b"\x6a" + head + hashed + b"\xbc", self._private)

    def encipher(self, block: bytes, challenge: bytes) -> bytes:
        """Return the data of an enciphered VERIFY."""
        filler = bytes(3 + 7 * at & 0xFF for at in range(self.size - 17))
        return self._power(b"\x7f" + block + challenge + filler, _EXPONENT)

    def decipher(self, data: bytes) -> bytes:
        """Return what an enciphered PIN holds; b"" when it is no number below the modulus."""
        if len(data) != self.size or int.from_bytes(data, "big") >= self.modulus:
            return b""
        return self._power(data, self._private)

    def _power(self, data: bytes, exponent: int) -> bytes:
        number = pow(int.from_bytes(data, "big"), exponent, self.modulus)
        return number.to_bytes(self.size, "big")


class PseSubject(NamedTuple):
    """A card as delivered, what a model must know of it, and the bank with its keys."""

    card: Card
    debit: Debit
    bank: Bank


def pse_subject(profile: str, settings: Mapping[str, Any]) -> PseSubject:
    """Make a card of a profile with settings, as `Profile.load` takes them.

    Raises ProfileError when it has no debit application with a PIN.
    """
    loaded = Profile.load(profile, dict(settings))
    if loaded.pse is None or not loaded.pse.directories or loaded.pse.directories[0].pin is None:
        raise ProfileError(f"profile {profile} makes a card without debit application and PIN")
    directory = loaded.pse.directories[0]
    dgis = dict(directory.dgis)
    keys = {_CARD_KEYS[key.type]: key.value for key in directory.keys if key.type in _CARD_KEYS}
    primes = (int.from_bytes(dgis.get(dgi, b""), "big") for dgi in (0x8204, 0x8205))
    bank = Bank(keys, *primes)
    debit = _debit(dgis, dict(loaded.pse.dgis), directory)
    debit.key_size = bank.size
    return PseSubject(Card.from_image(build(loaded)), debit, bank)


def _debit(dgis: dict[int, bytes], above: dict[int, bytes], directory: Directory) -> Debit:
    elements: dict[str, bytes] = {}
    for dgi in (0x0D01, 0x0E01):
        elements.update((f"{tag:04X}", value) for tag, value in tlv.parse(dgis.get(dgi, b"")))
    files = {file.sfi: file for file in directory.files}
    log = next((file for file in directory.files if file.kind == _CYCLIC), None)
    tries = directory.pin.tries if directory.pin is not None else 0
    return Debit(
        name=directory.df_name,
        template=dgis[0x9102],
        directory_template=above[0x9102],
        aip=inner(dgis[0x9104], 0x82),
        afl=inner(dgis[0x9104], 0x94),
        issuer_data=inner(dgis[0x9200], 0x9F10),
        elements=elements,
        records=_records(dgis),
        rooms={
            sfi: Room(file.record_max, file.record_count, file.capacity)
            for sfi, file in files.items()
            if file.kind == _LINEAR
        },
        directory_records=_records(above)[1],
        log_length=log.record_max if log else 0,
        log_records=log.record_count if log else 0,
        tries_max=tries >> 4,
        tries=tries & 15,
    )


def _records(dgis: dict[int, bytes]) -> dict[int, list[bytes]]:
    """The DGIs of record files: SFI and number of each record (9.3)."""
    found: dict[int, list[bytes]] = {}
    for dgi in sorted(dgi for dgi in dgis if 0x0101 <= dgi < 0x0B00):
        found.setdefault(dgi >> 8, []).append(dgis[dgi])
    return found
