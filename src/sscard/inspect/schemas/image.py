"""Schemas of everything the EEPROM image is made of (cos 1.4, 2.3, 2.5).

Written from the reference, not from the hand-written codecs, whose oracle they are: the tests
ask both and compare. The names of the fields are those of the reference.
"""

from zlib import crc32

from construct import (
    Array,
    BitsInteger,
    BitStruct,
    Byte,
    Bytes,
    Checksum,
    Const,
    Construct,
    Enum,
    ExprValidator,
    Flag,
    Int16ub,
    Int32ub,
    Nibble,
    Rebuild,
    Struct,
    this,
)

__all__ = [
    "AC2",
    "AT",
    "CH",
    "CS",
    "DFSTATE",
    "DH",
    "EX",
    "JC",
    "JT",
    "KEYREC",
    "MARKER",
    "OBJ",
    "SUPERBLOCK",
]

_SEAL_AT = 60


def _filler(size: object) -> Construct:
    """FF up to the seal; `size` a number or an expression of the context."""
    return Rebuild(
        ExprValidator(Bytes(size), lambda obj, ctx: not obj.strip(b"\xff")),
        lambda ctx: b"\xff" * (size(ctx) if callable(size) else int(str(size))),
    )


def _crc(*spans: tuple[int, int]) -> Construct:
    """CRC-32 over spans of the record, which begins at offset 0 of its stream."""

    def covered(ctx: object) -> bytes:
        stream = ctx["_io"]  # type: ignore[index]
        back = stream.tell()
        parts = []
        for start, stop in spans:
            stream.seek(start)
            parts.append(stream.read(stop - start))
        stream.seek(back)
        return b"".join(parts)

    return Checksum(Int32ub, crc32, covered)


_SEAL = _crc((0, _SEAL_AT))

SUPERBLOCK = Struct(
    "magic" / Const(b"SSCARD"),
    "fmt" / Const(1, Byte) * "format number",
    "flags" / Byte * "b1 test card, b2 plain key load allowed",
    "size" / Int32ub * "bytes of the EEPROM",
    "page" / Const(64, Int16ub) * "bytes of a page",
    "pages" / Rebuild(Int16ub, this.size // 64) * "number of pages",
    "jstart" / Int16ub * "first page of the journal ring",
    "jlen" / Int16ub * "pages of the ring",
    "heapstart" / Int16ub * "first page of the heap",
    "heaplen" / Int16ub * "pages of the heap",
    "chip" / Int16ub * "page of CH",
    "atr" / Int16ub * "page of AT",
    "card" / Int16ub * "page of CS",
    "ext" / Int16ub * "page of EX",
    "generation" / Int32ub,
    "free" / Const(b"\xff" * 8),
    "uuid" / Bytes(16),
    "crc" / _SEAL,
)
"""Pages 0 and 1: the map of the image."""

CH = Struct(
    "magic" / Const(b"CH"),
    "ic_id" / Int16ub * "registered number of the chip maker",
    "ic_type" / Int16ub,
    "serial" / Bytes(8) * "chip serial",
    "fab_date" / Bytes(4) * "BCD yyyymmdd",
    "cos_id" / Bytes(3),
    "rng_version" / Byte,
    "filler" / _filler(38),
    "crc" / _SEAL,
)
"""The chip page."""

AT = Struct(
    "magic" / Const(b"AT"),
    "profile" / Enum(Byte, A=0, B=1, C=2),
    "k" / ExprValidator(Byte, lambda obj, ctx: obj <= 15) * "number of historical bytes",
    "hist" / Bytes(this.k) * "historical bytes; the last 8 are the card's factor",
    "filler" / _filler(lambda ctx: _SEAL_AT - 4 - ctx.k),
    "crc" / _SEAL,
)
"""The ATR page."""

CS = Struct(
    "magic" / Const(b"CS"),
    "card_lcs"
    / Enum(Byte, BLANK=0x01, INITIALISED=0x03, HANDED_OVER=0x07, LOCKED=0x7F, TERMINATED=0xFF),
    "n_domains" / Byte * "number of DDFs",
    "tk_state" / Enum(Byte, PRESENT=0xA5, DESTROYED=0x25),
    "tk_alg" / Byte,
    "tk_max" / Byte,
    "tk_left" / Byte,
    "tk" / Bytes(16) * "the transport key; 00 once destroyed",
    "filler" / _filler(36),
    "crc" / _SEAL,
)
"""The card-state page."""

_EXTENT = Struct(
    "domain" / Byte,
    "flags" / Const(1, Byte),
    "start" / Int16ub,
    "pages" / Int16ub,
    "fid" / Int16ub,
    "free" / Const(b"\xff\xff"),
)

EX = Struct(
    "magic" / Const(b"EX"),
    "count" / ExprValidator(Byte, lambda obj, ctx: obj <= 5) * "number of entries",
    "zero" / Const(0, Byte),
    "entries" / Array(this.count, _EXTENT) * "domain, flags, start, pages, FID, FFFF",
    "filler" / _filler(lambda ctx: _SEAL_AT - 4 - 10 * ctx.count),
    "crc" / _SEAL,
)
"""The extent table."""

_BLOCK = Enum(Byte, NONE=0, TEMPORARY=1, PERMANENT=2, CARD=3)

DH = Struct(
    "magic" / Const(b"DH"),
    "domain" / Byte,
    "state" / Enum(Byte, CREATED=0x01, OWNED=0x03, OPERATIONAL=0x07, TERMINATED=0xFF),
    "start" / Int16ub * "first page of the extent",
    "pages" / Int16ub,
    "fid" / Int16ub,
    "block" / _BLOCK,
    "mac_left" / Byte * "wrong MACs left before the block",
    "unblock_left" / Byte,
    "zero" / Const(0, Byte),
    "ddf" / Int32ub * "address of the DDF object",
    "filler" / _filler(42),
    "crc" / _SEAL,
)
"""The domain header, first page of every extent."""

_OPERAND = BitStruct(
    "used" / Flag,
    "environment" / Flag,
    "or" / Flag,
    "reserved" / BitsInteger(1),
    "grant" / Nibble,
)
AC2 = Struct("first" / _OPERAND, "second" / _OPERAND)
"""An access condition; 0000 is always and FFFF never (cos 2.3)."""

_STATE = Enum(Byte, LIVE=0xA5, DELETED=0x25, END=0xFF)

OBJ = Struct(
    "state" / _STATE * "live, deleted, or end of the chain",
    "kind"
    / Enum(
        Byte,
        DIRECTORY=0x38,
        TRANSPARENT=0x01,
        LINEAR_FIXED=0x02,
        LINEAR_VARIABLE=0x04,
        LINEAR_TLV=0x05,
        CYCLIC=0x06,
        INTERNAL=0x09,
        KEY=0x0C,
    ),
    "fid" / Int16ub,
    "sfi" / Byte * "0 none",
    "lcs" / Byte * "life-cycle status",
    "domain" / Byte,
    "name_length" / Byte * "of a DF name",
    "parent" / Int32ub * "address of the parent's header; 0 for the MF and a DDF",
    "body_length" / Int32ub,
    "record_max" / Int16ub,
    "record_count" / Byte,
    "flags" / Byte,
    "capacity" / Int16ub * "data bytes",
    "sm_read" / Byte,
    "sm_write" / Byte,
    "access" / Array(6, Int16ub) * "six AC2: create, delete, admin; read, update, append; add",
    "quota" / Int32ub * "of a directory",
    "fci_fid" / Int16ub,
    "suite" / Byte * "b1 3DES, b2 SM4",
    "zero" / Byte,
    "crc" / _crc((1, 5), (6, 44)) * "over bytes 1-4 and 6-43",
)
"""An object header, 48 bytes."""

DFSTATE = Struct(
    "block" / _BLOCK,
    "mac_left" / Byte,
    "unblock_left" / Byte,
    "free" / _filler(5),
)
"""The first 8 bytes of a directory's body."""

KEYREC = Struct(
    "state" / _STATE,
    "type" / Byte,
    "id" / Byte,
    "version" / Byte,
    "algorithm" / Byte,
    "tries" / Byte * "maximum and initial; FF unlimited",
    "grant" / Byte,
    "use" / Int16ub * "AC2",
    "change" / Int16ub * "AC2",
    "flags" / Byte,
    "length" / Byte,
    "tries_left" / Byte * "mutable; outside the CRC",
    "free" / Const(b"\xff\xff"),
    "value" / Bytes(16) * "FF on the right of a short key or PIN",
    "kcv" / Bytes(3) * "FFFFFF for a PIN",
    "free2" / Const(b"\xff"),
    "crc" / _crc((1, 13), (16, 35)) * "over bytes 1-12 and 16-34",
)
"""A slot of a key EF, 40 bytes."""

JT = Struct(
    "magic" / Const(b"JT"),
    "version" / Const(1, Byte),
    "applied" / Byte * "FF committed, 00 applied",
    "seq" / Int32ub,
    "length" / Int16ub * "payload bytes, inline and continued",
    "images" / Byte * "number of page images",
    "tag" / Byte * "owning domain; 81, 82 its bootstrap",
    "first" / Int16ub * "ring slot of the first continuation page, FFFF none",
    "free" / Const(b"\xff\xff"),
    "payload_crc" / Int32ub,
    "crc" / _crc((0, 3), (4, 20)) * "over bytes 0-2 and 4-19",
    "payload" / Bytes(40) * "page number (2) and 64 bytes, again and again; FF behind",
)
"""A transaction page of the journal."""

MARKER = Struct(
    "magic" / Const(b"JT"),
    "version" / Const(1, Byte),
    "applied" / Const(0, Byte),
    "seq" / Int32ub,
    "length" / Const(0, Int16ub),
    "images" / Const(0, Byte),
    "tag" / Byte,
    "first" / Const(0xFFFF, Int16ub),
    "free" / Const(b"\xff\xff"),
    "payload_crc" / Const(0, Int32ub),
    "crc" / _crc((0, 3), (4, 20)),
    "payload" / _filler(40),
)
"""What scrubbing leaves of a transaction page."""

JC = Struct(
    "magic" / Const(b"JC"),
    "seq" / Int32ub,
    "payload" / Bytes(58),
)
"""A continuation page of the journal."""
