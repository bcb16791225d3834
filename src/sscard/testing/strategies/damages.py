"""Damages for images to be drawn: where they hit, and which transactions are forged.

What is in use is hit as often as all the rest of a memory. Source: cos 1.4, 2.5.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import lru_cache
from typing import Final, NamedTuple, Self

from hypothesis import strategies as st

from sscard.cos.eeprom import BLANK, PAGE_SIZE
from sscard.cos.journal import MAX_SEQ, Transaction, continuations
from sscard.cos.layout import ExtentEntry, ExtentTable, sealed
from sscard.cos.objects import HEADER_SIZE, KEY_RECORD_SIZE, LIVE, Kind
from sscard.cos.tree import FileNode, mount
from sscard.cos.volume import read_superblock
from sscard.testing.strategies._damage import (
    Access,
    Bit,
    Byte,
    Copied,
    Damage,
    Field,
    Filled,
    Forged,
    Header,
    KeyField,
    span,
)

__all__ = ["damages"]

_HEADER_FIELDS: Final = {
    "kind": 1, "fid": 2, "sfi": 1, "lcs": 1, "domain": 1, "name_length": 1, "parent": 4,
    "body_length": 4, "record_max": 2, "record_count": 1, "flags": 1, "capacity": 2,
    "sm_read": 1, "sm_write": 1, "quota": 4, "fci_fid": 2, "suite": 1,
}  # fmt: skip
_KEY_FIELDS: Final = {
    "type": 1, "id": 1, "version": 1, "algorithm": 1, "tries": 1, "grant": 1, "use": 2,
    "change": 2, "flags": 1, "tries_left": 1,
}  # fmt: skip
_TAGS: Final = (0, 1, 2, 3, 0x81, 0x82, 0xFF)
_CARRIED_MOST: Final = 3
"""Pages a forged transaction carries at most: more of the same shows nothing new."""


_VALUES: Final = st.one_of(st.sampled_from((0x00, 0xFF, 0x80, 0xA5)), st.integers(0, 255))
_OFFSETS: Final = st.integers(0, PAGE_SIZE - 1)
_Content = tuple[str, bytes]


class _Map(NamedTuple):
    """Where things are in a sound image: page and byte numbers, the newest transaction's seq."""

    image: bytes
    ring: range
    extents: tuple[ExtentEntry, ...]
    in_use: tuple[int, ...]
    nodes: tuple[FileNode, ...]
    keys: tuple[int, ...]
    newest: int

    @classmethod
    def of(cls, image: bytes) -> Self:
        block = read_superblock(image)
        extents = ExtentTable.parse(image[span(block.extent_page)]).entries
        trees = [mount(image, entry.start, entry.pages) for entry in extents]
        nodes = tuple(node for tree in trees for node in tree.nodes)
        pages = range(len(image) // PAGE_SIZE)
        ring = range(block.journal_start, block.journal_start + block.journal_pages)
        pages_of_ring = image[ring.start * PAGE_SIZE : ring.stop * PAGE_SIZE]
        found = [Transaction.parse(pages_of_ring, slot) for slot in range(len(ring))]
        return cls(
            image,
            ring,
            extents,
            tuple(page for page in pages if image[span(page)] != BLANK),
            nodes,
            tuple(at for node in nodes for at in _key_records(node, image)),
            max((made.seq for made in found if made is not None), default=0),
        )

    def pages(self, within: range | None = None) -> st.SearchStrategy[int]:
        """Pages: those in use as often as all others."""
        within = within or range(len(self.image) // PAGE_SIZE)
        used = [page for page in self.in_use if page in within]
        anywhere = st.integers(within.start, within.stop - 1)
        return st.one_of(st.sampled_from(used), anywhere) if used else anywhere


@lru_cache(maxsize=16)
def damages(image: bytes) -> st.SearchStrategy[Damage]:
    """Damages of a sound image, accidents and lies; what is in use is hit most."""
    at = _Map.of(image)
    pages = at.pages()
    places = st.builds(lambda page, offset: page * PAGE_SIZE + offset, pages, _OFFSETS)
    accidents: list[st.SearchStrategy[Damage]] = [
        st.builds(Bit, places, st.integers(0, 7)),
        st.builds(Byte, places, _VALUES),
        st.builds(Filled, pages, _VALUES),
        st.builds(Copied, pages, pages),
    ]
    sealed_pages = [(0, 1), *((page,) for page in range(2, at.ring.start - 1))]
    sealed_pages += [(entry.start,) for entry in at.extents]
    offsets = st.integers(0, PAGE_SIZE - 5)
    lies: list[st.SearchStrategy[Damage]] = [
        st.builds(Field, st.sampled_from(sealed_pages), offsets, _VALUES),
        _forged(at),
    ]
    if at.nodes:
        headers = st.sampled_from([node.address for node in at.nodes])
        words = st.one_of(st.sampled_from((0, 0xFFFF)), st.integers(0, 0xFFFF))
        bodies = st.sampled_from([node.body for node in at.nodes])
        lies += [
            _of_fields(Header, headers, _HEADER_FIELDS),
            st.builds(Access, headers, st.integers(0, 5), words),
            st.builds(lambda body, offset, value: Byte(body + offset, value), bodies,
                      st.integers(0, 7), _VALUES),
        ]  # fmt: skip
    if at.keys:
        lies.append(_of_fields(KeyField, st.sampled_from(at.keys), _KEY_FIELDS))
    return st.one_of(*accidents, *lies)


def _of_fields(
    kind: Callable[[int, str, int], Damage], at: st.SearchStrategy[int], fields: Mapping[str, int]
) -> st.SearchStrategy[Damage]:
    def valued(field: str) -> st.SearchStrategy[Damage]:
        top = (1 << 8 * fields[field]) - 1
        edges = [edge for edge in (0, 1, 5, 8, 0xFF, top) if edge <= top]
        value = st.one_of(st.sampled_from(edges), st.integers(0, top))
        return st.builds(kind, at, st.just(field), value)

    return st.sampled_from(list(fields)).flatmap(valued)


# --- forged transactions ------------------------------------------------------------------------


def _forged(at: _Map) -> st.SearchStrategy[Damage]:
    """Transactions with good check sums: of pages that their owner may write, or may not."""
    owned = [_transactions(at, [entry.domain], entry.page_range) for entry in at.extents]
    return st.one_of(*owned, _transactions(at, _TAGS, None))


def _transactions(at: _Map, tags: Sequence[int], within: range | None) -> st.SearchStrategy[Damage]:
    carried = st.lists(
        at.pages(within).flatmap(lambda page: st.tuples(st.just(page), _contents(at, page))),
        max_size=_CARRIED_MOST,
        unique_by=lambda pair: pair[0],
    )
    return st.builds(
        lambda *drawn: _transaction(at.ring, *drawn),
        st.integers(0, len(at.ring) - 1),
        st.one_of(st.just(at.newest + 1), st.just(at.newest + 1), st.integers(0, MAX_SEQ + 1)),
        st.sampled_from(tags),
        st.sampled_from((False, False, True)),
        carried,
    )


def _contents(at: _Map, page: int) -> st.SearchStrategy[_Content]:
    """What a page is to become: itself with one byte changed, another page, noise, nothing."""
    before = at.image[span(page)]

    def changed(offset: int, value: int, seal: bool) -> _Content:
        content = before[:offset] + bytes((value,)) + before[offset + 1 :]
        said = f"{value:02X} at {offset} of"
        return (f"{said} sealed", sealed(content[:-4])) if seal else (said, content)

    return st.one_of(
        st.builds(changed, _OFFSETS, _VALUES, st.booleans()),
        at.pages().map(lambda other: (f"page {other} for", at.image[span(other)])),
        st.binary(max_size=4).map(lambda noise: ("noise for", noise.ljust(PAGE_SIZE, b"\0"))),
        st.just(("nothing for", BLANK)),
    )


def _transaction(
    ring: range, slot: int, seq: int, tag: int, applied: bool, carried: list[tuple[int, _Content]]
) -> Damage:
    images = tuple((page, content) for page, (_, content) in carried)
    span = continuations(len(images) * (2 + PAGE_SIZE))
    slot = max(slot, span)  # continuation pages lie in front
    told = ", ".join(f"{said} page {page}" for page, (said, _) in carried) or "nothing"
    return Forged(
        ring.start,
        Transaction(seq, slot, range(slot - span, slot), tag, applied, images),
        f"transaction {seq} of {tag:02X} in slot {slot}: {told}{', applied' * applied}",
    )


def _key_records(node: FileNode, image: bytes) -> Iterator[int]:
    """Yield the addresses of the key records that a file holds."""
    if node.header.kind == Kind.KEY:
        first = node.address + HEADER_SIZE
        last = first + node.header.body_length - KEY_RECORD_SIZE
        for at in range(first, last + 1, KEY_RECORD_SIZE):
            if image[at] == LIVE:
                yield at
