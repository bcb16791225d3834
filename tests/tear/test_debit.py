"""A debit transaction under power loss (pse-pboc 5, 13; cos 1.3).

The ATC is spent by GPO and stays spent; a closing command settles counters, indicators and log
together or not at all; a PIN try is spent before the comparison. The terminal never goes on
after a power loss: it begins again, and that must work from everything a tear leaves.
"""

from pathlib import Path

import pytest
from debit_tears import ONLINE, Stored, begins_again
from pse_desk import (
    ADF,
    ARQC,
    GPO,
    PIN_BAD,
    PIN_OK,
    TC,
    debit_card,
    risk,
    terminal_data,
)

from sscard.apps.pse.layout import Counters, Indicator
from sscard.card import Card
from sscard.sample import sample_card
from sscard.testing import script
from sscard.testing.trial import Step, record, steps, trials

pytestmark = pytest.mark.tear

DEBIT = Path(__file__).parents[1] / "spec" / "pse" / "debit.apdu"


def hexed(*apdus: str) -> list[Step]:
    return [Step(bytes.fromhex(apdu)) for apdu in apdus]


def generate(p1: int, arc: str = "") -> str:
    data = arc + terminal_data()
    return f"80AE{p1:02X}00{len(data) // 2:02X}{data}00"


def torn(tears, card: Card, *session: str, answers: str = "9000") -> list[Stored]:
    """Tear the last command of a session everywhere; what it stores, state by state."""
    *before, last = hexed(*session)
    trial = record(card.snapshot(), before, last)
    assert trial.response.hex().upper().endswith(answers)
    result = tears(trial, checks=(begins_again,), retry=False)
    return [Stored.of(state.image) for state in result.states]


def test_pse_11_3_every_operation_of_the_transaction(tears):
    """GPO, VERIFY and the two GENERATE AC write; nothing else of the transcript does."""
    text = DEBIT.read_text(encoding="utf-8")
    seen = {}
    for trial in trials(sample_card().snapshot(), steps(script.parse(text))):
        result = tears(trial, checks=(begins_again,), retry=False)
        seen[trial.step.apdu[1]] = seen.get(trial.step.apdu[1], ()) + tuple(
            Stored.of(state.image) for state in result.states
        )
    assert list(seen) == [0xA8, 0x20, 0xAE]
    assert [one.counters.atc for one in seen[0xA8]] == [0, 1]
    assert [one.tries for one in seen[0x20]] == [3, 2, 3]
    waiting, asked, still, settled = seen[0xAE]
    assert (asked.counters, asked.logged) == (waiting.counters.marked(ONLINE), 0)
    assert still == asked
    assert settled.counters == Counters(atc=1, last_online_atc=1)
    assert settled.logged == 1


def test_pse_5_3_an_offline_approval_is_settled_and_logged_together(tears):
    """Counters and log lie in different pages; both move, or neither."""
    card = debit_card(dgi_0E01=risk("0000", last="0001", atc="0001"))
    before, after = torn(tears, card, ADF, GPO, PIN_OK, generate(TC))
    assert (before.counters.amount, before.logged) == (0, 0)
    assert (after.counters.amount, after.logged) == (12345, 1)


def test_pse_5_4_an_issuer_that_fails_is_remembered(tears):
    wrong = "008200000A" + "00" * 8 + "3030"
    session = (ADF, GPO, PIN_OK, generate(ARQC), wrong, generate(TC, "3030"))
    before, after = torn(tears, debit_card(), *session)
    assert before.counters.indicators == ONLINE
    assert after.counters.indicators & Indicator.ISSUER_AUTHENTICATION_FAILURE


def test_pse_2_4_a_wrong_pin(tears):
    assert [one.tries for one in torn(tears, debit_card(), ADF, GPO, PIN_BAD, answers="63C2")] == [
        3,
        2,
    ]


@pytest.mark.parametrize("ada", ["0000", "0080"], ids=["stays", "blocked"])
def test_pse_2_4_the_last_wrong_pin(ada, tears):
    """With ADA 2.b8 it costs the application, in a transaction after the try's own."""
    card = debit_card(dgi_0E01=risk(ada))
    session = hexed(ADF, GPO, PIN_BAD, PIN_BAD, PIN_BAD)
    trial = record(card.snapshot(), session[:-1], session[-1])
    result = tears(trial, retry=False)
    found = [Stored.of(state.image) for state in result.states]
    path = [(1, 0), (0, 0)] + [(0, 1)] * (ada == "0080")
    assert [(one.tries, one.blocked) for one in found] == path


def test_pse_3_the_last_atc_blocks_for_good(tears):
    card = debit_card(dgi_0E01=risk(atc="FFFE", last="FFFE"))
    trial = record(card.snapshot(), hexed(ADF), *hexed(GPO))
    result = tears(trial, retry=False)
    found = [Stored.of(state.image) for state in result.states]
    assert [(one.counters.atc, one.blocked) for one in found] == [(0xFFFE, 0), (0xFFFF, 2)]
