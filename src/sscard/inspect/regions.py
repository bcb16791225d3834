"""Every byte of an image with its name: the annotations of `dump` and the fields of `diff`.

A region is a field of a schema, a record, a key slot's field, the data of a file. Values are
rendered by the schemas; key values, PINs and whatever a domain keeps for itself are secret.
"""

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

from construct import Construct

from sscard.cos.eeprom import PAGE_SIZE
from sscard.cos.layout import Superblock
from sscard.cos.objects import HEADER_SIZE, KEY_RECORD_SIZE, KeyType, Kind
from sscard.cos.options import OPTIONS_PAGE
from sscard.cos.tree import FileNode
from sscard.inspect.contents import Contents, records_of
from sscard.inspect.names import (
    access_words,
    algorithm_name,
    domain_name,
    key_type_name,
    protection_words,
    tries_words,
)
from sscard.inspect.ring import RingKind, transaction_at
from sscard.inspect.schemas import image as schemas
from sscard.inspect.schemas.fields import fields_of

__all__ = [
    "Region",
    "object_path",
    "object_regions",
    "regions_of",
    "ring_regions",
    "static_regions",
]

_SECRET_FIELDS = frozenset(("tk", "value"))
_PREFIX = 2


def _hex(digits: int) -> Callable[[Any], str]:
    return lambda value: f"{int(value):0{digits}X}"


_WORDS: dict[str, Callable[[Any], str]] = {
    "access": lambda words: "; ".join(access_words(word) for word in words),
    "use": access_words,
    "change": access_words,
    "type": key_type_name,
    "algorithm": algorithm_name,
    "tk_alg": algorithm_name,
    "tries": tries_words,
    "sm_read": protection_words,
    "sm_write": protection_words,
    "domain": domain_name,
    "fid": _hex(4),
    "fci_fid": _hex(4),
    "parent": _hex(5),
    "ddf": _hex(5),
    "crc": _hex(8),
    "payload_crc": _hex(8),
}
"""How fields say what they hold, where a number would not."""


class Region(NamedTuple):
    """Bytes `start` to `stop` of the image: whose they are, what they are called and say."""

    start: int
    stop: int
    owner: str
    name: str
    text: str
    secret: bool = False


def regions_of(contents: Contents) -> list[Region]:
    """Return all annotated regions of an image in order of address."""
    found = [*static_regions(contents), *ring_regions(contents)]
    for environment in contents.environments:
        owner = environment.name
        for node in environment.tree.nodes:
            found += object_regions(contents.image, owner, node)
    found += _leftovers(contents, sorted(found))
    return sorted(found)


def _leftovers(contents: Contents, known: list[Region]) -> list[Region]:
    """Return the bytes of the heap nothing points to and that are not erased.

    Deleted files and what lay above the top: old keys may be among them.
    """
    block, memory = contents.block, contents.image
    at = block.heap_start * PAGE_SIZE
    end = at + block.heap_pages * PAGE_SIZE
    found: list[Region] = []
    for start, stop in [*((r.start, r.stop) for r in known if r.start >= at), (end, end)]:
        gap = memory[at:start]
        if gap.strip(b"\xff"):
            first = at + len(gap) - len(gap.lstrip(b"\xff"))
            last = at + len(gap.rstrip(b"\xff"))
            found.append(Region(first, last, "heap", "not in use", "", secret=True))
        at = max(at, stop)
    return found


def static_regions(contents: Contents) -> Iterator[Region]:
    """Yield the fields of superblocks, chip, ATR, card state, extent table, domain headers."""
    block = contents.block
    pages = [
        (0, schemas.SUPERBLOCK, "superblock copy 0"),
        (1, schemas.SUPERBLOCK, "superblock copy 1"),
        (block.chip_page, schemas.CH, "CH"),
        (block.atr_page, schemas.AT, "AT"),
        (block.card_page, schemas.CS, "CS"),
        (block.extent_page, schemas.EX, "EX"),
    ]
    for environment in contents.environments:
        entry = environment.entry
        pages.append((entry.start, schemas.DH, f"{environment.name} DH"))
    for page, schema, owner in pages:
        yield from _fields(contents.image, schema, page * PAGE_SIZE, PAGE_SIZE, owner)
    yield from _options(contents)


def _options(contents: Contents) -> Iterator[Region]:
    at = OPTIONS_PAGE * PAGE_SIZE
    if contents.options is None:
        yield Region(at, at + PAGE_SIZE, "OP", "options", "not valid")
    elif contents.image[at : at + 2] == b"OP":
        text = ", ".join(f"{name} {value}" for name, value in contents.options.items())
        yield Region(at, at + PAGE_SIZE, "OP", "options", text)


def ring_regions(contents: Contents) -> Iterator[Region]:
    """Yield the fields of the used ring pages; their payload may hold keys and is secret."""
    start = contents.block.journal_start * PAGE_SIZE
    for page in contents.ring.pages:
        at = start + page.slot * PAGE_SIZE
        owner = f"journal slot {page.slot}"
        if page.kind is RingKind.NOISE:
            yield Region(at, at + PAGE_SIZE, owner, "noise", "left by a torn write", secret=True)
            continue
        schema = schemas.JT if page.kind is RingKind.TRANSACTION else schemas.JC
        for region in _fields(contents.image, schema, at, PAGE_SIZE, owner):
            if region.name == "payload":
                text = _payload_text(contents.image, contents.block, page.slot)
                yield region._replace(text=text, secret=text != "scrubbed")
            else:
                yield region


def _payload_text(image: bytes, block: Superblock, slot: int) -> str:
    found = transaction_at(image, block, slot)
    if found is None:
        return "continued"
    if not found.images:
        return "scrubbed"
    return "pages " + ", ".join(f"{number:04X}" for number, _ in found.images)


def object_path(node: FileNode) -> str:
    """The FIDs from the root of the extent to an object, at most eight of them."""
    names: list[str] = []
    above: FileNode | None = node
    while above is not None and len(names) < 8:
        names.append(f"{above.fid:04X}")
        above = above.parent
    return "/".join(reversed(names))


def object_regions(memory: bytes, domain: str, node: FileNode) -> Iterator[Region]:
    """Yield the fields of an object's header and of its body."""
    owner = f"{domain} {object_path(node)}"
    yield from _fields(memory, schemas.OBJ, node.address, HEADER_SIZE, owner)
    header, body = node.header, node.body
    stop = body + header.body_length
    match header.kind:
        case Kind.DIRECTORY:
            yield from _fields(memory, schemas.DFSTATE, body, 8, owner)
            yield Region(body + 8, stop, owner, "DF name", node.name.hex(" ").upper())
        case Kind.KEY:
            for number, at in enumerate(range(body, stop - KEY_RECORD_SIZE + 1, KEY_RECORD_SIZE)):
                yield from _key(memory, at, f"{owner} slot {number}")
        case Kind.INTERNAL:
            yield Region(body, stop, owner, "internal data", "", secret=True)
        case Kind.LINEAR_FIXED | Kind.LINEAR_VARIABLE | Kind.LINEAR_TLV | Kind.CYCLIC:
            yield from _records(memory, node, owner)
        case _:
            yield Region(body, stop, owner, "data", "")


def _records(memory: bytes, node: FileNode, owner: str) -> Iterator[Region]:
    body, stop = node.body, node.body + node.header.body_length
    prefix = memory[body : body + _PREFIX]
    if node.kind in (Kind.LINEAR_VARIABLE, Kind.LINEAR_TLV):
        yield Region(body, body + 2, owner, "used bytes", str(int.from_bytes(prefix)))
    elif node.kind == Kind.CYCLIC and len(prefix) == _PREFIX:
        yield Region(body, body + 1, owner, "newest slot", str(prefix[0]))
        yield Region(body + 1, body + 2, owner, "count", str(prefix[1]))
    else:
        yield Region(body, body + 1, owner, "used count", str(prefix[:1].hex()))
    end = body + _PREFIX
    for record in records_of(memory, node):
        begin = record.address - (node.kind in (Kind.LINEAR_VARIABLE, Kind.LINEAR_TLV))
        end = max(end, record.address + len(record.data))
        text = f"{len(record.data)} bytes"
        if node.kind == Kind.LINEAR_TLV and record.data:
            text = f"tag {record.data[0]:02X}, {text}"
        yield Region(
            begin, record.address + len(record.data), owner, f"record {record.number}", text
        )
    if node.kind in (Kind.LINEAR_VARIABLE, Kind.LINEAR_TLV) and end < stop:
        yield Region(end, stop, owner, "free", "")


def _key(memory: bytes, at: int, owner: str) -> Iterator[Region]:
    raw = memory[at : at + KEY_RECORD_SIZE]
    if raw == b"\xff" * KEY_RECORD_SIZE:
        yield Region(at, at + KEY_RECORD_SIZE, owner, "free slot", "")
        return
    pin = raw[1:2] in (bytes((KeyType.PIN,)), bytes((KeyType.PUK,)))
    for region in _fields(memory, schemas.KEYREC, at, KEY_RECORD_SIZE, owner):
        if region.name == "crc" and pin:
            yield region._replace(secret=True)  # few digits: the CRC would tell them
        else:
            yield region


def _fields(
    memory: bytes, schema: Construct, start: int, size: int, owner: str
) -> Iterator[Region]:
    stop = start
    for field in fields_of(schema, memory[start : start + size]):
        secret = field.name in _SECRET_FIELDS
        stop = start + field.offset + field.length
        words = _WORDS.get(field.name)
        text = "" if secret or field.name == "filler" else field.text
        if words is not None and not isinstance(field.value, str):
            text = words(field.value)
        yield Region(start + field.offset, stop, owner, field.name, text, secret)
    if stop < start + size:
        yield Region(stop, start + size, owner, "not readable", "", secret=True)
