"""`GET_DATA` and `CHALLENGE`: data objects and random numbers for everybody (pse-pboc 2.3, 5.1)."""

from collections.abc import Callable, Iterator

from sscard.iso.apdu import Command
from sscard.iso.sw import SW
from sscard.spec.pboc import GET_DATA, TAGS
from sscard.testing.conformance.bench import Bench, NotRun
from sscard.testing.conformance.model import Case, Expect, Form, Step
from sscard.testing.conformance.pse.application import Application, inside
from sscard.testing.conformance.pse.frame import Look, bank_case
from sscard.testing.conformance.pse.switches import By, may_be
from sscard.testing.conformance.pse.transaction import Ask, Enter
from sscard.testing.conformance.steps import Examine, Send

__all__ = ["data_cases"]


_ALWAYS = (0x9F13, 0x9F36)


_HIDDEN = (0x5A, 0x82, 0x8C, 0x94, 0x9F10, 0x9F26, 0x9F5A)


_CASH = (0x9F77, 0x9F78, 0x9F79, 0x9F6D)


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
