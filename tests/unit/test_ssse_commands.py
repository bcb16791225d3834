"""ssse-lb002 3.3-3.8 and 4.3: the commands of the SSSE, one section after the other.

Key values come from the profile; everything else is typed from the reference.
"""

import itertools

import pytest
from ssse_desk import SM4, SSSE, Desk

from sscard.perso.profile import Profile
from sscard.sample import new_card

FCI = "6F16840F7378312E73682EC9E7BBE1B1A3D5CFA503880101"
DF01_FCI = "6F088406D15600000500"
DF02_FCI = "6F088406D15600000501"
MF_FCI = "6F0B8409" + b"sscard.cm".hex().upper()
ISSUED = "050420240115"
SECOND_UK = "00112233445566778899AABBCCDDEEFF"
"""A second version of UK_SSSE, on the card that `versions` gives."""


@pytest.fixture(scope="session")
def cards():
    """Return finished cards by overrides of v2, each personalised once."""
    known = {}

    def card(**overrides):
        name = tuple(sorted(overrides.items()))
        if name not in known:
            known[name] = new_card("v2", overrides).snapshot()
        return known[name].fork()

    return card


@pytest.fixture
def desk(cards):
    return Desk(cards()).ssse()


@pytest.fixture
def contact(cards):
    return Desk(cards(), link="t0")


@pytest.fixture(scope="session")
def keys():
    """Card keys of v2 by directory and KID, authentication keys only."""
    ssse = Profile.load("v2").ssse
    places = {"SSSE": ssse} | {f"{df.fid:04X}": df for df in ssse.directories}
    return {
        (place, key.id): key.value
        for place, directory in places.items()
        for key in directory.keys
        if key.type == 0x0D
    }


@pytest.fixture(scope="session")
def dual(tmp_path_factory):
    """A finished card with a PSE beside the SSSE."""
    path = tmp_path_factory.mktemp("profiles") / "dual.toml"
    path.write_text('format = 1\nextends = "v2"\ntitle = "dual"\n[pse]\nextends = "walk"\n')
    return new_card(str(path)).snapshot()


# ---- 3.3 SELECT -------------------------------------------------------------------------

NOT_FOUND = "6A82"
FROM_SSSE = {
    "00A4000002DF01": DF01_FCI + "9000",
    "00A4010002DF01": DF01_FCI + "9000",
    "00A4020002DF01": DF01_FCI + "9000",
    "00A4000002EF05": "9000",
    "00A4020002EF05": "9000",
    "00A4010002EF05": NOT_FOUND,
    "00A4000002DDF1": FCI + "9000",
    "00A4010002DDF1": NOT_FOUND,
    "00A4020002DDF1": NOT_FOUND,
    "00A4000002DDF2": NOT_FOUND,
    "00A4010002DDF2": NOT_FOUND,
    "00A40300": NOT_FOUND,
    "00A4000002EF09": NOT_FOUND,
    "00A40000023F00": MF_FCI + "9000",
    "00A40000": MF_FCI + "9000",
    "00A4000000": MF_FCI + "9000",
}
FROM_DF01 = {
    "00A4000002EF05": "9000",
    "00A4020002EF05": "9000",
    "00A4020002EF09": "9000",
    "00A4000002EF0D": NOT_FOUND,
    "00A4020002EF0D": NOT_FOUND,
    "00A4000002DF01": DF01_FCI + "9000",
    "00A4020002DF01": NOT_FOUND,
    "00A4010002DF01": NOT_FOUND,
    "00A4000002DF02": DF02_FCI + "9000",
    "00A4010002DF02": NOT_FOUND,
    "00A4020002DF02": NOT_FOUND,
    "00A4000002DDF1": FCI + "9000",
    "00A4010002DDF1": NOT_FOUND,
    "00A4000002DDF2": NOT_FOUND,
    "00A40300": FCI + "9000",
    "00A40000023F00": MF_FCI + "9000",
    "00A4040006D15600000501": DF02_FCI + "9000",
    "00A404000F7378312E73682EC9E7BBE1B1A3D5CF": FCI + "9000",
}


@pytest.mark.parametrize("apdu", FROM_SSSE)
def test_ssse_3_3_from_the_environment(dual, apdu):
    assert Desk(dual.fork()).ssse()(apdu) == FROM_SSSE[apdu]


@pytest.mark.parametrize("apdu", FROM_DF01)
def test_ssse_3_3_from_an_application(dual, apdu):
    assert Desk(dual.fork()).ssse("DF01")(apdu) == FROM_DF01[apdu]


def test_ssse_3_3_by_name_from_any_state(dual):
    """Without selecting the MF first: after reset, from an EF, a DFxx, the MF, the PSE."""
    pse = "00A404000E315041592E5359532E4444463031"
    for before in ((), (SSSE, "00A4000002EF05"), (SSSE, "00A4000002DF07"), ("00A40000",), (pse,)):
        desk = Desk(dual.fork())
        desk.ok(*before)
        assert desk(SSSE) == FCI + "9000"
        desk = Desk(dual.fork())
        desk.ok(*before)
        assert desk("00A4040006D15600000506") == "6F088406D156000005069000"


def test_ssse_3_3_the_parent_by_fid_is_a_quirk(cards):
    desk = Desk(cards(select_ddf1_by_fid="off")).ssse("DF01")
    assert desk("00A4000002DDF1") == NOT_FOUND
    assert desk("00A40300") == FCI + "9000"
    assert desk("00A4000002DDF1") == FCI + "9000"


@pytest.mark.parametrize(
    ("apdu", "sw"),
    [
        ("00A4050002DF01", "6A86"),
        ("00A4080002DF01", "6A86"),
        ("00A4000102DF01", "6A86"),
        ("00A4000302DF01", "6A86"),
        ("00A4000002DF", "6700"),  # shorter than its Lc: not an APDU at all
        ("00A404010F7378312E73682EC9E7BBE1B1A3D5CF", "6A86"),
        ("00A4000001DF", "6700"),
        ("00A4000003DF0100", "6700"),
        ("00A4010000", "6700"),
        ("00A40200", "6700"),
        ("00A4030002DDF1", "6700"),
        ("00A40400", "6700"),
        ("00A40400047378312E", "6700"),
        ("00A404001100112233445566778899AABBCCDDEEFF00", "6700"),
        ("00A40402 05 D156000599", NOT_FOUND),
        ("00A4040006D1560000050A", NOT_FOUND),
        ("00A4040010 7378312E73682EC9E7BBE1B1A3D5CF00", NOT_FOUND),
    ],
)
def test_ssse_3_3_refused_forms_change_nothing(desk, keys, apdu, sw):
    """F4: file, directory, rights and challenge stay as they were."""
    desk.ok("00A4000002DF01", "00A4000002EF05")
    assert desk.pin() == "9000"
    held = desk.challenge()
    assert desk(apdu) == sw
    assert desk("00B2010400") == "2002" + "0000" + "9000"
    assert desk.sw(desk.authentication(0x83, keys["DF01", 0x83], held)) == "9000"


def test_ssse_3_3_fcp_on_request(desk):
    assert desk.data("00A4000402EF05").startswith("62")
    assert desk.data("00A404040F 7378312E73682EC9E7BBE1B1A3D5CF").startswith("62")


def test_ssse_3_3_le_is_optional(desk):
    for le in ("", "00", "18", "FF"):
        assert desk(SSSE + le) == FCI + "9000"


def test_ssse_3_3_a_contact_card_lets_the_fci_be_fetched(contact):
    assert contact(SSSE) == "6118"
    assert contact("00C0000000") == FCI + "9000"
    assert contact(SSSE + "00") == "6118"
    assert contact("00C0000006") == FCI[:12] + "6112"
    assert contact("00C00000FF") == "6C12"
    assert contact("00C0000012") == FCI[12:] + "9000"
    assert contact("00C0000012") == "6F00"


def test_ssse_3_1_a_pending_answer_is_lost_to_any_other_command(contact):
    assert contact(SSSE) == "6118"
    assert contact("00A4000002EF05") == "9000"
    assert contact("00C0000018") == "6F00"


def test_ssse_3_3_partial_names_are_off(desk):
    assert desk("00A4040005D156000005") == NOT_FOUND
    assert desk("00A4040006 7378312E7368") == NOT_FOUND


def test_ssse_3_3_partial_names_switched_on(cards):
    desk = Desk(cards(partial_names="on"))
    assert desk("00A4040006 7378312E7368") == FCI + "9000"
    found = [desk("00A4040005D156000005")]
    found += [desk("00A4040205D156000005") for _ in range(7)]
    expected = [f"6F088406D156000005{n:02X}9000" for n in range(7)]
    assert found == [*expected, NOT_FOUND]


def test_ssse_3_3_3f00_leads_to_the_mf(desk):
    assert desk("00A40000023F00") == MF_FCI + "9000"
    assert desk("00A4000002DF01") == NOT_FOUND
    assert desk("00A4000002DDF1") == FCI + "9000"


def test_ssse_3_3_3f00_enters_the_ssse_as_a_quirk(cards):
    desk = Desk(cards(select_3f00_enters_ssse="on")).ssse()
    assert desk.pin() == "9000"
    desk.challenge()
    assert desk("00A40000023F00") == MF_FCI + "9000"
    assert desk.sw("0082000410" + "00" * 16) == "6984"
    assert desk("00B2052800") == ISSUED + "9000"
    assert desk("00A4000002DF01") == DF01_FCI + "9000"
    assert desk("00B2012C00") == "6982"
    desk.reset()
    assert desk("00A40000") == MF_FCI + "9000"
    assert desk("00B2052800") == ISSUED + "9000"


@pytest.mark.parametrize("marker", ["01", "02", "03"])
def test_ssse_3_3_algorithm_marker(cards, marker):
    desk = Desk(cards(fci_alg_marker=marker))
    inner = f"8801019F0C86{marker}"
    expected = f"6F1A840F7378312E73682EC9E7BBE1B1A3D5CFA507{inner}"
    assert desk(SSSE) == expected + "9000"
    assert desk("00A4000002DF01") == DF01_FCI + "9000"
    assert desk("00A40000023F00") == MF_FCI + "9000"


# ---- 3.4 READ RECORD --------------------------------------------------------------------


@pytest.mark.parametrize("link", ["apdu", "t0"])
@pytest.mark.parametrize("le", ["", "00", "01", "04", "06", "FF"])
def test_ssse_3_4_le_is_ignored(cards, link, le):
    desk = Desk(cards(), link=link)
    desk.sw(SSSE)
    assert desk("00B20528" + le) == ISSUED + "9000"


@pytest.mark.parametrize("link", ["apdu", "t0"])
@pytest.mark.parametrize(
    ("le", "answer"),
    [
        ("", ISSUED + "9000"),
        ("00", ISSUED + "9000"),
        ("06", ISSUED + "9000"),
        ("04", "6C06"),
        ("05", "6C06"),
        ("07", "6C06"),
        ("FF", "6C06"),
    ],
)
def test_ssse_3_4_strict_le(cards, link, le, answer):
    desk = Desk(cards(record_le="strict"), link=link)
    desk.sw(SSSE)
    assert desk("00B20528" + le) == answer


def test_ssse_3_4_a_tag_may_look_like_a_number(desk):
    """Only the low bits of P2 decide: tag 01 and number 01 of EF05, tag 08 of EF06."""
    assert desk.data("00B2012C00")[:4] == desk.data("00B2012800")[:4] == "0110"
    assert desk.data("00B2083000")[:4] == "0812"
    assert desk("00B2083400") == "6A83"
    assert desk("00B2013000") == "6A83"


def test_ssse_3_4_reading_by_sfi_makes_the_file_current(desk):
    assert desk("00B2010400") == "6986"
    assert desk("00B2010000") == "6986"
    assert desk.data("00B2013400")[:4] == "0812"
    assert desk.data("00B2020400")[:4] == "091E"
    assert desk("00B201EC00") == "6A82"
    assert desk.data("00B2030400")[:4] == "4E14"


def test_ssse_3_4_a_refused_read_by_sfi_makes_it_current_too(desk):
    desk.ok("00A4000002DF01")
    assert desk("00B2012C00") == "6982"
    assert desk.pin() == "9000"
    assert desk.data("00B2010400")[:4] == "2002"


@pytest.mark.parametrize("mode", [1, 2, 3, 5, 6, 7])
def test_ssse_3_4_other_modes(desk, mode):
    assert desk(f"00B201{0x28 | mode:02X}00") == "6A86"


def test_ssse_3_4_number_and_tag_00(desk):
    assert desk("00B2002C00") == "6A83"
    assert desk("00B2002800") == "6A83"
    assert desk("00B2082C00") == "6A83"


def test_ssse_3_4_kinds_of_file(desk, keys):
    assert desk("00B2013C00") == "6981"
    assert desk("00B0850001") == "6981"
    desk.ok("00A4000002DF04")
    assert desk.pin() == "9000"
    assert desk.prove(0x86, keys["DF04", 0x86]) == "9000"
    desk.ok("00DC00AB03112233")
    assert desk("00B201A800") == "6A86"
    assert desk("00B200A800") == "6A86"
    assert desk("00B201AC00") == "1122339000"


def test_ssse_3_4_order_of_refusals(desk):
    """P1P2, Lc, then file, kind, record, and the right last (cos 5.3)."""
    desk.ok("00A4000002DF01")
    assert desk("00B2012900") == "6A86"
    assert desk("00B2012D0401020304") == "6A86"
    assert desk("00B2012C0401020304") == "6700"
    assert desk("00B2015C00") == "6A82"
    assert desk("00B2042C00") == "6A83"
    assert desk("00B2012C00") == "6982"


# ---- 3.5 UPDATE RECORD, APPEND RECORD -----------------------------------------------------


@pytest.fixture
def writer(desk, keys):
    """A desk with UK_SSSE proved."""
    assert desk.prove(0x04, keys["SSSE", 0x04]) == "9000"
    return desk


@pytest.mark.parametrize("header", ["00DC052806", "00DC052C06", "00DC050006", "00DC050406"])
def test_ssse_3_5_by_tag_and_number(writer, header):
    if header[6:8] in ("00", "04"):
        writer.ok("00A4000002EF05")
    assert writer(header + "050420240116") == "9000"
    assert writer.data("00B2052800") == "050420240116"


@pytest.mark.parametrize(
    ("apdu", "sw"),
    [
        ("00DC052805 0504202401", "6700"),
        ("00DC052807 05042024011600", "6700"),
        ("00DC052805 0604202401", "6700"),  # the length before the tag
        ("00DC052806 060420240116", "6A80"),
        ("00DC052806 050520240116", "6A80"),
        ("00DC052806 050320240116", "6A80"),
        ("00DC002806 050420240116", "6A83"),
        ("00DC082806 050420240116", "6A83"),
        ("00DC002C06 050420240116", "6A83"),
        ("00DC082C06 050420240116", "6A83"),
        ("00DC052B06 050420240116", "6A86"),
        ("00DC052906 050420240116", "6A86"),
        ("00DC05F806 050420240116", "6A82"),
        ("00DC053806 050420240116", "6981"),
        ("00DC0528", "6700"),
    ],
)
def test_ssse_3_5_refused_updates_change_nothing(writer, apdu, sw):
    before = writer.card.image
    assert writer(apdu) == sw
    assert writer.card.image == before


def test_ssse_3_5_data_are_looked_at_after_the_right(desk):
    assert desk("00DC052805 0504202401") == "6982"
    assert desk("00DC052806 060420240116") == "6982"
    assert desk("00DC082806 050420240116") == "6A83"


def test_ssse_3_5_a_repeated_tag_hits_the_first_record(desk, keys):
    desk.ok("00A4000002DF01")
    assert desk.pin() == "9000"
    assert desk.prove(0x89, keys["DF01", 0x89]) == "9000"
    records = [desk.data(f"00B2{n:02X}AC00") for n in range(1, 5)]
    changed = "4034" + "A7" * 0x34
    assert desk(f"00DC40A836{changed}") == "9000"
    assert [desk.data(f"00B2{n:02X}AC00") for n in range(1, 5)] == [
        records[0],
        changed,
        *records[2:],
    ]
    assert desk(f"00DC04AC36{changed}") == "9000"
    assert desk.data("00B204AC00") == changed
    assert desk.data("00B203AC00") == records[2]


@pytest.mark.parametrize("p2", ["AB", "AC"])
def test_ssse_3_5_a_cyclic_file_takes_modes_3_and_4(desk, keys, p2):
    desk.ok("00A4000002DF04")
    assert desk.pin() == desk.prove(0x86, keys["DF04", 0x86]) == "9000"
    assert desk(f"00DC00{p2}03010203") == "9000"
    assert desk("00B201AC00") == "0102039000"


@pytest.mark.parametrize(
    ("apdu", "sw"),
    [
        ("00DC01AB03010203", "6A86"),
        ("00DC01AC03010203", "6A86"),
        ("00DC00A803010203", "6A86"),
        ("00DC00AA03010203", "6A86"),
        ("00DC00AB020102", "6700"),
        ("00DC00AB0401020304", "6700"),
        ("00E200AB03010203", "6A86"),
        ("00E201A803010203", "6A86"),
        ("00E200A8020102", "6700"),
    ],
)
def test_ssse_3_5_refused_cyclic_updates(desk, keys, apdu, sw):
    desk.ok("00A4000002DF04")
    assert desk.pin() == desk.prove(0x86, keys["DF04", 0x86]) == "9000"
    assert desk(apdu) == sw
    assert desk("00B201AC00") == "6A83"


def test_ssse_3_5_append_writes_the_newest_of_a_cyclic_file(desk, keys):
    desk.ok("00A4000002DF04")
    assert desk("00E200A803000000") == "6982"
    assert desk.pin() == desk.prove(0x86, keys["DF04", 0x86]) == "9000"
    for n in range(1, 11):
        assert desk(f"00E200A803{n:06X}" if n % 2 else f"00E2000003{n:06X}") == "9000"
    held = [desk.data(f"00B2{n:02X}AC00") for n in range(1, 9)]
    assert held == [f"{n:06X}" for n in range(10, 2, -1)]
    assert desk("00B209AC00") == "6A83"


def test_ssse_3_5_a_tlv_file_takes_no_new_records_any_more(writer):
    assert writer("00E2002803F00100") == "6A84"
    assert writer("00B2082C00") == "6A83"
    writer.reset()
    assert writer.ssse()("00E2002803F00100") == "6982"


# ---- 3.6 READ BINARY, UPDATE BINARY ---------------------------------------------------------


@pytest.fixture
def reader(desk, keys):
    """A desk with UK_SSSE and RK_SSSE proved, and a pattern at the end of EF07."""
    assert desk.prove(0x04, keys["SSSE", 0x04]) == "9000"
    assert desk.prove(0x0A, keys["SSSE", 0x0A]) == "9000"
    desk.ok("00A4000002EF07", "00D603F008C1C2C3C4C5C6C7C8", "00A4000002EF05")
    return desk


def test_ssse_3_6_offsets_in_the_current_file(reader):
    reader.ok("00A4000002EF07")
    assert reader("00B003F008") == "C1C2C3C4C5C6C7C89000"
    assert reader("00B003F203") == "C3C4C59000"
    assert reader("00B003F000") == "C1C2C3C4C5C6C7C8" + "00" * 8 + "9000"
    assert reader("00B003F0") == "C1C2C3C4C5C6C7C8" + "00" * 8 + "9000"
    assert reader("00B003F0FF") == "6C10"
    assert reader("00B003F011") == "6C10"
    assert reader("00B003F010") == "C1C2C3C4C5C6C7C8" + "00" * 8 + "9000"
    assert reader("00B0030000") == "00" * 240 + "C1C2C3C4C5C6C7C8" + "00" * 8 + "9000"
    assert reader("00B003FF01") == "009000"
    assert reader("00B003FF02") == "6C01"
    for beyond in ("0400", "0401", "7FFF"):
        assert reader(f"00B0{beyond}01") == reader(f"00B0{beyond}00") == "6B00"


def test_ssse_3_6_sfi_form_makes_the_file_current(reader):
    assert reader("00B0000001") == "6981"
    assert reader("00B0870004") == "000000009000"
    assert reader("00B003F002") == "C1C29000"
    assert reader("00B088FF04") == "000000009000"
    assert reader("00B00FFF01") == "009000"
    assert reader("00B08A0001") == "6A82"
    assert reader("00B0800001") == "6A82"
    assert reader("00B0A70001") == reader("00B0C70001") == "6A86"
    assert reader("00D6870204D1D2D3D4") == "9000"
    assert reader("00B0870008") == "0000D1D2D3D400009000"


def test_ssse_3_6_no_current_file_and_no_right(desk):
    assert desk("00B0000001") == desk("00D600000100") == "6986"
    assert desk("00B0870001") == "6982"
    assert desk("00B0040001") == "6982"
    assert desk("00D604000100") == "6982"
    assert desk("00D68700") == "6700"


@pytest.mark.parametrize("apdu", ["00D603FF020102", "00D6040001FF", "00D603F811" + "EE" * 17])
def test_ssse_3_6_an_update_must_fit(reader, apdu):
    reader.ok("00A4000002EF07")
    before = reader.card.image
    assert reader(apdu) == "6B00"
    assert reader.card.image == before


# ---- 3.7 VERIFY -----------------------------------------------------------------------------


def test_ssse_3_7_the_right_is_seen_from_every_application(desk):
    assert desk("00200000 03 123456") == "9000"
    for number in range(1, 7):
        desk.ok(f"00A4000002DF0{number}")
        assert desk.sw("00B2012C00") == "9000"


def test_ssse_3_7_verified_in_an_application_it_counts_everywhere(desk):
    desk.ok("00A4000002DF07")
    assert desk.pin() == "9000"
    desk.ok("00A4000002DF03")
    assert desk.sw("00B2012C00") == "9000"


def test_ssse_3_7_wrong_pins_count_down_and_block(desk):
    for left in (5, 4, 3, 2, 1, 0):
        assert desk.pin("999999") == f"63C{left}"
    assert desk.pin("999999") == desk.pin() == desk.sw("00200000") == "6983"
    desk.reset()
    assert desk.ssse().pin() == "6983"


def test_ssse_3_7_success_resets_the_counter(desk):
    for _ in range(2):
        for left in (5, 4, 3, 2, 1):
            assert desk.pin("999999") == f"63C{left}"
        assert desk.pin() == "9000"
    assert desk.sw("00200000") == "63C6"


def test_ssse_3_7_no_data_asks_for_the_tries_left(desk):
    before = desk.card.image
    assert desk("00200000") == desk("0020000000") == "63C6"
    assert desk.card.image == before
    assert desk.pin("999999") == "63C5"
    assert desk("00200000") == desk("0020000000") == "63C5"


def test_ssse_3_7_asking_does_not_take_the_right_away(desk):
    desk.ok("00A4000002DF01")
    assert desk.pin() == "9000"
    assert desk("00200000") == "63C6"
    assert desk.sw("00B2012C00") == "9000"


@pytest.mark.parametrize("length", [1, 9, 16, 255])
def test_ssse_3_7_impossible_lengths(desk, length):
    assert desk(f"00200000{length:02X}" + "12" * length) == "6700"
    assert desk("00200000") == "63C6"


@pytest.mark.parametrize("digits", ["1234", "12345600", "123456FF", "1234567890123456"])
def test_ssse_3_7_another_length_is_a_wrong_pin(desk, digits):
    assert desk.pin(digits) == "63C5"


def test_ssse_3_7_a_failure_takes_the_right_away(desk):
    desk.ok("00A4000002DF01")
    assert desk.pin() == "9000"
    assert desk.sw("00B2012C00") == "9000"
    assert desk.pin("123457") == "63C5"
    assert desk.sw("00B2012C00") == "6982"


@pytest.mark.parametrize("other", ["01", "81", "FF"])
def test_ssse_3_7_another_reference(desk, other):
    assert desk(f"002000{other}03123456") == "6A88"
    assert desk("0020010003123456") == "6A86"
    assert desk("00200000") == "63C6"


def test_ssse_3_7_the_counter_survives_reset_and_selection(desk):
    assert desk.pin("999999") == "63C5"
    desk.reset()
    assert desk.ssse("DF01").pin("999999") == "63C4"
    desk.ok("00A40000", SSSE)
    assert desk.pin("999999") == "63C3"
    desk.card.power_on()
    again = Desk(desk.card).ssse()
    assert again.sw("00200000") == "63C3"


@pytest.mark.parametrize("limit", [1, 3, 14])
def test_ssse_3_7_the_limit_is_the_profiles(cards, limit):
    desk = Desk(cards(**{"pin.limit": limit})).ssse()
    answers = [desk.pin("999999") for _ in range(limit + 1)]
    assert answers == [*(f"63C{left:X}" for left in range(limit - 1, -1, -1)), "6983"]


# ---- 3.8 GET CHALLENGE ------------------------------------------------------------------------


@pytest.mark.parametrize(("le", "length"), [("", 8), ("00", 8), ("04", 4), ("08", 8), ("10", 16)])
def test_ssse_3_8_lengths_of_a_challenge(desk, le, length):
    assert len(desk.data("00840000" + le)) == 2 * length


@pytest.mark.parametrize("le", ["01", "07", "09", "0F", "20", "FF"])
def test_ssse_3_8_other_lengths_are_refused(desk, le):
    assert desk("00840000" + le) == "6700"


def test_ssse_3_8_no_two_challenges_are_equal(desk):
    assert len({desk.challenge() for _ in range(100)}) == 100


SURVIVED = {
    "READ RECORD": "00B2052800",
    "refused READ RECORD": "00B2282800",
    "VERIFY": "0020000003123456",
    "wrong VERIFY": "0020000003999999",
    "INTERNAL AUTHENTICATE": "0088000010" + "11" * 16,
    "SELECT EF": "00A4000002EF05",
    "SELECT DFxx": "00A4000002DF01",
    "failed SELECT": "00A4000002DF0F",
    "READ BINARY": "00B0870001",
    "GET DATA": "80CA00D000",
    "unknown": "00FE0000",
}


@pytest.mark.parametrize("between", SURVIVED)
def test_ssse_3_8_a_challenge_survives(desk, keys, between):
    held = desk.challenge()
    desk(SURVIVED[between])
    assert desk.sw(desk.authentication(0x04, keys["SSSE", 0x04], held)) == "9000"


@pytest.mark.parametrize("between", ["00A40000", "00A4000002DDF1", SSSE, "reset"])
def test_ssse_3_8_a_challenge_does_not_survive(desk, keys, between):
    """Change of environment, selecting the SSSE itself (4.3), reset."""
    held = desk.challenge()
    if between == "reset":
        desk.reset()
    else:
        desk.ok(between)
    desk.ssse()
    assert desk.sw(desk.authentication(0x04, keys["SSSE", 0x04], held)) == "6984"


def test_ssse_3_8_a_challenge_is_consumed_right_or_wrong(desk, keys):
    key = keys["SSSE", 0x04]
    assert desk.sw("0082000410" + "00" * 16) == "6984"
    command = desk.authentication(0x04, key, desk.challenge())
    assert [desk.sw(command), desk.sw(command)] == ["9000", "6984"]
    command = desk.authentication(0x04, key, desk.challenge())
    assert desk.sw("0082000410" + "00" * 16) == "63CD"
    assert desk.sw(command) == "6984"


def test_ssse_3_8_only_the_latest_challenge_is_valid(desk, keys):
    first = desk.challenge()
    desk.challenge()
    assert desk.sw(desk.authentication(0x04, keys["SSSE", 0x04], first)) == "63CD"


@pytest.mark.parametrize("length", [4, 16])
def test_ssse_3_8_a_session_key_needs_eight_bytes(desk, keys, length):
    held = desk.challenge(length=length)[:8].ljust(8, b"\0")
    assert desk.sw(desk.authentication(0x04, keys["SSSE", 0x04], held)) == "6984"
    assert desk.prove(0x04, keys["SSSE", 0x04]) == "9000"


@pytest.mark.parametrize("index", range(6))
def test_ssse_3_8_history_keeps_four_challenges(cards, keys, index):
    desk = Desk(cards(challenge_policy="history:4")).ssse()
    held = [desk.challenge() for _ in range(6)]
    answer = desk.sw(desk.authentication(0x04, keys["SSSE", 0x04], held[index]))
    assert answer == ("63CD" if index < 2 else "9000")
    for challenge in held:
        assert desk.sw(desk.authentication(0x04, keys["SSSE", 0x04], challenge)) == "6984"


def test_ssse_3_8_history_costs_one_try_and_ends_with_reset(cards, keys):
    desk = Desk(cards(challenge_policy="history:4")).ssse()
    held = [desk.challenge() for _ in range(4)]
    assert desk.sw("0082000410" + "00" * 16) == "63CD"
    held = [desk.challenge() for _ in range(4)]
    desk.reset()
    desk.ssse()
    assert desk.sw(desk.authentication(0x04, keys["SSSE", 0x04], held[0])) == "6984"
    assert desk.prove(0x04, keys["SSSE", 0x04]) == "9000"


def test_ssse_3_8_history_skips_challenges_a_key_cannot_use(cards, keys):
    desk = Desk(cards(challenge_policy="history:4")).ssse()
    held = desk.challenge()
    desk.challenge(length=4)
    desk.challenge(length=16)
    assert desk.sw(desk.authentication(0x04, keys["SSSE", 0x04], held)) == "9000"


def test_ssse_3_8_history_serves_the_two_and_two_of_an_hsm(cards, keys):
    """R1 for the internal authentication, R2 and R1 for the external one afterwards."""
    desk = Desk(cards(challenge_policy="history:4")).ssse()
    first, second = desk.challenge(), desk.challenge()
    desk.ok(f"0088000010{first.hex()}{second.hex()}")
    assert desk.sw(desk.authentication(0x0A, keys["SSSE", 0x0A], first)) == "9000"


# ---- 3.8 INTERNAL AUTHENTICATE ----------------------------------------------------------------


def test_ssse_3_8_internal_authenticate_refusals(desk):
    data = "1122334455667788 0102030405060708"
    assert desk("0088000110" + data) == "6A88"
    assert desk("0088000410" + data) == "6A88"
    assert desk("0088010010" + data) == "6A86"
    assert desk("008800000F" + "11" * 15) == "6700"
    assert desk("0088000011" + "11" * 17) == "6700"
    assert desk("00880000") == "6700"


# ---- 3.8 EXTERNAL AUTHENTICATE ----------------------------------------------------------------


@pytest.fixture(scope="session")
def versions(cards):
    """A card whose UK_SSSE stands in versions 01 and 02, the second with another value."""
    second = {"type": "external", "id": "04", "version": 2, "value": SECOND_UK}
    return cards(**{f"ssse.key.UK-2.{name}": value for name, value in second.items()}).snapshot()


def test_ssse_3_8_key_versions(versions, keys):
    first, second = keys["SSSE", 0x04], bytes.fromhex(SECOND_UK)
    desk = Desk(versions.fork()).ssse()
    assert desk.prove(0x04, first) == "9000"
    assert desk.prove(0x04, first, version="01") == "9000"
    assert desk.prove(0x04, second, version="02") == "9000"
    assert desk("00DC052806050420240116") == "9000"
    assert desk.prove(0x04, first, version="02") == "63CD"
    assert desk.prove(0x04, second) == "63CD"
    for missing in ("00", "03", "FF"):
        assert desk.prove(0x04, first, version=missing) == "6A88"


def test_ssse_3_8_each_version_counts_by_itself(versions, keys):
    desk = Desk(versions.fork()).ssse()
    for left in range(13, -1, -1):
        assert desk.prove(0x04, bytes(16), version="02") == f"63C{left:X}"
    assert desk.prove(0x04, bytes.fromhex(SECOND_UK), version="02") == "6983"
    assert desk.prove(0x04, keys["SSSE", 0x04], version="01") == "9000"


def test_ssse_3_8_sm4_with_and_without_version(cards):
    key = Profile.load("v2", {"ssse.algorithm": "sm4"}).ssse.key(0x0D, 0x04).value
    desk = Desk(cards(**{"ssse.algorithm": "sm4"}), algorithm=SM4).ssse()
    assert desk.prove(0x04, key) == "9000"
    assert desk.prove(0x04, key, version="01") == "9000"
    assert desk.prove(0x04, key, version="02") == "6A88"


@pytest.mark.parametrize(
    ("place", "kid", "sw"),
    [
        ("", "03", "6A88"),
        ("", "0F", "6A88"),
        ("", "83", "6A88"),  # a key of an application, seen from the SSSE
        ("", "02", "6981"),  # the line protection key
        ("DF01", "82", "6981"),
        ("DF04", "01", "6981"),  # load, purchase and TAC keys
        ("DF01", "02", "6981"),
        ("DF05", "84", "6A88"),
        ("DF01", "8F", "6A88"),
    ],
)
def test_ssse_3_8_keys_that_are_not_there_or_not_for_this(desk, place, kid, sw):
    if place:
        desk.ok(f"00A4000002{place}")
    desk.challenge()
    assert desk(f"008200{kid}10" + "00" * 16) == sw


@pytest.mark.parametrize("length", [0, 1, 8, 15, 18, 32])
def test_ssse_3_8_lengths_of_the_session_form(desk, length):
    desk.challenge()
    assert desk(f"00820004{length:02X}" + "00" * length) == "6700"


def test_ssse_3_8_p1_is_00(desk):
    desk.challenge()
    assert desk("0082010410" + "00" * 16) == "6A86"


def test_ssse_3_8_tries_count_down_block_and_survive(desk, keys):
    for left in range(13, 6, -1):
        assert desk.prove(0x04, bytes(16)) == f"63C{left:X}"
    desk.reset()
    desk.ssse()
    for left in range(6, -1, -1):
        assert desk.prove(0x04, bytes(16)) == f"63C{left:X}"
    assert desk.prove(0x04, keys["SSSE", 0x04]) == "6983"
    assert desk("00DC052806050420240116") == "6982"
    assert desk.prove(0x0A, keys["SSSE", 0x0A]) == "9000"


def test_ssse_3_8_success_restores_the_counter(desk, keys):
    assert [desk.prove(0x04, bytes(16)) for _ in range(3)] == ["63CD", "63CC", "63CB"]
    assert desk.prove(0x04, keys["SSSE", 0x04]) == "9000"
    assert desk.prove(0x04, bytes(16)) == "63CD"


def test_ssse_3_8_the_key_of_the_environment_from_an_application(desk, keys):
    desk.ok("00A4000002DF01")
    assert desk.prove(0x04, keys["SSSE", 0x04]) == "9000"
    desk.ok("00A4000002DF02")
    assert desk.prove(0x84, keys["DF02", 0x84]) == "9000"
    assert desk("00A40300") == FCI + "9000"
    assert desk("00DC052806050420240116") == "6982"


def test_ssse_3_8_kid_00_is_the_master_key(desk):
    """In its direct form; Lc 10 would be a session form that our master keys do not have."""
    desk.challenge()
    assert desk("0082000010" + "00" * 16) == "6700"
    assert desk.prove_master(Profile.load("v2").ssse.master.value) == "9000"
    assert desk.sw("80CA00D100") == "9000"


@pytest.mark.parametrize("kid", [0x0A, 0x04, 0x06])
def test_ssse_3_8_kid_00_may_mean_another_key(cards, keys, kid):
    desk = Desk(cards(ext_auth_kid00=f"{kid:02X}")).ssse()
    assert desk.prove(0x00, keys["SSSE", kid]) == "9000"
    assert desk.prove(0x00, bytes(16)) == "63CD"
    assert desk.prove(kid, keys["SSSE", kid]) == "9000"
    assert desk.prove_master(Profile.load("v2").ssse.master.value) == "9000"
    assert desk.prove(0x00, keys["SSSE", kid], version="02") == "6700"
    if kid == 0x0A:
        assert desk.prove(0x00, keys["SSSE", kid]) == "9000"
        assert desk.sw("00B0870001") == "9000"


def test_ssse_3_8_a_master_key_in_session_form(cards):
    """b2 of its header: P2 00 with Lc 10 (ssse-lb002 3.8)."""
    desk = Desk(cards(**{"ssse.df.DF01.master.session": True})).ssse("DF01")
    key = Profile.load("v2").ssse.directories[0].master.value
    assert desk.prove(0x00, key) == "9000"
    assert desk.sw("80CA00D100") == "9000"
    desk.challenge()
    assert desk("0082000008" + "00" * 8) == "6700"


# ---- 4.3 security state -----------------------------------------------------------------------


@pytest.fixture
def proved(desk, keys):
    """In DF01 with everything proved: PIN, UK_SSSE, UK1 of DF01."""
    desk.ok("00A4000002DF01")
    assert desk.pin() == "9000"
    assert desk.prove(0x04, keys["SSSE", 0x04]) == "9000"
    assert desk.prove(0x83, keys["DF01", 0x83]) == "9000"
    return desk


HOUSEHOLD = "00DC012C04 20025A5A"


def test_ssse_4_3_selecting_a_file_keeps_everything(proved):
    proved.ok("00A4000002EF06", "00A4000002EF05")
    assert proved("00B2010400") == "200200009000"
    assert proved(HOUSEHOLD) == "9000"


def test_ssse_4_3_selecting_an_application_keeps_the_environment(proved, keys):
    """PIN and global keys stay, local ones go, even when it is the same application."""
    proved.ok("00A4000002DF01")
    assert proved.sw("00B2012C00") == "9000"
    assert proved(HOUSEHOLD) == "6982"
    assert proved.prove(0x83, keys["DF01", 0x83]) == "9000"
    proved.ok("00A4000002DF02", "00A4000002DF01")
    assert proved(HOUSEHOLD) == "6982"
    assert proved.sw("00B2012C00") == "9000"


def test_ssse_4_3_a_local_right_means_nothing_next_door(desk, keys):
    """KID 83 of DF01 and of DF02 are two keys."""
    desk.ok("00A4000002DF01")
    assert desk.prove(0x83, keys["DF01", 0x83]) == "9000"
    desk.ok("00A4000002DF02")
    assert desk("00DC012C05 4203414141") == "6982"


def test_ssse_4_3_global_and_local_keys_with_one_nibble_are_two(desk, keys):
    """K04 of the SSSE gives nothing where K84 is asked for, nor the other way round."""
    desk.ok("00A4000002DF03")
    assert desk.prove(0x04, keys["SSSE", 0x04]) == "9000"
    assert desk("00B2013400") == "6982"
    assert desk.prove(0x84, keys["DF03", 0x84]) == "9000"
    assert desk.sw("00B2013400") == "9000"
    desk.reset()
    desk.ssse("DF03")
    assert desk.prove(0x84, keys["DF03", 0x84]) == "9000"
    assert desk("00A40300") == FCI + "9000"
    assert desk("00DC052806050420240116") == "6982"


@pytest.mark.parametrize("way", [SSSE, "00A4000002DDF1", "00A40300", "00A40000", "reset"])
def test_ssse_4_3_selecting_the_environment_clears_everything(proved, way):
    if way == "reset":
        proved.reset()
    else:
        proved.ok(way)
    if way in ("00A40000", "reset"):
        proved.ok(SSSE)
    assert proved("00DC052806050420240116") == "6982"
    proved.ok("00A4000002DF01")
    assert proved("00B2012C00") == "6982"
    assert proved(HOUSEHOLD) == "6982"


def test_ssse_4_3_visiting_the_other_environment_clears_everything(dual, keys):
    desk = Desk(dual.fork()).ssse("DF01")
    assert desk.pin() == desk.prove(0x83, keys["DF01", 0x83]) == "9000"
    desk.ok("00A404000E315041592E5359532E4444463031", "00A4040006D15600000500")
    assert desk("00B2012C00") == "6982"


@pytest.mark.parametrize("place", ["SSSE", "DF01"])
def test_ssse_4_3_a_failed_authentication_takes_its_own_right_alone(proved, keys, place):
    failing, other = (0x04, 0x83) if place == "SSSE" else (0x83, 0x04)
    assert proved.prove(failing, bytes(16)) == "63CD"
    assert proved.sw("00B2012C00") == "9000"
    assert proved(HOUSEHOLD) == ("9000" if other == 0x83 else "6982")
    proved.ok("00A4000002DF01")
    assert proved.pin("999999") == "63C5"
    assert proved.sw("00B2012C00") == "6982"


def test_ssse_4_3_a_failed_pin_leaves_the_keys(proved):
    assert proved.pin("999999") == "63C5"
    assert proved("00B2012C00") == "6982"
    assert proved(HOUSEHOLD) == "9000"


def test_ssse_4_3_a_challenge_refused_takes_no_right(proved):
    assert proved.sw("0082008310" + "00" * 16) == "6984"
    assert proved(HOUSEHOLD) == "9000"


def test_ssse_2_4_pin_and_key_in_either_order(cards, keys):
    for order in itertools.permutations(("PIN", "K84")):
        desk = Desk(cards()).ssse("DF04")
        for proof in order:
            assert desk("00B2013400") == "6982"
            sw = desk.pin() if proof == "PIN" else desk.prove(0x84, keys["DF04", 0x84])
            assert sw == "9000"
        assert desk.data("00B2013400") == "900100"


# ---- the table as a whole ----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("apdu", "sw"),
    [
        ("00A8000000", "6D00"),  # GPO belongs to the PSE
        ("80A8000002830000", "6D00"),
        ("80AE800000", "6D00"),
        ("00D2010401AA", "6D00"),  # WRITE RECORD is a vendor's
        ("80E1000202DF01", "6D00"),
        ("01B2012C00", "6881"),
        ("10B2012C00", "6884"),
        ("20B2012C00", "6E00"),
        ("80B2012C00", "6E00"),
        ("80820004", "6E00"),
        ("0484000008", "6882"),
        ("04B2012C0400000000", "6882"),
        ("04200000", "6882"),
    ],
)
def test_ssse_3_1_commands_it_does_not_know(desk, apdu, sw):
    assert desk(apdu) == sw
