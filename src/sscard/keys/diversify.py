"""Key diversification and key check values (cos 4.6; ssse-lb002 4.5, 5.2). Pure."""

from collections.abc import Iterable

from sscard.keys.block import Algorithm, engine

__all__ = ["chain", "city_factor", "diversify", "kcv", "province_factor"]

_ALL_ONES = (1 << 64) - 1


def diversify(algorithm: int, key: bytes, factor: bytes) -> bytes:
    """Return the 16-byte child of `key` (16 bytes) for an 8-byte `factor`.

    3DES: E(K,F) || E(K,~F). SM4: E(K, F || ~F), one block. Both are ECB over F || ~F.
    Errors: ValueError for another factor length or a single-DES key. Source: cos 4.6.
    """
    cipher = engine(algorithm, key)
    if cipher.algorithm is Algorithm.DES:
        raise ValueError("a single-DES key cannot be diversified to 16 bytes")
    if len(factor) != 8:
        raise ValueError(f"a diversification factor has 8 bytes, not {len(factor)}")
    complement = (int.from_bytes(factor, "big") ^ _ALL_ONES).to_bytes(8, "big")
    return cipher.encrypt(factor + complement)


def chain(algorithm: int, key: bytes, factors: Iterable[bytes]) -> bytes:
    """Diversify once per factor, outermost (province) first. Source: cos 4.6."""
    for factor in factors:
        key = diversify(algorithm, key, factor)
    return key


def province_factor(region: str) -> bytes:
    """Return two digits of the region and `0000sh`, in ASCII: "320100" gives "320000sh".

    `region` is the 6 digits of a region code. Source: ssse-lb002 5.2.
    """
    return _region(region)[:2] + b"0000sh"


def city_factor(region: str) -> bytes:
    """Return the six digits of the region and `sx`, in ASCII: "320100" gives "320100sx".

    Source: ssse-lb002 5.2.
    """
    return _region(region) + b"sx"


def _region(region: str) -> bytes:
    if len(region) != 6 or not (region.isascii() and region.isdigit()):
        raise ValueError(f"a region code is 6 decimal digits, not {region!r}")
    return region.encode("ascii")


def kcv(algorithm: int, key: bytes) -> bytes:
    """Key check value: the 3 leftmost bytes of E(K, 00..00). Source: cos 4.6."""
    cipher = engine(algorithm, key)
    return cipher.encrypt(bytes(cipher.block))[:3]
