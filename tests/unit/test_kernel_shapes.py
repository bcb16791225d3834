"""cos 1.6, 5.1: how answers leave the card, at once or as a T=0 contact card shapes them."""

import pytest
from cos_bureau import PSE, SELECT, SSSE, STK, Bureau, furnished
from cos_trace import extents
from cos_walk import PSE_FCI, SELECT_MF, SELECT_SSSE, WALK, walked

from sscard.card import Card
from sscard.cos.layout import DomainHeader
from sscard.sample import sample_card

SSSE_FCI = bytes.fromhex("6F16840F7378312E73682EC9E7BBE1B1A3D5CFA503880101")


@pytest.fixture
def contact():
    return Bureau(furnished().fork(), link="t0")


@pytest.fixture
def at_once():
    return Bureau(furnished().fork())


def blocked(link):
    """A card whose SSSE is temporarily blocked."""
    card = furnished().fork()
    start = extents(card.image)[SSSE].start * 64
    header = DomainHeader.parse(card.image[start : start + 64])
    card.eeprom.poke(start, header._replace(block=1).build())
    return Bureau(card, link=link)


# --- case 4: 61xx and GET RESPONSE --------------------------------------------------------------


def test_cos_1_6_case_4_announces_its_answer(contact):
    assert contact.sw(SELECT_SSSE) == "6118"
    assert contact.send("00C0000018") == SSSE_FCI + b"\x90\x00"


@pytest.mark.parametrize("command", [SELECT_SSSE + "00", SELECT_SSSE + "18", SELECT_SSSE + "05"])
def test_cos_1_6_le_of_a_case_4_command_is_not_seen_on_the_line(contact, command):
    assert contact.sw(command) == "6118"


def test_cos_5_1_get_response_00_takes_all(contact):
    contact.send(SELECT_SSSE)
    assert contact.send("00C0000000") == SSSE_FCI + b"\x90\x00"


def test_cos_1_6_get_response_in_parts(contact):
    contact.send(SELECT_SSSE)
    assert contact.send("00C0000005") == SSSE_FCI[:5] + b"\x61\x13"
    assert contact.send("00C0000001") == SSSE_FCI[5:6] + b"\x61\x12"
    assert contact.send("00C0000012") == SSSE_FCI[6:] + b"\x90\x00"
    assert contact.sw("00C0000001") == "6F00"


def test_cos_1_6_get_response_of_more_than_waits_names_the_length(contact):
    contact.send(SELECT_SSSE)
    assert contact.sw("00C0000019") == "6C18"
    assert contact.send("00C0000018") == SSSE_FCI + b"\x90\x00", "nothing is lost by asking"


def test_pcsc_get_response_takes_the_class_of_the_command_while_data_wait():
    """Java sends `80 C0` after a command of class 80; any other class ends the waiting."""
    card = sample_card().power_on("t0")
    card.transmit(bytes.fromhex("00A4040008A000000333010101"))
    assert card.transmit(bytes.fromhex("80C0000000")).hex() == "6e00"
    assert card.transmit(bytes.fromhex("00C0000000")).hex() == "6985", "the other class ended it"
    assert card.transmit(bytes.fromhex("80A80000028300")).hex() == "6110"
    answer = bytes.fromhex("800E7C000801010010010201180103009000")
    assert card.transmit(bytes.fromhex("80C0000010")) == answer
    assert card.transmit(bytes.fromhex("80C0000010")).hex() == "6e00", "nothing waits any more"


@pytest.mark.parametrize("link", ["apdu", "t0"])
@pytest.mark.parametrize(("home", "sw"), [("", "6F00"), (SELECT_MF, "6F00"), (PSE, "6985")])
def test_cos_1_6_get_response_with_nothing_pending(link, home, sw):
    """The current environment's own answer: README 10; pse-pboc 2.1."""
    bureau = Bureau(furnished().fork(), link=link)
    if home:
        bureau.send(SELECT.get(home, home))
        bureau.send("0084000008")  # drops the FCI
    assert bureau.sw("00C0000000") == sw


def test_cos_1_6_get_response_on_an_apdu_link_has_nothing(at_once):
    assert at_once.send(SELECT_SSSE) == SSSE_FCI + b"\x90\x00"
    assert at_once.sw("00C0000018") == "6F00"


@pytest.mark.parametrize(
    ("command", "sw"), [("00C0010018", "6A86"), ("00C0000118", "6A86"), ("00C0000002AABB", "6700")]
)
def test_cos_5_3_form_of_get_response(contact, command, sw):
    contact.send(SELECT_SSSE)
    assert contact.sw(command) == sw
    assert len(contact.send("00C0000018")) == 26, "a wrong one drops nothing"


@pytest.mark.parametrize("cla", [0x80, 0x04, 0x01, 0xFF])
def test_cos_5_3_get_response_has_class_00(contact, cla):
    contact.send(SELECT_SSSE)
    assert contact.sw(bytes((cla, 0xC0, 0, 0, 0x18)))[0] == "6"


@pytest.mark.parametrize(
    "other",
    ["0084000008", "80CA00C000", "00A4000002EF0A", "00FF000000", "FF00000000", "00B2000000"],
)
def test_cos_1_6_any_other_command_drops_what_is_pending(contact, other):
    contact.send(SELECT_SSSE)
    contact.send(other)
    assert contact.sw("00C0000018") == "6F00"


@pytest.mark.parametrize("malformed", ["00A4000005AA", "00A40000000102"])
def test_cos_1_6_a_malformed_command_drops_it_too(contact, malformed):
    contact.send(SELECT_SSSE)
    assert contact.sw(malformed) == "6700"
    assert contact.sw("00C0000018") == "6F00"


@pytest.mark.parametrize("short", ["", "00", "00C0", "00C000"])
def test_cos_9_less_than_a_header_drops_nothing(contact, short):
    contact.send(SELECT_SSSE)
    assert contact.sw(short) == "6700"
    assert len(contact.send("00C0000018")) == 26


def test_cos_1_6_reset_drops_what_is_pending(contact):
    contact.send(SELECT_SSSE)
    contact.power.reset()
    assert contact.sw("00C0000018") == "6F00"


def test_cos_5_3_6283_comes_first_and_the_fci_after_it():
    contact = blocked("t0")
    assert contact.sw(SELECT_SSSE) == "6283"
    assert contact.send("00C0000018") == SSSE_FCI + b"\x90\x00"
    assert blocked("apdu").send(SELECT_SSSE) == SSSE_FCI + b"\x62\x83"


def test_cos_2_2_select_of_an_ef_has_nothing_to_fetch(contact):
    contact.send(SELECT_SSSE)
    assert contact.send("00A4000002EF0A") == b"\x90\x00"
    assert contact.sw("00A4000402EF0A")[:2] == "61"


# --- case 2: 6Cxx -------------------------------------------------------------------------------


def test_cos_1_6_case_2_with_another_le(contact, at_once):
    """T=0 wants the exact length; at once, 00 is as good."""
    for le in ("00", "08", "25"):
        assert contact.sw("80CA00C0" + le) == "6C24"
    assert contact.data("80CA00C024") == at_once.data("80CA00C000") == at_once.data("80CA00C024")
    for le in ("01", "25", "FF"):
        assert at_once.sw("80CA00C0" + le) == "6C24"


def test_cos_1_6_a_case_2_command_without_le_is_one_with_le_00(contact, at_once):
    assert contact.sw("80CA00C3") == "6C08"
    assert at_once.data("80CA00C3") == b"SSC00001"


def test_cos_2_2_binary_gives_what_le_asks_for(contact, at_once):
    for bureau in (contact, at_once):
        bureau.send(SELECT_SSSE)
        assert bureau.data("00B08A0004") == b"SSSE"
        assert len(bureau.data("00B08A0000")) == 64
        assert bureau.sw("00B08A0041") == "6C40"
        assert bureau.sw("00B08A3011") == "6C10"
        assert bureau.sw("00B08A40FF") == "6B00"


def test_ssse_3_4_record_le_is_ignored_by_default(contact, at_once):
    for bureau in (contact, at_once):
        bureau.send(SELECT_SSSE)
        record = bureau.data("00B2012C00")
        assert record == bytes.fromhex("050420240315")
        for le in ("01", "04", "06", "FF"):
            assert bureau.data("00B2012C" + le) == record


def test_cos_1_6_case_2_in_the_envelope_of_a_mac_is_case_4(contact, at_once):
    """A protected read carries data: on T=0 its answer is fetched (cos 6.1)."""
    for bureau in (contact, at_once):
        bureau.send(SELECT_SSSE)
    answer = contact.send(contact.protected("04B09400", b"", STK, length=8, le=16))
    assert answer == b"\x61\x14"
    assert len(contact.data("00C0000014")) == 20
    assert len(at_once.data(at_once.protected("04B09400", b"", STK, length=8, le=16))) == 20


# --- both ---------------------------------------------------------------------------------------


def unwrapped(bureau, apdu):
    """What a reader makes of T=0: GET RESPONSE after 61xx, the right Le after 6Cxx."""
    answer = bureau.send(apdu)
    if answer[-2] == 0x6C:
        answer = bureau.send(apdu[:4] + answer[-1:])
    data = answer[:-2]
    while answer[-2] == 0x61:
        answer = bureau.send(bytes((0, 0xC0, 0, 0, answer[-1])))
        data += answer[:-2]
    return data + answer[-2:]


def test_cos_9_7_links_agree_once_a_reader_has_fetched_everything():
    contact, at_once = Bureau(Card.blank(), link="t0"), Bureau(Card.blank())
    asked = [bytes.fromhex(row.command) for row in WALK]
    asked += [
        bytes.fromhex(text) for text in ("80CA00C000", "80CA00D000", SELECT_SSSE, "00B2012C00")
    ]
    for apdu in asked:
        assert unwrapped(contact, apdu) == at_once.send(apdu), apdu.hex(" ")


def test_cos_1_6_a_case_4_answer_of_more_than_256_bytes_is_fetched_in_two():
    contact = Bureau(walked("16").fork(), link="t0")
    contact.send(SELECT_SSSE)
    from cos_bureau import TRANSPARENT, fcp, key_header
    from cos_walk import EMK_S2

    assert contact.prove(EMK_S2) == "9000"
    assert contact.write_key(EMK_S2, key_header(7, 2, tries=0xFF), STK) == "9000"
    parameters = fcp(TRANSPARENT, 0xEF05, size=300, access="0000 0000 FFFF A200")
    assert contact.create(parameters) == "9000"
    answer = contact.send(contact.protected("04B08500", b"", STK, length=8, le=256))
    assert answer == b"\x61\x00"
    first = contact.send("00C0000000")
    assert first[-2:] == b"\x61\x04"
    assert len(first) + len(contact.data("00C0000004")) == 256 + 2 + 4


def test_cos_2_2_printed_pse_fci(contact):
    assert contact.sw(SELECT[PSE]) == "6117"
    assert contact.send("00C0000017") == bytes.fromhex(PSE_FCI) + b"\x90\x00"
