"""A bank's keys in a vault, as its host uses them (pse-pboc 4.1-4.8, 10).

`BankVault` is a view of one vault of bank keys: it names no key of the social side and takes no
vault that has one. Card keys and session keys stay in the vault. Pure.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple, Self

from sscard.keys import pboc
from sscard.keys.compare import equal
from sscard.keys.padding import pad80_if_needed
from sscard.keys.vault.operations import BaseVault
from sscard.keys.vault.values import ForeignKey, KeyRef, Party, WrongVersion

__all__ = ["BankCard", "BankVault", "CardForms", "SessionForm"]


class SessionForm(StrEnum):
    """How session keys come from card keys. Source: pse-pboc 4.2."""

    PBOC = "pboc"
    COMMON = "emv_csk"


@dataclass(frozen=True, slots=True)
class CardForms:
    """What the reference leaves to a card's profile, as its bank must know it (pse-pboc 14).

    `session_keys` how they are derived (4.2); `vis_scripts` whether scripts go under VIS's keys
    (4.2); `idd_always_padded` whether the MAC over two amounts has a block of padding (#12);
    `pin_mask` which card key, ENC or AC, hides a new PIN (#13); `roles_swapped` whether P2 = 02,
    not 01, is the PIN CHANGE that knows the current PIN (#14).
    """

    session_keys: SessionForm = SessionForm.PBOC
    vis_scripts: bool = False
    idd_always_padded: bool = True
    pin_mask: str = "ENC"
    roles_swapped: bool = False

    def __post_init__(self) -> None:
        if self.pin_mask not in ("ENC", "AC"):
            raise ValueError(f"a new PIN is masked by ENC or AC, not {self.pin_mask}")

    @classmethod
    def of(cls, options: Mapping[str, str]) -> Self:
        """Return the forms of a card with these options; the default where one is not named."""
        return cls(
            SessionForm(options.get("pse_session_keys", SessionForm.PBOC)),
            options.get("pse_script_keys") == "vis",
            options.get("pse_idd_padding") != "if_needed",
            options.get("pse_pin_change_key", "ENC"),
            options.get("pse_pin_change_roles") == "swapped",
        )


class BankCard(NamedTuple):
    """The card whose keys are meant: PAN digits and the two of its sequence number.

    `key_index` is the DKI of its 9F10: the version of the issuer keys, 0 for the newest.
    """

    pan: str
    psn: str = "00"
    key_index: int = 0

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
        forms: CardForms | None = None,
    ) -> None:
        if vault.party is not Party.BANK or Party.of(f"MDK-AC@{place}") is not Party.BANK:
            raise ForeignKey("a bank's host works with a vault of bank keys, and only with it")
        self._vault = vault
        self._place = place
        self._forms = CardForms() if forms is None else forms
        self._common = self._forms.session_keys is SessionForm.COMMON
        self._scripts = self._forms.vis_scripts

    def knows(self, card: BankCard) -> bool:
        """Whether the vault has the issuer keys that a card's index names."""
        try:
            self._vault.info(f"MDK-AC@{self._place}", card.key_index or None)
        except WrongVersion:
            return False
        return True

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
        key, seed = self._key("MAC", card), self._script_seed(atc)
        return self._vault.transaction_mac(key, seed, message, masked=self._scripts)[:4]

    def script_encrypt(self, card: BankCard, atc: int, data: bytes) -> bytes:
        """Encipher script data under SK-ENC: LD || data, 80 00.. if needed. pse-pboc 4.8."""
        blocks = pad80_if_needed(bytes((len(data),)) + data, 8)
        key, seed = self._key("ENC", card), self._script_seed(atc)
        return self._vault.transaction_encrypt(key, seed, blocks, masked=self._scripts)

    def idd_mac(self, card: BankCard, atc: int, amounts: bytes) -> bytes:
        """Return the 4-byte MAC of issuer discretionary data. Source: pse-pboc 4.6."""
        data = atc.to_bytes(2, "big") + amounts
        data += bytes(-len(data) % 8)
        padded = self._forms.idd_always_padded or len(amounts) <= 5
        key = self._key("MAC", card)
        return self._vault.transaction_mac(key, self._seed(atc), data, padded=padded)[:4]

    def pin_change(
        self, card: BankCard, atc: int, stored: bytes, current: bytes = b""
    ) -> tuple[int, bytes]:
        """Return P2 and the 16 bytes of PIN CHANGE: to a stored PIN, from a stored one or any.

        Source: pse-pboc 4.8.
        """
        sealed = self._vault.pin_change(
            self._key("ENC", card),
            self._script_seed(atc),
            card.pan,
            stored,
            mask=self._key(self._forms.pin_mask, card),
            under=self._pvk(card),
            current=current,
            masked=self._scripts,
        )
        p2 = 0x01 if bool(current) is not self._forms.roles_swapped else 0x02
        return p2, sealed

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

    def _script_seed(self, atc: int) -> bytes:
        return pboc.session_seed(atc, common=self._common and not self._scripts)

    def _key(self, which: str, card: BankCard) -> KeyRef:
        factor = pboc.pan_factor(card.pan, card.psn)
        return KeyRef(f"MDK-{which}@{self._place}", (factor,), card.key_index or None)

    @staticmethod
    def _pvk(card: BankCard) -> KeyRef:
        return KeyRef("PVK@PSE", (pboc.pan_factor(card.pan, card.psn),))


def _tpk(terminal_id: str) -> KeyRef:
    return KeyRef("TPK@PSE", (terminal_id.encode("ascii"),))
