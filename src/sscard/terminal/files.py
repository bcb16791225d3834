"""Reading and writing the files of a card, by name and as typed values (ssse-lb002 2, 3.4-3.6).

A file is named "SSSE/EF06", "DF02/EF07". What it asks for, its own table says; the visit proves
it. Records are read by number, so that items of one tag all come; an item is written by tag
where its tag is single.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any

from sscard.iso.apdu import Command
from sscard.iso.sw import SW
from sscard.iso.tlv import TlvError
from sscard.spec.items import Item
from sscard.spec.ssse import Directory, Ef
from sscard.terminal.errors import TerminalError
from sscard.terminal.records import (
    Field,
    Row,
    Value,
    decode_record,
    decode_row,
    encode_record,
    encode_row,
    item_name,
)
from sscard.terminal.visit import Visit, directory_name

__all__ = ["Contents", "LineProtection", "file_named", "file_names", "read", "write", "write_row"]

_BY_NUMBER, _BY_TAG = 0x04, 0x00
_PIECE = 0x80
"""Bytes of one READ or UPDATE BINARY (ssse-lb002 3.6)."""
_NO_MORE = (SW.RECORD_NOT_FOUND,)
_END = (SW.WRONG_OFFSET, SW.END_OF_FILE)


class LineProtection(Enum):
    """How an update travels: a file's `update_sm` (ssse-lb002 3.5)."""

    NONE = "none"
    MAC = "mac"
    ENCIPHERED = "enc_mac"


@dataclass(frozen=True, slots=True)
class Contents:
    """What a file holds: the items of a TLV file, the rows of a cyclic one, or bytes."""

    directory: Directory
    file: Ef
    fields: tuple[Field, ...] = ()
    rows: tuple[Row, ...] = ()
    data: bytes = b""

    @property
    def name(self) -> str:
        """The file's name, "DF01/EF06"."""
        return f"{directory_name(self.directory)}/{self.file.fid:04X}"

    def field(self, tag: int, nth: int = 1) -> Field:
        """Return the nth item of a tag. Errors: KeyError."""
        found = [field for field in self.fields if field.item.tag == tag]
        if not 1 <= nth <= len(found):
            raise KeyError(f"{self.name} has no item {tag:02X} number {nth}")
        return found[nth - 1]

    def value(self, tag: int, nth: int = 1) -> Value:
        """Return the value of the nth item of a tag. Errors: KeyError."""
        return self.field(tag, nth).value

    def to_json(self) -> dict[str, Any]:
        """Return the contents as plain data: texts, ISO dates, numbers of fen, hex."""
        found: dict[str, Any] = {
            "file": self.name,
            "chinese": self.file.chinese,
            "english": self.file.english,
        }
        if self.file.kind == "tlv":
            found["items"] = [self._item(field) for field in self.fields]
        elif self.file.kind == "cyclic":
            found["rows"] = [[plain(field.value) for field in row] for row in self.rows]
        else:
            found["data"] = self.data.hex().upper()
        return found

    def _item(self, field: Field) -> dict[str, Any]:
        return {
            "tag": f"{field.item.tag:02X}",
            "name": item_name(self.directory.fid, field.item.tag),
            "value": plain(field.value),
        }


def plain(value: Value) -> Any:
    """Return a value as JSON has it."""
    if isinstance(value, bytes):
        return value.hex().upper()
    if isinstance(value, tuple):
        return {f"{field.item.tag:02X}": plain(field.value) for field in value}
    if isinstance(value, str | int | None):
        return value
    return value.isoformat()


def file_named(table: tuple[Directory, ...], name: str) -> tuple[Directory, Ef]:
    """Return the directory and the file of a name. Errors: `TerminalError` that lists names."""
    for directory in table:
        for file in directory.files:
            if name == f"{directory_name(directory)}/{file.fid:04X}":
                return directory, file
    raise TerminalError(
        f"{name!r} is no file of this card; there are {', '.join(file_names(table))}"
    )


def file_names(table: tuple[Directory, ...]) -> tuple[str, ...]:
    """Return the names of the files that can be read at all, in the order of the tables."""
    return tuple(
        f"{directory_name(directory)}/{file.fid:04X}"
        for directory in table
        for file in directory.files
        if file.kind != "internal"
    )


def read(visit: Visit, name: str) -> Contents:
    """Read a file, proving what it asks for. Errors: `RightMissing`, `ApduError`."""
    directory, file = file_named(visit.table, name)
    visit.enter(directory_name(directory))
    visit.fulfil(file.read, f"reading {name}")
    if file.kind == "tlv":
        return Contents(directory, file, fields=tuple(_fields(visit, file)))
    if file.kind == "cyclic":
        return Contents(directory, file, rows=tuple(_rows(visit, file)))
    return Contents(directory, file, data=_bytes(visit, file))


def write(
    visit: Visit,
    name: str,
    values: Mapping[int | tuple[int, int], Value],
    *,
    protection: LineProtection = LineProtection.NONE,
) -> None:
    """Update items of a TLV file, or bytes of a transparent one (key: the offset).

    A key is a tag, or tag and number of an item that repeats. All values are encoded before the
    first command is sent. Errors: ValueError for a value that does not fit, `RightMissing`,
    `ApduError`.
    """
    directory, file = file_named(visit.table, name)
    commands = list(_updates(file, values))
    visit.enter(directory_name(directory))
    visit.fulfil(file.update, f"writing {name}")
    if file.kind == "transparent":
        _select(visit, file)
    _send_all(visit, directory, commands, protection)


def write_row(
    visit: Visit,
    name: str,
    values: tuple[Value, ...],
    *,
    protection: LineProtection = LineProtection.NONE,
) -> None:
    """Put a row into a cyclic file, as its newest (ssse-lb002 3.5). Errors: as `write`."""
    directory, file = file_named(visit.table, name)
    if file.kind != "cyclic":
        raise TerminalError(f"{name} is not a cyclic file")
    row = encode_row(file.items, values)
    visit.enter(directory_name(directory))
    visit.fulfil(file.update, f"writing {name}")
    command = Command(0x00, 0xDC, 0x00, _sfi(file) << 3 | 3, row)
    _send_all(visit, directory, [command], protection)


# ---- commands -------------------------------------------------------------------------------


def _fields(visit: Visit, file: Ef) -> list[Field]:
    found = []
    for record in _records(visit, file, len(file.items)):
        try:
            found.append(decode_record(file, record))
        except TlvError:
            tag = record[0] if record else 0
            found.append(Field(Item(tag, "b", len(record)), record, record))
    return found


def _rows(visit: Visit, file: Ef) -> list[Row]:
    return [decode_row(file.items, row) for row in _records(visit, file, file.records)]


def _records(visit: Visit, file: Ef, most: int) -> list[bytes]:
    found = []
    for number in range(1, most + 1):
        command = Command(0x00, 0xB2, number, _sfi(file) << 3 | _BY_NUMBER, le=256)
        reply = visit.channel.exchange(command)
        if reply.sw in _NO_MORE:
            break
        found.append(reply.data if reply.sw == SW.OK else visit.channel.send(command))
    return found


def _bytes(visit: Visit, file: Ef) -> bytes:
    """Read a transparent file to its end, which may come before the table's."""
    _select(visit, file)
    found = b""
    while len(found) < file.size:
        size = min(_PIECE, file.size - len(found))
        command = Command(0x00, 0xB0, *divmod(len(found), 256), le=size)
        reply = visit.channel.exchange(command)
        if reply.sw not in (SW.OK, *_END):
            visit.channel.send(command)
        found += reply.data
        if reply.sw in _END or not reply.data:
            break
    return found


def _select(visit: Visit, file: Ef) -> None:
    visit.channel.send(Command(0x00, 0xA4, 0x02, 0x00, file.fid.to_bytes(2, "big")))


def _updates(file: Ef, values: Mapping[int | tuple[int, int], Value]) -> list[Command]:
    if file.kind == "transparent":
        return [command for at, value in values.items() for command in _binary(file, at, value)]
    if file.kind != "tlv":
        raise TerminalError(f"EF{file.fid & 0xFF:02X} is not written item by item")
    return [_update(file, key, value) for key, value in values.items()]


def _update(file: Ef, key: int | tuple[int, int], value: Value) -> Command:
    tag, nth = key if isinstance(key, tuple) else (key, 1)
    numbers = [number for number, item in enumerate(file.items, 1) if item.tag == tag]
    if not 1 <= nth <= len(numbers):
        raise TerminalError(f"EF{file.fid & 0xFF:02X} has no item {tag:02X} number {nth}")
    record = encode_record(file.items[numbers[nth - 1] - 1], value)
    if len(numbers) == 1:
        return Command(0x00, 0xDC, tag, _sfi(file) << 3 | _BY_TAG, record)
    return Command(0x00, 0xDC, numbers[nth - 1], _sfi(file) << 3 | _BY_NUMBER, record)


def _binary(file: Ef, key: int | tuple[int, int], value: Value) -> list[Command]:
    if isinstance(key, tuple) or not isinstance(value, bytes):
        raise TerminalError("a transparent file takes bytes at an offset")
    if key < 0 or key + len(value) > file.size:
        raise ValueError(f"the file has {file.size} bytes")
    return [
        Command(0x00, 0xD6, *divmod(key + at, 256), value[at : at + _PIECE])
        for at in range(0, len(value), _PIECE)
    ]


def _send_all(
    visit: Visit, directory: Directory, commands: list[Command], protection: LineProtection
) -> None:
    channel = visit.channel
    if protection is not LineProtection.NONE:
        key = visit.transport_key(directory_name(directory))
        channel = visit.protected(key, encipher=protection is LineProtection.ENCIPHERED)
    for command in commands:
        channel.send(command)


def _sfi(file: Ef) -> int:
    return file.fid & 0x1F if file.sfi is None else file.sfi
