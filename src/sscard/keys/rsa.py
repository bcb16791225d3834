"""RSA as offline data authentication uses it: raw operations on full-length blocks (pse-pboc 4.9).

Private operations go through the CRT with `pow`, or with gmpy2 where that is installed.
Pure; the card signs and deciphers, the terminal recovers, the issuer certifies.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from hashlib import sha1
from importlib import import_module
from importlib.util import find_spec
from typing import NamedTuple

from cryptography.hazmat.primitives.asymmetric.rsa import rsa_recover_prime_factors

from sscard.keys.compare import equal

__all__ = [
    "PublicKey",
    "RsaKey",
    "cda_answer_length",
    "digest",
    "message_block",
    "open_message_block",
    "recover",
]

_powmod: Callable[[int, int, int], int] = (
    import_module("gmpy2").powmod if find_spec("gmpy2") else pow
)


class PublicKey(NamedTuple):
    """Modulus and exponent, as numbers and as certificates have them."""

    n: int
    e: int

    @property
    def size(self) -> int:
        """Length of the modulus in bytes."""
        return (self.n.bit_length() + 7) // 8

    @property
    def modulus(self) -> bytes:
        """The modulus, `size` bytes."""
        return self.n.to_bytes(self.size, "big")

    @property
    def exponent(self) -> bytes:
        """The exponent without leading zeros: 03, or 01 00 01."""
        return self.e.to_bytes((self.e.bit_length() + 7) // 8, "big")

    def recover(self, data: bytes) -> bytes:
        """Return data^e mod n, as `recover` does."""
        return recover(self.n, self.e, data)


@dataclass(frozen=True, slots=True)
class RsaKey:
    """A private key in CRT form: primes p > q, d mod (p-1), d mod (q-1), q^-1 mod p.

    The repr gives the size and no value. Source: pse-pboc 4.9 (DGIs 8201..8205).
    """

    p: int = field(repr=False)
    q: int = field(repr=False)
    dp: int = field(repr=False)
    dq: int = field(repr=False)
    qinv: int = field(repr=False)

    def __post_init__(self) -> None:
        if not (self.p > self.q > 1 and self.q * self.qinv % self.p == 1):
            raise ValueError("the parts do not belong to one CRT key with p > q")

    @classmethod
    def from_crt(cls, qinv: bytes, dq: bytes, dp: bytes, q: bytes, p: bytes) -> "RsaKey":
        """Build from the values of DGIs 8201, 8202, 8203, 8204, 8205, in this order."""
        parts = (int.from_bytes(part, "big") for part in (p, q, dp, dq, qinv))
        return cls(*parts)

    @classmethod
    def from_primes(cls, p: int, q: int, exponent: int) -> "RsaKey":
        """Build from two primes in either order and the public exponent."""
        p, q = max(p, q), min(p, q)
        dp, dq = pow(exponent, -1, p - 1), pow(exponent, -1, q - 1)
        return cls(p, q, dp, dq, pow(q, -1, p))

    @classmethod
    def from_exponents(cls, n: int, e: int, d: int) -> "RsaKey":
        """Build from modulus and both exponents (DGIs 8101, 8103); ValueError if they disagree."""
        p, q = rsa_recover_prime_factors(n, e, d)
        return cls.from_primes(p, q, e)

    @property
    def modulus(self) -> int:
        """The modulus n."""
        return self.p * self.q

    @property
    def size(self) -> int:
        """Length of the modulus in bytes."""
        return (self.modulus.bit_length() + 7) // 8

    @property
    def public(self) -> PublicKey:
        """The public half; the exponent follows from d mod (p-1), being smaller than p."""
        return PublicKey(self.modulus, pow(self.dp, -1, self.p - 1))

    @property
    def private_exponent(self) -> int:
        """The exponent d, between 1 and (p-1)(q-1) (DGI 8103)."""
        return pow(self.public.e, -1, (self.p - 1) * (self.q - 1))

    def sign(self, block: bytes) -> bytes:
        """Return block^d mod n; `block` and the result are `size` bytes.

        Errors: ValueError for another length or a block not below n. Source: pse-pboc 4.9.
        """
        number = _block_number(block, self.modulus, self.size)
        modulo_p = int(_powmod(number % self.p, self.dp, self.p))
        modulo_q = int(_powmod(number % self.q, self.dq, self.q))
        quotient = self.qinv * (modulo_p - modulo_q) % self.p
        return (modulo_q + quotient * self.q).to_bytes(self.size, "big")

    def decrypt(self, block: bytes) -> bytes:
        """Decipher an enciphered PIN: the same operation as `sign`. Source: pse-pboc 4.10."""
        return self.sign(block)

    def crt_parts(self) -> tuple[bytes, bytes, bytes, bytes, bytes]:
        """Return the values of DGIs 8201..8205, each as long as p; the mirror of `from_crt`."""
        width = (self.p.bit_length() + 7) // 8
        numbers = (self.qinv, self.dq, self.dp, self.q, self.p)
        first, second, third, fourth, fifth = (part.to_bytes(width, "big") for part in numbers)
        return first, second, third, fourth, fifth

    def __repr__(self) -> str:
        return f"<RsaKey {self.modulus.bit_length()} bits>"


def recover(n: int, e: int, data: bytes) -> bytes:
    """Return data^e mod n: recover a signed block, or encipher one, with the public key.

    `data` and the result are as long as the modulus; ValueError otherwise. pse-pboc 4.9.
    """
    size = (n.bit_length() + 7) // 8
    return int(_powmod(_block_number(data, n, size), e, n)).to_bytes(size, "big")


def message_block(fields: bytes, size: int, appended: bytes = b"") -> bytes:
    """Return 6A || fields || BB.. || SHA-1 || BC, `size` bytes: what every signature here signs.

    `fields` starts with the format byte (02 issuer, 03 static data, 04 ICC, 05 dynamic); the
    hash covers fields, the BB filler and `appended`, the part sent outside the signature
    (remainder, exponent, static data, DDOL data). ValueError if `fields` do not fit.
    Source: pse-pboc 4.9.
    """
    room = size - 22
    if len(fields) > room:
        raise ValueError(f"{len(fields)} bytes of fields do not fit a block of {size}")
    filled = fields.ljust(room, b"\xbb")
    return b"\x6a" + filled + digest(filled + appended) + b"\xbc"


def open_message_block(block: bytes, appended: bytes = b"") -> bytes:
    """Return the fields (with their BB filler) of a recovered block, after checking it.

    Errors: ValueError for a wrong header, trailer or hash. Source: pse-pboc 4.9.
    """
    fields = block[1:-21]
    if len(block) < 22 or block[0] != 0x6A or block[-1] != 0xBC:
        raise ValueError("a recovered block starts with 6A and ends with BC")
    if not equal(digest(fields + appended), block[-21:-1]):
        raise ValueError("the hash in the recovered block is not that of its data")
    return fields


def cda_answer_length(size: int, issuer_data: int) -> int:
    """Return the bytes of `77 {9F27 9F36 9F4B 9F10}` for a key of `size` bytes and 9F10 of so many.

    A short response has 256: a key of 1984 bits signs for DDA, but not for CDA. pse-pboc 4.9.
    """
    inside = 9 + 3 + (size > 0x7F) + size + 3 + issuer_data
    return inside + (2 if inside <= 0x7F else 3 if inside <= 0xFF else 4)


def digest(data: bytes) -> bytes:
    """Return the SHA-1 of all offline data authentication, 20 bytes. Source: pse-pboc 4.9."""
    return sha1(data, usedforsecurity=False).digest()


def _block_number(block: bytes, n: int, size: int) -> int:
    number = int.from_bytes(block, "big")
    if len(block) != size or number >= n:
        raise ValueError(f"an RSA block has {size} bytes and is below the modulus")
    return number
