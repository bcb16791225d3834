"""The files and keys of the social security card as typed from the reference, for its model.

A table has a line for a directory (name, AID or `-`, KIDs of its authentication keys) and below
it one for each file: FID, kind, read condition, update key or `-`, then its contents: of a `tlv`
file the records as "tag type length" with B-TLV in braces and their length behind; of a `cyc`
file number and length of its records; of a `bin` file its size. Numbers are hexadecimal, but for
that of records. Nothing here comes from a profile or from `sscard.spec`.
Source: ssse-lb002 2.3, 2.4, 2.5, 4.1, 10.3.
"""

import re
from collections.abc import Iterator
from collections.abc import Set as AbstractSet
from typing import Final

__all__ = ["HOLDER", "LOCK_KEYS", "TRANSPORT_KEYS", "V1", "V2", "File", "Matrix", "matrix"]

_FILL = {"an": "00", "cn": "FF", "b": "00", "dec": "00"}


class File:
    """One line of the table: `records` are (tag, length, value as created) of a TLV file."""

    def __init__(self, place: str, line: str) -> None:
        self.place = place
        self.fid, self.kind, self.read, update, self.text = line.split(None, 4)
        self.update = None if update == "-" else int(update, 16)
        self.sfi = int(self.fid[-2:], 16)
        self.records = list(_records(self.text)) if self.kind == "tlv" else []
        self.count = self.length = 0
        if self.kind == "cyc":
            count, length = self.text.split()
            self.count, self.length = int(count), int(length, 16)
        elif self.kind == "bin":
            self.length = int(self.text, 16)

    def may_read(self, proofs: AbstractSet[int | str]) -> bool:
        """Whether a set of proofs, KIDs and "PIN", opens the file for reading."""
        if self.read == "F":
            return True
        held = [(o if o == "PIN" else int(o, 16)) in proofs for o in re.split("[|&]", self.read)]
        return all(held) if "&" in self.read else any(held)

    @property
    def sufficient(self) -> list[int | str]:
        """The proofs, KIDs and "PIN", that together open the file for reading."""
        proofs = [] if self.read == "F" else re.split("[|&]", self.read)
        proofs = proofs if "&" in self.read else proofs[:1]
        return [proof if proof == "PIN" else int(proof, 16) for proof in proofs]

    @property
    def reading(self) -> str:
        """A READ of the file by SFI that needs nothing but the right."""
        if self.kind == "bin":
            return f"00B0{0x80 | self.sfi:02X}0001"
        return f"00B201{self.sfi << 3 | 4:02X}00"

    @property
    def writing(self) -> str:
        """An UPDATE of the file by SFI that needs nothing but the right."""
        if self.kind == "bin":
            return f"00D6{0x80 | self.sfi:02X}0001A5"
        if self.kind == "cyc":
            return f"00DC00{self.sfi << 3 | 3:02X}{self.length:02X}" + "A5" * self.length
        tag, length, _ = self.records[0]
        return f"00DC01{self.sfi << 3 | 4:02X}{length + 2:02X}{tag}{length:02X}" + "A5" * length


def _records(text: str) -> Iterator[tuple[str, int, str]]:
    for entry in re.findall(r"[^,{]+(?:\{[^}]*\} \w\w)?", text):
        constructed = re.fullmatch(r"\s*(\d)x(\w\w) \{(.*)\} (\w\w)", entry)
        if constructed is None:
            tag, kind, length = entry.split()
            yield tag, int(length, 16), _FILL[kind] * int(length, 16)
            continue
        times, tag, parts, length = constructed.groups()
        inner = [part.split() for part in parts.split(",")]
        value = "".join(t + size + _FILL[kind] * int(size, 16) for t, kind, size in inner)
        if len(value) != 2 * int(length, 16):
            raise ValueError(f"the parts of {entry} are not {length} bytes")
        yield from [(tag, int(length, 16), value)] * int(times)


class Matrix:
    """A table read: `directories` gives AID and KIDs by name, `files` are in its order."""

    def __init__(self, directories: dict[str, tuple[str, list[int]]], files: list[File]) -> None:
        self.directories = directories
        self.files = files

    def reachable(self, place: str) -> list[tuple[int, str]]:
        """The KIDs that can be proved in a directory, with the place of their key."""
        own = [(kid, place) for kid in self.directories[place][1]]
        ssse = [(kid, "SSSE") for kid in self.directories["SSSE"][1]]
        return own if place == "SSSE" else own + ssse


def matrix(text: str) -> Matrix:
    """Read a table."""
    directories: dict[str, tuple[str, list[int]]] = {}
    files: list[File] = []
    place = ""
    for line in text.strip().splitlines():
        if line.startswith(" "):
            files.append(File(place, line))
        else:
            place, aid, *kids = line.split()
            directories[place] = (aid, [int(kid, 16) for kid in kids])
    return Matrix(directories, files)


# Directory, AID, KIDs of its authentication keys, then one line a file:
#   FID  kind  read condition  update key  records as "tag type length", B-TLV in braces
V2: Final = """
SSSE - 04 05 06 0A 0D
  EF05 tlv F 04    01 b 10, 02 an 01, 03 an 04, 04 cn 0C, 05 cn 04, 06 cn 04, 07 an 09
  EF06 tlv F 04    08 an 12, 09 an 1E, 4E an 14, 0A an 01, 0B cn 01, 0C cn 03, 0D cn 04
  EF07 bin 0A 04   400
  EF08 bin 0A 04   1000
  EF0D tlv F 0D    EA an 0C, EB cn 03, EC an 01, ED an 01
DF01 D15600000500 83 84 85 86 87 88 89 8A 8B 8C 8D 8E
  EF05 tlv PIN|88 83   20 an 02, 21 an 50, 0E cn 03
  EF06 tlv PIN|88 86   23 an 50, 24 cn 03, 28 an 0F, 2C an 32, 2D an 0F
  EF07 tlv PIN|88 84   29 an 01
  EF08 tlv PIN|88 85   2B an 01
  EF09 tlv PIN|88 84   2E an 46, 30 an 09, 32 an 02
  EF0A tlv PIN|88 87   37 an 03, 38 an 02, 39 cn 04
  EF15 tlv PIN|88 89   2A cn 01, 3x40 {57 an 03, 58 cn 03, 59 an 28} 34
  EF16 bin F 8A    128
  EF17 bin F 8B    128
  EF18 bin F 8C    128
  EF19 bin F 8D    128
  EF1A bin F 8E    128
DF02 D15600000501 83 84 85 86 87 88 89
  EF05 tlv PIN|88 83   42 an 03, 41 an 03, 2x43 {5A an 07, 5B an 01, 5C an 46, 5D cn 04, \
5E an 10} 6C, 2x44 {33 an 03, 34 an 46, 35 cn 04, 36 an 10} 65
  EF06 tlv PIN|88 84   4C cn 04, 4B an 05, 4D cn 03, 60 cn 04, 4F an 06, 50 cn 03, 3A an 07
  EF07 cyc PIN|88 85   4 55
  EF09 tlv PIN|88 86   55 an 10, 56 an 46, 96 cn 04, 97 cn 03
  EF15 tlv PIN|88 87   4x99 {10 an 03, 11 cn 04, 12 cn 03} 10, 0F cn 04, 1F cn 03
  EF16 cyc PIN|88 89   4 12
DF03 D15600000502 83 84 85 86 87 88 89 8A 8B 8C 8D
  EF05 tlv PIN|85 86   61 cn 03, 60 cn 04, 98 cn 04, 62 cn 04, 63 an 03, 64 an 03, 65 an 03, \
66 an 03
  EF06 tlv PIN|84 87   45 an 14, 46 an 02, 47 an 02, 48 an 01, 49 an 01, 67 cn 04, 6B an 3C, \
3x4A {13 an 02, 14 an 01, 15 an 14, 16 cn 04, 17 an 3C} 61
  EF07 tlv PIN|84 88   70 an 03, 71 cn 03, 6E cn 04, 6C cn 04, 6F cn 04, 73 cn 04
  EF15 tlv PIN|84 89   7A cn 03, 7B cn 04, 7C cn 04
  EF16 tlv PIN|84 8A   51 cn 03, 5F an 01
  EF17 tlv PIN|84 8B   3B an 14, 3C an 46, 3D an 01, 3E cn 04, 3F an 3C
  EF18 tlv PIN|84 8C   74 an 03, 75 cn 03, 76 cn 01, 77 cn 04, 78 cn 04
  EF19 tlv PIN|84 8D   4x79 {18 an 03, 19 cn 03, 1A cn 04, 1B cn 04, 1C dec 04, 1D an 03, \
1E cn 04} 27
DF04 D15600000503 81 83 84 85 86
  EF05 tlv PIN|84 85   81 an 08, 84 cn 03, 87 an 11, 8C cn 01, 80 cn 04, 8B an 1D, 8A an 0F, \
83 an 09, 86 an 09, 89 an 09, 7D an 09, 7E an 09, 7F an 09, 8D an 09, 8E an 09, 8F an 01
  EF06 tlv PIN&84 86   90 an 01, 92 dec 04, 93 an 02
  EF08 cyc PIN -       30 1C
  EF15 cyc PIN|84 86   8 03
DF05 D15600000504 83
  EF05 tlv PIN 83      A0 an 01, A1 an 01, B9 an 01, A2 an 04, A9 cn 01, 5xA3 {A5 an 10, \
A6 an 04} 18, 5xA4 {A7 an 10, A8 an 03} 17, BA an 14, BB an 64, AA an 14, AB cn 04, AC an 01, \
AD an 01, AE an 01, AF an 01, B0 an 01, B1 an 01, B2 an 01, B3 an 01, B4 an 01, B5 an 01, \
B6 an 01, B7 an 01, BC an 01, B8 an 28
DF06 D15600000505 83 84 85 86
  EF05 tlv PIN 85      C0 an 46, C2 an 09, 1xC3 {E3 cn 01, E4 cn 04, E5 cn 04, E6 cn 04, \
E7 cn 03} 1A, 1xC4 {E3 cn 01, E4 cn 04, E5 cn 04, E6 cn 04, E7 cn 03} 1A, 1xC5 {E3 cn 01, \
E4 cn 04, E5 cn 04, E6 cn 04, E7 cn 03} 1A
  EF06 tlv PIN 86      C6 an 46, C8 an 09, C9 cn 01, CA cn 04, CB cn 04, CC cn 04, CD cn 02, \
CE cn 01, CF cn 04, D0 cn 04, D1 cn 04, D2 cn 03, D3 cn 01, D4 cn 04, D5 cn 04, D6 cn 04, \
D7 cn 03, D8 cn 01, D9 cn 04, DA cn 04, DB cn 04, DC cn 04, DD cn 04, DE cn 04, DF cn 03, \
E0 cn 03, E1 cn 02, E2 cn 02
DF07 D15600000506 83 84 85 86 87 88
  EF05 tlv 83 86       F0 an 02, F1 an 01, F2 cn 04, F3 an 03, F4 cn 04
  EF06 tlv 84 87       F5 an 03, F6 cn 04, F7 an 46
  EF07 tlv 85 88       F8 cn 04, F9 an 01
"""

V1: Final = """
SSSE - 04 05 06
  EF05 tlv F 04    01 b 10, 02 an 01, 03 an 04, 04 cn 0C, 05 cn 04, 06 cn 04, 07 an 09
  EF06 tlv F 04    08 an 12, 09 an 1E, 0A an 01, 0B cn 01, 0C cn 03, 0D cn 04
  EF07 bin F 04    300
DF01 D15600000500 83 84 85 86 87
  EF05 tlv PIN 83      20 an 01, 21 an 3E, 22 an 12
  EF06 tlv PIN 86      25 an 3E, 26 an 12, 27 cn 03, 28 an 0F
  EF07 tlv PIN|84 84   29 an 01
  EF08 tlv PIN 85      2B an 01
  EF09 tlv PIN|84 84   2E an 3E, 2F an 08, 30 an 09, 31 an 01, 32 an 03
  EF0A tlv PIN 87      37 dec 04, 38 dec 04, 39 cn 04
DF02 D15600000501 83 84 85 86 87
  EF05 tlv PIN 83      1x40 {57 an 03, 58 cn 03, 59 an 28} 34, 1x41 {57 an 03, 58 cn 03, \
59 an 28} 34, 42 cn 03, 1x43 {5A cn 07, 5B cn 01, 5C an 09, 5D cn 04} 1D, 1x44 {5A cn 07, \
5B cn 01, 5C an 09, 5D cn 04} 1D
  EF06 tlv PIN|84 84   4B cn 04, 4C cn 04, 60 cn 04, 4D cn 04, 4F cn 04, 50 cn 04, 3A an 07
  EF07 cyc PIN|85 85   4 55
  EF08 tlv PIN|86 86   52 cn 0A, 53 an 3E, 94 an 08, 54 cn 04
  EF09 tlv PIN|87 87   55 cn 0A, 56 an 3E, 95 an 08, 96 cn 04, 97 cn 04
DF03 D15600000502 83 84 86 87 88
  EF05 tlv PIN&84 86   60 cn 04, 98 cn 04, 61 dec 04, 62 cn 04, 63 an 03, 64 an 03, 65 dec 03, \
66 dec 03
  EF06 tlv PIN 87      67 cn 04, 68 an 3E, 69 an 3E, 6A an 10, 6B an 3C
  EF07 tlv PIN&84 88   6C cn 04, 6D dec 04, 6E cn 04, 6F cn 04, 70 an 03, 71 dec 04, 72 dec 04, \
73 cn 04
DF04 D15600000503 81 83 84 85 86
  EF05 tlv PIN 85      80 cn 04, 81 an 3E, 82 an 08, 83 an 09, 84 an 3E, 85 an 08, 86 an 09, \
87 an 3E, 88 an 08, 89 an 09, 8A an 0F, 8B an 0A, 8C an 01, 8F an 01
  EF06 tlv PIN&84 86   90 dec 04, 92 dec 04, 93 dec 04
  EF08 cyc PIN -       10 1C
"""

HOLDER: Final = {
    "EF05": (
        "999901D15600000500000001F0E44726", "33", "322E3030", "915600000299990199990100",
        "20240115", "20340115", "543030303030303158",
    ),
    "EF06": (
        "393939393031313939303031303131323332", "D5C5B2E2CAD4" + "00" * 24, "00" * 20,
        "31", "01", "999901", "19900101",
    ),
    "EF0D": ("503939393930313030303031", "999901", "30", "30"),
}  # fmt: skip
"""What the SSSE's own files say of the citizen of 10.3 on a v2 card; all else holds its fill."""

LOCK_KEYS: Final = {"SSSE": 0x05, "DF03": 0x83, "DF04": 0x83, "DF06": 0x83}
"""The key of 4.1 that must be proved before a block; elsewhere the directory's master key."""

TRANSPORT_KEYS: Final = {"SSSE": 0x02, "DF01": 0x82, "DF02": 0x82, "DF03": 0x82, "DF04": 0x82}
"""The STK of 4.1; the other directories use that of the SSSE (4.7)."""
