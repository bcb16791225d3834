"""Properties of the debit application: cryptograms, their number and kind, the ATC."""

from enum import Enum
from typing import ClassVar

from sscard.inspect.trace import Failure, Step
from sscard.iso.tlv import TlvError, parse
from sscard.testing.monitors.monitor import Monitor

__all__ = [
    "AtcRises",
    "GpoFirst",
    "NoTcAfterAac",
    "ScriptsInSession",
    "TwoCryptograms",
    "cryptogram_of",
]

_GPO, _GENERATE_AC, _SELECT, _GET_DATA = 0x80A8, 0x80AE, 0x00A4, 0x80CA
_EXTERNAL = 0x0082
_SCRIPT_CLASSES = (0x04, 0x84)
_SCRIPTS = (0x16, 0x18, 0x1E, 0x24, 0xDA, 0xDC)
_FAILED, _WRONG_MAC = 0x6300, 0x6988
_RID = bytes.fromhex("A000000333")
_AAC, _TC = 0x00, 0x40
_ATC_TAG = 0x9F36
_FORMAT_1, _FORMAT_2 = 0x80, 0x77
_SOCIAL, _PSE = 1, 2
_SHORTEST = 11


def _header(step: Step) -> int:
    return 0 if step.command is None else step.command.cla << 8 | step.command.ins


def _bank(step: Step) -> bool:
    return step.before.domain != _SOCIAL


def cryptogram_of(step: Step) -> tuple[int, int] | None:
    """Return kind (b8-b7 of the CID) and ATC of an answer to GENERATE AC; None when it is none.

    Source: pse-pboc 2.6; with CDA the answer is template 77.
    """
    asked = step.answers
    if asked is None or (asked.cla, asked.ins) != (0x80, 0xAE) or not step.data:
        return None
    try:
        tag, value = parse(step.data)[0]
        if tag == _FORMAT_1 and len(value) >= _SHORTEST:
            return value[0] & 0xC0, int.from_bytes(value[1:3])
        held = dict(parse(value)) if tag == _FORMAT_2 else {}
    except (TlvError, IndexError):
        return None
    if 0x9F27 not in held or _ATC_TAG not in held:
        return None
    return held[0x9F27][0] & 0xC0, int.from_bytes(held[_ATC_TAG])


class _Phase(Enum):
    SELECTED = "no transaction was begun"
    BEGUN = "a transaction was begun"


class GpoFirst(Monitor):
    """SELECTED -GPO-> BEGUN -SELECT, reset-> SELECTED; a cryptogram in SELECTED is wrong."""

    name = "gpo-first"
    title = "no cryptogram before GET PROCESSING OPTIONS"
    source = "pse-pboc 3"

    def __init__(self) -> None:
        self._phase = _Phase.SELECTED

    def power(self) -> None:
        """A reset ends the transaction."""
        self._phase = _Phase.SELECTED

    def see(self, step: Step) -> str:
        """Follow one exchange."""
        header = _header(step)
        if header == _SELECT and step.done:
            self._phase = _Phase.SELECTED
        elif header == _GPO and step.done:
            self._phase = _Phase.BEGUN
        elif header == _GENERATE_AC and step.done and self._phase is _Phase.SELECTED:
            return "a cryptogram, and no transaction was begun by GET PROCESSING OPTIONS"
        return ""


class TwoCryptograms(Monitor):
    """Counts cryptograms since GET PROCESSING OPTIONS."""

    name = "two-cryptograms"
    title = "at most two cryptograms a transaction"
    source = "pse-pboc 3"
    most: ClassVar[int] = 2

    def __init__(self) -> None:
        self._count = 0

    def power(self) -> None:
        """A reset ends the transaction."""
        self._count = 0

    def see(self, step: Step) -> str:
        """Follow one exchange."""
        header = _header(step)
        if header in (_SELECT, _GPO) and step.done:
            self._count = 0
        elif header == _GENERATE_AC and step.done:
            self._count += 1
            if self._count > self.most:
                return f"cryptogram number {self._count} of one transaction"
        return ""


class NoTcAfterAac(Monitor):
    """OPEN -AAC-> DECLINED -GPO, SELECT, reset-> OPEN; a TC in DECLINED is wrong."""

    name = "no-tc-after-aac"
    title = "a transaction the card declined is never approved"
    source = "pse-pboc 3, 5.4"

    def __init__(self) -> None:
        self._declined = False

    def power(self) -> None:
        """A reset ends the transaction."""
        self._declined = False

    def see(self, step: Step) -> str:
        """Follow one exchange."""
        if _header(step) in (_SELECT, _GPO) and step.done:
            self._declined = False
        made = cryptogram_of(step)
        if made is None:
            return ""
        if made[0] == _TC and self._declined:
            return "a TC after an AAC in the same transaction"
        self._declined = self._declined or made[0] == _AAC
        return ""


class ScriptsInSession(Monitor):
    """CLOSED -GPO-> BEGUN -cryptogram-> OPEN -wrong ARPC, wrong MAC, SELECT, reset-> CLOSED.

    A script that is accepted in CLOSED or BEGUN is wrong. An issuer that does not prove itself
    at all may send scripts; one whose proof was wrong may not, and nobody after a wrong MAC.
    """

    name = "scripts-in-session"
    title = "scripts are taken behind a cryptogram, from an issuer that has not failed"
    source = "pse-pboc 3, 4.8"

    def __init__(self) -> None:
        self._closed = "no transaction was begun"

    def power(self) -> None:
        """A reset ends the session."""
        self._closed = "no transaction was begun"

    def see(self, step: Step) -> str:
        """Follow one exchange."""
        header, command = _header(step), step.command
        if header == _SELECT and step.done:
            self._closed = "no transaction was begun"
        elif header == _GPO and step.done:
            self._closed = "the transaction has no cryptogram yet"
        elif header == _GENERATE_AC and step.done:
            if self._closed == "the transaction has no cryptogram yet":
                self._closed = ""
        elif header == _EXTERNAL and _bank(step) and step.sw & 0xFF00 == _FAILED:
            self._closed = "the issuer's proof was wrong"
        elif command is not None and self._is_script(step, command.cla, command.ins):
            if step.sw == _WRONG_MAC:
                self._closed = "an earlier script had a wrong MAC"
            elif step.done and self._closed:
                return f"a script was accepted, and {self._closed}"
        return ""

    @staticmethod
    def _is_script(step: Step, cla: int, ins: int) -> bool:
        at_application = step.before.domain == _PSE and step.before.name.startswith(_RID)
        return at_application and cla in _SCRIPT_CLASSES and ins in _SCRIPTS


class AtcRises(Monitor):
    """Keeps the last ATC of each application; a new transaction has a higher one, for ever.

    Who asks for it by GET DATA in the middle of a transaction hears that of its cryptograms.
    """

    name = "atc-rises"
    title = "the ATC of a transaction is above that of every earlier one"
    source = "pse-pboc 5.1"

    def __init__(self) -> None:
        self._last: dict[bytes, int] = {}
        self._before: dict[bytes, int] = {}
        """The last ATC as it was when GET PROCESSING OPTIONS began what has no cryptogram yet."""

    def see(self, step: Step) -> str:
        """Follow one exchange."""
        place = step.before.name
        last = self._last.get(place, -1)
        if _header(step) == _GPO and step.done and _bank(step):
            self._before[place] = last
        made = cryptogram_of(step) or _quick(step)
        read = _read_atc(step) if made is None else made[1]
        if read is None:
            return ""
        self._last[place] = max(read, last)
        earlier = self._before.get(place)
        if made is not None:
            self._before.pop(place, None)
            if earlier is not None and read <= earlier:
                return f"ATC {read} in a new transaction, after {earlier}"
        return f"ATC {read} after {last}" if read < last else ""

    def lost(self, failure: Failure) -> None:
        """Power loss takes nothing back: the ATC stays where it was, or is one higher."""


def _quick(step: Step) -> tuple[int, int] | None:
    """Return what an answer to GET PROCESSING OPTIONS with a cryptogram of its own says (qPBOC)."""
    asked = step.answers
    if asked is None or (asked.cla << 8 | asked.ins) != _GPO or not step.data:
        return None
    try:
        tag, value = parse(step.data)[0]
        held = dict(parse(value)) if tag == _FORMAT_2 else {}
    except (TlvError, IndexError):
        return None
    if 0x9F26 not in held or _ATC_TAG not in held:
        return None
    return held.get(0x9F27, b"\0")[0] & 0xC0, int.from_bytes(held[_ATC_TAG])


def _read_atc(step: Step) -> int | None:
    asked = step.answers
    if asked is None or not _bank(step) or (asked.cla << 8 | asked.ins) != _GET_DATA:
        return None
    if asked.p1p2 != _ATC_TAG or not step.data or step.sw != 0x9000:
        return None
    try:
        held = dict(parse(step.data))
    except TlvError:
        return None
    return int.from_bytes(held[_ATC_TAG]) if _ATC_TAG in held else None
