"""pse-pboc 9 and 1.2: an application before, during and after STORE DATA; who keeps its keys."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pse_desk import (
    ADF,
    ARQC,
    GPO,
    PIN_OK,
    PSE,
    TC,
    Desk,
    before,
    cid,
    debit_card,
    owner_authenticates,
    owner_replaces,
    risk,
)

from sscard.apps.pse import stored_files
from sscard.apps.pse.layout import Body, Counters, Indicator, build_entries, parse_entries
from sscard.apps.pse.records import join, split, with_record
from sscard.cos.eeprom import Phase, Tear
from sscard.errors import PowerLoss

STORE = "store"
"""The first block of the application; the directory's come last."""


def store(desk, block, *dgis, last=False):
    data = "".join(f"{dgi}{len(bytes.fromhex(value)):02X}{value}" for dgi, value in dgis)
    return desk.sw(f"80E2{0x80 * last:02X}{block:02X}{len(data) // 2:02X}{data}")


# --- before ----------------------------------------------------------------------------------


def test_pse_9_pboc_commands_before_the_last_store_data():
    desk = before(STORE)
    assert desk(ADF) == "6F0A8408A0000003330101019000"
    for apdu in (
        GPO,
        PIN_OK,
        "0088000004A1B2C3D4",
        "80AE8000",
        "80CA9F3600",
        "008200000A16E77895E0513B623030",
    ):
        assert desk.sw(apdu) == "6985", apdu
    assert desk.sw("80A80100028300") == "6A86"
    assert desk.sw("80A80000028301") == "6985"
    assert desk.sw("80A80000038300FF") == "6700"
    assert desk.sw("0084000008") == "9000"
    assert desk.sw("80CA00D000") == "9000"
    assert desk.sw("80CA00D200") == "9000"


def test_pse_9_files_of_an_application_being_personalised():
    desk = before(STORE)
    assert desk.sw("00E200080570030A0B0C") == "9000"
    assert desk("00B2010C00") == "70030A0B0C9000"
    assert (
        desk.sw("80E000001A 6218 820101 8302EF09 80020010 880148 8608 0000FFFFFFFF0000") == "9000"
    )
    assert desk.sw("00D6890002 CAFE") == "9000"
    assert desk("00B0890002") == "CAFE9000"


# --- STORE DATA ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("dgi", "value", "sw"),
    [
        ("8000", "00" * 48, "6982"),
        ("8010", "26123456FFFFFFFF", "6982"),
        ("9000", "00" * 9, "6982"),
        ("9103", "A503500141", "6A88"),
        ("0401", "700100", "6A88"),
        ("0B01", "00" * 45, "6A88"),
        ("1F01", "700100", "6A88"),
        ("0100", "700100", "6A88"),
        ("0101", "70" + "00" * 80, "6A84"),
        ("9102", "A6035001", "6A80"),
        ("9102", "5001A5", "6A80"),
        ("9104", "82027C00", "6A80"),
        ("9104", "82027C00940308010100"[:18], "6A80"),
        ("9200", "9F1007070101030000", "6A80"),
        ("0D01", "9F580103FF", "6A80"),
        ("0D01", "9F58020003", "6A80"),
        ("0D01", "9F0201AA", "6A80"),
        ("9010", "03", "6A80"),
    ],
)
def test_pse_9_store_data_refuses(dgi, value, sw):
    desk = before(STORE)
    image = desk.card.image
    assert store(desk, 0, (dgi, value)) == sw
    assert desk.card.image == image
    assert store(desk, 0, ("0D01", "9F580103")) == "9000"


def test_pse_9_2_blocks_are_numbered_and_dgis_go_on_in_the_next():
    desk = before(STORE)
    assert desk.sw("80E20001 0701010470020A0B".replace(" ", "")) == "6A86"
    assert desk.sw("80E200000401010470") == "9000"
    assert desk.sw("80E20000020203") == "6A86"
    assert desk.sw("80E20001050B0A0B0D01") == "9000"
    assert desk.sw("80E200020401010470") == "6A80"
    assert desk.sw("80E2000205049F580102") == "9000"
    assert desk.sw("80E2800301FF") == "6A80"
    assert desk("00B2010C00") == "700B0A0B9000"


def test_pse_9_2_first_parameter():
    desk = before(STORE)
    assert desk.sw("80E24000070D01049F580103") == "6A86"
    assert desk.sw("80E20100070D01049F580103") == "6A86"
    assert desk.sw("80E26000070D01049F580103") == "6982"
    assert desk.sw("80E22000070D01049F580103") == "9000"
    assert desk.sw("80E20001") == "6700"
    assert desk.sw("84E20001070D01049F580103") == "6982"


def test_pse_9_2_long_lengths_and_several_dgis_in_a_block():
    desk = before(STORE)
    assert desk.sw("80E200000F" + "0D01FF0004" + "9F580103" + "0D0100" + "0E0100") == "9000"
    assert desk.sw("80E20001050D01FFFFFF") == "6A80"


def test_pse_9_records_in_any_order_and_again():
    desk = before(STORE)
    assert store(desk, 0, ("0202", "7003020202")) == "9000"
    assert desk.sw("00B2011400") == "6A83"
    assert desk("00B2021400") == "70030202029000"
    assert store(desk, 1, ("0201", "700101"), ("0202", "70020202")) == "9000"
    assert desk("00B2011400") == "7001019000"
    assert desk("00B2021400") == "700202029000"


def test_pse_9_a_full_data_file():
    """512 bytes of EF90 hold one template of 240 bytes and a list of 200, not two."""
    desk = before(STORE)
    template = "A581ED" + "5081EA" + "41" * 234
    assert store(desk, 0, ("9102", template)) == "9000"
    assert store(desk, 1, ("9104", "82027C0094" + "81C8" + "08010100" * 50)) == "9000"
    image = desk.card.image
    assert store(desk, 2, ("0D01", "9F4F28" + "9F3602" * 13 + "00")) == "6A84"
    assert desk.card.image == image


def test_pse_9_needs_the_owner():
    desk = before(STORE)
    desk.reset()
    desk.select()
    assert store(desk, 0, ("0D01", "9F580103")) == "6982"
    desk.data(PSE)
    desk.play(owner_authenticates())
    desk.select()
    assert store(desk, 0, ("0D01", "9F580103")) == "9000"


def test_pse_9_works_from_the_last_block_on():
    """9F58 goes in last: the application is in use, and takes no more."""
    desk = before("store 8205")
    assert desk.sw(GPO) == "6985"
    block = desk.power.kernel.current.session.app.block
    assert store(desk, block, ("0D01", "9F580109"), last=True) == "9000"
    assert store(desk, 0, ("0D01", "9F580103")) == "6985"
    assert desk.element("9F58") == "09"
    assert desk.sw(GPO) == "9000"
    assert desk.sw("0082000008" + "00" * 8) == "6700"
    desk.select()
    assert cid(desk.begin().ac(ARQC)) == "80"
    assert desk.sw("0088000004A1B2C3D4") == "6985"


def test_pse_9_3_pin_tries():
    desk = before("store 8205")
    block = desk.power.kernel.current.session.app.block
    for wrong in ("0403", "0000", "0010", "03", "030303"):
        assert store(desk, block, ("9010", wrong)) == "6A80"
    assert store(desk, block, ("9010", "0205"), last=True) == "9000"
    desk.begin()
    assert desk.element("9F17") == "02"
    assert desk.sw("002000800826999999FFFFFFFF") == "63C1"
    assert desk.sw(PIN_OK) == "9000"
    assert desk.element("9F17") == "05"


def test_pse_9_not_personalised_at_the_end_of_personalisation():
    """An application without its last block stays unusable, and no way is open any more."""
    from dataclasses import replace

    from sscard.perso.profile import Profile
    from sscard.sample import new_card

    profile = Profile.load("pboc")
    (debit,) = profile.pse.directories
    pse = replace(profile.pse, directories=(replace(debit, dgis=()),))
    desk = Desk(new_card(replace(profile, pse=pse)))
    assert desk.select() == "9000"
    assert desk.sw(GPO) == "6985"
    assert store(desk, 0, ("0D01", "9F580103")) == "6982"


# --- the directory -----------------------------------------------------------------------------


def directory_desk():
    desk = before("store 0101 of DDF2")
    assert desk(PSE).endswith("A503880101" + "9000")
    desk.play(owner_authenticates())
    return desk


def test_pse_9_3_the_directory_is_personalised_likewise():
    desk = directory_desk()
    record = "702861264F08A000000333010101500A50424F432044454249548701019F120A50424F43204445424954"
    for dgi, value in (
        ("9104", "82027C00940408010100"),
        ("0E01", risk()),
        ("8201", "00"),
        ("9010", "0303"),
    ):
        assert store(desk, 0, (dgi, value)) == "6A88", dgi
    assert store(desk, 0, ("0101", record), ("9102", "A503880101")) == "9000"
    assert store(desk, 1, ("0102", "7000"), last=True) == "6A84"
    assert store(desk, 1, ("9102", "A50A8801019F110101500141"), last=True) == "9000"
    assert store(desk, 0, ("9102", "A503880101")) == "6985"
    assert desk(PSE) == "6F1C840E315041592E5359532E4444463031A50A8801019F1101015001419000"
    assert desk("00B2010C00") == record + "9000"


def test_pse_1_2_the_directory_of_an_owned_environment():
    desk = directory_desk()
    for apdu in (GPO, PIN_OK, "80AE8000"):
        assert desk.sw(apdu) == "6D00"
    assert desk.sw("80E4000002EF55") == "6A82"
    assert desk.sw("008200000A16E77895E0513B623030") == "6E00"


def test_pse_1_2_keys_are_kept_from_the_directory_for_ever():
    desk = Desk()
    desk.select()
    assert desk.sw("008200000816E77895E0513B62") == "6700"
    desk.data(PSE)
    desk.play(owner_authenticates())
    desk.select()
    desk.play(owner_replaces(0x10))
    assert cid(desk.begin().ac(ARQC)) == "80"


# --- files and layout ----------------------------------------------------------------------------


counters = st.builds(
    Counters,
    st.integers(0, 0xFFFF),
    st.integers(0, 0xFFFF),
    st.integers(0, 10**12 - 1),
    st.integers(0, 10**12 - 1),
    st.integers(0, 255),
    st.integers(0, 255),
    st.integers(0, 31).map(Indicator),
    st.integers(0, 15),
)
entries = st.dictionaries(st.integers(0, 0xFFFF), st.binary(max_size=40), max_size=8)


@given(personalised=st.booleans(), counted=counters, held=entries, rest=st.binary(max_size=9))
def test_ef90_round_trip(personalised, counted, held, rest):
    body = Body(personalised, counted, held)
    assert Body.parse(body.build() + rest) == body
    assert parse_entries(build_entries(held) + rest) == held


@given(st.binary(max_size=80))
def test_ef90_of_any_bytes_is_read(raw):
    for data in (raw, b"PB\x01\x00" + raw):
        body = Body.parse(data)
        assert body.counters.build()
    parse_entries(raw)
    split(raw)


@given(st.lists(st.binary(max_size=40), max_size=5), st.integers(1, 8), st.binary(max_size=9))
def test_records_round_trip(rows, number, record):
    assert split(join(rows)) == rows
    after = with_record(rows, number, record)
    assert after[number - 1] == record
    assert len(after) == max(number, len(rows))


def test_stored_files_of_the_builder():
    files = stored_files(
        [(0x0102, b"\x70\x00"), (0x8201, b"\x01"), (0x0E01, bytes.fromhex(risk()))]
    )
    assert files[0xEF01] == bytes.fromhex("000400027000")
    assert files[0xEF91] == bytes.fromhex("0005") + bytes.fromhex("8201000101")
    assert files[0xEF90].startswith(b"PB\x01\x00\x00\x00\x00\x00")


# --- T1 ------------------------------------------------------------------------------------------


def settled(card):
    """What the second GENERATE AC commits: last online ATC, log, the online indicator."""
    desk = Desk(card)
    desk.select()
    return desk.element("9F13"), desk.log(), desk.begin().ac(ARQC)[36:38]


@pytest.mark.tear
def test_pse_5_5_closing_a_debit_is_all_or_nothing():
    """An online approval is settled and logged together, or not at all; its ATC is spent."""
    snapshot = debit_card().snapshot()

    def at_the_end(tear):
        desk = Desk(snapshot.fork()).begin()
        desk.data("0088000004A1B2C3D4")
        desk.data(PIN_OK)
        desk.ac(ARQC)
        desk.data("008200000A16E77895E0513B623030")
        done = desk.card.eeprom.ops
        desk.card.eeprom.arm(tear)
        try:
            answer = desk.ac(TC, arc="3030")
        except PowerLoss:
            return settled(desk.card)
        assert cid(answer) == "40"
        cases.append(desk.card.eeprom.ops - done)
        return settled(desk.card)

    cases = []
    after = at_the_end(None)
    (operations,) = cases
    legal = {("0000", "6A83", "90"), after}
    assert after[0] == "0001"
    assert after[2] == "00"
    seen = {at_the_end(Tear(op, phase)) for op in range(operations) for phase in Phase}
    assert seen == legal
