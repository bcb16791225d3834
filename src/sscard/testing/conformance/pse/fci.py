"""`FCI`: what SELECT of the application tells (pse-pboc 1.4)."""

from collections.abc import Iterator

from sscard.iso.tlv import TlvError, parse_dol
from sscard.spec.emv import ELEMENTS
from sscard.testing.conformance.bench import Bench
from sscard.testing.conformance.model import Case, Step
from sscard.testing.conformance.pse.application import (
    Application,
    inside,
)
from sscard.testing.conformance.pse.frame import Look, bank_case, only_if
from sscard.testing.conformance.pse.transaction import Enter

__all__ = ["fci_cases"]


_FCI_ITEMS = (0x50, 0x87, 0x9F38, 0x5F2D, 0x9F11, 0x9F12, 0xBF0C)


def fci_cases() -> Iterator[Case]:
    """Yield the cases of the FCI."""

    def case(name: str, title: str, why: str, *steps: Step) -> Case:
        return bank_case(f"FCI/{name}", title, "1.4", why, Enter(), *steps)

    yield case(
        "form",
        "6F with the name in 84, and A5",
        "The name is the full AID, whatever was selected by.",
        Look("FCI", _fci_problem),
    )
    yield case(
        "members",
        "A5 has a label, and no data object that does not belong there",
        "50 is mandatory, with 1 to 16 characters; 87, 9F38, 5F2D, 9F11, 9F12 and BF0C may be "
        "there; a preferred name (9F12) wants its code table (9F11).",
        Look("A5", _members_problem),
    )
    yield case(
        "pdol",
        "the PDOL is a list of elements a terminal has",
        "Tags and lengths; a card without it takes 8300.",
        only_if("the card has no PDOL", lambda bench, app: bool(app.pdol)),
        Look("9F38", _pdol_problem),
    )
    yield case(
        "log-entry",
        "the log entry names an SFI of 0B to 1E and some records",
        "9F4D in BF0C, two bytes.",
        only_if("the card has no log", lambda bench, app: app.log_entry != (0, 0)),
        Look("9F4D", _log_entry_problem),
    )


def _fci_problem(bench: Bench, app: Application) -> str:
    held = inside(bench.kept["fci"], 0x6F)
    if held.get(0x84) != app.aid:
        return f"84 {held.get(0x84, b'').hex().upper()}"
    return "" if list(held) and set(held) == {0x84, 0xA5} else "not 84 and A5 alone"


def _members_problem(bench: Bench, app: Application) -> str:
    held = app.template
    if not 1 <= len(held.get(0x50, b"")) <= 16:
        return "no label of 1 to 16 characters"
    strange = [f"{tag:02X}" for tag in held if tag not in _FCI_ITEMS]
    if strange:
        return f"{', '.join(strange)} in A5"
    if len(held.get(0x87, b"\0")) != 1:
        return "a priority that is not one byte"
    return "9F12 without 9F11" if 0x9F12 in held and 0x9F11 not in held else ""


def _pdol_problem(bench: Bench, app: Application) -> str:
    try:
        entries = parse_dol(app.pdol)
    except TlvError as error:
        return str(error)
    strange = [f"{tag:02X}" for tag, _ in entries if tag not in ELEMENTS and tag != 0xDF69]
    if strange:
        return f"asks for {', '.join(strange)}"
    return "" if sum(length for _, length in entries) <= 253 else "asks for too much"


def _log_entry_problem(bench: Bench, app: Application) -> str:
    sfi, count = app.log_entry
    return "" if 11 <= sfi <= 30 and count else f"SFI {sfi:02X}, {count} records"
