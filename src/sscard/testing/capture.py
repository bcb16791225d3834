"""Capture: what a card gives to everybody, as a profile that makes an emulated card like it.

Reads the answer to reset and every file of the SSSE's tables that answers without a proof. The
result is TOML over the shipped profile of the card's generation. Personal data are replaced by
those of a fictional citizen, and so are serial number and region, unless one asks for them.
Keys nobody can read: the profile's are the test keys of the one it extends. The debit
application is that of the shipped profile; its records are not captured.
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from sscard.iso.apdu import Command
from sscard.iso.atr import Atr, AtrError
from sscard.iso.sw import SW
from sscard.iso.text import from_cn, from_gbk
from sscard.iso.tlv import TlvError, parse_simple
from sscard.perso.citizens import citizen
from sscard.spec.pboc import DEBIT_AID
from sscard.spec.ssse import SSSE_FID, SSSE_NAME, VERSIONS, Directory, Ef
from sscard.terminal.errors import OtherCard
from sscard.terminal.stack import Reply, layers
from sscard.transport.port import Port

__all__ = ["Capture", "capture", "to_toml"]

_CODE, _VERSION = 0x01, 0x03
_ISSUER_FILE = 0xEF05
_HOLDER_FILE, _PERSON_FILE = 0xEF06, 0xEF0D
_REFUSED_READS = (SW.SECURITY_STATUS,)
_SHAPES = {"v1": "v1", "v2": "v2-social-only", "v3": "v3"}
_WITH_BANK = {"v1": "v1", "v2": "v2", "v3": "v3"}
_OWN = (0x04, 0x05, 0x06, 0x07)
"""Items of EF05 that tell one card or person from another, given to the fictional one."""


@dataclass(slots=True)
class Capture:
    """What was seen of a card.

    `values` are the items by directory, file and tag; `rules` read rules that the card has
    otherwise than its generation's table; `missing` are directories and files the table has and
    the card has not.
    """

    atr: bytes
    generation: str
    bank: bool = False
    region: str = ""
    values: dict[tuple[int, int], dict[int, bytes]] = field(default_factory=dict)
    rules: dict[tuple[int, int], str] = field(default_factory=dict)
    missing: list[tuple[int, int]] = field(default_factory=list)


def capture(port: Port) -> Capture:
    """Read what a card gives freely. Nothing is written, no try is burnt.

    Errors: `OtherCard` for a card without an SSSE; `TransportError`.
    """
    atr = port.reset()
    if not _select(port, SSSE_NAME):
        raise OtherCard("the card has no social security environment: there is nothing to capture")
    issuer = _records(port, 0x05, 16)[0]
    version = issuer.get(_VERSION, b"")[:1].decode("ascii", "replace")
    generation = f"v{version}" if f"v{version}" in VERSIONS else "v2"
    seen = Capture(atr, generation, region=issuer.get(_CODE, b"")[:3].hex())
    for home in VERSIONS[generation]:
        _directory(port, home, seen)
    seen.bank = _select(port, DEBIT_AID)
    return seen


def _select(port: Port, name: bytes) -> bool:
    return _send(port, Command(0x00, 0xA4, 0x04, 0x00, name, 256)).sw in (
        SW.OK,
        SW.FILE_INVALIDATED,
    )


def _send(port: Port, command: Command) -> Reply:
    return layers(port).send(command)


def _directory(port: Port, home: Directory, seen: Capture) -> None:
    _select(port, SSSE_NAME)
    if home.fid != SSSE_FID:
        select = Command(0x00, 0xA4, 0x00, 0x00, home.fid.to_bytes(2), 256)
        if _send(port, select).sw != SW.OK:
            seen.missing.append((home.fid, 0))
            return
    for file in home.files:
        if file.kind == "tlv":
            _file(port, home, file, seen)


def _file(port: Port, home: Directory, file: Ef, seen: Capture) -> None:
    values, sw = _records(port, file.fid & 0x1F, len(file.items))
    place = home.fid, file.fid
    if sw == SW.FILE_NOT_FOUND:
        seen.missing.append(place)
    elif sw in _REFUSED_READS and file.read == "F":
        seen.rules[place] = "N"
    elif values:
        seen.values[place] = values
        if file.read != "F":
            seen.rules[place] = "F"


def _records(port: Port, sfi: int, most: int) -> tuple[dict[int, bytes], SW]:
    """Return a TLV file's items by tag, the first of each, and the last status word."""
    values: dict[int, bytes] = {}
    sw = SW.OK
    for number in range(1, most + 1):
        reply = _send(port, Command(0x00, 0xB2, number, sfi << 3 | 4, le=256))
        sw = SW(reply.sw)
        if sw != SW.OK:
            break
        try:
            for tag, value in parse_simple(reply.data):
                values.setdefault(tag, value)
        except TlvError:
            continue
    return values, sw


# --- the profile ------------------------------------------------------------------------------


def to_toml(seen: Capture, *, show_personal: bool = False, title: str = "Captured card") -> str:
    """Return the profile: `sscard new` takes it. `show_personal` keeps the holder's own data."""
    return "".join(f"{line}\n" for line in _lines(seen, title, show_personal=show_personal))


def _lines(seen: Capture, title: str, *, show_personal: bool) -> Iterator[str]:
    base = (_WITH_BANK if seen.bank else _SHAPES)[seen.generation]
    yield "# What the card gave to everybody; its keys are test keys."
    if not show_personal:
        yield "# Holder, numbers, region and serial are fictional."
    yield "format = 1"
    yield f"title = {_text(title)}"
    yield f"extends = {_text(base)}"
    entries = dict(_entries(seen))
    if show_personal:
        entries |= dict(_identity(seen))
    else:
        generation = int(seen.generation[1:])
        person = citizen(0, "capture").overrides(generation=generation)
        entries |= {key: str(value) for key, value in person.items()}
    if "region" in entries:
        yield f"region = {_text(entries.pop('region'))}"
    yield from _tables(entries)
    if seen.bank:
        yield ""
        yield "[pse]"
        yield 'extends = "pboc"'


def _identity(seen: Capture) -> Iterator[tuple[str, str]]:
    if seen.region.isdecimal():
        yield "region", seen.region
    try:
        yield "atr.historical", Atr.parse(seen.atr).historical.hex().upper()
    except AtrError:
        return
    for tag, value in seen.values.get((SSSE_FID, _ISSUER_FILE), {}).items():
        if tag in _OWN:
            yield f"ssse.ef.EF05.values.{tag:02X}", _value(_item(seen, tag), value)
    for file in (_HOLDER_FILE, _PERSON_FILE):
        for tag, value in seen.values.get((SSSE_FID, file), {}).items():
            yield f"ssse.ef.{file:04X}.values.{tag:02X}", _value(_item(seen, tag), value)


def _item(seen: Capture, tag: int) -> str:
    for home in VERSIONS[seen.generation]:
        for file in home.files:
            for item in file.items if home.fid == SSSE_FID else ():
                if item.tag == tag:
                    return item.type
    return "b"


def _entries(seen: Capture) -> Iterator[tuple[str, str]]:
    """Yield what is not personal: versions, rules, what is missing."""
    for (home, file), values in seen.values.items():
        if (home, file) == (SSSE_FID, _ISSUER_FILE):
            for tag, value in values.items():
                if tag not in (_CODE, *_OWN):
                    yield f"{_path(home, file)}.values.{tag:02X}", _value(_item(seen, tag), value)
    for (home, file), rule in seen.rules.items():
        yield f"{_path(home, file)}.read", rule
    for home, file in seen.missing:
        yield f"{_path(home, file)}.present", "false"


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


def _tables(entries: Mapping[str, str]) -> Iterator[str]:
    tables: dict[str, dict[str, str]] = {}
    for key, value in entries.items():
        table, _, name = key.rpartition(".")
        tables.setdefault(table, {})[name] = value
    for table in sorted(tables):
        yield ""
        yield f"[{table}]"
        for name, value in tables[table].items():
            yield f'"{name}" = {value if name == "present" else _text(value)}'


def _text(value: str) -> str:
    return json.dumps(value, ensure_ascii=False)
