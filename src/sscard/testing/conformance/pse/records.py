"""`RECORDS` and `GET_DATA`, `CHALLENGE`: what the application tells everybody (pse-pboc 2.3, 2.5, 5.1)."""

from collections.abc import Callable, Iterator

from sscard.iso.apdu import Command
from sscard.iso.sw import SW
from sscard.iso.text import from_cn
from sscard.iso.tlv import TlvError, parse_dol
from sscard.spec.emv import ELEMENTS
from sscard.spec.pboc import GET_DATA, TAGS
from sscard.terminal.bank.ber import objects
from sscard.terminal.bank.errors import BadCardData
from sscard.testing.conformance.bench import Bench, NotRun
from sscard.testing.conformance.model import Case, Effect, Expect, Form, Step
from sscard.testing.conformance.pse.application import Application, inside, inside_one, read_record
from sscard.testing.conformance.pse.frame import Look, bank_case, only_if
from sscard.testing.conformance.pse.switches import By, may_be
from sscard.testing.conformance.pse.transaction import AAC, Ask, Enter, Generate, Options
from sscard.testing.conformance.steps import Examine, Send

__all__ = ["data_cases", "record_cases"]

_EARLY = By("pse_read_before_gpo", (("allowed", 0x9000), ("6985", 0x6985)))
_ZERO = By("pse_record_zero", (("6A83", 0x6A83), ("6A86", 0x6A86)))
_MANDATORY = (0x5A, 0x5F24, 0x8C, 0x8D)
_ALWAYS = (0x9F13, 0x9F36)
_HIDDEN = (0x5A, 0x82, 0x8C, 0x94, 0x9F10, 0x9F26, 0x9F5A)
_CASH = (0x9F77, 0x9F78, 0x9F79, 0x9F6D)
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


# ---- GET DATA --------------------------------------------------------------------------------


def data_cases() -> Iterator[Case]:
    """Yield the cases of GET DATA and GET CHALLENGE."""

    def case(name: str, title: str, why: str, *steps: Step) -> Case:
        return bank_case(f"GET_DATA/{name}", title, "2.3, 5.1", why, Enter(), *steps)

    for tag in sorted(GET_DATA):
        row = TAGS[tag]
        length = f", {row.length} bytes" if row.length else ""
        must = "It is always there." if tag in _ALWAYS else "6A88 when it was not personalised."
        yield case(
            f"{tag:04X}",
            f"{tag:04X} {row.name}",
            f"The whole data object{length}. {must}",
            Look(f"GET DATA {tag:04X}", _element(tag)),
        )
    yield case(
        "hidden",
        "what is not for GET DATA",
        "6A88 for the PAN, lists, AIP, AFL, issuer data and cryptograms.",
        *(
            Ask(f"GET DATA {tag:04X}", Command(0x80, 0xCA, tag >> 8, tag & 0xFF, le=256), 0x6A88)
            for tag in _HIDDEN
        ),
    )
    yield case(
        "class",
        "GET DATA is in class 80",
        "6E00 in class 00.",
        Ask("GET DATA 9F36 in class 00", Command(0x00, 0xCA, 0x9F, 0x36, le=256), 0x6E00),
    )
    yield case(
        "cash",
        "electronic cash is there altogether, where the PDOL asks for it",
        "Balance, its limit, limit of a transaction and threshold.",
        Look("9F77 9F78 9F79 9F6D", _cash_problem),
    )
    yield case(
        "counters",
        "the last online ATC is not above the ATC",
        "9F13 is the ATC of a transaction that was.",
        Look("9F13 and 9F36", _counter_problem),
    )
    eight = Expect(form=Form(length=8))
    challenge = Command(0x00, 0x84, 0x00, 0x00, le=8)
    yield bank_case(
        "CHALLENGE/random",
        "GET CHALLENGE gives 8 random bytes",
        "2.2",
        "Two in a row are not the same.",
        Enter(),
        Send("GET CHALLENGE", challenge, eight, keep="first"),
        Send("GET CHALLENGE again", challenge, eight, keep="second"),
        Examine("they differ", _same_challenge),
    )
    yield bank_case(
        "CHALLENGE/parameters",
        "GET CHALLENGE has no parameters",
        "2.2",
        "6A86.",
        Enter(),
        Ask("P1 = 01", Command(0x00, 0x84, 0x01, 0x00, le=8), 0x6A86),
        Ask("P2 = 01", Command(0x00, 0x84, 0x00, 0x01, le=8), 0x6A86),
    )
    yield bank_case(
        "CHALLENGE/get-response",
        "GET RESPONSE with nothing waiting",
        "2.1",
        "6985, or 6D00 as the card is made.",
        Enter(),
        Ask(
            "GET RESPONSE",
            Command(0x00, 0xC0, 0x00, 0x00, le=16),
            By("pse_empty_get_response", (("6985", 0x6985), ("6D00", 0x6D00))),
        ),
    )


def _element(tag: int) -> Callable[[Bench, Application], str]:
    """Return what is wrong with the answer to GET DATA of a tag."""
    row = TAGS[tag]
    empty = (SW.OK,) if tag == 0x9F4F else ()
    command = Command(0x80, 0xCA, tag >> 8, tag & 0xFF, le=256)

    def problem(bench: Bench, app: Application) -> str:
        absent = () if tag in _ALWAYS else (0x6A88,)
        reply = bench.exchange(f"GET DATA {tag:04X}", command, Expect((0x9000, *absent)))
        if reply.sw != SW.OK:
            return ""
        held = inside(reply.data)
        if list(held) != [tag]:
            return f"not the data object {tag:04X}"
        value = held[tag]
        if empty and not value:
            return "" if may_be(bench, "pse_log_format_absent", "empty") else "an empty 9F4F"
        if row.length not in (None, len(value)):
            return f"{len(value)} bytes, not {row.length}"
        return "no number" if row.format == "n" and not value.hex().isdecimal() else ""

    return problem


def _same_challenge(bench: Bench) -> str:
    return "the same twice" if bench.kept["first"] == bench.kept["second"] else ""


def _cash_problem(bench: Bench, app: Application) -> str:
    if not app.offers_cash:
        raise NotRun("the card has no electronic cash")
    lacking = [f"{tag:04X}" for tag in _CASH if tag not in app.elements]
    return f"{', '.join(lacking)} missing" if lacking else ""


def _counter_problem(bench: Bench, app: Application) -> str:
    last, atc = app.elements.get(0x9F13, b""), app.elements.get(0x9F36, b"")
    return "" if last <= atc else f"9F13 {last.hex()}, 9F36 {atc.hex()}"
