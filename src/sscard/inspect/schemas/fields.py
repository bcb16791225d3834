"""Reading a schema field by field: offset, length, name and value of everything in a page.

What `dump`, `diff` and the generated tables share. A field that cannot be parsed gets its
error as value and ends the list; nothing raises.
"""

from io import BytesIO
from typing import Any, NamedTuple

from construct import ChecksumError, Construct, ConstructError

__all__ = ["Field", "fields_of", "layout_of"]


class Field(NamedTuple):
    """One field: where it lies in the record, what it is called, what it says."""

    offset: int
    length: int
    name: str
    value: Any

    @property
    def text(self) -> str:
        """The value as text: labels as labels, numbers with their hex, bytes in hex."""
        value = self.value
        if isinstance(value, (bytes, bytearray)):
            return bytes(value).hex(" ").upper()
        if isinstance(value, str):
            return str(value)
        if isinstance(value, int):
            return f"{int(value)} ({int(value):0{2 * self.length}X})"
        return _plain(value)


def _plain(value: Any) -> str:
    if isinstance(value, dict):
        shown = (f"{key} {_plain(item)}" for key, item in value.items() if not key.startswith("_"))
        return ", ".join(shown)
    if isinstance(value, (list, tuple)):
        return "; ".join(_plain(item) for item in value)
    if isinstance(value, (bytes, bytearray)):
        return bytes(value).hex().upper()
    if isinstance(value, bool):
        return "yes" if value else "no"
    return str(value)


def fields_of(schema: Construct, data: bytes) -> list[Field]:
    """Parse `data` as the Struct `schema`, one field after the other.

    Shapes: named fields only; offsets from the start of `data`. Stops at the first field
    that cannot be parsed, whose value is then the error in words.
    """
    stream = BytesIO(data)
    known: dict[str, Any] = {}
    found: list[Field] = []
    for part in schema.subcons:
        start = stream.tell()
        wrong = ""
        value: Any = None
        try:
            value = part.parse_stream(stream, _io=stream, **known)
        except ChecksumError:
            wrong = "wrong check sum"
        except ConstructError as error:
            wrong = str(error).splitlines()[-1] or type(error).__name__
        if part.name:
            known[part.name] = value
            length = stream.tell() - start if not wrong else _size_of(part)
            found.append(Field(start, length, part.name, wrong or value))
        if wrong:
            break
    return found


def layout_of(schema: Construct) -> list[tuple[int, int | None, str, str]]:
    """Return (offset, length, name, remark) of a Struct's fields; length None where it varies.

    Stops counting behind the first field of variable length. The remark is the field's
    docstring in the schema.
    """
    rows: list[tuple[int, int | None, str, str]] = []
    offset = 0
    for part in schema.subcons:
        try:
            length: int | None = part.sizeof()
        except ConstructError:
            length = None
        if part.name:
            rows.append((offset, length, part.name, str(part.docs or "")))
        if length is None:
            break
        offset += length
    return rows


def _size_of(part: Construct) -> int:
    try:
        return int(part.sizeof())
    except ConstructError:
        return 0
