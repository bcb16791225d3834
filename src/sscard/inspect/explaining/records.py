"""Records of the SSSE: one tag, its Chinese and English names, its typed value (ssse-lb002 2).

A tag means what its directory says. Without a directory the first one that has the tag with
this length is taken. The holder's texts are marked secret.
"""

from collections.abc import Iterator
from typing import NamedTuple

from sscard.inspect.explanation import Explanation
from sscard.iso.text import from_cn, from_gbk
from sscard.iso.tlv import TlvError, parse_simple
from sscard.spec.checks import is_card_number, is_id_number
from sscard.spec.items import Item
from sscard.spec.ssse import ITEM_NAMES, RID, SSSE_FID, VERSIONS, Directory, Ef

__all__ = ["explain_item", "explain_record", "is_record"]

_ISSUER_FILE = 0xEF05
_CARD_ID, _NUMBER, _ID_NUMBER, _BIRTH, _SEX, _CATEGORY = 0x01, 0x07, 0x08, 0x0D, 0x0A, 0x02
_TEXT_SHOWN = 4
"""Texts of the holder longer than this are personal: names, numbers, addresses."""
_SEXES = {"1": "male", "2": "female"}
_CATEGORIES = {"1": "without financial function", "3": "with financial function"}


class _Place(NamedTuple):
    directory: Directory
    file: Ef
    item: Item


def is_record(data: bytes) -> bool:
    """Whether `data` are one or more TLVs with tags and lengths of the SSSE's files."""
    try:
        objects = parse_simple(data)
    except TlvError:
        return False
    return bool(objects) and all(_place(tag, len(value), None) for tag, value in objects)


def explain_record(data: bytes, directory: int | None = None) -> tuple[Explanation, ...]:
    """Explain the TLVs of a record; `directory` is the FID they come from, if known.

    Errors: TlvError when `data` are no simple TLVs. Source: ssse-lb002 2.2-2.4.
    """
    return tuple(explain_item(tag, value, directory) for tag, value in parse_simple(data))


def explain_item(tag: int, value: bytes, directory: int | None = None) -> Explanation:
    """Explain one data item of the SSSE."""
    place = _place(tag, len(value), directory)
    if place is None:
        return Explanation(f"tag {tag:02X}", "not an item of the social security tables", value)
    home, file, item = place
    label = f"tag {tag:02X}"
    names = ITEM_NAMES.get((home.fid, tag), ("", ""))
    label = " ".join(part for part in (label, *names) if part)
    ref = f"ssse-lb002 {'2.3' if home.fid == SSSE_FID else '2.4'}, {home.fid:04X}/{file.fid:04X}"
    if item.inner:
        return Explanation(label, "", value, _inner(item, value), ref)
    parts = _card_id(value) if (home.fid, tag) == (SSSE_FID, _CARD_ID) else ()
    secret = _is_personal(place)
    return Explanation(label, _words(place, value), value, parts, ref, secret)


def _place(tag: int, length: int, directory: int | None) -> _Place | None:
    loose: _Place | None = None
    for place in _places():
        if place.item.tag != tag or directory not in (None, place.directory.fid):
            continue
        if place.item.length == length:
            return place
        loose = loose or place
    return loose if directory is not None else None


def _places() -> Iterator[_Place]:
    for version in ("v2", "v1"):
        for directory in VERSIONS[version]:
            for file in directory.files:
                if file.kind == "tlv":
                    for item in file.items:
                        yield _Place(directory, file, item)


def _inner(item: Item, value: bytes) -> tuple[Explanation, ...]:
    try:
        objects = parse_simple(value)
    except TlvError as error:
        return (Explanation("value", f"malformed: {error}", value),)
    types = {part.tag: part.type for part in item.inner}
    return tuple(
        Explanation(
            f"tag {tag:02X}",
            _typed(types.get(tag, "b"), content),
            content,
            secret=types.get(tag) == "an" and len(content) > _TEXT_SHOWN,
        )
        for tag, content in objects
    )


def _is_personal(place: _Place) -> bool:
    directory, file, item = place
    if directory.fid == SSSE_FID and file.fid == _ISSUER_FILE:
        return False
    if (directory.fid, item.tag) == (SSSE_FID, _BIRTH):
        return True
    return item.type == "an" and item.length > _TEXT_SHOWN


def _words(place: _Place, value: bytes) -> str:
    words = _typed(place.item.type, value)
    if place.directory.fid != SSSE_FID:
        return words
    match place.item.tag:
        case 0x07:
            good = "right" if is_card_number(words) else "wrong"
            return f"{words}, check character {good}"
        case 0x08:
            good = "right" if is_id_number(words) else "wrong"
            return f"{words}, check digit {good}"
        case 0x02:
            return f"{words} {_CATEGORIES.get(words, '')}".rstrip()
        case 0x0A:
            return f"{words} {_SEXES.get(words, '')}".rstrip()
        case 0x05 | 0x06 | 0x0D if len(words) == 8:
            return f"{words[:4]}-{words[4:6]}-{words[6:]}"
        case 0x01:
            return ""
        case _:
            return words


def _typed(kind: str, value: bytes) -> str:
    if not value.strip(value[:1]) and value[:1] in (b"\x00", b"\xff"):
        return "not set"
    try:
        match kind:
            case "an":
                text = from_gbk(value).rstrip("\0 ")
                return text if text.isprintable() else ""
            case "cn":
                return from_cn(value)
            case "dec" | "hex":
                return f"{int.from_bytes(value, 'big')} fen"
            case _:
                return ""
    except ValueError:
        return "not of its format"


def _card_id(value: bytes) -> tuple[Explanation, ...]:
    """The card identification code (ssse-lb002 1.2)."""
    if len(value) != 16:
        return ()
    rid = "social security RID" if value[3:8] == RID else "unknown RID"
    return (
        Explanation("region", value[:3].hex(), value[:3]),
        Explanation("RID", rid, value[3:8]),
        Explanation("serial", "last 4 bytes of the ATR", value[8:12]),
        Explanation("MAC", "by the IRK over the 12 bytes before", value[12:]),
    )
