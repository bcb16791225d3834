"""Kinds of damage to an image: wear and accidents, and lies under good check sums.

Each changes a memory in place and says in words what it does. Those of the first kind stop at
the first check, mostly; those of the second are believed, and what reads behind the check must
stand them. Source: cos 1.4, 2.5 (docs/image-format.md).
"""

from typing import Any, NamedTuple, Protocol

from sscard.cos.eeprom import PAGE_SIZE
from sscard.cos.journal import Transaction
from sscard.cos.layout import sealed
from sscard.cos.objects import HEADER_SIZE, KEY_RECORD_SIZE, FileHeader, KeyRecord

__all__ = [
    "Access",
    "Bit",
    "Byte",
    "Copied",
    "Damage",
    "Field",
    "Filled",
    "Forged",
    "Header",
    "KeyField",
    "span",
]


class Damage(Protocol):
    """Something that is done to a memory; `str` tells it."""

    def __call__(self, memory: bytearray, /) -> None:
        """Do it."""
        ...


def span(page: int) -> slice:
    """Return where a page lies in an image."""
    return slice(page * PAGE_SIZE, (page + 1) * PAGE_SIZE)


# --- wear and accidents -------------------------------------------------------------------------


class Bit(NamedTuple):
    """A bit of the byte at an address is turned."""

    at: int
    bit: int

    def __str__(self) -> str:
        return f"bit {self.bit} of {self.at:05X} turned"

    def __call__(self, memory: bytearray) -> None:
        memory[self.at] ^= 1 << self.bit


class Byte(NamedTuple):
    """A byte is overwritten."""

    at: int
    value: int

    def __str__(self) -> str:
        return f"{self.value:02X} at {self.at:05X}"

    def __call__(self, memory: bytearray) -> None:
        memory[self.at] = self.value


class Filled(NamedTuple):
    """A page is full of one byte."""

    page: int
    value: int

    def __str__(self) -> str:
        return f"page {self.page} full of {self.value:02X}"

    def __call__(self, memory: bytearray) -> None:
        memory[span(self.page)] = bytes((self.value,)) * PAGE_SIZE


class Copied(NamedTuple):
    """A page holds what another one does."""

    source: int
    page: int

    def __str__(self) -> str:
        return f"page {self.source} copied to page {self.page}"

    def __call__(self, memory: bytearray) -> None:
        memory[span(self.page)] = memory[span(self.source)]


# --- lies under good check sums -----------------------------------------------------------------


class Field(NamedTuple):
    """A byte of a page, and of its copy, has another value; the check sum is right."""

    pages: tuple[int, ...]
    offset: int
    value: int

    def __str__(self) -> str:
        pages = " and ".join(map(str, self.pages))
        return f"{self.value:02X} at {self.offset} of page {pages}, sealed"

    def __call__(self, memory: bytearray) -> None:
        for page in self.pages:
            body = memory[span(page)][:-4]
            body[self.offset] = self.value
            memory[span(page)] = sealed(bytes(body))


class Header(NamedTuple):
    """A field of the object header at an address has another value."""

    at: int
    field: str
    value: int

    def __str__(self) -> str:
        return f"{self.field} {self.value:X} in the header at {self.at:05X}, sealed"

    def __call__(self, memory: bytearray) -> None:
        place = slice(self.at, self.at + HEADER_SIZE)
        changed: dict[str, Any] = {self.field: self.value}
        memory[place] = FileHeader.parse(bytes(memory[place]))._replace(**changed).build()


class Access(NamedTuple):
    """One of the six access conditions of a header is another."""

    at: int
    which: int
    word: int

    def __str__(self) -> str:
        return f"access {self.which} {self.word:04X} in the header at {self.at:05X}, sealed"

    def __call__(self, memory: bytearray) -> None:
        place = slice(self.at, self.at + HEADER_SIZE)
        header = FileHeader.parse(bytes(memory[place]))
        words = list(header.access)
        words[self.which] = self.word
        memory[place] = header._replace(access=tuple(words)).build()


class KeyField(NamedTuple):
    """A field of the key record at an address has another value."""

    at: int
    field: str
    value: int

    def __str__(self) -> str:
        return f"{self.field} {self.value:X} in the key at {self.at:05X}, sealed"

    def __call__(self, memory: bytearray) -> None:
        place = slice(self.at, self.at + KEY_RECORD_SIZE)
        changed: dict[str, Any] = {self.field: self.value}
        memory[place] = KeyRecord.parse(bytes(memory[place]))._replace(**changed).build()


class Forged(NamedTuple):
    """A transaction in the ring with good check sums; `ring` the ring's first page."""

    ring: int
    made: Transaction
    story: str

    def __str__(self) -> str:
        return self.story

    def __call__(self, memory: bytearray) -> None:
        for slot, page in self.made.build():
            memory[span(self.ring + slot)] = page
