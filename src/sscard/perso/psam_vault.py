"""A PSAM's keys out of a vault: enciphered and ready for WRITE KEY, never in clear (ssse-lb002 6).

A vault exports a key below one of its own under a protection key it holds too: of a PSAM the
master key of the directory, "CMK@PSAM" of the MF and "AMK@PSAM" of the application. A key of the
vault itself does not leave it: what would begin at the tier of the PSAM comes one tier lower.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import NamedTuple, Protocol

from sscard.errors import ProfileError
from sscard.keys.block import Algorithm, engine
from sscard.keys.diversify import kcv
from sscard.keys.hierarchy import CARD_KEYS, CardKey, Origin, Tier, factors
from sscard.keys.line import line_mac, wrap
from sscard.keys.vault import KeyInfo, KeyRef, UnknownKey, Vault
from sscard.perso.model import TransportKey
from sscard.spec.psam import usage_byte

__all__ = [
    "MASTER_NAMES",
    "ByValue",
    "HeldKey",
    "InVault",
    "Protection",
    "PsamKey",
    "Shares",
    "protection_in",
    "shares",
]

MASTER_NAMES = ("CMK@PSAM", "AMK@PSAM")
"""A PSAM's master keys in a vault: of the MF, of the application."""


@dataclass(frozen=True, slots=True)
class PsamKey:
    """A key of a PSAM: its usage byte, its version or id, its algorithm and value (cos 7.2)."""

    name: str
    usage: int
    id: int
    algorithm: int
    value: bytes = field(repr=False)

    @property
    def plain(self) -> bytes:
        """The plain data of WRITE KEY: the key head of three bytes, then the key."""
        return bytes((self.usage, self.id, self.algorithm)) + self.value

    @property
    def kcv(self) -> bytes:
        """The 3-byte check value."""
        return kcv(self.algorithm, self.value)


@dataclass(frozen=True, slots=True)
class HeldKey:
    """A key of a PSAM whose value only a vault knows: where it is there, and its check value."""

    name: str
    usage: int
    id: int
    algorithm: int
    ref: KeyRef
    kcv: bytes

    @property
    def head(self) -> bytes:
        """The key head of three bytes."""
        return bytes((self.usage, self.id, self.algorithm))


# --- what protects a key load -------------------------------------------------------------------


class Protection(Protocol):
    """The key under which WRITE KEY and END ISSUE are protected, wherever it is."""

    @property
    def block(self) -> int:
        """Block length in bytes: 8, or 16 for SM4."""

    def wrapped(self, key: PsamKey | HeldKey) -> bytes:
        """Return the data of WRITE KEY: E(LD || usage, id, algorithm || key). Source: cos 7.2."""

    def mac(self, challenge: bytes, message: bytes) -> bytes:
        """Return the MAC of line protection, 4 bytes. Source: cos 6.1."""


class ByValue(NamedTuple):
    """A protection key we have. Keys of a vault cannot be wrapped with it."""

    key: PsamKey | TransportKey

    @property
    def block(self) -> int:
        """Block length in bytes."""
        return engine(self.key.algorithm, self.key.value).block

    def wrapped(self, key: PsamKey | HeldKey) -> bytes:
        """See `Protection.wrapped`. Errors: ProfileError for a key of a vault."""
        if isinstance(key, HeldKey):
            raise ProfileError(
                f"{key.name} leaves its vault under a key of the vault only: install"
                f" {' and '.join(MASTER_NAMES)} there (sscard keys new --psam)"
            )
        return wrap(self.key.algorithm, self.key.value, key.plain)

    def mac(self, challenge: bytes, message: bytes) -> bytes:
        """See `Protection.mac`."""
        return line_mac(self.key.algorithm, self.key.value, challenge, message)

    def __repr__(self) -> str:
        return "<ByValue>"


class InVault(NamedTuple):
    """A protection key in a vault: it wraps the vault's own keys, and given values too."""

    vault: Vault
    info: KeyInfo

    @property
    def block(self) -> int:
        """Block length in bytes."""
        return self.info.algorithm.block

    @property
    def _ref(self) -> KeyRef:
        return KeyRef(self.info.name, (), self.info.version)

    def wrapped(self, key: PsamKey | HeldKey) -> bytes:
        """See `Protection.wrapped`. Errors: VaultError."""
        if isinstance(key, HeldKey):
            return self.vault.export(key.ref, under=self._ref, head=key.head)
        return self.vault.encrypt(self._ref, key.plain)

    def mac(self, challenge: bytes, message: bytes) -> bytes:
        """See `Protection.mac`."""
        return self.vault.mac(self._ref, challenge, message)


def protection_in(vault: Vault | None, name: str, master: PsamKey) -> Protection:
    """Return the master key `name` of a PSAM: the vault's if it has it, else the profile's.

    Errors: ProfileError when the two are not one key, as their check values say.
    """
    if vault is None:
        return ByValue(master)
    try:
        info = vault.info(name)
    except UnknownKey:
        return ByValue(master)
    if info.levels or (info.algorithm, info.kcv) != (master.algorithm, master.kcv):
        raise ProfileError(
            f"the vault's {name} is not the PSAM's own: check value {info.kcv.hex().upper()},"
            f" not {master.kcv.hex().upper()}"
        )
    return InVault(vault, info)


# --- which keys ---------------------------------------------------------------------------------


class Shares(NamedTuple):
    """What a vault gives a PSAM: its keys, and the names of those that stay, being its own."""

    keys: tuple[PsamKey | HeldKey, ...]
    withheld: tuple[str, ...]


def shares(vault: Vault, cards: dict[str, Origin], region: str, level: Tier) -> Shares:
    """Return the keys a PSAM of this level gets from a vault, as its usage byte counts them.

    `cards` says which keys its cards have, by label: all of them must be in the vault, but for
    those a profile gives by value, which are taken from there. Without, the vault decides.
    Errors: ProfileError naming a key that is missing, or of another algorithm.
    """
    keys: list[PsamKey | HeldKey] = []
    withheld: list[str] = []
    for key in CARD_KEYS:
        origin = cards.get(key.label)
        if not key.psam or (cards and origin is None):
            continue
        if origin is not None and origin.tier is Tier.CARD:
            keys.append(_by_value(key, origin))
            continue
        info = _known(vault, key, origin)
        if info is None:
            continue
        wanted = Tier.MINISTRY if key.tier is Tier.MINISTRY else level
        if info.levels > Tier.CITY:
            reached = min(wanted, Tier(info.levels - 1))
            keys.append(_held(vault, key, info, region, reached))
        else:
            withheld.append(key.label)
    return Shares(tuple(keys), tuple(withheld))


def _known(vault: Vault, key: CardKey, origin: Origin | None) -> KeyInfo | None:
    try:
        info = vault.info(key.label)
    except UnknownKey:
        if origin is None:
            return None
        raise ProfileError(
            f"{key.label} is on the cards, under {origin.key.algorithm.label}, and not in the"
            f" vault{_HINTS.get(origin.key.algorithm, '')}"
        ) from None
    if origin is not None and info.algorithm is not origin.key.algorithm:
        algorithm = origin.key.algorithm
        raise ProfileError(
            f"{key.label} is a key of {info.algorithm.label} in the vault, on the cards one of"
            f" {algorithm.label}{_HINTS.get(algorithm, '')}"
        )
    return info


_HINTS = {Algorithm.SM4: " (no PKCS#11 token has SM4: keep such keys in a vault file)"}


def _held(vault: Vault, key: CardKey, info: KeyInfo, region: str, reached: Tier) -> HeldKey:
    tiers: Iterator[tuple[Tier, bytes]] = iter(factors(region, bytes(8)).items())
    path = tuple(factor for tier, factor in tiers if reached <= tier < info.levels)
    ref = KeyRef(key.label, path, info.version)
    usage, number = key.psam[0]
    return HeldKey(
        key.label,
        usage_byte(usage & 0x1F, reached),
        number,
        info.algorithm,
        ref,
        vault.kcv(ref),
    )


def _by_value(key: CardKey, origin: Origin) -> PsamKey:
    usage, number = key.psam[0]
    value = origin.key
    return PsamKey(
        key.label, usage_byte(usage & 0x1F, Tier.CARD), number, value.algorithm, value.value
    )
