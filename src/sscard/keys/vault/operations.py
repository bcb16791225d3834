"""What all vaults do alike: find keys, refuse what must stay inside, build the constructions.

A kind of vault adds where keys are and how one works with them (`WorkingKey`); the formulas
and the rules are here once. Imported by the vaults.
"""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from contextlib import AbstractContextManager
from types import TracebackType
from typing import NoReturn, Protocol, Self

from sscard.keys import pboc
from sscard.keys.block import engine
from sscard.keys.hierarchy import KeyValue
from sscard.keys.mac import blocks_mac, fold4, fold16, retail_mac
from sscard.keys.padding import pad80_if_needed, zero_pad
from sscard.keys.purse import Transaction, load_tac, purchase_tac
from sscard.keys.vault.values import (
    ForeignKey,
    KeyInfo,
    KeyRef,
    Party,
    Root,
    UnknownKey,
    VaultError,
    VaultLocked,
    Withheld,
    WrongVersion,
)

__all__ = ["BaseVault", "WorkingKey", "factor_block"]

_ALL_ONES = (1 << 64) - 1


def factor_block(factor: bytes) -> bytes:
    """Return F || ~F, the 16 bytes a key enciphers to its child. Source: cos 4.6."""
    if len(factor) != 8:
        raise ValueError(f"a diversification factor has 8 bytes, not {len(factor)}")
    return factor + (int.from_bytes(factor, "big") ^ _ALL_ONES).to_bytes(8, "big")


class WorkingKey(Protocol):
    """A key in use, wherever its value is."""

    @property
    def block(self) -> int:
        """Block length in bytes: 8, or 16 for SM4."""

    def encrypt(self, data: bytes) -> bytes:
        """Encipher whole blocks in ECB."""

    def mac(self, message: bytes, iv: bytes) -> bytes:
        """Return the block that ends a MAC: retail, DES or SM4 CBC-MAC; `iv` is one block."""

    def session(self, factor: bytes) -> AbstractContextManager["WorkingKey"]:
        """Return the session key of an 8-byte factor, for as long as the block lasts."""

    def seeded(self, seed: bytes) -> AbstractContextManager["WorkingKey"]:
        """Return the key E(this key, 16 bytes of seed), for as long as the block lasts."""


class BaseVault(ABC):
    """A `Vault` but for where its keys are. Neither pickled nor copied; closed it is locked."""

    def __init__(self, party: Party, *, test: bool) -> None:
        self._party = Party(party)
        self._test = test
        self._closed = False

    # ---- what a kind of vault adds ----

    @property
    @abstractmethod
    def _index(self) -> Mapping[tuple[str, int], KeyInfo]:
        """The keys by name and version."""

    @abstractmethod
    def _opened(
        self, info: KeyInfo, factors: tuple[bytes, ...]
    ) -> AbstractContextManager[WorkingKey]:
        """Return the key `factors` (all of 8 bytes) lead to, for as long as the block lasts."""

    @abstractmethod
    def _install(self, info: KeyInfo, value: bytes) -> None:
        """Take in a checked key that is not there yet."""

    # ---- the keys ----

    @property
    def party(self) -> Party:
        """Whose keys these are."""
        return self._party

    @property
    def test(self) -> bool:
        """Whether all keys are test keys, whose diversified values may be seen."""
        return self._test

    def list_keys(self) -> tuple[KeyInfo, ...]:
        """Return every key by name and version, without values."""
        self._require_open()
        index = self._index
        return tuple(index[place] for place in sorted(index))

    def info(self, name: str, version: int | None = None) -> KeyInfo:
        """Return one key, its newest version unless one is given."""
        self._require_open()
        self._require_party(name)
        versions = [number for known, number in self._index if known == name]
        if not versions:
            raise UnknownKey(f"there is no key {name} in this vault")
        wanted = max(versions) if version is None else version
        if wanted not in versions:
            there = ", ".join(map(str, sorted(versions)))
            raise WrongVersion(f"{name}: there is no version {wanted}; there are: {there}")
        return self._index[name, wanted]

    def install(self, root: Root) -> KeyInfo:
        """Take a key in; the same name and version cannot be there already.

        Errors: VaultError; ForeignKey for one of the other party, UnsupportedMechanism.
        """
        self._require_open()
        info = root.info
        self._require_party(info.name)
        self._require_new(info.name, info.version)
        self._install(info, root.value)
        return info

    # ---- values: never a root's ----

    def kcv(self, key: KeyRef) -> bytes:
        """Return the 3-byte check value of a root or of any key below it."""
        with self._at(key, least=0) as working:
            return working.encrypt(bytes(working.block))[:3]

    def derive(self, key: KeyRef) -> KeyValue:
        """Return the value of a diversified key, from a vault of test keys only."""
        if not self.test:
            raise Withheld(
                f"{key.name}: only test keys are shown, others leave enciphered (export)"
            )
        return KeyValue(self._value(key), self.info(key.name, key.version).algorithm)

    def export(self, key: KeyRef, *, under: KeyRef, head: bytes = b"") -> bytes:
        """Return a diversified key enciphered: E(under, LD || head || value || 80 00..), ECB."""
        return self.encrypt(under, head + self._value(key))

    # ---- work with a card's key ----

    def encrypt(self, key: KeyRef, data: bytes) -> bytes:
        """Return E(key, LD || data), padded 80 00.. if needed, ECB."""
        with self._at(key) as working:
            return _wrap(working, data)

    def mac(self, key: KeyRef, iv: bytes, message: bytes, *, folded: bool = False) -> bytes:
        """Return the 4-byte MAC of line protection, `iv` right-padded with 00."""
        with self._at(key) as working:
            block = working.mac(message, zero_pad(iv, working.block))
            return fold4(block) if folded and len(block) == 16 else block[:4]

    def direct_cryptogram(self, key: KeyRef, challenge: bytes) -> bytes:
        """Return E(key, challenge padded with 00 to the block)."""
        with self._at(key) as working:
            return working.encrypt(zero_pad(challenge, working.block))

    def cryptogram(self, key: KeyRef, factor: bytes, data: bytes) -> bytes:
        """Return cg(key, factor, data), 8 bytes of 8 and 8."""
        _require_eight(factor, data)
        with self._at(key) as working, working.session(factor) as session:
            block = session.encrypt(zero_pad(data, session.block))
            return fold16(block) if len(block) == 16 else block

    def session_mac(self, key: KeyRef, factor: bytes, message: bytes) -> bytes:
        """Return the 4-byte MAC under the session key of an 8-byte factor, IV 0."""
        _require_eight(factor)
        with self._at(key) as working, working.session(factor) as session:
            block = session.mac(message, bytes(session.block))
            return fold4(block) if len(block) == 16 else block[:4]

    def session_encrypt(self, key: KeyRef, factor: bytes, data: bytes) -> bytes:
        """Return `encrypt` under the session key of an 8-byte factor."""
        _require_eight(factor)
        with self._at(key) as working, working.session(factor) as session:
            return _wrap(session, data)

    def purchase_tac(self, key: KeyRef, transaction: Transaction, terminal_sequence: int) -> bytes:
        """Return the 4-byte TAC of a purchase under a diversified DTK.

        Its key is the XOR of the halves of DTK (cos 7.4), so the card's value is needed here,
        whatever the kind of vault.
        """
        with self._at(key):
            return purchase_tac(self._card_value(key), transaction, terminal_sequence)

    def load_tac(
        self, key: KeyRef, balance_fen: int, sequence: int, transaction: Transaction
    ) -> bytes:
        """Return the 4-byte TAC of a load; as for purchases the card's DTK is needed here."""
        with self._at(key):
            return load_tac(self._card_value(key), balance_fen, sequence, transaction)

    # ---- a bank's transactions ----

    def transaction_mac(
        self, key: KeyRef, seed: bytes, message: bytes, *, masked: bool = False, padded: bool = True
    ) -> bytes:
        """Return the 8-byte retail MAC under the session key E(key, seed).

        `masked`: under key ^ seed instead, VIS's key for scripts. Not `padded`: over whole blocks
        as they are. Both make the key here, whatever the kind of vault (as in `purchase_tac`).
        """
        if masked or not padded:
            mac = retail_mac if padded else blocks_mac
            return mac(self._session_value(key, seed, masked=masked), message)
        with self._at(key) as working, working.seeded(_seed(seed)) as session:
            return session.mac(message, bytes(session.block))

    def transaction_encrypt(
        self, key: KeyRef, seed: bytes, blocks: bytes, *, masked: bool = False
    ) -> bytes:
        """Encipher whole blocks in ECB under a session key as in `transaction_mac`."""
        if masked:
            value = self._session_value(key, seed, masked=True)
            return engine(self.info(key.name, key.version).algorithm, value).encrypt(blocks)
        with self._at(key) as working, working.seeded(_seed(seed)) as session:
            return session.encrypt(blocks)

    def pin_change(
        self,
        key: KeyRef,
        seed: bytes,
        pan: str,
        pin: bytes,
        *,
        mask: KeyRef,
        under: KeyRef,
        current: bytes = b"",
        masked: bool = False,
    ) -> bytes:
        """Return the 16 enciphered bytes of PIN CHANGE. Source: pse-pboc 4.8.

        `pin` and `current` are format 0 blocks under a key of the host; four bytes of the card
        key `mask` hide the digits: all are needed here, whatever the kind of vault (as in
        `purchase_tac`). `masked` as in `transaction_mac`.
        """
        digits = self._pin_digits(under, pan, pin)
        known = self._pin_digits(under, pan, current) if current else None
        with self._at(mask):
            block = pboc.pin_change_block(self._value(mask), digits, known)
        return self.transaction_encrypt(key, seed, block, masked=masked)

    def pin_store(self, key: KeyRef, pan: str, digits: str) -> bytes:
        """Return a PIN as a host keeps it: its format 0 block under a card's PIN key."""
        with self._at(key) as working:
            return working.encrypt(pboc.online_pin_block(digits, pan))

    def pin_translate(self, source: KeyRef, target: KeyRef, pan: str, block: bytes) -> bytes:
        """Return an enciphered format 0 block under another key; ValueError when it is none."""
        return self.pin_store(target, pan, self._pin_digits(source, pan, block))

    def _pin_digits(self, key: KeyRef, pan: str, block: bytes) -> str:
        """Open a PIN block. Keys in tokens only encipher: the diversified value is used."""
        with self._at(key):
            algorithm = self.info(key.name, key.version).algorithm
            clear = engine(algorithm, self._value(key)).decrypt(block)
        return pboc.online_pin_digits(clear, pan)

    def _session_value(self, key: KeyRef, seed: bytes, *, masked: bool) -> bytes:
        if masked:
            with self._at(key):
                value = self._value(key)
            return bytes(a ^ b for a, b in zip(value, _seed(seed), strict=True))
        with self._at(key) as working:
            return working.encrypt(_seed(seed))

    # ---- open, closed ----

    def close(self) -> None:
        """Lock the vault; from now on it answers VaultLocked."""
        self._closed = True

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        state = "closed" if self._closed else f"{len(self._index)} keys"
        kind = "test " if self._test else ""
        return f"<{type(self).__name__} {kind}{self._party}, {state}>"

    def __reduce_ex__(self, protocol: object) -> NoReturn:
        raise VaultError("a vault is neither pickled nor copied: its keys stay where they are")

    # ---- rules ----

    def _at(
        self, key: KeyRef, *, least: int | None = None, most: int | None = None
    ) -> AbstractContextManager[WorkingKey]:
        """Open a key `least` to `most` levels below its root; by default a card's key only."""
        info = self.info(key.name, key.version)
        given = len(key.factors)
        low = info.levels if least is None else least
        high = info.levels if most is None else most
        for factor in key.factors:
            factor_block(factor)  # its length
        if given > high:
            raise VaultError(f"{key.name} has {high} levels below it, not {given}")
        if given < low:
            raise Withheld(f"{key.name} works for a card: {low} factors, not {given}")
        return self._opened(info, key.factors)

    def _value(self, key: KeyRef) -> bytes:
        """Return the value of a key at least one level below its root."""
        if not key.factors:
            self.info(key.name, key.version)  # an unknown key is told first
            raise Withheld(f"{key.name}: a key in a vault never leaves it, only those below it")
        above = key._replace(factors=key.factors[:-1])
        last = factor_block(key.factors[-1])
        levels = self.info(key.name, key.version).levels
        if len(key.factors) > levels:
            raise VaultError(f"{key.name} has {levels} levels below it, not {len(key.factors)}")
        with self._at(above, least=0) as parent:
            return parent.encrypt(last)

    def _card_value(self, key: KeyRef) -> bytes:
        """Return the value of a card's key to compute with; it goes no further."""
        return self._value(key)

    def _require_open(self) -> None:
        if self._closed:
            raise VaultLocked("this vault is closed")

    def _require_party(self, name: str) -> None:
        owner = Party.of(name)
        if owner is not self._party:
            raise ForeignKey(f"{name} is a {owner} key, this is a vault of {self._party} keys")

    def _require_new(self, name: str, version: int) -> None:
        if (name, version) in self._index:
            raise VaultError(f"{name} version {version} is in the vault already")


def _wrap(key: WorkingKey, data: bytes) -> bytes:
    if len(data) > 255:
        raise ValueError(f"LD is one byte: {len(data)} bytes of data are too many")
    return key.encrypt(pad80_if_needed(bytes((len(data),)) + data, key.block))


def _seed(seed: bytes) -> bytes:
    if len(seed) != 16:
        raise ValueError(f"a session key comes from 16 bytes, not {len(seed)}")
    return seed


def _require_eight(*values: bytes) -> None:
    for value in values:
        if len(value) != 8:
            raise ValueError(f"the session form takes 8 bytes, not {len(value)}")
