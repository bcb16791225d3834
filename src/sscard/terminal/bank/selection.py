"""Application selection: by the directory of the PSE or by the terminal's list (EMV Book 1 12).

Sources: pse-pboc 1.1 to 1.4. Gives `Candidate`s in the order of their priority; which one is
taken, and whether the holder must agree, is the kernel's matter.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field

from sscard.iso.apdu import Command
from sscard.iso.sw import SW
from sscard.spec.pboc import PSE_NAME
from sscard.terminal.bank.ber import Objects, objects, template
from sscard.terminal.bank.errors import (
    ApplicationBlocked,
    BadCardData,
    CardBlocked,
    NoBankApplication,
)
from sscard.terminal.bank.settings import AidSettings, Terminal
from sscard.terminal.stack import Channel, Reply

__all__ = ["Candidate", "candidates", "select_application"]

_FIRST, _NEXT = 0x00, 0x02
_OCCURRENCES_MAX = 16
"""Names with one front: a card that goes on for ever is not a card."""
_DIRECTORY_SFIS = range(1, 11)
_RECORDS_MAX = 255
_WARNINGS = (0x62, 0x63)


@dataclass(frozen=True, slots=True)
class Candidate:
    """An application both sides know: its name, the settings it matched, what it says of itself.

    `priority` is 1 to 15, 16 for none; `confirm` whether the holder must agree; `label` what he
    is shown: the preferred name where its alphabet is Chinese or Latin, else the label.
    """

    name: bytes
    settings: AidSettings = field(repr=False)
    label: str = ""
    priority: int = 16
    confirm: bool = False


def candidates(channel: Channel, terminal: Terminal) -> tuple[Candidate, ...]:
    """Build the candidate list, best first.

    Errors: `CardBlocked` (6A81), `ApplicationBlocked` when only blocked ones match,
    `NoBankApplication` when none does.
    """
    found = _from_directory(channel, terminal) if terminal.choose_pse else []
    blocked = False
    if not found:
        found, blocked = _from_list(channel, terminal)
    if not found:
        if blocked:
            raise ApplicationBlocked("the card's bank application is blocked (6283)")
        raise NoBankApplication("no bank application: the card has none this terminal accepts")
    return tuple(sorted(found, key=lambda candidate: candidate.priority))


def select_application(channel: Channel, candidate: Candidate) -> dict[int, bytes] | None:
    """SELECT a candidate for use; return the objects of its FCI by tag, None when it is refused.

    Refused is also an answer that is no FCI of this application: the next one has its turn.
    Errors: `ApplicationBlocked` for a blocked one.
    """
    reply = _select(channel, candidate.name, _FIRST)
    if reply.sw == SW.FILE_INVALIDATED:
        raise ApplicationBlocked("the card's bank application is blocked (6283)")
    if reply.sw != SW.OK:
        return None
    try:
        name, inner = _fci(reply.data)
    except BadCardData:
        return None
    return dict(inner) if name == candidate.name else None


def _select(channel: Channel, name: bytes, p2: int) -> Reply:
    """SELECT by name; what a contact card has waiting behind a warning is fetched."""
    reply = channel.exchange(Command(0x00, 0xA4, 0x04, p2, name, 256))
    if reply.sw >> 8 in _WARNINGS and not reply.data:
        waiting = channel.exchange(Command(0x00, 0xC0, 0x00, 0x00, le=256))
        if waiting.sw == SW.OK:
            return Reply(waiting.data, reply.sw)
    return reply


def _fci(data: bytes) -> tuple[bytes, Objects]:
    """Return the name of an FCI, and the objects of its A5 and BF0C (pse-pboc 1.3, 1.4)."""
    outer = dict(objects(template(data, 0x6F, "FCI"), "FCI"))
    if 0x84 not in outer or 0xA5 not in outer:
        raise BadCardData("FCI: without 84 or A5")
    inner = objects(outer[0xA5], "FCI")
    for tag, value in tuple(inner):
        if tag == 0xBF0C:
            inner += objects(value, "FCI")
    return outer[0x84], inner


# ---- the directory ------------------------------------------------------------------------------


def _from_directory(channel: Channel, terminal: Terminal) -> list[Candidate]:
    """Read the PSE's directory; nothing when there is no usable one (EMV Book 1 12.3.2)."""
    reply = _select(channel, PSE_NAME, _FIRST)
    if reply.sw == SW.NOT_SUPPORTED:
        raise CardBlocked("the card is blocked (6A81)")
    if reply.sw != SW.OK:
        return []
    try:
        _, inner = _fci(reply.data)
        sfi = dict(inner).get(0x88, b"")
        if len(sfi) != 1 or sfi[0] not in _DIRECTORY_SFIS:
            return []
        return list(_listed(channel, terminal, sfi[0]))
    except BadCardData:
        return []


def _listed(channel: Channel, terminal: Terminal, sfi: int) -> Iterator[Candidate]:
    for number in range(1, _RECORDS_MAX + 1):
        reply = channel.exchange(Command(0x00, 0xB2, number, sfi << 3 | 4, le=256))
        if reply.sw == SW.RECORD_NOT_FOUND:
            return
        if reply.sw != SW.OK:
            raise BadCardData(f"directory: record {number} answers {reply.sw}")
        for tag, entry in objects(template(reply.data, 0x70, "directory"), "directory"):
            if tag != 0x61:
                continue
            about = dict(objects(entry, "directory"))
            name = about.get(0x4F, b"")
            settings = _matching(terminal, name)
            if settings is not None:
                yield _candidate(name, settings, about)


# ---- the list -----------------------------------------------------------------------------------


def _from_list(channel: Channel, terminal: Terminal) -> tuple[list[Candidate], bool]:
    """Try the terminal's AIDs; return what matched, and whether a blocked one did (12.3.3)."""
    found: dict[bytes, Candidate] = {}
    blocked = False
    for number, settings in enumerate(terminal.aids):
        for reply in _occurrences(channel, settings):
            if reply.sw == SW.NOT_SUPPORTED and not number:
                raise CardBlocked("the card is blocked (6A81)")
            try:
                name, inner = _fci(reply.data)
            except BadCardData:
                break
            matched = _matching(terminal, name)
            if matched is None:
                break
            if reply.sw != SW.OK:
                blocked = True
            else:
                found.setdefault(name, _candidate(name, matched, dict(inner)))
            if name == settings.aid or not settings.partial:
                break
    return list(found.values()), blocked


def _occurrences(channel: Channel, settings: AidSettings) -> Iterator[Reply]:
    """SELECT first and next occurrences of a name's front, each as it answers."""
    p2 = _FIRST
    seen: set[bytes] = set()
    for _ in range(_OCCURRENCES_MAX):
        reply = _select(channel, settings.aid, p2)
        usable = reply.sw == SW.OK or reply.sw >> 8 in _WARNINGS
        if not usable and p2 == _NEXT:
            return
        if reply.data in seen:
            return  # a card without "next occurrence" answers the same again
        seen.add(reply.data)
        yield reply
        p2 = _NEXT


def _matching(terminal: Terminal, name: bytes) -> AidSettings | None:
    """Return the settings for a name: the exact ones, else the longest front that matches."""
    fitting = [
        settings
        for settings in terminal.aids
        if name == settings.aid or (settings.partial and name.startswith(settings.aid))
    ]
    return max(fitting, key=lambda settings: len(settings.aid), default=None)


def _candidate(name: bytes, settings: AidSettings, about: dict[int, bytes]) -> Candidate:
    indicator = (about.get(0x87) or b"\0")[0]
    shown = about.get(0x9F12) or about.get(0x50) or name.hex().upper().encode()
    label = shown.decode("gb18030", "replace")
    return Candidate(name, settings, label, indicator & 0x0F or 16, bool(indicator & 0x80))
