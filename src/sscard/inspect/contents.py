"""An image read without being a card: superblock, ring, extents, trees, keys. Nothing is written.

What `tree`, `dump` and `diff` share. A pending transaction is taken as applied, as the next
power-on would leave it; whatever cannot be read is None or missing, never an exception.
"""

from dataclasses import dataclass
from typing import TypeVar

from sscard.cos import options as options_page
from sscard.cos.eeprom import PAGE_SIZE
from sscard.cos.layout import (
    AtrPage,
    CardState,
    ChipPage,
    DomainHeader,
    ExtentEntry,
    ExtentTable,
    LayoutError,
    Superblock,
)
from sscard.cos.objects import KEY_RECORD_SIZE, LIVE, KeyRecord, Kind
from sscard.cos.options import OPTIONS_PAGE
from sscard.cos.tree import FileNode, FileTree, mount
from sscard.cos.volume import read_superblock
from sscard.inspect.names import domain_name
from sscard.inspect.ring import Ring, settled, survey

__all__ = ["Contents", "Environment", "Record", "key_slots", "records_of"]

_Page = TypeVar("_Page", ChipPage, AtrPage, CardState, ExtentTable, DomainHeader)


@dataclass(frozen=True, slots=True)
class Environment:
    """One extent: its name, its entry in EX, its header if readable, and its mounted tree."""

    name: str
    entry: ExtentEntry
    header: DomainHeader | None
    tree: FileTree


@dataclass(frozen=True, slots=True)
class Contents:
    """What an image holds. `memory` is the image with a pending transaction applied."""

    image: bytes
    memory: bytes
    block: Superblock
    ring: Ring
    chip: ChipPage | None
    atr: AtrPage | None
    card: CardState | None
    options: dict[str, str] | None
    environments: tuple[Environment, ...]

    @classmethod
    def read(cls, image: bytes | bytearray) -> "Contents":
        """Read an image. Raises ImageError when neither superblock is valid."""
        block = read_superblock(image)
        ring = survey(image, block)
        memory = settled(image, ring)
        table = _parse(ExtentTable, memory, block.extent_page) or ExtentTable()
        options = _options(memory)
        heap = range(block.heap_start, block.heap_start + block.heap_pages)
        environments = tuple(
            Environment(
                _name(entry, options),
                entry,
                _parse(DomainHeader, memory, entry.start),
                mount(memory, entry.start, entry.pages),
            )
            for entry in table.entries
            if heap.start <= entry.start < entry.start + entry.pages <= heap.stop
        )
        return cls(
            image=bytes(image),
            memory=memory,
            block=block,
            ring=ring,
            chip=_parse(ChipPage, memory, block.chip_page),
            atr=_parse(AtrPage, memory, block.atr_page),
            card=_parse(CardState, memory, block.card_page),
            options=options,
            environments=environments,
        )


def _name(entry: ExtentEntry, options: dict[str, str] | None) -> str:
    """Return CM, SSSE or PSE; the only domain of a PSAM bears its card's name (cos 7)."""
    if not entry.domain and options is not None and options["card_kind"] == "psam":
        return "PSAM"
    return domain_name(entry.domain)


def _parse(kind: type[_Page], memory: bytes, page: int) -> _Page | None:
    try:
        return kind.parse(memory[page * PAGE_SIZE : (page + 1) * PAGE_SIZE])
    except LayoutError:
        return None


def _options(memory: bytes) -> dict[str, str] | None:
    at = OPTIONS_PAGE * PAGE_SIZE
    try:
        return options_page.parse(memory[at : at + PAGE_SIZE])
    except LayoutError:
        return None


def key_slots(memory: bytes, node: FileNode) -> list[KeyRecord]:
    """Return the live slots of a key EF, damaged ones too."""
    count = node.header.body_length // KEY_RECORD_SIZE
    found = []
    for address in range(node.body, node.body + count * KEY_RECORD_SIZE, KEY_RECORD_SIZE):
        raw = memory[address : address + KEY_RECORD_SIZE]
        if len(raw) == KEY_RECORD_SIZE and raw[0] == LIVE:
            found.append(KeyRecord.parse(raw, address))
    return found


@dataclass(frozen=True, slots=True)
class Record:
    """One record of a file: its number from 1 (of a cyclic file 1 is the newest), its bytes."""

    number: int
    address: int
    data: bytes


def records_of(memory: bytes, node: FileNode) -> list[Record]:
    """Return the records of a record file, as far as its body can be followed."""
    header = node.header
    body = memory[node.body : node.body + header.body_length]
    if len(body) < 2:
        return []
    if header.kind in (Kind.LINEAR_VARIABLE, Kind.LINEAR_TLV):
        return _variable(body, node.body)
    if header.kind not in (Kind.LINEAR_FIXED, Kind.CYCLIC) or not header.record_count:
        return []
    cyclic = header.kind == Kind.CYCLIC
    held = min(body[1] if cyclic else body[0], header.record_count)
    found = []
    for index in range(held):
        slot = (body[0] - index) % header.record_count if cyclic else index
        at = 2 + slot * header.record_max
        data = body[at : at + header.record_max]
        if len(data) == header.record_max:
            found.append(Record(index + 1, node.body + at, data))
    return found


def _variable(body: bytes, base: int) -> list[Record]:
    found: list[Record] = []
    at, end = 2, min(int.from_bytes(body[:2]) + 2, len(body))
    while at < end and at + 1 + body[at] <= end:
        length = body[at]
        found.append(Record(len(found) + 1, base + at + 1, body[at + 1 : at + 1 + length]))
        at += 1 + length
    return found
