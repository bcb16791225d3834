"""`CASH`: electronic cash of the contact path, on cards that have it (pse-pboc 6.1)."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from sscard.iso.text import from_n, n
from sscard.testing.conformance.bench import Bench, NotRun
from sscard.testing.conformance.model import Case, Effect, Step
from sscard.testing.conformance.pse.application import (
    Application,
    application,
    get_data,
)
from sscard.testing.conformance.pse.bank import APPROVED, Script, Settle, missing_keys
from sscard.testing.conformance.pse.cryptograms import parsed
from sscard.testing.conformance.pse.frame import Look, bank_case
from sscard.testing.conformance.pse.switches import By
from sscard.testing.conformance.pse.terms import CASH_SUPPORT, Terms, terms_of
from sscard.testing.conformance.pse.transaction import AAC, ARQC, TC, Enter, Generate, Options

__all__ = ["cash_cases"]

_BALANCE, _LIMIT, _SINGLE = 0x9F79, 0x9F77, 0x9F78
_PRICE = 100
_BALANCE_BYTES = 5
_CASH = "needs electronic cash: the card has none"


def _money(fen: int) -> Terms:
    return (*CASH_SUPPORT, *terms_of(amount=f"{fen:012d}"))


@dataclass(frozen=True, slots=True)
class Cash:
    """SELECT and GET PROCESSING OPTIONS with cash support; whether the card opens it as cash.

    `fen` is the amount, or a function of the application. `expected` says whether the card must.
    """

    fen: int | Callable[[Application], int] = _PRICE
    expected: bool = True
    terms: Terms = ()
    title: str = "open a transaction of electronic cash"

    def missing(self, bench: Bench) -> str:
        """See `Step.missing`."""
        return missing_keys(bench)

    def run(self, bench: Bench) -> None:
        """See `Step.run`."""
        app = application(bench)
        Enter().run(bench)
        Options().run(bench)  # what AIP and AFL are without it
        usual = app.deal.aip + app.deal.afl
        Generate(AAC).run(bench)
        Enter().run(bench)
        fen = self.fen if isinstance(self.fen, int) else self.fen(app)
        Options((*_money(fen), *self.terms)).run(bench)
        balance = get_data(bench, _BALANCE)
        bench.kept["balance"] = balance or b""
        cash = app.deal.aip + app.deal.afl != usual
        app.deal.cash = cash
        if self.expected and not cash and "electronic_cash" not in bench.switches:
            raise NotRun("the card opens no electronic cash, and nobody told that it has to")
        wrong = "" if cash is self.expected else f"AIP {app.deal.aip.hex().upper()}"
        bench.require("the kind of the transaction", wrong)


@dataclass(frozen=True, slots=True)
class Signed:
    """GENERATE AC of a cash transaction; the card must answer with a `kind`."""

    asked: int
    kind: int
    fen: int = _PRICE

    @property
    def title(self) -> str:
        """What the step does."""
        return "GENERATE AC of electronic cash"

    def missing(self, bench: Bench) -> str:
        """See `Step.missing`."""
        return ""

    def run(self, bench: Bench) -> None:
        """See `Step.run`."""
        app = application(bench)
        Generate(self.asked, terms=_money(self.fen)).run(bench)
        found = parsed(app.deal.answer)
        seen = -1 if found is None else found.cid & 0xC0
        bench.require("kind", "" if seen == self.kind else f"{seen:02X}, not {self.kind:02X}")


class Restore:
    """Load the card to the balance it had before the suite."""

    __slots__ = ()
    title = "the balance is what it was"

    def missing(self, bench: Bench) -> str:
        """See `Step.missing`."""
        return ""

    def run(self, bench: Bench) -> None:
        """See `Step.run`."""
        app = application(bench)
        old = app.elements.get(_BALANCE)
        if old is None or missing_keys(bench):
            return
        bench.reset()
        Enter().run(bench)
        if get_data(bench, _BALANCE) == old:
            return
        Options().run(bench)
        Generate().run(bench)
        Script("PUT DATA 9F79", "04DA9F79", old).run(bench)


def cash_cases() -> Iterator[Case]:
    """Yield the cases of electronic cash."""

    def case(name: str, title: str, why: str, *steps: Step) -> Case:
        return bank_case(
            f"CASH/{name}",
            title,
            "6.1",
            why,
            Look("electronic cash", _there),
            Settle(),
            *steps,
            effect=Effect.RESTORED,
            restore=(Restore(), Settle(if_possible=True)),
        )

    yield case(
        "debit",
        "a TC debits the balance",
        "9F79 is less by the amount; ATC and cryptogram as ever; the debit counters stay.",
        Cash(),
        Signed(TC, TC),
        Look("9F79", _balance(_PRICE)),
        Look("issuer data", _told_balance),
    )
    yield case(
        "aac",
        "an AAC debits nothing",
        "9F79 stays.",
        Cash(),
        Signed(AAC, AAC),
        Look("9F79", _balance(0)),
    )
    yield case(
        "arqc",
        "an ARQC debits nothing",
        "The transaction goes on as a debit; 9F79 stays.",
        Cash(),
        Signed(ARQC, ARQC),
        Look("9F79", _balance(0)),
    )
    yield case(
        "other-amount",
        "another amount in CDOL1 than in the PDOL",
        "An AAC, and 9F79 stays.",
        Cash(),
        Signed(TC, AAC, _PRICE + 1),
        Look("9F79", _balance(0)),
    )
    yield case(
        "too-much",
        "more than the balance",
        "No electronic cash: AIP and AFL of the debit.",
        Cash(lambda app: from_n(app.elements[_BALANCE]) + 1, expected=False),
    )
    yield case(
        "too-much-at-once",
        "more than one transaction may be",
        "No electronic cash: AIP and AFL of the debit.",
        Cash(lambda app: from_n(app.elements[_SINGLE]) + 1, expected=False),
    )
    yield case(
        "other-currency",
        "another currency",
        "No electronic cash.",
        Cash(expected=False, terms=terms_of(currency="0840")),
    )
    yield case(
        "no-scripts",
        "no script after a TC of electronic cash",
        "6985.",
        Cash(),
        Signed(TC, TC),
        Script("APPLICATION UNBLOCK", "84180000", answer=0x6985, silent=True),
    )
    yield case(
        "load",
        "a load is PUT DATA of the balance",
        "9F79 has the value; above 9F77 it is refused.",
        Enter(),
        Options(),
        Generate(),
        Script("PUT DATA 9F79", "04DA9F79", lambda b: application(b).elements[_LIMIT]),
        Look("9F79", _is_limit),
        Script(
            "PUT DATA 9F79 above 9F77",
            "04DA9F79",
            lambda b: n(from_n(application(b).elements[_LIMIT]) + 1, 6),
            By("pse_put_data_limit", (("6A80", 0x6A80), ("6985", 0x6985), ("6976", 0x6976))),
        ),
        Look("9F79", _is_limit),
        Generate(AAC, APPROVED),
    )


def _there(bench: Bench, app: Application) -> str:
    limits = all(tag in app.elements for tag in (_BALANCE, _LIMIT, _SINGLE))
    off = bench.switches.get("electronic_cash") == "off"
    if not app.offers_cash or not limits or off:
        raise NotRun(_CASH)
    return ""


def _balance(less: int) -> Callable[[Bench, Application], str]:
    def problem(bench: Bench, app: Application) -> str:
        seen = get_data(bench, _BALANCE) or b""
        wanted = n(from_n(bench.kept["balance"]) - less, 6)
        return "" if seen == wanted else f"{seen.hex()}, not {wanted.hex()}"

    return problem


def _told_balance(bench: Bench, app: Application) -> str:
    """Issuer data of types 01 and 03: the balance after, or before, as the card is made."""
    data = app.issuer_data[9:]
    if not data or data[0] not in (0x01, 0x03):
        return ""
    after = get_data(bench, _BALANCE) or b""
    before = bench.kept["balance"]
    told = bench.switches.get("pse_cash_balance")
    right = {"after": (after,), "before": (before,)}.get(told or "", (after, before))
    return "" if data[1 : 1 + _BALANCE_BYTES] in {v[1:] for v in right} else "another balance"


def _is_limit(bench: Bench, app: Application) -> str:
    seen = get_data(bench, _BALANCE)
    return "" if seen == app.elements[_LIMIT] else f"{(seen or b'').hex()}"
