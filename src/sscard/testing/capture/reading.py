"""What both halves of a capture send: selections and reads, 61xx and 6Cxx followed."""

from collections.abc import Iterator

from sscard.iso.apdu import Command
from sscard.iso.sw import SW
from sscard.iso.tlv import TlvError, find
from sscard.terminal.stack import Reply, layers
from sscard.transport.port import Port

__all__ = ["SELECTED", "found", "records", "select", "send"]

SELECTED = (SW.OK, SW.FILE_INVALIDATED)
_RECORDS_MOST = 254
_REFUSALS_MOST = 3
"""So many in a row are taken for the whole file's; fewer are records with a condition each."""
_ASKABLE = (SW.SECURITY_STATUS,)
"""A refusal of one record; any other is the file's, or says that there are no more."""


def send(port: Port, command: Command) -> Reply:
    """Return the answer to a command."""
    return layers(port).send(command)


def select(port: Port, name: bytes) -> Reply:
    """SELECT by name; the answer's data are the FCI."""
    return send(port, Command(0x00, 0xA4, 0x04, 0x00, name, 256))


def records(port: Port, sfi: int, most: int = _RECORDS_MOST) -> Iterator[tuple[int, Reply]]:
    """Yield number and answer of the records of a file, up to the refusal that ends it.

    A record that wants a proof does not hide those behind it, unless three in a row want one.
    """
    refused = 0
    for number in range(1, most + 1):
        reply = send(port, Command(0x00, 0xB2, number, sfi << 3 | 4, le=256))
        yield number, reply
        refused = 0 if reply.sw == SW.OK else refused + 1
        if refused and (reply.sw not in _ASKABLE or refused == _REFUSALS_MOST):
            return


def found(data: bytes, tag: int) -> bytes | None:
    """Return the value of a tag at any depth; None where it is not, or where nothing is sound."""
    try:
        return find(data, tag)
    except TlvError:
        return None
