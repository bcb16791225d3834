"""A relay: a card in one reader that answers out of another, and what is changed on the way.

`RelayCard` is the `CardPort` for the virtual reader; behind it a `Port` reaches the real card.
A hook sees every command before the card does and every answer before the terminal does, and
may return other bytes. Source: pcsc (vpcd wire protocol).
"""

from collections.abc import Callable
from typing import Protocol

from sscard.errors import TransportError
from sscard.transport.port import Port

__all__ = ["Edit", "RelayCard", "Relayed", "RelayedPort"]

_SHORTEST = 4
_NO_COMMAND = b"\x67\x00"


class Edit(Protocol):
    """What may change APDUs on the way; both return the bytes to go on with."""

    def command(self, apdu: bytes, /) -> bytes:
        """Return what the card is given instead of `apdu`."""
        ...

    def response(self, command: bytes, response: bytes, /) -> bytes:
        """Return what the terminal is given; `command` is what the card was given."""
        ...


class RelayedPort(Port, Protocol):
    """A port that knows its card's answer to reset."""

    @property
    def atr(self) -> bytes:
        """The answer to reset."""
        ...


Relayed = Callable[[bytes, bytes, bytes, bytes], None]
"""Hears of an exchange: the terminal's command, the card's, the card's answer, the terminal's."""


class RelayCard:
    """The card at the other end of `port`, for a reader.

    Power on and reset both reset the card; power off leaves it, and the next power on resets it,
    so that it looks the same from here. A command of less than 4 bytes no reader passes on: it
    is answered 6700 here. `listener` hears of every exchange.
    """

    def __init__(
        self, port: RelayedPort, edit: Edit | None = None, listener: Relayed | None = None
    ) -> None:
        self._port = port
        self._edit = edit
        self._listener = listener
        self._atr = port.atr
        self._powered = False

    @property
    def atr(self) -> bytes:
        """The card's answer to reset."""
        return self._atr

    def power_on(self) -> None:
        """Reset the card: its power is its own reader's."""
        self._atr = self._port.reset()
        self._powered = True

    def power_off(self) -> None:
        """Answer nothing until the next power on."""
        self._powered = False

    def reset(self) -> None:
        """Reset the card."""
        self.power_on()

    def transmit(self, apdu: bytes) -> bytes:
        """Pass a command on, and its answer back. Errors: `TransportError`, as of the port."""
        if not self._powered:
            raise TransportError("the relayed card has no power: power it on first")
        sent = apdu if self._edit is None else self._edit.command(apdu)
        answered = _NO_COMMAND if len(sent) < _SHORTEST else self._port.transmit(sent)
        response = answered if self._edit is None else self._edit.response(sent, answered)
        if self._listener is not None:
            self._listener(apdu, sent, answered, response)
        return response
