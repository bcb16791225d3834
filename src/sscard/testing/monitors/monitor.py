"""What a monitor is: a small automaton that reads a trace and complains of what must not happen.

It knows the wire alone, so it works on an emulated card, a physical one and a recording. Masked
bytes it does not see; what it needs of them it then leaves unjudged, and never guesses.
"""

from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence
from typing import ClassVar, NamedTuple

from sscard.inspect.trace import Entry, Failure, Follower, Power, Step, Trace

__all__ = ["Monitor", "Violation", "watch"]


class Violation(NamedTuple):
    """A property that did not hold: which, at which entry (from 1), and why."""

    monitor: str
    entry: int
    command: str
    why: str

    def __str__(self) -> str:
        return f"line {self.entry + 1}: {self.command}: {self.why} ({self.monitor})"


class Monitor(ABC):
    """One property. A fresh instance per trace; `see` gets every exchange in order.

    `name` is the property in a word, `title` in a sentence, `source` its section.
    """

    name: ClassVar[str]
    title: ClassVar[str]
    source: ClassVar[str]

    @abstractmethod
    def see(self, step: Step) -> str:
        """Take an exchange; return why it breaks the property, "" when it does not."""

    def power(self) -> None:  # noqa: B027 - most monitors keep nothing across a reset
        """The card was powered on, reset or switched off: its RAM is gone."""

    def lost(self, failure: Failure) -> None:  # noqa: B027 - most need no more than `power`
        """A command was never answered; what it did is not known."""


def watch(trace: Trace | Iterable[Entry], monitors: Sequence[Monitor]) -> list[Violation]:
    """Return what the monitors have to say of a trace, in its order."""
    entries = trace.entries if isinstance(trace, Trace) else trace
    follower = Follower()
    found = []
    for number, entry in enumerate(entries, 1):
        step = follower.see(entry)
        if isinstance(entry, Power):
            for monitor in monitors:
                monitor.power()
        elif isinstance(entry, Failure):
            for monitor in monitors:
                monitor.lost(entry)
        if step is None:
            continue
        for monitor in monitors:
            if why := monitor.see(step):
                command = str(step.apdu.command)
                found.append(Violation(monitor.name, number, command, why))
    return found
