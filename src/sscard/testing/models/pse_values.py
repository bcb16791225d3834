"""What the model of the PSE is made of: a card's data, its switches, what it remembers.

Source: pse-pboc 1 to 5.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, NamedTuple, Protocol

from sscard.iso import tlv

__all__ = [
    "AC_ITEMS",
    "CHANGEABLE",
    "DIRECTORY",
    "READABLE",
    "Crypto",
    "Debit",
    "Dol",
    "PsePolicy",
    "PseSession",
    "Room",
    "concatenated",
    "dol",
    "dol_length",
    "inner",
    "picked",
]

DIRECTORY: Final = b"1PAY.SYS.DDF01"

READABLE: Final = frozenset(
    f"9F{low}"
    for low in (
        *("13", "17", "36", "4F", "51", "52", "53", "54", "56", "57", "58", "59", "5C"),
        *("5D", "68", "6B", "6D", "72", "73", "75", "76", "77", "78", "79"),
    )
)
"""Tags of GET DATA on a card of the 2010 edition (2.3)."""
CHANGEABLE: Final = frozenset(
    f"9F{low}" for low in ("53", "54", "58", "59", "5C", "6D", "72", "73", "75", "77", "78", "79")
)
"""Tags PUT DATA may change (5.1)."""

Dol = tuple[tuple[int, int], ...]
AC_ITEMS: Final[Dol] = (
    (0x9F02, 6), (0x9F03, 6), (0x9F1A, 2), (0x95, 5), (0x5F2A, 2), (0x9A, 3), (0x9C, 1),
    (0x9F37, 4),
)  # fmt: skip
"""What the terminal gives to a cryptogram of version 01, in order (4.4)."""


class Crypto(Protocol):
    """Who holds the card's keys: what the card would compute with them (pse-pboc 4).

    Everything is bytes; `atc` picks the session key.
    """

    def cryptogram(self, atc: int, data: bytes) -> bytes:
        """Return AC over the 37 bytes of 4.4: 8 bytes."""

    def arpc(self, atc: int, ac1: bytes, arc: bytes) -> bytes:
        """Return ARPC: 8 bytes."""

    def script_mac(self, atc: int, ac1: bytes, header: bytes, data: bytes) -> bytes:
        """Return the MAC of a script, 4 bytes; `header` ends with Lc, `data` is without MAC."""

    def idd_mac(self, atc: int, amounts: bytes) -> bytes:
        """Return the MAC of issuer discretionary data, 4 bytes."""

    def new_pin(self, atc: int, enciphered: bytes, current: str | None) -> str:
        """Return the digits PIN CHANGE brings; ValueError when it brings none."""

    def signature(self, dynamic: bytes, appended: bytes) -> bytes:
        """Return signed dynamic application data: as long as the ICC key."""

    def decipher(self, data: bytes) -> bytes:
        """Return what an enciphered PIN holds, as long as the ICC key; b"" when it is none."""


class Room(NamedTuple):
    """A record file's size: longest record, how many, and bytes in all, lengths counted."""

    record_max: int
    records: int
    capacity: int


@dataclass(frozen=True)
class PsePolicy:
    """The switches of a card that the model knows (docs/profile-options.md)."""

    pse_next_name: str = "restart"
    pse_failed_select: str = "reset"
    pse_empty_get_response: str = "6985"
    pse_ac_reserved_bits: str = "ignore"
    pse_log_format_absent: str = "6A88"
    pse_read_before_gpo: str = "allowed"
    pse_record_zero: str = "6A83"
    pse_cda_unsupported: str = "6985"
    pse_pin_blocks: str = "AAC"
    pse_log_declined: str = "off"
    pse_approving_arcs: str = "referrals"
    pse_put_data_limit: str = "6A80"
    pse_long_record: str = "6A84"
    pse_ac_format: str = "80"
    verify_state: str = "initiated"
    pin_malformed: str = "wrong"
    pin_absent: str = "6984"
    pin_decipherment: str = "6984"
    pse_pin_change_roles: str = "emv"
    pse_open_without_pin: str = "yes"
    pse_declined_counts: str = "yes"
    pse_arpc_unsupported: str = "checked"
    pse_conversion: str = "dropped"
    pse_missing_ac_item: str = "zeros"


@dataclass
class Debit:
    """A debit application: as it was personalised, and what has become of it.

    Shapes: `elements` by tag in hex; `records` and `rooms` by SFI; `template` the A5 of the FCI;
    `pin` its digits, None without one; `blocked` "", "now" or "ever"; `log` newest first.
    """

    name: bytes
    template: bytes
    directory_template: bytes
    aip: bytes
    afl: bytes
    issuer_data: bytes
    elements: dict[str, bytes]
    records: dict[int, list[bytes]]
    rooms: Mapping[int, Room]
    directory_records: list[bytes]
    log_length: int = 45
    log_records: int = 10
    key_size: int = 96
    pin: str | None = "123456"
    tries_max: int = 3
    tries: int = 3
    blocked: str = ""
    log: list[bytes] = field(default_factory=list)


@dataclass
class PseSession:
    """What a reset clears.

    `place` is MF, PSE, ADF, or "" where nothing is; `state` one of section 3, and OPEN for a
    first answer that leaves the session open without a second. `issuer`: None not received,
    "bad", or the ARC that came with a good ARPC. `scripts`: whether they are still taken.
    """

    place: str = "MF"
    state: str = ""
    atc: int = 0
    aip: bytes = b""
    pdol_data: bytes = b""
    cdol1_data: bytes = b""
    ac1: bytes = b""
    cvr: int = 0
    issuer: str | None = None
    exceeded: bool = False
    scripts: bool = True
    outlives_block: bool = False


# --- data object lists (2.7) -----------------------------------------------------------------


def dol(raw: bytes) -> Dol:
    """Read a list of tags and lengths; a malformed one is empty."""
    try:
        return tuple(tlv.parse_dol(raw))
    except tlv.TlvError:
        return ()


def dol_length(entries: Dol) -> int:
    """Return how many bytes a list asks for."""
    return sum(length for _, length in entries)


def picked(entries: Dol, data: bytes) -> dict[int, bytes]:
    """Cut data by a list; of a tag asked for twice the last counts."""
    found, at = {}, 0
    for tag, length in entries:
        found[tag] = data[at : at + length]
        at += length
    return found


_NUMERIC: Final = frozenset((0x9F02, 0x9F03, 0x9F1A, 0x5F2A, 0x9A, 0x9C, 0x9F21))


def concatenated(entries: Dol, *sources: Mapping[int, bytes]) -> bytes:
    """Return what a list asks for, each value from the first source that has it, or zeros."""
    result = b""
    for tag, length in entries:
        value = next((source[tag] for source in sources if tag in source), b"")
        if tag in _NUMERIC:
            result += value.rjust(length, b"\0")[max(len(value) - length, 0) :]
        else:
            result += value[:length].ljust(length, b"\0")
    return result


def inner(data: bytes, tag: int) -> bytes:
    """Return the value of a tag anywhere in a template; b"" where it is not."""
    try:
        return tlv.find(data, tag) or b""
    except tlv.TlvError:
        return b""
