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

__all__ = ["Ring", "RingKind", "RingPage", "settled", "survey"]

_JT, _JC = 0x4A54, 0x4A43
_HEAD = Struct(">HHI56x")


class RingKind(Enum):
    """What a page of the ring holds."""

    BLANK = "blank"
    TRANSACTION = "transaction"
    MARKER = "marker"
    CONTINUATION = "continuation"
    NOISE = "noise"


class RingPage(NamedTuple):
    """One page of the ring that is not blank.

    `seq` is None for noise; `transaction` is set where the page opens a whole transaction that
    the firewall lets pass: a marker is one without images.
    """

    slot: int
    kind: RingKind
    seq: int | None
    transaction: Transaction | None = None


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
    start = block.journal_start * PAGE_SIZE
    ring = bytes(image[start : start + block.journal_pages * PAGE_SIZE])
    allowed = guard(bytearray(image), block)
    forbidden = range(block.journal_start, block.journal_start + block.journal_pages)
    pages: list[RingPage] = []
    newest: Transaction | None = None
    for slot, (magic, high, low) in enumerate(_HEAD.iter_unpack(ring)):
        if magic == _JT:
            found = Transaction.parse(ring, slot)
            if found is not None:
                ranges = allowed(found.tag, dict(found.images))
                if any(
                    page in forbidden or not any(page in span for span in ranges)
                    for page, _ in found.images
                ):
                    found = None
            if found is None:
                kind = RingKind.NOISE
            elif found.images:
                kind = RingKind.TRANSACTION
            else:
                kind = RingKind.MARKER
            pages.append(RingPage(slot, kind, low, found))
            if found is not None and (newest is None or found.seq >= newest.seq):
                newest = found
        elif magic == _JC:
            pages.append(RingPage(slot, RingKind.CONTINUATION, high << 16 | low >> 16))
        elif magic != 0xFFFF or ring[slot * PAGE_SIZE : slot * PAGE_SIZE + PAGE_SIZE] != BLANK:
            pages.append(RingPage(slot, RingKind.NOISE, None))
    return Ring(tuple(pages), newest, _residue(pages, newest))


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
