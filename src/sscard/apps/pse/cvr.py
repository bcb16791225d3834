"""The card verification results, and what a cryptogram stands for (pse-pboc 2.6, 4.5)."""

from enum import IntEnum, IntFlag
from typing import Self

__all__ = ["Ac", "Cvr"]


class Ac(IntEnum):
    """What a cryptogram says: declined, approved, or ask the issuer; bits 8-7 of P1 and CID."""

    AAC = 0
    TC = 1
    ARQC = 2


class Cvr(IntFlag):
    """CVR bytes 2 to 4 as one number; `bytes()` puts the length byte 03 before them.

    Three fields are numbers, not bits: the answer of the second GENERATE AC (byte 2 b8-b7; 10
    while it has not been asked), of the first (b6-b5), and the script counter (byte 4 b8-b5).
    """

    ISSUER_AUTHENTICATION_FAILED = 0x080000
    PIN_PERFORMED = 0x040000
    PIN_FAILED = 0x020000
    UNABLE_TO_GO_ONLINE = 0x010000
    ONLINE_NOT_COMPLETED = 0x008000
    PIN_TRIES_EXCEEDED = 0x004000
    VELOCITY_EXCEEDED = 0x002000
    NEW_CARD = 0x001000
    LAST_ISSUER_AUTHENTICATION_FAILED = 0x000800
    ISSUER_AUTHENTICATION_MISSING = 0x000400
    BLOCKED_BY_PIN = 0x000200
    LAST_SDA_FAILED = 0x000100
    LAST_SCRIPT_FAILED = 0x000008
    LAST_DDA_FAILED = 0x000004
    DDA_PERFORMED = 0x000002

    def __bytes__(self) -> bytes:
        return (0x03000000 | int(self)).to_bytes(4, "big")

    def first(self, answer: Ac) -> Self:
        """Return these results with the answer of the first GENERATE AC; a second is open."""
        return type(self)(int(self) & ~0xF00000 | 0x800000 | answer << 20)

    def second(self, answer: Ac) -> Self:
        """Return these results with the answer of the second GENERATE AC."""
        return type(self)(int(self) & ~0xC00000 | answer << 22)

    def scripts(self, count: int) -> Self:
        """Return these results with the script command counter (0..15)."""
        return type(self)(int(self) & ~0xF0 | count << 4)
