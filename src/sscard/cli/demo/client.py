"""The demo's APDU client: names for commands, a log of what came of them, refusals as errors.

It stands on the stack of the terminals, which follows the two T=0 forms.
"""

from collections.abc import Callable
from typing import NamedTuple

from sscard.errors import SscardError
from sscard.iso.apdu import Command
from sscard.iso.sw import SW
from sscard.perso.steps import Steps
from sscard.terminal.stack import layers

__all__ = ["Client", "Exchange", "UnexpectedAnswer"]


class UnexpectedAnswer(SscardError):
    """The card answered something else than the story needs."""


class Exchange(NamedTuple):
    """One command and its whole answer. `secret` when the command's data must not be shown."""

    name: str
    command: bytes
    data: bytes
    sw: SW
    secret: bool = False

    @property
    def shown_command(self) -> str:
        """The command in hex, without secret data."""
        head, rest = self.command[:5].hex().upper(), self.command[5:]
        if self.secret and rest:
            return f"{head} <{len(rest)} bytes>"
        return f"{head} {rest.hex().upper()}".rstrip()


class Client:
    """Sends commands to a card and keeps what came of them in `log`.

    61xx is followed with GET RESPONSE and 6Cxx with the right Le, as a T=0 driver does; such a
    chain is one exchange. `sent` counts every APDU on the wire.
    """

    def __init__(self, transmit: Callable[[bytes], bytes]) -> None:
        self._transmit = transmit
        self._stack = layers(self)
        self.log: list[Exchange] = []
        self.sent = 0

    def transmit(self, apdu: bytes, /) -> bytes:
        """Put one APDU on the wire."""
        self.sent += 1
        return self._transmit(apdu)

    def exchange(self, name: str, command: Command | bytes, *, secret: bool = False) -> Exchange:
        """Send a command and return what came, whatever it was."""
        parsed = Command.parse(command) if isinstance(command, bytes) else command
        reply = self._stack.send(parsed)
        done = Exchange(name, parsed.build(), reply.data, reply.sw, secret)
        self.log.append(done)
        return done

    def send(self, name: str, command: Command | bytes, *, secret: bool = False) -> bytes:
        """Send a command that must succeed; return its data. Raises UnexpectedAnswer."""
        done = self.exchange(name, command, secret=secret)
        if done.sw != SW.OK:
            raise UnexpectedAnswer(f"{name}: {done.shown_command}: {done.sw} {done.sw.meaning}")
        return done.data

    def refused(self, name: str, command: Command | bytes, sw: SW, *, secret: bool = False) -> None:
        """Send a command that must be refused with just this status word."""
        done = self.exchange(name, command, secret=secret)
        if done.sw != sw:
            raise UnexpectedAnswer(f"{name}: {done.sw} instead of {sw}")

    def run(self, steps: Steps) -> None:
        """Send the steps of a script, each of which must succeed."""
        step = next(steps, None)
        while step is not None:
            data = self.send(step.name, step.apdu, secret=step.secret)
            try:
                step = steps.send(data)
            except StopIteration:
                return
