"""EF90 and EF91: what a PSE application keeps for itself, byte by byte (pse-pboc 5.1, 9).

EF90 (kind 09) begins with what changes in use, so that a transaction writes one page:

| off | len | field |
|---|---|---|
| 0 | 2 | "PB"; anything else: never written |
| 2 | 1 | layout number 01 |
| 3 | 1 | FF being personalised, 00 personalised |
| 4 | 2 | ATC (9F36) |
| 6 | 2 | last online ATC (9F13) |
| 8 | 6 | CTTA, n12 |
| 14 | 6 | CTTA-dual, n12 |
| 20 | 1 | international-currency counter |
| 21 | 1 | international-country counter |
| 22 | 1 | indicators, see `Indicator` |
| 23 | 1 | script command counter |
| 24 | 2 | personalisation channels opened so far; FFFF: none |
| 26 | 1 | script MACs wrong in a row, FF minus their number |
| 27 | 1 | ARPCs wrong in a row, FF minus their number |
| 28 | 4 | FF: reserved |
| 32 | 2 | bytes used by the entries |
| 34 | n | entries |

An entry is `number(2) length(2) value`; the number is a DGI of templates (9102, 9104, 9200 ..) or
the tag of a risk data element (9F51 ..). A data element is present when it has an entry, be
its value zero or not. EF91 (the RSA keys) is used bytes and entries alone, numbered 8101..8305.
Whether the application is blocked stands in DFSTATE (cos 2.5), the PIN and the card keys in
the key EF. Pure functions of bytes; whatever the bytes are, parsing ends.
"""

import struct
from collections.abc import Mapping
from enum import IntFlag
from typing import NamedTuple

from sscard.apps.pse.numbers import from_n12, to_n12

__all__ = [
    "COUNTERS_AT",
    "ENTRIES_AT",
    "FAILURES_AT",
    "HEAD_SIZE",
    "PERSONALISED",
    "Body",
    "Counters",
    "Indicator",
    "build_entries",
    "parse_entries",
]

PERSONALISED = b"PB\x01\x00"
"""How EF90 begins once the last STORE DATA is done."""
COUNTERS_AT = 4
"""Offset of the counters in EF90."""

_MAGIC = b"PB\x01"
_COUNTERS = struct.Struct(">HH6s6sBBBB")
HEAD_SIZE = COUNTERS_AT + _COUNTERS.size
"""Bytes of EF90 up to the end of the counters."""
ENTRIES_AT = 32
"""Offset of the entries in EF90."""
_SEQUENCE_AT = slice(HEAD_SIZE, HEAD_SIZE + 2)
NO_FAILURES = b"\xff\xff"
FAILURES_AT = _SEQUENCE_AT.stop
"""Offset in EF90 of the two bytes of `hardening`."""
_RESERVED = b"\xff" * (ENTRIES_AT - FAILURES_AT - len(NO_FAILURES))
_NO_CHANNEL = 0xFFFF
_ENTRY = struct.Struct(">HH")
_USED = 2


class Indicator(IntFlag):
    """The one-bit memories of past transactions (pse-pboc 5.1)."""

    ONLINE_AUTHORISATION = 0x01
    ISSUER_AUTHENTICATION_FAILURE = 0x02
    SDA_FAILURE = 0x04
    DDA_FAILURE = 0x08
    SCRIPT_FAILURE = 0x10


class Counters(NamedTuple):
    """What transactions count and remember. Amounts in the smallest unit of the currency."""

    atc: int = 0
    last_online_atc: int = 0
    amount: int = 0
    dual_amount: int = 0
    currency_count: int = 0
    country_count: int = 0
    indicators: Indicator = Indicator(0)
    script_count: int = 0

    def build(self) -> bytes:
        """Return the 20 bytes from offset 4 of EF90."""
        return _COUNTERS.pack(
            self.atc,
            self.last_online_atc,
            to_n12(self.amount),
            to_n12(self.dual_amount),
            self.currency_count,
            self.country_count,
            self.indicators,
            self.script_count,
        )

    @classmethod
    def parse(cls, raw: bytes) -> "Counters":
        """Parse 20 bytes; the mirror of `build`."""
        atc, last, amount, dual, currencies, countries, indicators, scripts = _COUNTERS.unpack(raw)
        return cls(
            atc,
            last,
            from_n12(amount),
            from_n12(dual),
            currencies,
            countries,
            Indicator(indicators & 0x1F),
            scripts & 0x0F,
        )

    @classmethod
    def of_file(cls, head: bytes) -> "Counters":
        """Take the counters from the beginning of EF90, `HEAD_SIZE` bytes; else all zero."""
        return cls.parse(head[COUNTERS_AT:]) if head[:3] == _MAGIC else cls()

    def marked(self, indicator: Indicator, value: bool = True) -> "Counters":
        """Return the counters with indicators set, or cleared."""
        held = self.indicators | indicator if value else self.indicators & ~indicator
        return self._replace(indicators=held)


class Body(NamedTuple):
    """The content of EF90.

    `channels` counts the secure channels opened, FFFE at most; `failures` are bytes 26 and 27.
    """

    personalised: bool
    counters: Counters
    entries: Mapping[int, bytes]
    channels: int = 0
    failures: bytes = NO_FAILURES

    @classmethod
    def parse(cls, raw: bytes) -> "Body":
        """Parse EF90; one that was never written holds nothing and counts from zero."""
        if raw[:3] != _MAGIC or len(raw) < ENTRIES_AT:
            return cls(False, Counters(), {})
        counters = Counters.of_file(raw[:HEAD_SIZE])
        channels = int.from_bytes(raw[_SEQUENCE_AT], "big")
        channels = 0 if channels == _NO_CHANNEL else channels
        failures = raw[FAILURES_AT : FAILURES_AT + len(NO_FAILURES)]
        return cls(raw[3] == 0, counters, parse_entries(raw[ENTRIES_AT:]), channels, failures)

    def build(self) -> bytes:
        """Return the used part of EF90; the mirror of `parse`."""
        state = b"\0" if self.personalised else b"\xff"
        channels = (self.channels or _NO_CHANNEL).to_bytes(2, "big")
        head = _MAGIC + state + self.counters.build() + channels + self.failures + _RESERVED
        return head + build_entries(self.entries)

    def with_entry(self, number: int, value: bytes) -> "Body":
        """Return the body with an entry added, or replaced in its place."""
        return self._replace(entries={**self.entries, number: value})

    def without_entry(self, number: int) -> "Body":
        """Return the body without an entry."""
        kept = {n: value for n, value in self.entries.items() if n != number}
        return self._replace(entries=kept)


def parse_entries(raw: bytes) -> dict[int, bytes]:
    """Parse used bytes and entries; what does not fit the used part is not there."""
    used = int.from_bytes(raw[:_USED], "big")
    end = _USED + used
    if len(raw) < end:
        return {}
    entries: dict[int, bytes] = {}
    at = _USED
    while at + _ENTRY.size <= end:
        number, length = _ENTRY.unpack_from(raw, at)
        at += _ENTRY.size
        if at + length > end:
            break
        entries[number] = raw[at : at + length]
        at += length
    return entries


def build_entries(entries: Mapping[int, bytes]) -> bytes:
    """Return used bytes and entries; the mirror of `parse_entries`."""
    data = b"".join(_ENTRY.pack(number, len(value)) + value for number, value in entries.items())
    return len(data).to_bytes(_USED, "big") + data
