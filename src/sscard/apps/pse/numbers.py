"""Amounts in format n12, as counters hold them and terminals send them (pse-pboc 2.7, 5.1)."""

from sscard.iso.text import n

__all__ = ["AMOUNT_MAX", "from_n12", "to_n12"]

AMOUNT_MAX = 999_999_999_999
"""The greatest n12; sums stop there."""


def from_n12(value: bytes) -> int:
    """Read BCD digits as a number.

    Interpretation: the card checks only how long a terminal's data are (2.7), so a nibble that
    is no decimal digit counts with its value in its place, and nothing is refused.
    """
    digits = value.hex()
    if digits.isdecimal():
        return int(digits)
    return sum(int(digit, 16) * 10**place for place, digit in enumerate(reversed(digits)))


def to_n12(amount: int) -> bytes:
    """Write a number as six bytes BCD, at most `AMOUNT_MAX`."""
    return n(min(amount, AMOUNT_MAX), 6)
