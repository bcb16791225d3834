"""Who computes for a terminal: a PSAM behind a second port, or a vault (ssse-lb002 5; cos 7).

The terminal never sees a key. It names one by its row of the key hierarchy, and the card by its
identity; a source answers with a cryptogram, enciphered data or a MAC. `VaultSource` is here,
`PsamSource` in `psam_source`.
"""

from collections.abc import Callable
from enum import Enum
from typing import NamedTuple, Protocol

from sscard.keys import Algorithm, equal
from sscard.keys.hierarchy import CARD_KEYS, CardKey
from sscard.keys.purse import Transaction
from sscard.keys.vault import CardIdentity, KeyInfo, KeyRef, UnknownKey, Vault
from sscard.terminal.errors import AlgorithmNotHeld, KeyNotHeld, SettlementFailed

__all__ = [
    "CryptoSource",
    "Flavour",
    "LoadRequest",
    "Mac1",
    "PurchaseRequest",
    "VaultSource",
    "card_key",
    "named_key",
]

EXTERNAL_AUTHENTICATION = 0x0D


class Flavour(Enum):
    """How a card's secure messaging computes: its `sm_mode` (ssse-lb002 4.7).

    SESSION: under a session key made of the challenge, IV 0. PBOC: under the key itself, the
    challenge as IV.
    """

    SESSION = "session"
    PBOC = "pboc_iv"


class PurchaseRequest(NamedTuple):
    """What INITIALIZE FOR PURCHASE answered, and what is bought (ssse-lb002 3.10).

    Shapes: `random` 4 bytes; `sequence` 0..65535; `version` and `algorithm` one byte each.
    """

    transaction: Transaction
    random: bytes
    sequence: int
    version: int
    algorithm: int


class LoadRequest(NamedTuple):
    """What INITIALIZE FOR LOAD answered: the host checks `mac1` and answers MAC2."""

    transaction: Transaction
    balance_fen: int
    sequence: int
    random: bytes
    mac1: bytes


class Mac1(NamedTuple):
    """The terminal's transaction number, never used twice, and the 4-byte MAC1."""

    number: int
    mac: bytes


class CryptoSource(Protocol):
    """A keeper of a terminal's keys.

    Every method may raise `KeyNotHeld`. A key is a row of `keys.hierarchy.CARD_KEYS`, a card
    the region and the last 8 historical bytes its keys are led down by.
    """

    def turn_to(self, algorithm: Algorithm) -> None:
        """Compute for cards of an algorithm from now on. Errors: `AlgorithmNotHeld`."""
        ...

    def holds(self, key: CardKey, card: CardIdentity) -> bool:
        """Whether the key is there, at a level that reaches this card."""
        ...

    def cryptogram(self, key: CardKey, card: CardIdentity, factor: bytes, data: bytes) -> bytes:
        """Return cg(key, factor, data), 8 bytes of 8 and 8. Source: ssse-lb002 4.5."""
        ...

    def encrypt(
        self, key: CardKey, card: CardIdentity, challenge: bytes, data: bytes, flavour: Flavour
    ) -> bytes:
        """Return E(LD || data || 80 00..), padded only if needed. Source: ssse-lb002 4.7."""
        ...

    def mac(
        self, key: CardKey, card: CardIdentity, challenge: bytes, message: bytes, flavour: Flavour
    ) -> bytes:
        """Return the 4-byte MAC over a message. Source: ssse-lb002 4.6."""
        ...

    def card_id_mac(self, card: CardIdentity, code: bytes) -> bytes | None:
        """Return the MAC of a card identification code, of its first 12 bytes; None: cannot.

        Source: ssse-lb002 1.2.
        """
        ...

    def terminal_number(self) -> bytes:
        """Return the terminal's number, 6 bytes."""
        ...

    def purchase(self, card: CardIdentity, request: PurchaseRequest) -> Mac1:
        """Spend a transaction number and return MAC1. Source: cos 7.3, 7.4."""
        ...

    def settle(self, mac2: bytes) -> None:
        """Check the card's MAC2 of the purchase begun last.

        Errors: `SettlementFailed` when it is wrong or nothing was begun.
        """
        ...


def card_key(kid: int, directory: str) -> CardKey:
    """Return the key that P2 of EXTERNAL AUTHENTICATE means in a directory ("DF01", "SSSE").

    KIDs below 80 are the SSSE's wherever one stands (ssse-lb002 3.8). Errors: `KeyNotHeld`
    for a KID that no table has.
    """
    place = "SSSE" if kid < 0x80 else directory
    for key in CARD_KEYS:
        if (key.place, key.kid, key.kind) == (place, kid, EXTERNAL_AUTHENTICATION):
            return key
    raise KeyNotHeld(f"no table of keys has {kid:02X} in {directory}")


def named_key(label: str) -> CardKey:
    """Return a key by its label, "IRK@SSSE". Errors: `KeyNotHeld` for one no table has."""
    for key in CARD_KEYS:
        if key.label == label:
            return key
    raise KeyNotHeld(f"no table of keys has {label}")


class VaultSource:
    """A source whose keys are in a vault: at a centre, at an issuer's desk, in tests.

    `terminal` is the terminal's 6-byte number; `next_number` gives the transaction numbers of
    purchases, each once (the vault keeps none). The algorithm is that of each key. `version`
    None: the newest of each key, else that one of every key.
    """

    def __init__(
        self,
        vault: Vault,
        *,
        terminal: bytes = bytes(6),
        next_number: Callable[[], int] | None = None,
        version: int | None = None,
    ) -> None:
        self._vault = vault
        self._version = version
        self._terminal = terminal
        self._next_number = next_number
        self._expected_mac2: bytes | None = None

    def turn_to(self, algorithm: Algorithm) -> None:
        """Refuse where the vault's IRK, if it has one, is of another algorithm."""
        try:
            held = self._vault.info("IRK@SSSE", self._version).algorithm
        except UnknownKey:
            return
        if held is not algorithm:
            raise AlgorithmNotHeld(
                f"the card's keys are {algorithm.label}, those of the vault {held.label}"
            )

    def holds(self, key: CardKey, card: CardIdentity) -> bool:
        """Whether the vault has a key of this name."""
        try:
            self._vault.info(key.label, self._version)
        except UnknownKey:
            return False
        return True

    def cryptogram(self, key: CardKey, card: CardIdentity, factor: bytes, data: bytes) -> bytes:
        """See `CryptoSource.cryptogram`."""
        return self._vault.cryptogram(self._ref(key, card), factor, data)

    def encrypt(
        self, key: CardKey, card: CardIdentity, challenge: bytes, data: bytes, flavour: Flavour
    ) -> bytes:
        """See `CryptoSource.encrypt`."""
        ref = self._ref(key, card)
        if flavour is Flavour.SESSION:
            return self._vault.session_encrypt(ref, challenge, data)
        return self._vault.encrypt(ref, data)

    def mac(
        self, key: CardKey, card: CardIdentity, challenge: bytes, message: bytes, flavour: Flavour
    ) -> bytes:
        """See `CryptoSource.mac`."""
        ref = self._ref(key, card)
        if flavour is Flavour.SESSION:
            return self._vault.session_mac(ref, challenge, message)
        return self._vault.mac(ref, challenge, message)

    def card_id_mac(self, card: CardIdentity, code: bytes) -> bytes | None:
        """See `CryptoSource.card_id_mac`."""
        irk = self._ref(named_key("IRK@SSSE"), card)
        return self._vault.mac(irk, b"", code[:12], folded=True)

    def terminal_number(self) -> bytes:
        """See `CryptoSource.terminal_number`."""
        return self._terminal

    def purchase(self, card: CardIdentity, request: PurchaseRequest) -> Mac1:
        """See `CryptoSource.purchase`; the key is the newest DPK of the vault."""
        if self._next_number is None:
            raise KeyNotHeld("this vault was given no transaction numbers: purchases need them")
        dpk = self._ref(named_key("DPK@DF04"), card)
        number = self._next_number()
        factor = (
            request.random
            + request.sequence.to_bytes(2, "big")
            + (number & 0xFFFF).to_bytes(2, "big")
        )
        debit = request.transaction
        self._expected_mac2 = self._vault.session_mac(
            dpk, factor, debit.amount_fen.to_bytes(4, "big")
        )
        return Mac1(number, self._vault.session_mac(dpk, factor, debit.opening + debit.closing))

    def settle(self, mac2: bytes) -> None:
        """See `CryptoSource.settle`."""
        expected, self._expected_mac2 = self._expected_mac2, None
        if expected is None:
            raise SettlementFailed("no purchase was begun")
        if not equal(expected, mac2):
            raise SettlementFailed("the card's MAC2 is wrong")

    def authorise_load(self, card: CardIdentity, request: LoadRequest) -> bytes:
        """Check the card's MAC1 of a load and return MAC2, as the holder of DLK (pse-pboc 8).

        Errors: `SettlementFailed` for a wrong MAC1, `KeyNotHeld`.
        """
        dlk = self._ref(named_key("DLK@DF04"), card)
        factor = request.random + request.sequence.to_bytes(2, "big") + b"\x80\x00"
        load = request.transaction
        before = request.balance_fen.to_bytes(4, "big")
        if not equal(self._vault.session_mac(dlk, factor, before + load.opening), request.mac1):
            raise SettlementFailed("the card's MAC1 of the load is wrong")
        return self._vault.session_mac(dlk, factor, load.opening + load.closing)

    def _ref(self, key: CardKey, card: CardIdentity) -> KeyRef:
        try:
            info: KeyInfo = self._vault.info(key.label, self._version)
        except UnknownKey as error:
            raise KeyNotHeld(str(error)) from error
        return card.ref(info)
