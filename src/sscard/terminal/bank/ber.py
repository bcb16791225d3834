"""Reading BER-TLV as a terminal must: what is odd but legal passes (EMV Book 3 annex B).

Bytes 00 before, between and after data objects mean nothing, and a length may be longer than
it need be. Cards' writers use `iso.tlv`, which is strict.
"""

from collections.abc import Iterator

from sscard.terminal.bank.errors import BadCardData

__all__ = ["Objects", "objects", "pieces", "template"]

Objects = list[tuple[int, bytes]]
"""Data objects in the order of the bytes: tag and value."""

_TAG_BYTES_MAX = 4
_LENGTH_FORMS = (0x81, 0x82)


def objects(data: bytes, what: str) -> Objects:
    """Return the (tag, value) pairs `data` is made of, one level deep.

    Errors: `BadCardData`, naming `what`, for an object that is cut or malformed.
    """
    return [(tag, value) for tag, value, _ in pieces(data, what)]


def pieces(data: bytes, what: str) -> Iterator[tuple[int, bytes, bytes]]:
    """Yield tag, value and the object's bytes as they stand, tag and length too.

    Errors: as `objects`.
    """
    at = 0
    while at < len(data):
        start = at
        if data[at] == 0:
            at += 1
            continue
        tag, at = _tag(data, at, what)
        length, at = _length(data, at, what)
        if at + length > len(data):
            raise BadCardData(f"{what}: tag {tag:02X} is cut off")
        value, at = data[at : at + length], at + length
        yield tag, value, data[start:at]


def template(data: bytes, tag: int, what: str) -> bytes:
    """Return the value of the one template `data` consists of. Errors: `BadCardData`."""
    found = objects(data, what)
    if len(found) != 1 or found[0][0] != tag:
        raise BadCardData(f"{what}: not one template {tag:02X}")
    return found[0][1]


def _tag(data: bytes, at: int, what: str) -> tuple[int, int]:
    start = at
    at += 1
    if data[start] & 0x1F == 0x1F:
        while at < len(data) and data[at] & 0x80:
            at += 1
        at += 1
    if at > len(data) or at - start > _TAG_BYTES_MAX:
        raise BadCardData(f"{what}: a tag is cut off or too long")
    return int.from_bytes(data[start:at], "big"), at


def _length(data: bytes, at: int, what: str) -> tuple[int, int]:
    first = data[at] if at < len(data) else 0xFF
    if first < 0x80:
        return first, at + 1
    width = first & 0x7F
    if first not in _LENGTH_FORMS or at + 1 + width > len(data):
        raise BadCardData(f"{what}: a length is malformed")
    return int.from_bytes(data[at + 1 : at + 1 + width], "big"), at + 1 + width
