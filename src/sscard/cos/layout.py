"""The page-level records of the image: superblock, chip, ATR, card state, extents, domains.

Every record is 64 bytes: its fields, FF, and a CRC-32 of bytes 0-59 at offset 60. `build`
gives the page, `parse` the value; `parse` refuses every page that `build` would not give, so
a parsed record cannot be wrong. Object headers and key records: `sscard.cos.objects`.
Source: cos 2.5. Imported by `cos`, the card and the image tools.
"""

from enum import IntEnum, IntFlag
from struct import Struct
from typing import NamedTuple, Self, TypeVar
from zlib import crc32

from sscard.cos.eeprom import PAGE_SIZE
from sscard.errors import ImageError

__all__ = [
    "MAX_EXTENTS",
    "PAGE_SIZE",
    "AtrPage",
    "AtrProfile",
    "Block",
    "CardLifeCycle",
    "CardState",
    "ChipPage",
    "DomainHeader",
    "DomainState",
    "ExtentEntry",
    "ExtentTable",
    "LayoutError",
    "Superblock",
    "SuperblockFlag",
    "TransportKeyState",
    "sealed",
]

_Member = TypeVar("_Member", bound=IntEnum)

_CRC_AT = PAGE_SIZE - 4
_SUPERBLOCK = Struct(">6sBBIHHHHHHHHHHI8s16s")
_CHIP = Struct(">2sHH8s4s3sB")
_CARD = Struct(">2sBBBBBB16s")
_ENTRY = Struct(">BBHHHH")
_DOMAIN = Struct(">2sBBHHHBBBBI")
_HISTORY = 15
MAX_EXTENTS = (_CRC_AT - 4) // _ENTRY.size
"""How many extents the table holds."""


class LayoutError(ImageError):
    """A page is not the record it should be."""


class CardLifeCycle(IntEnum):
    """Stored life cycle of the card (cos 3.4)."""

    BLANK = 0x01
    INITIALISED = 0x03
    HANDED_OVER = 0x07
    LOCKED = 0x7F
    TERMINATED = 0xFF


class TransportKeyState(IntEnum):
    """Whether the transport key is still there (cos 2.5, CS)."""

    PRESENT = 0xA5
    DESTROYED = 0x25


class DomainState(IntEnum):
    """Life cycle of a domain (cos 2.5, DH)."""

    CREATED = 0x01
    OWNED = 0x03
    OPERATIONAL = 0x07
    TERMINATED = 0xFF


class Block(IntEnum):
    """Block state of a domain or an ADF (cos 2.5, DH and DFSTATE)."""

    NONE = 0x00
    TEMPORARY = 0x01
    PERMANENT = 0x02
    CARD = 0x03  # by CARD BLOCK: SELECT is refused too (ssse-lb002 4.8)


class AtrProfile(IntEnum):
    """Which of the three ATRs the card answers with (cos 1.6, 2.5)."""

    A = 0
    B = 1
    C = 2


class SuperblockFlag(IntFlag):
    """Bits of the superblock's flag byte (cos 2.5)."""

    TEST = 0x01
    PLAIN_KEYS = 0x02


def sealed(body: bytes) -> bytes:
    """Return the page that `body` begins: FF up to the CRC-32 of bytes 0-59.

    Shapes: at most 60 bytes; the result has 64. Source: cos 2.5.
    """
    if len(body) > _CRC_AT:
        raise LayoutError(f"a record of {len(body)} bytes does not fit a page")
    padded = body.ljust(_CRC_AT, b"\xff")
    return padded + crc32(padded).to_bytes(4)


def _require(page: bytes, rebuilt: bytes, name: str) -> None:
    """Raise LayoutError unless the page is exactly what its parsed record builds."""
    if page != rebuilt:
        raise LayoutError(f"not a valid {name} page: magic, reserved bytes or CRC")


class Superblock(NamedTuple):
    """The map of the image, pages 0 and 1; static after format.

    Shapes: `size` bytes; `*_start` and `*_page` page numbers; `*_pages` numbers of pages;
    `uuid` 16 bytes.
    """

    size: int
    journal_start: int
    journal_pages: int
    heap_start: int
    heap_pages: int
    uuid: bytes
    flags: SuperblockFlag = SuperblockFlag.TEST
    chip_page: int = 2
    atr_page: int = 3
    card_page: int = 4
    extent_page: int = 5
    generation: int = 1

    def build(self) -> bytes:
        """Return the 64 bytes of the page."""
        body = _SUPERBLOCK.pack(
            b"SSCARD",
            1,
            self.flags,
            self.size,
            PAGE_SIZE,
            self.size // PAGE_SIZE,
            self.journal_start,
            self.journal_pages,
            self.heap_start,
            self.heap_pages,
            self.chip_page,
            self.atr_page,
            self.card_page,
            self.extent_page,
            self.generation,
            b"\xff" * 8,
            self.uuid,
        )
        return sealed(body)

    @classmethod
    def parse(cls, page: bytes) -> Self:
        """Return the record of a 64-byte page; LayoutError if it is none."""
        _length(page)
        _, _, flags, size, _, _, *numbers, _, uuid = _SUPERBLOCK.unpack_from(page)
        ring, ring_pages, heap, heap_pages, chip, atr, card, extents, generation = numbers
        record = cls(
            size=size,
            journal_start=ring,
            journal_pages=ring_pages,
            heap_start=heap,
            heap_pages=heap_pages,
            uuid=uuid,
            flags=SuperblockFlag(flags),
            chip_page=chip,
            atr_page=atr,
            card_page=card,
            extent_page=extents,
            generation=generation,
        )
        if size // PAGE_SIZE > 0xFFFF:
            raise LayoutError(f"an image of {size} bytes has too many pages")
        _require(page, record.build(), "superblock")
        return record


class ChipPage(NamedTuple):
    """CH: what the chip maker wrote, once.

    Shapes: `serial` 8 bytes; `fab_date` BCD yyyymmdd, 4 bytes; `cos_id` 3 bytes.
    """

    ic_id: int
    ic_type: int
    serial: bytes
    fab_date: bytes
    cos_id: bytes
    rng_version: int = 1

    def build(self) -> bytes:
        """Return the 64 bytes of the page."""
        return sealed(_CHIP.pack(b"CH", *self))

    @classmethod
    def parse(cls, page: bytes) -> Self:
        """Return the record of a 64-byte page; LayoutError if it is none."""
        _length(page)
        _, *fields = _CHIP.unpack_from(page)
        record = cls(*fields)
        _require(page, record.build(), "chip")
        return record


class AtrPage(NamedTuple):
    """AT: which ATR the card answers with, and its historical bytes (at most 15)."""

    profile: AtrProfile
    historical: bytes

    def build(self) -> bytes:
        """Return the 64 bytes of the page."""
        if len(self.historical) > _HISTORY:
            raise LayoutError(f"{len(self.historical)} historical bytes: at most 15")
        return sealed(b"AT" + bytes((self.profile, len(self.historical))) + self.historical)

    @classmethod
    def parse(cls, page: bytes) -> Self:
        """Return the record of a 64-byte page; LayoutError if it is none."""
        _length(page)
        record = cls(_member(AtrProfile, page[2]), bytes(page[4 : 4 + page[3]]))
        _require(page, record.build(), "ATR")
        return record


class CardState(NamedTuple):
    """CS: life cycle of the card and its transport key.

    Shapes: `domains` counts the DDFs; `tk_algorithm` a code of cos 4.4; `tk` 16 bytes.
    """

    life_cycle: CardLifeCycle
    domains: int
    tk_state: TransportKeyState
    tk_algorithm: int
    tk_max: int
    tk_left: int
    tk: bytes

    def __repr__(self) -> str:
        return (
            f"CardState({self.life_cycle.name}, domains={self.domains},"
            f" tk_state={self.tk_state.name}, tk_left={self.tk_left})"
        )

    def build(self) -> bytes:
        """Return the 64 bytes of the page."""
        return sealed(_CARD.pack(b"CS", *self))

    @classmethod
    def parse(cls, page: bytes) -> Self:
        """Return the record of a 64-byte page; LayoutError if it is none."""
        _length(page)
        _, life_cycle, domains, tk_state, *key = _CARD.unpack_from(page)
        stored = _member(CardLifeCycle, life_cycle)
        record = cls(stored, domains, _member(TransportKeyState, tk_state), *key)
        _require(page, record.build(), "card-state")
        return record


class ExtentEntry(NamedTuple):
    """One extent: `pages` whole pages from page `start` belong to `domain`, under `fid`."""

    domain: int
    start: int
    pages: int
    fid: int

    @property
    def page_range(self) -> range:
        """The page numbers of the extent."""
        return range(self.start, self.start + self.pages)


class ExtentTable(NamedTuple):
    """EX: the extents in order of creation, at most five."""

    entries: tuple[ExtentEntry, ...] = ()

    def build(self) -> bytes:
        """Return the 64 bytes of the page."""
        packed = [
            _ENTRY.pack(entry.domain, 1, entry.start, entry.pages, entry.fid, 0xFFFF)
            for entry in self.entries
        ]
        return sealed(b"EX" + bytes((len(packed), 0)) + b"".join(packed))

    @classmethod
    def parse(cls, page: bytes) -> Self:
        """Return the record of a 64-byte page; LayoutError if it is none."""
        _length(page)
        if page[2] > MAX_EXTENTS:
            raise LayoutError(f"not a valid extent table: {page[2]} entries")
        entries: list[ExtentEntry] = []
        for index in range(page[2]):
            domain, _, start, pages, fid, _ = _ENTRY.unpack_from(page, 4 + index * _ENTRY.size)
            entries.append(ExtentEntry(domain, start, pages, fid))
        record = cls(tuple(entries))
        _require(page, record.build(), "extent table")
        return record


class DomainHeader(NamedTuple):
    """DH: first page of an extent; all mutable state of the domain besides its objects.

    Shapes: `start`, `pages` the extent; `ddf` the address of the DDF object's header.
    """

    domain: int
    state: DomainState
    start: int
    pages: int
    fid: int
    ddf: int
    block: Block = Block.NONE
    mac_left: int = 3
    unblock_left: int = 3

    def build(self) -> bytes:
        """Return the 64 bytes of the page."""
        body = _DOMAIN.pack(
            b"DH",
            self.domain,
            self.state,
            self.start,
            self.pages,
            self.fid,
            self.block,
            self.mac_left,
            self.unblock_left,
            0,
            self.ddf,
        )
        return sealed(body)

    @classmethod
    def parse(cls, page: bytes) -> Self:
        """Return the record of a 64-byte page; LayoutError if it is none."""
        _length(page)
        _, domain, state, start, pages, fid, block, mac, unblock, _, ddf = _DOMAIN.unpack_from(page)
        record = cls(
            domain,
            _member(DomainState, state),
            start,
            pages,
            fid,
            ddf,
            _member(Block, block),
            mac,
            unblock,
        )
        _require(page, record.build(), "domain header")
        return record


def _member(kind: type[_Member], value: int) -> _Member:
    try:
        return kind(value)
    except ValueError:
        raise LayoutError(f"{value:02X} is no {kind.__name__}") from None


def _length(page: bytes) -> None:
    if len(page) != PAGE_SIZE:
        raise LayoutError(f"a record is one page of {PAGE_SIZE} bytes, not {len(page)}")
