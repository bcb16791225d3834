"""RSA keys of the sizes offline data authentication uses (pse-pboc 4.9; README 13).

`generate` asks `cryptography`. `from_seed` gives the same key for the same seed, for test cards
that must come out the same everywhere: whoever knows the seed knows the key.
"""

from collections.abc import Iterator
from hashlib import shake_256
from math import gcd, prod

from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key

from sscard.keys.rsa import RsaKey

__all__ = ["BITS_LEAST", "BITS_MOST", "LIBRARY_LEAST", "from_seed", "generate"]

BITS_LEAST, BITS_MOST = 512, 1984
"""Of an ICC key; CA and issuer keys have at least 1024 (README 13). Whole bytes: a block that
begins with 6A has to be below the modulus."""
_EXPONENTS = (3, 65537)
LIBRARY_LEAST = 1024
"""What `generate` makes at least."""
_ROUNDS = 40
"""Miller-Rabin: a composite passes with a chance below 4^-40."""
_SMALL = prod(n for n in range(3, 1000, 2) if all(n % d for d in range(3, 32, 2) if d < n))


def generate(bits: int, exponent: int = 3) -> RsaKey:
    """Return a fresh key of 1024 to 1984 bits; exponent 3 or 65537. Errors: ValueError."""
    _check(bits, exponent)
    if bits < LIBRARY_LEAST:
        raise ValueError(f"keys below {LIBRARY_LEAST} bits come from a seed only")
    numbers = generate_private_key(exponent, bits).private_numbers()
    return RsaKey.from_primes(numbers.p, numbers.q, exponent)


def from_seed(bits: int, exponent: int, seed: bytes) -> RsaKey:
    """Return the key of a seed: 512 to 1984 bits; exponent 3 or 65537.

    The primes are random odd numbers of half the bits with both top bits set, drawn from
    SHAKE-256 of the seed and proved by Miller-Rabin. Errors: ValueError.
    """
    _check(bits, exponent)
    numbers = _numbers(f"{bits} {exponent} ".encode() + seed, bits // 2)
    first = _prime(numbers, bits // 2, exponent)
    second = first
    while abs(first - second) >> (bits // 2 - 100) == 0:
        second = _prime(numbers, bits // 2, exponent)
    return RsaKey.from_primes(first, second, exponent)


def _check(bits: int, exponent: int) -> None:
    if not BITS_LEAST <= bits <= BITS_MOST or bits % 8:
        raise ValueError(f"an RSA key here has {BITS_LEAST} to {BITS_MOST} bits, whole bytes")
    if exponent not in _EXPONENTS:
        raise ValueError("the exponent is 3 or 65537")


def _numbers(seed: bytes, bits: int) -> Iterator[int]:
    """Yield numbers below 2^bits, each from a hash of its own."""
    length = (bits + 7) // 8
    counter = 0
    while True:
        counter += 1
        drawn = shake_256(seed + counter.to_bytes(8, "big")).digest(length)
        yield int.from_bytes(drawn, "big") & (1 << bits) - 1


def _prime(numbers: Iterator[int], bits: int, exponent: int) -> int:
    for number in numbers:
        candidate = number | 3 << bits - 2 | 1
        if (
            gcd(candidate, _SMALL) == 1
            and gcd(candidate - 1, exponent) == 1
            and _probably_prime(candidate, numbers)
        ):
            return candidate
    raise AssertionError("the numbers do not end")


def _probably_prime(n: int, numbers: Iterator[int]) -> bool:
    twos = (n - 1 & 1 - n).bit_length() - 1
    odd = n - 1 >> twos
    for _ in range(_ROUNDS):
        x = pow(2 + next(numbers) % (n - 3), odd, n)
        if x in (1, n - 1):
            continue
        for _ in range(twos - 1):
            x = x * x % n
            if x == n - 1:
                break
        else:
            return False
    return True
