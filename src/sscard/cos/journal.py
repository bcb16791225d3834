"""The journal: a ring of whole-page after-images that makes a transaction atomic.

Commit: continuation pages, then the transaction page (the commit point), then the home
pages, then the applied mark; a transaction that carried key material is then scrubbed to a
marker. Recovery: `replay` before the object tree is read, `tidy` when it is known which
pages hold secrets. A refused or broken transaction is noise. Source: cos 1.3, 1.4, 3.3 F7.
Imported by the card's kernel and by `fsck`.
"""

from collections.abc import Callable, Container, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from struct import Struct
from typing import NamedTuple, Self
from zlib import crc32

from sscard.cos.eeprom import BLANK, PAGE_SIZE, Eeprom, WriteFailure

__all__ = [
    "FirewallViolation",
    "Guard",
    "Journal",
    "JournalOverflow",
    "Recovery",
    "Transaction",
    "continuations",
]

Guard = Callable[[int, Mapping[int, bytes]], Sequence[range]]
"""Which pages a transaction may write: (tag, images) -> page ranges (cos 3.3 F7)."""

MAX_IMAGES = 62
MAX_SEQ = 2**32 - 2
NO_SLOT = 0xFFFF
INLINE = 40  # payload bytes in the transaction page
CONTINUED = 58  # payload bytes in a continuation page
IMAGE = 2 + PAGE_SIZE
APPLIED_AT = 3

_JT, _JC = 0x4A54, 0x4A43
_OPENING = b"JT\x01"
_OPENING_CRC = crc32(_OPENING)
_COMMITTED, _APPLIED = _OPENING + b"\xff", _OPENING + b"\x00"
_HEADER = Struct(">IHBBHHI")  # seq, payload length, images, tag, first slot, FFFF, payload CRC
_CONTINUATION = Struct(">2sI")
_HEAD = Struct(">HHI56x")  # of any ring page: enough for its magic and its seq
_ANY_SEQ = 2**32  # stands for the seq of a page without magic: never older than anything


class FirewallViolation(Exception):
    """A transaction named a page its domain does not own; nothing was written (cos 1.4)."""


class JournalOverflow(Exception):
    """A transaction has more images than the ring can hold; nothing was written (cos 1.4)."""


class Recovery(NamedTuple):
    """What `Journal.replay` found.

    `tag` owns the newest transaction (None: the ring has none), `pages` are the home pages
    of the images it still carries, `replayed` says that they had to be written again, and
    `damaged` is its tag if a page of them can no longer be written.
    """

    tag: int | None
    pages: tuple[int, ...]
    replayed: bool
    damaged: int | None


class Transaction(NamedTuple):
    """A transaction page of the ring whose checks hold, with its images in page order."""

    seq: int
    slot: int
    continuation_slots: range
    tag: int
    applied: bool
    images: tuple[tuple[int, bytes], ...]

    @classmethod
    def parse(cls, ring: bytes | bytearray, slot: int) -> Self | None:
        """Return the transaction whose page is in `slot`, or None if any check fails.

        Shapes: `ring` holds all pages of the ring. Source: cos 1.4, table and recovery.
        """
        page = ring[slot * PAGE_SIZE : slot * PAGE_SIZE + PAGE_SIZE]
        body = page[4:20]
        seal = int.from_bytes(page[20:24])
        if page[:3] != _OPENING or crc32(body, _OPENING_CRC) != seal:
            return None
        seq, length, count, tag, first, _, payload_crc = _HEADER.unpack(body)
        span = continuations(length)
        if length != count * IMAGE or first != (slot - span if span else NO_SLOT) or span > slot:
            return None
        slots = range(slot - span, slot)  # they lie in front of the transaction page
        payload = bytes(page[24:])
        for other in slots:
            start = other * PAGE_SIZE
            if ring[start : start + 6] != _CONTINUATION.pack(b"JC", seq):
                return None
            payload += ring[start + 6 : start + PAGE_SIZE]
        payload = payload[:length]
        if crc32(payload) != payload_crc:
            return None
        images = tuple(
            (int.from_bytes(payload[at : at + 2]), payload[at + 2 : at + IMAGE])
            for at in range(0, length, IMAGE)
        )
        return cls(seq, slot, slots, tag, page[APPLIED_AT] == 0, images)

    def build(self) -> Iterator[tuple[int, bytes]]:
        """Yield the ring pages as (slot, 64 bytes) in the order they are written."""
        payload = b"".join([page.to_bytes(2) + image for page, image in self.images])
        first = self.continuation_slots.start
        yield from _continuation_pages(self.seq, payload, range(first, self.slot))
        start = first if self.slot > first else NO_SLOT
        opening = _APPLIED if self.applied else _COMMITTED
        count = len(self.images)
        yield (
            self.slot,
            _transaction_page(self.seq, self.tag, count, payload, start, opening),
        )


def continuations(length: int) -> int:
    """Return how many continuation pages a payload of `length` bytes needs (cos 1.4)."""
    return max(0, (length - INLINE + CONTINUED - 1) // CONTINUED)


def _continuation_pages(seq: int, payload: bytes, slots: range) -> Iterator[tuple[int, bytes]]:
    """Yield (slot, 64 bytes) of the pages that carry what the transaction page cannot."""
    head, at = _CONTINUATION.pack(b"JC", seq), INLINE
    for slot in slots:
        yield slot, head + payload[at : at + CONTINUED].ljust(CONTINUED, b"\xff")
        at += CONTINUED


def _transaction_page(
    seq: int, tag: int, count: int, payload: bytes, first: int, opening: bytes = _COMMITTED
) -> bytes:
    """Return the 64 bytes of a transaction page; a marker has no payload and is applied."""
    body = _HEADER.pack(seq, len(payload), count, tag, first, 0xFFFF, crc32(payload))
    inline = payload[:INLINE].ljust(INLINE, b"\xff")
    return opening + body + crc32(body, _OPENING_CRC).to_bytes(4) + inline


class Journal:
    """The ring of one EEPROM and the place of its next transaction.

    `seq` and `slot` belong to the next transaction; `replay` finds them in the ring, and a
    fork of a running card carries them over (`resume`). `allowed` is the firewall's word on
    each transaction, at commit and again in recovery.
    """

    __slots__ = (
        "_eeprom",
        "_first",
        "_newest",
        "_pages",
        "_residue",
        "allowed",
        "scrub",
        "seq",
        "slot",
    )

    def __init__(
        self, eeprom: Eeprom, first_page: int, pages: int, allowed: Guard, *, scrub: bool = True
    ) -> None:
        self._eeprom = eeprom
        self._first = first_page
        self._pages = pages
        self.allowed = allowed
        self.scrub = scrub
        self.seq = 1
        self.slot = 0
        self._newest: Transaction | None = None  # to be scrubbed by `tidy` if it was due
        self._residue: list[int] = []

    @classmethod
    def resume(
        cls,
        eeprom: Eeprom,
        first_page: int,
        pages: int,
        allowed: Guard,
        *,
        seq: int,
        slot: int,
        scrub: bool = True,
    ) -> Self:
        """Return the journal of a card in mid-life, without a scan: the fork of a snapshot."""
        journal = cls(eeprom, first_page, pages, allowed, scrub=scrub)
        journal.seq, journal.slot = seq, slot
        return journal

    @property
    def images_max(self) -> int:
        """The most page images one transaction can have: 62, or what the ring holds (cos 1.4)."""
        room = INLINE + CONTINUED * (self._pages - 1)
        return min(MAX_IMAGES, room // IMAGE)

    # -- commit ---------------------------------------------------------------------------

    def commit(self, tag: int, images: Mapping[int, bytes], *, secret: bool) -> bool:
        """Write `images` (page number -> 64 bytes) all or none; whether anything had to be.

        `secret`: the pages hold keys, so their copies are scrubbed from the ring.
        Raises FirewallViolation and JournalOverflow before anything is written; WriteFailure
        when a page is worn out or the numbers are used up; PowerLoss. Source: cos 1.4.
        """
        self._check(tag, images)
        memory = self._eeprom.memory
        changed = [
            (page, image)
            for page, image in sorted(images.items())
            if memory[page * PAGE_SIZE : page * PAGE_SIZE + PAGE_SIZE] != image
        ]
        if not changed:
            return False
        payload = b"".join([page.to_bytes(2) + image for page, image in changed])
        count, span = len(changed), continuations(len(payload))
        if count > MAX_IMAGES or span >= self._pages:
            raise JournalOverflow(f"{count} page images do not fit the ring")
        seq = self.seq
        first = self.slot if self.slot + span < self._pages else 0
        if seq > MAX_SEQ:
            raise WriteFailure(self._first + first)
        slot = first + span
        try:
            self._log(seq, tag, count, payload, first, slot)
        except WriteFailure as failure:
            self._abandon(first, failure.page - self._first)
            raise
        self.seq = seq + 1
        self.slot = slot + 1 if slot + 1 < self._pages else 0
        try:
            self._apply(changed)
            self._mark(slot)
            if secret and self.scrub:
                self._scrub(seq, tag, range(first, slot), slot)
        except WriteFailure:
            self._eeprom.generation += 1  # committed, yet incomplete: the next power-on goes on
            raise
        return True

    def initialise(self, tag: int, images: Mapping[int, bytes]) -> None:
        """Write unreachable pages ahead of the transaction that links them (cos 1.3 T3).

        Obeys the guard like a commit; a tear here changes nothing anybody can reach.
        """
        self._check(tag, images)
        for page, image in sorted(images.items()):
            self._eeprom.write_page(page, image)

    def _check(self, tag: int, images: Mapping[int, bytes]) -> None:
        """Raise FirewallViolation unless every page of `images` is the tag's to write."""
        allowed = self.allowed(tag, images)
        first = self._first
        for page in images:
            for pages in allowed:
                if page in pages and not first <= page < first + self._pages:
                    break
            else:
                raise FirewallViolation(f"tag {tag:02X} may not write page {page:04X}")

    def _log(self, seq: int, tag: int, count: int, payload: bytes, first: int, slot: int) -> None:
        """Do steps 1 and 2; the last page written is the commit point."""
        write = self._eeprom.write_page
        for at, page in _continuation_pages(seq, payload, range(first, slot)):
            write(self._first + at, page)
        start = first if slot > first else NO_SLOT
        write(self._first + slot, _transaction_page(seq, tag, count, payload, start))

    def _abandon(self, first: int, failed: int) -> None:
        """Leave nothing of a transaction that met a worn ring page, and go on behind that page."""
        for slot in range(first, failed + 1):
            self._eeprom.erase_page(self._first + slot)
        self.seq += 1
        self.slot = (failed + 1) % self._pages

    def _apply(self, images: Iterable[tuple[int, bytes]]) -> None:
        """Do step 3: every image goes home; past the commit point one dead page stops no other.

        Raises the first WriteFailure at the end: the transaction then stays unmarked.
        """
        failures: list[WriteFailure] = []
        for page, image in images:
            try:
                self._eeprom.write_page(page, image)
            except WriteFailure as failure:
                failures.append(failure)
        if failures:
            raise failures[0]

    def _mark(self, slot: int) -> None:
        """Do step 4: the images are known to be home."""
        self._eeprom.program_byte((self._first + slot) * PAGE_SIZE + APPLIED_AT, 0)

    def _scrub(self, seq: int, tag: int, continuation_slots: range, slot: int) -> None:
        """Do step 5: keep seq and place in a marker, erase the copies of secrets."""
        eeprom, first = self._eeprom, self._first
        marker = _transaction_page(seq, tag, 0, b"", NO_SLOT, _APPLIED)
        try:
            eeprom.write_page(first + slot, marker)
        finally:  # a worn transaction page must not save its continuation pages
            for other in continuation_slots:
                eeprom.erase_page(first + other)

    # -- recovery -------------------------------------------------------------------------

    def replay(self) -> Recovery:
        """Find the newest valid transaction and write its images again unless applied.

        The first half of power-on recovery; a clean ring costs no operation. Never raises
        WriteFailure: a page that cannot be written makes its owner `damaged`.
        Source: cos 1.4, power-on recovery.
        """
        eeprom = self._eeprom
        start = self._first * PAGE_SIZE
        ring = eeprom.memory[start : start + self._pages * PAGE_SIZE]
        transactions, occupied = self._survey(ring)
        newest = self._valid(ring, transactions)
        self._newest = newest
        if newest is None:
            self.seq, self.slot = 1, 0
            self._residue = [slot for _, slot in occupied]
            return Recovery(None, (), False, None)
        own = range(newest.continuation_slots.start, newest.slot + 1)
        self._residue = [slot for seq, slot in occupied if seq >= newest.seq and slot not in own]
        self.seq = newest.seq + 1
        self.slot = (newest.slot + 1) % self._pages
        pages = tuple(page for page, _ in newest.images)
        if newest.applied:
            return Recovery(newest.tag, pages, False, None)
        eeprom.generation += 1
        try:
            self._apply(newest.images)
        except WriteFailure:
            self._newest = None  # its images stay in the ring: the next power-on tries again
            return Recovery(newest.tag, pages, True, newest.tag)
        with suppress(WriteFailure):
            self._mark(newest.slot)
        return Recovery(newest.tag, pages, True, None)

    def tidy(self, secret_pages: Container[int]) -> None:
        """Scrub the newest transaction if that was due, and erase what torn writes left.

        The second half of recovery: `secret_pages` come from the object tree, which may be
        read only after the replay. Does nothing when the card does not scrub. Source: cos 1.4.
        """
        if not self.scrub:
            return
        newest = self._newest
        if newest is not None and any(page in secret_pages for page, _ in newest.images):
            with suppress(WriteFailure):
                self._scrub(newest.seq, newest.tag, newest.continuation_slots, newest.slot)
        for slot in self._residue:
            self._eeprom.erase_page(self._first + slot)
        self._newest, self._residue = None, []

    def _survey(self, ring: bytearray) -> tuple[list[tuple[int, int]], list[tuple[int, int]]]:
        """Return (seq, slot) of every page that may be a transaction and of every used page."""
        transactions: list[tuple[int, int]] = []
        occupied: list[tuple[int, int]] = []
        for slot, (magic, high, low) in enumerate(_HEAD.iter_unpack(ring)):
            if magic == _JT:
                transactions.append((low, slot))
                occupied.append((low, slot))
            elif magic == _JC:
                occupied.append((high << 16 | low >> 16, slot))
            elif magic != 0xFFFF or ring[slot * PAGE_SIZE : slot * PAGE_SIZE + PAGE_SIZE] != BLANK:
                occupied.append((_ANY_SEQ, slot))
        return transactions, occupied

    def _valid(self, ring: bytearray, transactions: list[tuple[int, int]]) -> Transaction | None:
        """Return the newest transaction that is whole and that the guard lets pass."""
        for _, slot in sorted(transactions, reverse=True):
            found = Transaction.parse(ring, slot)
            if found is not None and self._permitted(found):
                return found
        return None

    def _permitted(self, found: Transaction) -> bool:
        try:
            self._check(found.tag, dict(found.images))
        except FirewallViolation:
            return False
        return True
