"""`FIRST_AC` and `SECOND_AC`: what the card decides and signs (pse-pboc 2.6, 4.4-4.6, 5.3, 5.4)."""

from collections.abc import Callable, Iterator

from sscard.iso.apdu import Command
from sscard.testing.conformance.bench import Bench, NotRun
from sscard.testing.conformance.model import Case, Effect, Step
from sscard.testing.conformance.pse.application import Application, dol
from sscard.testing.conformance.pse.bank import APPROVED, Arpc, Keys, Settle
from sscard.testing.conformance.pse.frame import Look, bank_case
from sscard.testing.conformance.pse.switches import By
from sscard.testing.conformance.pse.terms import Terms
from sscard.testing.conformance.pse.transaction import (
    AAC,
    ARQC,
    TC,
    Ask,
    Enter,
    Generate,
)
from sscard.testing.conformance.pse.ways import BEGIN, ONLINE

__all__ = ["first_cases", "second_cases"]

_INPUTS: dict[str, Terms] = {
    "9F02": ((0x9F02, "000000000101"),),
    "9F03": ((0x9F03, "000000000001"),),
    "9F1A": ((0x9F1A, "0840"),),
    "95": ((0x95, "0000000001"),),
    "5F2A": ((0x5F2A, "0840"),),
    "9A": ((0x9A, "260702"),),
    "9C": ((0x9C, "01"),),
    "9F37": ((0x9F37, "00000000"),),
}
_APPROVING = ("00", "10", "11", "Y1")
_ARCS = (*_APPROVING, "01", "02", "05", "51", "Y3", "Z3")
_KINDS = {"ARQC": ARQC, "TC": TC, "AAC": AAC}


def first_cases() -> Iterator[Case]:
    """Yield the cases of the first GENERATE AC."""

    def case(
        name: str,
        title: str,
        why: str,
        *steps: Step,
        effect: Effect = Effect.TRANSACTION,
        source: str = "2.6, 5.3",
    ) -> Case:
        return bank_case(f"FIRST_AC/{name}", title, source, why, *steps, effect=effect)

    for name, p1 in _KINDS.items():
        yield case(
            name.lower(),
            f"asked for {'a TC' if name == 'TC' else 'an ' + name}",
            "A card never answers more than it is asked for: TC, ARQC, AAC in that order. ATC, CID "
            "and CVR are this transaction's; with the bank's keys the cryptogram is verified.",
            *BEGIN,
            Generate(p1),
        )
        yield case(
            f"{name.lower()}-settled",
            f"asked for {'a TC' if name == 'TC' else 'an ' + name} when nothing is remembered",
            "After an approval of the issuer only counters are left: the tables of risk "
            "management give the answer, CID and CVR to the bit.",
            Settle(),
            *BEGIN,
            Generate(p1),
        )
    yield case(
        "length",
        "as many bytes as CDOL1 asks for",
        "6700 for one less or more, and the transaction goes on.",
        *BEGIN,
        Generate(longer=1, answer=0x6700, name="GENERATE AC with a byte more"),
        Generate(longer=-1, answer=0x6700, name="GENERATE AC with a byte less"),
        Generate(AAC),
    )
    yield case(
        "before-gpo",
        "no cryptogram before GET PROCESSING OPTIONS",
        "6985, whatever is asked for.",
        Enter(),
        *(Generate(p1, answer=0x6985) for p1 in _KINDS.values()),
        effect=Effect.SAFE,
        source="3",
    )
    yield case(
        "reserved",
        "P1 C0 is nobody's, and other bits mean nothing",
        "6A86 for C0; further bits are ignored, or 6A86, as the card is made.",
        *BEGIN,
        Ask("P1 = C0", Command(0x80, 0xAE, 0xC0, 0x00, bytes(1)), 0x6A86),
        Look("P1 = 01", _reserved),
        source="2.2",
    )
    for tag, terms in _INPUTS.items():
        yield case(
            f"input/{tag}",
            f"the cryptogram covers {tag}",
            "With another value it is the cryptogram over that value.",
            Look(f"CDOL1 asks for {tag}", _asks(int(tag, 16))),
            Keys(),
            *BEGIN,
            Generate(AAC, terms=terms),
            source="4.4",
        )
    yield case(
        "once",
        "one first cryptogram a transaction",
        "After a TC or an AAC nothing more is signed: 6985.",
        *BEGIN,
        Generate(AAC),
        Generate(TC, answer=0x6985),
        Generate(AAC, APPROVED, answer=0x6985),
        Generate(TC, APPROVED, answer=0x6985),
        source="3",
    )


def _asks(tag: int) -> Callable[[Bench, Application], str]:
    def problem(bench: Bench, app: Application) -> str:
        if app.tags and tag not in dict(dol(app.tags.get(0x8C, b""))):
            raise NotRun(f"CDOL1 does not ask for {tag:02X}")
        return ""

    return problem


def _reserved(bench: Bench, app: Application) -> str:
    by = By("pse_ac_reserved_bits", (("ignore", 0x9000), ("6A86", 0x6A86)))
    words = by.accepted(bench)
    Generate(AAC | 0x01, answer=words[0] if len(words) == 1 else words).run(bench)
    return ""


def second_cases() -> Iterator[Case]:
    """Yield the cases of the second GENERATE AC."""

    def case(name: str, title: str, why: str, *steps: Step, source: str = "5.4") -> Case:
        return bank_case(f"SECOND_AC/{name}", title, source, why, *steps, effect=Effect.TRANSACTION)

    for arc in _ARCS:
        alone = arc in ("Y3", "Z3")
        proof: tuple[Step, ...] = () if alone else (Arpc(arc=arc),)
        how = "the terminal could not go on line" if alone else "the issuer's ARPC has it, too"
        yield case(
            f"arc-{arc}",
            f"a TC is asked for with ARC {arc}",
            f"{how}. 00, 10, 11 and Y1 approve, 01 and 02 as the card is made, others decline; "
            "alone, the card decides by its limits.",
            Settle(),
            *ONLINE,
            *proof,
            Generate(TC, arc),
        )
    yield case(
        "aac",
        "an AAC is asked for: an AAC is given",
        "Also when the issuer approved.",
        *ONLINE,
        Arpc(),
        Generate(AAC, APPROVED),
    )
    yield case(
        "no-arpc",
        "a TC is asked for, and no ARPC came",
        "Where issuer authentication is mandatory (9F56) the card declines as its ADA says; the "
        "CVR tells that none was performed.",
        *ONLINE,
        Generate(TC, APPROVED),
    )
    yield case(
        "no-arpc-remembered",
        "the next transaction knows that no ARPC came",
        "3.b8 as long as the issuer was not heard, 3.b4 where it is mandatory.",
        Settle(),
        *ONLINE,
        Generate(TC, APPROVED),
        *BEGIN,
        Generate(TC),
    )
    yield case(
        "bad-arpc",
        "a TC is asked for after a wrong ARPC",
        "2.b4 is set, and the card declines if its ADA says so.",
        *ONLINE,
        Arpc("first", answer=0x6300),
        Generate(TC, APPROVED),
    )
    yield case(
        "other-arc",
        "the ARC of CDOL2 is not the one of the ARPC",
        "The issuer declined with 05: a terminal cannot make 00 of it.",
        *ONLINE,
        Arpc(arc="05"),
        Generate(TC, APPROVED, only="AAC"),
    )
    yield case(
        "arqc",
        "an ARQC is not asked for twice",
        "6985, and the second GENERATE AC is still to come.",
        *ONLINE,
        Generate(ARQC, APPROVED, answer=0x6985),
        Generate(AAC, APPROVED),
        source="3",
    )
    yield case(
        "third",
        "there is no third cryptogram",
        "6985 in either form.",
        *ONLINE,
        Generate(AAC, APPROVED),
        Generate(AAC, APPROVED, answer=0x6985),
        Generate(TC, APPROVED, answer=0x6985),
        Generate(ARQC, answer=0x6985),
        source="3",
    )
    yield case(
        "aac-then-tc",
        "an AAC is never turned into a TC",
        "After a first AAC a second GENERATE AC is 6985.",
        *BEGIN,
        Generate(AAC),
        Generate(TC, APPROVED, answer=0x6985),
        source="3",
    )
    yield case(
        "length",
        "as many bytes as CDOL2 asks for",
        "6700 for one less or more, and the transaction goes on.",
        *ONLINE,
        Generate(TC, APPROVED, longer=1, answer=0x6700, name="a byte more"),
        Generate(TC, APPROVED, longer=-1, answer=0x6700, name="a byte less"),
        Generate(AAC, APPROVED),
        source="2.1",
    )
    yield case(
        "clears",
        "an approval clears what was remembered",
        "9F13 becomes the ATC; the next transaction tells of nothing.",
        *ONLINE,
        *BEGIN,
        Settle(),
        *BEGIN,
        Generate(AAC),
    )
    yield case(
        "declined-keeps",
        "a decline of the issuer clears indicators, and leaves the counters",
        "9F13 stays what it was.",
        Settle(),
        *ONLINE,
        Arpc(arc="05"),
        Generate(TC, "05", only="AAC"),
        Look("9F13", _last_online_stays),
        *BEGIN,
        Generate(AAC),
    )


def _last_online_stays(bench: Bench, app: Application) -> str:
    before = app.elements.get(0x9F13)
    app.refresh(bench)
    return "" if app.elements.get(0x9F13) == before else "another 9F13"
