"""The options page: which of the reference's open choices this card's COS makes.

A real card has its choices in ROM; an emulated one must carry them with its image, or a copy
would behave differently from the original. Page 6, which cos 2.5 reserves as FF, holds the
choices that differ from the defaults; a card of defaults leaves it erased (ADR 0004).
"""

from collections.abc import Mapping

from sscard.cos.layout import PAGE_SIZE, LayoutError, sealed
from sscard.spec.options import BY_NAME, BY_NUMBER, DEFAULTS

__all__ = ["OPTIONS_PAGE", "build", "parse"]

OPTIONS_PAGE = 6

_MAGIC = b"OP\x01"
_BLANK = b"\xff" * PAGE_SIZE


def build(options: Mapping[str, str]) -> bytes:
    """Return the page for these options: `"OP" 01 n` and n pairs (number, index of the value).

    Raises LayoutError for an unknown name or value, and when more than 28 differ.
    """
    pairs = bytearray()
    count = 0
    for name, value in sorted(options.items(), key=lambda item: _number(item[0])):
        option = BY_NAME[name]
        if value not in option.values:
            raise LayoutError(f"option {name} is one of {', '.join(option.values)}, not {value}")
        if value != option.values[0]:
            pairs += bytes((option.number, option.values.index(value)))
            count += 1
    if not count:
        return _BLANK
    return sealed(_MAGIC + bytes((count,)) + pairs)


def parse(page: bytes) -> dict[str, str]:
    """Return every option with its value; the mirror of `build`. Raises LayoutError."""
    options = dict(DEFAULTS)
    if page == _BLANK:
        return options
    if page[:3] != _MAGIC or page[3] > 28:
        raise LayoutError("not a valid options page: magic or count")
    body = page[4 : 4 + 2 * page[3]]
    for number, index in zip(body[::2], body[1::2], strict=True):
        option = BY_NUMBER.get(number)
        if option is None or index >= len(option.values):
            raise LayoutError(f"options page: unknown option {number} or value {index}")
        options[option.name] = option.values[index]
    if build(options) != page:
        raise LayoutError("not a valid options page: order, filler or CRC")
    return options


def _number(name: str) -> int:
    if name not in BY_NAME:
        raise LayoutError(f"unknown option {name}; known are {', '.join(sorted(BY_NAME))}")
    return BY_NAME[name].number
