"""The full terminal (ssse-lb002 8, 9): both sides of one card in one session, the PSAM on one."""

from datetime import date, datetime

import pytest

from sscard.card import Card
from sscard.cli.cert import ca_keys_named
from sscard.cli.demo.host import demo_host
from sscard.errors import TransportError
from sscard.perso.roots import demo_vault
from sscard.sample import new_card, sample_card, sample_psam
from sscard.states import card_in_state
from sscard.terminal import (
    OtherCard,
    Policy,
    PsamSource,
    RightMissing,
    SettlementFailed,
    VaultSource,
    WrongPin,
)
from sscard.terminal.bank import POS, KeyedPad, NoBankApplication
from sscard.terminal.full import Bill, FullTerminal
from sscard.transport.memory import MemoryPort, PoweredSlot

AT = datetime(2026, 7, 1, 10, 30)
DAY = AT.date()
BILL = Bill("H-2026-001", insured_fen=1_200, personal_fen=345)
RESET = bytes.fromhex("00")


class Line:
    """A port that takes down what goes through it: (name, instruction), resets as 00."""

    def __init__(self, name, card, log, link="t0"):
        self._port = MemoryPort(PoweredSlot(card, link=link))
        self._name, self._log = name, log

    def transmit(self, apdu):
        self._log.append((self._name, apdu))
        return self._port.transmit(apdu)

    def reset(self):
        self._log.append((self._name, RESET))
        return self._port.reset()

    def close(self):
        self._port.close()


def counter(card, log=None, *, host=None, pin="123456", psam=None):
    log = [] if log is None else log
    source = PsamSource(Line("psam", psam or sample_psam(), log))
    return FullTerminal(
        Line("card", card, log),
        source,
        Policy(date(2026, 7, 1)),
        POS,
        ca_keys_named(None),
        region="999901",
        host=host or demo_host("sample", day=DAY),
        pad=KeyedPad.of(pin),
    )


def furnished(desk):
    """A PIN that may settle, and money in the medical account."""
    visit = desk.social()
    visit.accept()
    visit.verify_pin("123456")
    visit.change_pin("123456", "246810")
    visit.verify_pin("246810")
    visit.load(VaultSource(demo_vault("sample")), 5_000, AT)
    return desk


def test_ssse_9_a_bill_is_settled_by_both_sides_in_one_session():
    log = []
    host = demo_host("sample", day=DAY)
    desk = furnished(counter(sample_card(), log, host=host))
    log.clear()
    receipt = desk.settle_medical(BILL, AT, pin="246810")
    assert (receipt.social.balance_fen, receipt.payment.approved, receipt.due_fen) == (
        3_800,
        True,
        0,
    )
    assert RESET not in [apdu for _, apdu in log], "one session, one reset"
    bank_from = next(
        at
        for at, (_, apdu) in enumerate(log)
        if apdu[:4] == bytes.fromhex("00A40400") and b"PAY" in apdu
    )
    assert "psam" in {name for name, _ in log[:bank_from]}
    assert {name for name, _ in log[bank_from:]} == {"card"}, "the PSAM serves the social side only"


def test_ssse_9_a_bill_is_settled_once():
    desk = furnished(counter(sample_card()))
    first = desk.settle_medical(BILL, AT, pin="246810")
    log = len(desk._bank.memory.batch)
    assert desk.settle_medical(BILL, AT, pin="246810") == first
    assert len(desk._bank.memory.batch) == log
    with pytest.raises(ValueError, match="other amounts"):
        desk.settle_medical(Bill(BILL.number, 1, 1), AT, pin="246810")


class Down:
    """A host that nobody reaches."""

    def __getattr__(self, name):
        def call(*_):
            raise TransportError("no line")

        return call


def test_ssse_9_what_the_bank_did_not_pay_is_due_and_paid_again_alone():
    """The social half stands; paying again touches neither the account nor the PSAM."""
    log = []
    desk = furnished(counter(sample_card(), log, host=Down()))
    receipt = desk.settle_medical(BILL, AT, pin="246810")
    assert receipt.social.balance_fen == 3_800
    assert (receipt.due_fen, receipt.why) == (345, "declined")
    log.clear()
    again = desk.settle_medical(BILL, AT, pin="246810")
    assert again.social == receipt.social
    assert {name for name, _ in log} == {"card"}
    assert desk.social().environment.number == "T0000001X"


def test_ssse_4_3_nothing_proved_on_one_side_holds_on_the_other():
    desk = furnished(counter(sample_card()))
    assert desk.social().read("DF04/EF06").fields
    assert desk.bank().pay(100, AT).approved
    with pytest.raises(RightMissing, match="PIN"):
        desk.social().read("DF04/EF06")


def test_ssse_9_a_wrong_pin_settles_nothing():
    desk = furnished(counter(sample_card()))
    with pytest.raises(WrongPin):
        desk.settle_medical(BILL, AT, pin="000000")
    receipt = desk.settle_medical(BILL, AT, pin="246810")
    assert receipt.due_fen == 0


@pytest.mark.parametrize("link", ["apdu", "t0"])
def test_ssse_8_a_card_with_one_side_is_served_by_it(link):
    social_only = counter(new_card("v2-social-only"))
    assert (social_only.has_social, social_only.has_bank) == (True, False)
    with pytest.raises(NoBankApplication):
        social_only.bank()
    bank_only = counter(new_card("pboc"))
    assert (bank_only.has_social, bank_only.has_bank) == (False, True)
    assert bank_only.bank().pay(100, AT).approved
    with pytest.raises(OtherCard):
        bank_only.social()
    with pytest.raises(SettlementFailed, match="nobody insures"):
        bank_only.settle_medical(BILL, AT, pin="246810")


def test_ssse_8_a_card_with_neither_side_is_another_card():
    with pytest.raises(OtherCard, match="neither"):
        counter(Card.blank())


def test_ssse_4_8_a_locked_environment_leaves_the_bank_s_side():
    desk = counter(card_in_state("card-blocked"))
    assert (desk.has_social, desk.has_bank) == (False, True)
    assert desk.bank().pay(100, AT).approved


def test_pse_5_6_a_blocked_card_leaves_the_social_side():
    desk = counter(card_in_state("pse-card-blocked"))
    assert (desk.has_social, desk.has_bank) == (True, False)
    assert desk.social().accept().number == "T0000001X"
