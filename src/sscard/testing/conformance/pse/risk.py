"""`RISK`: what a card remembers, and when it wants its issuer to be asked (pse-pboc 5.2 to 5.4).

Every case begins with an approval of the issuer, so that what is remembered is known; then each
answer, its CID and its CVR follow from the tables and the limits that GET DATA shows.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from sscard.testing.conformance.bench import Bench, NotRun
from sscard.testing.conformance.model import Case, Effect, Step
from sscard.testing.conformance.pse.application import Application, application
from sscard.testing.conformance.pse.bank import Settle, missing_keys
from sscard.testing.conformance.pse.frame import Look, bank_case
from sscard.testing.conformance.pse.terms import Terms, terms_of
from sscard.testing.conformance.pse.transaction import AAC, TC, Enter, Generate, Options
from sscard.testing.conformance.pse.ways import BEGIN, has_element
from sscard.testing.conformance.steps import Reset

__all__ = ["risk_cases"]

_MOST = 9
_DOLLARS, _EUROS = "0840", "0978"
_HOME = {"currency": 0x9F51, "country": 0x9F57}


@dataclass(frozen=True, slots=True)
class Repeat:
    """Transactions that ask for a TC, one more than a limit (9F58, 9F53, 9F72) allows.

    `abroad` is "currency" or "country" where the limit counts those that are not the card's own.
    """

    tag: int
    abroad: str = ""

    @property
    def title(self) -> str:
        """What the step does."""
        return f"one transaction more than {self.tag:04X} allows"

    def missing(self, bench: Bench) -> str:
        """See `Step.missing`."""
        return missing_keys(bench)

    def run(self, bench: Bench) -> None:
        """See `Step.run`."""
        app = application(bench)
        limit = app.elements.get(self.tag)
        if limit is None:
            raise NotRun(f"the card has no {self.tag:04X}")
        if limit[0] > _MOST:
            raise NotRun(f"{self.tag:04X} allows {limit[0]} transactions: too many to try")
        terms = self._terms(app)
        for _ in range(limit[0] + 1):
            for step in (Enter(), Options(), Generate(TC, terms=terms)):
                step.run(bench)
        if "ARQC" not in app.deal.answers:
            bench.require(self.title, f"still {app.deal.answers}: no limit was found")

    def _terms(self, app: Application) -> Terms:
        """Another currency or country than the card's own (9F51, 9F57)."""
        if not self.abroad:
            return ()
        home = app.elements.get(_HOME[self.abroad])
        if home is None:
            raise NotRun(f"the card has no {_HOME[self.abroad]:04X}: it knows no {self.abroad}")
        return terms_of(**{self.abroad: _EUROS if home.hex() == _DOLLARS else _DOLLARS})


def risk_cases() -> Iterator[Case]:
    """Yield the cases of risk management."""

    def case(name: str, title: str, why: str, *steps: Step) -> Case:
        return bank_case(
            f"RISK/{name}", title, "5.3", why, Settle(), *steps, effect=Effect.TRANSACTION
        )

    yield case(
        "offline",
        "a small amount, nothing remembered",
        "A TC, as far as the card's limits allow one off line.",
        *BEGIN,
        Generate(TC),
    )
    yield case(
        "consecutive",
        "more transactions off line than 9F58 allows",
        "ATC - 9F13 above 9F58 is on line, and 3.b6.",
        Repeat(0x9F58),
    )
    yield case(
        "currency",
        "more transactions in another currency than 9F53 allows",
        "On line, and 3.b6.",
        Repeat(0x9F53, "currency"),
    )
    yield case(
        "country",
        "more transactions in another country than 9F72 allows",
        "On line, and 3.b6.",
        Repeat(0x9F72, "country"),
    )
    yield case(
        "amount",
        "more money off line than 9F54 allows",
        "On line, and 3.b6.",
        Look("9F54", has_element(0x9F54)),
        *BEGIN,
        Generate(TC, terms=terms_of(amount="999999999999")),
    )
    yield case(
        "amount-dual",
        "more money in two currencies than 9F75 allows",
        "On line, and 3.b6.",
        Look("9F75", has_element(0x9F75)),
        *BEGIN,
        Generate(TC, terms=terms_of(amount="999999999999")),
    )
    yield case(
        "abroad",
        "another currency and another country, asked for nothing",
        "An AAC, and the tables say what is counted.",
        *BEGIN,
        Generate(AAC, terms=terms_of(currency=_DOLLARS, country=_DOLLARS)),
        *BEGIN,
        Generate(TC, terms=terms_of(currency=_DOLLARS, country=_DOLLARS)),
    )
    yield case(
        "not-completed",
        "an ARQC that nobody answered",
        "The next transaction is on line, and 3.b8, also when power went.",
        *BEGIN,
        Generate(),
        Reset(),
        *BEGIN,
        Generate(TC, only="ARQC"),
    )
    yield case(
        "sda-failed",
        "SDA failed, and declined off line",
        "TVR 1.b7 and an AAC: the next CVR has 3.b1.",
        *BEGIN,
        Generate(AAC, terms=terms_of(tvr="4000008000")),
        *BEGIN,
        Generate(AAC),
    )
    for name, tvr in (("dda-failed", "0800008000"), ("cda-failed", "0400008000")):
        yield case(
            name,
            f"{name[:3].upper()} failed, and declined off line",
            "TVR 1.b4 or 1.b3 and an AAC: the next CVR has 4.b3.",
            *BEGIN,
            Generate(AAC, terms=terms_of(tvr=tvr)),
            *BEGIN,
            Generate(AAC),
        )
    for name, kind in (("alone", TC), ("alone-aac", AAC)):
        yield case(
            name,
            "the terminal could not go on line",
            "2.b1; the card decides by 9F59, 9F5C and its ADA. What it remembers of the issuer "
            "stays: the next transaction is on line, with 3.b8.",
            *BEGIN,
            Generate(),
            Generate(kind, "Z3" if kind == AAC else "Y3"),
            *BEGIN,
            Generate(TC, only="ARQC"),
        )
    yield case(
        "alone-limit",
        "the terminal cannot go on line, again and again",
        "ATC - 9F13 above 9F59 is declined, with 3.b6.",
        Alone(),
    )


class Alone:
    """ARQC and Y3, as often as 9F59 allows and once more."""

    __slots__ = ()
    title = "one transaction more than 9F59 allows"

    def missing(self, bench: Bench) -> str:
        """See `Step.missing`."""
        return missing_keys(bench)

    def run(self, bench: Bench) -> None:
        """See `Step.run`."""
        app = application(bench)
        limit = app.elements.get(0x9F59)
        if limit is None or limit[0] > _MOST:
            raise NotRun("the card has no 9F59, or too high a one to be tried")
        for _ in range(limit[0] + 1):
            for step in (Enter(), Options(), Generate(), Generate(TC, "Y3")):
                step.run(bench)
        last = app.deal.answers[-1]
        bench.require("the last one is declined", "" if last == "AAC" else f"answered {last}")
