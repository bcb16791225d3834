"""A reader slot in memory: card and terminal in one process, with no wire between them.

`PoweredSlot` makes a `CardPort` of anything that can be powered on, and is therefore also what
the virtual reader is given. `MemoryPort` makes a terminal's `Port` of any `CardPort`. The card's
own classes are not imported: their shape is enough.

Source: pcsc, vpcd rules 5 and 6.
"""

from types import TracebackType
from typing import Protocol, Self, cast

from sscard.errors import PowerLoss, TransportError
from sscard.transport.port import CardPort, Link

__all__ = ["Live", "MemoryPort", "PowerSource", "PoweredSlot", "as_port"]


class Live(Protocol):
    """A card with power: what powering on returns."""

    @property
    def atr(self) -> bytes:
        """The answer to reset it gave."""
        ...

    def transmit(self, apdu: bytes, /) -> bytes:
        """Return the response (data, then SW1 SW2) to one command APDU."""
        ...

    def reset(self) -> bytes:
        """Reset it, warm, and return the answer to reset."""
        ...

    def power_off(self) -> None:
        """End this activation."""
        ...


class PowerSource(Protocol):
    """A card without power: all one can do with it is to power it on."""

    def power_on(self, *, link: Link) -> Live:
        """Begin an activation; `link` is how the card answers during it."""
        ...


class PoweredSlot:
    """A `CardPort` over one card: it owns the activation, so losing power is dropping that.

    `link` is how the card answers in this slot. `atr` is the card's answer to reset if the
    caller knows it; otherwise the first question for it activates the card once, as a reader
    does when a card is put in, and the answer is kept. From then on asking changes nothing.

    Interpretation: a command for a card without power is a `TransportError`, not a silent
    power-on. pcscd always powers on first, so only a card whose power was lost in mid-command
    is ever asked this way, and it has to stay dark until the reader resets it.
    """

    def __init__(self, card: PowerSource, *, link: Link = "apdu", atr: bytes | None = None) -> None:
        self._card = card
        self._link: Link = link
        self._atr = atr
        self._live: Live | None = None

    @property
    def powered(self) -> bool:
        """Whether the card has power now."""
        return self._live is not None

    @property
    def atr(self) -> bytes:
        """The answer to reset, the same before, during and after an activation."""
        if self._atr is None:
            self.power_on()
        assert self._atr is not None, "an activation has an answer to reset"
        return self._atr

    def power_on(self) -> None:
        """Cold reset. Errors: whatever the card raises; it then has no power."""
        self.power_off()
        live = self._card.power_on(link=self._link)
        self._live, self._atr = live, live.atr

    def power_off(self) -> None:
        """Take the power away; nothing happens to a card that has none."""
        live, self._live = self._live, None
        if live is not None:
            live.power_off()

    def reset(self) -> None:
        """Warm reset; without power it is a power-on, since a reader means "make it answer"."""
        if self._live is None:
            self.power_on()
            return
        try:
            self._atr = self._live.reset()
        except PowerLoss:
            self._live = None
            raise

    def transmit(self, apdu: bytes) -> bytes:
        """Return the card's response.

        Errors: `TransportError` without power; `PowerLoss` when the power goes in mid-command,
        after which the card is off until the next power-on.
        """
        if self._live is None:
            raise TransportError("the card in this slot has no power: power it on first")
        try:
            return self._live.transmit(apdu)
        except PowerLoss:
            self._live = None
            raise

    def __repr__(self) -> str:
        return f"PoweredSlot({self._card!r}, link={self._link!r})"


def as_port(card: CardPort | PowerSource, link: Link) -> CardPort:
    """Return a `CardPort` as it is, anything else that can be powered on in a `PoweredSlot`.

    Errors: `TransportError` for what is no card: a profile's name, a card that has power already.
    """
    if not hasattr(card, "power_on"):
        raise TransportError(f"{card!r} is no card to put in: it cannot be powered on")
    if hasattr(card, "transmit"):  # isinstance would ask for its ATR
        return cast("CardPort", card)
    return PoweredSlot(card, link=link)


class MemoryPort:
    """A terminal's `Port` straight to a `CardPort`; the card is powered on at once.

    Usable as a context manager, which closes it. Errors: `TransportError` after `close`.
    """

    def __init__(self, card: CardPort) -> None:
        self._card: CardPort | None = card
        card.power_on()

    @property
    def atr(self) -> bytes:
        """The card's answer to reset."""
        return self._inserted().atr

    def transmit(self, apdu: bytes) -> bytes:
        """Return the response (data, then SW1 SW2) to one command APDU."""
        return self._inserted().transmit(apdu)

    def reset(self) -> bytes:
        """Reset the card and return its answer to reset."""
        card = self._inserted()
        card.reset()
        return card.atr

    def close(self) -> None:
        """Take the power away; a second call does nothing."""
        card, self._card = self._card, None
        if card is not None:
            card.power_off()

    def _inserted(self) -> CardPort:
        if self._card is None:
            raise TransportError("this port is closed: make a new one")
        return self._card

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()
