"""Values of items as the interface writes them (ssse-lb002 2.2, 8).

Text as it is, digits without their fill, dates YYYYMMDD, amounts in yuan, bytes in hex, an item
that is not set as nothing. A B-TLV item is `57=101;58=999901;59=..`.
"""

from datetime import date, datetime
from decimal import Decimal, InvalidOperation

from sscard.spec.items import Item
from sscard.terminal.records import Field, Value, encode_item

__all__ = ["fen_of", "text_of", "value_of", "yuan"]

_AMOUNTS = ("dec", "hex")
_FEN_MAX = 0xFFFFFFFF


def text_of(value: Value) -> str:
    """Return a value as text; an item whose bytes are not of its format comes in hex."""
    if value is None:
        return ""
    if isinstance(value, bytes):
        return value.hex().upper()
    if isinstance(value, int):
        return yuan(value)
    if isinstance(value, tuple):
        return ";".join(f"{field.item.tag:02X}={text_of(field.value)}" for field in value)
    if isinstance(value, datetime):
        return f"{value.year:04}" + value.strftime("%m%d%H%M%S")
    if isinstance(value, date):
        return f"{value.year:04}" + value.strftime("%m%d")
    return value


def value_of(item: Item, text: str) -> Value:
    """Return the value that a text means for an item; the mirror of `text_of`.

    Errors: ValueError for what does not fit the item.
    """
    value = _parsed(item, text)
    encode_item(item, value)
    return value


def yuan(amount_fen: int) -> str:
    """Return an amount as yuan with two decimals: "123.45"."""
    return f"{amount_fen // 100}.{amount_fen % 100:02}"


def fen_of(text: str) -> int:
    """Return an amount in yuan ("0.1", "123.45") as fen. Errors: ValueError."""
    try:
        fen = Decimal(text) * 100
    except InvalidOperation:
        raise ValueError(f"{text!r} is no amount") from None
    plain = text.isascii() and text.replace(".", "", 1).isdecimal()
    if not plain or fen != int(fen):
        raise ValueError(f"{text!r} is no amount of whole fen")
    if fen > _FEN_MAX:
        raise ValueError(f"{text!r} is more than an amount of four bytes")
    return int(fen)


def _parsed(item: Item, text: str) -> Value:
    if not text:
        return None
    if item.inner:
        return tuple(_part(item, part) for part in text.split(";") if part)
    if item.type == "b":
        return bytes.fromhex(text)
    return fen_of(text) if item.type in _AMOUNTS else text


def _part(item: Item, text: str) -> Field:
    tag, equals, value = text.partition("=")
    for inner in item.inner:
        if equals and tag.upper() == f"{inner.tag:02X}":
            return Field(inner, b"", value_of(inner, value))
    raise ValueError(f"{text!r} is no part of item {item.tag:02X}")
