"""cos 4.3, 4.4, 4.7: loading keys on a card, the sanity of their headers, and using them."""

from hashlib import sha256

import pytest
from cos_bureau import (
    AMK,
    DES,
    PSE,
    SM4,
    SSSE,
    STK,
    TDES,
    UK_SM4,
    Bureau,
    directory_fcp,
    furnished,
    key_fcp,
    key_header,
    master_header,
)
from cos_trace import WRONG
from cos_walk import CMK, EMK_P1, EMK_S1, EMK_S2, UK04, walked

from sscard.card import Card, ChipSpec
from sscard.keys.diversify import kcv
from sscard.keys.line import line_mac

KEY8 = bytes.fromhex("94328072241EA789")


@pytest.fixture
def owner():
    """The SSSE of the furnished card, its master key proved."""
    bureau = Bureau(furnished().fork()).select(SSSE)
    assert bureau.prove(EMK_S2) == "9000"
    return bureau


# --- header sane --------------------------------------------------------------------------------

SANE = {
    "3DES": (key_header(0x0D, 9), UK04),
    "DES": (key_header(0x07, 9, algorithm=DES, length=8), KEY8),
    "SM4": (key_header(0x0D, 9, algorithm=SM4), UK_SM4),
    "unlimited": (key_header(0x0D, 9, tries=0xFF), UK04),
    "15 tries, 1 at first": (key_header(0x0D, 9, tries=0xF1), UK04),
    "no grant": (key_header(0x0D, 9, grant=0xFF), UK04),
    "grant 0": (key_header(0x0D, 9, grant=0), UK04),
    "use by two proofs": (key_header(0x0D, 9, use=0xC184), UK04),
    "changed by nobody": (key_header(0x0D, 9, change=0xFFFF), UK04),
    "purse key of id 0": (key_header(0x09, 0, tries=0xFF), UK04),
    "PIN of 2 bytes": (key_header(0x01, 1, length=2), b"\x12\x34"),
    "PIN of 8 bytes": (key_header(0x01, 1, length=8), bytes(8)),
    "PUK": (key_header(0x02, 1, length=4), bytes(4)),
}
INSANE = {
    "unknown type": (key_header(0x05, 9), UK04),
    "type FF": (key_header(0xFF, 9), UK04),
    "algorithm 03": (key_header(0x0D, 9, algorithm=3), UK04),
    "algorithm FF": (key_header(0x0D, 9, algorithm=0xFF), UK04),
    "3DES of 8 bytes": (key_header(0x0D, 9, length=8), KEY8),
    "DES of 16 bytes": (key_header(0x0D, 9, algorithm=DES), UK04),
    "SM4 of 8 bytes": (key_header(0x0D, 9, algorithm=SM4, length=8), KEY8),
    "length disagrees": (key_header(0x0D, 9, length=15), UK04),
    "no tries": (key_header(0x0D, 9, tries=0x30), UK04),
    "more tries than the maximum": (key_header(0x0D, 9, tries=0x34), UK04),
    "tries 00": (key_header(0x0D, 9, tries=0x00), UK04),
    "grant 10": (key_header(0x0D, 9, grant=0x10), UK04),
    "grant FE": (key_header(0x0D, 9, grant=0xFE), UK04),
    "undefined use": (key_header(0x0D, 9, use=0x1234), UK04),
    "undefined change": (key_header(0x0D, 9, change=0x8F10), UK04),
    "master of id 1": (key_header(0x00, 1, grant=15, tries=0x88), UK04),
    "master of grant 0": (key_header(0x00, 0, grant=0, tries=0x88), UK04),
    "external key of id 0": (key_header(0x0D, 0), UK04),
    "PIN of 1 byte": (key_header(0x01, 1, length=1), b"\x12"),
    "PIN of 9 bytes": (key_header(0x01, 1, length=9), bytes(9)),
}


@pytest.mark.parametrize("name", SANE)
def test_cos_4_4_a_sane_header_is_taken_and_listed(owner, name):
    header, value = SANE[name]
    assert owner.write_key(EMK_S2, header, value) == "9000"
    listed = owner.data("80CA00D100")
    entries = [listed[at : at + 9] for at in range(0, len(listed), 9)]
    check = b"\xff" * 3 if header[0] in (1, 2) else kcv(header[3], value)
    tries = header[4] if header[4] == 0xFF else header[4] & 0x0F
    found = [entry for entry in entries if entry[:2] == header[:2]]
    assert found[0][:5] == header[:5]
    if header[4] != 0xFF:
        assert found[0][5] == tries
    assert found[0][6:] == check


@pytest.mark.parametrize("name", INSANE)
def test_cos_4_3_an_insane_header_is_6a80(owner, name):
    header, value = INSANE[name]
    before = owner.card.image
    assert owner.write_key(EMK_S2, header, value) == "6A80"
    assert owner.card.image[0x2A80:] == before[0x2A80:]


@pytest.mark.parametrize(("suite", "algorithm"), [(1, SM4), (2, TDES), (2, DES)])
def test_cos_2_2_the_suite_of_a_directory_limits_its_keys(owner, suite, algorithm):
    extra = bytes((0xA5, 3, 0xC1, 1, suite))
    assert owner.create(directory_fcp(0xDF0C, b"of one suite", 0, extra=extra)) == "9000"
    owner.ok("00A4000002DF0C")
    assert owner.create(key_fcp(4)) == "9000"
    length = 8 if algorithm == DES else 16
    wrong = key_header(0x0D, 0x83, algorithm=algorithm, length=length)
    assert owner.write_key(EMK_S2, wrong, UK04[:length]) == "6A80"
    right = key_header(0x0D, 0x83, algorithm=TDES if suite == 1 else SM4)
    assert owner.write_key(EMK_S2, right, UK04) == "9000"


# --- LD, padding, length ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("header", "value", "lc"),
    [
        (key_header(0x0D, 9), UK04, 0x24),
        (key_header(0x07, 9, algorithm=DES, length=8), KEY8, 0x1C),
        (key_header(0x01, 1, length=3), b"\x12\x34\x56", 0x14),
    ],
)
def test_cos_4_3_lengths_under_a_3des_parent(owner, header, value, lc):
    command = owner.key_command(EMK_S2, header, value)
    assert command[4] == lc
    assert owner.sw(command) == "9000"


@pytest.mark.parametrize(
    "plain",
    [
        b"\x1d" + bytes(31),
        b"\x00" + b"\x80" + bytes(14),
        b"\x1c" + key_header(0x0D, 9) + UK04 + b"\x80\x00\x01",
        b"\x1c" + key_header(0x0D, 9) + UK04 + b"\x00\x00\x00",
        b"\x0b" + bytes(11) + b"\x80\x00\x00\x00",
        b"\xff" * 32,
    ],
)
def test_cos_4_3_bad_ld_or_padding_is_6a80(owner, plain):
    from sscard.keys import engine

    data = engine(TDES, EMK_S2).encrypt(plain)
    assert owner.sw(owner.protected("84D40000", data, EMK_S2)) == "6A80"


def test_cos_4_3_a_wrong_mac_spends_a_try_of_the_parent(owner):
    header = key_header(0x0D, 9)
    for left in (7, 6, 5):
        assert owner.write_key(WRONG, header, UK04) == "6988"
        assert owner.card.image[0x2AB8 + 13] == left
    assert owner.write_key(EMK_S2, header, UK04) == "9000"
    assert owner.card.image[0x2AB8 + 13] == 8


def test_cos_4_3_install_takes_the_lowest_free_slot_and_replace_its_own(owner):
    image = owner.card.image
    slot = next(at for at in range(0x2AB8, 0x2D38, 40) if image[at] == 0xFF)
    assert owner.write_key(EMK_S2, key_header(0x0D, 9), UK04) == "9000"
    assert owner.card.image[slot : slot + 3] == b"\xa5\x0d\x09"
    again = key_header(0x0D, 9, tries=0x52, grant=2)
    assert owner.write_key(EMK_S2, again, STK, replace=True) == "9000"
    record = owner.card.image[slot : slot + 40]
    assert record[1:14] == again + b"\x02"
    assert record[16:32] == STK


@pytest.mark.parametrize("kind", [0x08, 0x09, 0x0A, 0x0D, 0x0E])
def test_cos_4_4_versions_of_one_id_stand_beside_each_other(owner, kind):
    first, second = (key_header(kind, 0x19, version=v, tries=0xFF) for v in (1, 2))
    assert owner.write_key(EMK_S2, first, UK04) == "9000"
    assert owner.write_key(EMK_S2, second, STK) == "9000"
    assert owner.write_key(EMK_S2, second, STK) == "6A89"
    third = key_header(kind, 0x19, version=3, tries=0xFF)
    assert owner.write_key(EMK_S2, third, STK, replace=True) == "6A88"


@pytest.mark.parametrize(("kind", "length"), [(0x07, 16), (0x01, 3)])
def test_cos_4_4_of_other_types_a_new_version_replaces_the_old(owner, kind, length):
    value = UK04[:length]
    headers = [key_header(kind, 0x19, version=v, length=length) for v in (1, 2)]
    assert owner.write_key(EMK_S2, headers[0], value) == "9000"
    assert owner.write_key(EMK_S2, headers[1], value) == "6A89"
    assert owner.write_key(EMK_S2, headers[1], value, replace=True) == "9000"


def test_cos_4_7_the_version_byte_chooses_the_key(owner):
    for version, value in ((1, UK04), (2, STK)):
        header = key_header(0x0D, 0x19, version=version, flags=3)
        assert owner.write_key(EMK_S2, header, value) == "9000"
    for value, version, sw in (
        (UK04, b"", "9000"),  # the lowest slot
        (STK, b"\x02", "9000"),
        (UK04, b"\x02", "63C2"),
        (UK04, b"\x01", "9000"),
        (UK04, b"\x03", "6A88"),
    ):
        assert owner.prove(value, 0x19, session=True, version=version) == sw


def test_cos_4_3_plain_loading_is_for_images_that_allow_it(owner):
    plain = b"\x80\xd4\x00\x00\x1c" + key_header(0x0D, 9) + UK04
    assert owner.sw(plain) == "6E00"
    card = Card.blank(ChipSpec(plain_keys=True))
    from cos_walk import walk

    bureau = Bureau(card)
    for row, _ in walk(card, bureau.power):
        if row.number == "16":
            break
    assert bureau.sw(plain) == "9000"
    assert bureau.prove(UK04, 9) == "9000"


def test_cos_4_3_the_first_key_of_a_ddf_is_its_master_key():
    bureau = Bureau(walked("9a").fork()).select(SSSE)
    assert bureau.prove(CMK) == "9000"
    assert bureau.write_key(CMK, key_header(0x0D, 9), UK04) == "6985"
    assert bureau.write_key(CMK, master_header(), EMK_S1) == "9000"


def test_cos_4_3_the_first_key_of_the_mf_is_the_cmk():
    card = walked("3").fork()
    bureau = Bureau(card)
    tk = b"MFR-TEST-TK-0001"
    assert bureau.prove(tk) == "9000"
    assert bureau.write_key(tk, key_header(0x0D, 9), UK04) == "6985"
    assert bureau.write_key(tk, master_header(), CMK) == "9000"
    assert bureau.prove(tk) == "63C7"
    assert bureau.prove(CMK) == "9000"


@pytest.mark.parametrize(("code", "key"), [(SSSE, EMK_S2), (PSE, EMK_P1)], ids=["SSSE", "PSE"])
def test_cos_4_1_an_owner_updates_its_own_key_for_ever(code, key):
    """Self-update in every state; the old value is nobody's any more."""
    bureau = Bureau(furnished().fork()).select(code)
    for version in range(2, 12):
        new = sha256(b"TEST-EMK %d" % version).digest()[:16]
        assert bureau.prove(key) == "9000"
        assert bureau.write_key(key, master_header(version), new, replace=True) == "9000"
        assert bureau.prove(key) == "63C7"
        key = new
        if version == 6:
            assert bureau.prove(key) == "9000"
            assert bureau.act(0x1C, key) == "9000"
    assert bureau.prove(key) == "9000"


def test_cos_4_2_a_blocked_key_lives_again_when_its_parent_replaces_it(owner):
    for left in (2, 1, 0):
        assert owner.prove(WRONG, 4, session=True) == f"63C{left}"
    assert owner.prove(UK04, 4, session=True) == "6983"
    header = key_header(0x0D, 4, grant=4)
    assert owner.write_key(EMK_S2, header, UK04, replace=True) == "9000"
    assert owner.prove(UK04, 4) == "9000", "in the direct form its new header asks for"


def test_cos_4_3_an_adf_with_its_own_master_key_is_its_own_parent(owner):
    owner.ok("00A4000002DF05")
    assert owner.write_key(EMK_S2, key_header(0x0D, 0x84), UK04) == "6988"
    assert owner.prove(AMK) == "9000"
    assert owner.write_key(AMK, key_header(0x0D, 0x84), UK04) == "9000"
    assert owner.write_key(AMK, master_header(2), STK, replace=True) == "9000"
    assert owner.prove(AMK) == "63C7"
    assert owner.prove(STK) == "9000"


# --- V11 and the forms of EXTERNAL AUTHENTICATE -------------------------------------------------


def test_cos_6_3_v11_write_key_under_an_sm4_master_key():
    bureau = Bureau(walked("16").fork()).select(SSSE)
    assert bureau.prove(EMK_S2) == "9000"
    assert bureau.write_key(EMK_S2, master_header(3, SM4), EMK_S2, replace=True) == "9000"
    assert bureau.prove(EMK_S2, algorithm=SM4) == "9000"
    bureau.challenge(value="C1C2C3C4")
    v11 = (
        "84 D4 00 00 24 03 D9 9A 7D A3 67 BF 37 75 12 83 AA 6B 62 B4 BA 3C 03 5E 9F 83 A9 09 E9 AC"
        " 1C 7D 2C C5 F9 45 C7 CC ED C7 13"
    )
    assert bureau.sw(v11) == "9000"
    record = bureau.card.image[0x2AE0 : 0x2AE0 + 40]
    assert record[1:13] == bytes.fromhex("0D040104330400008F000310")
    assert record[16:35] == UK_SM4 + bytes.fromhex("30A4B4")


def test_cos_4_7_session_form_3des_vector(owner):
    header = key_header(0x0D, 9, flags=3)
    assert owner.write_key(EMK_S2, header, UK04) == "9000"
    owner.challenge(value="0102030405060708")
    assert owner.sw("00820009 10 FDBD2691886E3EB9 1122334455667788") == "9000"


def test_cos_4_7_direct_sm4_vector(owner):
    header = key_header(0x0D, 9, algorithm=SM4)
    assert owner.write_key(EMK_S2, header, UK_SM4) == "9000"
    owner.challenge(value="000102030405060708090A0B0C0D0E0F")
    assert owner.sw("00820009 10 EC942265596469971ED8B69125F1020C") == "9000"


def test_cos_4_7_session_sm4_vector(owner):
    header = key_header(0x0D, 9, algorithm=SM4, flags=3)
    assert owner.write_key(EMK_S2, header, UK_SM4) == "9000"
    owner.challenge(value="0102030405060708")
    assert owner.sw("00820009 10 985B1CC5D6837A6A 1122334455667788") == "9000"


@pytest.mark.parametrize("length", [4, 8, 16])
@pytest.mark.parametrize("algorithm", [TDES, SM4])
def test_cos_4_7_the_challenge_is_filled_up_to_the_block(owner, algorithm, length):
    """Direct form: R4 and R8 padded with 00; R16 for SM4 alone."""
    header = key_header(0x0D, 9, algorithm=algorithm)
    assert owner.write_key(EMK_S2, header, UK04) == "9000"
    if algorithm == TDES and length == 16:
        owner.challenge(16)
        assert owner.sw("0082000908" + "00" * 8) == "6984"
    else:
        assert owner.prove(UK04, 9, algorithm=algorithm, length=length) == "9000"


@pytest.mark.parametrize("length", [4, 16])
def test_cos_4_7_the_session_form_takes_a_challenge_of_8_bytes(owner, length):
    owner.challenge(length)
    assert owner.sw("0082000510" + "00" * 16) == "6984"


def test_cos_4_7_the_fmcos_vector_with_a_des_key(owner):
    header = key_header(0x0D, 9, algorithm=DES, length=8)
    assert owner.write_key(EMK_S2, header, bytes.fromhex("0102030405060708")) == "9000"
    owner.challenge(value="BB83BFF3")
    assert owner.sw("0082000908 74B0047DD681D96C") == "9000"


def test_cos_4_7_a_challenge_is_good_for_one_proof(owner):
    proof = owner.proof(UK04, 4, session=True)
    assert owner.sw(proof) == "9000"
    assert owner.sw(proof) == "6984"
    wrong = owner.proof(WRONG, 4, session=True)
    right = owner.proof(UK04, 4, session=True)
    assert owner.sw(wrong) == "63C2"
    assert owner.sw(right) == "6984", "used up by the wrong one"


@pytest.mark.parametrize("between", ["80CA00C300", "00B08A0000", "00FF000000", "FF00000000"])
def test_cos_5_1_in_the_card_manager_any_other_command_wipes_the_challenge(between):
    bureau = Bureau(furnished().fork())
    proof = bureau.proof(CMK)
    bureau.send(between)
    assert bureau.sw(proof) == "6984"


def test_cos_6_1_the_iv_is_the_last_challenge_whatever_its_length(owner):
    for length in (4, 8):
        command = owner.key_command(EMK_S2, key_header(0x0D, 9), UK04, length=length)
        assert owner.sw(command) == ("9000" if length == 4 else "6A89")
    owner.challenge(16)
    assert owner.sw(command) == "6984"
    challenge = owner.challenge(8)
    mac = line_mac(TDES, EMK_S2, challenge, bytes.fromhex("841C000004"))
    assert owner.sw(bytes.fromhex("841C000004") + mac) == "9000"
