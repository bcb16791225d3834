"""What the chip said: field 55 and the issuer application data in it (pse-pboc 4.4-4.6).

Pure; used by the host alone.
"""

from dataclasses import dataclass
from typing import NamedTuple, Self

from sscard.iso import tlv

__all__ = ["ACCEPTED_CVN17", "ApplicationData", "ChipData", "ChipDataError", "Cvr"]

ACCEPTED_CVN17 = (0x11, 0x17)
"""Both ways CVN 17 is written (pse-pboc 4.4)."""

_IDD_AMOUNTS = {0x01: 5, 0x02: 5, 0x03: 10, 0x04: 10, 0x05: 5}
_LENGTHS = {
    0x9F26: 8, 0x9F27: 1, 0x9F36: 2, 0x9F37: 4, 0x95: 5, 0x9A: 3, 0x9C: 1, 0x9F02: 6,
    0x9F03: 6, 0x9F1A: 2, 0x5F2A: 2, 0x82: 2,
}  # fmt: skip


class ChipDataError(ValueError):
    """The bytes are not what a chip card transaction carries."""


class Cvr(bytes):
    """Card verification results, 4 bytes. Source: pse-pboc 4.5."""

    __slots__ = ()

    def bit(self, byte: int, bit: int) -> bool:
        """Whether a bit is set, both from 1, bit 8 the most significant."""
        return bool(self[byte - 1] >> (bit - 1) & 1)

    @property
    def scripts(self) -> int:
        """Script commands after the last transaction's second GENERATE AC, at most 15."""
        return self[3] >> 4

    @property
    def script_failed(self) -> bool:
        """Whether one of them failed."""
        return self.bit(4, 4)


class ApplicationData(NamedTuple):
    """Tag 9F10 taken apart; `amounts` and `mac` of discretionary data the issuer can check."""

    key_index: int
    cvn: int
    cvr: Cvr
    amounts: bytes = b""
    mac: bytes = b""

    @classmethod
    def parse(cls, data: bytes) -> Self:
        """Read 9F10. Errors: ChipDataError. Source: pse-pboc 4.6."""
        if len(data) < 7 or data[0] != 7 or len(data) < 8 or data[3] != 3:
            raise ChipDataError("9F10 is not 07, index, version, 03 ..., algorithm")
        if data[7] != 0x01:
            raise ChipDataError(f"9F10 names algorithm {data[7]:02X}: only 01, 3DES, is ours")
        head = data[1], data[2], Cvr(data[3:7])
        rest = data[8:]
        if not rest:
            return cls(*head)
        if rest[0] != len(rest) - 1:
            raise ChipDataError("the discretionary data in 9F10 have another length")
        size = _IDD_AMOUNTS.get(rest[1]) if len(rest) > 1 else None
        if size is None or len(rest) != size + 6:
            return cls(*head)  # static data of the issuer
        return cls(*head, rest[2 : 2 + size], rest[2 + size :])


@dataclass(frozen=True, slots=True)
class ChipData:
    """The data elements of one cryptogram, by tag, and those the host works with."""

    elements: dict[int, bytes]
    application: ApplicationData

    @classmethod
    def parse(cls, data: bytes) -> Self:
        """Read field 55. Errors: ChipDataError for a missing or misshapen element."""
        try:
            pairs = tlv.parse(data)
        except tlv.TlvError as error:
            raise ChipDataError(f"the chip's data are no TLV: {error}") from None
        elements = dict(pairs)
        if len(elements) != len(pairs):
            raise ChipDataError("the chip's data have an element twice")
        for tag, length in _LENGTHS.items():
            if tag not in elements:
                raise ChipDataError(f"the chip's data lack {tag:02X}")
            if len(elements[tag]) != length:
                raise ChipDataError(f"{tag:02X} has {length} bytes, not {len(elements[tag])}")
        return cls(elements, ApplicationData.parse(elements.get(0x9F10, b"")))

    @property
    def cryptogram(self) -> bytes:
        """TC, ARQC or AAC, 8 bytes."""
        return self.elements[0x9F26]

    @property
    def kind(self) -> int:
        """The cryptogram's kind in b8-b7 of 9F27: 00 AAC, 40 TC, 80 ARQC."""
        return self.elements[0x9F27][0] & 0xC0

    @property
    def atc(self) -> int:
        """Application transaction counter."""
        return int.from_bytes(self.elements[0x9F36], "big")

    @property
    def tvr(self) -> bytes:
        """Terminal verification results, 5 bytes."""
        return self.elements[0x95]

    @property
    def covered(self) -> bytes:
        """The bytes the cryptogram is made over. Source: pse-pboc 4.4.

        Errors: ChipDataError for a cryptogram version nobody here knows.
        """
        element, application = self.elements, self.application
        if application.cvn == 0x01:
            tags = (0x9F02, 0x9F03, 0x9F1A, 0x95, 0x5F2A, 0x9A, 0x9C, 0x9F37, 0x82, 0x9F36)
            return b"".join(element[tag] for tag in tags) + application.cvr
        if application.cvn in ACCEPTED_CVN17:
            amount, number, atc = element[0x9F02], element[0x9F37], element[0x9F36]
            return amount + number + atc + application.cvr[1:2]
        raise ChipDataError(f"cryptogram version {application.cvn:02X} is not known here")
