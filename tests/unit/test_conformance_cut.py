"""A run that cannot go on ends in an error that has the report of what had run."""

import json
from xml.etree import ElementTree as ET

import pytest
from conformance_desk import SUITE, Wrapped, bench, run

from sscard.cli.conformance_run import Wish, run_all, stop_code
from sscard.sample import new_card
from sscard.testing.conformance import (
    CutOff,
    Interrupted,
    Outcome,
    suites,
    to_html,
    to_json,
    to_junit,
    to_text,
)
from sscard.transport.port import CardMute, CardRemoved, CardReset

UPDATE = "DF01_RECORD/EF05/update"
REMOVED = CardRemoved("the reader: the card was taken out")


class Failing(Wrapped):
    """A port that raises `error` instead of the answer to the n-th command with an instruction.

    `lasting`: nothing works afterwards, as when a card was taken out.
    """

    def __init__(self, port, error, *, ins=None, number=1, lasting=True):
        super().__init__(port)
        self.error, self.ins, self.number, self.lasting = error, ins, number, lasting
        self.gone = False

    def transmit(self, apdu):
        if self.ins in (None, apdu[1]):
            self.number -= 1
        if (self.number == 0 and self.ins in (None, apdu[1])) or self.gone:
            self.gone = self.lasting
            raise self.error
        return super().transmit(apdu)

    def reset(self):
        if self.gone:
            raise self.error
        return super().reset()


def failing(error, card=None, **when):
    on = bench(card or new_card("v2"))
    on.port = Failing(on.port, error, **when)
    return on


def cut(on, *patterns, kind=CutOff):
    with pytest.raises(kind) as stopped:
        run("v2", *patterns, on=on)
    return stopped.value


def record(card):
    """The first record of DF01/EF05."""
    live = card.power_on()
    for apdu in ("00A404000F7378312E73682EC9E7BBE1B1A3D5CF", "00A4000002DF01", "0020000003123456"):
        assert live.transmit(bytes.fromhex(apdu))[-2:] == b"\x90\x00"
    read = live.transmit(bytes.fromhex("00B2012C00"))
    assert read[-2:] == b"\x90\x00"
    return read


def outcomes(report):
    return {result.case.id: result.outcome for result in report.results}


def test_what_had_run_is_in_the_report_of_a_card_taken_out():
    heard = []
    with pytest.raises(CutOff) as stopped:
        run("v2", "ATR/*", UPDATE, "DF02_RECORD/select", on=failing(REMOVED, ins=0xDC),
            listener=heard.append)  # fmt: skip
    report = stopped.value.report
    assert isinstance(stopped.value.__cause__, CardRemoved)
    assert str(stopped.value).startswith(f"the run stopped in {UPDATE}: {REMOVED}")
    seen = outcomes(report)
    assert [seen[f"ATR/{name}"] for name in ("form", "repeated", "region", "serial")] == [
        Outcome.PASSED
    ] * 4
    assert seen[UPDATE] is Outcome.CUT_OFF
    assert seen["DF02_RECORD/select"] is Outcome.NOT_RUN
    assert tuple(heard) == report.results
    last = report.results[-2]
    assert last.reason.endswith("the card may not be as it was before this case")
    assert last.exchanges, "what led to it is shown"


def test_no_form_of_such_a_report_looks_good():
    report = cut(failing(REMOVED, ins=0xDC), "ATR/*", UPDATE, "DF02_RECORD/select").report
    text = to_text(report)
    assert f"CUT OFF  {UPDATE}" in text
    assert f"the run stopped in {UPDATE}: the reader: the card was taken out" in text
    assert "in all: 4 passed, 1 not run, 1 cut off" in text
    data = json.loads(to_json(report))
    assert data["cut"] == data["suites"][0]["cut"] == report.cut
    assert data["counts"]["cut off"] == 1
    root = ET.fromstring(to_junit(report))
    [error] = root.iter("error")
    assert "taken out" in error.get("message")
    assert sum(int(node.get("errors")) for node in root) == 1
    assert "<p class=cut>The run stopped in DF01_RECORD" in to_html(report)


@pytest.mark.parametrize("error", [CardReset("another program"), CardMute("no answer")])
def test_a_card_that_is_still_there_is_put_back_as_it_was(error):
    card = new_card("v2")
    before = record(card)
    on = failing(error, card, ins=0xDC, number=2, lasting=False)
    report = cut(on, UPDATE).report
    assert [apdu[1] for apdu, _ in on.port.sent].count(0xDC) == 2, "changed, and put back"
    assert record(card) == before
    assert report.results[0].reason.endswith("the card was put back as it was before this case")


def test_a_card_that_may_be_another_one_gets_no_key_and_no_update():
    """Nothing is sent to what is in the reader after a card was taken out."""
    on = failing(REMOVED, ins=0xDC, number=2, lasting=False)
    cut(on, UPDATE)
    assert [apdu[1] for apdu, _ in on.port.sent].count(0xDC) == 1
    assert on.port.sent[-1][0][1] != 0x82
    assert on.port.number == 0


def test_ctrl_c_keeps_the_report_and_puts_the_card_back():
    on = failing(KeyboardInterrupt(), ins=0xDC, number=2, lasting=False)
    stopped = cut(on, "ATR/*", UPDATE, kind=Interrupted)
    assert isinstance(stopped, KeyboardInterrupt)
    assert "interrupted; the card was put back as it was" in stopped.report.cut
    assert stop_code(stopped) == 130


def test_a_run_that_stops_before_its_first_case():
    report = cut(failing(REMOVED), "ATR/*").report
    assert report.cut.startswith("before the first case")
    assert [r.outcome for r in report.results] == [Outcome.CUT_OFF] + [Outcome.NOT_RUN] * 3
    assert len(list(ET.fromstring(to_junit(report)).iter("error"))) == 1


def test_an_answer_that_is_none_is_a_failure_of_its_case_alone():
    on = bench(new_card("v2"))
    on.port = Wrapped(
        on.port, lambda apdu, answer: b"" if (apdu[1], apdu[3] >> 3) == (0xB2, 6) else answer
    )
    report = run("v2", "DF01_RECORD/EF06/numbers", "ATR/form", on=on)
    assert outcomes(report)["DF01_RECORD/EF06/numbers"] is Outcome.FAILED
    assert "no status word" in report.failures[0].reason
    assert outcomes(report)["ATR/form"] is Outcome.PASSED


@pytest.mark.parametrize("number", [1, 3])
def test_suites_after_the_end_are_told_not_to_have_run(number):
    """Wherever the first suite stops, the second sends nothing."""
    on = failing(REMOVED, number=number)
    wishes = [Wish(suite, False, "", ()) for suite in suites().values()]
    reports, stopped = run_all(on, wishes, safe=True, destroy=False, waivers=())
    assert stop_code(stopped) == 3
    assert [report.suite for report in reports] == ["ssse", "pse"]
    assert reports[0].cut
    assert reports[1].absent.startswith("not run: the run stopped ")
    assert len(on.port.sent) == number - 1
    assert outcomes(reports[0])[SUITE.cases("v2")[0].id] in (Outcome.CUT_OFF, Outcome.PASSED)


def test_a_card_that_answers_6f00_after_every_reset_is_given_up():
    """Three cases fail, with one command each, and no key is tried on it any more."""
    on = bench(new_card("v2"))
    answered = iter(range(200))
    on.port = Wrapped(
        on.port, lambda _, answer: answer if next(answered, None) is not None else b"\x6f\x00"
    )
    stopped = cut(on, "ATR/*", "DF01_RECORD/*", "DF02_RECORD/*")
    seen = [result.outcome for result in stopped.report.results]
    last = max(n for n, outcome in enumerate(seen) if outcome is not Outcome.NOT_RUN)
    dead = [
        result
        for result in stopped.report.failures
        if all(exchange.answer.startswith("6F00") for exchange in result.exchanges)
    ]
    assert dead == list(stopped.report.results[last - 2 : last + 1])
    assert stopped.report.cut == (
        f"after {stopped.report.results[last].case.id}: "
        "the card answers 6F00 to everything, after a reset, too"
    )
    assert isinstance(stopped.__cause__, CardMute)


def test_the_page_shows_each_step_with_what_was_expected_and_seen():
    strange = new_card("v2", {"ssse.df.DF01.ef.EF05.read": "F"})
    page = to_html(run("v2", "DF01_SAFETY/EF05/read/none", "ATR/*", on=bench(strange)))
    assert "<li><a href='#DF01_SAFETY/EF05/read/none'>" in page
    assert "<tr id='DF01_SAFETY/EF05/read/none'>" in page
    [odd] = [line for line in page.split("<tr") if line.startswith(" class=odd")]
    assert "<td><code>00B2012C00</code><td><code>2002 [4 bytes] 9000 done</code><td>6982" in odd
    assert page.index("<a href='#ATR'>") < page.index("<h2 id='ATR'>")
