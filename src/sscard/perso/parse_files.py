"""Tables of files in a profile, to files with their contents (cos 2.2; ssse-lb002 2.2)."""

from typing import NamedTuple

from sscard.errors import ProfileError
from sscard.perso.contents import card_identification, fields_record, tlv_records
from sscard.perso.model import File
from sscard.perso.place import Place, access, fid
from sscard.perso.table import REQUIRED, Required, Table
from sscard.spec.codes import KINDS, SM_ENCIPHER, SM_MAC
from sscard.spec.dgis import PRIVATE_KEYS, is_record
from sscard.spec.items import Item, parse_items

__all__ = ["dgi", "file"]

CARD_IDENTIFICATION = "auto"
RSA_KEY_FILE = 0xEF91
_DATA_MOST = 255
_MAC_SIZE = 4


def file(name: str, table: Table, place: Place, dgis: tuple[tuple[int, bytes], ...]) -> File:
    """Read one table of [..ef]; `dgis` are those of its directory, whose records size a file."""
    number = fid(table.path, name)
    kind = table.choice("kind", {word: word for word in KINDS})
    internal = kind == "internal"
    update = table.text("update", "N")
    sfi = table.number("sfi", 0, 30, 0 if internal or number & 0x1F == 0x1F else number & 0x1F)
    items = _items(table)
    records, content = _contents(table, place, kind, items)
    shape = _shape(table, kind, items, records or _records_of(sfi, dgis))
    if number == RSA_KEY_FILE and internal and shape.capacity < _private_key_size(dgis):
        table.wrong("size", f"at least {_private_key_size(dgis)} bytes, for the private keys")
    made = File(
        name=name,
        fid=number,
        kind=KINDS[kind],
        sfi=sfi,
        read=access(table, "read", place, "N" if internal else "F"),
        update=access(table, "update", place, "N"),
        append=access(table, "append", place, update if kind == "cyclic" else "N"),
        sm_read=_protection(table, "sm_read"),
        sm_update=_protection(table, "sm_update"),
        capacity=shape.capacity,
        record_max=shape.record_max,
        record_count=shape.record_count,
        records=records,
        content=_filled(table, content, shape.capacity),
    )
    table.finish()
    most = _most_protected(made)
    if max(map(len, made.records), default=0) > most:
        raise ProfileError(
            f"{table.where('sm_update')}: protected records have at most {most} bytes"
        )
    return made


def _most_protected(made: File) -> int:
    """How long a record may be beside its MAC, and enciphered behind its length byte (cos 6.1)."""
    if not made.sm_update & (SM_MAC | SM_ENCIPHER):
        return _DATA_MOST
    room = _DATA_MOST - _MAC_SIZE
    return room // 16 * 16 - 1 if made.sm_update & SM_ENCIPHER else room


class _Shape(NamedTuple):
    capacity: int
    record_max: int
    record_count: int


def _shape(table: Table, kind: str, items: tuple[Item, ...], records: tuple[bytes, ...]) -> _Shape:
    """Return how big a file is: as its items and records need it, unless the table says so."""
    if kind in ("transparent", "internal"):
        return _Shape(table.number("size", 1, 0xFFFF), 0, 0)
    if kind in ("fixed", "cyclic"):
        length = sum(item.length for item in items)
        length = table.number("record_max", 1, 255, length or REQUIRED)
        count = table.number("records", 1, 255)
        return _Shape(length * count, length, count)
    sizes = [2 + item.length for item in items] or [len(record) for record in records]
    needed: list[int | Required] = [REQUIRED] * 3
    if sizes:
        needed = [sum(sizes) + len(sizes), max(sizes), len(sizes)]
    return _Shape(
        table.number("size", 1, 0xFFFF, needed[0]),
        table.number("record_max", 1, 255, needed[1]),
        table.number("records", 1, 255, needed[2]),
    )


def _items(table: Table) -> tuple[Item, ...]:
    if "items" not in table:
        return ()
    text = table.text("items")
    try:
        return parse_items(text)
    except ValueError as wrong:
        raise ProfileError(f"{table.where('items')}: {wrong}") from None


def _contents(
    table: Table, place: Place, kind: str, items: tuple[Item, ...]
) -> tuple[tuple[bytes, ...], bytes]:
    """Return the records to append and the bytes to fill a file with; one of them is empty."""
    if kind in ("transparent", "internal"):
        return (), table.hex_bytes("content", default=b"")
    if "content" in table:
        try:
            return tuple(bytes.fromhex(row) for row in table.texts("content")), b""
        except ValueError:
            table.wrong("content", "a list of records in hex")
    try:
        if kind == "tlv" and items:
            return tuple(tlv_records(items, _values(table, place))), b""
        rows = table.value("rows")
        listed = rows if isinstance(rows, list) else []
        return tuple(fields_record(items, row) for row in listed), b""
    except ValueError as wrong:
        key = table.where("values" if kind == "tlv" else "rows")
        raise ProfileError(f"{key}: {wrong}") from None


def _values(table: Table, place: Place) -> dict[str, object]:
    """Return the values by tag, the card identification worked out where they say so."""
    values = table.table("values")
    given = {tag: values.value(tag) for tag in values.names()}
    for tag, value in given.items():
        if value == CARD_IDENTIFICATION:
            if place.irk is None:
                values.wrong(tag, "a value: without an IRK in the directory there is no auto")
            region, historical = place.identity.region, place.identity.historical
            code = card_identification(region, historical, place.irk.algorithm, place.irk.value)
            given[tag] = f"0x{code.hex()}"
    return given


def _filled(table: Table, content: bytes, capacity: int) -> bytes:
    fill = table.hex_bytes("fill", 1, b"")
    if len(content) > capacity:
        table.wrong("content", f"at most {capacity} bytes")
    return content.ljust(capacity, fill) if fill else content


def _protection(table: Table, key: str) -> int:
    """Return an sm byte from `none`, `mac`, `enc_mac`, and the id of the STK it uses."""
    bits = table.choice(key, {"none": 0, "mac": SM_MAC, "enc_mac": SM_MAC | SM_ENCIPHER}, "none")
    stk = table.hex_number("sm_key", 2, 0x02)
    return bits | stk & 0x0F if bits else 0


def _private_key_size(dgis: tuple[tuple[int, bytes], ...]) -> int:
    """Return the bytes EF91 needs: its length, then number, length and value of each part."""
    return 2 + sum(4 + len(value) for dgi, value in dgis if dgi in PRIVATE_KEYS)


def dgi(table: Table, word: str) -> tuple[int, bytes]:
    """Read one line of [..dgi]: the DGI in hex, its value in hex."""
    return fid(table.where(word), word), table.hex_bytes(word)


def _records_of(sfi: int, dgis: tuple[tuple[int, bytes], ...]) -> tuple[bytes, ...]:
    """Return the record DGIs of an SFI (pse-pboc 9.3: first byte SFI, second record number)."""
    return tuple(value for dgi, value in dgis if dgi >> 8 == sfi and is_record(dgi))
