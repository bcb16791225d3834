"""The firewall in the storage layer: which pages a transaction's tag may carry (cos 1.4, F7).

It knows nothing of commands or files, only of the extent table, so that a mistake above it is
still caught. Used by the journal at every commit and again in recovery.
"""

from collections.abc import Callable, Mapping

from sscard.cos.layout import PAGE_SIZE, ExtentTable, LayoutError, Superblock

__all__ = ["BOOTSTRAP", "guard"]

BOOTSTRAP = 0x80
"""Added to a domain code: the tag of the domain's bootstrap transactions."""


def guard(
    memory: bytearray, superblock: Superblock
) -> Callable[[int, Mapping[int, bytes]], list[range]]:
    """Return the rule `allowed(tag, images)`: the page ranges this transaction may write.

    Shapes: `tag` 0, 1, 2 or 81, 82; `images` page number -> 64 bytes. An unknown tag, or an
    extent table that cannot be read, allows nothing. Source: cos 1.4, 3.3 F7.
    """
    card_page, extent_page = superblock.card_page, superblock.extent_page
    extent_home = extent_page * PAGE_SIZE
    known: tuple[bytes, dict[int, range]] = (b"", {})

    def allowed(tag: int, images: Mapping[int, bytes]) -> list[range]:
        nonlocal known
        card_manager = tag in (0, BOOTSTRAP | 1, BOOTSTRAP | 2)
        table = images.get(extent_page) if card_manager else None
        if table is None:
            table = bytes(memory[extent_home : extent_home + PAGE_SIZE])
        if known[0] != table:
            known = (table, _extents(table, superblock))
        extents = known[1]
        if not card_manager:
            return [extents[tag]] if tag in extents else []
        ranges = [
            range(card_page, card_page + 1),
            range(extent_page, extent_page + 1),
        ]
        ranges.extend(extents[code] for code in {0, tag & ~BOOTSTRAP} if code in extents)
        return ranges

    return allowed


def _extents(table: bytes, superblock: Superblock) -> dict[int, range]:
    """Return the extents of a table, as far as they lie in the heap and are disjoint."""
    try:
        entries = ExtentTable.parse(table).entries
    except LayoutError:
        return {}
    heap = range(superblock.heap_start, superblock.heap_start + superblock.heap_pages)
    extents: dict[int, range] = {}
    for entry in entries:
        pages = range(entry.start, entry.start + entry.pages)
        inside = heap.start <= pages.start < pages.stop <= heap.stop
        disjoint = all(
            pages.stop <= other.start or other.stop <= pages.start for other in extents.values()
        )
        if inside and disjoint and entry.domain not in extents:
            extents[entry.domain] = pages
    return extents
