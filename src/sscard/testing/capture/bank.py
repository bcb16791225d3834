"""The bank's half of a capture: directory, FCI, records, data elements of the debit application.

GET PROCESSING OPTIONS counts a transaction, so AIP and AFL are asked for only when that is
allowed. Source: pse-pboc 1.2-1.4, 2.3, 2.5, 7.
"""

from collections.abc import Iterator

from sscard.iso.apdu import Command
from sscard.iso.sw import SW
from sscard.iso.tlv import TlvError, find, found, parse, parse_dol
from sscard.spec.pboc import AIDS, DEBIT_AID, GET_DATA, PPSE_NAME, PSE_NAME
from sscard.testing.capture.reading import SELECTED, records, select, send
from sscard.testing.capture.seen import BankCapture, Capture
from sscard.transport.port import Port

__all__ = ["is_template", "read_bank"]

_DIRECTORY_SFI, _ENTRY, _AID = 0x88, 0x61, 0x4F
_PROPRIETARY, _DISCRETIONARY, _LOG, _PDOL = 0xA5, 0xBF0C, 0x9F4D, 0x9F38
_AIP, _AFL = 0x82, 0x94
_SFIS = range(1, 31)
_PATIENCE = 10
"""Refusals in a row that end a file: no file of the reference's application has more records."""
_TEMPLATE_SFIS, _TEMPLATE = range(1, 11), 0x70


def read_bank(port: Port, seen: Capture, *, transaction: bool) -> None:
    """Read what the debit application gives into `seen`, if the card has one.

    `transaction` also sends GET PROCESSING OPTIONS, which raises the ATC. Errors:
    `TransportError`.
    """
    seen.at = "the PSE"
    bank = BankCapture()
    _directory(port, seen, bank)
    seen.at = "the debit application"
    selected = select(port, bank.aid)
    if selected.sw == SW.NOT_SUPPORTED and "PSE" not in seen.dead:
        seen.dead.append("PSE")
    if selected.sw not in SELECTED:
        return
    seen.bank, bank.selected = bank, True
    bank.invalidated = selected.sw == SW.FILE_INVALIDATED
    bank.fci = found(selected.data, _PROPRIETARY) or b""
    log = found(bank.fci, _LOG) or b""
    if len(log) == 2:
        bank.log = log[0], log[1]
    for tag in GET_DATA:
        reply = send(port, Command(0x80, 0xCA, tag >> 8, tag & 0xFF, le=256))
        value = found(reply.data, tag) if reply.sw == SW.OK else None
        if value is not None:
            bank.elements[tag] = value
    for sfi in _SFIS:
        seen.at = f"SFI {sfi:02X} of the debit application"
        if sfi != bank.log[0]:
            for number, reply in records(port, sfi, _PATIENCE):
                if reply.sw == SW.OK and reply.data:
                    bank.records[sfi, number] = reply.data
    if transaction:
        seen.at = "GET PROCESSING OPTIONS"
        _options(port, bank)


def _directory(port: Port, seen: Capture, bank: BankCapture) -> None:
    proximity = select(port, PPSE_NAME)
    listed = []
    if proximity.sw in SELECTED:
        seen.bank = bank
        bank.proximity_fci = found(proximity.data, _PROPRIETARY) or b""
        entries = found(bank.proximity_fci, _DISCRETIONARY) or b""
        listed = [aid for aid in _aids(entries) if aid in AIDS]
        bank.aid = _preferred(listed)
    selected = select(port, PSE_NAME)
    if selected.sw == SW.NOT_SUPPORTED:
        seen.dead.append("PSE")
    if selected.sw not in SELECTED:
        return
    seen.bank = bank
    bank.directory_fci = found(selected.data, _PROPRIETARY) or b""
    place = found(bank.directory_fci, _DIRECTORY_SFI) or b"\x01"
    for number, reply in records(port, place[0], _PATIENCE):
        if reply.sw == SW.OK and reply.data:
            bank.directory[place[0], number] = reply.data
            entries = found(reply.data, _TEMPLATE) or b""
            listed += [aid for aid in _aids(entries) if aid in AIDS and aid not in listed]
            bank.aid = _preferred(listed)
            bank.others = tuple(aid for aid in listed if aid != bank.aid)


def _preferred(listed: list[bytes]) -> bytes:
    return DEBIT_AID if DEBIT_AID in listed or not listed else listed[0]


def _aids(entries: bytes) -> Iterator[bytes]:
    try:
        for tag, value in parse(entries):
            if tag == _ENTRY:
                yield find(value, _AID) or b""
    except TlvError:
        return


def _options(port: Port, seen: BankCapture) -> None:
    """GET PROCESSING OPTIONS with zeros for whatever the PDOL asks for."""
    try:
        length = sum(size for _, size in parse_dol(found(seen.fci, _PDOL) or b""))
    except TlvError:
        length = 0
    data = bytes((0x83, length)) + bytes(length)
    reply = send(port, Command(0x80, 0xA8, 0x00, 0x00, data, 256))
    if reply.sw != SW.OK:
        seen.refused = f"{SW(reply.sw)} {SW(reply.sw).meaning}"
        return
    if reply.data[:1] == b"\x80":
        told = found(reply.data, 0x80) or b""
        seen.aip, seen.afl = told[:2], told[2:]
    else:
        seen.aip, seen.afl = found(reply.data, _AIP) or b"", found(reply.data, _AFL) or b""


def is_template(place: tuple[int, int], record: bytes) -> bool:
    """Whether a record is one a terminal reads: a sound template 70 of SFI 1 to 10 (2.5)."""
    try:
        ((tag, inside),) = parse(record)
        parse(inside)
    except (TlvError, ValueError):
        return False
    return place[0] in _TEMPLATE_SFIS and tag == _TEMPLATE
