"""Answer to reset and protocol selection (cos 1.6; ssse-lb002 1.1; ISO 7816-3).

Builds the three profiles of the reference, reads any well-formed ATR, and answers a PPS
request. Pure values; imported by both sides of the wire.
"""

from enum import Enum
from functools import reduce
from operator import xor
from typing import NamedTuple

__all__ = ["Atr", "AtrError", "AtrProfile", "InterfaceBytes", "pps_answer"]

DEFAULT_FD = 0x11  # TA1 when absent: F = 372, D = 1


class AtrError(ValueError):
    """The bytes are not an answer to reset."""


class InterfaceBytes(NamedTuple):
    """TAi, TBi, TCi, TDi of one i; None where absent."""

    ta: int | None = None
    tb: int | None = None
    tc: int | None = None
    td: int | None = None


class AtrProfile(Enum):
    """The `atr_profile` switch: A is T=0 only, B adds T=1, C adds TA1 = 18. Source: cos 1.6."""

    A = (InterfaceBytes(tb=0x00, tc=0x00),)
    B = (
        InterfaceBytes(tb=0x00, tc=0x00, td=0x80),
        InterfaceBytes(td=0x31),
        InterfaceBytes(ta=0xFE, tb=0x45),
    )
    C = (
        InterfaceBytes(ta=0x18, tb=0x00, tc=0x00, td=0x80),
        InterfaceBytes(td=0x31),
        InterfaceBytes(ta=0xFE, tb=0x45),
    )


class Atr(NamedTuple):
    """An answer to reset: TS, the interface bytes by index (first is i = 1), historical bytes.

    `bytes(atr)` is the ATR as sent: T0 and TCK follow from the rest. TCK is present as soon
    as a protocol other than T=0 is indicated.
    """

    interface: tuple[InterfaceBytes, ...]
    historical: bytes
    ts: int = 0x3B

    @classmethod
    def build(cls, profile: AtrProfile, historical: bytes) -> "Atr":
        """Return the ATR of a profile around its historical bytes.

        `historical` is 8 to 15 bytes, 13 on a social security card; fewer than 8 would leave
        the card without a diversification factor (ValueError). Source: cos 1.6.
        """
        if not 8 <= len(historical) <= 15:
            raise ValueError(f"historical bytes number 8 to 15, not {len(historical)}")
        return cls(profile.value, bytes(historical))

    @classmethod
    def parse(cls, raw: bytes) -> "Atr":
        """Read any ATR. Errors: AtrError for a wrong TS, length or TCK."""
        if len(raw) < 2 or raw[0] not in (0x3B, 0x3F):
            raise AtrError(f"no ATR starts with {raw[:2].hex()}")
        levels: list[InterfaceBytes] = []
        at = 2
        present = raw[1] >> 4
        while True:
            values: list[int | None] = [None, None, None, None]
            for position in range(4):
                if present >> position & 1:
                    if at == len(raw):
                        raise AtrError("the ATR ends inside its interface bytes")
                    values[position] = raw[at]
                    at += 1
            if present or levels:
                levels.append(InterfaceBytes(*values))
            td = values[3]
            if td is None:
                break
            present = td >> 4
        end = at + (raw[1] & 0x0F)
        atr = cls(tuple(levels), raw[at:end], raw[0])
        if bytes(atr) != raw:
            raise AtrError("the ATR has a wrong length or a wrong TCK")
        return atr

    @property
    def protocols(self) -> tuple[int, ...]:
        """The protocols offered, first (the default one) first; T=15 is not a protocol."""
        offered = (level.td & 0x0F for level in self.interface if level.td is not None)
        return tuple(dict.fromkeys(t for t in offered if t != 15)) or (0,)

    @property
    def fd(self) -> int:
        """TA1, the fastest clock rate and baud rate factors offered; 11 when absent."""
        ta1 = self.interface[0].ta if self.interface else None
        return DEFAULT_FD if ta1 is None else ta1

    @property
    def csn8(self) -> bytes:
        """The card diversification factor: the last 8 historical bytes. Source: ssse-lb002 1.1."""
        return self.historical[-8:]

    @property
    def tck(self) -> int | None:
        """The check byte, or None where only T=0 is indicated."""
        body = self._body()
        return reduce(xor, body) if self._has_tck() else None

    def _has_tck(self) -> bool:
        return any(level.td is not None and level.td & 0x0F for level in self.interface)

    def _body(self) -> bytes:
        t0 = _presence(self.interface[0] if self.interface else InterfaceBytes())
        body = [t0 << 4 | len(self.historical)]
        for level in self.interface:
            body += [value for value in level if value is not None]
        return bytes(body) + self.historical

    def __bytes__(self) -> bytes:
        tck = self.tck
        return bytes((self.ts,)) + self._body() + (b"" if tck is None else bytes((tck,)))


def _presence(level: InterfaceBytes) -> int:
    return sum(1 << position for position, value in enumerate(level) if value is not None)


def pps_answer(request: bytes, profile: AtrProfile) -> bytes:
    """Return the card's answer to a PPS request, or nothing when the card stays mute.

    `request` is PPSS PPS0 [PPS1 [PPS2 [PPS3]]] PCK. PPS1 is echoed when it is 11 (F=372, D=1)
    or what TA1 offers; otherwise, and always for PPS2 and PPS3, the echo leaves the byte out.
    A wrong PCK, a wrong length or a protocol not offered gets no answer. Source: cos 1.6.
    Interpretation: the card never negotiates values between 11 and TA1.
    """
    if len(request) < 3 or request[0] != 0xFF or reduce(xor, request):
        return b""
    pps0 = request[1]
    if pps0 & 0x80 or len(request) != 3 + (pps0 >> 4 & 7).bit_count():
        return b""
    offer = Atr(profile.value, b"")
    protocol = pps0 & 0x0F
    if protocol not in offer.protocols:
        return b""
    answer = bytes((0xFF, protocol))
    if pps0 & 0x10 and request[2] in (DEFAULT_FD, offer.fd):
        answer = bytes((0xFF, protocol | 0x10, request[2]))
    return answer + bytes((reduce(xor, answer),))
