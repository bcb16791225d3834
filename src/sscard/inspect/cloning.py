"""`clone`: the same card under another number."""

from sscard.cos.eeprom import PAGE_SIZE
from sscard.cos.layout import AtrPage, ChipPage, LayoutError
from sscard.cos.volume import read_superblock
from sscard.errors import ImageError

__all__ = ["CLONE_WARNING", "clone"]

CHIP_SERIAL, CARD_SERIAL = 8, 8

CLONE_WARNING = (
    "the keys of the copy are still those diversified for the old card number, and the card"
    " identification code in EF05 still names it: terminals that diversify by the new number"
    " will not authenticate"
)
"""What to tell whoever gives a copy another card number."""


def clone(
    image: bytes | bytearray,
    *,
    new_serial: bytes | None = None,
    csn: bytes | None = None,
) -> bytes:
    """Return a copy of an image with another chip serial, another card number, or both.

    Shapes: `new_serial` 8 bytes, into CH; `csn` 8 bytes, the last historical bytes in AT, the
    factor keys are diversified by. Only CH and AT are rewritten: the keys stay those of the old
    card number (CLONE_WARNING). Raises ImageError for lengths other than 8, nothing to change,
    or a damaged page. Source: cos 2.5, tools the format must allow.
    """
    if new_serial is None and csn is None:
        raise ImageError("a clone needs a new chip serial, a new card number, or both")
    block = read_superblock(image)
    copy = bytearray(image)
    if new_serial is not None:
        if len(new_serial) != CHIP_SERIAL:
            raise ImageError(f"a chip serial has 8 bytes, not {len(new_serial)}")
        chip = _parse_chip(copy, block.chip_page)
        _put(copy, block.chip_page, chip._replace(serial=bytes(new_serial)).build())
    if csn is not None:
        if len(csn) != CARD_SERIAL:
            raise ImageError(f"a card number has 8 bytes, not {len(csn)}")
        atr = _parse_atr(copy, block.atr_page)
        if len(atr.historical) < CARD_SERIAL:
            raise ImageError("the ATR has no room for a card number of 8 bytes")
        historical = atr.historical[:-CARD_SERIAL] + bytes(csn)
        _put(copy, block.atr_page, atr._replace(historical=historical).build())
    return bytes(copy)


def _page(image: bytearray, number: int) -> bytes:
    return bytes(image[number * PAGE_SIZE : (number + 1) * PAGE_SIZE])


def _parse_chip(image: bytearray, number: int) -> ChipPage:
    try:
        return ChipPage.parse(_page(image, number))
    except LayoutError as error:
        raise ImageError(f"the chip page cannot be rewritten: {error}") from None


def _parse_atr(image: bytearray, number: int) -> AtrPage:
    try:
        return AtrPage.parse(_page(image, number))
    except LayoutError as error:
        raise ImageError(f"the ATR page cannot be rewritten: {error}") from None


def _put(image: bytearray, number: int, page: bytes) -> None:
    image[number * PAGE_SIZE : (number + 1) * PAGE_SIZE] = page
