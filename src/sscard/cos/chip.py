"""The card as a whole: what all domains may read of it, and what the card manager may change.

Read-only facts are card-level by design (cos 3.6); allocation and the card state belong to
the card manager, which alone receives this object as its `chip`.
"""

from sscard.cos.eeprom import PAGE_SIZE
from sscard.cos.firewall import BOOTSTRAP
from sscard.cos.layout import (
    MAX_EXTENTS,
    CardLifeCycle,
    CardState,
    DomainHeader,
    DomainState,
    ExtentEntry,
    ExtentTable,
    LayoutError,
)
from sscard.cos.store import Store
from sscard.cos.volume import Volume

__all__ = ["Chip"]

_ENVIRONMENTS = (1, 2)


class Chip:
    """Card-level facts and, through the card manager's store, card-level changes."""

    def __init__(self, volume: Volume) -> None:
        self._volume = volume
        self.store: Store | None = None

    # --- facts --------------------------------------------------------------------------

    def card_lcs(self) -> int:
        """The card's life cycle: stored, or derived from the domains (cos 3.4)."""
        state = self._volume.card_state()
        if state is None:
            return CardLifeCycle.LOCKED
        if state.life_cycle != CardLifeCycle.HANDED_OVER:
            return state.life_cycle
        states = {code for _, code in self.states()}
        if len(self.states()) == len(_ENVIRONMENTS):
            if states == {DomainState.TERMINATED}:
                return CardLifeCycle.TERMINATED
            if states == {DomainState.OPERATIONAL}:
                return ISSUED
        return state.life_cycle

    def unallocated(self) -> int:
        """EEPROM bytes that belong to no extent."""
        block = self._volume.superblock
        taken = sum(entry.pages for entry in self._volume.extent_table().entries)
        return max(block.heap_pages - taken, 0) * PAGE_SIZE

    def states(self) -> list[tuple[int, int]]:
        """(domain, state) of the environments that exist, in order of their codes."""
        found = []
        for code in _ENVIRONMENTS:
            extent = self._volume.extents.get(code)
            if extent is not None:
                try:
                    header = DomainHeader.parse(self._volume.page(extent.start))
                except LayoutError:
                    continue
                found.append((code, int(header.state)))
        return found

    def name_exists(self, name: bytes) -> bool:
        """Whether any directory of the card bears this DF name (6A8A is card-wide)."""
        return any(name in extent.tree.directories for extent in self._volume.extents.values())

    # --- the card manager's changes -------------------------------------------------------

    def entries(self) -> tuple[ExtentEntry, ...]:
        """The extents in order of creation."""
        return self._volume.extent_table().entries

    def card_state(self) -> CardState:
        """The card-state page; a damaged one is a damaged card manager."""
        page = self._own().read(self._volume.superblock.card_page * PAGE_SIZE, PAGE_SIZE)
        return CardState.parse(page)

    def write_card_state(self, state: CardState) -> None:
        """Put a card state into the transaction."""
        self._own().write(self._volume.superblock.card_page * PAGE_SIZE, state.build())

    def write_entries(self, entries: tuple[ExtentEntry, ...]) -> None:
        """Put an extent table into the transaction."""
        page = ExtentTable(entries).build()
        self._own().write(self._volume.superblock.extent_page * PAGE_SIZE, page)

    def free_range(self, pages: int) -> int | None:
        """Return the lowest free page where `pages` pages fit, or None (cos 2.4)."""
        if len(self.entries()) == MAX_EXTENTS:
            return None
        block = self._volume.superblock
        start = block.heap_start
        for entry in sorted(self.entries(), key=lambda entry: entry.start):
            if entry.start - start >= pages:
                return start
            start = max(start, entry.start + entry.pages)
        return start if block.heap_start + block.heap_pages - start >= pages else None

    def widen(self, code: int, start: int, pages: int) -> None:
        """Open a new extent to the card manager for the transaction that creates it (F7)."""
        store = self._own()
        tag = BOOTSTRAP | code if code else 0
        if code:
            store.allow([*store.ranges, range(start, start + pages)], tag)
        else:
            store.allow([range(start, start + pages), *store.ranges], tag)

    def _own(self) -> Store:
        assert self.store is not None
        return self.store


ISSUED = 0x0F
"""The derived life cycle of a card whose domains are both OPERATIONAL (cos 3.4)."""
