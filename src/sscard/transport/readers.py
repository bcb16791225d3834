"""Which readers a pcscd has, and whether there is a card in them, asked over its own socket.

Two messages of the protocol between libpcsclite and pcscd are enough, so this needs neither
pyscard nor the library, and leaves alone the one socket name a process may use with it.

Source: pcsc, "Start a private pcscd" (ready means listed); message layout 4.x of pcsc-lite.
"""

import socket
import struct
from pathlib import Path
from typing import NamedTuple

from sscard.errors import TransportError

__all__ = ["ReaderState", "reader_states"]

_VERSION, _READERS = 0x11, 0x12  # message codes
_PROTOCOL = (4, 4)
_READERS_MAX = 16
_HEADER = struct.Struct("=II")  # length of what follows, code
_HELLO = struct.Struct("=iiI")  # major, minor, result
_STATE = struct.Struct("=128s I I i 33s 3x I I")  # name, events, state, sharing, ATR, its length
_PRESENT = 0x04


class ReaderState(NamedTuple):
    """One slot of a reader: its name, whether it holds a card, and that card's ATR.

    `events` counts the insertions and removals that pcscd's own polling has noticed.
    """

    name: str
    events: int
    present: bool
    atr: bytes


def reader_states(path: Path, *, timeout_s: float = 2.0) -> list[ReaderState]:
    """Return the state of every slot of the pcscd that listens at `path`.

    Errors: `TransportError` when nobody answers there, or not in this protocol.
    """
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
            connection.settimeout(timeout_s)
            connection.connect(str(path))
            connection.sendall(_HEADER.pack(_HELLO.size, _VERSION) + _HELLO.pack(*_PROTOCOL, 0))
            major, _, result = _HELLO.unpack(_receive(connection, _HELLO.size))
            if major != _PROTOCOL[0] or result:
                raise TransportError(f"the pcscd at {path} speaks another protocol than 4.x")
            connection.sendall(_HEADER.pack(0, _READERS))
            table = _receive(connection, _STATE.size * _READERS_MAX)
    except OSError as error:
        raise TransportError(f"no pcscd answers at {path}: {error}") from error
    return [_parse(row) for row in _STATE.iter_unpack(table) if row[0][0]]


def _parse(row: tuple[bytes, int, int, int, bytes, int, int]) -> ReaderState:
    name, events, state, _, atr, atr_length, _ = row
    text = name.split(b"\0", 1)[0].decode("utf-8", "replace")
    return ReaderState(text, events, bool(state & _PRESENT), atr[:atr_length])


def _receive(connection: socket.socket, length: int) -> bytes:
    data = b""
    while len(data) < length:
        piece = connection.recv(length - len(data))
        if not piece:
            raise ConnectionResetError("connection closed")
        data += piece
    return data
