"""Data items of record files: one notation for the file tables and for profiles (ssse-lb002 2.2).

`"20 an 02, 21 an 50"` lists items in record order as tag, type, length, all numbers hex.
`"3* 40 {57 an 03, 58 cn 03}"` is a constructed item (B-TLV) that occupies three records of one
tag; its length follows from its parts. In a cyclic file the items are the fields of one record
and the tag may be left out: `"an 07, cn 04"`.
"""

import re
from collections.abc import Iterator
from typing import NamedTuple

__all__ = ["TYPES", "Item", "parse_items", "render_items"]

TYPES = ("an", "cn", "b", "dec", "hex")
"""Formats: text, BCD digits, binary, and unsigned binary amounts under two names."""


class Item(NamedTuple):
    """A data item: `tag` (0 for an untagged field), `type`, `length` in bytes, inner items.

    `type` is one of TYPES, or "tlv" for a constructed item, whose length counts the tag and
    length bytes of its `inner` items.
    """

    tag: int
    type: str
    length: int
    inner: tuple["Item", ...] = ()


_ITEM = re.compile(
    r"""\s*(?:(?P<times>\d+)\*\s*)?
    (?:(?P<tag>[0-9A-Fa-f]{2})\s+)?
    (?:(?P<type>[a-z]+)\s+(?P<length>[0-9A-Fa-f]{1,4})|\{(?P<inner>[^{}]*)\})
    \s*(?:,|$)""",
    re.VERBOSE,
)


def parse_items(text: str) -> tuple[Item, ...]:
    """Parse the notation above; repeated items come out once per record.

    Errors: ValueError with the text that could not be read.
    """
    return tuple(_items(text))


def _items(text: str) -> Iterator[Item]:
    at = 0
    text = text.strip()
    while at < len(text):
        match = _ITEM.match(text, at)
        if match is None:
            raise ValueError(f"cannot read the data item at {text[at : at + 24]!r}")
        at = match.end()
        tag = int(match["tag"] or "0", 16)
        if match["inner"] is not None:
            inner = parse_items(match["inner"])
            item = Item(tag, "tlv", sum(2 + part.length for part in inner), inner)
        elif match["type"] in TYPES:
            item = Item(tag, match["type"], int(match["length"], 16))
        else:
            raise ValueError(f"{match['type']!r} is not a type of data item: {', '.join(TYPES)}")
        for _ in range(int(match["times"] or "1")):
            yield item


def render_items(items: tuple[Item, ...]) -> str:
    """Return the notation of `items`; the mirror of `parse_items` (repeats are spelled out)."""
    return ", ".join(
        (f"{item.tag:02X} " if item.tag else "")
        + ("{" + render_items(item.inner) + "}" if item.inner else f"{item.type} {item.length:02X}")
        for item in items
    )
