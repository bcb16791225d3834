"""`CardMachine`: a card, whatever is said of it, and a Hypothesis machine around both.

The base of `SsseMachine` and `PseMachine`, and of machines of your own: for another card, for
one behind a reader, for the terminal that talks to it. Every command passes `send`, which asks
the model, if there is one, and the monitors, always. What they complain of is told together
with the sequence so far, as an APDU script that `sscard run` takes (docs/apdu-script.md).

    class Desk(CardMachine):
        @rule(pin=st.sampled_from(["123456", "999999"]))
        def ask_for_the_pin(self, pin):
            my_terminal.verify(self.port, pin)

    TestDesk = Desk.TestCase

It imports `hypothesis`: install `sscard[test-kit]`.
"""

import sys
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any, ClassVar, Protocol

from hypothesis import note
from hypothesis.stateful import RuleBasedStateMachine

from sscard.card import Card, Snapshot
from sscard.errors import PowerLoss, TransportError
from sscard.inspect.trace import Apdu as Exchange
from sscard.inspect.trace import Failure, Octets, Power
from sscard.iso.apdu import Command
from sscard.sample import new_card
from sscard.testing.monitors import Monitor, Watch, monitors
from sscard.testing.script import Apdu, CardLine, Comment, Expect, Line, RandomLine, Reset, Script
from sscard.testing.script import render as rendered
from sscard.transport.port import Port

__all__ = ["CardMachine", "Model", "Powered"]

_CHALLENGE = b"\x00\x84"
_GENERATIONS = frozenset({"v1", "v2", "v3"})


class _Foreseen(Protocol):
    """What a model accepts: status words as patterns, and the data, None when it leaves them."""

    @property
    def sw(self) -> tuple[str, ...]: ...

    @property
    def data(self) -> bytes | None: ...


class Model(Protocol):
    """Something that knows what a card must answer."""

    @property
    def expected(self) -> _Foreseen:
        """What the last command had to be answered with."""
        ...

    def exchange(self, apdu: bytes, response: bytes) -> str:
        """Follow an exchange; return what is wrong with the response, "" when nothing is."""
        ...

    def reset(self) -> None:
        """Follow a reset of the card."""
        ...


class Powered(Protocol):
    """A card under power, ours or behind a port."""

    def transmit(self, apdu: bytes) -> bytes:
        """Return the response to a command."""
        ...

    def reset(self) -> bytes:
        """Reset the card; return its answer."""
        ...


@lru_cache(maxsize=16)
def _personalised(profile: str, settings: tuple[tuple[str, Any], ...]) -> Snapshot:
    return new_card(profile, dict(settings)).snapshot()


class CardMachine(RuleBasedStateMachine):
    """A card of `profile` with `settings`, watched by monitors; add rules in a subclass.

    `send` and `command` are the way to the card, `port` the same as a terminal wants it. `power`
    is what is behind them, `card` our card, None for one of somebody else. `model` None: the
    monitors judge alone.
    """

    profile: ClassVar[str] = "sample"
    settings: ClassVar[Mapping[str, Any]] = {}
    model: Model | None = None

    def __init__(self) -> None:
        super().__init__()
        self.card: Card | None = None
        self.power: Powered
        self._inserted: Powered | None = None
        self.log: list[Line] = []
        self._watch = Watch(())
        self._told = False
        self.prepare()

    # --- the card ---------------------------

    def prepare(self) -> None:
        """Put a card in before the first rule; yours: `self.insert(PcscPort("reader"))`."""
        settings = tuple(self.settings.items())
        self.card = _personalised(self.profile, settings).fork()
        self.insert(self.card.power_on(), CardLine(self.profile, settings))

    def insert(self, power: Powered, heading: Line | None = None) -> None:
        """Begin the sequence with the card behind `power`; `heading` is the script's first line.

        What was in before is closed, if it can be, as this one is when the sequence ends.
        """
        self._take_out()
        self.power = self._inserted = power
        self.log = [heading or Comment(comment="the card that was in the reader")]
        self._watch = Watch(self.monitors())
        self._watch.see(Power("on"))

    def _take_out(self) -> None:
        """Close the port to somebody's reader: the next sequence opens it anew."""
        close = getattr(self._inserted, "close", None)
        self._inserted = None
        if close is not None:
            close()

    def monitors(self) -> Sequence[Monitor]:
        """Return fresh monitors for a card; all of them, unless a subclass knows better."""
        generation = self.profile if self.profile in _GENERATIONS else None
        return monitors(generation)

    # --- to the card and back ---------------------------

    def send(self, apdu: bytes | str, name: str = "") -> bytes:
        """Send a command and return the response. Errors: AssertionError when it is wrong."""
        raw = bytes.fromhex(apdu) if isinstance(apdu, str) else bytes(apdu)
        try:
            response = self.power.transmit(raw)
        except (PowerLoss, TransportError) as error:
            self.log.append(Apdu(name, raw, comment=f"not answered: {error}"))
            self._watch.see(Failure(Octets(raw), type(error).__name__, str(error)))
            raise
        complaint = "" if self.model is None else self.model.exchange(raw, response)
        if raw[:2] == _CHALLENGE and response[-2:] == b"\x90\x00" and self.card is not None:
            self.log.append(RandomLine((response[:-2],)))
        self.log.append(Apdu(name, raw, self._expectation(response)))
        if complaint:
            self.stop(f"the card {complaint}")
        for violation in self._watch.see(Exchange(Octets(raw), Octets(response))):
            self.stop(f"{violation.why} ({violation.monitor})")
        return response

    def command(self, header: str, data: bytes = b"", le: int | None = None, name: str = "") -> str:
        """Send CLA INS P1 P2 with data; return the status word."""
        cla, ins, p1, p2 = bytes.fromhex(header)
        raw = Command(cla, ins, p1, p2, data, le).build()
        return self.send(raw, name)[-2:].hex().upper()

    def restart(self) -> bytes:
        """Reset the card, and tell the model and the monitors; return the answer to reset."""
        atr = self.power.reset()
        if self.model is not None:
            self.model.reset()
        self.log.append(Reset())
        self._watch.see(Power("reset"))
        return atr

    @property
    def port(self) -> Port:
        """The card as a terminal sees it: all it sends is judged and noted."""
        return _Port(self)

    # --- what is told ---------------------------

    @property
    def script(self) -> str:
        """What was sent, with what must be answered, as a script for tests/spec."""
        return rendered(Script(tuple(self.log)))

    def stop(self, why: str) -> None:
        """Fail, with the sequence so far. Errors: AssertionError, always."""
        self._told = True
        raise AssertionError(f"{why}\n\n{self.script}")

    def _expectation(self, response: bytes) -> Expect | None:
        """What the script says of an answer: the model's word, without one what was seen."""
        if self.model is None:
            return Expect((response[-2:].hex().upper(),))
        expected = self.model.expected
        data = None if expected.data is None else expected.data.hex().upper()
        return Expect(expected.sw, data) if expected.sw else None

    def finish(self) -> None:
        """Do what comes last in a sequence that went well: read back, compare."""

    def teardown(self) -> None:
        """Finish; or, when a rule failed by itself, say what had been sent. Close the port."""
        try:
            if sys.exception() is None:
                self.finish()
            elif not self._told:
                note(self.script)
        finally:
            self._take_out()


class _Port:
    """A terminal's side of a machine."""

    def __init__(self, machine: CardMachine) -> None:
        self._machine = machine

    def transmit(self, apdu: bytes) -> bytes:
        """Send a command through the machine."""
        return self._machine.send(apdu)

    def reset(self) -> bytes:
        """Reset the card through the machine."""
        return self._machine.restart()

    def close(self) -> None:
        """The terminal has finished; the machine keeps the card."""
