"""Which command an APDU is: by class and instruction, per domain (cos 3.2; architecture 3).

The rows of the card's own command tables come first, so that what a card does and what
`explain` says cannot differ. Commands of the reference that no table has are known by name.
"""

from collections.abc import Iterator
from typing import NamedTuple

from sscard.apps.psam import PSAM_APPLET
from sscard.apps.pse import PSE_APPLET
from sscard.apps.ssse import SSSE_APPLET
from sscard.cos.commands import CommandTable, Row
from sscard.cos.manager import CARD_MANAGER
from sscard.inspect.names import domain_name

__all__ = ["PLACES", "PSAM", "TABLES", "Entry", "lookup", "place_name", "rows"]

PSAM = 3
"""The only domain of a PSAM, as a place of commands: on its own card its code is 0 (cos 7)."""

TABLES: dict[int, CommandTable] = {
    0: CARD_MANAGER.table,
    1: SSSE_APPLET.table,
    2: PSE_APPLET.table,
    PSAM: PSAM_APPLET.table,
}
"""The command table of each domain, and of the PSAM."""

PLACES = {"CM": 0, "SSSE": 1, "PSE": 2, "PSAM": PSAM}
"""Where a command may have been seen, by name; an applet's name is one of them."""


class Entry(NamedTuple):
    """A command by name: the domains that have it (none: only the reference), its section."""

    name: str
    domains: tuple[int, ...]
    ref: str


_KERNEL = {
    (0x00, 0xA4): Entry("SELECT", (0, 1, 2, PSAM), "cos 3.3"),
    (0x00, 0xC0): Entry("GET RESPONSE", (0, 1, 2, PSAM), "cos 5.1"),
}
_REFERENCE: tuple[tuple[int, int, int, str, str], ...] = (
    (1, 0x80, 0x58, "UPDATE OVERDRAW LIMIT", "pse-pboc 8"),
    (2, 0x00, 0xB2, "READ RECORD", "pse-pboc 2.5"),
    (2, 0x80, 0xA8, "GET PROCESSING OPTIONS", "pse-pboc 2.2"),
    (2, 0x80, 0xAE, "GENERATE AC", "pse-pboc 2.6"),
    (2, 0x80, 0xCA, "GET DATA", "pse-pboc 2.3"),
    (2, 0x00, 0x20, "VERIFY", "pse-pboc 2.4"),
    (2, 0x00, 0x88, "INTERNAL AUTHENTICATE", "pse-pboc 4.9"),
    (2, 0x00, 0x82, "EXTERNAL AUTHENTICATE", "pse-pboc 4.7"),
    (2, 0x84, 0x1E, "APPLICATION BLOCK", "pse-pboc 5.6"),
    (2, 0x84, 0x18, "APPLICATION UNBLOCK", "pse-pboc 5.6"),
    (2, 0x84, 0x16, "CARD BLOCK", "pse-pboc 5.6"),
    (2, 0x84, 0x24, "PIN CHANGE/UNBLOCK", "pse-pboc 4.8"),
    (2, 0x04, 0xDA, "PUT DATA", "pse-pboc 5.6"),
    (2, 0x04, 0xDC, "UPDATE RECORD", "pse-pboc 5.6"),
    (2, 0x80, 0x50, "INITIALIZE UPDATE", "pse-pboc 9.1"),
    (2, 0x84, 0x82, "EXTERNAL AUTHENTICATE (secure channel)", "pse-pboc 9.1"),
    (2, 0x80, 0xE2, "STORE DATA", "pse-pboc 9.2"),
    (2, 0x84, 0xE2, "STORE DATA", "pse-pboc 9.2"),
)


def place_name(code: int) -> str:
    """The name of a domain, or PSAM."""
    return "PSAM" if code == PSAM else domain_name(code)


def rows() -> Iterator[tuple[int, Row]]:
    """Yield (domain, row) of every command table."""
    for domain, table in TABLES.items():
        for row in table:
            yield domain, row


def lookup(cla: int, ins: int, domain: int | None = None) -> list[Entry]:
    """Return what a command may be: one entry per name, the domain's own meaning alone if given.

    Shapes: `domain` 0, 1, 2, `PSAM`, or None for any. Empty: unknown everywhere.
    """
    kernel = _KERNEL.get((cla, ins))
    if kernel is not None:
        return [kernel]
    found: dict[str, Entry] = {}
    for code, table in TABLES.items():
        row = table.get(cla << 8 | ins)
        if row is not None and domain in (None, code):
            name = row.name.partition(" (")[0]
            known = found.get(name, Entry(name, (), row.ref))
            found[name] = known._replace(domains=(*known.domains, code))
    for code, row_cla, row_ins, name, ref in _REFERENCE:
        covered = any(code in entry.domains for entry in found.values())
        if (row_cla, row_ins) == (cla, ins) and domain in (None, code) and not covered:
            found.setdefault(name, Entry(name, (), ref))
    return list(found.values())
