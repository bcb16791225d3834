"""Compare: the same commands to an emulated card and to another one, differences in words.

`Twins` is a port to both; whoever sends through it (a reading tour, a conformance suite) hears
the emulated card, and every answer of the other is held against it. 61xx and 6Cxx are followed
on either side, so that a T=0 card compares with one that answers at once.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field

from sscard.inspect.trace import Apdu, Follower, Masker, Octets, Power, Step
from sscard.iso.apdu import Command, MalformedApdu
from sscard.iso.sw import SW
from sscard.spec.pboc import DEBIT_AID, PSE_NAME
from sscard.spec.ssse import SSSE_FID, SSSE_NAME, VERSIONS
from sscard.terminal.stack import layers
from sscard.testing.conformance import Bench, run_suite, suites
from sscard.testing.replay import Difference, compare_answers
from sscard.transport.port import Port

__all__ = ["Twins", "compare", "reading_tour"]

_CHALLENGE = 0x84
_SAMPLE = 0x20
"""Bytes read of a transparent file."""
_RECORDS = 3
_GET_DATA = (0x9F13, 0x9F17, 0x9F36, 0x9F4F)


@dataclass(slots=True)
class Twins:
    """A `Port` to two cards at once; `differences` are found while it is used.

    A command that differs again in the same way is counted once. What is secret stays masked.
    `show_secrets` shows it.
    """

    emulated: Port
    other: Port
    show_secrets: bool = False
    sent: int = 0
    differences: list[Difference] = field(default_factory=list)
    _follower: Follower = field(default_factory=Follower)
    _masker: Masker = field(default_factory=Masker)
    _seen: set[tuple[str, str]] = field(default_factory=set)

    def transmit(self, apdu: bytes) -> bytes:
        """Send a command to both cards; return the emulated one's answer."""
        self.sent += 1
        expected, seen = _whole(self.emulated, apdu), _whole(self.other, apdu)
        entry = Apdu(Octets(apdu), Octets(expected))
        step = self._follower.see(entry)
        assert step is not None, "an Apdu is a step"
        shown = self._masker.mask(Apdu(Octets(apdu), Octets(expected), answered=Octets(seen)))
        assert isinstance(shown, Apdu), "masking keeps the kind"
        why = _why(step, expected, seen)
        if why:
            self._note(entry if self.show_secrets else shown, seen, why)
        return expected

    def reset(self) -> bytes:
        """Reset both cards; return the emulated one's answer to reset."""
        expected, seen = self.emulated.reset(), self.other.reset()
        entry = Power("reset", expected)
        self._follower.see(entry)
        self._masker.mask(entry)
        if expected != seen:
            self._add(
                "reset", expected.hex().upper(), seen.hex().upper(), "another answer to reset"
            )
        return expected

    def close(self) -> None:
        """End both connections."""
        self.emulated.close()
        self.other.close()

    def _note(self, shown: Apdu, seen: bytes, why: str) -> None:
        answered = str(shown.answered or Octets(seen))
        self._add(str(shown.command), str(shown.response), answered, why)

    def _add(self, command: str, expected: str, seen: str, why: str) -> None:
        if (command, why) not in self._seen:
            self._seen.add((command, why))
            self.differences.append(Difference(self.sent, command, expected, seen, why))


def compare(twins: Twins, *, conformance: bool = True) -> list[Difference]:
    """Read both cards, run the safe conformance cases on both, and return what differed.

    Nothing is sent that changes data or burns a try on a card that behaves.
    Errors: `TransportError` when a card is gone.
    """
    for sitting in reading_tour():
        twins.reset()
        for command in sitting:
            twins.transmit(command.build())
    if conformance:
        suite = suites()["ssse"]
        bench = Bench(twins)
        run_suite(suite, suite.generation_of(bench), bench, safe=True)
    return twins.differences


def reading_tour() -> Iterator[list[Command]]:
    """Yield sittings, each from a reset: every directory and file, as far as it can be read."""
    names = {home.fid: home for table in VERSIONS.values() for home in table}
    for fid in sorted(names, key=lambda fid: (fid != SSSE_FID, fid)):
        sitting = [Command(0x00, 0xA4, 0x04, 0x00, SSSE_NAME, 256)]
        if fid != SSSE_FID:
            sitting.append(Command(0x00, 0xA4, 0x00, 0x00, fid.to_bytes(2), 256))
        files = {
            file.fid: file.kind
            for table in VERSIONS.values()
            for home in table
            if home.fid == fid
            for file in home.files
        }
        for file, kind in sorted(files.items()):
            sfi = file & 0x1F
            if kind == "transparent":
                sitting.append(Command(0x00, 0xB0, 0x80 | sfi, 0x00, le=_SAMPLE))
            elif kind != "internal":
                numbers = range(1, _RECORDS + 1)
                sitting += [Command(0x00, 0xB2, n, sfi << 3 | 4, le=256) for n in numbers]
        yield sitting
    yield [
        Command(0x00, 0xA4, 0x04, 0x00, PSE_NAME, 256),
        Command(0x00, 0xB2, 0x01, 0x0C, le=256),
        Command(0x00, 0xA4, 0x04, 0x00, DEBIT_AID, 256),
        *[Command(0x80, 0xCA, tag >> 8, tag & 0xFF, le=256) for tag in _GET_DATA],
        *[Command(0x00, 0xB2, n, sfi << 3 | 4, le=256) for sfi in (1, 2, 3) for n in (1, 2)],
    ]


def _why(step: Step, expected: bytes, seen: bytes) -> str:
    challenge = step.command is not None and step.command.ins == _CHALLENGE
    octets = Octets(expected)
    if challenge and len(expected) == len(seen):
        octets = octets.mask(range(len(expected) - 2))  # random: nothing but its length compares
    return compare_answers(step, octets, seen)


def _whole(port: Port, apdu: bytes) -> bytes:
    """Return a whole answer: what waits is fetched, a wrong Le is corrected."""
    try:
        command = Command.parse(apdu)
    except MalformedApdu:
        return port.transmit(apdu)
    reply = layers(port).send(command)
    return reply.data + bytes(SW(reply.sw))
