"""A capture as the TOML of a profile that `sscard new` takes (docs/profiles.md)."""

import json
from collections.abc import Iterator, Mapping

from sscard.iso.atr import Atr, AtrError
from sscard.testing.capture import bank_profile, social_profile
from sscard.testing.capture.seen import BankCapture, Capture, SocialCapture

__all__ = ["to_toml"]

_SHAPES = {"v1": "v1", "v2": "v2-social-only", "v3": "v3"}
_WITH_BANK = {"v1": "v1", "v2": "v2", "v3": "v3"}
_NATIONAL = "v1-ssf33"
_BANK_ALONE = {bank_profile.BASE: "pboc-only"}
"""A card without the social side: what it extends, if that is not the application's profile."""
_DEAD = {"SSSE": "--state card-blocked", "PSE": "--state pse-card-blocked"}


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
    entries: social_profile.Values = {}
    if seen.social is not None:
        entries |= social_profile.entries(seen.social, show_personal=show_personal)
    if show_personal:
        entries |= _historical(seen.atr)
    if "PSE" in seen.dead and seen.bank is None:
        entries["pse.extends"] = bank_profile.BASE
    if seen.bank is not None:
        if seen.social is not None or "SSSE" in seen.dead:
            entries["pse.extends"] = bank_profile.base_of(seen.bank)
        whole = not seen.cut
        entries |= bank_profile.entries(seen.bank, show_personal=show_personal, whole=whole)
    if "region" in entries:
        yield f"region = {_text(str(entries.pop('region')))}"
    yield from _tables(entries)


def _base(seen: Capture) -> str:
    """Return the shipped profile with the applications the card has, dead ones among them."""
    if seen.social is None and "SSSE" not in seen.dead:
        base = bank_profile.base_of(seen.bank or BankCapture())
        return _BANK_ALONE.get(base, base)
    social = seen.social or SocialCapture()
    if (social.generation, social.national) == ("v1", True):
        return _NATIONAL
    generation = social.generation
    alone = seen.bank is None and "PSE" not in seen.dead
    return (_SHAPES if alone else _WITH_BANK)[generation]


def _notes(seen: Capture, *, show_personal: bool) -> Iterator[str]:
    if seen.cut:
        yield f"what the card gives from {seen.at} on, for reading ended there: {seen.cut}"
    for environment in seen.dead:
        yield f"{environment}: its SELECT was answered 6A81. If it is blocked: {_DEAD[environment]}"
    if seen.social is not None:
        yield from social_profile.notes(seen.social, show_personal=show_personal)
    if seen.bank is not None:
        yield from bank_profile.notes(seen.bank)


def _historical(atr: bytes) -> social_profile.Values:
    try:
        return {"atr.historical": Atr.parse(atr).historical.hex().upper()}
    except AtrError:
        return {}


# --- the text -----------------------------------------------------------------------------------


def _tables(entries: Mapping[str, social_profile.Value]) -> Iterator[str]:
    tables: dict[str, dict[str, social_profile.Value]] = {}
    for key, value in entries.items():
        table, _, name = key.rpartition(".")
        tables.setdefault(table, {})[name] = value
    for table in sorted(tables):
        yield ""
        yield f"[{table}]"
        for name, value in tables[table].items():
            yield f'"{name}" = {_toml(value)}'


def _toml(value: social_profile.Value) -> str:
    """Return a value as TOML, in which text is written as in JSON."""
    if isinstance(value, list):
        return f"[{', '.join(map(_toml, value))}]"
    if isinstance(value, dict):
        return f"{{ {', '.join(f'{_text(key)} = {_toml(held)}' for key, held in value.items())} }}"
    if isinstance(value, bool):
        return str(value).lower()
    return _text(value) if isinstance(value, str) else str(value)


def _text(value: str) -> str:
    return json.dumps(value, ensure_ascii=False)
