"""A capture as the TOML of a profile that `sscard new` takes (docs/profiles.md)."""

import json
from collections.abc import Iterator, Mapping

from sscard.iso.atr import Atr, AtrError
from sscard.iso.text import from_cn, from_gbk
from sscard.perso.citizens import citizen
from sscard.spec.ssse import SSSE_FID, VERSIONS
from sscard.testing.capture import bank_profile
from sscard.testing.capture.card import Capture
from sscard.testing.capture.social import SocialCapture

__all__ = ["to_toml"]

_COMMON = (0x02, 0x03)
"""Items of EF05 that many cards have alike. An unknown one may be personal, and is not taken."""
_ISSUER_FILE = 0xEF05
_HOLDER_FILE, _PERSON_FILE = 0xEF06, 0xEF0D
_SHAPES = {"v1": "v1", "v2": "v2-social-only", "v3": "v3"}
_WITH_BANK = {"v1": "v1", "v2": "v2", "v3": "v3"}
_BANK_ALONE = {bank_profile.BASE: "pboc-only", bank_profile.CASH_BASE: "pboc-ec"}
_OWN = (0x04, 0x05, 0x06, 0x07)
"""Items of EF05 that tell one card or person from another, given to the fictional one."""

Values = dict[str, str | bool]


def to_toml(seen: Capture, *, show_personal: bool = False, title: str = "Captured card") -> str:
    """Return the profile: `sscard new` takes it. `show_personal` keeps the holder's own data."""
    return "".join(f"{line}\n" for line in _lines(seen, title, show_personal=show_personal))


def _lines(seen: Capture, title: str, *, show_personal: bool) -> Iterator[str]:
    yield "# What the card gave to everybody; its keys are test keys."
    if not show_personal:
        yield "# Holder, numbers, region and serial are fictional."
    for note in _notes(seen, show_personal=show_personal):
        yield f"# Not captured: {note}."
    yield "format = 1"
    yield f"title = {_text(title)}"
    yield f"extends = {_text(_base(seen))}"
    entries: Values = {}
    if seen.social is not None:
        entries |= _social(seen.social, seen.atr, show_personal=show_personal)
    elif show_personal:
        entries |= _historical(seen.atr)
    if seen.bank is not None:
        if seen.social is not None:
            entries["pse.extends"] = bank_profile.base_of(seen.bank)
        if bank_profile.base_of(seen.bank) == bank_profile.CASH_BASE:
            entries["options.electronic_cash"] = "on"
        entries |= bank_profile.entries(seen.bank, show_personal=show_personal)
    if "region" in entries:
        yield f"region = {_text(str(entries.pop('region')))}"
    yield from _tables(entries)


def _base(seen: Capture) -> str:
    if seen.social is None:
        return _BANK_ALONE[bank_profile.base_of(seen.bank)] if seen.bank is not None else ""
    return (_SHAPES if seen.bank is None else _WITH_BANK)[seen.social.generation]


def _notes(seen: Capture, *, show_personal: bool) -> Iterator[str]:
    if seen.cut:
        yield f"the bank's application, for the card was gone: {seen.cut}"
    if seen.social is not None:
        yield "keys, PINs and whatever the SSSE gives under a condition"
        hidden = [*seen.social.contents, *seen.social.rows]
        if hidden and not show_personal:
            names = ", ".join(f"{home:04X}/{file:04X}" for home, file in hidden)
            yield f"contents of {names}: they may be personal"
    if seen.bank is not None:
        yield from bank_profile.notes(seen.bank)


# --- the social side ----------------------------------------------------------------------------


def _social(seen: SocialCapture, atr: bytes, *, show_personal: bool) -> Values:
    entries = Values(_entries(seen))
    if show_personal:
        return entries | _historical(atr) | Values(_identity(seen)) | Values(_contents(seen))
    generation = int(seen.generation[1:])
    person = citizen(0, "capture").overrides(generation=generation)
    return entries | {key: str(value) for key, value in person.items()}


def _historical(atr: bytes) -> Values:
    try:
        return {"atr.historical": Atr.parse(atr).historical.hex().upper()}
    except AtrError:
        return {}


def _identity(seen: SocialCapture) -> Iterator[tuple[str, str]]:
    if seen.region.isdecimal():
        yield "region", seen.region
    for tag, value in seen.values.get((SSSE_FID, _ISSUER_FILE), {}).items():
        if tag in _OWN:
            yield f"ssse.ef.EF05.values.{tag:02X}", _value(_item(seen, tag), value)
    for file in (_HOLDER_FILE, _PERSON_FILE):
        for tag, value in seen.values.get((SSSE_FID, file), {}).items():
            yield f"ssse.ef.{file:04X}.values.{tag:02X}", _value(_item(seen, tag), value)


def _contents(seen: SocialCapture) -> Iterator[tuple[str, str]]:
    for (home, file), content in seen.contents.items():
        yield f"{_path(home, file)}.content", content.hex().upper()


def _item(seen: SocialCapture, tag: int) -> str:
    for home in VERSIONS[seen.generation]:
        for file in home.files:
            for item in file.items if home.fid == SSSE_FID else ():
                if item.tag == tag:
                    return item.type
    return "b"


def _entries(seen: SocialCapture) -> Iterator[tuple[str, str | bool]]:
    """Yield what is not personal: versions, rules, what is missing."""
    for (home, file), values in seen.values.items():
        if (home, file) == (SSSE_FID, _ISSUER_FILE):
            for tag, value in values.items():
                if tag in _COMMON:
                    yield f"{_path(home, file)}.values.{tag:02X}", _value(_item(seen, tag), value)
    for (home, file), rule in seen.rules.items():
        yield f"{_path(home, file)}.read", rule
    for home, file in seen.missing:
        yield f"{_path(home, file)}.present", False


def _path(home: int, file: int) -> str:
    place = "ssse" if home == SSSE_FID else f"ssse.df.{home:04X}"
    return f"{place}.ef.{file:04X}" if file else place


def _value(kind: str, value: bytes) -> str:
    try:
        if kind == "an":
            return from_gbk(value).rstrip("\0 ")
        if kind == "cn":
            return from_cn(value)
    except ValueError:
        pass
    return value.hex().upper()


# --- the text -----------------------------------------------------------------------------------


def _tables(entries: Mapping[str, str | bool]) -> Iterator[str]:
    tables: dict[str, dict[str, str | bool]] = {}
    for key, value in entries.items():
        table, _, name = key.rpartition(".")
        tables.setdefault(table, {})[name] = value
    for table in sorted(tables):
        yield ""
        yield f"[{table}]"
        for name, value in tables[table].items():
            yield f'"{name}" = {"false" if value is False else _text(str(value))}'


def _text(value: str) -> str:
    return json.dumps(value, ensure_ascii=False)
