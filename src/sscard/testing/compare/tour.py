"""The reading tour: every directory and file of two cards, as far as either gives it.

Source: ssse-lb002 2.3, 2.4; pse-pboc 1.2, 1.4, 2.5.
"""

from sscard.iso.apdu import Command
from sscard.iso.tlv import found
from sscard.spec.pboc import DEBIT_AID, GET_DATA, PPSE_NAME, PSE_NAME
from sscard.spec.ssse import SSSE_FID, SSSE_NAME, VERSIONS, Ef
from sscard.testing.compare.twins import Twins

__all__ = ["reading_tour"]

_SAMPLE = 0x20
"""Bytes read of a transparent file."""
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
    twins.records(1)
    logs = {log[0] for fci in _select(twins, DEBIT_AID) if (log := found(fci[:-2], _LOG))}
    for tag in sorted(GET_DATA):
        twins.both(Command(0x80, 0xCA, tag >> 8, tag & 0xFF, le=256).build())
    for sfi in _SFIS:
        if sfi not in logs:  # what each card has been through is its own
            twins.records(sfi)


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
        twins.records(sfi, least=len(file.items) if file.kind == "tlv" else 1)
