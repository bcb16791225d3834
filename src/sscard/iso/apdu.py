"""Command APDUs: parsed once at the edge into a value that cannot be wrong.

Short APDUs only (ssse-lb002 3.1): Lc 1..255, Le 1..256. Anything else is malformed and
refused with 6700 by the kernel. Stdlib only; imported by both sides of the wire.
"""

from typing import NamedTuple

__all__ = ["Command", "MalformedApdu"]


class MalformedApdu(ValueError):
    """The bytes are not a short command APDU; a card answers 6700."""


class Command(NamedTuple):
    """A short command APDU, cases 1 to 4 of ISO 7816-3.

    `data` is empty in cases 1 and 2; `le` is the number of bytes expected, 1..256
    (the byte 00 means 256), or None in cases 1 and 3.
    """

    cla: int
    ins: int
    p1: int
    p2: int
    data: bytes = b""
    le: int | None = None

    @classmethod
    def parse(cls, raw: bytes) -> "Command":
        """Parse a command APDU. Raises `MalformedApdu` unless it is a well-formed short one."""
        size = len(raw)
        if size == 5:
            return cls(raw[0], raw[1], raw[2], raw[3], b"", raw[4] or 256)
        if size > 5:
            lc = raw[4]
            if lc:
                rest = size - 5 - lc
                if rest == 0:
                    return cls(raw[0], raw[1], raw[2], raw[3], raw[5:], None)
                if rest == 1:
                    return cls(raw[0], raw[1], raw[2], raw[3], raw[5:-1], raw[-1] or 256)
        elif size == 4:
            return cls(raw[0], raw[1], raw[2], raw[3], b"", None)
        raise MalformedApdu(f"{size} bytes are not a short command APDU: {raw[:5].hex()}")

    def build(self) -> bytes:
        """Return the APDU's bytes; the mirror of `parse`."""
        head = bytes(self[:4])
        if self.data:
            if len(self.data) > 255:
                raise ValueError(f"a short APDU carries at most 255 bytes, not {len(self.data)}")
            head += bytes((len(self.data),)) + self.data
        if self.le is not None:
            head += bytes((self.le & 0xFF,))
        return head

    @property
    def header(self) -> bytes:
        """CLA INS P1 P2."""
        return bytes(self[:4])

    @property
    def p1p2(self) -> int:
        """P1 and P2 as one 16-bit number."""
        return self.p1 << 8 | self.p2
