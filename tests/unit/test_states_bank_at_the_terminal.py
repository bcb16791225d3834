"""What our bank terminal says to a card in each state of the bank's side; states.md says the same."""

from datetime import datetime
from pathlib import Path

import pytest

from sscard.perso.rsa_files import rsa_file
from sscard.sample import new_card
from sscard.states import BANK_STATES, card_in_state
from sscard.terminal.bank import (
    POS,
    ApplicationBlocked,
    BadCardData,
    BankTerminal,
    BankTerminalError,
    CardBlocked,
    KeyedPad,
)
from sscard.transport import MemoryPort, PoweredSlot

CA_KEYS = (rsa_file("ca-80").ca,)
AT = datetime(2026, 7, 1, 10, 30, 45)
USUAL = ["PIN pad missing or not working", "floor limit exceeded"]
"""TVR of a sound card at this terminal, which has no host and no PIN key of one."""

TVR = {
    "pse-pin-blocked": "PIN try limit exceeded",
    "pse-expired": "application expired",
    "pse-not-yet-effective": "application not yet effective",
    "pse-expired-issuer-certificate": "DDA failed",
    "pse-unknown-ca": "DDA failed",
    "pse-wrong-issuer-key": "DDA failed",
    "pse-tampered-ssad": "SDA failed",
}
ERRORS = {
    "pse-atc-exhausted": ApplicationBlocked,
    "pse-app-blocked": ApplicationBlocked,
    "pse-card-blocked": CardBlocked,
    "pse-missing-cdol": BadCardData,
}
SOUND = {
    "pse-offline-limit-reached",
    "pse-last-atc",
    "pse-arqc-pending",
    "pse-script-failed",
    "pse-odd-tlvs",
}
"""What only the card knows: it tells the issuer in its CVR."""


def paid(card):
    port = MemoryPort(PoweredSlot(card, link="t0"))
    with BankTerminal(port, POS, CA_KEYS, pad=KeyedPad.of("123456")) as terminal:
        return terminal.pay(100, AT)


def test_every_state_is_here_and_in_the_documentation():
    assert {*TVR, *ERRORS, *SOUND} == set(BANK_STATES)
    text = (Path(__file__).parents[2] / "docs" / "states.md").read_text("utf-8")
    rows = [line.strip("|").split("|") for line in text.splitlines() if line.startswith("| `pse-")]
    told = {row[0].strip(" `"): row[3].strip(" `") for row in rows}
    errors = {state: error.__name__ for state, error in ERRORS.items()}
    assert told == TVR | errors | dict.fromkeys(SOUND, "–")


@pytest.mark.parametrize("profile", ["sample", "pboc-16", "pboc-ec"])
@pytest.mark.parametrize("state", BANK_STATES)
def test_pse_2_7_the_terminal_finds_the_state(state, profile):
    card = card_in_state(state, profile)
    if state in ERRORS:
        with pytest.raises(BankTerminalError) as error:
            paid(card)
        assert type(error.value) is ERRORS[state]
        return
    found = paid(card).tvr_words
    assert sorted(found) == sorted([*USUAL, *([TVR[state]] if state in TVR else [])])


@pytest.mark.parametrize("profile", ["pboc", "pboc-only", "pboc-16", "pboc-ec", "pboc-contactless"])
def test_pse_4_9_every_bank_card_is_sound_at_the_terminal(profile):
    """Certificates, dates, usage and lists of every shipped profile, the PDOL of some too."""
    receipt = paid(new_card(profile))
    assert receipt.tvr_words == USUAL
    assert bytes(receipt.tsi).hex() == "e800"
