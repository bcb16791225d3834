"""What a security module computes with: keys led down to one card, and temporary keys (cos 7.3).

A temporary key enciphers and makes MACs over data that may come in several calls; it never
pads. Pure; the PSAM and any other holder of keys above the card's use the same functions.
"""

from collections.abc import Sequence
from typing import NamedTuple

from sscard.keys.block import Algorithm, engine
from sscard.keys.diversify import chain

__all__ = ["FACTOR", "TemporaryKey", "lead_down", "session_temporary"]

FACTOR = 8
"""Bytes of a diversification factor."""


class TemporaryKey(NamedTuple):
    """A key that lives for one computation.

    Shapes: `value` 16 bytes (3DES, SM4) or 8 (DES). The repr does not show it.
    """

    algorithm: Algorithm
    value: bytes

    @property
    def block(self) -> int:
        """Bytes of a cipher block: 8 or 16."""
        return self.algorithm.block

    def encipher(self, data: bytes) -> bytes:
        """Encipher whole blocks, each on its own. Source: cos 7.3, P1 = 00 and 02."""
        return engine(self.algorithm, self.value).encrypt(data)

    def mac_step(self, state: bytes, data: bytes) -> bytes:
        """Take whole blocks that are not the last into a MAC; `state` begins as the IV.

        3DES chains under its left half until the last block (ISO 9797-1 algorithm 3).
        """
        if self.algorithm is Algorithm.TDES:
            return engine(Algorithm.DES, self.value[:8]).chain(state, data)
        return engine(self.algorithm, self.value).chain(state, data)

    def mac_end(self, state: bytes, data: bytes) -> bytes:
        """Take the last whole blocks, at least one, and return the MAC, a whole block."""
        head, last = data[: -self.block], data[-self.block :]
        return engine(self.algorithm, self.value).chain(self.mac_step(state, head), last)

    def __repr__(self) -> str:
        return f"<TemporaryKey {self.algorithm.label}>"


def lead_down(algorithm: int, key: bytes, factors: Sequence[bytes]) -> TemporaryKey:
    """Diversify over factors given innermost first: card, city, province (cos 7.3).

    Errors: ValueError for a single-DES key with factors, which has no children.
    """
    return TemporaryKey(Algorithm(algorithm), chain(algorithm, key, reversed(factors)))


def session_temporary(card_key: TemporaryKey, factor: bytes) -> TemporaryKey:
    """Return E(Kcard, factor): a single-DES key, or an SM4 key under SM4 (cos 7.3 INIT SESSION).

    `factor` is one cipher block: R of 8 bytes, for SM4 R || 00 x 8.
    """
    algorithm = Algorithm.SM4 if card_key.algorithm is Algorithm.SM4 else Algorithm.DES
    return TemporaryKey(algorithm, card_key.encipher(factor))
