"""Electronic cash under power loss (pse-pboc 5.5, 6): money, log and answer move together.

A debit torn anywhere leaves balance and log as before or both as after; so does a load. The
terminal begins again, and what is there can be spent, no more.
"""

from typing import NamedTuple

import pytest
from cash_desk import CASH, DEBIT, FULL, SINGLE, CashDesk, cash_card, gpo, n12
from pse_desk import ADF, ARQC, TC, cid, cryptogram, terminal_data

from sscard.card import Card
from sscard.sample import new_card
from sscard.testing.trial import Step, record

pytestmark = pytest.mark.tear

PAID = 2500
FAILED = 0x08  # CVR byte 4 b4


class Purse(NamedTuple):
    """What a terminal finds: the balance, the amount in the newest log record, the ATC."""

    balance: int
    logged: str
    atc: int


def purse(image: bytes) -> Purse:
    desk = CashDesk(Card(image))
    desk.select()
    return Purse(desk.balance(), desk.log()[12:24], int(desk.element("9F36"), 16))


def begins_again(image: bytes) -> list[str]:
    """The whole balance can be spent in one more transaction, and one cent more cannot."""
    found = purse(image)
    desk = CashDesk(Card(image))
    wrong = []
    if desk.opened(found.balance + 1) != DEBIT:
        wrong.append("more than the balance")
    if desk.opened(found.balance) != CASH:
        return [*wrong, f"no electronic cash with {found.balance}"]
    if cid(desk.pay(TC, found.balance)) != "40" or desk.balance():
        wrong.append(f"{found.balance} could not be spent")
    return wrong


def generate(p1: int, amount: int) -> str:
    data = terminal_data(amount=n12(amount))
    return f"80AE{p1:02X}00{len(data) // 2:02X}{data}00"


def torn(tears, card: Card, *session: str) -> list[Purse]:
    *before, last = [Step(bytes.fromhex(apdu)) for apdu in session]
    trial = record(card.snapshot(), before, last)
    assert trial.response[-2:] == b"\x90\x00"
    result = tears(trial, checks=(begins_again,), retry=False)
    return [purse(state.image) for state in result.states]


def test_pse_6_1_a_debit_moves_balance_and_log_together(tears):
    found = torn(tears, cash_card(), ADF, gpo(PAID), generate(TC, PAID))
    assert found == [Purse(FULL, "", 1), Purse(FULL - PAID, n12(PAID), 1)]


def test_pse_6_1_a_debit_that_fills_the_log(tears):
    """The log goes round: record 11 takes the place of the first."""
    desk = CashDesk()
    for amount in range(1, 11):
        desk.opened(amount)
        desk.pay(TC, amount)
    left = FULL - 55
    found = torn(tears, desk.card, ADF, gpo(PAID), generate(TC, PAID))
    assert found == [Purse(left, n12(10), 11), Purse(left - PAID, n12(PAID), 11)]


@pytest.mark.parametrize("amount", [SINGLE, 0])
def test_pse_6_1_a_load(amount, tears):
    desk = CashDesk()
    desk.opened(FULL + 1)
    answer = desk.pay(ARQC, FULL + 1)
    load = desk.load(amount, cryptogram(answer))
    session = (ADF, gpo(FULL + 1), generate(ARQC, FULL + 1), load)
    found = torn(tears, cash_card(), *session)
    assert [one.balance for one in found] == [FULL, amount]


def test_pse_6_2_the_last_record_of_qpboc(tears):
    """An approval becomes final with it, or the terminal has not read it and nothing is paid."""
    card = new_card("pboc-contactless")
    terms = f"26000000{n12(PAID)}0000000000000156{'00' * 5}015626070100A1B2C3D4"
    session = [ADF, f"80A80000238321{terms}00", "00B2011400"]
    before = [Step(bytes.fromhex(apdu)) for apdu in session]
    last = Step(bytes.fromhex("00B2031C00"))
    trial = record(card.snapshot(), before, last, interface="contactless")
    assert trial.response[-2:] == b"\x90\x00"
    found = [purse(state.image) for state in tears(trial, retry=False).states]
    assert found == [Purse(FULL, "", 1), Purse(FULL - PAID, n12(PAID), 1)]
