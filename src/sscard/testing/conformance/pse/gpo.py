"""`GPO`: opening a transaction (pse-pboc 2.1, 2.2, 3)."""

from collections.abc import Callable, Iterator

from sscard.iso.apdu import Command
from sscard.testing.conformance.bench import Bench
from sscard.testing.conformance.model import Case, Effect, Expect, Step
from sscard.testing.conformance.pse.application import Application
from sscard.testing.conformance.pse.frame import Look, bank_case, only_if
from sscard.testing.conformance.pse.terms import values_of
from sscard.testing.conformance.pse.transaction import (
    AAC,
    Ask,
    Enter,
    Generate,
    Options,
    options_of,
)
from sscard.testing.conformance.steps import Reset

__all__ = ["gpo_cases", "refused_options", "same_atc"]


def gpo_cases() -> Iterator[Case]:
    """Yield the cases of GET PROCESSING OPTIONS."""

    def case(name: str, title: str, why: str, *steps: Step, effect: Effect = Effect.SAFE) -> Case:
        return bank_case(f"GPO/{name}", title, "2.1, 2.2, 3", why, Enter(), *steps, effect=effect)

    yield case(
        "length",
        "as many bytes as the PDOL asks for, and two more",
        "Anything else is 6700, and no transaction begins: the ATC stays.",
        Look("a byte more", refused_options(0x6700, longer=True)),
        Look("no data", refused_options(0x6700, data=b"")),
        Look("the ATC", same_atc),
    )
    yield case(
        "tag",
        "the data are a template 83",
        "Another tag is 6A80, a wrong length inside 6700; the ATC stays.",
        only_if("the ATC is used up", lambda _, app: app.elements.get(0x9F36) != b"\xff\xff"),
        Look("tag 80", refused_options(0x6A80, tag=0x80)),
        Look("inner length", refused_options(0x6700, inner=1)),
        Look("the ATC", same_atc),
    )
    yield case(
        "parameters",
        "P1, P2 and class",
        "6A86 before the length is looked at, and 6E00 before that.",
        Ask("P1 = 01", Command(0x80, 0xA8, 0x01, 0x00, b"\x83"), 0x6A86),
        Ask("P2 = 01", Command(0x80, 0xA8, 0x00, 0x01, b"\x83"), 0x6A86),
        Ask("class 00", Command(0x00, 0xA8, 0x01, 0x00, b"\x83"), 0x6E00),
        Look("the ATC", same_atc),
    )
    yield case(
        "atc",
        "every transaction has an ATC of its own, one higher",
        "It rises by one with GET PROCESSING OPTIONS, and stays what it is when power goes.",
        Options(),
        Reset(),
        Enter(),
        Look("the ATC", same_atc),
        Options(),
        Enter(),
        Options(),
        Generate(AAC),
        effect=Effect.TRANSACTION,
    )
    yield case(
        "twice",
        "a transaction is opened once",
        "A second GET PROCESSING OPTIONS is 6985; the ATC stays and the transaction goes on.",
        Options(),
        Look("once more", refused_options(0x6985)),
        Look("the ATC", same_atc),
        Generate(AAC),
        Look("after the cryptogram", refused_options(0x6985)),
        effect=Effect.TRANSACTION,
    )
    yield case(
        "order",
        "of two faults the earlier check answers",
        "In a state without GET PROCESSING OPTIONS a wrong length is 6700 all the same, and a "
        "wrong tag is 6985.",
        Options(),
        Generate(AAC),
        Look("a byte more", refused_options(0x6700, longer=True)),
        Look("tag 80", refused_options(0x6985, tag=0x80)),
        effect=Effect.TRANSACTION,
    )
    yield case(
        "same",
        "AIP and AFL are the same in every transaction",
        "What a card supports does not change from one transaction to the next.",
        Options(),
        Look("remember them", _keep_options),
        Enter(),
        Options(),
        Look("the same", _other_options),
        Generate(AAC),
        effect=Effect.TRANSACTION,
    )


def refused_options(
    answer: int,
    *,
    longer: bool = False,
    tag: int = 0x83,
    inner: int = 0,
    data: bytes | None = None,
) -> Callable[[Bench, Application], str]:
    """Return a step's look at GET PROCESSING OPTIONS in a form that is refused."""

    def problem(bench: Bench, app: Application) -> str:
        command = options_of(app, values_of(bench, app))
        body = bytes((tag, command.data[1] + inner)) + command.data[2:]
        body += b"\0" if longer else b""
        command = command._replace(data=body if data is None else data)
        bench.exchange("GET PROCESSING OPTIONS", command, Expect((answer,)))
        return ""

    return problem


def same_atc(bench: Bench, app: Application) -> str:
    """Return what is wrong with the ATC, which was read before: it must be the same."""
    before = app.elements.get(0x9F36, b"")
    app.refresh(bench)
    after = app.elements.get(0x9F36, b"")
    return "" if after == before else f"{after.hex().upper()} after {before.hex().upper()}"


def _keep_options(bench: Bench, app: Application) -> str:
    bench.kept["options"] = app.deal.aip + app.deal.afl
    return ""


def _other_options(bench: Bench, app: Application) -> str:
    return "" if bench.kept["options"] == app.deal.aip + app.deal.afl else "other ones"
