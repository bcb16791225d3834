"""pse-pboc 11.5, 11.6: every published script through the card, and the transaction after it."""

from dataclasses import replace

import pytest
from pse_desk import (
    AAC,
    ADF,
    ARQC,
    DDA,
    GOOD_ARPC,
    PIN_OK,
    TC,
    Desk,
    cid,
    cryptogram,
    cvr,
    debit_card,
)
from pse_issuer import Issuer

from sscard.perso.profile import Profile
from sscard.sample import new_card

AC1 = "F126D638723D8BFC"
SCRIPTS = {
    "PUT DATA 9F58=05": "04DA9F580505F58454DC",
    "PUT DATA 9F59=07": "04DA9F5905075D25FF2D",
    "APPLICATION BLOCK": "841E0000045C865855",
    "APPLICATION UNBLOCK": "8418000004C9C318FC",
    "CARD BLOCK": "8416000004590483C4",
    "PIN UNBLOCK": "8424000004D4FED8FE",
    "PIN CHANGE 02": "84240002141F67FC377BEAE6196B2A37CB41C3BB6CA42E833E",
    "PIN CHANGE 01": "84240001141A62284B966F124B6B2A37CB41C3BB6CC547A9F5",
}
UPDATE_RECORD = "04DC01240E70089F1401059F2301091EB6DA7E"
WITH_SFI_4 = {
    "ef_EF04_kind": "variable",
    "dgi_0401": "70089F1401019F230101",
}


def online(desk):
    """The transaction of 11.3 up to the ARQC that the scripts start from."""
    desk.begin()
    desk.data(DDA)
    assert desk.sw(PIN_OK) == "9000"
    answer = desk.ac(ARQC)
    assert cryptogram(answer) == AC1
    return desk


def settled(desk, p1=TC, arc="3030"):
    assert desk.sw(GOOD_ARPC) == "9000"
    return desk.ac(p1, arc=arc)


@pytest.mark.parametrize("when", ["template 71", "template 72"])
@pytest.mark.parametrize("link", ["apdu", "t0"])
@pytest.mark.parametrize("name", SCRIPTS)
def test_pse_11_5_every_script_is_taken_before_and_after_the_second_ac(name, link, when):
    desk = online(Desk(link=link))
    if when == "template 72":
        settled(desk)
    assert desk.sw(SCRIPTS[name]) == "9000"


def test_pse_11_5_put_data():
    desk = online(Desk())
    settled(desk)
    assert desk.sw(SCRIPTS["PUT DATA 9F58=05"]) == "9000"
    assert desk.sw(SCRIPTS["PUT DATA 9F59=07"]) == "9000"
    assert (desk.element("9F58"), desk.element("9F59")) == ("05", "07")


def test_pse_11_5_application_block_and_unblock():
    desk = online(Desk())
    settled(desk)
    assert desk.sw(SCRIPTS["APPLICATION BLOCK"]) == "9000"
    assert desk.select() == "6283"
    desk = online(Desk())
    assert desk.sw(SCRIPTS["APPLICATION BLOCK"]) == "9000"
    assert cid(settled(desk)) == "00", "an application blocked by now declines (5.4)"
    assert desk.sw(SCRIPTS["APPLICATION UNBLOCK"]) == "9000"
    assert desk.select() == "9000"


def test_pse_11_5_card_block_lets_the_session_finish():
    desk = online(Desk())
    assert desk.sw(SCRIPTS["CARD BLOCK"]) == "9000"
    assert desk.sw(SCRIPTS["PUT DATA 9F58=05"]) == "9000"
    assert cid(settled(desk)) == "40"
    assert desk.sw(SCRIPTS["APPLICATION BLOCK"]) == "9000"
    assert desk.sw(SCRIPTS["APPLICATION UNBLOCK"]) == "9000"
    assert desk.select() == "6A81"
    assert desk.sw("80CA9F3600") == "6A81"
    assert desk.reset().select() == "6A81"


@pytest.mark.parametrize("name", ["PIN CHANGE 01", "PIN CHANGE 02"])
def test_pse_11_5_pin_change(name):
    desk = online(Desk())
    settled(desk)
    assert desk.sw(SCRIPTS[name]) == "9000"
    desk.begin()
    assert desk.sw("002000800826123456FFFFFFFF") == "63C2"
    assert desk.sw("002000800826654321FFFFFFFF") == "9000"


def test_pse_11_5_pin_unblock():
    desk = Desk()
    desk.begin()
    for left in "210":
        assert desk.sw("002000800826999999FFFFFFFF") == f"63C{left}"
    # the CVR is another one now, so its cryptogram is: this card's own scripts do the rest
    assert desk.element("9F17") == "00"
    fresh = online(Desk())
    settled(fresh)
    assert fresh.sw(SCRIPTS["PIN UNBLOCK"]) == "9000"
    assert fresh.element("9F17") == "03"


def test_pse_11_5_update_record():
    desk = online(Desk(debit_card(**WITH_SFI_4)))
    settled(desk)
    assert desk.sw(UPDATE_RECORD) == "9000"
    assert desk("00B2012400") == "70089F1401059F2301099000"


def test_pse_11_6_the_next_transaction_tells_of_two_scripts():
    desk = online(Desk())
    settled(desk)
    for name in ("PUT DATA 9F58=05", "PUT DATA 9F59=07"):
        assert desk.sw(SCRIPTS[name]) == "9000"
    assert desk.sw(ADF) == "9000"
    desk.begin()
    answer = desk.ac(ARQC, un="0BADF00D")
    assert answer == "801380000222463609F42699A707010103A00020019000"
    assert cvr(answer) == "03A00020"


def test_pse_5_6_one_good_one_bad_and_one_too_long():
    """5.6's own examples: 28 after a good and a wrong MAC, 08 after a wrong length alone."""
    desk = online(Desk())
    settled(desk)
    assert desk.sw(SCRIPTS["PUT DATA 9F58=05"]) == "9000"
    assert desk.sw("04DA9F59050700000000") == "6988"
    assert desk.sw(SCRIPTS["PUT DATA 9F59=07"]) == "6985", "no script after a wrong MAC"
    desk.begin()
    assert cvr(desk.ac(AAC))[6:] == "28"
    desk = online(Desk())
    settled(desk)
    assert desk.sw("04DA9F5906070000000000") == "6700"
    assert desk.sw(SCRIPTS["PUT DATA 9F59=07"]) == "9000", "a wrong length ends nothing"
    desk.begin()
    assert cvr(desk.ac(AAC))[6:] == "18"


def test_pse_5_6_a_pin_script_without_a_pin_counts_and_is_a_failure():
    """6985, but after a right MAC: not the 6985 of a session that takes no scripts."""
    profile = Profile.load("pboc")
    debit = replace(profile.pse.directories[0], pin=None)
    pse = replace(profile.pse, directories=(debit,))
    desk = Desk(new_card(replace(profile, pse=pse))).begin()
    issuer = Issuer(desk.ac(ARQC))
    assert desk.sw(issuer.arpc()) == "9000"
    desk.ac(TC, arc="3030")
    assert desk.sw(issuer.script("84240000")) == "6985"
    desk.begin()
    assert cvr(desk.ac(AAC))[6:] == "18"
