"""The reading tour: every directory and file of two cards, as far as either gives it.

Source: ssse-lb002 2.3, 2.4; pse-pboc 1.2, 1.4, 2.5.
"""

from sscard.iso.apdu import Command
from sscard.iso.tlv import TlvError, find
from sscard.spec.pboc import DEBIT_AID, GET_DATA, PPSE_NAME, PSE_NAME
from sscard.spec.ssse import SSSE_FID, SSSE_NAME, VERSIONS, Ef
from sscard.testing.compare.twins import Twins

__all__ = ["reading_tour"]

_SAMPLE = 0x20
"""Bytes read of a transparent file."""
_RECORDS_MOST = 254
_SFIS = range(1, 31)
_LOG = 0x9F4D


def reading_tour(twins: Twins) -> None:
    """Read both cards, each directory from a reset. Nothing is written, no try is burnt.

    Errors: `TransportError`; what was found until then is in `twins`.
    """
    names = {home.fid for table in VERSIONS.values() for home in table}
    for fid in sorted(names, key=lambda fid: (fid != SSSE_FID, fid)):
        twins.reset()
        _select(twins, SSSE_NAME)
        if fid != SSSE_FID:
            twins.both(Command(0x00, 0xA4, 0x00, 0x00, fid.to_bytes(2), 256).build())
        for file in _files(fid):
            _file(twins, file)
    twins.reset()
    _select(twins, PPSE_NAME)
    _select(twins, PSE_NAME)
    _records(twins, 1)
    logs = {log[0] for fci in _select(twins, DEBIT_AID) if (log := _found(fci, _LOG))}
    for tag in sorted(GET_DATA):
        twins.both(Command(0x80, 0xCA, tag >> 8, tag & 0xFF, le=256).build())
    for sfi in _SFIS:
        if sfi not in logs:  # what each card has been through is its own
            _records(twins, sfi)


def _select(twins: Twins, name: bytes) -> tuple[bytes, bytes]:
    return twins.both(Command(0x00, 0xA4, 0x04, 0x00, name, 256).build())


def _files(fid: int) -> list[Ef]:
    """Return the files that any generation has in a directory, one for each number."""
    files = {
        file.fid: file
        for table in VERSIONS.values()
        for home in table
        if home.fid == fid
        for file in home.files
        if file.kind != "internal"
    }
    return [files[number] for number in sorted(files)]


def _file(twins: Twins, file: Ef) -> None:
    sfi = file.fid & 0x1F
    if file.kind == "transparent":
        twins.both(Command(0x00, 0xB0, 0x80 | sfi, 0x00, le=_SAMPLE).build())
    else:
        _records(twins, sfi, least=len(file.items) if file.kind == "tlv" else 1)


def _records(twins: Twins, sfi: int, least: int = 1) -> None:
    """Read a file on both cards until neither gives any more, `least` records in any case."""
    for number in range(1, _RECORDS_MOST + 1):
        answers = twins.both(Command(0x00, 0xB2, number, sfi << 3 | 4, le=256).build())
        if number >= least and all(answer[-2:] != b"\x90\x00" for answer in answers):
            return


def _found(fci: bytes, tag: int) -> bytes:
    try:
        return find(fci[:-2], tag) or b""
    except TlvError:
        return b""
