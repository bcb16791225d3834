"""What a trace keeps to itself by default: PINs, keys, personal data, the EEPROM's contents.

What is secret `explain` says; here the bytes are found again and masked one by one. Where they
cannot be found the whole data field goes.
"""

from collections.abc import Iterator
from dataclasses import replace

from sscard.inspect.explaining.answers import explain_answer
from sscard.inspect.explaining.ber import is_template
from sscard.inspect.explaining.commands import explain_command
from sscard.inspect.explaining.records import explain_record, is_record
from sscard.inspect.explanation import Explanation
from sscard.inspect.trace.entries import Apdu, Entry, Failure, Header, Trace, Write
from sscard.inspect.trace.follow import Follower, Place, Step
from sscard.inspect.trace.octets import Octets
from sscard.iso.apdu import Command, MalformedApdu

__all__ = ["Masker", "masked_trace"]

_HEADER = 5
_STATUS = 2
_TELLING = 4
"""A secret of this many bytes or more is masked wherever else it stands in the same field."""
_NO_DATA = 4
_MAC = 4
_SSSE = 1
_SOCIAL = (_SSSE, None)
_READ_RECORD = 0xB2
_RECORDS = (_READ_RECORD, 0xDC, 0xE2)


class Masker:
    """Masks a trace as it grows: commands and answers mean what those before them made of them."""

    def __init__(self) -> None:
        self._follower = Follower()

    def mask(self, entry: Entry) -> Entry:
        """Return an entry without its secrets."""
        step = self._follower.see(entry)
        if isinstance(entry, Write):
            return replace(entry, data=entry.data.mask(range(len(entry.data))))
        if isinstance(entry, Failure):
            return replace(entry, command=self._command(entry.command))
        if isinstance(entry, Apdu) and step is not None:
            return self._apdu(entry, step)
        return entry

    def _apdu(self, entry: Apdu, step: Step) -> Apdu:
        return replace(
            entry,
            command=self._command(entry.command, step),
            response=self._answer(entry.response, step),
            sent=None if entry.sent is None else self._command(entry.sent, step),
            answered=None if entry.answered is None else self._answer(entry.answered, step),
        )

    def _command(self, octets: Octets, step: Step | None = None) -> Octets:
        place = self._follower.place if step is None else step.before
        try:
            command = Command.parse(octets.data)
        except MalformedApdu:  # who knows what it was meant to be
            return octets.mask(range(min(_NO_DATA, len(octets)), len(octets)))
        if not command.data:
            return octets
        data, start, end = octets.data, _HEADER, _HEADER + len(command.data)
        if _unread(command, command.data, place):
            return octets.mask(range(start, end))
        for directory in _directories(place):
            tree = explain_command(command, place.domain, directory)
            octets = _without_secrets(octets, tree, start, end, data)
        return octets

    def _answer(self, octets: Octets, step: Step) -> Octets:
        end = len(octets) - _STATUS
        if end <= 0:
            return octets
        place = step.before
        if step.answers is None or _unread(step.answers, octets.data[:end], place):
            return octets.mask(range(end))
        data = octets.data
        for directory in _directories(place):
            tree = explain_answer(data, step.answers, place.domain, directory)
            octets = _without_secrets(octets, tree, 0, end, data)
        return octets


def masked_trace(trace: Trace) -> Trace:
    """Return a trace without its secrets."""
    masker = Masker()
    entries = tuple(masker.mask(entry) for entry in trace.entries)
    header = Header(trace.header.source, masked=True, title=trace.header.title)
    return Trace(header, entries)


def _directories(place: Place) -> tuple[int | None, ...]:
    """Return the directories that items are looked up in; None is any of them.

    Both count: a card that is somewhere else than its answers said shows nothing by that.
    """
    return (place.directory, None) if place.domain == _SSSE else (None,)


def _unread(command: Command, data: bytes, place: Place) -> bool:
    """Whether data are a record of the social security side that no table knows: perhaps personal.

    So are rows of a log, which have no tags, and records enciphered on the line.
    """
    if place.domain not in _SOCIAL or command.ins not in _RECORDS or command.cla & 0x80:
        return False
    if place.domain is None and data[:1] == b"\x70" and is_template(data):
        return False
    body = data[:-_MAC] if command.cla & 0x04 and command.ins != _READ_RECORD else data
    return not is_record(body) or any(not item.ref for item in explain_record(body))


def _without_secrets(
    octets: Octets, tree: Explanation, start: int, end: int, data: bytes
) -> Octets:
    """Mask what is secret between two places of `data`, by what the tree says of them."""
    places: set[int] = set()
    cursor = start
    for secret in _secrets(tree):
        at = data.find(secret, cursor, end) if secret else -1
        if at < 0:
            at = data.find(secret, start, end) if secret else -1
        if at < 0:
            return octets.mask(range(start, end))
        places.update(range(at, at + len(secret)))
        cursor = at + len(secret)
        if len(secret) >= _TELLING:
            places.update(_everywhere(data, secret, start, end))
    return octets.mask(places) if places else octets


def _secrets(tree: Explanation) -> Iterator[bytes]:
    if tree.secret:
        yield tree.raw
        return
    for part in tree.parts:
        yield from _secrets(part)


def _everywhere(data: bytes, secret: bytes, start: int, end: int) -> Iterator[int]:
    at = data.find(secret, start, end)
    while at >= 0:
        yield from range(at, at + len(secret))
        at = data.find(secret, at + 1, end)
