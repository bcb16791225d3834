"""What a monitor is: a small automaton that reads a trace and complains of what must not happen.

It knows the wire alone, so it works on an emulated card, a physical one and a recording. Masked
bytes it does not see; what it needs of them it then leaves unjudged, and never guesses.
"""

from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence
from typing import ClassVar, NamedTuple

from sscard.inspect.trace import Entry, Failure, Follower, Power, Step, Trace

__all__ = ["Monitor", "Violation", "Watch", "watch"]


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


class Watch:
    """Monitors over a trace that is still growing: give it each entry as it comes."""

    def __init__(self, monitors: Sequence[Monitor]) -> None:
        self._monitors = tuple(monitors)
        self._follower = Follower()
        self._number = 0

    def see(self, entry: Entry) -> list[Violation]:
        """Take the next entry; return what the monitors have to say of it."""
        self._number += 1
        step = self._follower.see(entry)
        if isinstance(entry, Power):
            for monitor in self._monitors:
                monitor.power()
        elif isinstance(entry, Failure):
            for monitor in self._monitors:
                monitor.lost(entry)
        if step is None:
            return []
        complaints = [(monitor.name, monitor.see(step)) for monitor in self._monitors]
        command = str(step.apdu.command)
        return [Violation(name, self._number, command, why) for name, why in complaints if why]


def watch(trace: Trace | Iterable[Entry], monitors: Sequence[Monitor]) -> list[Violation]:
    """Return what the monitors have to say of a trace, in its order."""
    entries = trace.entries if isinstance(trace, Trace) else trace
    growing = Watch(monitors)
    return [violation for entry in entries for violation in growing.see(entry)]
