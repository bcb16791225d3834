"""The APDU stack of a terminal: layers over a port, one method each (ssse-lb002 3.1; pcsc).

A layer takes a `Command` and gives a `Reply`; what it adds (fetching what waits, the right Le,
a trace, secure messaging) nobody above it sees. `Channel` is the top: it turns a refusal into
an `ApduError` and gives bytes. `channel(port)` stacks the usual ones.
"""

from collections.abc import Callable
from enum import Enum
from typing import NamedTuple, Protocol

from sscard.errors import TransportError
from sscard.iso.apdu import Command
from sscard.iso.sw import SW
from sscard.terminal.errors import refusal
from sscard.transport.port import Port

__all__ = [
    "BadAnswer",
    "CaseFourLe",
    "Channel",
    "GetResponse",
    "Layer",
    "LePolicy",
    "Reply",
    "RightLe",
    "Traced",
    "Transmitter",
    "Wire",
    "channel",
    "layers",
]

_ANY_LE = 256
_PIECES_MAX = 64
"""GET RESPONSEs for one command: a card that goes on for ever is not a card."""

Hook = Callable[[Command, "Reply"], None]
"""Hears of every exchange on the wire, after it."""


class BadAnswer(TransportError):
    """The card answered what no card may: nothing to be called an answer, or one without end."""


class Reply(NamedTuple):
    """What came back: the data, and the status word."""

    data: bytes
    sw: SW


class Layer(Protocol):
    """Something commands can be sent through."""

    def send(self, command: Command) -> Reply:
        """Return the answer to a command, whatever its status word."""
        ...


class Transmitter(Protocol):
    """What a stack stands on: a `Port`, a reader slot, a powered card."""

    def transmit(self, apdu: bytes, /) -> bytes:
        """Return the response (data, then SW1 SW2) to one command APDU."""
        ...


class Wire:
    """The bottom: a command becomes bytes, bytes become a reply.

    Errors: `BadAnswer` for an answer without a status word.
    """

    def __init__(self, port: Transmitter) -> None:
        self._port = port

    def send(self, command: Command) -> Reply:
        """Transmit one command."""
        answer = self._port.transmit(command.build())
        if len(answer) < 2:
            raise BadAnswer(f"an answer of {len(answer)} bytes has no status word")
        return Reply(answer[:-2], SW.of(answer))


class Traced:
    """Tells `hook` of every exchange that passes."""

    def __init__(self, below: Layer, hook: Hook) -> None:
        self._below = below
        self._hook = hook

    def send(self, command: Command) -> Reply:
        """Send, then tell."""
        reply = self._below.send(command)
        self._hook(command, reply)
        return reply


class RightLe:
    """Repeats a command with the Le that 6Cxx names, once (ISO 7816-3)."""

    def __init__(self, below: Layer) -> None:
        self._below = below

    def send(self, command: Command) -> Reply:
        """Send, and once more with the right Le."""
        reply = self._below.send(command)
        if reply.sw >> 8 != 0x6C:
            return reply
        return self._below.send(command._replace(le=reply.sw & 0xFF or _ANY_LE))


class GetResponse:
    """Fetches what 61xx says is waiting, and puts the pieces together (ssse-lb002 3.1).

    GET RESPONSE has the class byte 00 here, whatever the command's is. Errors:
    `BadAnswer` when the card never comes to an end.
    """

    def __init__(self, below: Layer) -> None:
        self._below = below

    def send(self, command: Command) -> Reply:
        """Send, and fetch until nothing waits."""
        reply = self._below.send(command)
        pieces = [reply.data]
        while reply.sw >> 8 == 0x61:
            if len(pieces) > _PIECES_MAX:
                raise BadAnswer(f"a card answered 61xx more than {_PIECES_MAX} times")
            reply = self._below.send(Command(0x00, 0xC0, 0, 0, le=reply.sw & 0xFF or _ANY_LE))
            pieces.append(reply.data)
        return Reply(b"".join(pieces), reply.sw)


class LePolicy(Enum):
    """What to do with Le of a command that has data, too: readers differ (pcsc; ssse-lb002 3.3).

    KEEP sends it as it is; a T=0 reader's way is to DROP it; ANY makes it 00.
    """

    KEEP = "keep"
    DROP = "drop"
    ANY = "any"


class CaseFourLe:
    """Applies one `LePolicy` to the commands of case 4."""

    def __init__(self, below: Layer, policy: LePolicy) -> None:
        self._below = below
        self._policy = policy

    def send(self, command: Command) -> Reply:
        """Send the command in the form the policy wants."""
        if command.data and command.le is not None and self._policy is not LePolicy.KEEP:
            le = None if self._policy is LePolicy.DROP else _ANY_LE
            command = command._replace(le=le)
        return self._below.send(command)


def layers(
    port: Transmitter, *, hook: Hook | None = None, case_4_le: LePolicy = LePolicy.KEEP
) -> Layer:
    """Return the usual stack over a port: Le policy, GET RESPONSE, right Le, trace, wire."""
    bottom: Layer = Wire(port)
    if hook is not None:
        bottom = Traced(bottom, hook)
    return CaseFourLe(GetResponse(RightLe(bottom)), case_4_le)


class Channel:
    """The top of a stack: commands that must succeed, or an error that says what came instead.

    `layer` is what it stands on, for those who put a layer in between.
    """

    def __init__(self, layer: Layer) -> None:
        self.layer = layer

    def send(self, command: Command, *accepted: SW) -> bytes:
        """Return the data of an answer with 9000, or with one of the `accepted` status words.

        Errors: `ApduError`, and its `WrongPin` and `Blocked`, for any other status word.
        """
        reply = self.layer.send(command)
        if reply.sw != SW.OK and reply.sw not in accepted:
            raise refusal(reply.sw, command)
        return reply.data

    def exchange(self, command: Command) -> Reply:
        """Return the answer, whatever its status word."""
        return self.layer.send(command)

    def challenge(self) -> bytes:
        """GET CHALLENGE: return 8 random bytes of the card."""
        return self.send(Command(0x00, 0x84, 0x00, 0x00, le=8))


def channel(
    port: Port | Transmitter, *, hook: Hook | None = None, case_4_le: LePolicy = LePolicy.KEEP
) -> Channel:
    """Return a channel over the usual stack of a port."""
    return Channel(layers(port, hook=hook, case_4_le=case_4_le))
