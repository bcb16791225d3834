"""What passed between a test and its cards: taken down, put into words, given to monitors."""

from collections.abc import Iterator
from dataclasses import dataclass, field

from sscard.cos.trace import Event, Exchanged, PoweredOn
from sscard.errors import PowerLoss, TransportError
from sscard.inspect import explain, explain_event
from sscard.inspect.trace import Apdu, Entry, Failure, Octets, Power
from sscard.testing.faults.base import Wrapper
from sscard.transport.port import CardPort

__all__ = ["Exchange", "Recorded", "Trace"]

_SHOWN_MAX = 30
"""Exchanges a report shows: the last ones."""
_POWER = {"power-on": "on", "reset": "reset"}
_SSSE_NAME = b"sx1.sh."
_SELECT_BY_NAME = bytes.fromhex("00A404")


@dataclass(slots=True)
class Exchange:
    """A command and what came back; `repr` shows neither.

    `event` is the card's own account of it (None: the card is not ours, or never got the
    command); `failure` says why no answer came; `after` what became of the card since the
    exchange before: "power-on", "reset", of a real reader "connect" or "reconnect" (what that does
    to the card's power is not known), "" for nothing.
    """

    command: bytes = field(repr=False)
    answer: bytes = field(default=b"", repr=False)
    event: Exchanged | None = None
    failure: str = ""
    after: str = ""


class Trace:
    """Everything that passed between a test and its cards, oldest first."""

    def __init__(self) -> None:
        self.exchanges: list[Exchange] = []
        self._after = ""

    def __len__(self) -> int:
        return len(self.exchanges)

    def clear(self) -> None:
        """Forget what was seen so far."""
        self.exchanges.clear()

    def note(self, command: bytes, answer: bytes, failure: str = "") -> None:
        """Take down an exchange with a card that does not tell of itself."""
        self._take(Exchange(command, answer, failure=failure))

    def listen(self, event: Event) -> None:
        """Take down what a card tells of: a listener for `Card.trace`."""
        if isinstance(event, Exchanged):
            self._take(Exchange(event.command, event.response, event))
        elif isinstance(event, PoweredOn):
            self.begin("reset" if event.warm else "power-on")

    def begin(self, after: str) -> None:
        """Take down what begins a session with a card; the last before a command counts."""
        self._after = after

    def _take(self, exchange: Exchange) -> None:
        exchange.after, self._after = self._after, ""
        self.exchanges.append(exchange)

    def entries(self) -> Iterator[Entry]:
        """Yield what was seen as entries of a recorded trace, for `monitors.watch`; unmasked.

        Of a real reader there are no entries about its power.
        """
        for exchange in self.exchanges:
            command = Octets(exchange.command)
            if exchange.after in _POWER:
                yield Power(_POWER[exchange.after])
            if exchange.failure:
                yield Failure(command, "TransportError", exchange.failure)
            else:
                yield Apdu(command, Octets(exchange.answer))

    def explained(self, *, last: int = _SHOWN_MAX, reveal: bool = False) -> str:
        """Return the last exchanges in words, keys, PINs and personal data masked."""
        lines = []
        skipped = max(len(self.exchanges) - last, 0)
        if skipped:
            lines.append(f"({skipped} earlier exchanges are not shown)")
        place: str | None = None
        for number, exchange in enumerate(self.exchanges, start=1):
            place = _place_after(exchange, None if exchange.after else place)
            if number > skipped:
                first, *rest = _explained(exchange, place, reveal=reveal)
                lines += [f"-- {exchange.after} --"] if exchange.after else []
                lines += [f"{number}. {first}", *rest]
        return "\n".join(lines)

    def __str__(self) -> str:
        return self.explained()


def _explained(exchange: Exchange, place: str | None, *, reveal: bool) -> Iterator[str]:
    event = exchange.event
    if event is not None:
        yield from explain_event(event, reveal=reveal).lines()
        if exchange.failure:
            yield f"  the answer did not arrive: {exchange.failure}"
        elif exchange.answer != event.response:
            yield "  what arrived instead:"
            yield from _instead(exchange, event, place, reveal=reveal)
        return
    yield from explain(exchange.command, kind="command", domain=place, reveal=reveal).lines()
    if exchange.failure:
        yield f"  no answer: {exchange.failure}"
    else:
        yield from _answered(exchange, place, reveal=reveal)


def _instead(
    exchange: Exchange, event: Exchanged, place: str | None, *, reveal: bool
) -> Iterator[str]:
    """What a fault made of an answer; a broken answer is as secret as the whole one."""
    told = explain_event(event, reveal=True).find("answer")
    if reveal or told is None or not told.holds_secrets:
        yield from _answered(exchange, place, reveal=reveal)
        return
    yield f"    {len(exchange.answer)} bytes, not shown: there is personal data in the answer"
    if len(exchange.answer) == len(event.response):
        yield from explain(exchange.answer[-2:], command=exchange.command, domain=place).lines(2)


def _answered(exchange: Exchange, place: str | None, *, reveal: bool) -> Iterator[str]:
    return explain(exchange.answer, command=exchange.command, domain=place, reveal=reveal).lines(1)


def _place_after(exchange: Exchange, place: str | None) -> str | None:
    """The environment a card that does not tell of itself is in, by the name selected last."""
    command = exchange.command
    done = exchange.answer[-2:] == b"\x90\x00" or exchange.answer[:1] == b"\x61"  # T=0: more waits
    if not (done and command.startswith(_SELECT_BY_NAME)):
        return place
    return "SSSE" if command[5:].startswith(_SSSE_NAME) else "PSE"


class Recorded(Wrapper):
    """What a reader sees of an emulated card, its faults included, put beside the card's word."""

    def __init__(self, port: CardPort, trace: Trace) -> None:
        super().__init__(port)
        self._trace = trace

    def power_on(self) -> None:
        """Cold reset, taken down."""
        self.port.power_on()
        self._trace.begin("power-on")

    def reset(self) -> None:
        """Warm reset, taken down."""
        self.port.reset()
        self._trace.begin("reset")

    def answer(self, apdu: bytes) -> bytes:
        """Answer one command; what the reader gets goes beside what the card tells."""
        before = len(self._trace)
        try:
            answer = self.port.transmit(apdu)
        except (TransportError, PowerLoss) as failure:
            self._arrived(before, apdu, b"", str(failure) or type(failure).__name__)
            raise
        self._arrived(before, apdu, answer)
        return answer

    def _arrived(self, before: int, apdu: bytes, answer: bytes, failure: str = "") -> None:
        """Note what the reader got; a card that told of the command has it in the trace already."""
        if len(self._trace) == before:
            self._trace.note(apdu, answer, failure)
            return
        last = self._trace.exchanges[-1]
        last.answer, last.failure = answer, failure
