"""Faults of the chip itself: power cut in a command, bad random numbers, a bit flipped.

They reach into the emulated card, so they work in every reader that it is put into.
Source: cos 1.2 (torn operations), 1.5 (random generator).
"""

from collections.abc import Iterable, Iterator

from sscard.card import Card
from sscard.cos.eeprom import Phase, Tear
from sscard.cos.rng import Drbg
from sscard.errors import SscardError
from sscard.testing.faults.base import Fault, When, Wrapper, at_least, which
from sscard.transport.port import CardPort

__all__ = ["bit_flipped", "bits_flipped", "random_repeating", "random_stuck", "torn"]


def torn(op: int, when: When, *, phase: Phase = Phase.BEFORE, seed: int = 0) -> Fault:
    """The power is cut at an EEPROM operation of a command, as `Tear` has it: 0 is the first.

    A command with fewer operations is not torn. The card recovers when it is powered on again.
    """
    at_least(0, op, "operations are counted from 0")
    which(when)
    tear = Tear(op, phase, seed)
    return Fault(
        f"torn at operation {op}, {phase.value}",
        wrap_card=lambda port, card: _Torn(port, card, tear, when),
    )


def random_stuck(byte: int = 0x00) -> Fault:
    """The random generator gives the same byte for ever."""
    return random_repeating(bytes((byte,)))


def random_repeating(pattern: bytes) -> Fault:
    """Every random number begins `pattern` anew and goes round it: challenges repeat."""
    if not pattern:
        raise SscardError("a pattern has at least one byte")
    return Fault(
        f"random numbers {pattern.hex().upper()} again and again",
        wrap_card=lambda port, card: _BadRandom(port, card, pattern),
    )


def bit_flipped(address: int, bit: int, when: When = 1) -> Fault:
    """A bit of the EEPROM flips before a command, behind the chip's back; 0 is the lowest.

    What the card has already parsed into RAM it reads again at its next power-on. Errors:
    `SscardError` for a place the memory does not have, when the fault is put around a card.
    """
    if not 0 <= bit < 8:
        raise SscardError(f"a byte has bits 0 to 7, not {bit}")
    at_least(0, address, "addresses begin at 0")
    which(when)
    return Fault(
        f"bit {bit} of {address:05X} flipped",
        wrap_card=lambda port, card: _Flipped(port, card, address, bit, when),
    )


def bits_flipped(addresses: Iterable[int], when: When = 1) -> Iterator[Fault]:
    """Yield one fault for every bit of every address: a bit flipped in memory at a time."""
    for address in addresses:
        for bit in range(8):
            yield bit_flipped(address, bit, when)


class _Torn(Wrapper):
    def __init__(self, port: CardPort, card: Card, tear: Tear, when: When) -> None:
        super().__init__(port)
        self._card = card
        self._tear = tear
        self._when = when

    def answer(self, apdu: bytes) -> bytes:
        if not self.due(self._when, apdu):
            return self.port.transmit(apdu)
        self._card.eeprom.arm(self._tear)
        answer = self.port.transmit(apdu)
        self._card.eeprom.arm(None)
        return answer


class _Flipped(Wrapper):
    def __init__(self, port: CardPort, card: Card, address: int, bit: int, when: When) -> None:
        super().__init__(port)
        self._card = card
        size = len(card.eeprom.memory)
        if address >= size:
            raise SscardError(f"the memory ends before {size:05X}: there is no {address:05X}")
        self._place = (address, bit)
        self._when = when

    def answer(self, apdu: bytes) -> bytes:
        if self.due(self._when, apdu):
            address, bit = self._place
            memory = self._card.eeprom
            memory.poke(address, bytes((memory.read(address, 1)[0] ^ 1 << bit,)))
        return self.port.transmit(apdu)


class _Pattern(Drbg):
    """A generator that goes round a pattern, from its beginning for every number."""

    __slots__ = ("_pattern",)

    def __init__(self, card: Card, pattern: bytes) -> None:
        super().__init__(card.env, b"", 0)
        self._pattern = pattern

    def take(self, length: int) -> bytes:
        return (self._pattern * -(-length // len(self._pattern)))[:length]


class _BadRandom(Wrapper):
    def __init__(self, port: CardPort, card: Card, pattern: bytes) -> None:
        super().__init__(port)
        self._card = card
        self._random = _Pattern(card, pattern)

    def answer(self, apdu: bytes) -> bytes:
        activation = self._card.activation
        if activation is not None:
            for domain in activation.kernel.domains.values():
                domain.rng = self._random
        return self.port.transmit(apdu)
