"""The mounted image: static pages, extents and their trees, and the journal behind them.

The one owner of everything derived from the image. Mounting runs the two halves of recovery
around the walk of the chains (cos 1.4): replay, read, tidy. A snapshot carries a volume
along; what was mounted stays good as long as the EEPROM's `generation` is the same.
"""

from collections.abc import Mapping
from contextlib import suppress

from sscard.cos import options as options_page
from sscard.cos.eeprom import PAGE_SIZE, Eeprom
from sscard.cos.firewall import guard
from sscard.cos.journal import Journal
from sscard.cos.layout import (
    AtrPage,
    CardLifeCycle,
    CardState,
    ChipPage,
    DomainHeader,
    ExtentTable,
    LayoutError,
    Superblock,
)
from sscard.cos.objects import KeyRecord
from sscard.cos.tree import FileTree, mount
from sscard.errors import ImageError
from sscard.iso.atr import Atr, AtrProfile
from sscard.spec.options import DEFAULTS

__all__ = ["Extent", "Volume", "read_superblock"]

_RING_LEAST = 16
"""Pages of the smallest ring that holds every transaction the COS makes, 4 images to spare."""
_NO_ATR = bytes((0x3B, 0x00))
"""What a card answers whose ATR page is damaged: a valid ATR that says nothing."""


class Extent:
    """One domain's pages, the tree mounted from them, and the keys parsed so far."""

    __slots__ = ("_memory", "code", "fid", "header", "keys", "pages", "start", "tree")

    def __init__(self, memory: bytearray, code: int, start: int, pages: int, fid: int) -> None:
        self._memory = memory
        self.code = code
        self.start = start
        self.pages = pages
        self.fid = fid
        self.keys: dict[int, tuple[KeyRecord, ...]] = {}
        self.header: DomainHeader | None = None
        self.tree = mount(memory, start, pages) if pages else FileTree([], 0, 0, "")
        self.read_header()

    def twin(self, memory: bytearray) -> "Extent":
        """Return the same extent over a copy of the memory; trees and keys are shared values."""
        other = Extent.__new__(Extent)
        other._memory = memory
        other.code = self.code
        other.start = self.start
        other.pages = self.pages
        other.fid = self.fid
        other.header = self.header
        other.keys = self.keys
        other.tree = self.tree
        return other

    @property
    def address(self) -> int:
        """Address of the domain header page."""
        return self.start * PAGE_SIZE

    @property
    def page_range(self) -> range:
        """The pages of the extent."""
        return range(self.start, self.start + self.pages)

    @property
    def secret_pages(self) -> frozenset[int]:
        """The pages that carry keys or a domain's own data."""
        return self.tree.secret_pages

    def remount(self) -> None:
        """Walk the chain again: it has changed."""
        self.tree = mount(self._memory, self.start, self.pages)
        self.keys = {}

    def read_header(self) -> None:
        """Read the domain header again; None when its page is damaged or another's."""
        self.header = None
        if self.pages:
            page = bytes(self._memory[self.address : self.address + PAGE_SIZE])
            with suppress(LayoutError):
                header = DomainHeader.parse(page)
                if header[:1] + header[2:4] == (self.code, self.start, self.pages):
                    self.header = header


def read_superblock(image: bytes | bytearray) -> Superblock:
    """Return the superblock of an image, from either copy. Raises ImageError.

    Source: cos 2.5. The checks that keep every later address inside the image stand here.
    """
    if len(image) < 8 * PAGE_SIZE:
        raise ImageError(f"{len(image)} bytes are too few for a card image")
    for copy in (0, PAGE_SIZE):
        try:
            block = Superblock.parse(bytes(image[copy : copy + PAGE_SIZE]))
        except LayoutError:
            continue
        _require_sane(block, len(image))
        return block
    if bytes(image[:6]) == b"SSCARD" and image[6] != 1:
        raise ImageError(
            f"the image has format {image[6]}; this version runs format 1: upgrade sscard"
        )
    raise ImageError("neither superblock is valid: not a card image, or both copies are damaged")


def _require_sane(block: Superblock, length: int) -> None:
    total = block.size // PAGE_SIZE
    heap = block.heap_start + block.heap_pages
    ring = range(block.journal_start, block.journal_start + block.journal_pages)
    fixed = (block.chip_page, block.atr_page, block.card_page, block.extent_page)
    if block.size != length:
        raise ImageError(f"the superblock says {block.size} bytes, the image has {length}")
    if block.size % PAGE_SIZE or heap > total or ring.stop > block.heap_start:
        raise ImageError("the superblock's map does not fit the image")
    if len(ring) < _RING_LEAST:
        raise ImageError(f"a journal of {len(ring)} pages is too small: {_RING_LEAST} at least")
    if len(set(fixed)) != 4 or any(not 2 <= page < ring.start for page in fixed):
        raise ImageError("the superblock's fixed pages lie outside their place")


class Volume:
    """An image in use: what the kernel reads before any command, and what it keeps mounted."""

    def __init__(self, eeprom: Eeprom) -> None:
        """Mount an image: recover, read, tidy. Raises ImageError when it has no superblock."""
        self.eeprom = eeprom
        self.superblock = read_superblock(eeprom.memory)
        self.options = self._read_options()
        block = self.superblock
        self.journal = Journal(
            eeprom,
            block.journal_start,
            block.journal_pages,
            guard(eeprom.memory, block),
            scrub=self.options["scrub_keys"] == "on",
        )
        self.recovery = self.journal.replay()
        self.chip = self._read_chip()
        self.answer_to_reset = self._read_atr()
        self.extents: dict[int, Extent] = {}
        self.read_extents()
        self.journal.tidy(self.secret_pages())
        self.generation = eeprom.generation

    def twin(self, eeprom: Eeprom) -> "Volume":
        """Return this volume over a copy of the EEPROM, without mounting it again."""
        other = Volume.__new__(Volume)
        other.eeprom = eeprom
        other.superblock = block = self.superblock
        other.options = self.options
        other.journal = Journal.resume(
            eeprom,
            block.journal_start,
            block.journal_pages,
            guard(eeprom.memory, block),
            seq=self.journal.seq,
            slot=self.journal.slot,
            scrub=self.journal.scrub,
        )
        other.recovery = self.recovery
        other.chip = self.chip
        other.answer_to_reset = self.answer_to_reset
        memory = eeprom.memory
        other.extents = {code: extent.twin(memory) for code, extent in self.extents.items()}
        other.generation = eeprom.generation
        return other

    def page(self, number: int) -> bytes:
        """Return one page."""
        return bytes(self.eeprom.memory[number * PAGE_SIZE : (number + 1) * PAGE_SIZE])

    def read_extents(self) -> None:
        """Read the extent table and mount every extent it names that lies in the heap."""
        memory = self.eeprom.memory
        allowed = self.journal.allowed
        self.extents = {}
        for entry in self.extent_table().entries:
            code = entry.domain
            if code in self.extents or entry.page_range not in allowed(code, {}):
                continue
            self.extents[code] = Extent(memory, code, entry.start, entry.pages, entry.fid)

    def extent_table(self) -> ExtentTable:
        """Return the extent table; a damaged one names no extent."""
        try:
            return ExtentTable.parse(self.page(self.superblock.extent_page))
        except LayoutError:
            return ExtentTable()

    def card_state(self) -> CardState | None:
        """Return the card state, or None when its page is damaged."""
        try:
            return CardState.parse(self.page(self.superblock.card_page))
        except LayoutError:
            return None

    def locked(self) -> bool:
        """Whether a CARD BLOCK of scope `card` has locked the card (cos 3.5)."""
        return self.eeprom.memory[self.superblock.card_page * PAGE_SIZE + 2] == CardLifeCycle.LOCKED

    def secret_pages(self) -> frozenset[int]:
        """Every page whose copies in the ring are scrubbed (cos 1.4)."""
        pages = {self.superblock.card_page}
        for extent in self.extents.values():
            pages |= extent.secret_pages
        return frozenset(pages)

    def _read_options(self) -> Mapping[str, str]:
        try:
            return options_page.parse(self.page(options_page.OPTIONS_PAGE))
        except LayoutError:
            return DEFAULTS

    def _read_chip(self) -> ChipPage:
        try:
            return ChipPage.parse(self.page(self.superblock.chip_page))
        except LayoutError:
            return ChipPage(0, 0, bytes(8), bytes(4), bytes(3))

    def _read_atr(self) -> bytes:
        """Return the ATR the card answers with; a damaged ATR page leaves one that says nothing."""
        try:
            page = AtrPage.parse(self.page(self.superblock.atr_page))
            return bytes(Atr.build(AtrProfile[page.profile.name], page.historical))
        except (LayoutError, ValueError):
            return _NO_ATR
