"""Where a trace stands: environment, directory and file, followed from SELECT commands alone.

Works on recordings of any card, because it looks at nothing but the wire; a card that told its
domain is believed. Source: cos 3.3, ssse-lb002 3.3, pse-pboc 2.1.
"""

from dataclasses import dataclass

from sscard.inspect.explaining.catalogue import PLACES
from sscard.inspect.trace.entries import Apdu, Entry, Power
from sscard.iso.apdu import Command, MalformedApdu
from sscard.spec.pboc import AIDS, PPSE_NAME, PSE_NAME
from sscard.spec.ssse import RID, SSSE_FID, SSSE_NAME

__all__ = ["Follower", "Place", "Step"]

_MF = 0x3F00
_CM, _SSSE, _PSE = 0, 1, 2
_BY_FID, _PARENT, _BY_NAME = (0, 1, 2), 3, 4
"""P1 of SELECT; readers name DFxx with 02, too (ssse-lb002 3.3)."""
_SSSE_DFS = range(0xDF01, 0xDF10)


@dataclass(frozen=True, slots=True)
class Place:
    """A domain (None: not known), the FID of the current directory, the DF name selected last."""

    domain: int | None = None
    directory: int | None = None
    name: bytes = b""


@dataclass(frozen=True, slots=True)
class Step:
    """One exchange with its place: `before` it was sent, and `after` it was answered.

    `command` None: masked in its header, or no short APDU. `answers` is the command whose data
    the response has: for GET RESPONSE the one before it; `asked_whole` is False where it was
    masked. `whole` says that nothing is masked of all that.
    """

    apdu: Apdu
    command: Command | None
    answers: Command | None
    before: Place
    after: Place
    asked_whole: bool = True

    @property
    def sw(self) -> int:
        """The status word, 0 for an answer too short to have one."""
        return int.from_bytes(self.apdu.response.data[-2:]) if len(self.apdu.response) > 1 else 0

    @property
    def data(self) -> bytes:
        """The answer's data; masked bytes are 00."""
        return self.apdu.response.data[:-2]

    @property
    def done(self) -> bool:
        """Whether the card did what was asked: 9000, a warning 62xx, or 61xx."""
        return self.sw == 0x9000 or self.sw >> 8 in (0x61, 0x62)

    @property
    def whole(self) -> bool:
        """Whether neither command nor answer is masked anywhere."""
        return self.apdu.command.whole and self.asked_whole and self.apdu.response.whole


class Follower:
    """Reads a trace entry by entry."""

    def __init__(self) -> None:
        self.place = Place(_CM, _MF)
        self._waiting: Command | None = None
        self._waiting_whole = True

    def see(self, entry: Entry) -> Step | None:
        """Take the next entry; return what an exchange was, None for all other entries."""
        if isinstance(entry, Power):
            self.place, self._waiting = Place(_CM, _MF), None
            return None
        if not isinstance(entry, Apdu):
            return None
        command = _parsed(entry)
        before, answers, whole = self.place, command, entry.command.whole
        if command is not None and command.ins == 0xC0 and self._waiting is not None:
            answers, whole = self._waiting, self._waiting_whole
        step = Step(entry, command, answers, before, before)
        after = self._after(step)
        self.place = after
        self._waiting = answers if step.sw >> 8 == 0x61 else None
        self._waiting_whole = whole
        return Step(entry, command, answers, before, after, whole)

    def _after(self, step: Step) -> Place:
        place, command = step.before, step.command
        if command is not None and command.ins == 0xA4 and not command.cla and step.done:
            place = _selected(place, command)
        told = step.apdu.domain
        if told is None or (told == place.domain and not step.apdu.applet):
            return place
        domain = PLACES.get(step.apdu.applet, told)
        return place if domain == place.domain else Place(domain, place.directory, place.name)


def _parsed(entry: Apdu) -> Command | None:
    try:
        return Command.parse(entry.command.data)
    except MalformedApdu:
        return None


def _selected(place: Place, command: Command) -> Place:
    data = command.data
    if command.p1 == _BY_NAME:
        if data == SSSE_NAME:
            return Place(_SSSE, SSSE_FID, data)
        if data in (PSE_NAME, PPSE_NAME) or data in AIDS or data[:5] == b"\xa0\x00\x00\x03\x33":
            return Place(_PSE, None, data)
        if data.startswith(RID):
            return Place(_SSSE, 0xDF01 + data[-1] if len(data) > len(RID) else None, data)
        return Place(None, None, data)
    if command.p1 in _BY_FID and (len(data) == 2 or not data):
        fid = int.from_bytes(data) if data else _MF
        if fid == _MF:
            return Place(_CM, _MF)
        if fid == SSSE_FID:
            return Place(_SSSE, fid)
        if place.domain == _SSSE and fid in _SSSE_DFS:
            return Place(_SSSE, fid, place.name)
        return place
    if command.p1 == _PARENT and place.domain == _SSSE:
        return Place(_SSSE, SSSE_FID)
    return place
