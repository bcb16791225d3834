"""Single stored values by name: what `eeprom` lines of a script compare (docs/apdu-script.md).

`stored(image, "pin.tries_left")` reads the image as it stands once a pending transaction is
replayed, with no card and no power. States are their names, counters numbers, keys nobody's.
Source: cos 2.5.
"""

from collections.abc import Callable
from typing import Any, Final

from sscard.apps.pse.application import DATA_FILE
from sscard.apps.pse.layout import Body, Counters
from sscard.cos.eeprom import PAGE_SIZE
from sscard.cos.layout import Block, CardState, DomainHeader
from sscard.cos.objects import KeyRecord, KeyType, Kind
from sscard.cos.tree import FileNode
from sscard.errors import ScriptError
from sscard.inspect.contents import Contents, Environment, key_slots, records_of

__all__ = ["Value", "stored"]

Value = int | bytes | str | bool

_DOMAINS: Final = {"cm": 0, "ssse": 1, "pse": 2}
_HEADER: Final[dict[str, Callable[[DomainHeader], Value]]] = {
    "state": lambda header: header.state.name,
    "block": lambda header: header.block.name,
    "quota": lambda header: header.pages * PAGE_SIZE,
    "mac_left": lambda header: header.mac_left,
    "unblock_left": lambda header: header.unblock_left,
}
_CARD: Final[dict[str, Callable[[CardState], Value]]] = {
    "lcs": lambda state: state.life_cycle.name,
    "domains": lambda state: state.domains,
    "tk": lambda state: state.tk_state.name,
    "tk_left": lambda state: state.tk_left,
}
_KEY: Final[dict[str, Callable[[KeyRecord], Value]]] = {
    "tries_left": lambda key: key.tries_left,
    "tries_max": lambda key: key.tries_max,
    "version": lambda key: key.version,
    "algorithm": lambda key: key.algorithm,
    "grant": lambda key: key.grant,
    "flags": lambda key: key.flags,
    "kcv": lambda key: key.kcv,
}
_DEBIT: Final[dict[str, Callable[[Counters], Value]]] = {
    "atc": lambda counters: counters.atc,
    "last_online_atc": lambda counters: counters.last_online_atc,
    "offline_amount": lambda counters: counters.amount,
    "indicators": lambda counters: int(counters.indicators),
    "script_count": lambda counters: counters.script_count,
}


def stored(image: bytes | bytearray, path: str) -> Value:
    """Return the value stored under `path`.

    Errors: ScriptError for a path that names nothing, saying what there is at that place;
    ImageError for bytes that are no image.
    """
    contents = Contents.read(image)
    place, *rest = path.split(".")
    if place == "card":
        return _field(_CARD, rest, contents.card, "the card")
    if place == "pin":
        place, rest = "ssse", path.split(".")
    if place not in _DOMAINS:
        raise ScriptError(f"{place!r} is no place; there are: card, pin, {', '.join(_DOMAINS)}")
    environment = _environment(contents, place)
    root = environment.tree.root
    if rest == ["free"]:
        return environment.tree.free
    if place == "pse" and root is not None and rest[:1] and rest[0] in _DEBIT:
        return _field(_DEBIT, rest, _counters(contents.memory, root), "the debit application")
    if len(rest) < 2 or root is None:
        return _field(_HEADER, rest, environment.header, place)
    return _below(contents.memory, root, rest)


def _environment(contents: Contents, place: str) -> Environment:
    for environment in contents.environments:
        if environment.entry.domain == _DOMAINS[place]:
            return environment
    raise ScriptError(f"the card has no {place}")


def _below(memory: bytes, directory: FileNode, path: list[str]) -> Value:
    """Return a value in a directory: of a directory below it, of a key, or of a file."""
    word, *rest = path
    if word == "pin":
        return _field(_KEY, rest, _pin(memory, directory), "a PIN")
    if word == "key" and len(rest) == 3:
        return _field(_KEY, rest[2:], _key(memory, directory, rest[0], rest[1]), "a key")
    node = _child(directory, word)
    if node is None:
        held = ", ".join(f"{child.fid:04X}" for child in directory.children)
        raise ScriptError(f"{word!r}: there are pin, key.TYPE.ID and {held}")
    if node.is_directory and rest == ["block"]:
        return Block(memory[node.body]).name
    if node.is_directory and rest:
        return _below(memory, node, rest)
    return _file_value(memory, node, rest)


def _child(directory: FileNode, word: str) -> FileNode | None:
    try:
        return directory.child(int(word, 16)) if len(word) == 4 else None
    except ValueError:
        return None


# --- keys ---------------------------------------------------------------------------------


def _keys(memory: bytes, directory: FileNode) -> list[KeyRecord]:
    return [] if directory.key_file is None else key_slots(memory, directory.key_file)


def _key(memory: bytes, directory: FileNode, kind: str, identifier: str) -> KeyRecord:
    for key in _keys(memory, directory):
        if (f"{key.type:02X}", f"{key.id:02X}") == (kind.upper(), identifier.upper()):
            return key
    raise ScriptError(f"no key of type {kind} and id {identifier} in {directory.fid:04X}")


def _pin(memory: bytes, directory: FileNode) -> KeyRecord:
    """Return the PIN of a directory, or the first of those below it."""
    below = (node for node in directory.descendants() if node.is_directory)
    for place in (directory, *below):
        for key in _keys(memory, place):
            if key.type == KeyType.PIN:
                return key
    raise ScriptError(f"no PIN in {directory.fid:04X}")


def _counters(memory: bytes, root: FileNode) -> Counters:
    """Return the counters of the first application below the PSE (pse-pboc 5.1)."""
    for directory in root.children:
        data = directory.child(DATA_FILE)
        if data is not None:
            return Body.parse(memory[data.body : data.body + data.header.body_length]).counters
    raise ScriptError("the PSE has no debit application")


# --- files --------------------------------------------------------------------------------


def _file_value(memory: bytes, node: FileNode, path: list[str]) -> Value:
    if not node.is_directory and not node.is_secret:
        if node.kind == Kind.TRANSPARENT and path == ["data"]:
            return memory[node.body : node.body + node.header.capacity]
        if node.kind != Kind.TRANSPARENT:
            records = records_of(memory, node)
            if path == ["count"]:
                return len(records)
            if len(path) == 2 and path[0] == "record" and path[1].isdecimal():
                number = int(path[1])
                if not 1 <= number <= len(records):
                    raise ScriptError(f"{node.fid:04X} has {len(records)} records, no {number}")
                return records[number - 1].data
    allowed = "data of a transparent file, count and record.N of a record file"
    raise ScriptError(f"{'.'.join(path) or 'nothing'} of {node.fid:04X}: there are {allowed}")


# --- the ends of paths ----------------------------------------------------------------------


def _field(
    fields: dict[str, Callable[[Any], Value]], path: list[str], record: Any, place: str
) -> Value:
    if len(path) != 1 or path[0] not in fields:
        raise ScriptError(f"{place} has {', '.join(fields)}; not {'.'.join(path) or 'nothing'}")
    if record is None:
        raise ScriptError(f"{place} cannot be read: its page is damaged")
    return fields[path[0]](record)
