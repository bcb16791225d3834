"""`ODA`: certificates, static and dynamic signatures, combined ones (pse-pboc 4.9, 10)."""

from collections.abc import Iterator

from sscard.testing.conformance.bench import Bench
from sscard.testing.conformance.model import Case, Effect, Step
from sscard.testing.conformance.pse.application import Application
from sscard.testing.conformance.pse.bank import APPROVED, Arpc, Settle
from sscard.testing.conformance.pse.frame import Look, bank_case, only_if
from sscard.testing.conformance.pse.oda import Certified, Dynamic
from sscard.testing.conformance.pse.switches import By
from sscard.testing.conformance.pse.transaction import (
    AAC,
    ARQC,
    TC,
    Generate,
)
from sscard.testing.conformance.pse.ways import BEGIN

__all__ = ["authenticity_cases"]

_CDA, _CDA_BIT = 0x10, 0x01


def authenticity_cases() -> Iterator[Case]:
    """Yield the cases of offline data authentication."""

    def case(name: str, title: str, why: str, *steps: Step) -> Case:
        return bank_case(
            f"ODA/{name}", title, "4.9", why, *BEGIN, *steps, effect=Effect.TRANSACTION
        )

    signs = only_if("the AIP has no CDA", lambda _, app: bool(app.deal.aip[0] & _CDA_BIT))
    yield case(
        "issuer-certificate",
        "the issuer's certificate",
        "Opened with the CA key of 8F: header, format, hash, issuer, dates, algorithms, lengths.",
        Certified("issuer"),
        Generate(AAC),
    )
    yield case(
        "icc-certificate",
        "the card's certificate",
        "Opened with the issuer's key; it covers the static data, and the AIP if 9F4A says so.",
        Certified("icc"),
        Generate(AAC),
    )
    yield case(
        "static",
        "the signed static data",
        "93, under the issuer's key.",
        Certified("static"),
        Generate(AAC),
    )
    yield case(
        "dynamic",
        "INTERNAL AUTHENTICATE",
        "A signature over the data of the DDOL, with the ATC as the card's dynamic number; the CVR "
        "tells of it (4.b2).",
        Dynamic(),
        Generate(AAC),
    )
    yield case(
        "dynamic-twice",
        "INTERNAL AUTHENTICATE again",
        "Another signature, or 6985.",
        Dynamic(),
        Dynamic("INTERNAL AUTHENTICATE again", (0x9000, 0x6985)),
        Generate(AAC),
    )
    yield case(
        "dynamic-length",
        "INTERNAL AUTHENTICATE with a byte more than the DDOL asks for",
        "6700.",
        Dynamic(answer=0x6700, longer=1),
        Generate(AAC),
    )
    yield case(
        "dynamic-unsupported",
        "INTERNAL AUTHENTICATE of a card whose AIP has no DDA",
        "6985.",
        Dynamic(answer=0x6985, offered=False),
        Generate(AAC),
    )
    for name, kind in (("arqc", ARQC), ("tc", TC)):
        yield case(
            f"combined-{name}",
            f"a combined signature over {'an ARQC' if kind == ARQC else 'a TC'}",
            "Template 77 with CID, ATC, signature and issuer data; the cryptogram is inside. "
            "Verified with the card's key, and with the bank's keys where they are.",
            signs,
            Generate(kind | _CDA),
        )
    yield case(
        "combined-second",
        "a combined signature over the second cryptogram",
        "The hash covers CDOL1 and CDOL2 data.",
        signs,
        Generate(ARQC | _CDA),
        Arpc(),
        Generate(TC | _CDA, APPROVED, only="TC"),
    )
    yield case(
        "combined-aac",
        "an AAC is never signed",
        "Asked for with a signature it comes without one.",
        signs,
        Generate(AAC | _CDA),
    )
    yield case(
        "combined-unsupported",
        "a combined signature of a card whose AIP has none",
        "6985, or the request is ignored, as the card is made.",
        only_if("the AIP has CDA", lambda _, app: not app.deal.aip[0] & _CDA_BIT),
        Look("GENERATE AC", _unsupported),
    )
    yield bank_case(
        "ODA/remembered",
        "a settled card tells of no failed authentication",
        "5.4",
        "3.b1 and 4.b3 are cleared by an approval of the issuer.",
        Settle(),
        *BEGIN,
        Dynamic(answer=(0x9000, 0x6985)),
        Generate(AAC),
        effect=Effect.TRANSACTION,
    )


def _unsupported(bench: Bench, app: Application) -> str:
    words = By("pse_cda_unsupported", (("6985", 0x6985), ("ignore", 0x9000))).accepted(bench)
    if words == (0x9000,):
        Generate(ARQC | _CDA).run(bench)
        return ""
    Generate(ARQC | _CDA, answer=words if len(words) > 1 else words[0]).run(bench)
    return ""
