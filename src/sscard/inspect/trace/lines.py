"""The JSON lines of a trace, format 1 (docs/traces.md): strict reading, the same text back.

An unknown member, a missing one, a value of another type, or another format number is an error
that names the line. Every entry's `parse` and `build` stand side by side in one table.
"""

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from sscard.errors import SscardError
from sscard.inspect.trace.entries import (
    FORMAT,
    Apdu,
    Commit,
    Entry,
    Failure,
    Header,
    Mute,
    Power,
    Random,
    Recovery,
    Refused,
    Trace,
    Write,
)
from sscard.inspect.trace.octets import Octets

__all__ = ["TraceError", "dump_entry", "dump_header", "dumps", "load", "loads"]

_MAGIC = "trace"
_SOURCES = ("card", "port", "slot", "relay")
_INTERFACES = ("contact", "contactless")
_CHANGES = ("on", "reset", "off")
_KINDS = ("erase", "program", "byte")


class TraceError(SscardError):
    """A file is no trace of this format, or a trace cannot be used for what was asked."""


class _Field(NamedTuple):
    """How a member is read and written; an optional one is left out when it has its default."""

    read: Callable[[Any], Any]
    write: Callable[[Any], Any]
    optional: bool = False


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError("is text")
    return value


def _number(value: Any) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or value < 0:
        raise TypeError("is a whole number from 0 on")
    return value


def _flag(value: Any) -> bool:
    if not isinstance(value, bool):
        raise TypeError("is true or false")
    return value


def _one_of(*words: str) -> Callable[[Any], str]:
    def read(value: Any) -> str:
        if value not in words:
            raise TypeError(f"is one of {', '.join(words)}")
        return str(value)

    return read


def _octets(value: Any) -> Octets:
    return Octets.parse(_text(value))


def _bytes(value: Any) -> bytes:
    octets = _octets(value)
    if not octets.whole:
        raise TypeError("is never masked")
    return octets.data


def _pages(value: Any) -> tuple[int, ...]:
    if not isinstance(value, list):
        raise TypeError("is a list of page numbers")
    return tuple(_number(page) for page in value)


def _refused(value: Any) -> Refused:
    if not isinstance(value, dict) or set(value) != {"why", "ref"}:
        raise TypeError("has the members why and ref")
    return Refused(_text(value["why"]), _text(value["ref"]))


def _hex(value: bytes) -> str:
    return value.hex().upper()


def _same(value: Any) -> Any:
    return value


_TEXT = _Field(_text, _same)
_OPTIONAL_TEXT = _Field(_text, _same, optional=True)
_NUMBER = _Field(_number, _same)
_OPTIONAL_NUMBER = _Field(_number, _same, optional=True)
_OCTETS = _Field(_octets, str)
_OPTIONAL_OCTETS = _Field(_octets, str, optional=True)
_PAGES = _Field(_pages, list)

_HEADER: Mapping[str, _Field] = {
    "source": _Field(_one_of(*_SOURCES), _same),
    "masked": _Field(_flag, _same),
    "title": _OPTIONAL_TEXT,
}
_ENTRIES: Mapping[str, tuple[type[Any], Mapping[str, _Field]]] = {
    "power": (
        Power,
        {
            "change": _Field(_one_of(*_CHANGES), _same),
            "atr": _Field(_bytes, _hex, optional=True),
            "at_us": _OPTIONAL_NUMBER,
            "interface": _Field(_one_of(*_INTERFACES), _same, optional=True),
        },
    ),
    "apdu": (
        Apdu,
        {
            "command": _OCTETS,
            "response": _OCTETS,
            "domain": _OPTIONAL_NUMBER,
            "applet": _OPTIONAL_TEXT,
            "refused": _Field(_refused, lambda value: value._asdict(), optional=True),
            "elapsed_us": _OPTIONAL_NUMBER,
            "operations": _OPTIONAL_NUMBER,
            "at_us": _OPTIONAL_NUMBER,
            "sent": _OPTIONAL_OCTETS,
            "answered": _OPTIONAL_OCTETS,
        },
    ),
    "write": (
        Write,
        {"kind": _Field(_one_of(*_KINDS), _same), "address": _NUMBER, "data": _OCTETS},
    ),
    "commit": (Commit, {"domain": _NUMBER, "pages": _PAGES}),
    "recovery": (Recovery, {"domain": _NUMBER, "pages": _PAGES}),
    "random": (Random, {"domain": _NUMBER, "value": _Field(_bytes, _hex)}),
    "mute": (Mute, {"why": _TEXT}),
    "failure": (Failure, {"command": _OCTETS, "error": _TEXT, "why": _TEXT}),
}
_NAMES = {kind: name for name, (kind, _) in _ENTRIES.items()}


# --- writing ------------------------------------------------------------------------------


def dump_header(header: Header) -> str:
    """Return the first line, without its end."""
    return _json({"sscard": _MAGIC, "format": FORMAT, **_members(header, _HEADER)})


def dump_entry(entry: Entry) -> str:
    """Return the line of an entry, without its end."""
    name = _NAMES[type(entry)]
    return _json({"event": name, **_members(entry, _ENTRIES[name][1])})


def dumps(trace: Trace) -> str:
    """Return a trace as the text of its file."""
    lines = [dump_header(trace.header), *map(dump_entry, trace.entries)]
    return "".join(f"{line}\n" for line in lines)


def _json(members: dict[str, Any]) -> str:
    return json.dumps(members, ensure_ascii=False)


def _members(value: Any, fields: Mapping[str, _Field]) -> dict[str, Any]:
    members = {}
    for name, field in fields.items():
        member = getattr(value, name)
        if not (field.optional and (member is None or member in ("", b""))):
            members[name] = field.write(member)
    return members


# --- reading ------------------------------------------------------------------------------


def load(path: str | Path) -> Trace:
    """Read the trace in a file. Errors: TraceError, OSError."""
    try:
        text = Path(path).read_text(encoding="utf-8")
    except UnicodeDecodeError as wrong:
        raise TraceError(f"{path}: not UTF-8 text at byte {wrong.start}") from None
    return loads(text, str(path))


def loads(text: str, name: str = "trace") -> Trace:
    """Read a trace from its text; `name` is for messages. Errors: TraceError."""
    numbered = enumerate(text.splitlines(), 1)
    first = next(numbered, (1, ""))[1]
    header = _header(_object(first, f"{name}, line 1"), f"{name}, line 1")
    entries = tuple(_read_all(numbered, name))
    if header.masked and any(isinstance(entry, Write) and entry.data.whole for entry in entries):
        raise TraceError(f"{name}: a masked trace shows what was written to the EEPROM")
    return Trace(header, entries)


def _read_all(numbered: Iterable[tuple[int, str]], name: str) -> Iterator[Entry]:
    for number, line in numbered:
        where = f"{name}, line {number}"
        members = _object(line, where)
        kind = members.pop("event", None)
        if kind not in _ENTRIES:
            raise TraceError(f"{where}: an event is one of {', '.join(_ENTRIES)}, not {kind!r}")
        make, fields = _ENTRIES[kind]
        yield make(**_values(members, fields, f"{where}: {kind}"))


def _object(line: str, where: str) -> dict[str, Any]:
    try:
        members = json.loads(line, object_pairs_hook=_once)
    except ValueError as error:
        raise TraceError(f"{where}: no line of a trace, which is JSON: {error}") from None
    if not isinstance(members, dict):
        raise TraceError(f"{where}: not a JSON object")
    return members


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise ValueError("a member stands twice")
    return members


def _header(members: dict[str, Any], where: str) -> Header:
    if members.pop("sscard", None) != _MAGIC:
        raise TraceError(f"{where}: not a trace of sscard")
    number = members.pop("format", None)
    if number != FORMAT or isinstance(number, bool):
        raise TraceError(f"{where}: format {number!r}; this version reads format {FORMAT}")
    return Header(**_values(members, _HEADER, where))


def _values(members: dict[str, Any], fields: Mapping[str, _Field], where: str) -> dict[str, Any]:
    unknown = set(members) - set(fields)
    if unknown:
        raise TraceError(f"{where} has no member {', '.join(sorted(unknown))}")
    missing = [name for name, field in fields.items() if not field.optional and name not in members]
    if missing:
        raise TraceError(f"{where} lacks {', '.join(missing)}")
    values = {}
    for name, value in members.items():
        try:
            values[name] = fields[name].read(value)
        except (TypeError, ValueError) as error:
            raise TraceError(f"{where}: {name}: {error}") from None
    return values
