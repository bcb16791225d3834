"""Message authentication codes: DES CBC-MAC, retail MAC, SM4 CBC-MAC (cos 6.1, ssse-lb002 4.6).

All pad with method 2 (80 00.., always) and return the full last block; who needs four bytes
takes the leftmost four or folds. Imported by the other modules of `keys`.
"""

from sscard.keys.block import Algorithm, engine
from sscard.keys.padding import pad80

__all__ = ["ZERO8", "ZERO16", "blocks_mac", "des_mac", "fold4", "fold16", "retail_mac", "sm4_mac"]

ZERO8 = bytes(8)
ZERO16 = bytes(16)


def des_mac(key: bytes, data: bytes, iv: bytes = ZERO8) -> bytes:
    """Single-DES CBC-MAC: 8-byte key, 8-byte IV, 8 bytes out. Source: cos 6.1 (8-byte key)."""
    return engine(Algorithm.DES, key).chain(iv, pad80(data, 8))


def retail_mac(key: bytes, data: bytes, iv: bytes = ZERO8) -> bytes:
    """ISO 9797-1 algorithm 3 under a 16-byte key; plain DES CBC-MAC under an 8-byte one.

    All blocks but the last in single-DES CBC under the left half, the last in 3DES: the same
    as CBC over all, then D(right), E(left). Returns 8 bytes. Source: cos 6.1; pse-pboc 4.3.
    """
    return blocks_mac(key, pad80(data, 8), iv)


def blocks_mac(key: bytes, blocks: bytes, iv: bytes = ZERO8) -> bytes:
    """`retail_mac` over whole blocks, without padding (pse-pboc 4.6, 14 #12)."""
    if len(key) == 8:
        return engine(Algorithm.DES, key).chain(iv, blocks)
    last = engine(Algorithm.TDES, key)
    state = engine(Algorithm.DES, key[:8]).chain(iv, blocks[:-8])
    return last.chain(state, blocks[-8:])


def sm4_mac(key: bytes, data: bytes, iv: bytes = ZERO16) -> bytes:
    """SM4 CBC-MAC: 16-byte key, 16-byte IV, 16 bytes out. Source: cos 6.1; ssse-lb002 4.6."""
    return engine(Algorithm.SM4, key).chain(iv, pad80(data, 16))


def fold16(block: bytes) -> bytes:
    """Left half XOR right half: 16 bytes to 8 (SM4 cryptograms, ssse-lb002 4.5)."""
    left = int.from_bytes(block[:8], "big")
    return (left ^ int.from_bytes(block[8:16], "big")).to_bytes(8, "big")


def fold4(block: bytes) -> bytes:
    """XOR of the four 4-byte words: 16 bytes to 4 (SM4 MACs, ssse-lb002 4.6)."""
    half = int.from_bytes(fold16(block), "big")
    return (half >> 32 ^ half & 0xFFFFFFFF).to_bytes(4, "big")
