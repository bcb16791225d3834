"""`RECORDS`: what a terminal reads, and what it is about (pse-pboc 2.5, 2.7, 5.1)."""

from collections.abc import Iterator

from sscard.iso.apdu import Command
from sscard.iso.text import from_cn
from sscard.iso.tlv import TlvError, parse_dol
from sscard.spec.emv import ELEMENTS
from sscard.spec.pboc import TAGS
from sscard.terminal.bank.ber import objects
from sscard.terminal.bank.errors import BadCardData
from sscard.testing.conformance.bench import Bench, NotRun
from sscard.testing.conformance.model import Case, Effect, Expect, Step
from sscard.testing.conformance.pse.application import Application, inside_one, read_record
from sscard.testing.conformance.pse.frame import Look, bank_case, only_if
from sscard.testing.conformance.pse.switches import By
from sscard.testing.conformance.pse.transaction import AAC, Ask, Enter, Generate, Options

__all__ = ["record_cases"]

_EARLY = By("pse_read_before_gpo", (("allowed", 0x9000), ("6985", 0x6985)))
_ZERO = By("pse_record_zero", (("6A83", 0x6A83), ("6A86", 0x6A86)))
_MANDATORY = (0x5A, 0x5F24, 0x8C, 0x8D)
_VERSIONS = (b"\x00\x20", b"\x00\x30")
_LISTS = {0x8C: "CDOL1", 0x8D: "CDOL2", 0x9F49: "DDOL"}
_PAN_NIBBLES = "D"
_HEAD = 8


def record_cases() -> Iterator[Case]:
    """Yield the cases of the records a terminal reads."""

    def case(
        name: str, title: str, source: str, why: str, *steps: Step, effect: Effect = Effect.SAFE
    ) -> Case:
        return bank_case(f"RECORDS/{name}", title, source, why, Enter(), *steps, effect=effect)

    seen = only_if("the card shows no record before GPO", lambda bench, app: bool(app.records))
    yield case(
        "afl",
        "every record of the AFL can be read, and is what it was before GPO",
        "2.5, 2.7",
        "SFI, first and last record, and how many of them are authenticated.",
        Options(),
        Look("AFL", _afl_problem),
        Generate(AAC),
        effect=Effect.TRANSACTION,
    )
    yield case(
        "aip",
        "the AIP says nothing the card does not have",
        "5.1",
        "Unknown bits and the second byte are 0; SDA needs 93 or a card key, DDA and CDA 9F46, "
        "cardholder verification 8E.",
        Options(),
        Look("AIP", _aip_problem),
        Generate(AAC),
        effect=Effect.TRANSACTION,
    )
    yield case(
        "before-gpo",
        "records of SFI 1 before GET PROCESSING OPTIONS",
        "2.5",
        "They are read, or 6985 as the card is made.",
        Ask("READ RECORD 01 of SFI 1", read_record(1, 1), _EARLY),
    )
    yield case(
        "form",
        "records of SFI 1 to 10 are templates 70",
        "2.5, 2.7",
        "BER-TLV, whole, and nothing behind it.",
        seen,
        Look("records", _template_problem),
    )
    yield case(
        "once",
        "no data object comes twice",
        "5.1",
        "A terminal refuses a card that tells the same thing twice.",
        seen,
        Look("data objects", _once_problem),
    )
    yield case(
        "lengths",
        "data objects have the length and the digits of their kind",
        "5.1",
        "Fixed lengths by tag; n is decimal digits.",
        seen,
        Look("data objects", _length_problem),
    )
    yield case(
        "mandatory",
        "PAN, expiry date, CDOL1 and CDOL2 are there",
        "5.1",
        "Without them there is no transaction.",
        seen,
        Look("5A 5F24 8C 8D", _mandatory_problem),
    )
    yield case(
        "track2",
        "track 2 agrees with PAN, expiry and service code",
        "2.7",
        "57 is PAN, D, expiry YYMM, service code; what 5A, 5F24 and 5F30 say.",
        seen,
        Look("57", _track2_problem),
    )
    yield case(
        "lists",
        "CDOL1, CDOL2 and DDOL are lists of elements a terminal has",
        "2.7, 5.1",
        "CDOL2 asks for the authorisation response code (8A, 2 bytes), the DDOL for 9F37.",
        seen,
        Look("lists", _lists_problem),
    )
    yield case(
        "cvm-list",
        "the CVM list is two amounts and pairs",
        "2.7",
        "8E: eight bytes, then code and condition.",
        seen,
        Look("8E", _cvm_problem),
    )
    yield case(
        "version",
        "the application version is 0020",
        "5.1",
        "9F08 of the 2010 edition; 0030 is the one of 2013.",
        seen,
        Look("9F08", _version_problem),
    )
    yield case(
        "absent",
        "records and files that are not there",
        "2.2, 2.5",
        "6A83 for a record, also for number 00 (or 6A86); 6A82 for an SFI; 6A86 unless P2 ends in "
        "100.",
        only_if("the card shows no record before GPO", lambda bench, app: app.early),
        Look("one record too many", _behind_the_last),
        Ask("record 00", read_record(0, 1), _ZERO),
        Ask("SFI 1D", read_record(1, 0x1D), 0x6A82),
        Ask("SFI 00", read_record(1, 0), 0x6A82),
        Ask("P2 = 08", Command(0x00, 0xB2, 0x01, 0x08, le=256), 0x6A86),
        Ask("P2 = 0D", Command(0x00, 0xB2, 0x01, 0x0D, le=256), 0x6A86),
    )


def _template_problem(bench: Bench, app: Application) -> str:
    for (sfi, number), record in app.records.items():
        try:
            found = objects(record, "")
            objects(inside_one(record), "")
        except BadCardData as error:
            return f"record {number} of SFI {sfi}: {error}"
        if [tag for tag, _ in found] != [0x70]:
            return f"record {number} of SFI {sfi} is no template 70"
    return ""


def _all(app: Application) -> list[tuple[int, bytes]]:
    found = []
    for record in app.records.values():
        try:
            found += objects(inside_one(record), "")
        except BadCardData:
            continue
    return found


def _once_problem(bench: Bench, app: Application) -> str:
    tags = [tag for tag, _ in _all(app)]
    twice = sorted({f"{tag:02X}" for tag in tags if tags.count(tag) > 1})
    return f"{', '.join(twice)} more than once" if twice else ""


def _length_problem(bench: Bench, app: Application) -> str:
    for tag, value in _all(app):
        row = TAGS.get(tag)
        if row is None:
            continue
        if row.length not in (None, len(value)):
            return f"{tag:02X} {row.name} has {len(value)} bytes, not {row.length}"
        if row.format == "n" and not value.hex().isdecimal():
            return f"{tag:02X} {row.name} is no number"
    return ""


def _mandatory_problem(bench: Bench, app: Application) -> str:
    lacking = [f"{tag:02X}" for tag in _MANDATORY if tag not in app.tags]
    return f"{', '.join(lacking)} missing" if lacking else ""


def _track2_problem(bench: Bench, app: Application) -> str:
    if 0x57 not in app.tags or 0x5A not in app.tags:
        raise NotRun("the card has no track 2 equivalent data")
    pan, _, rest = app.tags[0x57].hex().upper().partition(_PAN_NIBBLES)
    if pan != from_cn(app.tags[0x5A]):
        return "another PAN than 5A"
    if rest[:4] != app.tags.get(0x5F24, b"").hex()[:4]:
        return "another expiry than 5F24"
    code = app.tags.get(0x5F30, b"").hex()[-3:]
    return "another service code than 5F30" if code and rest[4:7] != code else ""


def _lists_problem(bench: Bench, app: Application) -> str:
    for tag, name in _LISTS.items():
        try:
            entries = dict(parse_dol(app.tags.get(tag, b"")))
        except TlvError as error:
            return f"{name}: {error}"
        strange = [f"{asked:02X}" for asked in entries if asked not in ELEMENTS]
        if strange:
            return f"{name} asks for {', '.join(strange)}"
        if tag == 0x8D and entries.get(0x8A) != 2:
            return "CDOL2 does not ask for the authorisation response code"
        if tag == 0x9F49 and entries and 0x9F37 not in entries:
            return "the DDOL does not ask for 9F37"
    return ""


def _cvm_problem(bench: Bench, app: Application) -> str:
    rules = app.tags.get(0x8E)
    if rules is None:
        raise NotRun("the card has no CVM list")
    return "" if len(rules) > _HEAD and len(rules) % 2 == 0 else f"{len(rules)} bytes"


def _version_problem(bench: Bench, app: Application) -> str:
    held = app.tags.get(0x9F08)
    if held is None:
        raise NotRun("the card tells no version")
    return "" if held in _VERSIONS else held.hex()


def _behind_the_last(bench: Bench, app: Application) -> str:
    for sfi in sorted({sfi for sfi, _ in app.records}):
        last = max(number for at, number in app.records if at == sfi)
        Ask(f"record {last + 1} of SFI {sfi}", read_record(last + 1, sfi), 0x6A83).run(bench)
    return ""


def _afl_problem(bench: Bench, app: Application) -> str:
    afl = app.deal.afl
    for at in range(0, len(afl), 4):
        sfi, first, last, signed = afl[at] >> 3, *afl[at + 1 : at + 4]
        if afl[at] & 7 or not 1 <= sfi <= 30 or not 1 <= first <= last:
            return f"{afl[at : at + 4].hex().upper()} names no records"
        if signed > last - first + 1:
            return f"{afl[at : at + 4].hex().upper()} signs more than it has"
        for number in range(first, last + 1):
            command = read_record(number, sfi)
            reply = bench.exchange(f"record {number} of SFI {sfi}", command, Expect())
            if app.records.get((sfi, number), reply.data) != reply.data:
                return f"record {number} of SFI {sfi} is another than before"
    return ""


def _aip_problem(bench: Bench, app: Application) -> str:
    first, second = app.deal.aip
    if first & 0x82 or second:
        return f"{app.deal.aip.hex().upper()} has bits that mean nothing"
    wanted = {0x40: (0x93, 0x9F46), 0x20: (0x9F46,), 0x01: (0x9F46,), 0x10: (0x8E,)}
    for bit, tags in wanted.items():
        if first & bit and not any(tag in app.tags for tag in tags):
            return f"bit {bit:02X} without {' or '.join(f'{tag:02X}' for tag in tags)}"
    return ""
