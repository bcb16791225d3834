"""cos 6.3: the printed vectors of line protection, V1 to V8, as commands to a card.

An OWNED SSSE with the files the vectors name: EF05 with the secure messaging byte and STK each
one needs. Once it is OPERATIONAL the SSSE's own session flavour is used (README 4).
"""

import pytest
from cos_bureau import DES, SM4, SSSE, STK, TDES, TRANSPARENT, UK_SM4, Bureau, fcp, key_header
from cos_trace import WRONG
from cos_walk import EMK_S2, walked

COUNTING = bytes(range(1, 16))
STK8 = bytes.fromhex("94328072241EA789")
R4, R8 = "E1E2E3E4", "E1E2E3E4E5E6E7E8"


def card(sm_read, sm_write, algorithm=TDES, value=STK, tries=0xFF):
    """An OWNED SSSE whose EF05 is transparent, 64 bytes, with these sm bytes; STK has id 02."""
    bureau = Bureau(walked("16").fork()).select(SSSE)
    assert bureau.prove(EMK_S2) == "9000"
    header = key_header(0x07, 0x02, algorithm=algorithm, length=len(value), tries=tries)
    assert bureau.write_key(EMK_S2, header, value) == "9000"
    access = f"0000 0000 FFFF {sm_read:02X}{sm_write:02X}"
    assert bureau.create(fcp(TRANSPARENT, 0xEF05, size=64, access=access)) == "9000"
    bureau.select(SSSE)
    return bureau


PLAIN = "04 D6 85 00 13 01 02 03 04 05 06 07 08 09 0A 0B 0C 0D 0E 0F "
CIPHER = "04 D6 85 00 14 15 DC CE 6F E3 BE 66 0B 6B C8 CD C2 74 0D C9 15 "
CIPHER_16 = (
    "04 D6 85 00 1C 2F F0 63 87 7D 3C 4B 5C 6B C8 CD C2 74 0D C9 15 AB E3 1C 80 7D C5 73 B5 "
)
CIPHER_SM4 = "04 D6 85 00 14 6B 82 64 0C 95 B8 EA 1A 8D C0 26 0D 56 7B 6A FA "
VECTORS = {
    "V1": (0x82, TDES, STK, R4, PLAIN + "B4 CB 3E 4D"),
    "V2": (0x82, TDES, STK, R8, PLAIN + "99 9C B4 86"),
    "V3": (0xC2, TDES, STK, R4, CIPHER + "E5 08 EC D0"),
    "V4": (0xC2, TDES, STK, R4, CIPHER_16 + "D5 F4 ED 39"),
    "V6": (0x82, DES, STK8, R4, PLAIN + "3F 8E 02 24"),
    "V7": (0x82, SM4, UK_SM4, R4, PLAIN + "55 28 8D 59"),
    "V8": (0xC2, SM4, UK_SM4, R4, CIPHER_SM4 + "03 58 B6 94"),
}


def prepared(name, **changes):
    sm, algorithm, value, challenge, command = VECTORS[name]
    bureau = card(0x00, sm, algorithm, value, **changes)
    bureau.challenge(value=challenge)
    return bureau, command


@pytest.mark.parametrize("link", ["apdu", "t0"])
@pytest.mark.parametrize("name", VECTORS)
def test_cos_6_3_vector(name, link):
    bureau, command = prepared(name)
    if link == "t0":
        bureau.power = bureau.card.power_on("t0")
        bureau.send("00A404000F7378312E73682EC9E7BBE1B1A3D5CF")
        bureau.challenge(value=VECTORS[name][3])
    assert bureau.sw(command) == "9000"
    written = bytes(range(1, 17)) if name == "V4" else COUNTING
    assert bureau.data("00B0850010") == written.ljust(16, b"\xff")


@pytest.mark.parametrize("name", VECTORS)
@pytest.mark.parametrize("at", [2, 3, 5, -5, -1])
def test_cos_6_3_a_flipped_bit_is_6988(name, at):
    """Of the header, the data, or the MAC."""
    bureau, command = prepared(name)
    raw = bytearray.fromhex(command)
    raw[at] ^= 1 if at != 2 else 0x80
    if at == 2:
        raw[2], raw[3] = 0x85, 0x01
    assert bureau.sw(bytes(raw)) == "6988"
    assert bureau.data("00B0850010") == b"\xff" * 16


def test_cos_6_3_v5_read_binary_with_a_response_mac():
    bureau = card(0xA2, 0x00)
    bureau.ok(b"\x00\xd6\x85\x00\x0f" + COUNTING)
    bureau.challenge(value=R8)
    answer = bureau.send("04 B0 85 00 04 C2 32 8D 76 0F")
    assert answer == COUNTING + bytes.fromhex("62AE5A0A9000")


def test_cos_6_3_v5_on_a_contact_card():
    bureau = card(0xA2, 0x00)
    bureau.ok(b"\x00\xd6\x85\x00\x0f" + COUNTING)
    bureau.power = bureau.card.power_on("t0")
    bureau.send("00A404000F7378312E73682EC9E7BBE1B1A3D5CF")
    bureau.challenge(value=R8)
    assert bureau.sw("04 B0 85 00 04 C2 32 8D 76 0F") == "6113"
    assert bureau.send("00C0000013") == COUNTING + bytes.fromhex("62AE5A0A9000")


def test_cos_6_1_a_challenge_protects_one_command():
    bureau, command = prepared("V1")
    assert bureau.sw(command) == "9000"
    assert bureau.sw(command) == "6984"


def test_cos_6_1_without_a_challenge_is_6984():
    bureau = card(0x00, 0x82)
    assert bureau.sw(VECTORS["V1"][4]) == "6984"


def test_cos_6_1_a_challenge_longer_than_the_block_is_6984():
    bureau = card(0x00, 0x82)
    bureau.challenge(16)
    assert bureau.sw(VECTORS["V1"][4]) == "6984"


def test_cos_2_3_the_key_of_the_sm_byte_must_be_there():
    bureau = card(0x00, 0x83)
    assert bureau.sw(bureau.protected("04D68500", COUNTING, STK)) == "6A88"


@pytest.mark.parametrize("ld", [0x10, 0x00, 0xFF])
def test_cos_6_1_an_ld_that_does_not_fit_is_6a80(ld):
    from sscard.keys import engine

    bureau = card(0x00, 0xC2)
    data = engine(TDES, STK).encrypt(bytes((ld,)) + COUNTING)
    assert bureau.sw(bureau.protected("04D68500", data, STK)) == "6A80"


@pytest.mark.parametrize("size", [7, 9, 15])
def test_cos_6_1_enciphered_data_are_whole_blocks(size):
    bureau = card(0x00, 0xC2)
    assert bureau.sw(bureau.protected("04D68500", bytes(size), STK)) == "6A80"


def test_cos_2_3_a_plain_command_where_protection_is_asked_for_writes_nothing():
    bureau = card(0x00, 0x82)
    assert bureau.sw(b"\x00\xd6\x85\x00\x0f" + COUNTING) in ("6987", "6982"), "SSSE: 6982"
    assert bureau.data("00B0850010") == b"\xff" * 16


def test_cos_6_1_where_none_is_offered_a_protected_command_is_6882():
    bureau = card(0x00, 0x00)
    assert bureau.sw(bureau.protected("04D68500", COUNTING, STK)) == "6882"


# --- mac_left -----------------------------------------------------------------------------------

MAC_LEFT = 0x2A00 + 11
BLOCK = 0x2A00 + 10


def test_cos_6_1_three_wrong_macs_in_a_row_block_the_application_for_good():
    bureau = card(0x00, 0x82)
    for sw, left in (("6988", 2), ("6988", 1), ("9303", 0)):
        assert bureau.sw(bureau.protected("04D68500", COUNTING, WRONG)) == sw
        assert bureau.card.image[MAC_LEFT] == left
    assert bureau.card.image[BLOCK] == 2
    assert bureau.sw("00A404000F7378312E73682EC9E7BBE1B1A3D5CF") == "6283"
    assert bureau.sw("00B0850010") == "9303"
    bureau.power = bureau.card.power_on()
    assert bureau.sw("00A404000F7378312E73682EC9E7BBE1B1A3D5CF") == "6283"


def test_cos_6_1_a_right_mac_restores_the_count():
    bureau = card(0x00, 0x82)
    for _ in range(4):
        for left in (2, 1):
            assert bureau.sw(bureau.protected("04D68500", COUNTING, WRONG)) == "6988"
            assert bureau.card.image[MAC_LEFT] == left
        assert bureau.sw(bureau.protected("04D68500", COUNTING, STK)) == "9000"
        assert bureau.card.image[MAC_LEFT] == 3


def test_cos_6_1_for_master_keys_the_key_s_own_counter_is_used_instead():
    bureau = card(0x00, 0x82)
    for _ in range(5):
        assert bureau.act(0x1C, WRONG) == "6988"
    assert bureau.card.image[MAC_LEFT] == 3
    assert bureau.card.image[0x2AB8 + 13] == 3
    assert bureau.act(0x1C, EMK_S2) == "9000"


def test_cos_1_3_a_counted_key_spends_a_try_before_the_comparison():
    bureau = card(0x00, 0x82, tries=0x22)
    assert bureau.sw(bureau.protected("04D68500", COUNTING, WRONG)) == "6988"
    assert bureau.sw(bureau.protected("04D68500", COUNTING, WRONG)) == "6988"
    assert bureau.sw(bureau.protected("04D68500", COUNTING, STK)) == "6983"
