"""Transactions of two bank applications at once, for their decisions (pse-pboc 4.3, 5)."""

from sscard.iso.apdu import Command
from sscard.iso.tlv import TlvError, find, parse_dol
from sscard.spec.pboc import DEBIT_AID
from sscard.testing.compare.twins import Twins

__all__ = ["transactions"]

_PDOL, _CDOL1 = 0x9F38, 0x8C
_TEMPLATE_SFIS = range(1, 11)
_AAC, _TC, _ARQC = 0x00, 0x40, 0x80


def transactions(twins: Twins) -> None:
    """Let both applications decide three times: an AAC is asked for, a TC, an ARQC.

    All are of amount 0, without a terminal's data. An ARQC is answered as by a terminal that is
    not on line, with a second GENERATE AC for an AAC. Errors: `TransportError`.
    """
    for asked in (_AAC, _TC, _ARQC):  # an ARQC left open asks for the next to go on line
        _transaction(twins, asked)


def _transaction(twins: Twins, asked: int) -> None:
    twins.reset()
    fci = twins.transmit(Command(0x00, 0xA4, 0x04, 0x00, DEBIT_AID, 256).build())[:-2]
    told = []
    for sfi in _TEMPLATE_SFIS:
        for number in range(1, 255):
            command = Command(0x00, 0xB2, number, sfi << 3 | 4, le=256)
            answer = twins.transmit(command.build())
            if answer[-2:] != b"\x90\x00":
                break
            told.append(answer[:-2])
    wanted = _length(fci, _PDOL)
    options = bytes((0x83, wanted)) + bytes(wanted)
    twins.transmit(Command(0x80, 0xA8, 0x00, 0x00, options, 256).build())
    twins.transmit(Command(0x00, 0x88, 0x00, 0x00, bytes(4), 256).build())
    data = bytes(next((length for one in told if (length := _length(one, _CDOL1))), 0))
    twins.transmit(Command(0x80, 0xAE, asked, 0x00, data, 256).build())
    twins.transmit(Command(0x80, 0xAE, _AAC, 0x00, data, 256).build())


def _length(data: bytes, tag: int) -> int:
    """Return how many bytes a list in a template asks for; 0 without one."""
    try:
        return sum(length for _, length in parse_dol(find(data, tag) or b""))
    except TlvError:
        return 0
