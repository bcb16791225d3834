"""The bank terminal on the real stack: a card in a reader of a private pcscd."""

import json
import sys

import pytest

from sscard.sample import new_card, sample_card
from sscard.transport.memory import PoweredSlot

pytestmark = [pytest.mark.interop, pytest.mark.requires("pcscd", "vpcd", "pyscard")]

PROGRAM = (sys.executable, "-m", "sscard", "pay")
WORDS = ("--at", "2026-07-01T10:30:45", "--amount", "123.45", "--pin", "123456", "--json")


@pytest.mark.parametrize("link", ["t0", "apdu"])
def test_pse_11_3_sscard_pay_at_a_reader(serve, slots, clients, link):
    card = sample_card()
    serve(PoweredSlot(card, link=link, atr=card.atr), slots[0])
    receipt = json.loads(clients.run(*PROGRAM, "--reader", slots[0].name, *WORDS))
    assert (receipt["approved"], receipt["online"]) == (True, True)
    assert receipt["cryptogram"].startswith("TC ")
    assert receipt["pan"] == "621095*********0017"
    assert receipt["atc"] == 1


def test_a_social_card_in_a_reader_has_no_bank_application(serve, slots, clients):
    card = new_card("v2-social-only")
    serve(PoweredSlot(card, link="t0", atr=card.atr), slots[0])
    script = """
import sys
from datetime import datetime
from sscard.terminal.bank import POS, BankTerminal, NoBankApplication
from sscard.transport.pcsc import PcscPort

with PcscPort(sys.argv[1]) as port:
    try:
        BankTerminal(port, POS, ()).pay(100, datetime(2026, 7, 1))
    except NoBankApplication as error:
        print(error)
"""
    assert "no bank application" in clients.run(sys.executable, "-c", script, slots[0].name)
