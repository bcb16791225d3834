"""The PSAM by its specification: names, files, the usage byte, the fields of CREATE (cos 7).

Pure data and codecs, each encoder beside its decoder. The card parses what personalisation
builds; both import this.
"""

from enum import IntEnum
from struct import Struct
from typing import Final, NamedTuple, Self

from sscard.spec.ssse import SSSE_NAME

__all__ = [
    "APPLICATION_FID",
    "APPLICATION_INFO_FID",
    "APPLICATION_INFO_SIZE",
    "APPLICATION_NAME",
    "CARD_INFO_FID",
    "CARD_INFO_SIZE",
    "COUNTER_FIDS",
    "COUNTER_SIZE",
    "DIR_FID",
    "ENVIRONMENT_NAMES",
    "KEY_FID",
    "KEY_SLOT_SIZE",
    "LEVELS_MAX",
    "MAC2_TRIES",
    "TERMINAL_FID",
    "TERMINAL_SIZE",
    "DirectoryEntry",
    "FileEntry",
    "FileKind",
    "Use",
    "levels",
    "usage_byte",
    "use_of",
]

ENVIRONMENT_NAMES: Final = {
    "3des": SSSE_NAME,
    "sm4": b"sx3" + SSSE_NAME[3:],
}
"""DF names of the MF by the algorithm of its keys (ssse-lb002 5.1)."""

APPLICATION_NAME: Final = bytes.fromhex("D15600000590")
APPLICATION_FID: Final = 0xDF01
KEY_FID: Final = 0xEF11
DIR_FID: Final = 0x0001
CARD_INFO_FID: Final = 0x0015
CARD_INFO_SIZE: Final = 14
TERMINAL_FID: Final = 0x0016
TERMINAL_SIZE: Final = 6
APPLICATION_INFO_FID: Final = 0x0017
APPLICATION_INFO_SIZE: Final = 25
COUNTER_FIDS: Final = (0x0019, 0x0018)
"""The terminal transaction number: 0019, elsewhere 0018."""
COUNTER_SIZE: Final = 4

KEY_SLOT_SIZE: Final = 26
"""Bytes a key takes by the size CREATE gives for EF11: two for 0034."""
LEVELS_MAX: Final = 3
MAC2_TRIES: Final = 10
"""Wrong MAC2s in a row that block a purchase key (cos 7.3)."""


# --- the usage byte -------------------------------------------------------------------------


class Use(IntEnum):
    """What a key of the PSAM is for: the low five bits of its usage byte (cos 7.2)."""

    MASTER = 0x00
    MAINTENANCE = 0x01
    PURCHASE = 0x02
    PIN_UNBLOCK = 0x03
    PIN_RELOAD = 0x04
    CARD_MAINTENANCE = 0x05
    MAC = 0x06
    ENCIPHER = 0x07
    MAC_AND_ENCIPHER = 0x08
    LOAD = 0x09
    TAC = 0x0C
    PIN = 0x0D
    EXTERNAL = 0x0E
    INTERNAL = 0x0F
    EXPORT = 0x1E

    @property
    def makes_macs(self) -> bool:
        """Whether a temporary key made from it computes MACs."""
        return self in _MACS

    @property
    def enciphers(self) -> bool:
        """Whether a temporary key made from it enciphers."""
        return self in _ENCIPHERS


_BOTH = frozenset(
    {Use.PIN_UNBLOCK, Use.PIN_RELOAD, Use.CARD_MAINTENANCE, Use.MAC_AND_ENCIPHER},
)
_MACS = _BOTH | {Use.MAC, Use.TAC}
_ENCIPHERS = _BOTH | {Use.ENCIPHER, Use.EXTERNAL, Use.INTERNAL}


def levels(usage: int) -> int:
    """Return how many diversifications lead from the stored key to the card's: 0 to 7."""
    return usage >> 5


def use_of(usage: int) -> Use | None:
    """Return what a key of this usage byte is for, None when the code is not assigned."""
    code = usage & 0x1F
    return Use(code) if code in _USES else None


def usage_byte(use: int, depth: int) -> int:
    """Return the usage byte of a key with `depth` (0 to 3) diversifications to go."""
    if not 0 <= depth <= LEVELS_MAX:
        raise ValueError(f"a key has 0 to {LEVELS_MAX} levels to go, not {depth}")
    return depth << 5 | use


_USES = frozenset(int(use) for use in Use)


# --- the data fields of CREATE ----------------------------------------------------------------


class FileKind(IntEnum):
    """File types of the data fields of CREATE (cos 2.1, column PSAM; 7.1)."""

    MF = 0x10
    DF = 0x20
    KEYS = 0x30
    TRANSPARENT = 0x31
    VARIABLE = 0x34


FREE: Final = 0x00
NEVER: Final = 0xFF
_KEY_FILE_MARK = 0x30
_FILE = Struct(">HBBHBB")
_DIRECTORY = Struct(">HBBHBBHBB3sB16s10s")
_MARK = 0x81
_MASTER_HEAD = bytes.fromhex("00180100010002030300")


class FileEntry(NamedTuple):
    """The 8 data bytes of CREATE for an EF: FID, type, a mark, size, read and write right.

    A right is 00 free, FF never, anything else the directory's master key.
    """

    fid: int
    kind: int
    size: int
    read: int = FREE
    write: int = NEVER

    def build(self) -> bytes:
        """Return the data field."""
        mark = _KEY_FILE_MARK if self.kind == FileKind.KEYS else 0
        return _FILE.pack(self.fid, self.kind, mark, self.size, self.read, self.write)

    @classmethod
    def parse(cls, data: bytes) -> Self:
        """Parse the data field; ValueError when it is none."""
        if len(data) != _FILE.size:
            raise ValueError(f"an EF is described in {_FILE.size} bytes, not {len(data)}")
        fid, kind, mark, size, read, write = _FILE.unpack(data)
        if kind not in (FileKind.KEYS, FileKind.TRANSPARENT, FileKind.VARIABLE):
            raise ValueError(f"{kind:02X} is no type of an EF")
        if mark != (_KEY_FILE_MARK if kind == FileKind.KEYS else 0):
            raise ValueError(f"{mark:02X} behind the type {kind:02X}")
        if size == 0:
            raise ValueError("the file has no room")
        return cls(fid, kind, size, read, write)


class DirectoryEntry(NamedTuple):
    """The 42 data bytes of CREATE for the MF or a DF.

    Shapes: `name` 5 to 16 bytes; `dir_sfi` the SFI of its DIR, 0 for none; `key_bytes` the
    size of its key file; `lock` and `year` rights that no command asks for; `master` the ten
    attribute bytes of its master key.
    """

    fid: int
    kind: int
    name: bytes
    dir_sfi: int = 0
    key_bytes: int = 0
    lock: int = NEVER
    year: int = FREE
    create: int = FREE
    master: bytes = _MASTER_HEAD

    def build(self) -> bytes:
        """Return the data field."""
        return _DIRECTORY.pack(
            self.fid,
            self.kind,
            self.create,
            0xFFFF,
            self.dir_sfi,
            self.year,
            self.key_bytes,
            self.lock,
            _MARK,
            b"\xff" * 3,
            len(self.name),
            self.name.ljust(16, b"\xff"),
            self.master,
        )

    @classmethod
    def parse(cls, data: bytes) -> Self:
        """Parse the data field; ValueError when it is none."""
        if len(data) != _DIRECTORY.size:
            raise ValueError(
                f"a directory is described in {_DIRECTORY.size} bytes, not {len(data)}"
            )
        fid, kind, create, _, sfi, year, keys, lock, mark, _, length, name, master = (
            _DIRECTORY.unpack(data)
        )
        if kind not in (FileKind.MF, FileKind.DF):
            raise ValueError(f"{kind:02X} is no type of a directory")
        if not 5 <= length <= 16 or name[length:].strip(b"\xff"):
            raise ValueError("a DF name has 5 to 16 bytes, then FF to 16")
        if mark != _MARK or sfi > 30:
            raise ValueError("the mark 81 is missing, or the SFI of the DIR is over 30")
        return cls(fid, kind, name[:length], sfi, keys, lock, year, create, master)
