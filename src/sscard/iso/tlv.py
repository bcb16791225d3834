"""TLV codecs: BER-TLV, simple TLV and data object lists (pse-pboc 2.7; ssse-lb002 2.2).

Strict in both directions: what `parse` accepts, `encode` gives back byte for byte. Tags are
integers as they are written (0x9F36). Stdlib only; imported by both sides of the wire.
"""

from collections.abc import Iterable
from functools import lru_cache

__all__ = [
    "TlvError",
    "encode",
    "encode_dol",
    "encode_simple",
    "find",
    "found",
    "parse",
    "parse_dol",
    "parse_simple",
    "split_dol",
]


class TlvError(ValueError):
    """The bytes are not the TLV structure they should be."""


def encode(tag: int, value: bytes) -> bytes:
    """Return tag, shortest length and value.

    Shapes: a tag of 1-3 bytes; `value` up to 65,535 bytes. Errors: TlvError for a tag that
    is not one well-formed BER tag, or a longer value. Source: pse-pboc 2.7.
    """
    return _tag_bytes(tag) + _length_bytes(len(value)) + value


def parse(data: bytes) -> list[tuple[int, bytes]]:
    """Return the (tag, value) pairs that make up all of `data`, in order, one level deep.

    Errors: TlvError for a cut or malformed object, a length that is not the shortest form,
    filler between objects, or anything left over.
    """
    objects = []
    at, end = 0, len(data)
    while at < end:
        tag, at = _read_tag(data, at)
        length, at = _read_length(data, at)
        if at + length > end:
            raise TlvError(f"tag {tag:02X} announces {length} bytes, {end - at} follow")
        objects.append((tag, data[at : at + length]))
        at += length
    return objects


def find(data: bytes, tag: int) -> bytes | None:
    """Return the value of the first object with `tag`, looking inside constructed ones; or None.

    Depth first, in the order of the bytes. Errors: TlvError as `parse`, at any level visited.
    """
    for name, value in parse(data):
        if name == tag:
            return value
        if _is_constructed(name):
            inner = find(value, tag)
            if inner is not None:
                return inner
    return None


def found(data: bytes, tag: int) -> bytes | None:
    """Return what `find` does; None, too, where the bytes are not sound TLV."""
    try:
        return find(data, tag)
    except TlvError:
        return None


def parse_dol(dol: bytes) -> list[tuple[int, int]]:
    """Return the (tag, length) pairs of a data object list. Source: pse-pboc 2.7."""
    entries = []
    at = 0
    while at < len(dol):
        tag, at = _read_tag(dol, at)
        length, at = _read_length(dol, at)
        entries.append((tag, length))
    return entries


def encode_dol(entries: Iterable[tuple[int, int]]) -> bytes:
    """Return the data object list of (tag, length) pairs; the mirror of `parse_dol`."""
    return b"".join(_tag_bytes(tag) + _length_bytes(length) for tag, length in entries)


def split_dol(entries: Iterable[tuple[int, int]], data: bytes) -> list[tuple[int, bytes]]:
    """Cut `data`, the plain concatenation a DOL asks for, into (tag, value) pairs.

    Errors: TlvError unless the total length is right. Source: pse-pboc 2.7 (only the total
    is checked).
    """
    pieces = []
    at = 0
    for tag, length in entries:
        pieces.append((tag, data[at : at + length]))
        at += length
    if at != len(data):
        raise TlvError(f"the DOL asks for {at} bytes, {len(data)} are given")
    return pieces


def encode_simple(tag: int, value: bytes) -> bytes:
    """Return one byte of tag, one of length, and the value (at most 254 bytes).

    Source: ssse-lb002 2.2 (records of the SSSE); ISO 7816-4 reserves the tags 00 and FF.
    """
    if not 0 < tag < 0xFF:
        raise TlvError(f"a simple tag is 01 to FE, not {tag:02X}")
    if len(value) > 254:
        raise TlvError(f"a simple TLV holds at most 254 bytes, not {len(value)}")
    return bytes((tag, len(value))) + value


def parse_simple(data: bytes) -> list[tuple[int, bytes]]:
    """Return the (tag, value) pairs of consecutive simple TLVs; the mirror of `encode_simple`."""
    objects = []
    at = 0
    while at < len(data):
        header = data[at : at + 2]
        if len(header) < 2 or header[0] in (0, 0xFF) or header[1] == 0xFF:
            raise TlvError(f"no simple TLV starts with {header.hex()}")
        tag, length = header
        at += 2
        if at + length > len(data):
            raise TlvError(f"tag {tag:02X} announces {length} bytes, {len(data) - at} follow")
        objects.append((tag, data[at : at + length]))
        at += length
    return objects


def _read_tag(data: bytes, at: int) -> tuple[int, int]:
    tag = data[at]
    at += 1
    if not tag:
        raise TlvError("00 is not a tag")
    if tag & 0x1F == 0x1F:
        for count in (2, 3):
            if at == len(data):
                raise TlvError(f"the data end inside the tag {tag:02X}")
            byte = data[at]
            at += 1
            if count == 2 and byte == 0x80:
                raise TlvError(f"the tag {tag:02X}80.. has a leading zero")
            tag = tag << 8 | byte
            if not byte & 0x80:
                break
        else:
            raise TlvError(f"the tag {tag:06X}.. is longer than three bytes")
    return tag, at


def _read_length(data: bytes, at: int) -> tuple[int, int]:
    if at == len(data):
        raise TlvError("the data end where a length should stand")
    first = data[at]
    at += 1
    if first < 0x80:
        return first, at
    width = first & 0x7F
    if width not in (1, 2) or at + width > len(data):
        raise TlvError(
            f"the length {data[at - 1 : at + 2].hex()} is not of the form L, 81 L, 82 LL"
        )
    length = int.from_bytes(data[at : at + width], "big")
    if length < (0x80 if width == 1 else 0x100):
        raise TlvError(f"the length {length} is not in its shortest form")
    return length, at + width


@lru_cache(maxsize=1024)
def _tag_bytes(tag: int) -> bytes:
    size = (tag.bit_length() + 7) // 8 if tag > 0 else 0
    raw = tag.to_bytes(size, "big") if 1 <= size <= 3 else b"\0"
    if _read_tag(raw, 0)[1] != len(raw):
        raise TlvError(f"{tag:X} is not one BER tag")
    return raw


def _length_bytes(length: int) -> bytes:
    if length < 0x80:
        return bytes((length,))
    if length < 0x100:
        return bytes((0x81, length))
    if length < 0x10000:
        return b"\x82" + length.to_bytes(2, "big")
    raise TlvError(f"a length of {length} needs more than 82 LL LL")


def _is_constructed(tag: int) -> bool:
    leading = tag >> max(0, (tag.bit_length() - 1) // 8 * 8)
    return bool(leading & 0x20)
