"""The bank terminal, the emulated card and the bank's host: all three ends, none of them a double."""

import pytest
from bank_desk import ACCOUNT, CARD, ROOTS, new_host
from bank_till import AT, PLAIN_PIN_POS, quiet, signed_card, till
from pse_desk import Desk, debit_card

from sscard.errors import TransportError
from sscard.issuer import CardState, ScriptKind, ScriptOrder
from sscard.keys.vault import BankVault, CardForms, MemoryVault, Party, SessionForm
from sscard.sample import new_card
from sscard.spec.emv import Tvr
from sscard.terminal.bank import ATM, Memory, VaultPinKey


@pytest.fixture
def vault():
    return MemoryVault(Party.BANK, ROOTS, test=True)


def test_pse_11_3_paid_completed_and_cleared():
    host, memory = new_host(), Memory()
    desk = till(debit_card(), PLAIN_PIN_POS, host=host, memory=memory)
    receipt = desk.pay(12345, AT)
    assert receipt.cryptogram == "TC BF0C0717E6D3496C"
    assert memory.pending == []
    result = desk.settle(AT)
    assert (result.booked, result.amount_fen, result.refused) == (1, 12345, ())
    assert host.account(ACCOUNT).balance_fen == 100_000 - 12345
    assert host.audit() == []


def test_an_offline_approval_is_booked_by_the_batch():
    host, memory = new_host(), Memory()
    desk = till(signed_card("7C00"), quiet(), host=host, memory=memory)
    assert desk.pay(500, AT).verdict == "APPROVED offline"
    result = desk.settle(AT)
    assert (result.booked, result.refused) == (1, ())


@pytest.mark.parametrize("link", ["apdu", "t0"])
def test_an_atm_with_an_online_pin(vault, link):
    host = new_host(pin="123456")
    card, memory = debit_card(), Memory()
    words = {"host": host, "online_pin": VaultPinKey(vault, ATM.identifier), "memory": memory}
    machine = till(card, ATM, link=link, **words)
    assert machine.withdraw(20000, AT).verdict == "APPROVED online"
    assert machine.balance(AT).balance == "800.00 CNY"
    wrong = till(card, ATM, pin="999999", link=link, **words).withdraw(100, AT)
    assert (wrong.approved, wrong.arc) == (False, "55")
    assert host.audit() == []


def test_too_little_money_and_a_lost_card():
    host, card, memory = new_host(deposit=100), debit_card(), Memory()
    receipt = till(card, PLAIN_PIN_POS, host=host, memory=memory).pay(12345, AT)
    assert receipt.arc == "51"
    assert "the bank answered 51" in receipt.reasons[0]
    host.set_card(CARD, CardState.WRITTEN_LOST)
    assert not till(card, PLAIN_PIN_POS, host=host, memory=memory).pay(1, AT).approved


def test_pse_5_4_a_card_that_declines_what_the_host_approved_is_reversed():
    host = new_host()
    card = debit_card()
    host.order(CARD, ScriptOrder(ScriptKind.APPLICATION_BLOCK, before=True))
    receipt = till(card, PLAIN_PIN_POS, host=host).pay(12345, AT)
    assert receipt.verdict == "DECLINED online"
    assert host.account(ACCOUNT).available_fen == 100_000
    assert host.audit() == []


def test_pse_5_6_an_order_of_the_bank_reaches_the_card_and_its_result_the_bank():
    host, card = new_host(), debit_card()
    host.order(CARD, ScriptOrder(ScriptKind.PUT_DATA, tag=0x9F58, value=b"\x05"))
    assert till(card, PLAIN_PIN_POS, host=host).pay(12345, AT).tvr == Tvr.FLOOR_LIMIT_EXCEEDED
    desk = Desk(card)
    desk.select()
    assert desk.element("9F58") == "05"


FORMS = {
    "pse_session_keys": "emv_csk",
    "pse_script_keys": "vis",
    "pse_pin_change_key": "AC",
    "pse_pin_change_roles": "swapped",
}


@pytest.mark.parametrize("current", ["", "123456"], ids=["new PIN", "new PIN for the old"])
@pytest.mark.parametrize(
    "options", [{}, *({name: value} for name, value in FORMS.items()), FORMS], ids=str
)
def test_pse_14_the_bank_knows_what_its_cards_profile_says(options, current):
    """A transaction authenticated both ways and a PIN changed, with each switch both ways."""
    card = new_card("pboc", {f"options.{name}": value for name, value in options.items()})
    forms = CardForms.of(options)
    host = new_host(vault=BankVault(MemoryVault(Party.BANK, ROOTS), forms=forms))
    number = host.order_pin(CARD, "654321", current=current)
    memory = Memory()
    receipt = till(card, PLAIN_PIN_POS, host=host, memory=memory).pay(12345, AT)
    assert (receipt.verdict, receipt.tvr) == ("APPROVED online", Tvr.FLOOR_LIMIT_EXCEEDED)
    assert [(n, state) for n, _, state in host.scripts(CARD)] == [(number, "done")]
    again = till(card, PLAIN_PIN_POS, host=host, memory=memory, pin="654321").pay(1, AT)
    assert again.verdict == "APPROVED online"
    wrong = CardForms(SessionForm.COMMON if "pse_session_keys" not in options else SessionForm.PBOC)
    other = new_host(vault=BankVault(MemoryVault(Party.BANK, ROOTS), forms=wrong))
    assert (
        till(card, PLAIN_PIN_POS, host=other, memory=Memory(), pin="654321").pay(1, AT).arc == "05"
    )


class Deaf:
    """A host whose answers to requests get lost on the way."""

    def __init__(self, host):
        self.host = host

    def __getattr__(self, name):
        return getattr(self.host, name)

    def authorise(self, request):
        assert self.host.authorise(request).approved
        raise TransportError("the line broke")


def test_pse_5_4_b_an_answer_that_got_lost_and_the_offline_tc_after_it():
    """What the host held is undone, and the card's own approval is booked: once."""
    host, memory = new_host(), Memory()
    wants_online_when_new = signed_card("7C00", ada="0200")
    desk = till(wants_online_when_new, quiet(), host=Deaf(host), memory=memory)
    receipt = desk.pay(12345, AT)
    assert (receipt.arc, receipt.verdict) == ("Y3", "APPROVED offline")
    assert host.account(ACCOUNT).held_fen == 12345
    result = desk.settle(AT)
    assert (result.booked, result.amount_fen, result.refused) == (1, 12345, ())
    account = host.account(ACCOUNT)
    assert (account.balance_fen, account.held_fen) == (100_000 - 12345, 0)
    assert host.audit() == []
