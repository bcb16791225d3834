"""pse-pboc 4.10 and 2.4: enciphered offline PINs, and what the reference leaves open of VERIFY."""

import pytest
from pse_desk import ADF, ARQC, GPO, PIN_BAD, PIN_OK, TC, Desk, cvr, data_file, debit_card

from sscard.perso.profile import Profile
from sscard.perso.rsa_files import rsa_file
from sscard.sample import new_card

ICC = rsa_file("icc").key.public
WRONG, RIGHT = "26999999FFFFFFFF", "26123456FFFFFFFF"


def card_with(**options):
    return new_card("pboc", {f"options.{key}": value for key, value in options.items()})


def verify(desk, *, block=RIGHT, key=ICC, header="7F", challenge=None, between=()):
    """GET CHALLENGE, some commands, VERIFY of an enciphered block; the status word."""
    drawn = desk.data("0084000008")
    for command in between:
        desk(command)
    inside = bytes.fromhex(header + block + (challenge or drawn))
    data = key.recover(inside + bytes(range(1, key.size - len(inside) + 1)))
    return desk.sw(f"00200088{key.size:02X}{data.hex()}")


def test_pse_4_10_right_and_wrong():
    desk = Desk().begin()
    assert verify(desk, block=WRONG) == "63C2"
    assert desk.element("9F17") == "02"
    assert verify(desk) == "9000"
    assert desk.element("9F17") == "03"
    assert cvr(desk.ac(ARQC)) == "03A41000"


def test_pse_4_10_the_tries_are_those_of_the_plain_form():
    desk = Desk().begin()
    assert desk.sw(PIN_BAD) == "63C2"
    assert verify(desk, block=WRONG) == "63C1"
    assert verify(desk, block=WRONG) == "63C0"
    assert verify(desk) == "6983"
    desk.begin()
    assert verify(desk) == "6984"
    assert verify(desk) == "6983"


@pytest.mark.parametrize(
    "wrong",
    [
        {"header": "7E"},
        {"challenge": "0000000000000000"},
        {"between": ["80CA9F1700"]},
        {"between": [PIN_OK]},
        {"between": ["0084000010"]},
        {"between": ["0084000004"]},
    ],
)
def test_pse_4_10_what_is_wrong_inside_costs_no_try(wrong):
    """The format byte, another U, or a U that any command came after (4.10, 2.4)."""
    desk = Desk().begin()
    assert verify(desk, **wrong) == "6984"
    assert desk.element("9F17") == "03"
    if PIN_OK not in wrong.get("between", ()):
        assert cvr(desk.ac(ARQC)) == "03A01000"


def test_pse_4_10_a_challenge_serves_once():
    desk = Desk().begin()
    drawn = desk.data("0084000008")
    inside = bytes.fromhex("7F" + WRONG + drawn)
    data = ICC.recover(inside + bytes(ICC.size - len(inside))).hex()
    assert desk.sw(f"0020008860{data}") == "63C2"
    assert desk.sw(f"0020008860{data}") == "6984"
    assert desk.sw(f"0020008860{'FF' * 96}") == "6984"  # not below the modulus
    assert desk.element("9F17") == "02"


def test_pse_2_1_order_of_checks_of_verify():
    desk = Desk()
    desk.select()
    assert desk.sw("0020008160" + "00" * 96) == "6A86"
    for length in (8, 95, 97):
        assert desk.sw(f"00200088{length:02X}" + "00" * length) == "6700"
    assert desk.sw("0020008860" + "00" * 96) == "6985"
    assert desk.sw("0020008060" + "00" * 96) == "6700"
    desk.data(GPO)
    assert desk.sw("0020008860" + "00" * 96) == "6984"


def test_pse_4_10_without_a_key_there_is_no_enciphered_pin():
    desk = Desk(new_card("pboc", {"pse.df.DF01.oda.icc": ""})).begin()
    assert desk.sw("0020008808" + "00" * 8) == "6985"
    assert desk.sw(PIN_OK) == "9000"


def test_pse_4_10_a_key_of_its_own():
    """With 9F2D to 9F2F the ICC key deciphers no PIN any more."""
    settings = {"pse.df.DF01.oda.pin": "pin", "pse.df.DF01.ef.EF91.size": 640}
    desk = Desk(new_card("pboc", settings)).begin()
    own = rsa_file("pin").key.public
    assert verify(desk) == "6700"
    assert verify(desk, key=own, block=WRONG) == "63C2"
    assert verify(desk, key=own) == "9000"


# ---- open points (14, #7) ------------------------------------------------------------------------


def test_pse_14_7_option_verify_state():
    strict = Desk(card_with())
    strict.select()
    assert strict.sw(PIN_OK) == "6985"
    strict.data(GPO)
    strict.ac(ARQC)
    assert strict.sw(PIN_OK) == "6985"
    loose = Desk(card_with(verify_state="any"))
    loose.select()
    assert loose.sw(PIN_BAD) == "63C2"
    assert loose.sw(PIN_OK) == "9000"
    loose.data(GPO)
    loose.ac(ARQC)
    assert loose.sw(PIN_BAD) == "63C2"
    answer = loose.ac(TC, arc="3030")
    assert cvr(answer)[2:4] == "66"  # performed and failed, byte 2 b3 b2
    assert loose.sw(PIN_OK) == "9000"
    loose.data("00A404000E315041592E5359532E4444463031")
    assert loose.sw(PIN_OK) == "6D00"
    assert loose(ADF)


@pytest.mark.parametrize(
    "block", ["16123456FFFFFFFF", "2312FFFFFFFFFFFF", "2612345FFFFFFFFF", "26123456FFFFFF00"]
)
def test_pse_14_7_option_pin_malformed(block):
    counts = Desk(card_with()).begin()
    assert counts.sw(f"0020008008{block}") == "63C2"
    refuses = Desk(card_with(pin_malformed="6A80")).begin()
    assert refuses.sw(f"0020008008{block}") == "6A80"
    assert verify(refuses, block=block) == "6A80"
    assert refuses.element("9F17") == "03"
    assert refuses.sw(PIN_BAD) == "63C2"


def test_pse_14_7_option_pin_absent():
    for value in ("6984", "6983"):
        profile = Profile.load("pboc", {"options.pin_absent": value})
        from dataclasses import replace

        (debit,) = profile.pse.directories
        pse = replace(profile.pse, directories=(replace(debit, pin=None),))
        desk = Desk(new_card(replace(profile, pse=pse))).begin()
        assert desk.sw(PIN_OK) == value
        assert verify(desk) == value


def test_pse_14_7_option_pin_decipherment():
    desk = Desk(card_with(pin_decipherment="wrong")).begin()
    assert verify(desk, header="7E") == "63C2"
    assert verify(desk, between=["80CA9F1700"]) == "63C1"
    assert verify(desk) == "9000"


def test_pse_2_4_a_reference_pin_that_is_none_is_never_right():
    """What cannot be deciphered stands for no PIN, not for one whose block cannot be made."""
    card = new_card(
        "pboc",
        {
            "options.pin_decipherment": "wrong",
            "pse.df.DF01.pin.form": "bcd",
            "pse.df.DF01.pin.digits": "12345678901234",
        },
    )
    desk = Desk(card).begin()
    assert verify(desk, header="7E") == "63C2"
    assert data_file(debit_card())
