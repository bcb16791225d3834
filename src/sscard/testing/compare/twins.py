"""Two cards at once: the same commands to both, and what differs in words.

61xx and 6Cxx are followed on either side, so that a T=0 card compares with one that answers at
once.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field

from sscard.inspect.trace import Apdu, Follower, Masker, Octets, Power, Step
from sscard.iso.apdu import Command, MalformedApdu
from sscard.iso.sw import SW
from sscard.iso.tlv import TlvError, encode, find, parse
from sscard.terminal.stack import layers
from sscard.testing.replay import Difference, compare_answers
from sscard.transport.port import Port

__all__ = ["Twins"]

_PSE = 2
_OK = bytes(SW.OK)
_RECORDS_MOST = 254
_CHALLENGE, _SELECT, _BY_NAME = 0x84, 0xA4, 0x04
_GPO, _GENERATE, _INTERNAL = 0xA8, 0xAE, 0x88
_VARYING = frozenset((0x9F26, 0x9F36, 0x9F4B))
"""Cryptogram, ATC, signature: never the same of two cards with keys and a past of their own."""
_ISSUER_DATA, _MAC = 0x9F10, 4
_FORMAT_1 = range(3, 13)
"""ATC and cryptogram in an answer `80 L CID ATC AC IAD` with a length of one byte."""


@dataclass(slots=True)
class Twins:
    """A `Port` to two cards at once; `differences` are found while it is used.

    A command that differs again in the same way is counted once. When a SELECT ends otherwise on
    the two cards, what differs until the next SELECT by name follows from that: it is counted in
    `following`, by the place of the SELECT's difference, and not told. What is secret stays
    masked; `show_secrets` shows it.
    """

    emulated: Port
    other: Port
    show_secrets: bool = False
    sent: int = 0
    differences: list[Difference] = field(default_factory=list)
    following: dict[int, int] = field(default_factory=dict)
    _follower: Follower = field(default_factory=Follower)
    _masker: Masker = field(default_factory=Masker)
    _seen: dict[tuple[str, str], int] = field(default_factory=dict)
    _cause: int | None = None

    def transmit(self, apdu: bytes) -> bytes:
        """Send a command to both cards; return the emulated one's answer."""
        return self.both(apdu)[0]

    def both(self, apdu: bytes, others: bytes | None = None) -> tuple[bytes, bytes]:
        """Send a command to both cards; return both answers, the emulated one's first.

        `others` is the other card's form of a command that has a cryptogram of the card in it.
        """
        self.sent += 1
        expected = _whole(self.emulated, apdu)
        seen = _whole(self.other, apdu if others is None else others)
        entry = Apdu(Octets(apdu), Octets(expected))
        step = self._follower.see(entry)
        assert step is not None, "an Apdu is a step"
        shown = self._masker.mask(Apdu(Octets(apdu), Octets(expected), answered=Octets(seen)))
        assert isinstance(shown, Apdu), "masking keeps the kind"
        command = step.command
        selects = command is not None and command.ins == _SELECT
        if command is not None and (command.ins, command.p1) == (_SELECT, _BY_NAME):
            self._cause = None
        why = _why(step, expected, seen)
        if why and self._cause is not None:
            self.following[self._cause] = self.following.get(self._cause, 0) + 1
        elif why:
            place = self._note(entry if self.show_secrets else shown, seen, why)
            if selects and expected[-2:] != seen[-2:]:
                self._cause = place
        return expected, seen

    def records(self, sfi: int, least: int = 1) -> tuple[list[bytes], list[bytes]]:
        """Read a file on both cards until neither gives any more, `least` records in any case.

        Returns what either gave, the emulated one's first.
        """
        given: tuple[list[bytes], list[bytes]] = [], []
        for number in range(1, _RECORDS_MOST + 1):
            answers = self.both(Command(0x00, 0xB2, number, sfi << 3 | 4, le=256).build())
            for mine, answer in zip(given, answers, strict=True):
                if answer[-2:] == _OK:
                    mine.append(answer[:-2])
            if number >= least and all(answer[-2:] != _OK for answer in answers):
                break
        return given

    def reset(self) -> bytes:
        """Reset both cards; return the emulated one's answer to reset."""
        expected, seen = self.emulated.reset(), self.other.reset()
        entry = Power("reset", expected)
        self._follower.see(entry)
        self._masker.mask(entry)
        self._cause = None
        if expected != seen:
            self._add(
                "reset", expected.hex().upper(), seen.hex().upper(), "another answer to reset"
            )
        return expected

    def close(self) -> None:
        """End both connections."""
        self.emulated.close()
        self.other.close()

    def _note(self, shown: Apdu, seen: bytes, why: str) -> int:
        answered = str(shown.answered or Octets(seen))
        return self._add(str(shown.command), str(shown.response), answered, why)

    def _add(self, command: str, expected: str, seen: str, why: str) -> int:
        """Note a difference, if it is new; return its place."""
        place = self._seen.setdefault((command, why), len(self.differences))
        if place == len(self.differences):
            self.differences.append(Difference(self.sent, command, expected, seen, why))
        return place


def _why(step: Step, expected: bytes, seen: bytes) -> str:
    """Say what differs, apart from what two cards never have alike."""
    octets = Octets(expected)
    if len(expected) == len(seen):
        octets = octets.mask(_varying(step, expected))
    return compare_answers(step, octets, seen)


def _varying(step: Step, answer: bytes) -> Iterable[int]:
    command, data = step.command, answer[:-2]
    if command is None:
        return ()
    if command.ins == _CHALLENGE:
        return range(len(data))
    if command.ins not in (_GPO, _GENERATE, _INTERNAL) or step.before.domain != _PSE:
        return ()
    if command.ins == _INTERNAL:
        return range(2, len(data))
    if data[:1] == b"\x80" and command.ins == _GENERATE:
        return [*_FORMAT_1, *_mac_places(data, _FORMAT_1.stop)]
    return _places(data) if data[:1] == b"\x77" else ()


def _places(template: bytes) -> list[int]:
    """Where cryptogram, ATC and signature stand in an answer in format 2."""
    try:
        held = parse(find(template, 0x77) or b"")
    except TlvError:
        return []
    places: list[int] = []
    at = len(template)
    for tag, value in reversed(held):
        if tag in _VARYING:
            places += range(at - len(value), at)
        elif tag == _ISSUER_DATA:
            places += _mac_places(template[:at], at - len(value))
        at -= len(encode(tag, value))
    return places


def _mac_places(answer: bytes, at: int) -> range:
    """Where the MAC over the issuer's own data stands in 9F10, which begins at `at` (4.6).

    They are a length, a type, the data and 4 bytes of MAC, behind the fixed part.
    """
    own = at + 1 + (answer[at] if at < len(answer) else 0)
    length = answer[own] if own < len(answer) else 0
    end = own + 1 + length
    return range(end - _MAC, end) if length > _MAC and end <= len(answer) else range(0)


def _whole(port: Port, apdu: bytes) -> bytes:
    """Return a whole answer: what waits is fetched, a wrong Le is corrected."""
    try:
        command = Command.parse(apdu)
    except MalformedApdu:
        return port.transmit(apdu)
    reply = layers(port).send(command)
    return reply.data + bytes(SW(reply.sw))
