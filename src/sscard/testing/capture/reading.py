"""What both halves of a capture send: selections and reads, 61xx and 6Cxx followed."""

from collections.abc import Iterator

from sscard.iso.apdu import Command
from sscard.iso.sw import SW
from sscard.terminal.stack import Reply, layers
from sscard.transport.port import Port

__all__ = ["records", "select", "send"]

_SELECTED = (SW.OK, SW.FILE_INVALIDATED)
_RECORDS_MOST = 254


def send(port: Port, command: Command) -> Reply:
    """Return the answer to a command."""
    return layers(port).send(command)


def select(port: Port, name: bytes) -> bytes | None:
    """SELECT by name; return the FCI, b"" for an answer without one, None when it is not there."""
    reply = send(port, Command(0x00, 0xA4, 0x04, 0x00, name, 256))
    return reply.data if reply.sw in _SELECTED else None


def records(port: Port, sfi: int, most: int = _RECORDS_MOST) -> Iterator[tuple[int, Reply]]:
    """Yield number and answer of the records of a file, the first refusal last."""
    for number in range(1, most + 1):
        reply = send(port, Command(0x00, 0xB2, number, sfi << 3 | 4, le=256))
        yield number, reply
        if reply.sw != SW.OK:
            return
