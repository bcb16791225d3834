"""The journal ring as it lies in an image: what each page is, and what recovery would do.

A second reading of cos 1.4, without an EEPROM: nothing here writes. Used by `fsck`, `dump` and
`diff`.
"""

from enum import Enum
from struct import Struct
from typing import NamedTuple

from sscard.cos.eeprom import BLANK, PAGE_SIZE
from sscard.cos.firewall import guard
from sscard.cos.journal import Transaction
from sscard.cos.layout import Superblock

__all__ = ["Ring", "RingKind", "RingPage", "settled", "survey", "transaction_at"]

_JT, _JC = 0x4A54, 0x4A43
_HEAD = Struct(">HHI56x")


class RingKind(Enum):
    """What a page of the ring says it is, by its first two bytes."""

    TRANSACTION = "transaction"
    CONTINUATION = "continuation"
    NOISE = "noise"


class RingPage(NamedTuple):
    """One page of the ring that is not blank; `seq` is None for noise."""

    slot: int
    kind: RingKind
    seq: int | None


class Ring(NamedTuple):
    """The used pages in slot order, the newest valid transaction, and the torn leftovers.

    `residue` are the slots that recovery would erase when scrubbing is on.
    """

    pages: tuple[RingPage, ...]
    newest: Transaction | None
    residue: tuple[int, ...]

    @property
    def pending(self) -> bool:
        """Whether the newest transaction is committed but not known to be applied."""
        return self.newest is not None and not self.newest.applied


def survey(image: bytes | bytearray, block: Superblock) -> Ring:
    """Read the ring of an image whose superblock is `block`. Source: cos 1.4."""
    ring = _bytes_of(image, block)
    pages: list[RingPage] = []
    for slot, (magic, high, low) in enumerate(_HEAD.iter_unpack(ring)):
        if magic == _JT:
            pages.append(RingPage(slot, RingKind.TRANSACTION, low))
        elif magic == _JC:
            pages.append(RingPage(slot, RingKind.CONTINUATION, high << 16 | low >> 16))
        elif magic != 0xFFFF or ring[slot * PAGE_SIZE : slot * PAGE_SIZE + PAGE_SIZE] != BLANK:
            pages.append(RingPage(slot, RingKind.NOISE, None))
    newest = _newest(image, block, ring, pages)
    return Ring(tuple(pages), newest, _residue(pages, newest))


def transaction_at(image: bytes | bytearray, block: Superblock, slot: int) -> Transaction | None:
    """Return the transaction whose page is in `slot`, if it is whole."""
    return Transaction.parse(_bytes_of(image, block), slot)


def _bytes_of(image: bytes | bytearray, block: Superblock) -> bytes:
    start = block.journal_start * PAGE_SIZE
    return bytes(image[start : start + block.journal_pages * PAGE_SIZE])


def _newest(
    image: bytes | bytearray, block: Superblock, ring: bytes, pages: list[RingPage]
) -> Transaction | None:
    """Return the newest whole transaction that the firewall lets pass."""
    allowed = guard(bytearray(image), block)
    home = range(block.journal_start, block.journal_start + block.journal_pages)
    opened = [page for page in pages if page.kind is RingKind.TRANSACTION]
    for page in sorted(opened, key=lambda page: (page.seq or 0, page.slot), reverse=True):
        found = Transaction.parse(ring, page.slot)
        if found is None:
            continue
        ranges = allowed(found.tag, dict(found.images))
        if all(
            number not in home and any(number in span for span in ranges)
            for number, _ in found.images
        ):
            return found
    return None


def _residue(pages: list[RingPage], newest: Transaction | None) -> tuple[int, ...]:
    if newest is None:
        return tuple(page.slot for page in pages)
    own = range(newest.continuation_slots.start, newest.slot + 1)
    return tuple(
        page.slot
        for page in pages
        if page.slot not in own and (page.seq is None or page.seq >= newest.seq)
    )


def settled(image: bytes | bytearray, ring: Ring) -> bytes:
    """Return the image as it stands once a pending transaction has been replayed."""
    if not ring.pending or ring.newest is None:
        return bytes(image)
    memory = bytearray(image)
    for page, data in ring.newest.images:
        memory[page * PAGE_SIZE : (page + 1) * PAGE_SIZE] = data
    return bytes(memory)
