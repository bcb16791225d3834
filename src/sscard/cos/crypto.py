"""The crypto primitives as a domain sees them: pure functions that cost virtual time (cos 1.1).

Shared by all domains, so stateless but for the clock (F12). The costs are the table of
cos 1.1; a domain cannot reach a key through this object that it does not hold itself.
"""

from sscard.cos.objects import KeyRecord
from sscard.cos.refusal import Refusal
from sscard.env import Env
from sscard.iso.sw import SW
from sscard.keys import Algorithm, engine, equal
from sscard.keys import line as line_protection
from sscard.keys import session as session_form

__all__ = ["Crypto"]

_BLOCK_COST_US = {Algorithm.TDES: 60, Algorithm.DES: 20, Algorithm.SM4: 60}
_DES_BLOCK_US = 20
_RSA_1024_US = 120_000
_SHA1_BLOCK_US = 300


class Crypto:
    """Cryptography with a price in virtual microseconds."""

    __slots__ = ("_env",)

    def __init__(self, env: Env) -> None:
        self._env = env

    def charge(self, algorithm: int, length: int) -> None:
        """Charge `length` bytes under a block cipher."""
        algorithm = Algorithm(algorithm)
        block = 16 if algorithm == Algorithm.SM4 else 8
        cost = _BLOCK_COST_US.get(algorithm, 0)
        self._env.clock_us += cost * (length // block + 1)

    def charge_rsa(self, bits: int) -> None:
        """Charge one RSA private operation: cubic in the key size, 120 ms at 1024 bits."""
        self._env.clock_us += _RSA_1024_US * bits**3 // 1024**3

    def charge_sha1(self, length: int) -> None:
        """Charge a SHA-1 over `length` bytes."""
        self._env.clock_us += _SHA1_BLOCK_US * ((length + 8) // 64 + 1)

    def charge_retail_mac(self, length: int) -> None:
        """Charge a retail MAC over `length` bytes: single DES a block and one 3DES."""
        self._env.clock_us += _DES_BLOCK_US * (length // 8 + 3)

    def block_size(self, key: KeyRecord) -> int:
        """The cipher block of a key, in bytes: 8 or 16; 6A81 for an algorithm nobody has."""
        _require_public(key)
        return engine(key.algorithm, key.value).block

    def line_mac(self, key: KeyRecord, iv: bytes, message: bytes) -> bytes:
        """Return the 4-byte line protection MAC of cos 6.1."""
        self.charge(key.algorithm, len(message))
        return line_protection.line_mac(key.algorithm, key.value, iv, message)

    def unwrap(self, key: KeyRecord, data: bytes) -> bytes:
        """Decrypt LD || data || padding (cos 6.1); ValueError when it is not well formed."""
        self.charge(key.algorithm, len(data))
        return line_protection.unwrap(key.algorithm, key.value, data)

    def wrap(self, key: KeyRecord, data: bytes) -> bytes:
        """Encrypt LD || data || padding (cos 6.1)."""
        self.charge(key.algorithm, len(data))
        return line_protection.wrap(key.algorithm, key.value, data)

    def direct_cryptogram(self, key: KeyRecord, challenge: bytes) -> bytes:
        """Return E(K, R), the direct form of EXTERNAL AUTHENTICATE (cos 4.7)."""
        self.charge(key.algorithm, len(challenge))
        return session_form.direct_cryptogram(key.algorithm, key.value, challenge)

    def session_cryptogram(self, key: KeyRecord, factor: bytes, data: bytes) -> bytes:
        """Return the 8-byte cryptogram of the session form (cos 4.7, ssse-lb002 4.5)."""
        _require_public(key)
        self.charge(key.algorithm, len(factor) + len(data))
        return session_form.cryptogram(key.algorithm, key.value, factor, data)

    def session_key(self, key: KeyRecord, factor: bytes) -> bytes:
        """Return the session key of an SSSE application key (ssse-lb002 4.5)."""
        self.charge(key.algorithm, len(factor))
        return session_form.session_key(key.algorithm, key.value, factor)

    @staticmethod
    def same(one: bytes, other: bytes) -> bool:
        """Compare two secrets in constant time."""
        return equal(one, other)


def _require_public(key: KeyRecord) -> None:
    if key.algorithm == Algorithm.SSF33:
        raise Refusal(SW.NOT_SUPPORTED, "SSF33 is not public: its keys are only kept", "cos 4.4")
