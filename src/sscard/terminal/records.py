"""Records of the SSSE as typed values, and back (ssse-lb002 2.2-2.5).

A record of a TLV file is one item, a row of a cyclic file several without tags, a B-TLV item a
list of items. What an item holds follows from the file tables of `spec.ssse`: text, digits, a
date, a time, an amount in fen, bytes. Decoder and encoder stand side by side; an item always
takes its full defined length.
"""

from datetime import date, datetime
from typing import NamedTuple, TypeAlias

from sscard.iso.text import bcd, cn, from_cn, from_gbk, gbk
from sscard.iso.tlv import TlvError, encode_simple, parse_simple
from sscard.spec.items import Item
from sscard.spec.ssse import ITEM_NAMES, Ef

__all__ = [
    "Field",
    "Row",
    "Value",
    "decode_item",
    "decode_record",
    "decode_row",
    "encode_item",
    "encode_record",
    "encode_row",
    "item_name",
    "join_name",
    "moment",
    "split_name",
]

_DATE, _MOMENT = 4, 7
"""Lengths of the cn items that are YYYYMMDD and YYYYMMDDhhmmss."""
_NAME, _EXTENSION = 0x1E, 0x14
"""Bytes of 姓名 and 姓名扩展."""


class Field(NamedTuple):
    """One item as it was read: its place in the table, its bytes, what they mean.

    `value` is None for an item that is not set, and the bytes themselves where they are not of
    the item's format.
    """

    item: Item
    raw: bytes
    value: "Value"


Row: TypeAlias = tuple[Field, ...]
"""A row of a cyclic file, or the inner items of a B-TLV one."""
Value: TypeAlias = str | int | bytes | date | datetime | Row | None
"""What an item holds: a `date` is a day, a `datetime` a second, an `int` an amount in fen."""


def decode_item(item: Item, raw: bytes) -> Value:
    """Return what the bytes of an item mean; a value of another format comes back as it is.

    A cn item of 4 bytes is a date and one of 7 a time when its digits are one, otherwise
    digits. Source: ssse-lb002 2.2.
    """
    if item.inner:
        return _inner(item, raw)
    if item.type == "b":
        return raw
    if item.type in ("dec", "hex"):
        return None if raw.strip(b"\xff") == b"" else int.from_bytes(raw, "big")
    if not raw.strip(b"\x00" if item.type == "an" else b"\xff"):
        return None
    try:
        if item.type == "cn":
            return _digits(item, from_cn(raw))
        text = from_gbk(raw.rstrip(b"\x00\xff"))
    except ValueError:
        return raw
    return text if _is_text(text) else raw


def encode_item(item: Item, value: Value) -> bytes:
    """Return an item's bytes in its full length; the mirror of `decode_item`.

    None gives the fill of an item that is not set; bytes of the right length pass as they are.
    Errors: ValueError for a value that does not fit: nothing is ever cut.
    """
    if isinstance(value, bytes):
        if len(value) != item.length:
            raise ValueError(f"{_called(item)} has {item.length} bytes, not {len(value)}")
        return value
    if item.inner:
        return _encode_inner(item, value)
    if value is None:
        return bytes((0xFF if item.type == "cn" else 0x00,)) * item.length
    if item.type in ("dec", "hex") and isinstance(value, int):
        if not 0 <= value < 1 << 8 * item.length:
            raise ValueError(f"{_called(item)} holds 0 to {item.length} bytes of fen, not {value}")
        return value.to_bytes(item.length, "big")
    if item.type == "cn" and isinstance(value, str | date):
        return cn(value if isinstance(value, str) else _written(item, value), item.length)
    if item.type == "an" and isinstance(value, str):
        return _text(item, value)
    raise ValueError(f"{value!r} is no value of {_called(item)}, which is of type {item.type}")


def decode_record(file: Ef, record: bytes) -> Field:
    """Return the item that a record `tag length value` of a TLV file holds.

    Errors: TlvError when it is no record of this file.
    """
    objects = parse_simple(record)
    if len(objects) != 1:
        raise TlvError(f"a record is one item, not {len(objects)}")
    tag, raw = objects[0]
    for item in file.items:
        if item.tag == tag and item.length == len(raw):
            return Field(item, raw, decode_item(item, raw))
    raise TlvError(f"EF{file.fid & 0xFF:02X} has no item {tag:02X} of {len(raw)} bytes")


def encode_record(item: Item, value: Value) -> bytes:
    """Return the record of an item, `tag length value`; the mirror of `decode_record`."""
    return encode_simple(item.tag, encode_item(item, value))


def decode_row(items: tuple[Item, ...], row: bytes) -> Row:
    """Return the fields of a row of a cyclic file. Errors: ValueError for another length."""
    size = sum(item.length for item in items)
    if len(row) != size:
        raise ValueError(f"a row has {size} bytes, not {len(row)}")
    fields, at = [], 0
    for item in items:
        raw = row[at : at + item.length]
        fields.append(Field(item, raw, decode_item(item, raw)))
        at += item.length
    return tuple(fields)


def encode_row(items: tuple[Item, ...], values: tuple[Value, ...]) -> bytes:
    """Return a row of a cyclic file; the mirror of `decode_row`."""
    if len(values) != len(items):
        raise ValueError(f"a row has {len(items)} fields, not {len(values)}")
    return b"".join(encode_item(item, value) for item, value in zip(items, values, strict=True))


def item_name(directory: int, tag: int) -> str:
    """Return the English name of an item, or its tag where the reference names none."""
    return ITEM_NAMES.get((directory, tag), ("", ""))[1] or f"tag {tag:02X}"


def moment(at: datetime) -> bytes:
    """Return date and time as seven bytes of BCD, YYYYMMDDhhmmss (ssse-lb002 3.10)."""
    return bcd(f"{at.year:04}" + at.strftime("%m%d%H%M%S"))


def split_name(name: str) -> tuple[str, str]:
    """Cut a name into what 姓名 holds and what is left for 姓名扩展 (ssse-lb002 2.3).

    Errors: ValueError when both together are too short for it.
    """
    head = from_gbk(gbk(name, _NAME))
    rest = name[len(head) :]
    if len(rest.encode("gb18030")) > _EXTENSION:
        raise ValueError(f"a name has at most {_NAME + _EXTENSION} bytes of GBK: {name!r}")
    return head, rest


def join_name(name: Value, extension: Value) -> str:
    """Return the name of which the two items hold a part; the mirror of `split_name`."""
    return "".join(part for part in (name, extension) if isinstance(part, str))


# ---- formats --------------------------------------------------------------------------------


def _digits(item: Item, digits: str) -> Value:
    try:
        if item.length == _DATE and len(digits) == 8:
            return date(int(digits[:4]), int(digits[4:6]), int(digits[6:]))
        if item.length == _MOMENT and len(digits) == 14:
            return datetime.strptime(digits, "%Y%m%d%H%M%S")  # noqa: DTZ007  (a card knows no zone)
    except ValueError:
        pass
    return digits


def _written(item: Item, value: date) -> str:
    exact = isinstance(value, datetime)
    if item.length != (_MOMENT if exact else _DATE):
        raise ValueError(f"{_called(item)} of {item.length} bytes is no {type(value).__name__}")
    return f"{value.year:04}" + value.strftime("%m%d%H%M%S" if exact else "%m%d")


def _text(item: Item, text: str) -> bytes:
    raw = text.encode("gb18030")
    if len(raw) > item.length or not _is_text(text):
        raise ValueError(f"{text!r} does not fit {_called(item)} of {item.length} bytes")
    return raw.ljust(item.length, b"\0")


def _is_text(text: str) -> bool:
    """Whether it is text and not a number that a table calls text: no control characters."""
    return not any(character < " " or character == "\x7f" for character in text)


def _inner(item: Item, raw: bytes) -> Value:
    try:
        objects = parse_simple(raw)
    except TlvError:
        return raw
    parts = {part.tag: part for part in item.inner}
    fields = [Field(parts[tag], value, decode_item(parts[tag], value))
              for tag, value in objects if tag in parts]  # fmt: skip
    return tuple(fields) if len(fields) == len(objects) else raw


def _encode_inner(item: Item, value: Value) -> bytes:
    """Return a B-TLV value; None is one whose inner items are all not set."""
    if not isinstance(value, tuple | None):
        raise ValueError(f"{_called(item)} has {len(item.inner)} items")  # noqa: TRY004  (a value, not a type)
    given = {field.item.tag: field.value for field in value or ()}
    return b"".join(
        encode_simple(part.tag, encode_item(part, given.get(part.tag))) for part in item.inner
    )


def _called(item: Item) -> str:
    return f"item {item.tag:02X}" if item.tag else f"the {item.type} field"
