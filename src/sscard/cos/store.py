"""A domain's window on the EEPROM, and the transaction it writes through (cos 3.1, F7; 1.3).

A `Store` cannot address a byte outside its page ranges: a domain that holds nothing else is
confined by construction. Writes collect in page images and are committed as a unit; reads
see them. The journal guard (`sscard.cos.firewall`) checks every commit once more, on another
path.
"""

from collections.abc import Sequence
from typing import Any

from sscard.cos.eeprom import Eeprom, WriteFailure
from sscard.cos.journal import FirewallViolation, Journal
from sscard.cos.layout import PAGE_SIZE
from sscard.cos.trace import Committed, DetailListener

__all__ = ["Store"]


class Store:
    """Read and write access to the pages of one domain.

    Shapes: `ranges` page ranges, the domain's own extent first; `tag` the owner written into
    the journal: a domain code, or 81/82 for the bootstrap of domain 1 or 2 (cos 1.4).
    Addresses are absolute EEPROM addresses. A bad address is a bug or an attack, never a
    refusal: it raises `FirewallViolation`. `watch` is the domain's code and who hears of its
    transactions.

    `memo` keeps what was parsed from the bytes, by the address of the object; any write, and
    any transaction dropped, empties it.
    """

    __slots__ = (
        "_domain",
        "_journal",
        "_limit",
        "_listeners",
        "_memory",
        "_pending",
        "_ranges",
        "_start",
        "memo",
        "secret_pages",
        "tag",
    )

    def __init__(
        self,
        eeprom: Eeprom,
        journal: Journal,
        ranges: Sequence[range],
        tag: int,
        watch: tuple[int, Sequence[DetailListener]] = (0, ()),
    ) -> None:
        self._domain, self._listeners = watch
        self._memory = eeprom.memory
        self._journal = journal
        self._pending: dict[int, bytearray] = {}
        self.memo: dict[int, Any] = {}
        self.secret_pages: frozenset[int] = frozenset()
        self.allow(ranges, tag)

    def allow(self, ranges: Sequence[range], tag: int) -> None:
        """Set what this window covers; only the kernel's wiring calls it."""
        self.memo = {}
        self._ranges = tuple(ranges)
        self._start = self._ranges[0].start * PAGE_SIZE
        self._limit = self._ranges[0].stop * PAGE_SIZE
        self.tag = tag

    @property
    def ranges(self) -> tuple[range, ...]:
        """The page ranges this window covers."""
        return self._ranges

    def read(self, address: int, length: int) -> bytes:
        """Return `length` bytes from `address`, as they will stand after the commit."""
        end = address + length
        if address < self._start or end > self._limit:
            self._require(address, end)
        if self._pending:
            return self._read_through(address, end)
        return bytes(self._memory[address:end])

    def byte(self, address: int) -> int:
        """Return one byte."""
        if self._pending or not self._start <= address < self._limit:
            return self.read(address, 1)[0]
        return self._memory[address]

    def write(self, address: int, data: bytes) -> None:
        """Put `data` at `address` into the transaction."""
        end = address + len(data)
        if address < self._start or end > self._limit:
            self._require(address, end)
        if self.memo:
            self.memo = {}
        offset = 0
        while address < end:
            page, begin = divmod(address, PAGE_SIZE)
            image = self._pending.get(page)
            if image is None:
                home = page * PAGE_SIZE
                image = self._pending[page] = self._memory[home : home + PAGE_SIZE]
            count = min(PAGE_SIZE - begin, end - address)
            image[begin : begin + count] = data[offset : offset + count]
            address += count
            offset += count

    def write_free(self, page: int, data: bytes) -> None:
        """Write one whole page of unreachable space at once, outside the transaction (T3).

        The caller vouches that the page lies wholly above the top of the chain. It must not
        be part of the running transaction.
        """
        self._require(page * PAGE_SIZE, (page + 1) * PAGE_SIZE)
        if page in self._pending:
            raise AssertionError(f"page {page} is part of the transaction and of free space")
        self._journal.initialise(self.tag, {page: data})

    def commit(self) -> bool:
        """Commit the transaction; whether anything was written. Source: cos 1.3 T1, 1.4."""
        pending = self._pending
        if not pending:
            return False
        images = {page: bytes(pending[page]) for page in sorted(pending)}
        self._pending = {}
        try:
            written = self._journal.commit(
                self.tag, images, secret=not self.secret_pages.isdisjoint(images)
            )
        except WriteFailure:
            self.memo = {}  # what was parsed since the writes is not what stands now
            raise
        if written:
            for listener in self._listeners:
                listener(Committed(self._domain, tuple(images)))
        return written

    def discard(self) -> None:
        """Forget the transaction: the command was refused."""
        if self._pending:
            self._pending = {}
            self.memo = {}

    def pages_pending(self) -> frozenset[int]:
        """The pages the running transaction would write."""
        return frozenset(self._pending)

    @property
    def pages_max(self) -> int:
        """The most pages one transaction can write (cos 1.4)."""
        return self._journal.images_max

    def _require(self, address: int, end: int) -> None:
        if not any(
            pages.start * PAGE_SIZE <= address and end <= pages.stop * PAGE_SIZE
            for pages in self._ranges
        ):
            raise FirewallViolation(f"tag {self.tag:02X} may not address {address:05X}..{end:05X}")

    def _read_through(self, address: int, end: int) -> bytes:
        view = self._memory[address:end]
        for page in range(address // PAGE_SIZE, (end - 1) // PAGE_SIZE + 1):
            image = self._pending.get(page)
            if image is not None:
                begin = max(address, page * PAGE_SIZE)
                stop = min(end, (page + 1) * PAGE_SIZE)
                view[begin - address : stop - address] = image[
                    begin - page * PAGE_SIZE : stop - page * PAGE_SIZE
                ]
        return bytes(view)
