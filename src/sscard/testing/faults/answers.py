"""Faults of answers: garbled, truncated, any one field of any answer altered.

`answer_fields` takes an answer apart into its data elements, so that a test can alter one after
the other: `alterations` makes a fault of every field of every answer of a recorded session.
"""

from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple

from sscard.errors import SscardError
from sscard.iso import tlv
from sscard.testing.faults.base import Fault, When, Wrapper, at_least, which
from sscard.transport.port import CardPort

__all__ = [
    "AnswerField",
    "alterations",
    "altered",
    "answer_fields",
    "garbled",
    "truncated",
]

_GPO, _GENERATE_AC = 0xA8, 0xAE
_GET_RESPONSE = b"\xc0"
_FORMAT_1 = {
    _GPO: (("AIP", 2), ("AFL", None)),
    _GENERATE_AC: (("CID", 1), ("ATC", 2), ("AC", 8), ("IAD", None)),
}
"""What is in an answer under tag 80, in its order; None: the rest. Source: pse-pboc 2.4, 2.6."""


class AnswerField(NamedTuple):
    """A field of an answer: its name (a path of tags, `AC`, `data`, `SW`) and where it lies."""

    name: str
    start: int
    end: int


def answer_fields(answer: bytes, command: bytes = b"") -> tuple[AnswerField, ...]:
    """Take an answer apart: BER-TLV by paths like `6F/A5/50`, simple-TLV, or `data`; then `SW`.

    `command` names the parts of GPO's and GENERATE AC's answers; for the answer to a GET RESPONSE
    it is the command before. Shapes: `answer` has at least
    the two bytes of a status word; fields do not overlap.
    """
    data = answer[:-2]
    status = AnswerField("SW", len(data), len(answer))
    if not data:
        return (status,)
    ins = command[1] if len(command) > 1 else 0
    if data[0] == 0x80 and ins in _FORMAT_1:
        found = _parts(data, ins)
    else:
        found = _leaves(data, 0, "") or _simple(data) or (AnswerField("data", 0, len(data)),)
    return (*found, status)


def garbled(when: When = None, mask: bytes = b"\xff") -> Fault:
    """The answer's bytes, status word included, are XORed with `mask`, over and over."""
    if not any(mask):
        raise SscardError("a mask without a bit garbles nothing")
    which(when)

    def garble(answer: bytes, command: bytes) -> bytes:
        return bytes(byte ^ mask[at % len(mask)] for at, byte in enumerate(answer))

    return Fault("garbled answer", lambda port: _Changed(port, when, garble))


def truncated(length: int, when: When = None) -> Fault:
    """Only the first `length` bytes of an answer arrive; below 2 there is no status word."""
    at_least(0, length, "an answer has 0 bytes or more")
    which(when)
    return Fault(
        f"answer of {length} bytes",
        lambda port: _Changed(port, when, lambda answer, command: answer[:length]),
    )


def altered(field: str | slice, value: bytes | None = None, when: When = None) -> Fault:
    """One field of an answer has another value: all its bits inverted unless `value` is given.

    `field` is a name as `answer_fields` gives it, or a slice of the whole answer. The lengths
    around it stay as they are. An answer without the field passes unchanged.
    """
    which(when)

    def alter(answer: bytes, command: bytes) -> bytes:
        place = field if isinstance(field, slice) else _place(field, answer, command)
        if place is None:
            return answer
        start, end, _ = place.indices(len(answer))
        new = bytes(byte ^ 0xFF for byte in answer[start:end]) if value is None else value
        return answer[:start] + new + answer[end:]

    return Fault(f"{field} altered", lambda port: _Changed(port, when, alter))


def alterations(exchanges: Iterable[tuple[bytes, bytes]]) -> Iterator[Fault]:
    """Yield one fault for every field of every answer of a session, in its order.

    `exchanges` are its commands and answers; each fault strikes at the command with the number
    the answer had, so the session has to be sent again from the insertion of the card.
    """
    asked = b""
    for number, (command, answer) in enumerate(exchanges, start=1):
        asked = _asked(command, asked)
        for field in answer_fields(answer, asked):
            fault = altered(slice(field.start, field.end), when=number)
            yield Fault(f"answer {number}: {field.name} altered", fault.wrap)


class _Changed(Wrapper):
    def __init__(self, port: CardPort, when: When, change: Callable[[bytes, bytes], bytes]) -> None:
        super().__init__(port)
        self._when = when
        self._change = change
        self._asked = b""

    def answer(self, apdu: bytes) -> bytes:
        answer = self.port.transmit(apdu)
        self._asked = _asked(apdu, self._asked)
        return self._change(answer, self._asked) if self.due(self._when, apdu) else answer


def _asked(command: bytes, before: bytes) -> bytes:
    """The command whose answer comes now: with T=0 GET RESPONSE fetches that of the one before."""
    return before if command[1:2] == _GET_RESPONSE else command


def _place(name: str, answer: bytes, command: bytes) -> slice | None:
    for field in answer_fields(answer, command):
        if field.name == name:
            return slice(field.start, field.end)
    return None


def _parts(data: bytes, ins: int) -> tuple[AnswerField, ...]:
    at, end = 2, len(data)
    found = []
    for name, length in _FORMAT_1[ins]:
        stop = end if length is None else min(at + length, end)
        if stop > at:
            found.append(AnswerField(name, at, stop))
        at = stop
    return tuple(found)


def _leaves(data: bytes, at: int, path: str) -> tuple[AnswerField, ...]:
    """Primitive values of BER-TLV at their places; nothing unless all of it is canonical BER."""
    try:
        elements = tlv.parse(data)
    except tlv.TlvError:
        return ()
    if b"".join(tlv.encode(tag, value) for tag, value in elements) != data:
        return ()
    found: list[AnswerField] = []
    for tag, value in elements:
        name = f"{path}{tag:02X}"
        start = at + len(tlv.encode(tag, value)) - len(value)
        at = start + len(value)
        inner = _leaves(value, start, f"{name}/") if _constructed(tag) else ()
        found.extend(inner or (AnswerField(name, start, at),))
    return tuple(found)


def _simple(data: bytes) -> tuple[AnswerField, ...]:
    """A record of the SSSE: tag, length, value (ssse-lb002 3.4)."""
    if len(data) > 2 and data[1] == len(data) - 2:
        return (AnswerField(f"{data[0]:02X}", 2, len(data)),)
    return ()


def _constructed(tag: int) -> bool:
    first = tag
    while first > 0xFF:
        first >>= 8
    return bool(first & 0x20)
