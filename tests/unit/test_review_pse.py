"""Sequences of the PSE that a review composed from the text of pse-pboc, not from other tests."""

import pytest
from pse_desk import ADF, ARQC, GPO, PSE, TC, Desk, cid
from pse_issuer import online

from sscard.builder import build
from sscard.card import Card
from sscard.perso.profile import Profile

UNKNOWN_NAME = "00A4040007A0000000031010"
GET_ATC = "80CA9F3600"
CARD_BLOCK, BLOCK, UNBLOCK = "84160000", "841E0000", "84180000"


def card_with(**options):
    return Card.from_image(build(Profile.load("pboc", options)))


@pytest.mark.parametrize(
    "missed", [UNKNOWN_NAME, ADF.replace("A40400", "A40402")], ids=["unknown", "no next one"]
)
def test_pse_5_6_the_session_of_a_card_block_ends_with_a_select_that_finds_nothing(missed):
    """Afterwards everything answers 6A81: there is no transaction on a blocked environment."""
    desk = Desk()
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


CDOL1 = "8C1B9F02069F03069F1A0295055F2A029A039C019F37049F21039F4E14"
SHORTER = "8C189F02069F03069F1A0295055F2A029A039C019F37049F2103"


@pytest.mark.parametrize("instead", [SHORTER, "", "8C029F02"], ids=["shorter", "none", "malformed"])
def test_pse_5_6_a_script_may_change_cdol1_before_the_second_generate_ac(instead):
    """The log has the values as they came; the next first GENERATE AC has the new length."""
    desk = Desk()
    issuer = online(desk)
    before = desk.data("00B2021400")
    assert CDOL1 in before
    body = before[4:].replace(CDOL1, instead)
    record = bytes.fromhex(f"70{len(body) // 2:02X}{body}")
    assert desk.sw(issuer.script("04DC0214", record)) == "9000"
    assert desk.sw(issuer.arpc()) == "9000"
    assert cid(desk.ac(TC, arc="3030")) == "40"
    assert desk.log().startswith("260701103045000000012345")
    desk.begin()
    assert desk.ac(ARQC) == "6700"
