"""cos 4.5: from the blank card to two operational environments, every APDU and every answer.

With the image it leaves, byte for byte (cos 2.5), and what GET DATA says on the way (5.1).
"""

from hashlib import sha256

import pytest
from cos_walk import (
    EMK_P2,
    IMAGE_SHA256,
    MF_FCI,
    PSE_FCI,
    SELECT_MF,
    SELECT_PSE,
    SELECT_SSSE,
    SSSE_FCI,
    TK,
    UK04,
    WALK,
    walk,
    walked,
    without_ring,
)

from sscard.card import Card
from sscard.cos.layout import DomainState
from sscard.cos.objects import HEADER_SIZE, KEY_RECORD_SIZE
from sscard.cos.tree import mount
from sscard.keys.diversify import kcv

ROWS = [row.number for row in WALK]


def hexed(text):
    return bytes.fromhex(text)


def power(snapshot, link="apdu"):
    card = snapshot.fork()
    return card, card.power_on(link)


# --- the exchange -------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def answers():
    card = Card.blank()
    return {row.number: answer for row, answer in walk(card, card.power_on())}


@pytest.mark.parametrize("row", WALK, ids=ROWS)
def test_cos_4_5_row(answers, row):
    assert answers[row.number].hex(" ") == hexed(row.answer).hex(" ")


def test_cos_4_5_walk_on_a_contact_card():
    """T=0: case 4 answers announce themselves, GET RESPONSE fetches them; nothing else differs."""
    card = Card.blank()
    activation = card.power_on("t0")
    for row, answer in walk(card, activation):
        expected = hexed(row.answer)
        if len(expected) == 2:
            assert answer == expected, row.number
        else:
            assert answer == bytes((0x61, len(expected) - 2)), row.number
            fetched = activation.transmit(bytes((0, 0xC0, 0, 0, answer[1])))
            assert fetched == expected, row.number
    assert sha256(without_ring(card.image)).hexdigest() == IMAGE_SHA256


def test_cos_4_5_row_8_announces_24_bytes():
    _, activation = power(walked("7"), "t0")
    assert activation.transmit(hexed(SELECT_SSSE)) == hexed("61 18")


def test_cos_4_5_image_after_row_22():
    assert sha256(without_ring(walked("22").image)).hexdigest() == IMAGE_SHA256


# --- what the rows mean -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("row", "card_lcs", "states"),
    [
        ("1", 0x01, ""),
        ("3", 0x01, ""),
        ("4", 0x03, ""),
        ("6", 0x03, "01 01"),
        ("7", 0x03, "01 01 02 01"),
        ("10", 0x03, "01 03 02 01"),
        ("12", 0x07, "01 03 02 03"),
        ("21", 0x07, "01 07 02 03"),
        ("22", 0x0F, "01 07 02 07"),
    ],
)
def test_cos_4_2_states_on_the_way(row, card_lcs, states):
    _, activation = power(walked(row))
    answer = activation.transmit(hexed("80 CA 00 C0 00"))
    assert answer[12:15] == bytes((0x81, 1, card_lcs))
    assert answer[:-2].endswith(b"\x86" + bytes((len(hexed(states)),)) + hexed(states))


def test_cos_4_5_row_4_destroys_the_transport_key():
    assert TK in walked("3").image
    assert TK not in walked("4").image, "neither in CS nor in the ring (cos 1.4, scrub)"


def test_cos_4_5_rows_13_and_13b_spend_tries_of_the_emk_and_14_restores_them():
    slot = 0x2AB8
    assert walked("12").image[slot + 13] == 8
    assert walked("13").image[slot + 13] == 7
    assert walked("13b").image[slot + 13] == 6
    assert walked("14").image[slot + 13] == 8


def test_cos_4_3_writing_a_master_key_clears_both_masks():
    """Pitfall (b): the CMK proof of row 9, the EMK proof of row 14 end with the key's writing."""
    for row in ("10", "12", "15"):
        card = Card.blank()
        activation = card.power_on()
        for done, _ in walk(card, activation):
            if done.number == row:
                break
        session = activation.kernel.current.session
        assert (session.directory_mask, session.environment_mask) == (0, 0)
        assert activation.transmit(hexed("80 CA 00 D1 00")) == hexed("69 82")


def test_cos_5_2_a_created_mf_is_current_and_keeps_the_proof_of_the_transport_key():
    card = Card.blank()
    activation = card.power_on()
    for row, _ in walk(card, activation):
        if row.number == "2":
            break
    assert activation.kernel.current.session.environment_mask == 1 << 15
    assert activation.transmit(hexed("80 CA 00 D0 00"))[-2:] == b"\x90\x00"


# --- GET DATA, cos 5.1 --------------------------------------------------------------------------

CARD_DATA = (
    "E1 22 80 08 53 53 43 30 30 30 30 31 81 01 07 82 03 01 40 00 83 03 00 16 00 84 03 53 10 80"
    " 86 04 01 03 02 03 90 00"
)
DOMAIN_DATA = (
    "E2 1B 80 01 01 81 01 03 82 03 00 A0 00 83 03 00 9C C8 84 01 02 85 03 4E CE D7 86 01 00 90 00"
)


@pytest.mark.parametrize("link", ["apdu", "t0"])
@pytest.mark.parametrize("selection", ["", SELECT_MF, SELECT_SSSE, SELECT_PSE])
def test_cos_5_1_get_data_c0_after_hand_over(selection, link):
    _, activation = power(walked("12"), link)
    if selection:
        activation.transmit(hexed(selection))
    if link == "t0":
        assert activation.transmit(hexed("80 CA 00 C0 00")) == hexed("6C 24")
        assert activation.transmit(hexed("80 CA 00 C0 24")) == hexed(CARD_DATA)
    else:
        assert activation.transmit(hexed("80 CA 00 C0 00")) == hexed(CARD_DATA)


def test_cos_5_1_get_data_d0_after_row_15():
    _, activation = power(walked("15"))
    activation.transmit(hexed(SELECT_SSSE))
    assert activation.transmit(hexed("80 CA 00 D0 00")) == hexed(DOMAIN_DATA)


def test_cos_5_1_get_data_d0_without_a_master_key_has_neither_version_nor_kcv():
    _, activation = power(walked("7"))
    activation.transmit(hexed(SELECT_SSSE))
    assert activation.transmit(hexed("80 CA 00 D0 00")) == hexed(
        "E2 13 80 01 01 81 01 01 82 03 00 A0 00 83 03 00 9F 78 86 01 00 90 00"
    )


def test_cos_5_1_get_data_d1_and_d2_list_what_the_walk_made():
    card = Card.blank()
    activation = card.power_on()
    for row, _ in walk(card, activation):
        if row.number == "20":
            break
    keys = "00 00 02 00 88 08 4E CE D7   0D 04 01 00 33 03 3C B3 DE"
    files = "EF 80 0C 02 80   EF 05 05 00 80   DF 01 38 00 00"
    assert activation.transmit(hexed("80 CA 00 D1 00")) == hexed(keys + "90 00")
    assert activation.transmit(hexed("80 CA 00 D2 00")) == hexed(files + "90 00")
    assert activation.transmit(hexed("80 CA 01 D1 00")) == hexed("6A 88")


def test_cos_5_1_get_data_c3_is_the_chip_serial():
    _, activation = power(Card.blank().snapshot())
    assert activation.transmit(hexed("80 CA 00 C3 00")) == b"SSC00001\x90\x00"


def test_cos_2_2_fcis():
    _, activation = power(walked("22"))
    assert activation.transmit(hexed(SELECT_MF)) == hexed(MF_FCI + "90 00")
    assert activation.transmit(hexed(SELECT_PSE)) == hexed(PSE_FCI + "90 00")
    assert activation.transmit(hexed("00 A4 00 00 02 3F 00"))[-2:] == b"\x90\x00"
    printed = hexed(SSSE_FCI + "90 00")
    answer = activation.transmit(hexed(SELECT_SSSE))
    assert (answer[:-3], answer[-2:]) == (printed[:-3], printed[-2:])


def test_cos_2_2_the_printed_fci_of_an_ssse_whose_dir_has_the_sfi_1e():
    """Tag 88 of the DDF names its DIR."""
    card = walked("5").fork()
    activation = card.power_on()
    card.env.force_random(hexed("3132333435363738"))
    activation.transmit(hexed("00 84 00 00 08"))
    activation.transmit(hexed("00 82 00 00 08 C1 0E 13 BB 46 CB 43 9F"))
    create = (
        "80 E0 00 00 32 62 30 82 01 38 83 02 DD F1 84 0F 73 78 31 2E 73 68 2E C9 E7 BB E1 B1 A3 D5"
        " CF 81 03 00 A0 00 88 01 F0 86 06 8F 00 8F 00 8F 00 A5 06 C0 01 01 C1 01 03"
    )
    assert activation.transmit(hexed(create)) == b"\x90\x00"
    assert activation.transmit(hexed(SELECT_SSSE)) == hexed(SSSE_FCI + "90 00")


# --- the image, cos 2.5 -------------------------------------------------------------------------


def page(front, crc):
    return hexed(front).ljust(60, b"\xff") + hexed(crc)


STATIC_PAGES = {
    "superblock": (
        0x0000,
        page(
            "53 53 43 41 52 44 01 01 00 01 40 00 00 40 05 00 00 08 00 80 00 88 04 78 00 02 00 03"
            "00 04 00 05 00 00 00 01 FF FF FF FF FF FF FF FF 00 11 22 33 44 55 66 77 88 99 AA BB"
            "CC DD EE FF",
            "8F FF 72 A1",
        ),
    ),
    "CH": (
        0x0080,
        page("43 48 00 FE 00 50 53 53 43 30 30 30 30 31 20 24 03 01 53 10 80 01", "3F F1 CD C6"),
    ),
    "AT": (0x00C0, page("41 54 00 0D 00 FE 53 10 80 86 FE 99 01 00 00 00 01", "F3 43 78 A6")),
}
PAGES = {
    **STATIC_PAGES,
    "second superblock": (0x0040, STATIC_PAGES["superblock"][1]),
    "CS": (0x0100, page("43 53 07 02 25 00 0F 0F" + "00" * 16, "14 3B 8E 8D")),
    "EX": (
        0x0140,
        page(
            "45 58 03 00 00 01 00 88 00 20 3F 00 FF FF 01 01 00 A8 02 80 DD F1 FF FF"
            "02 01 03 28 01 80 DD F2 FF FF",
            "A5 2D F3 37",
        ),
    ),
    "reserved": (0x0180, b"\xff" * 128),
    "unallocated": (0x12A00, b"\xff" * 5632),
}
OBJECTS = {
    "MF header": (
        0x2240,
        (
            "A5 38 3F 00 00 05 00 09 00 00 00 00 00 00 00 18 00 00 00 00 00 00 00 00"
            "8F 00 FF FF 8F 00 FF FF FF FF FF FF 00 00 08 00 00 00 03 00 96 FF AE 5D"
        ),
    ),
    "EF80 header (SSSE)": (
        0x2A88,
        (
            "A5 0C EF 80 00 05 01 00 00 00 2A 40 00 00 02 80 00 28 10 00 02 80 00 00"
            "8F 00 FF FF FF FF FF FF FF FF FF FF 00 00 00 00 00 00 00 00 92 03 18 5B"
        ),
    ),
    "EF05 header (SSSE)": (
        0x2D38,
        (
            "A5 05 EF 05 05 05 01 00 00 00 2A 40 00 00 00 82 00 14 10 00 00 80 00 00"
            "00 00 84 00 FF FF FF FF FF FF FF FF 00 00 00 00 00 00 00 00 3D 84 45 20"
        ),
    ),
    "key record of UK04": (
        0x2AE0,
        (
            "A5 0D 04 01 00 33 04 00 00 8F 00 03 10 03 FF FF B0 C3 BE 8D 15 CC E3 5B"
            "43 AE 0D 70 2B 4D 80 CD 3C B3 DE FF 4E 4A 81 09"
        ),
    ),
}


@pytest.mark.parametrize("name", PAGES)
def test_cos_2_5_page(name):
    address, expected = PAGES[name]
    image = walked("22").image
    assert image[address : address + len(expected)].hex(" ") == expected.hex(" ")


@pytest.mark.parametrize("name", OBJECTS)
def test_cos_2_5_object(name):
    address, expected = OBJECTS[name]
    data = hexed(expected)
    assert walked("22").image[address : address + len(data)].hex(" ") == data.hex(" ")


def test_cos_2_5_domain_header_of_ssse_after_hand_over():
    expected = page("44 48 01 03 00 A8 02 80 DD F1 00 03 03 00 00 00 2A 40", "B1 AF FA 41")
    assert walked("12").image[0x2A00:0x2A40] == expected


def test_cos_2_5_card_state_after_format():
    assert Card.blank().image[0x100:0x118] == hexed("43 53 01 00 A5 00 0F 0F") + TK


def test_cos_2_5_after_format_all_else_is_erased():
    image = Card.blank().image
    for address, expected in STATIC_PAGES.values():
        assert image[address : address + 64] == expected
    assert image[0x140:0x144] == hexed("45 58 00 00")
    assert image[0x180:] == b"\xff" * (len(image) - 0x180)


def test_cos_2_5_layout_check():
    image = walked("22").image
    tree = mount(image, 168, 640)
    at = {node.fid: node for node in tree.nodes}
    assert at[0xDDF1].address == 0x2A40
    assert at[0xEF80].address == 0x2A88
    assert at[0xEF80].body == 0x2AB8
    assert at[0xEF80].body + KEY_RECORD_SIZE == 0x2AE0
    assert image[0x2AED] == 3
    assert at[0xEF05].address == 0x2D38
    assert at[0xDF01].address == 0x2DF0
    assert (tree.top, tree.free) == (0x2E38, 0x9BC8)
    assert image[tree.top] == 0xFF


def test_cos_2_5_record_of_row_20():
    body = 0x2D38 + HEADER_SIZE
    record = hexed("05 04 20 24 03 15")
    assert walked("22").image[body : body + 9] == b"\x00\x07\x06" + record


def test_cos_2_5_pse_extent():
    image = walked("22").image
    tree = mount(image, 808, 384)
    assert [node.fid for node in tree.nodes] == [0xDDF2, 0xEF80]
    assert image[808 * 64 : 808 * 64 + 4] == bytes((0x44, 0x48, 2, DomainState.OPERATIONAL))
    slot = tree.nodes[1].body
    assert image[slot + 16 : slot + 35] == EMK_P2 + kcv(0, EMK_P2)
    assert UK04 not in image[808 * 64 :]
