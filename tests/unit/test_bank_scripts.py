"""Scripts of the issuer through the bank terminal to the emulated card (pse-pboc 4.8, 5.6, 11.5)."""

import pytest
from bank_till import AT, PLAIN_PIN_POS, Bank, h, till
from pse_desk import Desk, debit_card

from sscard.iso.tlv import encode
from sscard.spec.emv import Tsi, Tvr
from sscard.terminal.bank import ApplicationBlocked, CardBlocked, NoBankApplication

PUT_DATA = "04DA9F580505F58454DC"
BLOCK, UNBLOCK, CARD_BLOCK = "841E0000045C865855", "8418000004C9C318FC", "8416000004590483C4"
PIN_CHANGE = "84240002141F67FC377BEAE6196B2A37CB41C3BB6CA42E833E"
"""Commands of pse-pboc 11.5, for the session of 11.4."""


def script(*commands):
    return encode(0x9F18, h("CAFE0001")) + b"".join(encode(0x86, h(line)) for line in commands)


def paid(card, bank, link="apdu", **settings):
    """The transaction of 11.3, whose session the scripts of 11.5 are for."""
    return till(card, PLAIN_PIN_POS, host=bank, link=link, **settings).pay(12345, AT)


@pytest.mark.parametrize("link", ["apdu", "t0"])
@pytest.mark.parametrize("final", [False, True])
def test_pse_11_5_put_data(final, link):
    card, bank = debit_card(), Bank(**{"after" if final else "before": (script(PUT_DATA),)})
    receipt = paid(card, bank, link)
    assert receipt.approved
    assert receipt.tvr == Tvr.FLOOR_LIMIT_EXCEEDED
    assert Tsi.SCRIPT_PROCESSING in receipt.tsi
    assert bank.script_results == h("20CAFE0001")
    desk = Desk(card)
    desk.select()
    assert desk.element("9F58") == "05"


@pytest.mark.parametrize(
    ("final", "bit"), [(False, Tvr.SCRIPT_FAILED_BEFORE), (True, Tvr.SCRIPT_FAILED_AFTER)]
)
def test_pse_5_6_a_script_with_a_wrong_mac(final, bit):
    bank = Bank(**{"after" if final else "before": (script(PUT_DATA, BLOCK[:-2] + "00", BLOCK),)})
    receipt = paid(debit_card(), bank)
    assert receipt.tvr == Tvr.FLOOR_LIMIT_EXCEEDED | bit
    assert bank.script_results == h("12CAFE0001")
    assert receipt.approved


def test_pse_11_5_pin_change_takes_effect():
    card = debit_card()
    paid(card, Bank(after=(script(PIN_CHANGE),)))
    receipt = paid(card, Bank(), pin="654321")
    assert receipt.holder == "PIN, checked by the card"


def test_pse_5_6_an_application_blocked_after_the_transaction():
    card = debit_card()
    assert paid(card, Bank(after=(script(BLOCK),))).approved
    with pytest.raises(ApplicationBlocked):
        paid(card, Bank())


def test_pse_5_4_an_application_blocked_before_the_second_cryptogram_declines_and_is_reversed():
    card, bank = debit_card(), Bank(before=(script(BLOCK),))
    receipt = paid(card, bank)
    assert receipt.verdict == "DECLINED online"
    assert len(bank.reversals) == 1
    assert bank.reversals[0].script_results == (h("20CAFE0001"),)


def test_pse_5_6_blocked_and_unblocked_in_one_session():
    card = debit_card()
    assert paid(card, Bank(before=(script(BLOCK, UNBLOCK),))).approved
    assert paid(card, Bank()).approved


def test_pse_5_6_a_blocked_card():
    card = debit_card()
    assert paid(card, Bank(after=(script(CARD_BLOCK),))).approved
    with pytest.raises((CardBlocked, NoBankApplication), match="6A81"):
        paid(card, Bank())
