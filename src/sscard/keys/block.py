"""Block ciphers as engines: the one place that makes cipher objects.

Algorithm codes are those of the key header (cos 4.4). An engine works in ECB on whole blocks
and keeps no state between calls, so one may be shared by everything that uses the same key.
Imported by the other modules of `keys`; chaining, padding and MACs are built on top of it.
"""

from collections.abc import Callable
from enum import IntEnum
from functools import lru_cache

from cryptography.hazmat.decrepit.ciphers.algorithms import TripleDES
from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import SM4
from cryptography.hazmat.primitives.ciphers.modes import CBC, ECB

from sscard.errors import SscardError

__all__ = ["Algorithm", "Engine", "UnsupportedAlgorithm", "engine"]

# From 2048 bytes on, a context lets other threads run during its work, and refuses to be used
# by them meanwhile. Cards in several threads share engines, so long data get their own context.
SHARED_MAX = 1024


class UnsupportedAlgorithm(SscardError):
    """The algorithm has a code but no implementation here (SSF33, or an unknown code)."""


class Algorithm(IntEnum):
    """Algorithm byte of a key header (cos 4.4; 02 as in ssse-lb002 4.2)."""

    TDES = 0
    DES = 1
    SSF33 = 2
    SM4 = 4

    @property
    def block(self) -> int:
        """Block length in bytes: 8, or 16 for SM4 and SSF33."""
        return 8 if self < Algorithm.SSF33 else 16

    @property
    def key_length(self) -> int:
        """Key length in bytes: 8 for single DES, else 16."""
        return 8 if self is Algorithm.DES else 16

    @property
    def label(self) -> str:
        """The name people write: 3DES, DES, SSF33, SM4."""
        return "3DES" if self is Algorithm.TDES else self.name


class Engine:
    """One cipher under one key.

    `encrypt` and `decrypt` are ECB over whole blocks (bytes in, as many bytes out; a part of
    a block is a ValueError, because the shared context would keep it for the next caller).
    The repr names the algorithm and nothing of the key.
    """

    __slots__ = ("_cipher", "_decrypt", "_encrypt", "algorithm", "block")

    def __init__(self, algorithm: Algorithm, key: bytes) -> None:
        if algorithm is Algorithm.SSF33:
            raise UnsupportedAlgorithm(
                "SSF33 is not public and has no implementation: use 3DES or SM4"
            )
        if len(key) != algorithm.key_length:
            raise ValueError(
                f"a {algorithm.label} key has {algorithm.key_length} bytes, not {len(key)}"
            )
        self.algorithm = algorithm
        self.block = algorithm.block
        # Single DES is 3DES with three equal keys; 24 bytes are the one length accepted silently.
        self._cipher: SM4 | TripleDES = (
            SM4(key) if algorithm is Algorithm.SM4 else TripleDES((key * 3)[:24])
        )
        self._encrypt = Cipher(self._cipher, ECB()).encryptor().update
        self._decrypt: Callable[[bytes], bytes] | None = None  # few keys ever decipher

    def encrypt(self, data: bytes) -> bytes:
        """Encipher whole blocks, each on its own."""
        if len(data) % self.block:
            raise ValueError(f"{len(data)} bytes are not whole blocks of {self.block}")
        if len(data) > SHARED_MAX:
            return Cipher(self._cipher, ECB()).encryptor().update(data)
        return self._encrypt(data)

    def decrypt(self, data: bytes) -> bytes:
        """Decipher whole blocks, each on its own."""
        if len(data) % self.block:
            raise ValueError(f"{len(data)} bytes are not whole blocks of {self.block}")
        if len(data) > SHARED_MAX:
            return Cipher(self._cipher, ECB()).decryptor().update(data)
        if self._decrypt is None:
            self._decrypt = Cipher(self._cipher, ECB()).decryptor().update
        return self._decrypt(data)

    def cbc(self, iv: bytes, data: bytes) -> bytes:
        """Encipher whole blocks in CBC and return the ciphertext; `iv` is one block."""
        if len(data) % self.block:
            raise ValueError(f"{len(data)} bytes are not whole blocks of {self.block}")
        return Cipher(self._cipher, CBC(iv)).encryptor().update(data)

    def chain(self, iv: bytes, data: bytes) -> bytes:
        """Return the last block of `cbc(iv, data)`; `iv` itself when there is no data.

        A block through the cached context costs a sixth of what a new CBC context does,
        which then takes data of any length: past six blocks the latter is cheaper.
        """
        block = self.block
        size = len(data)
        if size > 6 * block:
            return self.cbc(iv, data)[-block:]
        if size % block or len(iv) != block:
            raise ValueError(f"IV of {len(iv)} and data of {size} bytes: blocks are {block} bytes")
        encrypt = self._encrypt
        state = iv
        from_bytes = int.from_bytes
        for at in range(0, size, block):
            mixed = from_bytes(state, "big") ^ from_bytes(data[at : at + block], "big")
            state = encrypt(mixed.to_bytes(block, "big"))
        return state

    def __repr__(self) -> str:
        return f"<Engine {self.algorithm.label}>"


@lru_cache(maxsize=512)
def engine(algorithm: int, key: bytes) -> Engine:
    """Return the engine of `key`, made once per key value while it stays in the cache.

    Shapes: `key` 16 bytes (3DES, SM4) or 8 (DES). Errors: UnsupportedAlgorithm for SSF33 and
    unknown codes, ValueError for a wrong key length. Source: cos 4.4.
    """
    try:
        known = Algorithm(algorithm)
    except ValueError:
        raise UnsupportedAlgorithm(f"there is no algorithm with code {algorithm:02X}") from None
    return Engine(known, key)
