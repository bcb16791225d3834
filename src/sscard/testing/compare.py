"""Compare: the same commands to an emulated card and to another one, differences in words.

`Twins` is a port to both; whoever sends through it (a reading tour, a conformance suite) hears
the emulated card, and every answer of the other is held against it. 61xx and 6Cxx are followed
on either side, so that a T=0 card compares with one that answers at once.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from sscard.inspect.trace import Apdu, Follower, Masker, Octets, Power, Step
from sscard.iso.apdu import Command, MalformedApdu
from sscard.iso.sw import SW
from sscard.iso.tlv import TlvError, encode, find, parse, parse_dol
from sscard.spec.pboc import DEBIT_AID, GET_DATA, PSE_NAME
from sscard.spec.ssse import SSSE_FID, SSSE_NAME, VERSIONS
from sscard.terminal.stack import layers
from sscard.testing.conformance import Bench, run_suite, suites
from sscard.testing.replay import Difference, compare_answers
from sscard.transport.port import Port

__all__ = ["Twins", "compare", "reading_tour"]

_PSE = 2
_CHALLENGE = 0x84
_SAMPLE = 0x20
"""Bytes read of a transparent file."""
_RECORDS = 3
"""Records read of a file whose table does not say how many it has."""
_GPO, _GENERATE, _INTERNAL = 0xA8, 0xAE, 0x88
_PDOL, _CDOL1 = 0x9F38, 0x8C
_VARYING = frozenset((0x9F26, 0x9F36, 0x9F4B))
"""Cryptogram, ATC, signature: never the same of two cards with keys and a past of their own."""
_FORMAT_1 = range(3, 13)
"""ATC and cryptogram in an answer `80 L CID ATC AC IAD` with a length of one byte."""
_TEMPLATE_SFIS = range(1, 11)


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


def compare(
    twins: Twins, *, conformance: bool = True, transactions: bool = False
) -> list[Difference]:
    """Read both cards, run the safe conformance cases on both, and return what differed.

    Nothing is sent that changes data or burns a try on a card that behaves, unless
    `transactions`: then both bank applications begin and decline two transactions.
    Errors: `TransportError` when a card is gone; what was found until then is in `twins`.
    """
    for sitting in reading_tour():
        twins.reset()
        for command in sitting:
            twins.transmit(command.build())
    if transactions:
        for asked in (0x00, 0x80):
            _transaction(twins, asked)
    if conformance:
        bench = Bench(twins)
        for suite in suites().values():
            if not suite.absent(bench):
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
            file.fid: file
            for table in VERSIONS.values()
            for home in table
            if home.fid == fid
            for file in home.files
        }
        for number, file in sorted(files.items()):
            sfi = number & 0x1F
            if file.kind == "transparent":
                sitting.append(Command(0x00, 0xB0, 0x80 | sfi, 0x00, le=_SAMPLE))
            elif file.kind != "internal":
                records = len(file.items) if file.kind == "tlv" else _RECORDS
                numbers = range(1, records + 1)
                sitting += [Command(0x00, 0xB2, n, sfi << 3 | 4, le=256) for n in numbers]
        yield sitting
    yield [
        Command(0x00, 0xA4, 0x04, 0x00, PSE_NAME, 256),
        Command(0x00, 0xB2, 0x01, 0x0C, le=256),
        Command(0x00, 0xA4, 0x04, 0x00, DEBIT_AID, 256),
        *[Command(0x80, 0xCA, tag >> 8, tag & 0xFF, le=256) for tag in sorted(GET_DATA)],
        *[
            Command(0x00, 0xB2, n, sfi << 3 | 4, le=256)
            for sfi in _TEMPLATE_SFIS
            for n in range(1, _RECORDS + 1)
        ],
    ]


def _transaction(twins: Twins, asked: int) -> None:
    """A transaction of amount 0 that ends in an AAC: `asked` is P1 of the first GENERATE AC."""
    twins.reset()
    fci = twins.transmit(Command(0x00, 0xA4, 0x04, 0x00, DEBIT_AID, 256).build())[:-2]
    told = [
        twins.transmit(Command(0x00, 0xB2, n, sfi << 3 | 4, le=256).build())[:-2]
        for sfi in _TEMPLATE_SFIS
        for n in range(1, _RECORDS + 1)
    ]
    wanted = _length(fci, _PDOL)
    options = bytes((0x83, wanted)) + bytes(wanted)
    twins.transmit(Command(0x80, 0xA8, 0x00, 0x00, options, 256).build())
    twins.transmit(Command(0x00, 0x88, 0x00, 0x00, bytes(4), 256).build())
    data = bytes(next((length for one in told if (length := _length(one, _CDOL1))), 0))
    twins.transmit(Command(0x80, 0xAE, asked, 0x00, data, 256).build())
    twins.transmit(Command(0x80, 0xAE, 0x00, 0x00, data, 256).build())


def _length(data: bytes, tag: int) -> int:
    """Return how many bytes a list in a template asks for; 0 without one."""
    try:
        return sum(length for _, length in parse_dol(find(data, tag) or b""))
    except TlvError:
        return 0


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
        return _FORMAT_1
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
        at -= len(encode(tag, value))
    return places


def _whole(port: Port, apdu: bytes) -> bytes:
    """Return a whole answer: what waits is fetched, a wrong Le is corrected."""
    try:
        command = Command.parse(apdu)
    except MalformedApdu:
        return port.transmit(apdu)
    reply = layers(port).send(command)
    return reply.data + bytes(SW(reply.sw))
