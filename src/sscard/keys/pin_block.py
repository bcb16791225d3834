"""PIN blocks that travel to a host: ISO 9564 format 0, in clear (ISO 9564-1).

The block a card compares is that of `keys.pboc`. Pure.
"""

__all__ = ["online_pin_block"]

_DIGITS = range(4, 13)
_PAN_DIGITS = 12


def online_pin_block(digits: str, pan: str) -> bytes:
    """Return the block of a PIN and a PAN, 8 bytes: (0N PIN F..) ^ (0000 and twelve digits).

    The twelve are the PAN's rightmost without its check digit. ValueError for a PIN that is not
    4 to 12 decimal digits.
    """
    if len(digits) not in _DIGITS or not (digits.isascii() and digits.isdigit()):
        raise ValueError("a PIN is 4 to 12 decimal digits")
    field = int(f"0{len(digits):x}{digits}".ljust(16, "f"), 16)
    account = int(pan[-1 - _PAN_DIGITS : -1], 16)
    return (field ^ account).to_bytes(8, "big")
