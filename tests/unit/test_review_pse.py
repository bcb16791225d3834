"""Sequences of the PSE that a review composed from the text of pse-pboc, not from other tests."""

import pytest
from pse_desk import ADF, ARQC, GPO, PSE, Desk, cid
from pse_issuer import online

from sscard.builder import build
from sscard.card import Card
from sscard.perso.profile import Profile

UNKNOWN_NAME = "00A4040007A0000000031010"
GET_ATC = "80CA9F3600"
CARD_BLOCK, BLOCK, UNBLOCK = "84160000", "841E0000", "84180000"


def card_with(**options):
    return Card.from_image(build(Profile.load("pboc", options)))


@pytest.mark.parametrize("option", ["reset", "keep"])
@pytest.mark.parametrize(
    "missed", [UNKNOWN_NAME, ADF.replace("A40400", "A40402")], ids=["unknown", "no next one"]
)
def test_pse_5_6_the_session_of_a_card_block_ends_with_a_select_that_finds_nothing(option, missed):
    """Afterwards everything answers 6A81: there is no transaction on a blocked environment."""
    desk = Desk(card_with(pse_failed_select=option))
    issuer = online(desk)
    assert desk.sw(issuer.script(CARD_BLOCK)) == "9000"
    assert desk.sw(GET_ATC) == "9000"
    assert desk.sw(missed) == "6A82"
    after = (GPO, GET_ATC, "00B2010C00", issuer.script(UNBLOCK), ADF, PSE, GPO)
    assert [desk.sw(apdu) for apdu in after] == ["6A81"] * len(after)


def test_pse_2_1_reserved_bits_of_p1_are_refused_before_the_state_is_looked_at():
    desk = Desk(card_with(pse_ac_reserved_bits="6A86"))
    desk.select()
    assert desk.sw("80AE010000") == "6A86"
    assert desk.sw("80AE000000") == "6985"
    desk.begin()
    assert desk.ac(ARQC | 1) == "6A86"
    assert cid(desk.ac(ARQC)) == "80"
    assert desk.sw("80AE410000") == "6A86"
