"""Formatting: the image a chip leaves its maker with (cos 2.5, "After format").

Superblocks, chip page, ATR, card state with the transport key, an empty extent table, and,
where the COS makes other choices than the defaults, the options page. All else is erased.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from sscard.cos import options as options_page
from sscard.cos.eeprom import PAGE_SIZE
from sscard.cos.layout import (
    AtrPage,
    AtrProfile,
    CardLifeCycle,
    CardState,
    ChipPage,
    ExtentTable,
    Superblock,
    SuperblockFlag,
    TransportKeyState,
)
from sscard.errors import ImageError

__all__ = ["SIZES", "ChipSpec", "format_image"]

SIZES = tuple(kib * 1024 for kib in (32, 64, 80, 96, 128))
"""EEPROM sizes of cos 1.1, in bytes."""

_JOURNAL_START = 8
_JOURNAL_PAGES, _JOURNAL_PAGES_SMALL = 128, 64


@dataclass(frozen=True, kw_only=True, slots=True)
class ChipSpec:
    """What the chip maker decides: size, serials, ATR, transport key, the COS's choices.

    The defaults are the test identity of cos 2.5 and 4.5.
    """

    size: int = 80 * 1024
    atr_profile: AtrProfile = AtrProfile.A
    historical: bytes = bytes.fromhex("00FE53108086FE990100000001")
    uuid: bytes = bytes.fromhex("00112233445566778899AABBCCDDEEFF")
    chip_serial: bytes = b"SSC00001"
    ic_id: int = 0x00FE
    ic_type: int = 0x0050
    fab_date: bytes = bytes.fromhex("20240301")
    cos_id: bytes = bytes.fromhex("531080")
    generation: int = 1
    test_card: bool = True
    plain_keys: bool = False
    transport_key: bytes = field(default=b"MFR-TEST-TK-0001", repr=False)
    transport_algorithm: int = 0
    transport_tries: int = 15
    options: Mapping[str, str] = field(default_factory=dict)

    def superblock(self) -> Superblock:
        """Return the map of the image this chip gets. Raises ImageError for an odd size."""
        if self.size not in SIZES:
            sizes = ", ".join(f"{size // 1024} KiB" for size in SIZES)
            raise ImageError(f"an EEPROM has {sizes}, not {self.size} bytes")
        small = self.size == SIZES[0]
        journal = _JOURNAL_PAGES_SMALL if small else _JOURNAL_PAGES
        heap = _JOURNAL_START + journal
        flags = SuperblockFlag(0)
        if self.test_card:
            flags |= SuperblockFlag.TEST
        if self.plain_keys:
            flags |= SuperblockFlag.PLAIN_KEYS
        return Superblock(
            size=self.size,
            journal_start=_JOURNAL_START,
            journal_pages=journal,
            heap_start=heap,
            heap_pages=self.size // PAGE_SIZE - heap,
            uuid=self.uuid,
            flags=flags,
            generation=self.generation,
        )


def format_image(chip: ChipSpec) -> bytes:
    """Return the image of a blank chip. Source: cos 2.5."""
    block = chip.superblock()
    image = bytearray(b"\xff" * chip.size)

    def put(page: int, data: bytes) -> None:
        image[page * PAGE_SIZE : (page + 1) * PAGE_SIZE] = data

    put(0, block.build())
    put(1, block.build())
    put(
        block.chip_page,
        ChipPage(chip.ic_id, chip.ic_type, chip.chip_serial, chip.fab_date, chip.cos_id).build(),
    )
    put(block.atr_page, AtrPage(chip.atr_profile, chip.historical).build())
    put(
        block.card_page,
        CardState(
            CardLifeCycle.BLANK,
            0,
            TransportKeyState.PRESENT,
            chip.transport_algorithm,
            chip.transport_tries,
            chip.transport_tries,
            chip.transport_key,
        ).build(),
    )
    put(block.extent_page, ExtentTable().build())
    put(options_page.OPTIONS_PAGE, options_page.build(chip.options))
    return bytes(image)
