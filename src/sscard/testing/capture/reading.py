"""What both halves of a capture send: selections and reads, 61xx and 6Cxx followed."""

from collections.abc import Iterator

from sscard.iso.apdu import Command
from sscard.iso.sw import SW
from sscard.terminal.stack import Reply, layers
from sscard.transport.port import CardMute, Port

__all__ = ["SELECTED", "Living", "records", "select", "send"]

SELECTED = (SW.OK, SW.FILE_INVALIDATED)
_RECORDS_MOST = 254
_DEAD_ANSWERS = 3
"""So many 6F00 in a row, as in the conformance suites: such a card is dead."""
_NO_MORE = frozenset(
    (
        SW.RECORD_NOT_FOUND, SW.FILE_NOT_FOUND, SW.WRONG_FILE_KIND, SW.NO_CURRENT_EF,
        SW.WRONG_P1P2, SW.NOT_SUPPORTED, SW.INS_UNKNOWN, SW.CLA_UNKNOWN, SW.PERMANENTLY_BLOCKED,
    )
)  # fmt: skip
"""Refusals of a whole file, or of whatever would stand behind; any other may be one record's."""


class Living:
    """A port to a card that may die: nothing but 6F00 is the end of the reading.

    Errors: `CardMute` for the third 6F00 in a row, besides those of the port.
    """

    def __init__(self, port: Port) -> None:
        self._port = port
        self._faults = 0

    def transmit(self, apdu: bytes) -> bytes:
        """Return the answer to a command."""
        answer = self._port.transmit(apdu)
        self._faults = self._faults + 1 if answer == bytes(SW.INTERNAL_FAULT) else 0
        if self._faults == _DEAD_ANSWERS:
            raise CardMute("the card answers 6F00 to everything")
        return answer

    def reset(self) -> bytes:
        """Reset the card; return its answer to reset."""
        return self._port.reset()

    def close(self) -> None:
        """End the connection."""
        self._port.close()


def send(port: Port, command: Command) -> Reply:
    """Return the answer to a command."""
    return layers(port).send(command)


def select(port: Port, name: bytes) -> Reply:
    """SELECT by name; the answer's data are the FCI."""
    return send(port, Command(0x00, 0xA4, 0x04, 0x00, name, 256))


def records(port: Port, sfi: int, patience: int) -> Iterator[tuple[int, Reply]]:
    """Yield number and answer of the records of a file, whatever the answer.

    The file ends at a refusal that holds for all of it (6A83 above all), or with `patience`
    refusals in a row: one of another kind may be of a single record, and hides no other.
    """
    refused = 0
    for number in range(1, _RECORDS_MOST + 1):
        reply = send(port, Command(0x00, 0xB2, number, sfi << 3 | 4, le=256))
        yield number, reply
        refused = 0 if reply.sw == SW.OK else refused + 1
        if reply.sw in _NO_MORE or refused == patience:
            return
