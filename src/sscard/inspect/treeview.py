"""`tree`: what is on a card, in words: domains, files, rules, keys by name and never by value."""

from collections.abc import Iterator
from dataclasses import dataclass

from sscard.cos.eeprom import PAGE_SIZE
from sscard.cos.objects import KeyRecord, KeyType, Kind
from sscard.cos.tree import FileNode
from sscard.inspect.contents import Contents, Environment, key_slots, records_of
from sscard.inspect.names import (
    access_words,
    algorithm_name,
    df_name,
    key_type_name,
    key_usage_name,
    kind_name,
    protection_words,
)
from sscard.spec.options import DEFAULTS
from sscard.spec.psam import KEY_FID as PSAM_KEY_FID
from sscard.spec.ssse import VERSIONS

__all__ = ["DomainView", "FileView", "ImageView", "KeyView", "tree"]

_SSSE = 1
_LEVELS = 8
"""Directory levels shown; a sound image has two in an extent."""
_VERSIONS = ("v2", "v1")


@dataclass(frozen=True, slots=True)
class KeyView:
    """A key without its value: what it is, what it grants, its counter, its check value.

    `psam`: a key of a PSAM, whose one number is version or id as its usage says (cos 7.2).
    """

    type: str
    id: int
    version: int
    algorithm: str
    length: int
    tries_left: int | None
    tries_max: int | None
    grant: int | None
    use: str
    change: str
    kcv: str
    intact: bool
    psam: bool

    def line(self) -> str:
        """The key on one line."""
        tries = "no counter" if self.tries_max is None else f"{self.tries_left}/{self.tries_max}"
        words = [f"{self.type} {self.id:02X}"]
        words += [] if self.psam else [f"version {self.version}"]
        words += [self.algorithm] if self.algorithm else []
        words.append(tries)
        if self.grant is not None:
            words.append(f"grants {self.grant:02X}")
        words.append(f"use {self.use}, change {self.change}")
        if self.kcv:
            words.append(f"KCV {self.kcv}")
        if not self.intact:
            words.append("DAMAGED")
        return ", ".join(words)


@dataclass(frozen=True, slots=True)
class FileView:
    """A directory or a file; `rules` pairs an operation with its condition in words."""

    fid: int
    kind: str
    name: str
    title: str
    sfi: int
    address: int
    size: int
    capacity: int
    records: int | None
    records_max: int
    quota: int
    rules: tuple[tuple[str, str], ...]
    protection: tuple[tuple[str, str], ...]
    damaged: bool
    keys: tuple[KeyView, ...]
    children: tuple["FileView", ...]

    def lines(self, indent: int) -> Iterator[str]:
        """Yield the file and what is in it as text lines."""
        words = [f"{self.fid:04X} {self.kind}"]
        words += [word for word in (self.name, self.title) if word]
        if self.sfi:
            words.append(f"SFI {self.sfi:02X}")
        if self.records is not None:
            words.append(f"{self.records} of {self.records_max} records")
        if self.capacity:
            words.append(f"{self.capacity} bytes")
        if self.quota:
            words.append(f"quota {self.quota}")
        if self.damaged:
            words.append("DAMAGED")
        pairs = [f"{operation} {words_of}" for operation, words_of in self.rules]
        pairs += [f"{operation} {words_of}" for operation, words_of in self.protection]
        yield "  " * indent + ", ".join(words)
        yield "  " * indent + "  - " + "; ".join(pairs)
        for key in self.keys:
            yield "  " * indent + "  * " + key.line()
        for child in self.children:
            yield from child.lines(indent + 1)

    def to_json(self) -> dict[str, object]:
        """Return the file as plain JSON data."""
        return {
            "fid": f"{self.fid:04X}",
            "kind": self.kind,
            "name": self.name,
            "title": self.title,
            "sfi": self.sfi,
            "address": self.address,
            "size": self.size,
            "capacity": self.capacity,
            "records": self.records,
            "records_max": self.records_max,
            "quota": self.quota,
            "rules": dict(self.rules),
            "protection": dict(self.protection),
            "damaged": self.damaged,
            "keys": [
                {field: getattr(key, field) for field in KeyView.__slots__} for key in self.keys
            ],
            "children": [child.to_json() for child in self.children],
        }


@dataclass(frozen=True, slots=True)
class DomainView:
    """An environment: its state, its extent, its files; `broken` says where its chain ends."""

    domain: str
    state: str
    block: str
    start: int
    pages: int
    used: int
    free: int
    broken: str
    root: FileView | None
    orphans: tuple[FileView, ...]

    def lines(self) -> Iterator[str]:
        """Yield the environment as text lines."""
        yield (
            f"{self.domain}: {self.state}, block {self.block}, pages {self.start} to"
            f" {self.start + self.pages - 1}, {self.used} bytes used, {self.free} free"
        )
        if self.broken:
            yield f"  BROKEN: {self.broken}"
        if self.root is not None:
            yield from self.root.lines(1)
        for orphan in self.orphans:
            yield "  ORPHAN:"
            yield from orphan.lines(2)

    def to_json(self) -> dict[str, object]:
        """Return the environment as plain JSON data."""
        return {
            "domain": self.domain,
            "state": self.state,
            "block": self.block,
            "start": self.start,
            "pages": self.pages,
            "used": self.used,
            "free": self.free,
            "broken": self.broken,
            "root": None if self.root is None else self.root.to_json(),
            "orphans": [orphan.to_json() for orphan in self.orphans],
        }


@dataclass(frozen=True, slots=True)
class ImageView:
    """A whole image: the chip's facts, the card's state, options off their default, domains."""

    size: int
    uuid: str
    serial: str
    historical: str
    atr_profile: str
    life_cycle: str
    transport_key: str
    unallocated: int
    options: tuple[tuple[str, str], ...]
    pending: str
    domains: tuple[DomainView, ...]

    def lines(self) -> Iterator[str]:
        """Yield the image as text lines."""
        yield f"image of {self.size} bytes, {self.unallocated} unallocated, uuid {self.uuid}"
        yield f"chip serial {self.serial}, historical bytes {self.historical}"
        yield (
            f"ATR profile {self.atr_profile}, card {self.life_cycle},"
            f" transport key {self.transport_key}"
        )
        for name, value in self.options:
            yield f"option {name} = {value}"
        if self.pending:
            yield self.pending
        for domain in self.domains:
            yield from domain.lines()

    def to_json(self) -> dict[str, object]:
        """Return the image as plain JSON data."""
        return {
            "size": self.size,
            "uuid": self.uuid,
            "serial": self.serial,
            "historical": self.historical,
            "atr_profile": self.atr_profile,
            "life_cycle": self.life_cycle,
            "transport_key": self.transport_key,
            "unallocated": self.unallocated,
            "options": dict(self.options),
            "pending": self.pending,
            "domains": [domain.to_json() for domain in self.domains],
        }

    def __str__(self) -> str:
        return "\n".join(self.lines())


def tree(image: bytes | bytearray) -> ImageView:
    """Return what a card image holds: domains, files, sizes, rules, keys without values.

    Raises ImageError when the bytes are no card image; damaged parts are marked, not refused.
    Source: cos 2.5, tools the format must allow.
    """
    contents = Contents.read(image)
    block, chip, atr, card = contents.block, contents.chip, contents.atr, contents.card
    taken = sum(environment.entry.pages for environment in contents.environments)
    newest = contents.ring.newest
    pending = ""
    if contents.ring.pending and newest is not None:
        pending = f"transaction {newest.seq} is committed but not applied; shown as applied"
    return ImageView(
        size=block.size,
        uuid=block.uuid.hex().upper(),
        serial="damaged" if chip is None else chip.serial.hex().upper(),
        historical="damaged" if atr is None else atr.historical.hex().upper(),
        atr_profile="damaged" if atr is None else atr.profile.name,
        life_cycle="damaged" if card is None else card.life_cycle.name,
        transport_key="damaged" if card is None else card.tk_state.name,
        unallocated=max(block.heap_pages - taken, 0) * PAGE_SIZE,
        options=tuple(
            (name, value)
            for name, value in (contents.options or {}).items()
            if value != DEFAULTS[name]
        ),
        pending=pending,
        domains=tuple(_domain(contents.memory, found) for found in contents.environments),
    )


def _domain(memory: bytes, found: Environment) -> DomainView:
    header, files = found.header, found.tree
    titles = _titles() if found.entry.domain == _SSSE else {}
    return DomainView(
        domain=found.name,
        state="DAMAGED" if header is None else header.state.name,
        block="unknown" if header is None else header.block.name.lower(),
        start=found.entry.start,
        pages=found.entry.pages,
        used=files.top - found.entry.start * PAGE_SIZE,
        free=files.free,
        broken=files.broken,
        root=None if files.root is None else _file(memory, files.root, titles, None),
        orphans=tuple(
            _file(memory, node, titles, None)
            for node in files.nodes
            if node.parent is None and node is not files.root
        ),
    )


def _file(
    memory: bytes,
    node: FileNode,
    titles: dict[tuple[int, int], str],
    parent: int | None,
    levels: int = _LEVELS,
) -> FileView:
    header = node.header
    shown = node.children if levels else []
    directory = node.is_directory
    holds_records = header.kind in (
        Kind.LINEAR_FIXED,
        Kind.LINEAR_VARIABLE,
        Kind.LINEAR_TLV,
        Kind.CYCLIC,
    )
    keys = key_slots(memory, node) if header.kind == Kind.KEY else []
    protection = (("protects reads by", header.sm_read), ("protects writes by", header.sm_write))
    return FileView(
        fid=node.fid,
        kind=kind_name(header.kind),
        name=df_name(node.name) if directory else "",
        title=titles.get((node.fid, 0) if directory else (parent or 0, node.fid), ""),
        sfi=node.sfi,
        address=node.address,
        size=node.end - node.address,
        capacity=header.capacity,
        records=len(records_of(memory, node)) if holds_records else None,
        records_max=header.record_count,
        quota=header.quota,
        rules=_rules(node),
        protection=tuple((name, protection_words(sm)) for name, sm in protection if sm),
        damaged=node.damaged,
        keys=tuple(_key(key, psam=node.fid == PSAM_KEY_FID) for key in keys),
        children=tuple(_file(memory, child, titles, node.fid, levels - 1) for child in shown),
    )


def _rules(node: FileNode) -> tuple[tuple[str, str], ...]:
    names: tuple[str, ...] = ("read", "update", "append")
    if node.is_directory:
        names = ("create", "delete", "admin")
    elif node.kind == Kind.KEY:
        names = ("add keys",)
    words = zip(names, node.header.access, strict=False)
    return tuple((name, access_words(word)) for name, word in words)


def _key(key: KeyRecord, *, psam: bool) -> KeyView:
    pin = not psam and key.type in (KeyType.PIN, KeyType.PUK)
    return KeyView(
        type=key_usage_name(key.type) if psam else key_type_name(key.type),
        id=key.id,
        version=key.version,
        algorithm="" if pin else algorithm_name(key.algorithm),
        length=len(key.value),
        tries_left=key.tries_left if key.counted else None,
        tries_max=key.tries_max if key.counted else None,
        grant=None if key.grant == 0xFF else key.grant,
        use=access_words(key.use),
        change=access_words(key.change),
        kcv="" if key.kcv == b"\xff\xff\xff" else key.kcv.hex().upper(),
        intact=key.intact,
        psam=psam,
    )


def _titles() -> dict[tuple[int, int], str]:
    """Chinese and English titles by (directory FID, file FID); file 0 is the directory itself."""
    titles: dict[tuple[int, int], str] = {}
    for version in _VERSIONS:
        for directory in VERSIONS[version]:
            name = f"{directory.chinese} {directory.english}".strip()
            titles.setdefault((directory.fid, 0), name)
            for file in directory.files:
                name = f"{file.chinese} {file.english}".strip()
                titles.setdefault((directory.fid, file.fid), name)
    return titles
