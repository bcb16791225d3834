"""The terminal's steps of a transaction: SELECT, GET PROCESSING OPTIONS, GENERATE AC.

Whatever the card answers is held against the reference there and then: form, kind, CID, CVR,
and with the bank's keys the cryptogram. Source: pse-pboc 2.6, 3, 4.4, 5.3, 5.4.
"""

from dataclasses import dataclass

from sscard.iso.apdu import Command
from sscard.iso.sw import SW
from sscard.iso.tlv import encode
from sscard.testing.conformance.bench import Bench, NotRun
from sscard.testing.conformance.model import Expect
from sscard.testing.conformance.pse.application import (
    BANK,
    Application,
    application,
    blocked_card,
    dol,
    fci_of,
    inside,
    read_record,
    select,
)
from sscard.testing.conformance.pse.cryptograms import (
    Cryptogram,
    cryptogram_problem,
    discretionary_problem,
    form_problem,
    parsed,
)
from sscard.testing.conformance.pse.deal import Deal, Phase
from sscard.testing.conformance.pse.oda import combined_cryptogram
from sscard.testing.conformance.pse.prediction import (
    Foreseen,
    after_first,
    foreseen_first,
    foreseen_second,
)
from sscard.testing.conformance.pse.switches import Answer, expected, is_set
from sscard.testing.conformance.pse.terms import Terms, filled, values_of

__all__ = ["AAC", "ARQC", "TC", "Ask", "Enter", "Generate", "Options", "options_of"]

ARQC, TC, AAC = 0x80, 0x40, 0x00
_CDA = 0x10
_NAMES = {AAC: "AAC", TC: "TC", ARQC: "ARQC"}
_KIND = 0xC0
_FIRST_OF = {"AAC": 0x8, "TC": 0x9, "ARQC": 0xA}
"""Bits b8 to b5 of CVR byte 2 after a first answer (4.5)."""
_FOLLOWED = "followed"


@dataclass(frozen=True, slots=True)
class Ask:
    """Send a command whose answer may hang on a switch of the card; `keep` names its data."""

    title: str
    command: Command
    answer: Answer = 0x9000
    keep: str = ""

    def missing(self, bench: Bench) -> str:
        """See `Step.missing`."""
        return blocked_card(bench)

    def run(self, bench: Bench) -> None:
        """See `Step.run`."""
        reply = bench.exchange(self.title, self.command, expected(bench, self.answer))
        if self.keep:
            bench.kept[self.keep] = reply.data


@dataclass(frozen=True, slots=True)
class Enter:
    """SELECT the bank application, and forget the transaction before."""

    title: str = "SELECT the bank application"
    answer: Answer = (0x9000, 0x6283)

    def missing(self, bench: Bench) -> str:
        """See `Step.missing`."""
        return f"the card has no {BANK}" if BANK in bench.absent else blocked_card(bench)

    def run(self, bench: Bench) -> None:
        """See `Step.run`."""
        app = application(bench)
        app.deal = Deal()
        if _FOLLOWED not in bench.kept:  # what other cases left is not counted on
            app.known = []
            bench.kept[_FOLLOWED] = b"\1"
        reply = bench.exchange(self.title, select(app.aid), expected(bench, self.answer))
        app.deal.blocked = reply.sw == SW.FILE_INVALIDATED
        bench.kept["fci"] = fci_of(bench, reply)
        app.refresh(bench)


@dataclass(frozen=True, slots=True)
class Options:
    """GET PROCESSING OPTIONS with what the PDOL asks for; the ATC must rise by one.

    `blocked` takes a blocked application, too.
    """

    terms: Terms = ()
    blocked: bool = False
    title: str = "GET PROCESSING OPTIONS"

    def missing(self, bench: Bench) -> str:
        """See `Step.missing`."""
        app = application(bench)
        return app.unfit or ("" if self.blocked else app.blocked)

    def run(self, bench: Bench) -> None:
        """See `Step.run`."""
        app = application(bench)
        if app.unfit:
            raise NotRun(app.unfit)
        deal = app.deal
        command = options_of(app, values_of(bench, app, self.terms))
        reply = bench.exchange(self.title, command, Expect())
        before = int.from_bytes(app.elements.get(0x9F36, b""), "big")
        deal.phase, deal.pdol_data = Phase.INITIATED, command.data[2:]
        deal.aip, deal.afl = _options(reply.data)
        bench.require("AIP and AFL", _options_problem(deal), reply.data)
        app.refresh(bench)
        deal.atc = int.from_bytes(app.elements.get(0x9F36, b""), "big")
        problem = "" if deal.atc == before + 1 else f"{deal.atc:04X} after {before:04X}"
        bench.require("the ATC rose by one", problem)
        if 0x8C not in app.tags:
            _read(bench, app)


def options_of(app: Application, values: dict[int, bytes]) -> Command:
    """Return the GET PROCESSING OPTIONS of this card."""
    return Command(0x80, 0xA8, 0x00, 0x00, encode(0x83, filled(app.pdol, values)), 256)


def _options(answer: bytes) -> tuple[bytes, bytes]:
    """Return AIP and AFL of an answer in format 1 (80) or 2 (77)."""
    plain = inside(answer).get(0x80)
    if plain is not None:
        return plain[:2], plain[2:]
    held = inside(answer, 0x77)
    return held.get(0x82, b""), held.get(0x94, b"")


def _options_problem(deal: Deal) -> str:
    if len(deal.aip) != 2:
        return "no AIP of two bytes"
    return "" if deal.afl and len(deal.afl) % 4 == 0 else f"an AFL of {len(deal.afl)} bytes"


def _read(bench: Bench, app: Application) -> None:
    """Read what the AFL names, on a card that shows records only now."""
    afl = app.deal.afl
    for at in range(0, len(afl), 4):
        for number in range(afl[at + 1], afl[at + 2] + 1):
            reply = bench.transmit(read_record(number, afl[at] >> 3))
            if reply.sw == SW.OK:
                app.take(afl[at] >> 3, number, reply.data)


@dataclass(frozen=True, slots=True)
class Generate:
    """GENERATE AC, the first one, or with an `arc` the second; or one that must be refused.

    `asked` may have bits of P1 beside the kind. `answer` other than 9000 says what refuses it;
    then `longer` is added to the data. `only` is the kind the card must answer with, where more
    than the tables of risk management decide.
    """

    asked: int = ARQC
    arc: str = ""
    terms: Terms = ()
    answer: Answer = 0x9000
    longer: int = 0
    only: str = ""
    name: str = ""

    @property
    def title(self) -> str:
        """What the step does."""
        turn = "second" if self.arc else "first"
        return self.name or f"{turn} GENERATE AC, asking for {_NAMES.get(self.asked & _KIND, '?')}"

    def missing(self, bench: Bench) -> str:
        """See `Step.missing`."""
        return ""

    def run(self, bench: Bench) -> None:
        """See `Step.run`."""
        app = application(bench)
        what = 0x8D if self.arc else 0x8C
        if what not in app.tags:
            raise NotRun(f"the card has no {'CDOL2' if self.arc else 'CDOL1'}")
        values = values_of(bench, app, self.terms, self.arc)
        data = filled(app.tags[what], values)
        data = data + bytes(self.longer) if self.longer >= 0 else data[: self.longer]
        command = Command(0x80, 0xAE, self.asked, 0x00, data, 256)
        reply = bench.exchange(self.title, command, expected(bench, self.answer))
        if self.answer != 0x9000:
            return
        asked_for = {tag for tag, _ in dol(app.tags[what])}
        _Reading(bench, app, {t: v for t, v in values.items() if t in asked_for}).follow(
            self, data, reply.data
        )


class _Reading:
    """One answer of GENERATE AC, judged and taken over."""

    def __init__(self, bench: Bench, app: Application, values: dict[int, bytes]) -> None:
        self.bench, self.app, self.values = bench, app, values

    def follow(self, step: Generate, data: bytes, answer: bytes) -> None:
        """Judge an answer. Errors: `Deviation`."""
        bench, app, deal = self.bench, self.app, self.app.deal
        deal.answer = answer
        found = parsed(answer)
        if found is None:
            bench.require("the answer", "neither format 1 nor format 2", answer)
            return
        wants_cda = bool(step.asked & _CDA) and bool(deal.aip[0] & 0x01)
        signed = wants_cda and found.cid & _KIND != AAC
        bench.require("form", form_problem(bench, found, deal.atc, cda=signed), answer)
        if step.arc:
            deal.cdol2 = data
        else:
            deal.cdol1 = data
        if signed:
            found = combined_cryptogram(bench, app, found, self.values)
            deal.cvr |= 0x02
        self._kind(step, found)
        problem = cryptogram_problem(bench, app, found, self.values)
        bench.require("the cryptogram", problem, found.value)
        bench.require("issuer discretionary data", discretionary_problem(bench, app, found))
        self._take(step, found)

    def _kind(self, step: Generate, found: Cryptogram) -> None:
        app, asked = self.app, _NAMES[step.asked & _KIND]
        if app.deal.cash:
            app.known = []
            first = _FIRST_OF[_NAMES.get(found.cid & _KIND, "AAC")]
            wrong = "" if found.cvr >> 20 == first else f"CVR 03{found.cvr:06X}"
            self.bench.require("the CVR tells what was answered", wrong)
            return
        ways = self._foreseen(step, asked)
        ways = [way for way in ways if not step.only or step.only in way.kind]
        fitting = [way for way in ways if way.fits(found.cid, found.cvr)]
        seen = f"CID {found.cid:02X} and CVR 03{found.cvr:06X}"
        wanted = " or ".join(dict.fromkeys(map(str, ways))) or f"{step.only}, which is not due"
        after_first(app, fitting)
        self.bench.require("what the card decided", "" if fitting else f"{seen}, expected {wanted}")
        app.deal.blocked = app.deal.blocked or any(way.blocks for way in fitting)

    def _foreseen(self, step: Generate, asked: str) -> list[Foreseen]:
        if step.arc:
            return foreseen_second(self.bench, self.app, asked, step.arc, self.values)
        return foreseen_first(self.app, asked, self.values)

    def _take(self, step: Generate, found: Cryptogram) -> None:
        deal, kind = self.app.deal, _NAMES[found.cid & _KIND]
        was_open = deal.blocked or self.app.tries == 0
        deal.cvr = found.cvr
        deal.answers.append(kind)
        self.app.issuer_data = found.issuer_data
        self.bench.kept["cid"] = bytes((found.cid,))
        if step.arc:
            deal.phase = Phase.SCRIPT
            return
        deal.ac1 = found.value
        opens = was_open and (deal.blocked or is_set(self.bench, "pse_open_without_pin", "yes"))
        deal.phase = Phase.OPEN if opens else Phase.FINISHED
        if kind == "ARQC":
            deal.phase = Phase.ONLINE
