"""Objects in an extent: the 48-byte object header and the 40-byte key record (cos 2.5).

Layouts as data, build and parse side by side. Used by the tree, the key files and the image
tools; nothing here reads or writes an EEPROM.
"""

import struct
import zlib
from enum import IntEnum
from functools import lru_cache
from typing import NamedTuple

__all__ = [
    "CHAIN_END",
    "DELETED",
    "DIRECTORY_BODY",
    "HEADER_SIZE",
    "KEY_RECORD_SIZE",
    "LIVE",
    "FileHeader",
    "KeyRecord",
    "KeyType",
    "Kind",
    "align",
]

LIVE = 0xA5
"""State byte of a live object or key record."""
DELETED = 0x25
"""State byte of a tombstone: one bit of LIVE cleared, so no erase is needed."""
CHAIN_END = 0xFF
"""State byte where the chain of objects ends."""

HEADER_SIZE = 48
DIRECTORY_BODY = 24
"""Bytes of a directory's body: DFSTATE (8) and the DF name padded to 16 (cos 2.5)."""
KEY_RECORD_SIZE = 40


class Kind(IntEnum):
    """Object kinds, the ISO 7816-4 file descriptor bytes of cos 2.2."""

    DIRECTORY = 0x38
    TRANSPARENT = 0x01
    LINEAR_FIXED = 0x02
    LINEAR_VARIABLE = 0x04
    LINEAR_TLV = 0x05
    CYCLIC = 0x06
    INTERNAL = 0x09
    KEY = 0x0C


class KeyType(IntEnum):
    """Key types of cos 4.4 and, from 13 on, pse-pboc 9."""

    MASTER = 0x00
    PIN = 0x01
    PUK = 0x02
    PIN_RELOAD = 0x03
    STK = 0x07
    DLK = 0x08
    DPK = 0x09
    DTK = 0x0A
    EXTERNAL_AUTH = 0x0D
    INTERNAL_AUTH = 0x0E
    ISSUER_AC = 0x10
    ISSUER_MAC = 0x11
    ISSUER_ENC = 0x12
    KENC = 0x13
    KMAC = 0x14
    KDEK = 0x15
    KMC_DATA = 0x16


def align(address: int) -> int:
    """Return the next multiple of 8: objects follow each other at these addresses."""
    return (address + 7) & ~7


_HEADER = struct.Struct(">BBHBBBBIIHBBHBB6HIHBBI")


class FileHeader(NamedTuple):
    """An object header; `access` are the six AC2 words, unused ones FFFF.

    Shapes: `parent` the address of the parent's header, 0 for the MF and for a DDF; lengths
    in bytes; `intact` is False when the CRC over bytes 1-4 and 6-43 does not hold.
    """

    kind: int
    fid: int
    domain: int
    access: tuple[int, ...]
    parent: int = 0
    sfi: int = 0
    name_length: int = 0
    body_length: int = 0
    record_max: int = 0
    record_count: int = 0
    capacity: int = 0
    sm_read: int = 0
    sm_write: int = 0
    quota: int = 0
    suite: int = 0
    fci_fid: int = 0
    flags: int = 0
    lcs: int = 0x05
    state: int = LIVE
    intact: bool = True

    @property
    def consistent(self) -> bool:
        """Whether body length, capacity and records agree as cos 2.5, Bodies, says."""
        match self.kind:
            case Kind.DIRECTORY:
                return True
            case Kind.LINEAR_FIXED | Kind.CYCLIC:
                records = self.record_max * self.record_count
                return 0 < records == self.capacity and self.body_length == records + 2
            case Kind.LINEAR_VARIABLE | Kind.LINEAR_TLV:
                return self.body_length == self.capacity + 2
            case _:
                return self.body_length == self.capacity

    def build(self) -> bytes:
        """Return the 48 bytes of the header, CRC included."""
        packed = _HEADER.pack(
            self.state,
            self.kind,
            self.fid,
            self.sfi,
            self.lcs,
            self.domain,
            self.name_length,
            self.parent,
            self.body_length,
            self.record_max,
            self.record_count,
            self.flags,
            self.capacity,
            self.sm_read,
            self.sm_write,
            *self.access,
            self.quota,
            self.fci_fid,
            self.suite,
            0,
            0,
        )
        return packed[:44] + _header_crc(packed).to_bytes(4, "big")

    @staticmethod
    @lru_cache(maxsize=4096)
    def parse(raw: bytes) -> "FileHeader":
        """Parse 48 bytes; a wrong CRC gives a header with `intact` False.

        Pure, and remembered: mounting after each CREATE FILE reads the same headers again.
        """
        fields = _HEADER.unpack(raw)
        return FileHeader(
            state=fields[0],
            kind=fields[1],
            fid=fields[2],
            sfi=fields[3],
            lcs=fields[4],
            domain=fields[5],
            name_length=fields[6],
            parent=fields[7],
            body_length=fields[8],
            record_max=fields[9],
            record_count=fields[10],
            flags=fields[11],
            capacity=fields[12],
            sm_read=fields[13],
            sm_write=fields[14],
            access=fields[15:21],
            quota=fields[21],
            fci_fid=fields[22],
            suite=fields[23],
            intact=_header_crc(raw) == fields[25],
        )


def _header_crc(raw: bytes) -> int:
    """CRC-32 of bytes 1-4 and 6-43: all but the state byte, the LCS and the CRC itself."""
    return zlib.crc32(raw[6:44], zlib.crc32(raw[1:5]))


_KEY = struct.Struct(">BBBBBBBHHBBBH16s3sBI")
_NO_KCV = b"\xff\xff\xff"


class KeyRecord(NamedTuple):
    """One slot of a key EF: the 12-byte key header of cos 4.4, tries left, value and KCV.

    Shapes: `tries` the header byte (high nibble maximum, low nibble initial, FF unlimited);
    `use` and `change` AC2 words; `value` exactly `length` bytes; `kcv` 3 bytes, FFFFFF for
    PINs and PUKs. `address` is where the record was read, 0 for one not yet stored.
    """

    type: int
    id: int
    version: int
    algorithm: int
    tries: int
    grant: int
    use: int
    change: int
    flags: int
    value: bytes
    kcv: bytes = _NO_KCV
    tries_left: int = 0xFF
    state: int = LIVE
    intact: bool = True
    address: int = 0

    @classmethod
    def from_header(cls, header: bytes, value: bytes, kcv: bytes) -> "KeyRecord":
        """Make a fresh record from a 12-byte key header; tries left start at the initial.

        `kcv` is what the record stores: `sscard.cos.keyfile.check_value` knows it.
        """
        tries = header[4]
        return cls(
            type=header[0],
            id=header[1],
            version=header[2],
            algorithm=header[3],
            tries=tries,
            grant=header[5],
            use=int.from_bytes(header[6:8], "big"),
            change=int.from_bytes(header[8:10], "big"),
            flags=header[10],
            value=value,
            kcv=kcv,
            tries_left=0xFF if tries == 0xFF else tries & 0x0F,
        )

    def build(self) -> bytes:
        """Return the 40 bytes of the slot."""
        packed = _KEY.pack(
            self.state,
            self.type,
            self.id,
            self.version,
            self.algorithm,
            self.tries,
            self.grant,
            self.use,
            self.change,
            self.flags,
            len(self.value),
            self.tries_left,
            0xFFFF,
            self.value.ljust(16, b"\xff"),
            self.kcv,
            0xFF,
            0,
        )
        return packed[:36] + _key_crc(packed).to_bytes(4, "big")

    @classmethod
    def parse(cls, raw: bytes, address: int = 0) -> "KeyRecord":
        """Parse a 40-byte slot; `intact` is False when its CRC does not hold."""
        fields = _KEY.unpack(raw)
        length = fields[10]
        return cls(
            state=fields[0],
            type=fields[1],
            id=fields[2],
            version=fields[3],
            algorithm=fields[4],
            tries=fields[5],
            grant=fields[6],
            use=fields[7],
            change=fields[8],
            flags=fields[9],
            value=fields[13][:length],
            kcv=fields[14],
            tries_left=fields[11],
            intact=length <= 16 and _key_crc(raw) == fields[16],
            address=address,
        )

    @property
    def tries_max(self) -> int:
        """The maximum of the try counter, 15 at most; meaningless when unlimited."""
        return self.tries >> 4

    @property
    def counted(self) -> bool:
        """Whether the key owns a try counter (cos 1.3, T2)."""
        return self.tries != 0xFF

    @property
    def session_form(self) -> bool:
        """Whether EXTERNAL AUTHENTICATE takes the session form (cos 4.4 flags b2)."""
        return bool(self.flags & 0x02)

    def __repr__(self) -> str:
        return (
            f"KeyRecord(type=0x{self.type:02X}, id=0x{self.id:02X}, version={self.version},"
            f" algorithm={self.algorithm}, tries=0x{self.tries:02X}, grant=0x{self.grant:02X},"
            f" use=0x{self.use:04X}, change=0x{self.change:04X}, flags=0x{self.flags:02X},"
            f" value=<{len(self.value)} bytes>, tries_left={self.tries_left})"
        )


def _key_crc(raw: bytes) -> int:
    """CRC-32 of bytes 1-12 and 16-34: header, value and KCV, but not state and tries left."""
    return zlib.crc32(raw[16:35], zlib.crc32(raw[1:13]))
