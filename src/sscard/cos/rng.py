"""One deterministic random generator per domain (cos 1.5).

Seeded at power-on from seed, chip serial, domain and power-on count, so that the streams of
two domains never depend on each other (NI-5) and no activation repeats another's.
"""

import hashlib
from collections.abc import Sequence

from sscard.cos.trace import DetailListener, Drew
from sscard.env import Env
from sscard.errors import SscardError

__all__ = ["Drbg"]

_RESERVOIR = 512
"""Bytes drawn from the hash at a time; one SHAKE call serves many challenges."""


class Drbg:
    """A SHAKE-256 stream, keyed at construction and lazily expanded.

    `listeners` hear of every value (`Drew`).
    """

    __slots__ = ("_block", "_domain", "_env", "_listeners", "_material", "_offset", "_pool")

    def __init__(
        self,
        env: Env,
        chip_serial: bytes,
        domain: int,
        listeners: Sequence[DetailListener] = (),
    ) -> None:
        self._domain = domain
        self._listeners = listeners
        self._env = env
        self._material = (
            len(env.seed).to_bytes(4, "big")
            + env.seed
            + chip_serial
            + bytes((domain,))
            + env.power_ons.to_bytes(8, "big")
        )
        self._block = 0
        self._pool = b""
        self._offset = 0

    def take(self, length: int) -> bytes:
        """Return the next `length` random bytes; forced values of the environment go first."""
        value = self._take_forced(length) if self._env.forced else self._take(length)
        for listener in self._listeners:
            listener(Drew(self._domain, value))
        return value

    def _take(self, length: int) -> bytes:
        end = self._offset + length
        if end > len(self._pool):
            self._refill()
            end = length
        value = self._pool[self._offset : end]
        self._offset = end
        return value

    def _refill(self) -> None:
        seed = self._material + self._block.to_bytes(8, "big")
        self._pool = hashlib.shake_256(seed).digest(_RESERVOIR)
        self._block += 1
        self._offset = 0

    def _take_forced(self, length: int) -> bytes:
        value = self._env.forced[0]
        if len(value) != length:
            raise SscardError(
                f"the next forced random value has {len(value)} bytes, the card asks for"
                f" {length}: force a value of that length"
            )
        return self._env.forced.pop(0)
