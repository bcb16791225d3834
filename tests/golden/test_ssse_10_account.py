"""ssse-lb002 10.8 and cos 7.4: the printed purchases, played to a card with that account."""

import pytest
from ssse_desk import Desk
from ssse_till import Till, account_keys

from sscard.perso.profile import Profile
from sscard.sample import new_card

DF04 = "ssse.df.DF04.key"
KEYS_OF_7_4 = {
    "DPK": "85C477DB6D95B302B1A6CF47C2CE93BF",
    "DTK": "044088AE07D213AC83294DE81A316475",
}


def account(sequence, balance, keys=None, link="apdu"):
    """A card with a purse that has seen `sequence` debits and holds `balance` fen."""
    changes = {f"{DF04}.{name}.value": value for name, value in (keys or {}).items()}
    profile = Profile.load("v2", changes | {"medical_account": "purse"})
    card = new_card(profile)
    till = Till(Desk(card), account_keys(profile), purse_form=True).open()
    till.load(balance + sequence)
    for _ in range(sequence):
        till.buy(1)
    assert till.balance() == balance
    return Desk(card.fork(), link=link)


@pytest.mark.parametrize("link", ["apdu", "t0"])
def test_ssse_10_8_debit(link):
    desk = account(1, 5000, link=link)
    contact = link == "t0"
    assert desk.sw("00A4040006 D15600000503") == ("610A" if contact else "9000")
    assert desk.pin() == "9000"
    desk.card.env.force_random(bytes.fromhex("01020304"))
    begun = "00001388 0001 000000 01 00 01020304".replace(" ", "")
    answer = desk("805001020B 01 000003E8 999901000001" + ("" if contact else "0F"))
    assert answer == ("610F" if contact else begun + "9000")
    if contact:
        assert desk("00C000000F") == begun + "9000"
    answer = desk("805401000F 00000007 20240120 093000 A9121DFB" + ("" if contact else "08"))
    assert answer == ("6108" if contact else "99D22141 83549A0A 9000".replace(" ", ""))
    if contact:
        assert desk("00C0000008") == "99D2214183549A0A9000"
    assert desk("805C000204") == "00000FA09000"
    logged = "0001 06 999901000001 20240120093000 000003E8 00000FA0 000003E9"
    assert desk("00B2014400") == logged.replace(" ", "") + "9000"


def test_cos_7_4_purchase():
    desk = account(5, 123_456, KEYS_OF_7_4).ssse("DF04")
    assert desk.pin() == "9000"
    desk.card.env.force_random(bytes.fromhex("A1B2C3D4"))
    begun = desk.data("80 50 01 02 0B 01 00 00 03 E8 99 01 00 00 00 01 0F")
    assert begun == "0001E240" + "0005" + "000000" + "0100" + "A1B2C3D4"
    command = "80 54 01 00 0F 00 00 00 07 20 24 03 15 10 30 00 8A 40 08 DE 08"
    assert desk(command) == "CE049F85C35D4C0A9000"
    assert desk("805A0006020005") == "C35D4C0ACE049F859000"
