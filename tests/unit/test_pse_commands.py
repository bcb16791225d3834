"""pse-pboc 2 and 12.1 to 12.3: selection, GPO, VERIFY, READ RECORD, GET DATA, their errors."""

from dataclasses import replace

import pytest
from pse_desk import (
    ADF,
    ARQC,
    DDA,
    GPO,
    PIN_BAD,
    PIN_OK,
    PSE,
    TC,
    UN,
    Desk,
    cid,
    cvr,
    data_file,
    debit_card,
    risk,
)

from sscard.cos.eeprom import Phase, Tear
from sscard.errors import PowerLoss
from sscard.perso.profile import Profile
from sscard.sample import new_card

PDOL_FCI = "A50F500450424F439F38069F7A019F0206"
"""A PDOL of 9F7A and 9F02: seven bytes of terminal data."""


# --- 12.1 selection ------------------------------------------------------------------------------


def two_applications():
    return Desk(
        new_card("pboc", {"pse.df.DF02.aid": "A000000333010102", "pse.df.DF02.key_slots": 2})
    )


def test_pse_12_1_partial_names_and_next_occurrence():
    desk = two_applications()
    assert desk("00A4040005A00000033300").startswith("6F398408A000000333010101")
    assert desk("00A4040205A00000033300") == "6F0A8408A0000003330101029000"
    assert desk("00A4040205A00000033300") == "6A82"
    assert desk("00A4040205A00000033300") == "6A82"
    assert desk("00A4040007A000000333010100").startswith("6F398408A000000333010101")
    assert desk("00A4040008A00000033301010200") == "6F0A8408A0000003330101029000"


def test_pse_1_2_next_without_a_first_restarts_and_dies_with_another_name():
    desk = two_applications()
    assert desk("00A4040205A000000333").startswith("6F398408A000000333010101")
    assert desk.sw(PSE) == "9000"
    assert desk("00A4040205A000000333").startswith("6F398408A000000333010101")
    assert desk("00A4040205A000000333").startswith("6F0A8408A000000333010102")
    desk.reset()
    assert desk("00A4040205A000000333").startswith("6F398408A000000333010101")


@pytest.mark.parametrize("where", ["", PSE, ADF], ids=["reset", "directory", "application"])
def test_pse_1_2_a_full_name_is_found_from_everywhere(where):
    desk = Desk()
    if where:
        desk.data(where)
    assert desk.sw(ADF) == "9000"


@pytest.mark.parametrize(
    ("apdu", "sw"),
    [
        ("00A4040004A0000003", "6700"),
        ("00A4040011" + "A0" * 17, "6700"),
        ("00A4040108A000000333010101", "6A86"),
        ("00A4020002EF01", "6A86"),
        ("00A40000020000", "6A86"),
        ("00A40000023F00", "9000"),
        ("00A404000E325041592E5359532E4444463031", "6A82"),
        ("00A4040005A000000334", "6A82"),
    ],
)
@pytest.mark.parametrize("where", [PSE, ADF], ids=["directory", "application"])
def test_pse_1_2_select_errors(where, apdu, sw):
    desk = Desk()
    desk.data(where)
    assert desk.sw(apdu) == sw


def test_pse_1_2_commands_of_the_directory():
    desk = Desk()
    desk.data(PSE)
    assert desk.sw("00B2010C00") == "9000"
    assert desk.sw("80CA00D000") == "9000"
    assert desk.sw("00C0000000") == "6985"
    for apdu in (
        f"{GPO}00",
        "80AE800034" + "00" * 52,
        PIN_OK,
        DDA,
        "00B0810000",
        "80E2800003010100",
    ):
        assert desk.sw(apdu) == "6D00", apdu
    assert desk.sw("80E0000003620100") == "6D00"
    assert desk.sw("80E4000002EF01") == "6D00"
    assert desk.sw("008200000A16E77895E0513B623030") == "6E00"
    assert desk.sw("0082000008" + "00" * 8) == "6984"
    assert desk.sw("80CA9F3600") == "6A88"


def test_pse_2_1_class_and_instruction():
    desk = Desk()
    desk.data(ADF)
    for apdu in ("80B2010C00", "04B2010C00", "00A80000028300", "01B2010C00", "90B2010C00",
                 "84AE8000", "80A4040005A000000333", "A0B2010C00", "8020008000"):  # fmt: skip
        assert desk.sw(apdu) == "6E00", apdu
    for apdu in ("0070000000", "00B0810000", "80F2000000"):
        assert desk.sw(apdu) == "6D00", apdu
    assert desk.sw("00C0000008") == "6985"


# --- 12.2 GPO ------------------------------------------------------------------------------------


def test_pse_12_2_get_processing_options():
    desk = Desk()
    desk.data(ADF)
    for apdu, sw in (
        ("80A8000003830100", "6700"),
        ("80A800000183", "6700"),
        ("80A8000002840000", "6A80"),
        ("80A8000002830100", "6700"),
        ("80A80100028300", "6A86"),
        ("80A80001028300", "6A86"),
    ):
        assert desk.sw(apdu) == sw, apdu
    assert desk.element("9F36") == "0000"
    assert desk(f"{GPO}00") == "800E7C000801010010010201180103009000"
    assert desk.sw(GPO) == "6985"
    assert desk.begin().element("9F36") == "0002"


def test_pse_2_1_get_processing_options_with_a_pdol():
    desk = Desk(debit_card(dgi_9102=PDOL_FCI))
    desk.data(ADF)
    assert desk.sw(GPO) == "6700"
    assert desk.sw("80A80000098306" + "00" * 7) == "6700"
    assert desk.sw("80A80000098407" + "00" * 7) == "6A80"
    assert desk.sw("80A80000098307" + "00" * 7) == "9000"
    assert desk.sw(GPO) == "6700"
    assert desk.sw("80A80000098407" + "00" * 7) == "6985"


def test_pse_3_the_last_atc_blocks_for_good():
    desk = Desk(debit_card(dgi_0E01=risk(atc="FFFD"))).begin()
    assert desk.element("9F36") == "FFFE"
    desk.select()
    assert desk.sw(GPO) == "6985"
    assert desk.element("9F36") == "FFFF"
    for _ in range(2):
        desk.reset()
        assert desk.select() == "6283"
        assert desk.sw(GPO) == "6985"
        assert desk.sw("00B2010C00") == "9000"
    assert desk.element("9F36") == "FFFF"
    assert desk.sw(PSE) == "9000"


# --- 12.3 VERIFY ---------------------------------------------------------------------------------


def test_pse_12_3_tries_run_out():
    desk = Desk().begin()
    assert [desk.sw(PIN_BAD) for _ in range(4)] == ["63C2", "63C1", "63C0", "6983"]
    assert desk.sw(PIN_OK) == "6983"
    assert desk.element("9F17") == "00"
    desk.begin()
    assert [desk.sw(PIN_OK) for _ in range(2)] == ["6984", "6983"]
    assert cvr(desk.ac(ARQC)) == "03A65000"


def test_pse_2_4_a_right_pin_restores_the_tries():
    desk = Desk().begin()
    assert (desk.sw(PIN_BAD), desk.element("9F17")) == ("63C2", "02")
    assert (desk.sw(PIN_OK), desk.element("9F17")) == ("9000", "03")
    assert cvr(desk.ac(ARQC)) == "03A41000"


def test_pse_2_4_a_wrong_pin_shows_in_the_cvr():
    desk = Desk().begin()
    desk(PIN_BAD)
    assert cvr(desk.ac(ARQC)) == "03A61000"


@pytest.mark.parametrize(
    "block",
    ["16123456FFFFFFFF", "25123456FFFFFFFF", "2612345600000000", "2D12345678901234",
     "23123FFFFFFFFFFF", "26ABCDEFFFFFFFFF"],
)  # fmt: skip
def test_pse_2_4_a_malformed_block_is_a_wrong_pin(block):
    desk = Desk().begin()
    assert desk.sw(f"0020008008{block}") == "63C2"


def test_pse_2_4_ada_2_b8_blocks_at_once():
    desk = Desk(debit_card(dgi_0E01=risk("0080"))).begin()
    for _ in range(3):
        desk(PIN_BAD)
    desk.reset()
    assert desk.select() == "6283"


def test_pse_2_4_without_the_ada_bit_nothing_is_blocked():
    desk = Desk(debit_card(dgi_0E01=risk("0000"))).begin()
    for _ in range(3):
        desk(PIN_BAD)
    answer = desk.ac(TC)
    assert (cid(answer), cvr(answer)) == ("40", "03965000")
    assert desk.select() == "9000"


def test_pse_5_3_12_pin_tries_gone_before():
    desk = Desk(debit_card(dgi_0E01=risk("0004"))).begin()
    for _ in range(3):
        desk(PIN_BAD)
    answer = desk.begin().ac(TC)
    assert (cid(answer), cvr(answer)) == ("00", "03805200")
    assert desk.select() == "6283"


def test_pse_2_4_a_pin_loaded_as_bcd_digits():
    desk = Desk(new_card("pboc", {"pse.df.DF01.pin.form": "bcd"})).begin()
    assert desk.sw(PIN_BAD) == "63C2"
    assert desk.sw(PIN_OK) == "9000"


def test_pse_2_4_no_pin_personalised():
    profile = Profile.load("pboc")
    (debit,) = profile.pse.directories
    pse = replace(profile.pse, directories=(replace(debit, pin=None),))
    desk = Desk(new_card(replace(profile, pse=pse))).begin()
    assert desk.sw(PIN_OK) == "6984"
    assert desk.element("9F17") == "6A88"
    assert cvr(desk.ac(ARQC)) == "03A01000"


def test_cos_1_3_t2_a_try_is_spent_before_the_comparison():
    """Power lost in the very first write of the second transaction leaves the try spent."""
    desk = Desk().begin()
    first = desk.card.eeprom.ops
    desk.data(PIN_OK)
    half = (desk.card.eeprom.ops - first) // 2
    desk = Desk().begin()
    desk.card.eeprom.arm(Tear(half, Phase.BEFORE))
    with pytest.raises(PowerLoss):
        desk(PIN_OK)
    desk = Desk(desk.card)
    desk.select()
    assert desk.element("9F17") == "02"


# --- 2.3, 2.5 reading ----------------------------------------------------------------------------

READABLE = {
    "9F13": "0000",
    "9F17": "03",
    "9F36": "0000",
    "9F51": "0156",
    "9F52": "8240",
    "9F56": "80",
    "9F57": "0156",
    "9F58": "03",
    "9F59": "07",
}
ABSENT = (
    *(f"9F{low:02X}" for low in bytes.fromhex("53545C72737576777879 6D5D686B 10267F4D")),
    *("5F34", "DF4F", "0082"),
)


def test_pse_2_3_get_data():
    desk = Desk()
    desk.data(ADF)
    assert {tag: desk.element(tag) for tag in READABLE} == READABLE
    assert [desk.element(tag) for tag in ABSENT] == ["6A88"] * len(ABSENT)
    assert desk.sw("00CA9F3600") == "6E00"
    assert desk.sw("80CA9F36010000") == "6700"
    assert desk("80CA00C300") == "53534330303030339000"


def test_pse_2_3_get_data_without_a_log_format():
    desk = Desk(debit_card(dgi_0D01="9F5801039F590107"))
    desk.data(ADF)
    assert desk.element("9F4F") == "6A88"


def test_pse_2_5_read_record():
    desk = Desk()
    desk.data(ADF)
    for apdu, sw in (
        ("00B2000C00", "6A83"),
        ("00B2020C00", "6A83"),
        ("00B2FF0C00", "6A83"),
        ("00B2012400", "6A82"),
        ("00B201FC00", "6A82"),
        ("00B2010400", "6A82"),
        ("00B2010800", "6A86"),
        ("00B2010D00", "6A86"),
        ("00B2015C00", "6A83"),
        ("00B2010C01", "6C42"),
        ("00B2010C42", "9000"),
        ("00B2010C0100", "6700"),
    ):
        assert desk.power.transmit(bytes.fromhex(apdu))[-2:].hex().upper() == sw, apdu


def test_pse_2_5_reading_writes_nothing():
    desk = Desk()
    before = desk.card.eeprom.ops
    desk.data(PSE)
    desk.data("00B2010C00")
    desk.data(ADF)
    desk.data("00B2010C00")
    desk.data("80CA9F3600")
    desk.data("0084000000")
    assert desk.card.eeprom.ops == before


def test_pse_2_2_get_challenge():
    desk = Desk()
    desk.data(ADF)
    assert [len(desk.data(f"00840000{le}")) // 2 for le in ("00", "04", "08", "10")] == [
        8,
        4,
        8,
        16,
    ]
    assert (desk.sw("0084000007"), desk.sw("0084010008")) == ("6700", "6A86")


# --- the log (7) ---------------------------------------------------------------------------------


def test_pse_7_the_log_rolls_and_keeps_the_newest_first():
    desk = Desk(debit_card(dgi_0E01=risk("0000", last="0001"), dgi_0D01="9F4F069F02069F3602"))
    for number in range(1, 13):
        answer = desk.begin().ac(TC, amount=f"{number:012d}")
        assert cid(answer) == "40"
    records = [desk.log(number) for number in range(1, 12)]
    assert records[10] == "6A83"
    for place, record in enumerate(records[:10]):
        number = 12 - place
        assert record == f"{number:012d}{number:04X}".ljust(90, "0")


def test_pse_5_4_an_aac_is_not_logged():
    desk = Desk(debit_card(dgi_0E01=risk("0000"))).begin()
    assert cid(desk.ac(0x00)) == "00"
    assert desk.log() == "6A83"


def test_pse_5_1_cumulative_amounts_are_kept_in_bcd():
    desk = Desk(debit_card(dgi_0E01=risk("0000"))).begin()
    desk.ac(TC, amount="000000012345")
    held = desk.card.image[data_file(desk.card) :][8:20]
    assert held.hex() == "000000012345" * 2


def test_pse_5_3_lower_limit_over_the_wire():
    """9F58 = 3: the fourth offline transaction since the last online one asks to go online."""
    desk = Desk(debit_card(dgi_0E01=risk("0000")))
    answers = [cid(desk.begin().ac(TC)) for _ in range(4)]
    assert answers == ["40", "40", "40", "80"]


def test_pse_4_4_the_unpredictable_number_counts():
    one, other = (Desk().begin().ac(ARQC, un=un) for un in (UN, "00000000"))
    assert one[10:26] != other[10:26]
