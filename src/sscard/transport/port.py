"""The two sides of a reader slot, as protocols, and what may be wrong with it.

A reader speaks to a `CardPort`; a terminal speaks to a `Port`. Whatever stands between them
(nothing at all, the virtual reader, a real one) neither side can tell. May be imported by
everything from the transports upward; of ours it imports the errors alone.

Source: pcsc (vpcd wire protocol); architecture 6.
"""

from typing import Literal, Protocol, runtime_checkable

from sscard.errors import TransportError

__all__ = [
    "CardAbsent",
    "CardMute",
    "CardPort",
    "CardRemoved",
    "CardReset",
    "CardTimeout",
    "CardUnpowered",
    "Link",
    "Port",
    "ProtocolRefused",
    "ReaderAbsent",
    "ReaderBusy",
]

Link = Literal["apdu", "t0"]
"""How a card answers: "apdu" whole at once, "t0" with 61xx, 6Cxx and GET RESPONSE."""


class ReaderAbsent(TransportError):
    """There is no such reader, or nobody who runs readers."""


class CardRemoved(TransportError):
    """The card was taken out, perhaps in the middle of a command: what it did is not known.

    Whoever serves the slot empties it.
    """


class CardMute(TransportError):
    """The card has power and does not answer."""


class CardAbsent(TransportError):
    """There is no card in the slot."""


class CardUnpowered(TransportError):
    """There is a card in the slot, and it does not answer to reset."""


class CardReset(TransportError):
    """Another program has reset the card: what was selected and proved is gone."""


class CardTimeout(TransportError):
    """The card did not answer in time; the port cannot be used any more."""


class ReaderBusy(TransportError):
    """Another program holds the card, and one of the two wants it alone."""


class ProtocolRefused(TransportError):
    """Card or reader cannot speak the protocol that was asked for."""


@runtime_checkable
class CardPort(Protocol):
    """The card side of a reader slot: four contacts and a line.

    `atr` may be read at any time, powered or not, and changes nothing. `power_on` is a cold
    reset also when the power is already on; `reset` is the warm one; all three lose only the
    card's volatile state. `transmit` takes the bytes of one command (any number from 0 on) and
    returns at least the two bytes of a status word.
    """

    @property
    def atr(self) -> bytes:
        """The answer to reset, 2 to 33 bytes."""
        ...

    def power_on(self) -> None:
        """Cold reset: give power (after taking it away, if there was any)."""
        ...

    def power_off(self) -> None:
        """Take the power away; a card without power is left as it is."""
        ...

    def reset(self) -> None:
        """Warm reset; a card without power is powered on."""
        ...

    def transmit(self, apdu: bytes) -> bytes:
        """Return the response (data, then SW1 SW2) to one command APDU."""
        ...


@runtime_checkable
class Port(Protocol):
    """The terminal side: a connection to a card that is in a reader."""

    def transmit(self, apdu: bytes) -> bytes:
        """Return the response (data, then SW1 SW2) to one command APDU."""
        ...

    def reset(self) -> bytes:
        """Reset the card and return its answer to reset."""
        ...

    def close(self) -> None:
        """End the connection; the card loses its power. May be called twice."""
        ...
