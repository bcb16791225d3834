"""A captured bank application as values of a profile: which, and what could not be carried over.

Certificates hold for the card's own key, which nobody has: the profile makes others, under the
test keys. Source: pse-pboc 2.3, 2.5, 4.9, 7, 9.3; docs/profiles.md.
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import Final

from sscard.iso.tlv import TlvError, encode, find, found, parse, parse_dol
from sscard.perso.model import Directory
from sscard.perso.parse_keys import PIN_TRIES_MOST
from sscard.perso.profile import Profile
from sscard.spec.pboc import DEBIT_AID, GET_DATA, PUT_DATA, TAGS
from sscard.testing.capture.bank import is_template
from sscard.testing.capture.bank_mask import Mask, fictional_pan
from sscard.testing.capture.seen import BankCapture

__all__ = ["BASE", "CASH_BASE", "base_of", "entries", "notes"]

BASE: Final = "pboc"
CONTACTLESS_BASE: Final = "pboc-contactless"
CASH_BASE: Final = "pboc-ec"
Values = dict[str, str | bool]

Place = tuple[int, int]
"""SFI and number of a record."""

_ADF, _PPSE = "pse.df.DF01", "pse.df.DF02"
_QUICK, _ISSUER_DATA = 0x9207, 0x9F10
"""The DGI of what qPBOC answers, and what in it nobody is told beforehand."""
_PAN = 0x5A
_CERTIFICATES = frozenset(
    (0x8F, 0x90, 0x92, 0x93, 0x9F2D, 0x9F2E, 0x9F2F, 0x9F32, 0x9F46, 0x9F47, 0x9F48)
)
_ATC, _TRIES, _LOG_FORMAT, _BALANCE, _PSN = 0x9F36, 0x9F17, 0x9F4F, 0x9F79, 0x5F34
_TEMPLATE, _FCI, _AIP, _AFL = 0x70, 0xA5, 0x82, 0x94
_DEBIT_FID = 0xDF01
_USUAL_TRIES = 3
_ENTRY = 4
_SIGNING, _ANY_SIGNATURE = 0x7C00, 0x6100
_HEAD = 256
"""Bytes of EF90 besides FCI and data elements, generously."""
_ROOM = 512
"""Bytes of EF90 in the shipped profiles."""


def base_of(seen: BankCapture) -> str:
    """Return the shipped profile that is like it: contactless, with electronic cash, or neither."""
    if seen.proximity_fci:
        return CONTACTLESS_BASE
    return CASH_BASE if _BALANCE in seen.elements else BASE


def entries(seen: BankCapture, *, show_personal: bool, whole: bool = True) -> Values:
    """Return the values by dotted name; False takes something of the base away.

    `whole`: what was not read is not there. Otherwise the reading may have ended before it, and
    the base's application stays where none was read.
    """
    base = base_of(seen)
    made = Values()
    if base != BASE:
        made["options.electronic_cash"] = "on"
    if base == CONTACTLESS_BASE:
        made["options.contactless"] = "on"
    application = _Application(seen, show_personal=show_personal)
    made |= application.directory(whole=whole)
    if seen.selected:
        made |= dict(application.values())
    elif whole:
        made[f"{_ADF}.present"] = False
    return made


def notes(seen: BankCapture) -> Iterator[str]:
    """Yield what was seen or guessed, and cannot be like the card's."""
    yield from _states(seen)
    yield from _applications(seen)
    if not seen.selected:
        return
    yield "issuer application data (9F10): they come with a cryptogram"
    yield f"data that GET DATA does not give: those of profile {base_of(seen)}"
    if seen.refused:
        yield f"AIP and AFL: GET PROCESSING OPTIONS was answered {seen.refused}"
    elif not seen.afl:
        yield "AIP and AFL, for no transaction was begun: the profile's AFL has all records found"
    if _BALANCE in seen.elements:
        yield "AIP and AFL of electronic cash (DGI 9203): those of profile pboc-ec"
    for sfi, number in sorted(_gaps(p for p, r in seen.records.items() if is_template(p, r))):
        yield f"record {number} of SFI {sfi:02X}: an empty template is in its place"
    for tag, value in seen.elements.items():
        if not _fits(tag, value):
            yield f"data element {tag:04X}: it has {len(value)} bytes"
    if any(_CERTIFICATES & _tags(record) for record in seen.records.values()):
        yield "certificates and signatures: made anew under the test keys, CA key 80"
    for (sfi, number), record in seen.records.items():
        if not is_template((sfi, number), record):
            yield f"record {number} of SFI {sfi:02X}: no sound template 70 of SFI 1 to 10"


def _states(seen: BankCapture) -> Iterator[str]:
    if seen.invalidated and seen.elements.get(_ATC) == b"\xff\xff":
        yield "its ATC is used up: make it so with --state pse-atc-exhausted"
    elif seen.invalidated:
        yield "the application is blocked: make it so with --state pse-app-blocked"
    left = _left(seen)
    if left is not None and left > PIN_TRIES_MOST:
        yield f"the {left} tries of the bank's PIN: a profile has {PIN_TRIES_MOST} at most"
    if left == 0:
        yield "the PIN has no tries left: make it so with --state pse-pin-blocked"


def _applications(seen: BankCapture) -> Iterator[str]:
    if not seen.selected:
        yield "the debit application: the card did not give one"
        return
    if seen.aid != DEBIT_AID:
        yield f"the application {seen.aid.hex().upper()} behaves as the debit application here"
    for aid in seen.others:
        yield f"a further application of the directory, {aid.hex().upper()}"
    if not seen.directory_fci:
        yield "the card has no directory of applications; the profile has one"
    if seen.proximity_fci:
        yield f"FCI, AIP and AFL for a terminal with contacts: those of profile {CONTACTLESS_BASE}"


class _Application:
    """Goes through a capture once; what replaces the holder's data is the same everywhere."""

    def __init__(self, seen: BankCapture, *, show_personal: bool) -> None:
        self._seen = seen
        self._own_pan = self._find(_PAN).hex().rstrip("f")
        self._mask = Mask("" if show_personal else self._own_pan, shown=show_personal)
        self._pan = self._own_pan if show_personal else fictional_pan(self._own_pan)
        self._records = {
            place: record for place, record in seen.records.items() if is_template(place, record)
        }
        signed = {place[0] for place, r in self._records.items() if _CERTIFICATES & _tags(r)}
        mixed = {place[0] for place, r in self._records.items() if _tags(r) - _CERTIFICATES}
        free = sorted(signed - mixed) or sorted(
            set(range(1, 11)) - {sfi for sfi, _ in self._records}
        )
        self._oda_sfi = free[0] if signed else 0
        self._dropped = signed - mixed

    def _find(self, tag: int) -> bytes:
        values = (found(record, tag) for record in self._seen.records.values())
        return next((value for value in values if value is not None), b"")

    def values(self) -> Iterator[tuple[str, str | bool]]:
        seen = self._seen
        yield f"{_ADF}.aid", _hex(seen.aid)
        if self._pan.isdecimal():
            yield f"{_ADF}.pan", self._pan
        psn = self._find(_PSN)
        if psn:
            yield f"{_ADF}.psn", psn.hex()
        left = _left(seen)
        if left is not None and left <= PIN_TRIES_MOST:
            yield f"{_ADF}.pin.limit", str(max(left, _USUAL_TRIES))
            if left:
                yield f"{_ADF}.pin.tries_left", str(left)
        fci = 0x9103 if seen.proximity_fci else 0x9102
        yield f"{_ADF}.dgi.{fci:04X}", _hex(encode(_FCI, self._mask.template(seen.fci)))
        yield from self._data()
        yield from self._files()
        if not self._oda_sfi:
            yield f"{_ADF}.oda.present", False
        else:
            yield f"{_ADF}.oda.sfi", str(self._oda_sfi)
        usual = (_SIGNING if self._oda_sfi else _SIGNING & ~_ANY_SIGNATURE).to_bytes(2)
        locator = encode(_AFL, self._locator())
        if seen.proximity_fci:
            told = dict(parse(dict(_home(CONTACTLESS_BASE).dgis)[_QUICK]))
            quick = encode(_AIP, seen.aip or told[_AIP]) + locator
            quick += encode(_ISSUER_DATA, told[_ISSUER_DATA])
            yield f"{_ADF}.dgi.{_QUICK:04X}", _hex(quick)
        else:
            usual = seen.aip or usual
        yield f"{_ADF}.dgi.9104", _hex(encode(_AIP, usual) + locator)

    def directory(self, *, whole: bool) -> Values:
        """What PPSE and PSE tell: their FCIs, and the entries of the directory."""
        seen, made = self._seen, Values()
        if seen.proximity_fci:
            fci = self._mask.template(seen.proximity_fci)
            made[f"{_PPSE}.dgi.9102"] = _hex(encode(_FCI, fci))
        if not seen.directory_fci:
            return made
        made["pse.dgi.9102"] = _hex(encode(_FCI, self._mask.template(seen.directory_fci)))
        for (_, number), record in seen.directory.items():
            made[f"pse.dgi.01{number:02X}"] = _hex(self._mask.entries(record))
        if whole and not seen.directory:
            made["pse.dgi.0101"] = made["pse.ef.EF01.present"] = False
        return made

    def _data(self) -> Iterator[tuple[str, str | bool]]:
        """The data elements of GET DATA; the PIN's counter is the PIN's."""
        held = {tag: v for tag, v in self._seen.elements.items() if tag != _TRIES and _fits(tag, v)}
        changing = {tag: v for tag, v in held.items() if tag in PUT_DATA or tag == _LOG_FORMAT}
        fixed = {tag: value for tag, value in held.items() if tag not in changing}
        base = dict(_home(base_of(self._seen)).dgis)
        psn = self._find(_PSN)
        for dgi, elements in ((0x0D01, changing), (0x0E01, fixed)):
            # what nobody reads is as in the base, for the application works with it
            untold = {tag: value for tag, value in parse(base[dgi]) if tag not in GET_DATA}
            if psn and _PSN in untold:
                untold[_PSN] = psn
            told = b"".join(encode(tag, value) for tag, value in (elements | untold).items())
            yield f"{_ADF}.dgi.{dgi:04X}", _hex(told)
        size = _HEAD + len(self._seen.fci) + sum(len(value) + 4 for value in held.values())
        if size > _ROOM:
            yield f"{_ADF}.ef.EF90.size", str(size)

    def _files(self) -> Iterator[tuple[str, str | bool]]:
        """Records as DGIs, their files, the log's file; what the base has besides goes away."""
        kept = {
            place: self._replaced(record)
            for place, record in self._records.items()
            if place[0] not in self._dropped
        }
        kept |= {
            place: encode(_TEMPLATE, b"")
            for place in _gaps(self._records)
            if place[0] not in self._dropped | {self._oda_sfi}
        }
        sfis = {sfi for sfi, _ in kept} | ({self._oda_sfi} - {0})
        for sfi in sorted(sfis):
            yield f"{_ADF}.ef.EF{sfi:02X}.kind", "variable"
        for (sfi, number), record in sorted(kept.items()):
            yield f"{_ADF}.dgi.{sfi:02X}{number:02X}", _hex(record)
        log_sfi, rows = self._seen.log
        if log_sfi and rows:
            length = sum(size for _, size in _entries(self._seen.elements.get(_LOG_FORMAT, b"")))
            place = f"{_ADF}.ef.EF{log_sfi:02X}"
            yield f"{place}.kind", "cyclic"
            yield f"{place}.record_max", str(max(length, 1))
            yield f"{place}.records", str(rows)
        base = _base(base_of(self._seen))
        for dgi in base["dgi"]:
            if (dgi >> 8, dgi & 0xFF) not in kept:
                yield f"{_ADF}.dgi.{dgi:04X}", False
        for sfi in base["ef"]:
            if sfi not in sfis | {log_sfi}:
                yield f"{_ADF}.ef.EF{sfi:02X}.present", False

    def _locator(self) -> bytes:
        """The card's AFL without files that went away, or one over all records (4 bytes each)."""
        gone = self._dropped - {self._oda_sfi}
        if self._seen.afl:
            parts = [
                self._seen.afl[at : at + _ENTRY] for at in range(0, len(self._seen.afl), _ENTRY)
            ]
            parts = [self._signed(part) for part in parts if part[0] >> 3 not in gone]
        else:
            numbers: dict[int, list[int]] = {}
            for sfi, number in sorted(self._records):
                if sfi not in gone:
                    numbers.setdefault(sfi, []).append(number)
            parts = [
                bytes((sfi << 3, min(of), max(of), int(self._has_pan(sfi, min(of)))))
                for sfi, of in numbers.items()
            ]
        if self._oda_sfi and all(part[0] >> 3 != self._oda_sfi for part in parts):
            parts.append(bytes((self._oda_sfi << 3, 1, 1, 0)))
        return b"".join(parts)

    def _signed(self, part: bytes) -> bytes:
        """Return an entry of the AFL whose signed records, from the first on, are all there."""
        if len(part) != _ENTRY:
            return b""
        sfi, first, last, count = part
        gaps = (n for n in range(count) if (sfi >> 3, first + n) not in self._records)
        return bytes((sfi, first, last, next(gaps, count)))

    def _has_pan(self, sfi: int, number: int) -> bool:
        return _PAN in _tags(self._records[sfi, number])

    def _replaced(self, record: bytes) -> bytes:
        """Return a record without certificates and, unless asked for, without the holder's data."""
        objects = [
            pair for pair in parse(find(record, _TEMPLATE) or b"") if pair[0] not in _CERTIFICATES
        ]
        return encode(_TEMPLATE, self._mask.objects(objects))


def _gaps(records: Iterable[Place]) -> Iterator[Place]:
    """Yield SFI and number of the records that are missing in front of others."""
    there = set(records)
    for sfi in {sfi for sfi, _ in there}:
        last = max(number for at, number in there if at == sfi)
        yield from ((sfi, n) for n in range(1, last) if (sfi, n) not in there)


def _fits(tag: int, value: bytes) -> bool:
    """Whether a data element is as long as it should be (2.7)."""
    length = TAGS[tag].length
    return bool(value) and length in (None, len(value))


def _left(seen: BankCapture) -> int | None:
    """Return how many tries the PIN has left; None when the card does not tell."""
    told = seen.elements.get(_TRIES, b"")
    return told[0] if _fits(_TRIES, told) else None


def _tags(record: bytes) -> set[int]:
    try:
        return {tag for tag, _ in parse(find(record, _TEMPLATE) or b"")}
    except TlvError:
        return set()


def _entries(dol: bytes) -> list[tuple[int, int]]:
    try:
        return parse_dol(dol)
    except TlvError:
        return []


def _home(name: str) -> Directory:
    """Return the debit application of a shipped profile."""
    pse = Profile.load(name).pse
    assert pse is not None, "the bank's profiles have the bank's environment"
    return next(home for home in pse.directories if home.fid == _DEBIT_FID)


def _base(name: str) -> Mapping[str, list[int]]:
    """Return the record DGIs and the SFIs of the files that a shipped profile has."""
    home = _home(name)
    dgis = [dgi for dgi, _ in home.dgis if 0x01 <= dgi >> 8 <= 0x0A and dgi >> 8 != 3]
    files = [file.fid & 0xFF for file in home.files if file.fid & 0xFF < 0x90]
    return {"dgi": dgis, "ef": files}


def _hex(value: bytes) -> str:
    return value.hex().upper()
