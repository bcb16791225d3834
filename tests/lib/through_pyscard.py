"""Let every command a test sends to a card pass pyscard and a reader in process.

With `--through-pyscard` whatever ends at `Activation.transmit` (scripts, terminals, models,
personalisation, conformance) goes the way a pyscard program's commands go: list of ints, a
connection with its protocol and an observer, the slot, the card, and back. Power and resets go
that way, too: `power_on` is a connection, `reset` a reconnection, `power_off` the end of a
connection. The tests do not notice; what they assert is what has to come through. Only what no
reader takes is done to the card directly: a command shorter than four bytes, and the power of a
card whose ATR is none.
"""

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from sscard.card import Activation, Card
from sscard.errors import ImageError, PowerLoss

_KEPT = 64
"""Connections kept open; a test seldom talks to more than three cards at a time."""


@dataclass(eq=False)  # pyscard keeps a list of its observers and looks for them
class Count:
    """How often pyscard has told its observers of an answer, a connection, a reconnection."""

    commands: int = 0
    powers: int = 0
    resets: int = 0

    def update(self, _connection: Any, event: Any) -> None:
        """Count what an observer of a pyscard connection hears."""
        self.commands += event.type == "response"
        self.powers += event.type == "connect"
        self.resets += event.type == "reconnect"


@dataclass(frozen=True)
class _Direct:
    """What is done to a card without a reader."""

    transmit: Callable[..., bytes]
    reset: Callable[..., bytes]
    power_off: Callable[..., None]


class _Port:
    """The `CardPort` of one activation: `power` begins it, or hands one over that runs."""

    def __init__(self, power: Callable[[], Activation], direct: _Direct) -> None:
        self._power = power
        self._direct = direct
        self.activation: Activation | None = None
        self.cutting = False
        self.failure: BaseException | None = None

    @property
    def atr(self) -> bytes:
        return self._live.atr

    @property
    def _live(self) -> Activation:
        assert self.activation is not None, "a reader powers a card on before anything else"
        return self.activation

    def power_on(self) -> None:
        self.activation = self._kept(self._power)

    def power_off(self) -> None:
        """Only where the test cuts the power; a line that is not kept any longer does not."""
        if self.cutting:
            self._direct.power_off(self._live)

    def reset(self) -> None:
        self._kept(lambda: self._direct.reset(self._live))

    def transmit(self, apdu: bytes) -> bytes:
        return self._kept(lambda: self._direct.transmit(self._live, apdu))

    def _kept(self, call: Callable[[], Any]) -> Any:
        """Call, and keep what goes wrong: the test wants it as the card raised it."""
        self.failure = None
        try:
            return call()
        except (PowerLoss, ImageError) as loss:
            self.failure = loss
            raise PowerLoss(str(loss)) from loss
        except Exception as error:
            self.failure = error
            raise


class _Line:
    """A connection of pyscard to one activation."""

    def __init__(self, power: Callable[[], Activation], direct: _Direct, count: Count) -> None:
        from sscard.transport.pyscard_reader import VirtualReader

        self._port = _Port(power, direct)
        self._connection: Any = VirtualReader("through", self._port).createConnection()
        self._connection.addObserver(count)
        self._through(self._connection.connect)

    @property
    def activation(self) -> Activation:
        assert self._port.activation is not None, "it was powered on"
        return self._port.activation

    def transmit(self, apdu: bytes) -> bytes:
        data, sw1, sw2 = self._through(self._connection.transmit, list(apdu))
        return bytes((*data, sw1, sw2))

    def reset(self) -> bytes:
        self._through(self._connection.reconnect)
        return bytes(self._connection.getATR())

    def power_off(self) -> None:
        self._port.cutting = True
        self._connection.disconnect()

    def _through(self, call: Callable[..., Any], *args: Any) -> Any:
        from smartcard.Exceptions import SmartcardException

        try:
            return call(*args)
        except SmartcardException:
            if self._port.failure is None:
                raise
            raise self._port.failure from None


def install(replace: Callable[[Any, str, Any], None]) -> Count:
    """Put pyscard between tests and cards; `replace` is a monkeypatch's `setattr`."""
    from smartcard.Exceptions import CardConnectionException

    direct, count = _Direct(Activation.transmit, Activation.reset, Activation.power_off), Count()
    direct_on = Card.power_on
    lines: OrderedDict[int, _Line] = OrderedDict()

    def line_of(activation: Activation) -> _Line | None:
        line = lines.get(id(activation))
        return line if line is not None and line.activation is activation else None

    def keep(line: _Line) -> _Line:
        lines[id(line.activation)] = line
        if len(lines) > _KEPT:
            lines.popitem(last=False)
        return line

    def power_on(self: Card, *args: Any, **words: Any) -> Activation:
        made: list[Activation] = []

        def power() -> Activation:
            made.append(direct_on(self, *args, **words))
            return made[0]

        try:
            return keep(_Line(power, direct, count)).activation
        except CardConnectionException:
            if not made:
                raise
            return made[0]  # no reader takes its ATR

    def transmit(self: Activation, apdu: bytes) -> bytes:
        if len(apdu) < 4 or self._kernel is None:
            return direct.transmit(self, apdu)
        line = line_of(self) or keep(_Line(lambda: self, direct, count))
        return line.transmit(bytes(apdu))

    def reset(self: Activation) -> bytes:
        if self._kernel is None:
            return direct.reset(self)
        return (line_of(self) or keep(_Line(lambda: self, direct, count))).reset()

    def power_off(self: Activation) -> None:
        line = line_of(self)
        if self._kernel is None or line is None:
            direct.power_off(self)
            return
        del lines[id(self)]
        line.power_off()

    for owner, name, call in (
        (Card, "power_on", power_on),
        (Activation, "transmit", transmit),
        (Activation, "reset", reset),
        (Activation, "power_off", power_off),
    ):
        replace(owner, name, call)
    return count
