"""File addresses and write data: `SSSEEF06|08|09|$DF02EF07:01$DF01EF15|40:02|$` (ssse-lb002 8).

A file is its directory and FID; `:nn` behind it is a record of a cyclic file, behind an item the
nth of a repeated tag. Items end with `|`, files with `$`. Write data have the same shape with
values in the places of the items.
"""

import re
from typing import NamedTuple

__all__ = ["FileAddress", "ItemAddress", "parse_addresses", "parse_data"]

_FILE = re.compile(r"(SSSE|3F00|DF[0-9A-F]{2})(EF[0-9A-F]{2})(?::(\d{1,2}))?")
_ITEM = re.compile(r"([0-9A-F]{2})(?::(\d{1,2}))?")
_OLD_ROOT = "3F00"
"""What some programs call the SSSE, since old readers reached it through the MF."""


class ItemAddress(NamedTuple):
    """An item: its tag, and which of its tag (from 1)."""

    tag: int
    nth: int = 1


class FileAddress(NamedTuple):
    """A file: `text` as it was written, `name` as the terminal calls it, record, items."""

    text: str
    name: str
    record: int
    items: tuple[ItemAddress, ...]


def parse_addresses(text: str) -> tuple[FileAddress, ...]:
    """Read file addresses. Errors: ValueError that says what is wrong."""
    return tuple(_file(part) for part in _parts(text))


def parse_data(text: str) -> tuple[tuple[str, tuple[str, ...]], ...]:
    """Read write data: for each file its address as written, and its values in order.

    A value is what stands between two `|`; it may be empty. Errors: ValueError.
    """
    found = []
    for part in _parts(text):
        address, *values = part.split("|")
        if values and values[-1] == "":
            values.pop()
        found.append((address, tuple(values)))
    return tuple(found)


def _parts(text: str) -> list[str]:
    if not text.endswith("$"):
        raise ValueError("every file ends with $")
    return text[:-1].split("$")


def _file(part: str) -> FileAddress:
    head, *items = part.split("|")
    if items and items[-1] == "":
        items.pop()
    match = _FILE.fullmatch(head.upper())
    if match is None:
        raise ValueError(f"{head!r} is no file like SSSEEF06 or DF02EF07:01")
    directory, file, record = match.groups()
    place = "SSSE" if directory == _OLD_ROOT else directory
    wanted = tuple(_item(item) for item in items)
    return FileAddress(head, f"{place}/{file}", int(record or "1"), wanted)


def _item(text: str) -> ItemAddress:
    match = _ITEM.fullmatch(text.upper())
    if match is None:
        raise ValueError(f"{text!r} is no item like 08 or 40:02")
    return ItemAddress(int(match[1], 16), int(match[2] or "1"))
