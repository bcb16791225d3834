"""PIN blocks that travel to a host: ISO 9564 format 0 under a PIN key (ISO 9564-1).

The block a card compares is that of `keys.pboc`. Pure; terminal and host use the same
functions.
"""

from sscard.keys.block import Algorithm, engine

__all__ = ["format_0", "format_0_digits", "open_pin_block", "seal_pin_block"]

_DIGITS = range(4, 13)
_PAN_DIGITS = 12


def format_0(digits: str, pan: str) -> bytes:
    """Return the block of a PIN and a PAN, 8 bytes: (0N PIN F..) ^ (0000 and twelve digits).

    The twelve are the PAN's rightmost without its check digit. ValueError for a PIN that is not
    4 to 12 decimal digits.
    """
    if len(digits) not in _DIGITS or not (digits.isascii() and digits.isdigit()):
        raise ValueError("a PIN is 4 to 12 decimal digits")
    return _xor(bytes.fromhex(f"0{len(digits):x}{digits}".ljust(16, "f")), _account(pan))


def format_0_digits(block: bytes, pan: str) -> str:
    """Read the PIN of a block; ValueError unless `format_0` makes just that."""
    field = _xor(block, _account(pan)).hex() if len(block) == 8 else ""
    digits = field[2 : 2 + int(field[1:2] or "0", 16)]
    if not field or format_0(digits, pan) != block:
        raise ValueError("this is not a PIN block of this card")
    return digits


def seal_pin_block(key: bytes, digits: str, pan: str) -> bytes:
    """Return the block enciphered under a PIN key (3DES, 16 bytes); 8 bytes."""
    return engine(Algorithm.TDES, key).encrypt(format_0(digits, pan))


def open_pin_block(key: bytes, sealed: bytes, pan: str) -> str:
    """Undo `seal_pin_block`. ValueError when no PIN of this card comes out."""
    if len(sealed) != 8:
        raise ValueError("an enciphered PIN block has 8 bytes")
    return format_0_digits(engine(Algorithm.TDES, key).decrypt(sealed), pan)


def _account(pan: str) -> bytes:
    if not (pan.isascii() and pan.isdigit()):
        raise ValueError("a PAN is decimal digits")
    return bytes(2) + bytes.fromhex(pan[-1 - _PAN_DIGITS : -1].rjust(_PAN_DIGITS, "0"))


def _xor(left: bytes, right: bytes) -> bytes:
    return (int.from_bytes(left, "big") ^ int.from_bytes(right, "big")).to_bytes(8, "big")
