"""From what a profile says about data items to the bytes of records (ssse-lb002 1.2, 2.2)."""

from collections.abc import Iterator, Mapping, Sequence

from sscard.iso.text import bcd, cn, gbk
from sscard.iso.tlv import encode_simple
from sscard.keys.block import Algorithm
from sscard.keys.session import card_id_mac
from sscard.spec.items import Item
from sscard.spec.ssse import RID

__all__ = ["card_identification", "fields_record", "item_value", "tlv_records", "unset_value"]


def card_identification(region: str, historical: bytes, algorithm: int, irk: bytes) -> bytes:
    """Return 卡识别码: region, RID, the card serial of the ATR, and a MAC under the IRK; 16 bytes.

    Nobody can compute the MAC of an SSF33 key: it is FF FF FF FF, as seen on a card in the wild.
    Source: ssse-lb002 1.2.
    """
    body = bcd(region) + RID + historical[-4:]
    unknown = algorithm == Algorithm.SSF33
    return body + (b"\xff" * 4 if unknown else card_id_mac(algorithm, irk, body))


def unset_value(item: Item) -> bytes:
    """Return what an item without a value holds: 00, or F digits for cn; its parts for a B-TLV."""
    if item.inner:
        return b"".join(encode_simple(part.tag, unset_value(part)) for part in item.inner)
    return (b"\xff" if item.type == "cn" else b"\0") * item.length


def item_value(item: Item, value: object) -> bytes:
    """Return the bytes of an item: exactly its length, padded as its type says.

    `value` is text (an), digits (cn), hex (b), a number of fen (dec, hex) or, for a B-TLV, a
    table of inner tags; text that starts with `0x` is raw bytes for every type. Errors:
    ValueError that says what fits. Source: ssse-lb002 2.2.
    """
    if item.inner:
        return _constructed(item, value)
    if isinstance(value, str) and value.startswith("0x"):
        raw = bytes.fromhex(value[2:])
    elif item.type in ("dec", "hex"):
        amount = int(str(value))
        if not 0 <= amount < 1 << 8 * item.length:
            raise ValueError(f"{amount} does not fit {item.length} bytes")
        raw = amount.to_bytes(item.length, "big")
    elif item.type == "b":
        raw = bytes.fromhex(str(value))
    elif item.type == "cn":
        raw = cn(str(value), item.length)
    else:
        text = str(value)
        raw = gbk(text, item.length)
        if raw.rstrip(b"\0") != text.encode("gb18030"):
            raise ValueError(f"{text!r} does not fit {item.length} bytes")
    if len(raw) != item.length:
        raise ValueError(f"{len(raw)} bytes given, the item has {item.length}")
    return raw


def _constructed(item: Item, value: object) -> bytes:
    if not isinstance(value, Mapping):
        raise ValueError(f"{value!r} is not a table of inner tags")  # noqa: TRY004  (a value, not a type, of the profile)
    tags = [f"{part.tag:02X}" for part in item.inner]
    for tag in value:
        if tag not in tags:
            raise ValueError(f"inner tag {tag}: there are {', '.join(tags)}")
    return b"".join(
        encode_simple(part.tag, item_value(part, value[tag]) if tag in value else unset_value(part))
        for tag, part in zip(tags, item.inner, strict=True)
    )


def tlv_records(items: Sequence[Item], values: Mapping[str, object]) -> Iterator[bytes]:
    """Yield the records of a TLV file, one per item in order, unset ones with their fill.

    `values` go by tag in hex; for a tag that repeats, a list gives them in order. Errors:
    ValueError naming the tag.
    """
    taken: dict[str, int] = {}
    for item in items:
        tag = f"{item.tag:02X}"
        given = values.get(tag)
        index = taken.get(tag, 0)
        taken[tag] = index + 1
        if isinstance(given, list):
            given = given[index] if index < len(given) else None
        elif index:
            given = None
        try:
            value = unset_value(item) if given is None else item_value(item, given)
        except ValueError as wrong:
            raise ValueError(f"tag {tag}: {wrong}") from None
        yield encode_simple(item.tag, value)
    for tag, given in values.items():
        room = taken.get(tag, 0)
        if not room:
            raise ValueError(f"tag {tag}: there are {', '.join(taken)}")
        if isinstance(given, list) and len(given) > room:
            raise ValueError(f"tag {tag}: {len(given)} values, the file has {room}")


def fields_record(items: Sequence[Item], row: Sequence[object]) -> bytes:
    """Return one record of a cyclic or fixed file: its fields without tags. Errors: ValueError."""
    if len(row) != len(items):
        raise ValueError(f"{len(row)} fields, a record has {len(items)}")
    return b"".join(item_value(item, value) for item, value in zip(items, row, strict=True))
