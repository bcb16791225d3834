"""Recorders: a card, a terminal's port or a reader's slot, written down as it goes.

`Recorder` takes entries, masks them and hands them on: to memory, or to a file line by line, so
that a trace of a process that was killed is whole up to its last command.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Protocol, Self, TextIO

from sscard.cos.trace import (
    Alarm,
    Committed,
    Detail,
    Drew,
    Event,
    Exchanged,
    Interrupted,
    PoweredOff,
    PoweredOn,
    Recovered,
)
from sscard.errors import PowerLoss, TransportError
from sscard.inspect.trace.entries import (
    Apdu,
    Commit,
    Entry,
    Failure,
    Header,
    Mute,
    Power,
    Random,
    Recovery,
    Refused,
    Trace,
    Write,
)
from sscard.inspect.trace.lines import dump_entry, dump_header
from sscard.inspect.trace.masking import Masker
from sscard.inspect.trace.octets import Octets
from sscard.transport.port import CardPort, Port
from sscard.transport.relay import Relayed

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    from sscard.cos.eeprom import Eeprom, Operation
    from sscard.cos.trace import DetailListener, Listener
    from sscard.env import Env

__all__ = ["CardRecorder", "RecordedPort", "RecordedSlot", "Recorder"]


class Recorder:
    """Where entries go. `show_secrets` leaves them as they are; otherwise they are masked first.

    Usable as a context manager, which closes the file. Errors: OSError.
    """

    def __init__(
        self,
        source: str,
        *,
        path: str | Path | None = None,
        show_secrets: bool = False,
        title: str = "",
    ) -> None:
        self.header = Header(source, masked=not show_secrets, title=title)
        self._masker = None if show_secrets else Masker()
        self._entries: list[Entry] = []
        self._file: TextIO | None = None
        if path is not None:
            self._file = Path(path).open("w", encoding="utf-8", newline="\n")  # noqa: SIM115 - see close
            self._file.write(dump_header(self.header) + "\n")
            self._file.flush()

    def add(self, entry: Entry) -> None:
        """Write an entry down."""
        kept = entry if self._masker is None else self._masker.mask(entry)
        if self._file is None:
            self._entries.append(kept)
            return
        self._file.write(dump_entry(kept) + "\n")
        self._file.flush()

    @property
    def trace(self) -> Trace:
        """What was recorded so far; nothing when it went into a file."""
        return Trace(self.header, tuple(self._entries))

    def close(self) -> None:
        """Close the file, if there is one."""
        file, self._file = self._file, None
        if file is not None:
            file.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


class Watchable(Protocol):
    """What a `sscard.Card` offers to those who watch it."""

    @property
    def eeprom(self) -> "Eeprom":
        """Its memory."""
        ...

    @property
    def env(self) -> "Env":
        """Its environment."""
        ...

    def trace(self, listener: "Listener", /) -> None:
        """Listen to events."""
        ...

    def untrace(self, listener: "Listener", /) -> None:
        """Listen no more."""
        ...

    def trace_details(self, listener: "DetailListener", /) -> None:
        """Listen to what happens inside commands."""
        ...

    def untrace_details(self, listener: "DetailListener", /) -> None:
        """Listen no more."""
        ...


@dataclass(slots=True)
class CardRecorder:
    """Records an emulated card from inside: everything it can tell of itself.

    Usable as a context manager; while it is open every event of the card is an entry.
    """

    card: Watchable
    recorder: Recorder
    _writes: "list[Operation]" = field(default_factory=list, init=False)
    _watch: "AbstractContextManager[list[Operation]] | None" = field(default=None, init=False)

    def __enter__(self) -> Recorder:
        self._watch = self.card.eeprom.recording()
        self._writes = self._watch.__enter__()
        self.card.trace(self._hear)
        self.card.trace_details(self._hear_detail)
        return self.recorder

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.card.untrace(self._hear)
        self.card.untrace_details(self._hear_detail)
        self._flush_writes()
        watch, self._watch = self._watch, None
        if watch is not None:
            watch.__exit__(None, None, None)

    def _flush_writes(self) -> None:
        for operation in self._writes:
            self.recorder.add(
                Write(operation.kind.value, operation.address, Octets(operation.data))
            )
        self._writes.clear()

    def _hear_detail(self, detail: Detail) -> None:
        self._flush_writes()
        match detail:
            case Drew():
                self.recorder.add(Random(detail.domain, detail.value))
            case Committed():
                self.recorder.add(Commit(detail.domain, detail.pages))
            case Recovered():
                self.recorder.add(Recovery(detail.domain, detail.pages))
            case Interrupted():
                self.recorder.add(Failure(Octets(detail.command), "PowerLoss", detail.why))
            case PoweredOff():
                self.recorder.add(Power("off", at_us=self.card.env.clock_us))

    def _hear(self, event: Event) -> None:
        self._flush_writes()
        now = self.card.env.clock_us
        match event:
            case PoweredOn():
                change = "reset" if event.warm else "on"
                interface = "contactless" if event.contactless else "contact"
                self.recorder.add(Power(change, event.atr, now, interface))
            case Alarm():
                self.recorder.add(Mute(event.why))
            case Exchanged():
                self.recorder.add(_exchange(event, now))


def _exchange(event: Exchanged, now: int) -> Apdu:
    refusal = event.refusal
    return Apdu(
        Octets(event.command),
        Octets(event.response),
        event.domain,
        event.applet,
        None if refusal is None else Refused(refusal.why, refusal.ref),
        event.elapsed_us,
        event.operations,
        now,
    )


class RecordedPort:
    """A terminal's `Port` that writes down what passes through another one."""

    def __init__(self, port: Port, recorder: Recorder, atr: bytes = b"") -> None:
        self._port = port
        self._recorder = recorder
        recorder.add(Power("on", atr))

    def transmit(self, apdu: bytes) -> bytes:
        """Return the response to one command APDU."""
        return _recorded(self._port.transmit, apdu, self._recorder)

    def reset(self) -> bytes:
        """Reset the card and return its answer to reset."""
        atr = self._port.reset()
        self._recorder.add(Power("reset", atr))
        return atr

    def close(self) -> None:
        """End the connection."""
        self._recorder.add(Power("off"))
        self._port.close()


class RecordedSlot:
    """A reader's `CardPort` that writes down what passes through another one.

    With an emulated card behind it, `CardRecorder` tells more; `of_relay` also says what a
    relay changed.
    """

    def __init__(self, card: CardPort, recorder: Recorder) -> None:
        self._card = card
        self._recorder = recorder
        self._heard: list[tuple[bytes, bytes]] = []

    @classmethod
    def of_relay(cls, relay: "Callable[[Relayed], CardPort]", recorder: Recorder) -> Self:
        """Return the recorded card of a relay, which `relay` makes when given its listener."""
        heard: list[tuple[bytes, bytes]] = []
        slot = cls(relay(lambda _, sent, answered, __: heard.append((sent, answered))), recorder)
        slot._heard = heard
        return slot

    @property
    def atr(self) -> bytes:
        """The answer to reset."""
        return self._card.atr

    def power_on(self) -> None:
        """Cold reset."""
        self._card.power_on()
        self._recorder.add(Power("on", self._card.atr))

    def power_off(self) -> None:
        """Take the power away."""
        self._card.power_off()
        self._recorder.add(Power("off"))

    def reset(self) -> None:
        """Warm reset."""
        self._card.reset()
        self._recorder.add(Power("reset", self._card.atr))

    def transmit(self, apdu: bytes) -> bytes:
        """Return the response to one command APDU."""
        return _recorded(self._card.transmit, apdu, self._recorder, self._changes)

    def _changes(self) -> tuple[bytes, bytes] | None:
        return self._heard.pop() if self._heard else None


def _recorded(
    transmit: Callable[[bytes], bytes],
    apdu: bytes,
    recorder: Recorder,
    changes: Callable[[], tuple[bytes, bytes] | None] = lambda: None,
) -> bytes:
    try:
        response = transmit(apdu)
    except (PowerLoss, TransportError) as error:
        recorder.add(Failure(Octets(apdu), type(error).__name__, str(error)))
        raise
    sent, answered = changes() or (apdu, response)
    recorder.add(
        Apdu(
            Octets(apdu),
            Octets(response),
            sent=None if sent == apdu else Octets(sent),
            answered=None if answered == response else Octets(answered),
        )
    )
    return response
