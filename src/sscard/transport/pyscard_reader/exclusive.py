"""Exclusive use of cards in readers in process: pyscard's decorators know their own kind alone.

Source: pcsc, "pyscard facts".
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from smartcard import scard
from smartcard.ExclusiveConnectCardConnection import ExclusiveConnectCardConnection
from smartcard.ExclusiveTransmitCardConnection import ExclusiveTransmitCardConnection

from sscard.transport.pyscard_reader.connection import VirtualConnection

__all__ = ["exclusive_use"]


@contextmanager
def exclusive_use() -> Iterator[None]:
    """Teach pyscard's decorators for exclusive use about our connections; they know their own."""
    connect = ExclusiveConnectCardConnection.connect
    lock, unlock = ExclusiveTransmitCardConnection.lock, ExclusiveTransmitCardConnection.unlock

    def connected(
        self: Any, protocol: int | None = None, mode: int | None = None, disposition: Any = None
    ) -> None:
        if _innermost(self) is None:
            connect(self, protocol, mode, disposition)
        else:
            self.component.connect(protocol, scard.SCARD_SHARE_EXCLUSIVE, disposition)

    def locked(self: Any) -> None:
        ours = _innermost(self)
        if ours is None:
            lock(self)
        else:
            ours.begin()

    def unlocked(self: Any) -> None:
        ours = _innermost(self)
        if ours is None:
            unlock(self)
        else:
            ours.end()

    ExclusiveConnectCardConnection.connect = connected
    ExclusiveTransmitCardConnection.lock = locked
    ExclusiveTransmitCardConnection.unlock = unlocked
    try:
        yield
    finally:
        ExclusiveConnectCardConnection.connect = connect
        ExclusiveTransmitCardConnection.lock = lock
        ExclusiveTransmitCardConnection.unlock = unlock


def _innermost(connection: Any) -> VirtualConnection | None:
    """Return our connection under a pile of decorators, None if another kind is there."""
    while hasattr(connection, "component"):
        connection = connection.component
    return connection if isinstance(connection, VirtualConnection) else None
