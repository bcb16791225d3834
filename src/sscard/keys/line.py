"""Line protection of personalisation and the card manager (cos 6.1; "flavour B" of the SSSE).

The key is used directly, the IV is the last challenge. Pure; imported by the card's secure
messaging layer and by the world side that makes the commands.
"""

from sscard.keys.block import Algorithm, engine
from sscard.keys.mac import fold4, retail_mac, sm4_mac
from sscard.keys.padding import pad80_if_needed, zero_pad

__all__ = ["line_mac", "line_mac_folded", "unwrap", "wrap"]


def line_mac(algorithm: int, key: bytes, iv: bytes, message: bytes) -> bytes:
    """Return the 4-byte MAC over `message` (CLA INS P1 P2 Lc and data, or response data).

    Shapes: `iv` is what GET CHALLENGE returned, right-padded here with 00 to the block;
    longer is a ValueError (the card answers 6984). 3DES: retail MAC; DES: CBC-MAC; SM4:
    CBC-MAC, left 4 bytes. Source: cos 6.1.
    """
    return _line_block(algorithm, key, iv, message)[:4]


def line_mac_folded(algorithm: int, key: bytes, iv: bytes, message: bytes) -> bytes:
    """As `line_mac`, but SM4 folds its block to the XOR of the four words.

    Source: ssse-lb002 4.6 rows B and SM4-B (vendor dialect of personalisation, 10.7).
    """
    block = _line_block(algorithm, key, iv, message)
    return fold4(block) if len(block) == 16 else block[:4]


def _line_block(algorithm: int, key: bytes, iv: bytes, message: bytes) -> bytes:
    cipher = engine(algorithm, key)
    padded_iv = zero_pad(iv, cipher.block)
    if cipher.algorithm is Algorithm.SM4:
        return sm4_mac(key, message, padded_iv)
    return retail_mac(key, message, padded_iv)


def wrap(algorithm: int, key: bytes, data: bytes) -> bytes:
    """Encipher `LD || data`, padded 80 00.. only if needed, in ECB (`data` at most 255 bytes).

    Source: cos 6.1; the same form ssse-lb002 4.7, pse-pboc 4.8.
    """
    if len(data) > 255:
        raise ValueError(f"LD is one byte: {len(data)} bytes of data are too many")
    cipher = engine(algorithm, key)
    return cipher.encrypt(pad80_if_needed(bytes((len(data),)) + data, cipher.block))


def unwrap(algorithm: int, key: bytes, data: bytes) -> bytes:
    """Decipher what `wrap` made. ValueError unless LD and every byte of padding are right."""
    cipher = engine(algorithm, key)
    plain = cipher.decrypt(data)
    end = plain[0] + 1 if plain else 0
    head = plain[:end]
    if not plain or pad80_if_needed(head, cipher.block) != plain or len(head) != end:
        raise ValueError("the deciphered block has a wrong length byte or padding")
    return head[1:]
