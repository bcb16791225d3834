"""`ISSUER_AUTH`: right and wrong ARPCs, and what the card makes of them (pse-pboc 3, 4.7)."""

from collections.abc import Iterator

from sscard.iso.apdu import Command
from sscard.testing.conformance.model import Case, Effect, Step
from sscard.testing.conformance.pse.bank import (
    APPROVED,
    Arpc,
    Settle,
)
from sscard.testing.conformance.pse.frame import bank_case, only_if
from sscard.testing.conformance.pse.switches import By
from sscard.testing.conformance.pse.transaction import (
    AAC,
    TC,
    Ask,
    Generate,
)
from sscard.testing.conformance.pse.ways import BEGIN, ONLINE
from sscard.testing.conformance.steps import Reset

__all__ = ["issuer_cases"]


def issuer_cases() -> Iterator[Case]:
    """Yield the cases of EXTERNAL AUTHENTICATE."""

    def case(name: str, title: str, why: str, *steps: Step) -> Case:
        return bank_case(
            f"ISSUER_AUTH/{name}", title, "4.7, 3", why, *steps, effect=Effect.TRANSACTION
        )

    yield case(
        "right",
        "the right ARPC",
        "9000, and the second cryptogram is a TC.",
        *ONLINE,
        Arpc(),
        Generate(TC, APPROVED, only="TC"),
    )
    for form, what in (
        ("first", "a bit of its first byte wrong"),
        ("last", "a bit of its last byte wrong"),
        ("arc", "made for another ARC"),
        ("old", "of the transaction before"),
        ("zeros", "of zeros"),
    ):
        yield case(
            f"wrong-{form}",
            f"an ARPC {what}",
            "6300: all eight bytes count. The CVR tells that issuer authentication failed (2.b4).",
            *((*ONLINE, Arpc(), Generate(AAC, APPROVED)) if form == "old" else ()),
            *ONLINE,
            Arpc(form, answer=0x6300),
            Generate(TC, APPROVED),
        )
    yield case(
        "twice",
        "a second EXTERNAL AUTHENTICATE",
        "6985, and the issuer's authentication has failed by it: 2.b4.",
        *ONLINE,
        Arpc(),
        Arpc(answer=0x6985),
        Generate(TC, APPROVED),
    )
    yield case(
        "after-wrong",
        "the right ARPC after a wrong one",
        "6985: there is one try a transaction.",
        *ONLINE,
        Arpc("first", answer=0x6300),
        Arpc(answer=0x6985),
        Generate(TC, APPROVED),
    )
    yield case(
        "length",
        "ARPC and ARC are ten bytes",
        "6700, and it may still be given.",
        *ONLINE,
        Arpc("short", answer=0x6700),
        Arpc("long", answer=0x6700),
        Arpc(),
        Generate(TC, APPROVED, only="TC"),
    )
    yield case(
        "remembered",
        "the next transaction knows that issuer authentication failed",
        "3.b4 and 3.b8; on line if the ADA says so.",
        Settle(),
        *ONLINE,
        Arpc("first", answer=0x6300),
        Generate(AAC, APPROVED),
        *BEGIN,
        Generate(TC),
        *BEGIN,
        Generate(AAC),
    )
    yield case(
        "cut",
        "an ARPC counts with the second cryptogram only",
        "When power goes between the two, the issuer was not heard: 3.b8.",
        Settle(),
        *ONLINE,
        Arpc(),
        Reset(),
        *BEGIN,
        Generate(TC, only="ARQC"),
    )
    yield case(
        "unsupported",
        "EXTERNAL AUTHENTICATE of a card whose AIP has no issuer authentication",
        "Checked as usual, or 6985, as the card is made.",
        *ONLINE,
        only_if("the AIP has issuer authentication", lambda _, app: not app.deal.aip[0] & 0x04),
        Ask(
            "EXTERNAL AUTHENTICATE",
            Command(0x00, 0x82, 0x00, 0x00, bytes(8) + b"00"),
            By("pse_arpc_unsupported", (("checked", 0x6300), ("6985", 0x6985))),
        ),
    )
