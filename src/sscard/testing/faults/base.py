"""What a fault is: a wrapper around a `CardPort`, by a name, and when it strikes."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import NamedTuple

from sscard.card import Activation, Card, Interface
from sscard.errors import SscardError
from sscard.transport.memory import PoweredSlot
from sscard.transport.port import CardPort, Link

__all__ = ["Fault", "When", "Wrapper", "at_least", "faulty", "which"]

When = int | Callable[[bytes], bool] | None
"""Which commands: the n-th (1 is the first after insertion), those a function picks, or all."""


def which(when: When) -> When:
    """Return `when`. Errors: `SscardError` for the number of a command that never comes."""
    if isinstance(when, int):
        at_least(1, when, "commands are counted from 1")
    return when


def at_least(least: float, value: float, rule: str) -> None:
    """Errors: `SscardError` with the `rule` for a value below `least`."""
    if value < least:
        raise SscardError(f"{rule}: not {value}")


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing that goes wrong; `str` says it in words.

    `wrap` puts it around a card port; `wrap_card`, given instead, wants the emulated card, too.
    """

    name: str
    wrap: Callable[[CardPort], CardPort] | None = field(default=None, repr=False)
    wrap_card: Callable[[CardPort, Card], CardPort] | None = field(default=None, repr=False)

    @property
    def of_the_card(self) -> bool:
        """Whether it needs the emulated card, and not only what passes on the wire."""
        return self.wrap_card is not None

    def around(self, port: CardPort, card: Card | None) -> CardPort:
        """Return `port` with this fault. Errors: `SscardError` without the card it needs."""
        if self.wrap_card is not None:
            if card is None:
                raise SscardError(f"{self.name}: this fault needs an emulated card: pass a Card")
            return self.wrap_card(port, card)
        assert self.wrap is not None, "a fault wraps something"
        return self.wrap(port)

    def __str__(self) -> str:
        return self.name


class Wrapper:
    """A `CardPort` that passes everything on; `commands` counts what it was sent."""

    def __init__(self, port: CardPort) -> None:
        self.port = port
        self.commands = 0

    @property
    def atr(self) -> bytes:
        """The answer to reset."""
        return self.port.atr

    def power_on(self) -> None:
        """Cold reset."""
        self.port.power_on()

    def power_off(self) -> None:
        """Take the power away."""
        self.port.power_off()

    def reset(self) -> None:
        """Warm reset."""
        self.port.reset()

    def transmit(self, apdu: bytes) -> bytes:
        """Count a command and answer it."""
        self.commands += 1
        return self.answer(apdu)

    def answer(self, apdu: bytes) -> bytes:
        """Answer one command: what a fault is made of."""
        return self.port.transmit(apdu)

    def due(self, when: When, apdu: bytes) -> bool:
        """Whether the command in hand is one of those `when` means."""
        if when is None:
            return True
        return when(apdu) if callable(when) else when == self.commands


class _Through(NamedTuple):
    """A card that is powered through one of its interfaces."""

    card: Card
    interface: Interface

    def power_on(self, *, link: Link) -> Activation:
        return self.card.power_on(link, interface=self.interface)


def faulty(
    card: Card | CardPort,
    *faults: Fault,
    link: Link = "apdu",
    interface: Interface = "contact",
) -> CardPort:
    """Return a card with faults, the first nearest to it, for any reader.

    `link` and `interface` are how an emulated `card` answers. Errors: `SscardError` for a fault of
    the card around a port behind which no emulated card is known.
    """
    emulated = card if isinstance(card, Card) else None
    port = PoweredSlot(_Through(card, interface), link=link) if isinstance(card, Card) else card
    for fault in faults:
        port = fault.around(port, emulated)
    return port
