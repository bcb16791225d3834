"""The vault protocol, with the values and errors it speaks of (ssse-lb002 6; cos 4.6, 8.2).

Names are "KEY@PLACE" as in the key hierarchy ("UK@SSSE", "AMK@DF01", "MDK-AC@PSE.DF01"); the
place says whose key it is. Imported by every vault and everything that uses one.
"""

import string
from dataclasses import dataclass, field
from enum import StrEnum
from typing import NamedTuple, Protocol

from sscard.errors import SscardError
from sscard.keys.block import Algorithm, UnsupportedAlgorithm
from sscard.keys.diversify import kcv
from sscard.keys.hierarchy import KeyValue, Tier
from sscard.keys.purse import Transaction

__all__ = [
    "ForeignKey",
    "KeyInfo",
    "KeyRef",
    "Party",
    "Root",
    "UnknownKey",
    "UnsupportedMechanism",
    "Vault",
    "VaultError",
    "VaultLocked",
    "Withheld",
    "WrongVersion",
]

LEVELS_MAX = int(Tier.MINISTRY)
_NAME_LETTERS = frozenset(string.ascii_letters + string.digits + "-_.")


class VaultError(SscardError):
    """A key vault cannot, or will not, do what it was asked."""


class UnknownKey(VaultError):
    """The vault holds no key of this name."""


class WrongVersion(UnknownKey):
    """The vault holds the key, but not in this version."""


class ForeignKey(VaultError):
    """The key belongs to the other party: bank and social keys share no vault."""


class Withheld(VaultError):
    """The value asked for stays in the vault, or the key may not be used at this level."""


class UnsupportedMechanism(VaultError):
    """The vault's cryptography lacks the algorithm of the key."""


class VaultLocked(VaultError):
    """The vault is closed, or the passphrase or PIN does not open it."""


class Party(StrEnum):
    """Whose keys a vault holds: the two hierarchies share no key (pse-pboc 10)."""

    SOCIAL = "social"
    BANK = "bank"

    @classmethod
    def of(cls, name: str) -> "Party":
        """Whose key `name` is: the bank's in the PSE, else the social security side's.

        Errors: VaultError when it is not KEY@PLACE in letters, digits and `-_.`.
        """
        key, at, place = name.partition("@")
        if not (key and at and place and _NAME_LETTERS.issuperset(key + place)):
            raise VaultError(f"{name!r} is not a key name like UK@SSSE")
        return cls.BANK if place.split(".")[0] == "PSE" else cls.SOCIAL


@dataclass(frozen=True, slots=True)
class Root:
    """A key as it enters a vault; the repr does not show its value.

    `levels` (0..3) counts the diversifications that lead to a card's key: 3 for a root of the
    ministry, 1 for a city's key or an issuer's MDK; 0 is a key used as it is (one that protects
    others, or a single card's own). The number is that of a PSAM's usage byte (cos 7.2).
    """

    name: str
    value: bytes = field(repr=False)
    version: int = 1
    algorithm: Algorithm = Algorithm.TDES
    levels: int = LEVELS_MAX

    @property
    def info(self) -> "KeyInfo":
        """The key without its value.

        Errors: VaultError for a bad name, version, level or length, UnsupportedMechanism for
        an algorithm nobody has.
        """
        Party.of(self.name)
        if not 1 <= self.version <= 0xFF:
            raise VaultError(f"{self.name}: a key version is 1 to 255, not {self.version}")
        if not 0 <= self.levels <= LEVELS_MAX:
            raise VaultError(f"{self.name}: levels are 0 to {LEVELS_MAX}, not {self.levels}")
        if self.levels and self.algorithm is Algorithm.DES:
            raise VaultError(f"{self.name}: a single-DES key cannot be diversified: levels = 0")
        try:
            check = kcv(self.algorithm, self.value)
        except UnsupportedAlgorithm as error:
            raise UnsupportedMechanism(f"{self.name}: {error}") from None
        except ValueError as error:
            raise VaultError(f"{self.name}: {error}") from None
        return KeyInfo(self.name, self.version, self.algorithm, self.levels, check)


class KeyInfo(NamedTuple):
    """What may be known of a key in a vault: everything but its value. `kcv` is 3 bytes."""

    name: str
    version: int
    algorithm: Algorithm
    levels: int
    kcv: bytes

    @property
    def holder(self) -> str:
        """Who holds keys of this level: ministry, province, city, card; the bank is an issuer."""
        if self.levels and Party.of(self.name) is Party.BANK:
            return "issuer"
        return Tier(self.levels).name.lower()

    def __repr__(self) -> str:
        kcv = self.kcv.hex().upper()
        return f"<KeyInfo {self.name} v{self.version} {self.algorithm.label} KCV {kcv}>"


class KeyRef(NamedTuple):
    """A key one means: a root, the 8-byte factors that lead down from it, outermost first.

    Without a version it is the newest one. With as many factors as the root has levels it is
    a card's key, with fewer a province's or a city's, with none the root itself.
    """

    name: str
    factors: tuple[bytes, ...] = ()
    version: int | None = None


class Vault(Protocol):
    """A keeper of root keys; everything that uses keys of a hierarchy asks one of these.

    Keys named by a `KeyRef` work at card level only (all factors given), but for `kcv`, and
    `derive` and `export`, which want at least one factor. Every method may raise VaultError:
    UnknownKey, WrongVersion, ForeignKey, Withheld, VaultLocked; ValueError means data of a
    wrong length.
    """

    @property
    def party(self) -> Party:
        """Whose keys these are."""

    @property
    def test(self) -> bool:
        """Whether all keys are test keys, whose diversified values may be seen."""

    def list_keys(self) -> tuple[KeyInfo, ...]:
        """Return every key by name and version, without values."""

    def info(self, name: str, version: int | None = None) -> KeyInfo:
        """Return one key, its newest version unless one is given."""

    def kcv(self, key: KeyRef) -> bytes:
        """Return the 3-byte check value of a root or of any key below it. Source: cos 4.6."""

    def derive(self, key: KeyRef) -> KeyValue:
        """Return the value of a diversified key, from a vault of test keys only."""

    def export(self, key: KeyRef, *, under: KeyRef, head: bytes = b"") -> bytes:
        """Return a diversified key enciphered: E(under, LD || head || value || 80 00..), ECB.

        With the 12-byte key header as `head` this is the data of WRITE KEY (cos 4.3), with
        usage, id or version and algorithm it loads a PSAM (cos 7.2); the command's MAC is
        `mac(under, challenge, header || data)`.
        """

    def encrypt(self, key: KeyRef, data: bytes) -> bytes:
        """Return E(key, LD || data), padded 80 00.. if needed, ECB. Source: cos 6.1."""

    def mac(self, key: KeyRef, iv: bytes, message: bytes, *, folded: bool = False) -> bytes:
        """Return the 4-byte MAC of line protection, `iv` right-padded with 00. Source: cos 6.1.

        `folded`: SM4 folds its block instead of taking the left four bytes (ssse-lb002 4.6).
        With an empty `iv` it is the MAC of the card identification code, flavour C (folded).
        """

    def direct_cryptogram(self, key: KeyRef, challenge: bytes) -> bytes:
        """Return E(key, challenge padded with 00 to the block). Source: cos 4.7, direct form."""

    def cryptogram(self, key: KeyRef, factor: bytes, data: bytes) -> bytes:
        """Return cg(key, factor, data), 8 bytes of 8 and 8. Source: ssse-lb002 4.5."""

    def session_mac(self, key: KeyRef, factor: bytes, message: bytes) -> bytes:
        """Return the 4-byte MAC under the session key of an 8-byte factor, IV 0.

        Flavour A (ssse-lb002 4.6). With a factor of random, sequence and terminal sequence
        and the key DPK also MAC1 and MAC2 of a purchase (cos 7.4).
        """

    def session_encrypt(self, key: KeyRef, factor: bytes, data: bytes) -> bytes:
        """Return `encrypt` under the session key of an 8-byte factor. Source: ssse-lb002 4.7."""

    def purchase_tac(self, key: KeyRef, transaction: Transaction, terminal_sequence: int) -> bytes:
        """Return the 4-byte TAC of a purchase under a diversified DTK. Source: cos 7.4."""
