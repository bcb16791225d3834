"""`DIRECTORY`: the payment system directory (pse-pboc 1.2, 1.3, 1.5)."""

from collections.abc import Iterator

from sscard.iso.apdu import Command
from sscard.spec.pboc import PPSE_NAME, PSE_NAME
from sscard.terminal.bank.ber import objects
from sscard.terminal.bank.errors import BadCardData
from sscard.testing.conformance.bench import Bench
from sscard.testing.conformance.model import Case, Expect, Step
from sscard.testing.conformance.pse.application import (
    DIRECTORY,
    Application,
    fci_of,
    inside,
    inside_one,
    names_of,
    read_record,
    select,
)
from sscard.testing.conformance.pse.frame import Look, bank_case
from sscard.testing.conformance.pse.switches import By, is_set
from sscard.testing.conformance.pse.transaction import Ask

__all__ = ["directory_cases"]


_GPO = Command(0x80, 0xA8, 0x00, 0x00, b"\x83\x00", 256)


_DIRECTORY_ITEMS = (0x88, 0x5F2D, 0x9F11, 0xBF0C)


_OTHER_COMMANDS = (
    ("GET PROCESSING OPTIONS", _GPO, 0x6D00),
    ("INTERNAL AUTHENTICATE", Command(0x00, 0x88, 0x00, 0x00, bytes(4), 256), 0x6D00),
    ("GENERATE AC", Command(0x80, 0xAE, 0x80, 0x00, bytes(52), 256), 0x6D00),
    ("EXTERNAL AUTHENTICATE, Lc 0A", Command(0x00, 0x82, 0x00, 0x00, bytes(10)), 0x6E00),
)


def directory_cases() -> Iterator[Case]:
    """Yield the cases of the directory."""
    here = Ask("SELECT 1PAY.SYS.DDF01", select(PSE_NAME), keep="fci")

    def case(name: str, title: str, why: str, *steps: Step) -> Case:
        return bank_case(f"DIRECTORY/{name}", title, "1.2, 1.3", why, here, *steps, place=DIRECTORY)

    yield case(
        "select",
        "1PAY.SYS.DDF01 is found, and says where its directory is",
        "6F with the name in 84 and A5 with 88, an SFI of 01 to 0A; further members are optional.",
        Look("FCI", _directory_fci_problem),
    )
    yield case(
        "records",
        "its records are templates 70 of application templates 61",
        "READ RECORD 01, 02 and on, until 6A83. Every entry has an AID (4F) of 5 to 16 bytes and a "
        "label (50); a priority (87) is one byte.",
        Look("records", _directory_records_problem),
        Look("until 6A83", _directory_end),
    )
    yield case(
        "entries",
        "every application it lists can be selected by the listed name",
        "9000, or 6283 for one that is blocked; the FCI has that name.",
        Look("names", _listed_problem),
    )
    yield case(
        "commands",
        "of the bank's commands it takes SELECT and READ RECORD alone",
        "GET PROCESSING OPTIONS and others are 6D00, EXTERNAL AUTHENTICATE with ten bytes 6E00.",
        *(Ask(title, command, sw) for title, command, sw in _OTHER_COMMANDS),
    )
    yield case(
        "parameters",
        "READ RECORD of its file: number 00, an SFI it has not",
        "00 is 6A83 (or 6A86, where the card is made so); an SFI that is not there 6A82.",
        Look("record 00", _record_zero),
        Ask("SFI 1E", read_record(1, 0x1E), 0x6A82),
    )
    yield bank_case(
        "DIRECTORY/contactless",
        "2PAY.SYS.DDF01 is there on cards with a contactless interface only",
        "1.5",
        "6A82 on a card with contacts only; otherwise an FCI with BF0C.",
        Look("PPSE", _ppse_problem),
    )


def _directory_fci_problem(bench: Bench, app: Application) -> str:
    fci = bench.kept["fci"]
    if inside(fci, 0x6F).get(0x84) != PSE_NAME:
        return "84 is not the name"
    members = inside(fci, 0x6F, 0xA5)
    sfi = members.get(0x88, b"")
    if len(sfi) != 1 or not 1 <= sfi[0] <= 10:
        return f"88 is {sfi.hex().upper() or 'missing'}"
    strange = [f"{tag:02X}" for tag in members if tag not in _DIRECTORY_ITEMS]
    return f"{', '.join(strange)} in A5" if strange else ""


def _directory_records_problem(bench: Bench, app: Application) -> str:
    if not app.directory:
        return "no record"
    for number, record in enumerate(app.directory, 1):
        try:
            entries = objects(inside_one(record), "")
        except BadCardData as error:
            return f"record {number}: {error}"
        if not entries or any(tag != 0x61 for tag, _ in entries):
            return f"record {number} is no template 70 of templates 61"
        for _, entry in entries:
            held = inside(entry)
            if not 5 <= len(held.get(0x4F, b"")) <= 16 or not 1 <= len(held.get(0x50, b"")) <= 16:
                return f"record {number}: an entry without AID or label"
            if 0x87 in held and len(held[0x87]) != 1:
                return f"record {number}: a priority of {len(held[0x87])} bytes"
    return ""


def _directory_end(bench: Bench, app: Application) -> str:
    sfi = inside(bench.kept["fci"], 0x6F, 0xA5).get(0x88, b"\1")[0]
    ask = Ask("the record behind the last", read_record(len(app.directory) + 1, sfi), 0x6A83)
    ask.run(bench)
    return ""


def _record_zero(bench: Bench, app: Application) -> str:
    sfi = inside(bench.kept["fci"], 0x6F, 0xA5).get(0x88, b"\1")[0]
    zero = By("pse_record_zero", (("6A83", 0x6A83), ("6A86", 0x6A86)))
    Ask("record 00", read_record(0, sfi), zero).run(bench)
    return ""


def _listed_problem(bench: Bench, app: Application) -> str:
    for name in (name for record in app.directory for name in names_of(record)):
        expect = Expect((0x9000, 0x6283))
        reply = bench.exchange("SELECT what is listed", select(name), expect)
        if inside(fci_of(bench, reply), 0x6F).get(0x84) != name:
            return f"{name.hex().upper()}: another name in the FCI"
    return ""


def _ppse_problem(bench: Bench, app: Application) -> str:
    words = (0x6A82,) if is_set(bench, "contactless", "off") else (0x6A82, 0x9000)
    told = "contactless" in bench.switches
    Ask(
        "SELECT 2PAY.SYS.DDF01", select(PPSE_NAME), words if told else (0x6A82, 0x9000), "ppse"
    ).run(bench)
    data = bench.kept["ppse"]
    if not data:
        return ""
    return "" if inside(data, 0x6F, 0xA5).get(0xBF0C) else "an FCI without BF0C"
