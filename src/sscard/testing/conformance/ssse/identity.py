"""`ATR` and `CHECKLIST`: the answer to reset, and what the inspection checklist names.

Diversification factors of both levels, region code in the card identification code, version,
initialising organisation, card number (ssse-lb002 0, 1, 5.2).
"""

from collections.abc import Iterator

from sscard.iso.apdu import Command
from sscard.iso.atr import Atr, AtrError
from sscard.iso.sw import SW
from sscard.keys import equal
from sscard.keys.vault import CardIdentity
from sscard.spec.checks import is_card_number
from sscard.spec.ssse import RID, V2
from sscard.terminal.crypto_source import named_key
from sscard.testing.conformance.bench import Bench, NotRun
from sscard.testing.conformance.model import Case, Expect, Form, Step
from sscard.testing.conformance.ssse.commands import (
    BY_NUMBER,
    enter,
    place_of,
    read_record,
)
from sscard.testing.conformance.steps import Examine, Reset, Send

__all__ = [
    "absent",
    "atr_cases",
    "checklist_cases",
    "generation_of",
    "internal_authentication",
    "survey",
]

_EF05_SFI = 5
_VERSIONS = {"v1": b"1.00", "v2": b"2.00", "v3": b"3.00"}
_FACTOR, _DATA = bytes.fromhex("1122334455667788"), bytes.fromhex("0102030405060708")
_UNSIGNED = b"\xff" * 4


def survey(bench: Bench) -> None:
    """Learn what the cases need: region, which directories there are, whether the keys fit.

    Nothing is proved and nothing written: INTERNAL AUTHENTICATE burns no try.
    """
    bench.reset()
    bench.identity = None
    bench.absent.clear()
    for step in enter("SSSE"):
        bench.transmit(step.command)
    code = bench.transmit(read_record(1, BY_NUMBER, _EF05_SFI)).data[2:]
    region = code[:3].hex()
    csn8 = _historical(bench.atr)[-8:]
    if len(code) == 16 and region.isdecimal() and len(csn8) == 8:
        bench.identity = CardIdentity(region, csn8)
    bench.distrust = _distrust(bench)
    for directory in V2:
        place = place_of(directory)
        words = [bench.transmit(step.command).sw for step in enter(place)]
        if SW.FILE_NOT_FOUND in words:
            bench.absent.add(place)
    bench.log.clear()


def _distrust(bench: Bench) -> str:
    """Return why the source's keys are not proved to this card; "" when it proves their IRK."""
    irk = named_key("IRK@SSSE")
    if bench.missing_key(irk):
        return "the vault or PSAM has no IRK to know the card by: its keys are not used"
    made = bench.computed(lambda source, card: source.cryptogram(irk, card, _FACTOR, _DATA))
    if equal(made, bench.transmit(internal_authentication()).data):
        return ""
    return "the card does not prove the IRK of this vault or PSAM: its keys are not used"


def absent(bench: Bench) -> str:
    """Return why there is no social security environment on the card; "" when there is."""
    bench.reset()
    (here,) = enter("SSSE")
    sw = bench.transmit(here.command).sw
    if sw != SW.FILE_NOT_FOUND:
        return ""
    return f"no social security environment: SELECT of its name answers {sw}"


def generation_of(bench: Bench) -> str:
    """Return the generation a card says it is (tag 03 of EF05); v2 where it says none of ours."""
    bench.reset()
    for step in enter("SSSE"):
        bench.transmit(step.command)
    told = bench.transmit(read_record(3, BY_NUMBER, _EF05_SFI)).data[2:3]
    return {b"1": "v1", b"3": "v3"}.get(told, "v2")


def internal_authentication(kid: int = 0x00, data: bytes = _FACTOR + _DATA) -> Command:
    """INTERNAL AUTHENTICATE with a factor and data of 8 bytes each (ssse-lb002 3.8)."""
    return Command(0x00, 0x88, 0x00, kid, data, 256)


def _historical(atr: bytes) -> bytes:
    try:
        return Atr.parse(atr).historical
    except AtrError:
        return b""


# ---- answer to reset -----------------------------------------------------------------------------


def atr_cases() -> Iterator[Case]:
    """Yield the cases of the answer to reset."""

    def case(name: str, title: str, why: str, steps: tuple[Step, ...]) -> Case:
        return Case(f"ATR/{name}", title, "ssse-lb002 1.1", why, steps)

    yield case(
        "form",
        "3B 6D 00 00 and 13 historical bytes",
        "Direct convention, TB1 and TC1 00, no TD1 (so T=0), 13 historical bytes, 17 bytes in all.",
        (Reset(), Examine("the ATR", _form_problem)),
    )
    yield case(
        "repeated",
        "every reset gives the same answer",
        "The ATR carries the card's diversification factor: it never changes.",
        (
            Reset(),
            Examine("remember it", _remember),
            Reset(),
            Examine("the second ATR", _changed),
            *enter("SSSE"),
            Reset(),
            Examine("the third ATR", _changed),
        ),
    )
    yield case(
        "region",
        "H8 and H9 are the first four digits of the region code",
        "The maker's rule of 1.1; some makers write other values: then waive this case.",
        (Reset(), *_code(), Examine("city code", _atr_region)),
    )
    yield case(
        "serial",
        "the last four bytes are the serial number in the identification code",
        "Bytes 8 to 11 of the card identification code are H10 to H13.",
        (Reset(), *_code(), Examine("serial number", _atr_serial)),
    )


def _form_problem(bench: Bench) -> str:
    atr = bench.kept["atr"]
    if atr[:4] != bytes.fromhex("3B6D0000"):
        return f"it begins with {atr[:4].hex().upper()}"
    return "" if len(atr) == 17 else f"it has {len(atr)} bytes, not 17"


def _remember(bench: Bench) -> str:
    bench.kept["first"] = bench.kept["atr"]
    return ""


def _changed(bench: Bench) -> str:
    return "" if bench.kept["atr"] == bench.kept["first"] else "it is another one"


def _code() -> tuple[Send, ...]:
    read = read_record(1, BY_NUMBER, _EF05_SFI)
    form = Expect(form=Form(0x01, 0x10))
    return (*enter("SSSE"), Send("READ the identification code", read, form, keep="code"))


def _atr_region(bench: Bench) -> str:
    told, code = _historical(bench.kept["atr"])[7:9], bench.kept["code"][2:4]
    return "" if told == code else f"{told.hex()}, but the region begins with {code.hex()}"


def _atr_serial(bench: Bench) -> str:
    return "" if bench.kept["atr"][-4:] == bench.kept["code"][10:14] else "they differ"


# ---- inspection checklist ------------------------------------------------------------------------


def checklist_cases(generation: str) -> Iterator[Case]:
    """Yield the cases of the inspection checklist."""

    def case(name: str, title: str, source: str, why: str, *steps: Step) -> Case:
        return Case(f"CHECKLIST/{name}", title, f"ssse-lb002 {source}", why, steps, place="SSSE")

    def item(number: int, tag: int, length: int) -> Send:
        command = read_record(number, BY_NUMBER, _EF05_SFI)
        return Send(f"READ tag {tag:02X}", command, Expect(form=Form(tag, length)), keep="item")

    ssse, code = enter("SSSE"), _code()
    version = _VERSIONS[generation]
    record = bytes((0x03, 0x04)) + version
    yield case(
        "region-code",
        "the identification code begins with a region code",
        "1.2",
        "The region code of the issuing city is six BCD digits.",
        *code,
        Examine("region code", _region_problem),
    )
    yield case(
        "rid",
        "the identification code holds the RID D156000005",
        "1.2",
        "The registered identifier of the social security application follows the region.",
        *code,
        Examine("RID", _rid_problem),
    )
    yield case(
        "code-mac",
        "the identification code's MAC is the one of the card's IRK",
        "1.2, 4.6",
        "Its last four bytes are a MAC under the card's own IRK; cards in the wild carry FFFFFFFF "
        "there, which is not run; a PSAM cannot compute it.",
        *code,
        Examine("MAC", _code_mac_problem, key="IRK@SSSE"),
    )
    yield case(
        "version",
        f"the specification version is {version.decode()}",
        "0, 2.3",
        f"Tag 03 of EF05 names the generation of the card: {version.decode()}.",
        *ssse,
        Send(
            "READ tag 03",
            read_record(3, BY_NUMBER, _EF05_SFI),
            Expect(form=Form(value=record)),
        ),
    )
    yield case(
        "initialising-organisation",
        "the initialising organisation is 24 digits",
        "2.3",
        "Tag 04 of EF05, all of its digits used.",
        *ssse,
        item(4, 0x04, 0x0C),
        Examine("digits", _decimal_problem),
    )
    for number, tag, name in ((5, 0x05, "date-of-issue"), (6, 0x06, "date-of-expiry")):
        yield case(
            name,
            f"tag {tag:02X} is a date",
            "2.3",
            "YYYYMMDD in BCD.",
            *ssse,
            item(number, tag, 0x04),
            Examine("a date", _date_problem),
        )
    yield case(
        "card-number",
        "the card number has the right check character",
        "1.3",
        "Eight characters and a weighted sum of them.",
        *ssse,
        item(7, 0x07, 0x09),
        Examine("check character", _card_number_problem),
    )
    yield case(
        "diversification-factors",
        "region and ATR lead the IRK of the vault or PSAM down to the card's",
        "0, 3.8, 5.2",
        "INTERNAL AUTHENTICATE proves both levels: the city's factor comes from the region code "
        "in the identification code, the card's from the last eight bytes of the ATR. A card that "
        "fails is a counterfeit, or of another vault.",
        *ssse,
        Send(
            "INTERNAL AUTHENTICATE",
            internal_authentication(),
            Expect(form=Form(length=8)),
            keep="proof",
        ),
        Examine("cryptogram", _irk_problem, key="IRK@SSSE"),
    )


def _region_problem(bench: Bench) -> str:
    region = bench.kept["code"][2:5].hex()
    return "" if region.isdecimal() else f"{region} is no region code"


def _rid_problem(bench: Bench) -> str:
    found = bench.kept["code"][5:10]
    return "" if found == RID else f"{found.hex().upper()}"


def _code_mac_problem(bench: Bench) -> str:
    code = bench.kept["code"][2:]
    if code[12:] == _UNSIGNED:
        raise NotRun("the code carries FFFFFFFF and no MAC")

    made = (
        bench.source.card_id_mac(bench.identity, code) if bench.source and bench.identity else None
    )
    if made is None:
        raise NotRun("needs the IRK in a vault: a PSAM makes no such MAC")
    return "" if equal(made, code[12:]) else "another MAC than the IRK gives"


def _decimal_problem(bench: Bench) -> str:
    digits = bench.kept["item"][2:].hex()
    return "" if digits.isdecimal() else "other than digits"


def _date_problem(bench: Bench) -> str:
    digits = bench.kept["item"][2:].hex()
    good = digits.isdecimal() and 1 <= int(digits[4:6]) <= 12 and 1 <= int(digits[6:]) <= 31
    return "" if good else f"{digits} is no date"


def _card_number_problem(bench: Bench) -> str:
    number = bench.kept["item"][2:].decode("ascii", "replace")
    return "" if is_card_number(number) else "a wrong check character"


def _irk_problem(bench: Bench) -> str:
    irk = named_key("IRK@SSSE")
    made = bench.computed(lambda source, card: source.cryptogram(irk, card, _FACTOR, _DATA))
    return "" if equal(made, bench.kept["proof"]) else "another key than this vault's or PSAM's"
