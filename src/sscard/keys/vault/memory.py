"""A vault whose keys are values in this process: for tests, and what an opened file becomes."""

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager

from sscard.keys.block import Algorithm, engine
from sscard.keys.diversify import chain
from sscard.keys.hierarchy import KeyValue
from sscard.keys.mac import retail_mac, sm4_mac
from sscard.keys.session import session_algorithm, session_key
from sscard.keys.vault.operations import BaseVault
from sscard.keys.vault.values import KeyInfo, KeyRef, Party, Root

__all__ = ["MemoryVault", "ValueKey"]


class ValueKey:
    """A `WorkingKey` of a value we have. The repr does not show it."""

    __slots__ = ("_key",)

    def __init__(self, key: KeyValue) -> None:
        self._key = key

    @property
    def block(self) -> int:
        """Block length in bytes: 8, or 16 for SM4."""
        return self._key.algorithm.block

    def encrypt(self, data: bytes) -> bytes:
        """Encipher whole blocks in ECB."""
        return engine(self._key.algorithm, self._key.value).encrypt(data)

    def mac(self, message: bytes, iv: bytes) -> bytes:
        """Return the block that ends a MAC: retail, DES or SM4 CBC-MAC."""
        make = sm4_mac if self._key.algorithm is Algorithm.SM4 else retail_mac
        return make(self._key.value, message, iv)

    @contextmanager
    def session(self, factor: bytes) -> Iterator["ValueKey"]:
        """Yield the session key of an 8-byte factor. Source: ssse-lb002 4.5."""
        algorithm = self._key.algorithm
        value = session_key(algorithm, self._key.value, factor)
        yield ValueKey(KeyValue(value, session_algorithm(algorithm)))

    @contextmanager
    def seeded(self, seed: bytes) -> Iterator["ValueKey"]:
        """Yield the key E(this key, seed). Source: pse-pboc 4.2."""
        algorithm = self._key.algorithm
        yield ValueKey(KeyValue(engine(algorithm, self._key.value).encrypt(seed), algorithm))

    def __repr__(self) -> str:
        return f"<ValueKey {self._key.algorithm.label}>"


class MemoryVault(BaseVault):
    """A vault in memory, of the given roots; `test` when all of them are test keys."""

    def __init__(self, party: Party, roots: Iterable[Root] = (), *, test: bool = False) -> None:
        super().__init__(party, test=test)
        self._infos: dict[tuple[str, int], KeyInfo] = {}
        self._values: dict[tuple[str, int], KeyValue] = {}
        for root in roots:
            self.install(root)

    def close(self) -> None:
        """Forget the keys; from now on the vault answers VaultLocked."""
        super().close()
        self._infos = {}
        self._values = {}

    @property
    def _index(self) -> Mapping[tuple[str, int], KeyInfo]:
        return self._infos

    @contextmanager
    def _opened(self, info: KeyInfo, factors: tuple[bytes, ...]) -> Iterator[ValueKey]:
        root = self._values[info.name, info.version]
        yield ValueKey(KeyValue(chain(root.algorithm, root.value, factors), root.algorithm))

    def _card_value(self, key: KeyRef) -> bytes:
        """See `BaseVault._card_value`; here also a key that every card has as it is."""
        info = self.info(key.name, key.version)
        root = self._values[info.name, info.version]
        return chain(root.algorithm, root.value, key.factors)

    def _install(self, info: KeyInfo, value: bytes) -> None:
        place = info.name, info.version
        self._values[place] = KeyValue(value, info.algorithm)
        self._infos[place] = info
