"""A captured bank application without its holder: what of its data is copied, what is made up.

Source: pse-pboc 2.7; docs/physical-cards.md.
"""

from collections.abc import Iterable
from typing import Final

from sscard.iso.tlv import TlvError, encode, find, parse

__all__ = ["Mask", "fictional_pan"]

_PAN, _TRACK_2, _NAME, _EXTENDED, _ID_NUMBER = 0x5A, 0x57, 0x5F20, 0x9F0B, 0x9F61
_DISCRETIONARY = (0x9F1F, 0x9F20)
_RECORD, _APPLICATION, _ISSUER_DISCRETIONARY = 0x70, 0x61, 0xBF0C
_IMPERSONAL: Final = frozenset(
    (
        0x4F, 0x50, 0x87, 0x8C, 0x8D, 0x8E, 0x5F24, 0x5F25, 0x5F28, 0x5F30, 0x5F34, 0x9F07, 0x9F08,
        0x9F0D, 0x9F0E, 0x9F0F, 0x9F12, 0x9F14, 0x9F23, 0x9F42, 0x9F44, 0x9F49, 0x9F4A, 0x9F62,
        0x9F74,
    )
)  # fmt: skip
"""What a record may hold of the product, not of the holder; other values become zeros."""
_SELECTING: Final = _IMPERSONAL | {0x88, 0x5F2D, 0x9F11, 0x9F38, 0x9F4D}
"""The same for a template that a SELECT answers."""
_BIN = 6
_USUAL = 7
"""Digits of expiry and service code, behind the PAN of track 2."""


class Mask:
    """Replaces what is personal; `shown` replaces nothing. `pan` is the card's own, in digits."""

    def __init__(self, pan: str, *, shown: bool) -> None:
        self._pan = fictional_pan(pan)
        self._shown = shown

    def objects(self, objects: Iterable[tuple[int, bytes]]) -> bytes:
        """Return the objects of a record, in TLV."""
        return b"".join(encode(tag, self._fiction(tag, value)) for tag, value in objects)

    def entries(self, record: bytes) -> bytes:
        """Return a directory record; of its entries only what names an application stays."""
        if self._shown:
            return record
        try:
            entries = parse(find(record, _RECORD) or b"")
            made = b"".join(
                encode(
                    tag, self.objects(parse(value)) if tag == _APPLICATION else bytes(len(value))
                )
                for tag, value in entries
            )
        except TlvError:
            return encode(_RECORD, b"")
        return encode(_RECORD, made)

    def template(self, inside: bytes) -> bytes:
        """Return the inside of an FCI template; what is no TLV is left out."""
        if self._shown:
            return inside
        made = b""
        try:
            for tag, value in parse(inside):
                if tag in (_APPLICATION, _ISSUER_DISCRETIONARY):
                    made += encode(tag, self.template(value))
                else:
                    made += encode(tag, value if tag in _SELECTING else bytes(len(value)))
        except TlvError:
            return b""
        return made

    def _fiction(self, tag: int, value: bytes) -> bytes:
        """Another value of the same length for what is personal."""
        if self._shown:
            return value
        size = len(value)
        if tag == _PAN:
            return bytes.fromhex(self._pan.ljust(2 * size, "f"))
        if tag == _TRACK_2:
            own, mark, rest = value.hex().partition("d")
            body = rest.rstrip("f")
            usual = (body[:_USUAL] if body.isdecimal() else "").ljust(len(body), "0") + rest[
                len(body) :
            ]
            return bytes.fromhex(fictional_pan(own) + mark + usual)
        if tag in (_NAME, _EXTENDED):
            return b"TEST CARDHOLDER".ljust(size)[:size]
        if tag == _ID_NUMBER:
            return b"110101199001011237".ljust(size)[:size]
        if tag in _DISCRETIONARY:
            return bytes(size) if tag == _DISCRETIONARY[1] else b"0" * size
        return value if tag in _IMPERSONAL else bytes(size)


def fictional_pan(pan: str) -> str:
    """Return a PAN of the same bank and length that nobody has, its check digit right.

    Of what is no number nothing is left but the length.
    """
    if not pan.isdecimal():
        return "0" * len(pan)
    if len(pan) <= _BIN:
        return pan
    digits = pan[:_BIN] + "9" * 3 + "0" * (len(pan) - _BIN - 4)
    total = sum(
        sum(divmod(2 * int(digit), 10)) if at % 2 == 0 else int(digit)
        for at, digit in enumerate(reversed(digits))
    )
    return digits + str(-total % 10)
