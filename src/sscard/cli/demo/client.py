"""A tiny APDU client: names for commands, the two T=0 forms followed, refusals as errors.

What any terminal needs of a card, and all that the demo's other side uses.
"""

from collections.abc import Callable
from typing import NamedTuple

from sscard.errors import SscardError
from sscard.iso.apdu import Command
from sscard.iso.sw import SW
from sscard.perso.steps import Steps

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
        self.log: list[Exchange] = []
        self.sent = 0

    def exchange(self, name: str, command: Command | bytes, *, secret: bool = False) -> Exchange:
        """Send a command and return what came, whatever it was."""
        apdu = command if isinstance(command, bytes) else command.build()
        response = self._send(apdu)
        if response[-2] == 0x6C:
            response = self._send(apdu[:4] + response[-1:])
        data = response[:-2]
        while response[-2] == 0x61:
            response = self._send(bytes((0x00, 0xC0, 0x00, 0x00, response[-1])))
            data += response[:-2]
        done = Exchange(name, apdu, data, SW.of(response), secret)
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

    def _send(self, apdu: bytes) -> bytes:
        self.sent += 1
        return self._transmit(apdu)
