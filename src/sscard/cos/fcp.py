"""File control parameters: what CREATE FILE takes and SELECT with P2 = 04 gives (cos 2.2).

`62 { 82, 83, [84], 80 or 81, [88], 86, [8A], [A5] }`, both ways. Pure: tree nodes and bytes.
"""

from dataclasses import dataclass
from functools import lru_cache

from sscard.cos import access
from sscard.cos.objects import DIRECTORY_BODY, KEY_RECORD_SIZE, FileHeader, Kind
from sscard.cos.refusal import Refusal
from sscard.cos.tree import FileNode
from sscard.iso.sw import SW
from sscard.iso.tlv import TlvError, encode, parse

__all__ = ["FileRequest", "describe", "request"]

_REF = "cos 2.2"
_RECORD_FLAG = 0x21
_RESERVED_FIDS = (0x0000, 0x3FFF, 0xFFFF)
_NEVER = access.NEVER
_BOTH_SUITES = 3

_REQUIRED = {
    Kind.DIRECTORY: {0x82, 0x83, 0x84, 0x81, 0x86},
    Kind.TRANSPARENT: {0x82, 0x83, 0x80, 0x86},
    Kind.INTERNAL: {0x82, 0x83, 0x80, 0x86},
    Kind.LINEAR_FIXED: {0x82, 0x83, 0x86},
    Kind.CYCLIC: {0x82, 0x83, 0x86},
    Kind.LINEAR_VARIABLE: {0x82, 0x83, 0x80, 0x86},
    Kind.LINEAR_TLV: {0x82, 0x83, 0x80, 0x86},
    Kind.KEY: {0x82, 0x83, 0x86},
}
_OPTIONAL = {Kind.DIRECTORY: {0x88, 0xA5}, Kind.LINEAR_FIXED: {0x80}, Kind.CYCLIC: {0x80}}
_LENGTHS = {0x80: 2, 0x81: 3, 0x83: 2, 0x88: 1}
_ACCESS_LENGTH = {Kind.DIRECTORY: 6, Kind.KEY: 4}


@dataclass(frozen=True, slots=True)
class FileRequest:
    """What a well-formed FCP asks to create; `domain` is A5/C0 of a DDF, else None."""

    kind: Kind
    fid: int
    access: tuple[int, ...]
    name: bytes = b""
    sfi: int = 0
    record_max: int = 0
    record_count: int = 0
    capacity: int = 0
    quota: int = 0
    sm_read: int = 0
    sm_write: int = 0
    domain: int | None = None
    suite: int | None = None
    lcs: int = 0x05

    @property
    def body_length(self) -> int:
        """Bytes of the whole body (cos 2.5, Bodies)."""
        match self.kind:
            case Kind.DIRECTORY:
                return DIRECTORY_BODY
            case Kind.TRANSPARENT | Kind.INTERNAL | Kind.KEY:
                return self.capacity
            case _:
                return self.capacity + 2

    def fresh_body(self) -> bytes:
        """Return the body of a file just created (cos 2.5: uninitialised bytes)."""
        match self.kind:
            case Kind.DIRECTORY:
                return b"\x00\x03\x03" + b"\xff" * 5 + self.name.ljust(16, b"\xff")
            case Kind.LINEAR_FIXED:
                return b"\x00\xff" + bytes(self.capacity)
            case Kind.CYCLIC:
                return bytes(2 + self.capacity)
            case Kind.LINEAR_VARIABLE | Kind.LINEAR_TLV:
                return b"\x00\x00" + b"\xff" * self.capacity
            case _:
                return b"\xff" * self.capacity

    def header(self, domain: int, parent: int, suite: int) -> FileHeader:
        """Return the object header of the new file."""
        return FileHeader(
            kind=self.kind,
            fid=self.fid,
            domain=domain,
            access=self.access,
            parent=parent,
            sfi=self.sfi,
            name_length=len(self.name),
            body_length=self.body_length,
            record_max=self.record_max,
            record_count=self.record_count,
            capacity=0 if self.kind == Kind.DIRECTORY else self.capacity,
            sm_read=self.sm_read,
            sm_write=self.sm_write,
            quota=self.quota,
            suite=suite,
            lcs=self.lcs,
        )


@lru_cache(maxsize=1024)
def request(data: bytes) -> FileRequest:
    """Parse the FCP of CREATE FILE; 6A80 for anything cos 2.2 does not allow.

    Pure, and remembered: every card of a profile is asked for the same files.
    """
    try:
        outer = parse(data)
        if [tag for tag, _ in outer] != [0x62]:
            raise _bad("the data field is not one template 62")
        objects = parse(outer[0][1])
    except TlvError as error:
        raise _bad(str(error)) from None
    tags = dict(objects)
    if len(tags) != len(objects):
        raise _bad("a tag is doubled")
    kind, record_max, record_count = _descriptor(tags.get(0x82, b""))
    _check_tags(kind, tags)
    fid = int.from_bytes(tags[0x83], "big")
    if fid in _RESERVED_FIDS or (fid == 0x3F00 and kind != Kind.DIRECTORY):
        raise _bad(f"FID {fid:04X} is reserved")
    if kind == Kind.KEY and fid != 0xEF80:
        raise _bad("a key EF has the FID EF80")
    words, sm_read, sm_write = _access(kind, tags[0x86])
    domain, suite = _environment_of(tags.get(0xA5))
    name = tags.get(0x84, b"")
    if kind == Kind.DIRECTORY and not 5 <= len(name) <= 16:
        raise _bad("a DF name has 5 to 16 bytes")
    return FileRequest(
        kind=kind,
        fid=fid,
        access=words,
        name=name,
        sfi=_sfi(kind, fid, tags.get(0x88)),
        record_max=record_max,
        record_count=record_count,
        capacity=_capacity(kind, record_max, record_count, tags.get(0x80)),
        quota=int.from_bytes(tags.get(0x81, b""), "big"),
        sm_read=sm_read,
        sm_write=sm_write,
        domain=domain,
        suite=suite,
    )


def describe(domain: int, node: FileNode) -> bytes:
    """Return the FCP of an object, with its life-cycle status (cos 2.2)."""
    header = node.header
    kind = header.kind
    descriptor = bytes((kind,))
    if header.record_count:
        descriptor += bytes((_RECORD_FLAG,))
        descriptor += header.record_max.to_bytes(2, "big") + bytes((header.record_count,))
    inner = encode(0x82, descriptor) + encode(0x83, header.fid.to_bytes(2, "big"))
    if kind == Kind.DIRECTORY:
        inner += encode(0x84, node.name) + encode(0x81, header.quota.to_bytes(4, "big")[1:])
    elif kind != Kind.KEY:
        inner += encode(0x80, header.capacity.to_bytes(2, "big"))
    if node.sfi:
        inner += encode(0x88, bytes((node.sfi << 3 & 0xFF,)))
    words = b"".join(word.to_bytes(2, "big") for word in header.access)
    if kind == Kind.DIRECTORY:
        inner += encode(0x86, words[:6])
    elif kind == Kind.KEY:
        inner += encode(0x86, words[:4])
    else:
        inner += encode(0x86, words[:6] + bytes((header.sm_read, header.sm_write)))
    inner += encode(0x8A, bytes((header.lcs,)))
    if kind == Kind.DIRECTORY and node.parent is None and domain:
        inner += encode(0xA5, encode(0xC0, bytes((domain,))) + encode(0xC1, bytes((header.suite,))))
    return encode(0x62, inner)


def _bad(why: str) -> Refusal:
    return Refusal(SW.WRONG_DATA, why, _REF)


def _descriptor(value: bytes) -> tuple[Kind, int, int]:
    if not value or value[0] not in Kind.__members__.values():
        raise _bad("tag 82 names no known kind of file")
    kind = Kind(value[0])
    if kind in (Kind.DIRECTORY, Kind.TRANSPARENT, Kind.INTERNAL):
        if len(value) != 1:
            raise _bad("tag 82 of a file without records has 1 byte")
        return kind, 0, 0
    if len(value) != 5 or value[1] != _RECORD_FLAG:
        raise _bad("tag 82 of a file with records is kind, 21, length (2), number")
    length, count = int.from_bytes(value[2:4], "big"), value[4]
    if kind == Kind.KEY:
        sound = length == KEY_RECORD_SIZE and 1 <= count <= 64
    else:
        sound = 1 <= length <= 255 and 1 <= count <= 254
    if not sound:
        raise _bad("record length or number of records out of range")
    return kind, length, count


def _check_tags(kind: Kind, tags: dict[int, bytes]) -> None:
    required = _REQUIRED[kind]
    optional = _OPTIONAL.get(kind, set())
    if kind not in (Kind.DIRECTORY, Kind.KEY):
        optional = optional | {0x88}
    missing = required - tags.keys()
    unknown = tags.keys() - required - optional
    if missing or unknown:
        raise _bad(
            "missing tags: "
            + (" ".join(f"{tag:02X}" for tag in sorted(missing)) or "none")
            + "; unexpected: "
            + (" ".join(f"{tag:02X}" for tag in sorted(unknown)) or "none")
        )
    for tag, length in _LENGTHS.items():
        if tag in tags and len(tags[tag]) != length:
            raise _bad(f"tag {tag:02X} has {length} bytes")


def _access(kind: Kind, value: bytes) -> tuple[tuple[int, ...], int, int]:
    if len(value) != _ACCESS_LENGTH.get(kind, 8):
        raise _bad("tag 86 has the wrong length for this kind")
    count = {Kind.DIRECTORY: 3, Kind.KEY: 2}.get(kind, 3)
    words = [int.from_bytes(value[at : at + 2], "big") for at in range(0, 2 * count, 2)]
    if not all(access.valid(word) for word in words):
        raise _bad("tag 86 holds an undefined access condition")
    sm_read, sm_write = (value[6], value[7]) if len(value) == 8 else (0, 0)
    if kind == Kind.KEY and words[1] != _NEVER:
        raise _bad("the second condition of a key EF is FF FF")
    return tuple(words + [_NEVER] * (6 - count)), sm_read, sm_write


def _environment_of(value: bytes | None) -> tuple[int | None, int | None]:
    """Return (domain code, algorithm suite) of A5."""
    if value is None:
        return None, None
    try:
        objects = parse(value)
    except TlvError as error:
        raise _bad(str(error)) from None
    tags = dict(objects)
    if len(tags) != len(objects):
        raise _bad("a tag in A5 is doubled")
    if tags.keys() - {0xC0, 0xC1} or any(len(one) != 1 for one in tags.values()):
        raise _bad("A5 holds C0 and C1, one byte each")
    code = tags[0xC0][0] if 0xC0 in tags else None
    suite = tags[0xC1][0] if 0xC1 in tags else None
    if code not in (None, 1, 2) or suite not in (None, 1, 2, _BOTH_SUITES):
        raise _bad("unknown domain code or algorithm suite")
    return code, suite


def _sfi(kind: Kind, fid: int, tag: bytes | None) -> int:
    """Return the SFI: tag 88 carries it times 8, else the low bits of the FID (cos 2.2)."""
    if tag is not None:
        if tag[0] & 0x07 or tag[0] >> 3 > 30:
            raise _bad("tag 88 is the SFI, 0 to 30, times 8")
        return tag[0] >> 3
    if kind in (Kind.DIRECTORY, Kind.KEY):
        return 0
    low = fid & 0x1F
    return low if 1 <= low <= 30 else 0


def _capacity(kind: Kind, length: int, count: int, tag: bytes | None) -> int:
    given = None if tag is None else int.from_bytes(tag, "big")
    if kind in (Kind.LINEAR_FIXED, Kind.CYCLIC):
        if given not in (None, length * count):
            raise _bad("tag 80 must agree with records times length")
        return length * count
    if kind == Kind.KEY:
        return length * count
    if kind != Kind.DIRECTORY and not given:
        raise _bad("a file needs room for at least one byte")
    return given or 0
