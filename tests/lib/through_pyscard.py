"""Let every command a test sends to a card pass pyscard and a reader in process.

With `--through-pyscard` whatever ends at `Activation.transmit` (scripts, terminals, models,
personalisation, conformance) goes the way a pyscard program's commands go: list of ints, a
connection with its protocol and an observer, the slot, the card, and back. The tests do not notice; what they
assert is what has to come through. Only a command no reader takes, shorter than four bytes, is
handed to the card directly.
"""

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from sscard.card import Activation
from sscard.errors import ImageError, PowerLoss

_KEPT = 64
"""Connections kept open; a test seldom talks to more than three cards at a time."""


@dataclass(eq=False)  # pyscard keeps a list of its observers and looks for them
class Count:
    """How many commands pyscard has told its observers the answers of."""

    commands: int = 0

    def update(self, _connection: Any, event: Any) -> None:
        """Count an answer: what an observer of a pyscard connection has."""
        self.commands += event.type == "response"


class _Inside:
    """The `CardPort` of an activation that runs already."""

    def __init__(self, activation: Activation, transmit: Callable[..., bytes]) -> None:
        self._activation = activation
        self._transmit = transmit
        self.loss: PowerLoss | ImageError | None = None

    @property
    def atr(self) -> bytes:
        return self._activation.atr

    def power_on(self) -> bytes:
        return self.atr

    def power_off(self) -> None:
        """The test cuts the power, not the reader."""

    def reset(self) -> bytes:
        return self.atr

    def transmit(self, apdu: bytes) -> bytes:
        try:
            return self._transmit(self._activation, apdu)
        except (PowerLoss, ImageError) as loss:
            self.loss = loss  # the test wants it as the card raised it
            raise PowerLoss(str(loss)) from loss


class _Line:
    """A connection of pyscard to one activation."""

    def __init__(
        self, activation: Activation, transmit: Callable[..., bytes], count: Count
    ) -> None:
        from sscard.transport.pyscard_reader import VirtualReader

        self.activation = activation
        self._card = _Inside(activation, transmit)
        self._connection: Any = VirtualReader("through", self._card).createConnection()
        self._connection.addObserver(count)
        self._connection.connect()

    def transmit(self, apdu: bytes) -> bytes:
        from smartcard.Exceptions import CardConnectionException

        try:
            data, sw1, sw2 = self._connection.transmit(list(apdu))
        except CardConnectionException:
            if self._card.loss is None:
                raise
            raise self._card.loss from None
        return bytes((*data, sw1, sw2))


def install(replace: Callable[[Any, str, Any], None]) -> Count:
    """Put pyscard between tests and cards; `replace` is a monkeypatch's `setattr`."""
    direct, count = Activation.transmit, Count()
    lines: OrderedDict[int, _Line] = OrderedDict()

    def transmit(self: Activation, apdu: bytes) -> bytes:
        if len(apdu) < 4 or self._kernel is None:
            return direct(self, apdu)
        line = lines.get(id(self))
        if line is None or line.activation is not self:
            line = lines[id(self)] = _Line(self, direct, count)
            if len(lines) > _KEPT:
                lines.popitem(last=False)
        return line.transmit(bytes(apdu))

    replace(Activation, "transmit", transmit)
    return count
