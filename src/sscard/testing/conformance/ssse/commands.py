"""The commands the cases are made of, and what the file tables say about where to send them.

Source: ssse-lb002 2.1, 3.3-3.6, 4.1.
"""

from sscard.iso.apdu import Command
from sscard.keys.hierarchy import CARD_KEYS
from sscard.spec.ssse import SSSE_FID, SSSE_NAME, VERSIONS, Directory, Ef
from sscard.terminal.rights import alternatives
from sscard.testing.conformance.model import Expect, Form
from sscard.testing.conformance.steps import Send

__all__ = [
    "BY_NUMBER",
    "BY_TAG",
    "OPTIONAL",
    "directory_named",
    "enter",
    "first_form",
    "kids_of",
    "place_of",
    "read_binary",
    "read_record",
    "record_length",
    "select_ef",
    "select_fid",
    "sfi_of",
    "update_binary",
    "update_record",
]

OPTIONAL = ("DF05", "DF06", "DF07")
"""Directories a card may do without (ssse-lb002 2.1)."""
BY_NUMBER, BY_TAG = 4, 0
_EXTERNAL = 0x0D
_ALWAYS = ("BK", "PUK", "LK", "DSK")
"""Keys that no file asks for, but every generation has (ssse-lb002 4.1)."""


def place_of(directory: Directory) -> str:
    """Return the name of a directory: "SSSE", "DF01"."""
    return "SSSE" if directory.fid == SSSE_FID else f"{directory.fid:04X}"


def kids_of(directory: Directory) -> tuple[int, ...]:
    """Return the KIDs of a directory's authentication keys: what its files ask for, and locks."""
    place = place_of(directory)
    asked = {
        kid
        for ef in directory.files
        for rule in (ef.read, ef.update)
        for way in alternatives(rule)
        for kid in way.kids
        if (kid < 0x80) == (place == "SSSE")
    }
    return tuple(
        key.kid
        for key in CARD_KEYS
        if key.place == place
        and key.kind == _EXTERNAL
        and (key.kid in asked or key.name in _ALWAYS)
    )


def directory_named(generation: str, place: str) -> Directory:
    """Return a directory of a generation by its name."""
    return next(d for d in VERSIONS[generation] if place_of(d) == place)


def select_fid(fid: int, p1: int = 0x00) -> Command:
    """SELECT by FID; Le as readers send it."""
    return Command(0x00, 0xA4, p1, 0x00, fid.to_bytes(2, "big"), 256)


def enter(place: str) -> tuple[Send, ...]:
    """Return the steps that select the SSSE by its name, and a directory below it."""
    ssse = Send("SELECT the SSSE", Command(0x00, 0xA4, 0x04, 0x00, SSSE_NAME, 256))
    if place == "SSSE":
        return (ssse,)
    return ssse, Send(f"SELECT {place}", select_fid(int(place, 16)))


def select_ef(ef: Ef) -> Send:
    """SELECT an EF under the current directory: nothing but a status word."""
    return Send(f"SELECT EF{ef.fid & 0xFF:02X}", select_fid(ef.fid, 0x02), Expect())


def sfi_of(ef: Ef) -> int:
    """Return a file's short identifier."""
    return ef.fid & 0x1F if ef.sfi is None else ef.sfi


def read_record(p1: int, mode: int, sfi: int = 0) -> Command:
    """READ RECORD by number (mode 100) or tag (000); SFI 0: the current EF."""
    return Command(0x00, 0xB2, p1, sfi << 3 | mode, le=256)


def update_record(p1: int, mode: int, data: bytes, sfi: int = 0) -> Command:
    """UPDATE RECORD, plain."""
    return Command(0x00, 0xDC, p1, sfi << 3 | mode, data)


def read_binary(offset: int, length: int, sfi: int = 0) -> Command:
    """READ BINARY of the current EF, or of an SFI with an offset below 256."""
    head = (0x80 | sfi, offset) if sfi else divmod(offset, 256)
    return Command(0x00, 0xB0, *head, le=length)


def update_binary(offset: int, data: bytes, sfi: int = 0) -> Command:
    """UPDATE BINARY, plain."""
    head = (0x80 | sfi, offset) if sfi else divmod(offset, 256)
    return Command(0x00, 0xD6, *head, data)


def record_length(ef: Ef) -> int:
    """Return the length of a cyclic file's record: that of its fields together."""
    return sum(item.length for item in ef.items)


def first_form(ef: Ef) -> Form:
    """Return the form of what the first READ of a file gives."""
    if ef.kind == "tlv":
        return Form(ef.items[0].tag, ef.items[0].length)
    return Form(length=record_length(ef) if ef.kind == "cyclic" else 1)
