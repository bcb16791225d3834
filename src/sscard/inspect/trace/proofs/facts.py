"""What a trace tells of the card: its serial and region, challenges, data objects, its transaction.

Fed step by step. Nothing masked is taken for a fact. Source: ssse-lb002 2.3, 3.8; pse-pboc 2, 3.
"""

from dataclasses import dataclass, field

from sscard.inspect.trace.entries import Power
from sscard.inspect.trace.follow import Step
from sscard.iso.atr import Atr, AtrError
from sscard.iso.tlv import TlvError, parse, parse_dol, parse_simple
from sscard.spec.ssse import SSSE_FID

__all__ = ["Facts", "Transaction", "cryptogram_objects", "values_of"]

_PSE = 2
_SELECT, _CHALLENGE, _READ, _GPO, _GENERATE = 0xA4, 0x84, 0xB2, 0xA8, 0xAE
_CDOL1, _CDOL2, _PDOL, _AIP, _AFL, _TRACK_2, _PAN = 0x8C, 0x8D, 0x9F38, 0x82, 0x94, 0x57, 0x5A
_TEMPLATES = frozenset((0x6F, 0x70, 0xA5, 0x77, 0xBF0C))
_CHALLENGES_MOST = 4
_RID = 5


def values_of(dol: bytes, data: bytes) -> dict[int, bytes] | None:
    """Return the values a data object list asks for, by tag; None when they do not fit."""
    try:
        entries = parse_dol(dol)
    except TlvError:
        return None
    if sum(length for _, length in entries) != len(data):
        return None
    values, at = {}, 0
    for tag, length in entries:
        values[tag] = data[at : at + length]
        at += length
    return values


def cryptogram_objects(data: bytes) -> dict[int, bytes]:
    """Return CID, ATC, cryptogram, IAD and signature of an answer by their tags (pse-pboc 2.6)."""
    try:
        tag, value = parse(data)[0]
        if tag == 0x80:
            parts = {0x9F27: value[:1], 0x9F36: value[1:3], 0x9F26: value[3:11], 0x9F10: value[11:]}
            return {tag: part for tag, part in parts.items() if part}
        return dict(parse(value)) if tag == 0x77 else {}
    except (TlvError, IndexError):
        return {}


@dataclass(slots=True)
class Transaction:
    """A bank's transaction from GET PROCESSING OPTIONS on.

    `sent` are PDOL and CDOL data in their order, `values` those of the list that was answered
    last. `ac1` and `atc` are known once a first cryptogram was shown; `count` cryptograms came.
    `masked`: something of `sent` is not known.
    """

    aip: bytes = b""
    afl: bytes = b""
    pdol: dict[int, bytes] = field(default_factory=dict)
    values: dict[int, bytes] = field(default_factory=dict)
    sent: list[bytes] = field(default_factory=list)
    ac1: bytes = b""
    atc: int | None = None
    count: int = 0
    masked: bool = False


@dataclass(slots=True)
class Facts:
    """What was told so far; `see` before the provers look at a step."""

    csn8: bytes = b""
    region: str = ""
    challenges: list[bytes] = field(default_factory=list)
    name: bytes = b""
    objects: dict[int, bytes] = field(default_factory=dict)
    records: dict[tuple[int, int], bytes] = field(default_factory=dict)
    masked: set[tuple[int, int]] = field(default_factory=set)
    transaction: Transaction = field(default_factory=Transaction)

    def power(self, entry: Power) -> None:
        """Take an answer to reset; what a card keeps in RAM is gone, and it may be another card."""
        self._forget(b"")
        self.challenges.clear()
        try:
            self.csn8 = Atr.parse(entry.atr).historical[-8:] if entry.atr else self.csn8
        except AtrError:
            self.csn8 = b""

    def see(self, step: Step) -> None:
        """Take what an exchange tells."""
        command, asked = step.command, step.answers
        if command is None or asked is None:
            return
        if asked.ins == _SELECT and not asked.cla and step.after.domain == _PSE:
            self._selected(step, new=command is asked)
        elif step.before.domain == _PSE and asked.ins == _READ:
            self._record(step, (asked.p2 >> 3, asked.p1))
        elif step.before.domain == _PSE and asked.ins == _GPO and step.done:
            self._begun(step)
        elif asked.ins == _READ and step.before.directory == SSSE_FID and step.done and step.whole:
            self._social(step.data)

    def settle(self, step: Step, *, used: bool) -> None:
        """Take what holds from the next step on: a challenge was drawn, or one was used up."""
        command = step.command
        if command is None:
            return
        if command.ins == _CHALLENGE and step.done:
            drawn = [step.data] if step.apdu.response.whole else []
            self.challenges = [*self.challenges, *drawn][-_CHALLENGES_MOST:]
        elif used:
            self.challenges.clear()

    @property
    def pan(self) -> str:
        """The PAN's digits, "" when no record has shown it."""
        if _PAN in self.objects:
            return self.objects[_PAN].hex().rstrip("f")
        return self.objects.get(_TRACK_2, b"").hex().partition("d")[0]

    def cdol(self) -> bytes | None:
        """Return the list that the data of the next GENERATE AC answer."""
        return self.objects.get(_CDOL2 if self.transaction.count else _CDOL1)

    @property
    def rid(self) -> bytes:
        """The RID of the application that was selected."""
        return self.name[:_RID]

    # --- the parts ------------------------------------------------------------------------------

    def _selected(self, step: Step, *, new: bool) -> None:
        if new and step.done and step.after.name != self.name:
            self._forget(step.after.name)
        elif new:
            self.transaction = Transaction()
        self._collect(step.data)

    def _forget(self, name: bytes) -> None:
        self.name, self.transaction = name, Transaction()
        self.objects, self.records, self.masked = {}, {}, set()

    def _record(self, step: Step, place: tuple[int, int]) -> None:
        if not step.done or not step.data:
            return
        if not step.apdu.response.whole:
            self.masked.add(place)
            return
        again = place in self.records and self.records[place] != step.data
        self.records[place] = step.data
        self._collect(step.data, again=again)

    def _begun(self, step: Step) -> None:
        asked = step.answers
        assert asked is not None, "see() looked"
        if step.command is asked:
            data, pdol = asked.data[2:], self.objects.get(_PDOL, b"")
            values = values_of(pdol, data) if step.apdu.command.whole else None
            masked = not step.apdu.command.whole
            self.transaction = Transaction(pdol=values or {}, sent=[data], masked=masked)
        if not step.data or not step.apdu.response.whole:
            return
        try:
            tag, value = parse(step.data)[0]
            held = dict(parse(value)) if tag == 0x77 else {_AIP: value[:2], _AFL: value[2:]}
        except (TlvError, IndexError):
            return
        self.transaction.aip, self.transaction.afl = held.get(_AIP, b""), held.get(_AFL, b"")
        self._collect(step.data)

    def _collect(self, data: bytes, *, again: bool = False) -> None:
        """Keep data objects, the first of each tag; `again`: a script has changed the record."""
        try:
            objects = parse(data)
        except TlvError:
            return
        for tag, value in objects:
            if tag in _TEMPLATES:
                self._collect(value, again=again)
            elif again:
                self.objects[tag] = value
            else:
                self.objects.setdefault(tag, value)

    def _social(self, data: bytes) -> None:
        try:
            held = dict(parse_simple(data))
        except TlvError:
            return
        if len(held.get(1, b"")) == 16:
            self.region = held[1][:3].hex()
