"""Initiate application processing and read application data (EMV Book 3 10.1, 10.2).

GPO with the PDOL, AIP and AFL in either format, then the records the AFL names, with the
checks of mandatory, double and malformed data (7.5). Sources: pse-pboc 2.2, 2.5, 2.7, 4.9.
"""

from collections.abc import Iterator
from typing import NamedTuple

from sscard.iso.apdu import Command
from sscard.iso.sw import SW
from sscard.iso.text import from_cn
from sscard.iso.tlv import encode
from sscard.spec.emv import ELEMENTS
from sscard.spec.pboc import TAGS
from sscard.terminal.bank.ber import objects, template
from sscard.terminal.bank.errors import BadCardData, unexpected
from sscard.terminal.bank.transaction import Transaction, day, dol_entries
from sscard.terminal.stack import Channel

__all__ = ["get_data", "initiate", "read_records"]

_PDOL = 0x9F38
_MANDATORY = {0x5A: "PAN", 0x5F24: "expiry date", 0x8C: "CDOL1", 0x8D: "CDOL2"}
_DATES = {0x5F24: "expiry date", 0x5F25: "effective date"}
_LISTS = {0x8C: "CDOL1", 0x8D: "CDOL2", 0x9F49: "DDOL", 0x97: "TDOL"}
_PAN_DIGITS, _PAN_BYTES_MAX = range(12, 20), 10
_TLV_SFIS = range(1, 11)
_SFI_MAX = 30
_CVM_LIST, _CVM_HEAD = 0x8E, 8
_OF_THE_TERMINAL = frozenset(
    {0x81, 0x8A, 0x91, 0x95, 0x98, 0x9A, 0x9B, 0x9C, 0x5F2A, 0x5F36, 0x9F01, 0x9F02, 0x9F03}
    | {0x9F04, 0x9F06, 0x9F09, 0x9F15, 0x9F16, 0x9F1A, 0x9F1B, 0x9F1C, 0x9F1D, 0x9F1E, 0x9F21}
    | {0x9F33, 0x9F34, 0x9F35, 0x9F37, 0x9F39, 0x9F40, 0x9F41, 0x9F4E, 0x9F5B}
    | {0x9F26, 0x9F27, 0x9F36, 0x9F13, 0x9F17, 0x9F4B, 0x9F4C, 0x9F45, 0x9F10}
)
"""What no record can bring: the terminal's own elements, and what commands answer."""


class AflEntry(NamedTuple):
    """Four bytes of an AFL: a file, its records, how many of them are authenticated offline."""

    sfi: int
    first: int
    last: int
    signed: int


def initiate(channel: Channel, transaction: Transaction, fci: dict[int, bytes]) -> bytes | None:
    """GET PROCESSING OPTIONS; take the AIP, return the AFL. None when the card says 6985.

    6985 means that this application does not want this transaction: selection goes on without
    it. Errors: `Terminated`, `BadCardData`.
    """
    pdol = fci.get(_PDOL, b"")
    transaction.pdol_data = transaction.fill(pdol, "PDOL")
    data = encode(0x83, transaction.pdol_data)
    if len(data) > 255:
        raise BadCardData("PDOL: asks for more than a command can carry")
    reply = channel.exchange(Command(0x80, 0xA8, 0x00, 0x00, data, 256))
    if reply.sw == SW.CONDITIONS:
        return None
    if reply.sw != SW.OK:
        raise unexpected("GET PROCESSING OPTIONS", reply.sw)
    aip, afl = _options(reply.data)
    if len(aip) != 2 or not afl or len(afl) % 4:
        raise BadCardData("GET PROCESSING OPTIONS: AIP or AFL of a wrong length")
    transaction.aip = aip
    return afl


def _options(answer: bytes) -> tuple[bytes, bytes]:
    """Return AIP and AFL of an answer in format 1 (80) or 2 (77)."""
    what = "GET PROCESSING OPTIONS"
    found = objects(answer, what)
    if len(found) == 1 and found[0][0] == 0x80:
        return found[0][1][:2], found[0][1][2:]
    inner = dict(objects(template(answer, 0x77, what), what))
    return inner.get(0x82, b""), inner.get(0x94, b"")


def read_records(channel: Channel, transaction: Transaction, afl: bytes) -> None:
    """Read all records of the AFL into the transaction, and check what they hold.

    Errors: `Terminated` when a record cannot be read; `BadCardData` for a wrong AFL, a record
    that is no template 70, a known data object that comes twice, mandatory data that are
    missing and data of a wrong form.
    """
    entries = tuple(_entries(afl))
    for entry in entries:
        for number in range(entry.first, entry.last + 1):
            what = f"record {number} of SFI {entry.sfi}"
            reply = channel.exchange(Command(0x00, 0xB2, number, entry.sfi << 3 | 4, le=256))
            if reply.sw != SW.OK:
                raise unexpected(what, reply.sw)
            _take(transaction, reply.data, what, tlv=entry.sfi in _TLV_SFIS)
            if number < entry.first + entry.signed:
                _sign(transaction, reply.data, what, tlv=entry.sfi in _TLV_SFIS)
    _check(transaction.card)


def _entries(afl: bytes) -> Iterator[AflEntry]:
    for at in range(0, len(afl), 4):
        sfi, first, last, signed = afl[at : at + 4]
        if sfi & 7 or not 1 <= sfi >> 3 <= _SFI_MAX or not 1 <= first <= last:
            raise BadCardData(f"AFL: {afl[at : at + 4].hex()} names no records")
        if signed > last - first + 1:
            raise BadCardData(f"AFL: {afl[at : at + 4].hex()} signs more records than it has")
        yield AflEntry(sfi >> 3, first, last, signed)


def _take(transaction: Transaction, record: bytes, what: str, *, tlv: bool) -> None:
    """Keep the data objects of a record; records of SFI 11 and up are nobody's business."""
    if not tlv:
        return
    for tag, value in objects(template(record, 0x70, what), what):
        if tag in _OF_THE_TERMINAL or tag not in ELEMENTS:
            continue
        if tag in transaction.card:
            raise BadCardData(f"{what}: {tag:02X} comes a second time")
        if value:  # an empty object counts as absent
            transaction.card[tag] = value


def _sign(transaction: Transaction, record: bytes, what: str, *, tlv: bool) -> None:
    """Add a record to the static data to be authenticated (EMV Book 3 10.3)."""
    if transaction.static_data is not None:
        part = template(record, 0x70, what) if tlv else record
        transaction.static_data += part


def _check(card: dict[int, bytes]) -> None:
    """Check what was read for presence and form (EMV Book 3 7.2, 7.5)."""
    for tag, name in _MANDATORY.items():
        if tag not in card:
            raise BadCardData(f"the card has no {name} ({tag:02X})")
    for tag, value in card.items():
        known = TAGS.get(tag)
        if known is not None and known.length not in (None, len(value)):
            raise BadCardData(f"{known.name} ({tag:02X}) has {len(value)} bytes")
        if known is not None and known.format == "n" and not value.hex().isdecimal():
            raise BadCardData(f"{known.name} ({tag:02X}) is no number")
    for tag, name in _DATES.items():
        if tag in card:
            day(card[tag], name)
    for tag, name in _LISTS.items():
        if tag in card:
            tuple(dol_entries(card[tag], name))
    _check_pan(card[0x5A])
    rules = card.get(_CVM_LIST)
    if rules is not None and (len(rules) < _CVM_HEAD or len(rules) % 2):
        raise BadCardData(f"the CVM list has {len(rules)} bytes")


def _check_pan(value: bytes) -> None:
    try:
        digits = from_cn(value)
    except ValueError:
        digits = ""
    if len(digits) not in _PAN_DIGITS or len(value) > _PAN_BYTES_MAX:
        raise BadCardData("the PAN (5A) is not a card number")


def get_data(channel: Channel, tag: int) -> bytes | None:
    """GET DATA: return the value of one object; None when the card does not give it."""
    reply = channel.exchange(Command(0x80, 0xCA, tag >> 8, tag & 0xFF, le=256))
    if reply.sw != SW.OK:
        return None
    try:
        found = objects(reply.data, "GET DATA")
    except BadCardData:
        return None
    return found[0][1] if len(found) == 1 and found[0][0] == tag else None
