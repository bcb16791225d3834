"""A bank's keys in a vault, as its host uses them (pse-pboc 4.1-4.8, 10).

`BankVault` is a view of one vault of bank keys: it names no key of the social side and takes no
vault that has one. Card keys and session keys stay in the vault. Pure.
"""

from enum import StrEnum
from typing import NamedTuple

from sscard.keys import pboc
from sscard.keys.compare import equal
from sscard.keys.padding import pad80_if_needed
from sscard.keys.vault.operations import BaseVault
from sscard.keys.vault.values import ForeignKey, KeyRef, Party

__all__ = ["BankCard", "BankVault", "SessionForm"]


class SessionForm(StrEnum):
    """How session keys come from card keys. Source: pse-pboc 4.2."""

    PBOC = "pboc"
    COMMON = "emv common"


class BankCard(NamedTuple):
    """The card whose keys are meant: PAN digits and the two of its sequence number."""

    pan: str
    psn: str = "00"

    def __repr__(self) -> str:
        return f"<BankCard ..{self.pan[-4:]}>"


class BankVault:
    """The bank host's view of a vault.

    `place` is where the cards' issuer keys belong: MDK-AC@place, MDK-MAC@place, MDK-ENC@place;
    TPK@PSE leads to a terminal's PIN key by the 8 characters of its identification, PVK@PSE to
    the key a card's reference PIN is kept under. Errors: ForeignKey for a social vault; every
    method may raise VaultError.
    """

    def __init__(
        self,
        vault: BaseVault,
        *,
        place: str = "PSE.DF01",
        form: SessionForm = SessionForm.PBOC,
    ) -> None:
        if vault.party is not Party.BANK or Party.of(f"MDK-AC@{place}") is not Party.BANK:
            raise ForeignKey("a bank's host works with a vault of bank keys, and only with it")
        self._vault = vault
        self._place = place
        self._common = form is SessionForm.COMMON

    def cryptogram(self, card: BankCard, atc: int, data: bytes) -> bytes:
        """Return the 8-byte AC over the input of pse-pboc 4.4."""
        return self._vault.transaction_mac(self._key("AC", card), self._seed(atc), data)

    def verify(self, card: BankCard, atc: int, data: bytes, cryptogram: bytes) -> bool:
        """Whether a TC, ARQC or AAC is the card's."""
        return equal(self.cryptogram(card, atc, data), cryptogram)

    def arpc(self, card: BankCard, atc: int, arqc: bytes, arc: str) -> bytes:
        """Return the 8-byte ARPC of a 2-character ARC. Source: pse-pboc 4.7."""
        if len(arqc) != 8 or len(arc) != 2:
            raise ValueError("an ARPC is made of an 8-byte cryptogram and a 2-character ARC")
        mixed = bytes(a ^ b for a, b in zip(arqc, arc.encode("ascii") + bytes(6), strict=True))
        return self._vault.transaction_encrypt(self._key("AC", card), self._seed(atc), mixed)

    def script_mac(self, card: BankCard, atc: int, ac1: bytes, header: bytes, data: bytes) -> bytes:
        """Return the 4-byte MAC of a script command; `header` is 5 bytes. pse-pboc 4.8."""
        if len(header) != 5 or len(ac1) != 8:
            raise ValueError("a script MAC starts from a 5-byte header and an 8-byte cryptogram")
        message = header + atc.to_bytes(2, "big") + ac1 + data
        return self._vault.transaction_mac(self._key("MAC", card), self._seed(atc), message)[:4]

    def script_encrypt(self, card: BankCard, atc: int, data: bytes) -> bytes:
        """Encipher script data under SK-ENC: LD || data, 80 00.. if needed. pse-pboc 4.8."""
        blocks = pad80_if_needed(bytes((len(data),)) + data, 8)
        return self._vault.transaction_encrypt(self._key("ENC", card), self._seed(atc), blocks)

    def idd_mac(self, card: BankCard, atc: int, amounts: bytes) -> bytes:
        """Return the 4-byte MAC of issuer discretionary data. Source: pse-pboc 4.6."""
        data = atc.to_bytes(2, "big") + amounts
        data += bytes(-len(data) % 8)
        return self._vault.transaction_mac(self._key("MAC", card), self._seed(atc), data)[:4]

    def pin_change(self, card: BankCard, atc: int, stored: bytes) -> bytes:
        """Return the 16 bytes of PIN CHANGE (P2 = 02) of a stored PIN. Source: pse-pboc 4.8."""
        key = self._key("ENC", card)
        return self._vault.pin_change(key, self._seed(atc), card.pan, stored, under=self._pvk(card))

    def stored_pin(self, card: BankCard, digits: str) -> bytes:
        """Return a PIN as the host keeps it, 8 bytes; ValueError for digits that are no PIN."""
        return self._vault.pin_store(self._pvk(card), card.pan, digits)

    def pin_of_terminal(self, terminal_id: str, card: BankCard, digits: str) -> bytes:
        """Return the PIN block a terminal sends: format 0 under its own PIN key, 8 bytes."""
        return self._vault.pin_store(_tpk(terminal_id), card.pan, digits)

    def pin_matches(self, terminal_id: str, card: BankCard, block: bytes, stored: bytes) -> bool:
        """Whether a terminal's PIN block holds the stored PIN; a block that is none does not."""
        try:
            moved = self._vault.pin_translate(_tpk(terminal_id), self._pvk(card), card.pan, block)
        except ValueError:
            return False
        return equal(moved, stored)

    def __repr__(self) -> str:
        return f"<BankVault {self._place} of {self._vault!r}>"

    def _seed(self, atc: int) -> bytes:
        return pboc.session_seed(atc, common=self._common)

    def _key(self, which: str, card: BankCard) -> KeyRef:
        return KeyRef(f"MDK-{which}@{self._place}", (pboc.pan_factor(*card),))

    @staticmethod
    def _pvk(card: BankCard) -> KeyRef:
        return KeyRef("PVK@PSE", (pboc.pan_factor(*card),))


def _tpk(terminal_id: str) -> KeyRef:
    return KeyRef("TPK@PSE", (terminal_id.encode("ascii"),))
