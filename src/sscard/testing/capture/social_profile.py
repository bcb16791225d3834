"""The SSSE's half of a captured profile: what files gave, and what of it is shown."""

from collections.abc import Iterator
from contextlib import suppress
from typing import Final, TypeAlias, Union

from sscard.iso.sw import SW
from sscard.iso.text import from_cn, from_gbk
from sscard.iso.tlv import TlvError, parse_simple
from sscard.perso.citizens import citizen
from sscard.perso.contents import item_value
from sscard.perso.parse_keys import PIN_TRIES_MOST
from sscard.spec.items import Item
from sscard.spec.ssse import SSSE_FID, VERSIONS, Ef
from sscard.testing.capture.seen import SocialCapture

__all__ = ["Value", "Values", "entries", "notes"]

Value: TypeAlias = Union[str, bool, int, list["Value"], dict[str, "Value"]]  # noqa: UP007  (it names itself)
Values = dict[str, Value]

_ISSUER_FILE: Final = SSSE_FID, 0xEF05
_REPLACED: Final = _ISSUER_FILE, (SSSE_FID, 0xEF06), (SSSE_FID, 0xEF0D)
"""Files that the fictional citizen brings."""
_COMMON: Final = ("02", "03")
"""Items of EF05 that many cards have alike. An unknown one may be personal, and is not taken."""
_MADE: Final = (*_ISSUER_FILE, 0x01)
"""Worked out from region and serial when a card is made."""
_LIMIT: Final = 6
"""Tries of the PIN in the shipped profiles."""
_SPOILED: Final = {
    SW.CONDITIONS: "blocked: make it so with --state app-blocked-temporary",
    SW.PERMANENTLY_BLOCKED: "blocked for good: make it so with --state app-blocked-permanent",
}


def entries(seen: SocialCapture, *, show_personal: bool) -> Values:
    """Return the values by dotted name; False takes something of the base away."""
    made: Values = {}
    for place, rule in seen.rules.items():
        made[f"{_path(*place)}.read"] = rule
    for home, name in seen.names.items():
        made[f"{_path(home, 0)}.aid"] = name.hex().upper()
    for place in seen.missing:
        made[f"{_path(*place)}.present"] = False
    if seen.tries and seen.tries != _LIMIT and seen.tries <= PIN_TRIES_MOST:
        made["ssse.pin.tries_left"] = seen.tries
        made["ssse.pin.limit"] = max(seen.tries, _LIMIT)
    for place, count in seen.hidden.items():
        if count:
            blank = "00" * sum(item.length for item in _table(seen, place).items)
            made |= dict(_raw(_path(*place), [bytes.fromhex(blank)] * count))
            made[f"{_path(*place)}.record_max"] = len(blank) // 2
    if show_personal:
        if seen.region.isdecimal():
            made["region"] = seen.region
        for place in seen.records:
            made |= dict(_own(seen, place))
        for place, content in seen.contents.items():
            made[f"{_path(*place)}.content"] = content.hex().upper()
    else:
        issuer = dict(_values(seen, _ISSUER_FILE))
        made |= {key: value for key, value in issuer.items() if key[-2:] in _COMMON}
        person = citizen(0, "capture").overrides(generation=int(seen.generation[1:]))
        made |= {key: str(value) for key, value in person.items()}
    return made


def notes(seen: SocialCapture, *, show_personal: bool) -> Iterator[str]:
    """Yield what was seen and is not carried over."""
    yield "keys, PINs and whatever the SSSE gives under a condition"
    yield "the MAC of the card identification code: made anew under the test key"
    if seen.guessed:
        yield f"the generation: the card does not tell; it looks like {seen.generation}"
    for home, sw in seen.blocked.items():
        what = _SPOILED.get(sw, f"blocked: reading it was answered {sw} {sw.meaning}")
        yield f"{_name(home)} is {what}"
    if seen.tries is not None and seen.tries > PIN_TRIES_MOST:
        yield f"the {seen.tries} tries of the PIN: a profile has {PIN_TRIES_MOST} at most"
    if seen.tries == 0:
        yield "the SSSE's PIN has no tries left: make it so with --state pin-blocked"
    for place, count in seen.hidden.items():
        if count:
            yield f"the {count} records of {_label(place)}: they want a proof, and are blank here"
        else:
            yield f"records of {_label(place)}, if there are any: they want a proof"
    for place in seen.partial:
        yield f"records of {_label(place)} that the card did not give, beside others that it did"
    if not show_personal:
        hidden = [place for place in (*seen.records, *seen.contents) if place not in _REPLACED]
        if hidden:
            yield f"contents of {', '.join(map(_label, hidden))}: they may be personal"
        for place in seen.records:
            if place in _REPLACED and _tagged(seen, place) is None:
                yield f"records of {_label(place)}: they are not those of {seen.generation}"


def _own(seen: SocialCapture, place: tuple[int, int]) -> Iterator[tuple[str, Value]]:
    """Yield a file's records: readable where they are as its table has them, else as they are."""
    path, given = _path(*place), seen.records[place]
    if _table(seen, place).kind == "cyclic":
        given = given[::-1]  # record 1 is the newest; a profile begins with the oldest
        rows = [_fields(_table(seen, place).items, row) for row in given]
        told = [row for row in rows if row is not None]
        if len(told) == len(given):
            yield f"{path}.rows", [*told]
        else:
            yield from _raw(path, given)
            yield f"{path}.record_max", max(map(len, given))
    elif place not in seen.partial and _tagged(seen, place) is None:
        yield from _raw(path, given)
    else:
        yield from _values(seen, place)


def _raw(path: str, given: list[bytes]) -> Iterator[tuple[str, Value]]:
    yield f"{path}.items", ""
    yield f"{path}.content", [record.hex().upper() for record in given]


def _values(seen: SocialCapture, place: tuple[int, int]) -> Iterator[tuple[str, Value]]:
    """Yield the items of a TLV file by tag; of a tag that repeats, a list."""
    told: dict[int, list[Value]] = {}
    for item, raw in _tagged(seen, place) or ():
        value = _value(item, raw)
        if value is not None:
            told.setdefault(item.tag, []).append(value)
    for tag, values in told.items():
        if (*place, tag) != _MADE:
            several = sum(item.tag == tag for item in _table(seen, place).items) > 1
            yield f"{_path(*place)}.values.{tag:02X}", values if several else values[0]


def _tagged(seen: SocialCapture, place: tuple[int, int]) -> list[tuple[Item, bytes]] | None:
    """Return a TLV file's items with their values; None when they are not those of its table.

    Of a file that gave some records only, the items that the table has.
    """
    items = list(_table(seen, place).items)
    held = []
    for record in seen.records.get(place, ()):
        with suppress(TlvError):
            held += parse_simple(record)
    if place in seen.partial:
        return [(item, raw) for item, raw in _paired(items, held) if len(raw) == item.length]
    if [(item.tag, item.length) for item in items] != [(tag, len(raw)) for tag, raw in held]:
        return None
    return list(zip(items, (raw for _, raw in held), strict=True))


def _paired(items: list[Item], held: list[tuple[int, bytes]]) -> Iterator[tuple[Item, bytes]]:
    for tag, raw in held:
        item = next((item for item in items if item.tag == tag), None)
        if item is not None:
            items.remove(item)
            yield item, raw


def _fields(items: tuple[Item, ...], row: bytes) -> list[Value] | None:
    """Return the fields of a record without tags; None for a record of another length."""
    if not items or len(row) != sum(item.length for item in items):
        return None
    fields: list[Value] = []
    for item in items:
        raw, row = row[: item.length], row[item.length :]
        value = _value(item, raw)
        if value is None:
            return None
        fields.append(value)
    return fields


def _value(item: Item, raw: bytes) -> Value | None:
    """Return how a profile says an item: readable where it can be. None: it has no such value."""
    if item.inner:
        try:
            held = dict(parse_simple(raw))
        except TlvError:
            return None
        parts = {part.tag: _value(part, held[part.tag]) for part in item.inner if part.tag in held}
        told = {f"{tag:02X}": value for tag, value in parts.items() if value is not None}
        return dict(told) if len(told) == len(held) else None
    try:
        text = {"an": from_gbk, "cn": from_cn}[item.type](raw)
        if item_value(item, text) == raw:
            return text
    except (KeyError, ValueError):
        pass
    return f"0x{raw.hex().upper()}" if len(raw) == item.length else None


def _table(seen: SocialCapture, place: tuple[int, int]) -> Ef:
    return next(
        file
        for home in VERSIONS[seen.generation]
        for file in home.files
        if (home.fid, file.fid) == place
    )


def _name(home: int) -> str:
    return "the SSSE" if home == SSSE_FID else f"{home:04X}"


def _label(place: tuple[int, int]) -> str:
    home, file = place
    return f"{home:04X}/{file:04X}"


def _path(home: int, file: int) -> str:
    place = "ssse" if home == SSSE_FID else f"ssse.df.{home:04X}"
    return f"{place}.ef.{file:04X}" if file else place
