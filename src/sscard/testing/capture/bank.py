"""The bank's half of a capture: directory, FCI, records, data elements of the debit application.

GET PROCESSING OPTIONS counts a transaction, so AIP and AFL are asked for only when that is
allowed. Source: pse-pboc 1.2-1.4, 2.3, 2.5, 7.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field

from sscard.iso.apdu import Command
from sscard.iso.sw import SW
from sscard.iso.tlv import TlvError, find, parse, parse_dol
from sscard.spec.pboc import AIDS, DEBIT_AID, GET_DATA, PSE_NAME
from sscard.testing.capture.reading import records, select, send
from sscard.transport.port import Port

__all__ = ["BankCapture", "capture_bank", "is_template"]

_DIRECTORY_SFI, _ENTRY, _AID = 0x88, 0x61, 0x4F
_PROPRIETARY, _LOG, _PDOL = 0xA5, 0x9F4D, 0x9F38
_AIP, _AFL = 0x82, 0x94
_SFIS = range(1, 31)
_TEMPLATE_SFIS, _TEMPLATE = range(1, 11), 0x70


@dataclass(slots=True)
class BankCapture:
    """What the bank's application gave.

    `directory` are the records of the PSE by SFI and number, `fci` and `directory_fci` the A5
    templates, `records` those of the application, `elements` values of GET DATA by tag, `log`
    SFI and number of records. `aip` and `afl` are empty when no transaction was begun, `others`
    further AIDs of the directory.
    """

    aid: bytes
    directory_fci: bytes = b""
    directory: dict[tuple[int, int], bytes] = field(default_factory=dict)
    fci: bytes = b""
    records: dict[tuple[int, int], bytes] = field(default_factory=dict)
    elements: dict[int, bytes] = field(default_factory=dict)
    log: tuple[int, int] = (0, 0)
    aip: bytes = b""
    afl: bytes = b""
    others: tuple[bytes, ...] = ()
    refused: str = ""
    """What GET PROCESSING OPTIONS answered instead of AIP and AFL."""


def capture_bank(port: Port, *, transaction: bool) -> BankCapture | None:
    """Read what the debit application gives; None when the card has none.

    `transaction` also sends GET PROCESSING OPTIONS, which raises the ATC. Errors:
    `TransportError`.
    """
    seen = BankCapture(DEBIT_AID)
    _directory(port, seen)
    fci = select(port, seen.aid)
    if fci is None:
        return None
    seen.fci = _found(fci, _PROPRIETARY) or b""
    log = _found(seen.fci, _LOG) or b""
    if len(log) == 2:
        seen.log = log[0], log[1]
    for tag in GET_DATA:
        reply = send(port, Command(0x80, 0xCA, tag >> 8, tag & 0xFF, le=256))
        value = _found(reply.data, tag) if reply.sw == SW.OK else None
        if value is not None:
            seen.elements[tag] = value
    for sfi in _SFIS:
        if sfi != seen.log[0]:
            for number, reply in records(port, sfi):
                if reply.sw == SW.OK:
                    seen.records[sfi, number] = reply.data
    if transaction:
        _options(port, seen)
    return seen


def _directory(port: Port, seen: BankCapture) -> None:
    fci = select(port, PSE_NAME)
    if fci is None:
        return
    seen.directory_fci = _found(fci, _PROPRIETARY) or b""
    place = _found(seen.directory_fci, _DIRECTORY_SFI) or b"\x01"
    listed = []
    for number, reply in records(port, place[0]):
        if reply.sw == SW.OK:
            seen.directory[place[0], number] = reply.data
            listed += [aid for aid in _aids(reply.data) if aid in AIDS]
    if listed:
        seen.aid = DEBIT_AID if DEBIT_AID in listed else listed[0]
    seen.others = tuple(aid for aid in listed if aid != seen.aid)


def _aids(record: bytes) -> Iterator[bytes]:
    try:
        for tag, value in parse(find(record, 0x70) or b""):
            if tag == _ENTRY:
                yield find(value, _AID) or b""
    except TlvError:
        return


def _options(port: Port, seen: BankCapture) -> None:
    """GET PROCESSING OPTIONS with zeros for whatever the PDOL asks for."""
    try:
        length = sum(size for _, size in parse_dol(_found(seen.fci, _PDOL) or b""))
    except TlvError:
        length = 0
    data = bytes((0x83, length)) + bytes(length)
    reply = send(port, Command(0x80, 0xA8, 0x00, 0x00, data, 256))
    if reply.sw != SW.OK:
        seen.refused = f"{SW(reply.sw)} {SW(reply.sw).meaning}"
        return
    if reply.data[:1] == b"\x80":
        told = _found(reply.data, 0x80) or b""
        seen.aip, seen.afl = told[:2], told[2:]
    else:
        seen.aip, seen.afl = _found(reply.data, _AIP) or b"", _found(reply.data, _AFL) or b""


def is_template(place: tuple[int, int], record: bytes) -> bool:
    """Whether a record is one a terminal reads: a sound template 70 of SFI 1 to 10 (2.5)."""
    try:
        ((tag, inside),) = parse(record)
        parse(inside)
    except (TlvError, ValueError):
        return False
    return place[0] in _TEMPLATE_SFIS and tag == _TEMPLATE


def _found(data: bytes, tag: int) -> bytes | None:
    try:
        return find(data, tag)
    except TlvError:
        return None
