"""ssse-lb002 10.1-10.6: the worked example, played to a card that was personalised by APDUs.

Also cos 6.3 V9, V10 for the classical form of blocking; 10.8 is in `test_ssse_10_account.py`.
"""

import pytest
from ssse_desk import SM4, TDES, Desk

from sscard.builder import build
from sscard.card import Card
from sscard.keys import session
from sscard.perso.profile import Profile
from sscard.sample import new_card

SSSE_FCI = "6F16840F7378312E73682EC9E7BBE1B1A3D5CFA503880101"

CARD_KEYS = {
    TDES: {
        "IRK": "2FCFB2C86C49AED3033933E4F7828684",
        "UK": "38E73326E8F40EC5D63492FA9E5BFADA",
        "RK": "D3C7DBB85929F512EB0E1AC94F946230",
        "STK": "6366A6516EBDE54B7754521CAB831662",
        "PUK": "C629BD37AB3393D2B3BDDBE64B41E84A",
        "BK": "DF9FB450118404DC0117710579D741D6",
    },
    SM4: {
        "IRK": "4FA273AB8B4FE16D3584B341708CEBA3",
        "UK": "614B6ED7A91DB8559234DFC006E3A73A",
        "RK": "75BCA6C5CB2A3DC7E2E9562504356F8D",
        "STK": "AF561F7D6B4435EE416B40B4225BB570",
        "PUK": "2F42EBAB474C8D5F5A44A2BEA5141E86",
        "BK": "F6DB1E68BE8FC0043C2F8B21A5B70DC5",
    },
}
KIDS = {"UK": 0x04, "BK": 0x05, "PUK": 0x06, "RK": 0x0A}

RECORDS = {
    "EF05": [
        "0110 999901D15600000500000001F0E44726",
        "0201 33",
        "0304 322E3030",
        "040C 915600000299990199990100",
        "0504 20240115",
        "0604 20340115",
        "0709 543030303030303158",
    ],
    "EF06": [
        "0812 393939393031313939303031303131323332",
        "091E D5C5B2E2CAD4000000000000000000000000000000000000000000000000",
        "4E14 0000000000000000000000000000000000000000",
        "0A01 31",
        "0B01 01",
        "0C03 999901",
        "0D04 19900101",
    ],
    "EF0D": ["EA0C 503939393930313030303031", "EB03 999901", "EC01 30", "ED01 30"],
}
EVERY_RECORD = [
    (fid, number, record.replace(" ", ""))
    for fid, records in RECORDS.items()
    for number, record in enumerate(records, 1)
]


@pytest.fixture(scope="module")
def finished():
    """The finished cards by algorithm; tests work on forks of them."""
    return {
        TDES: new_card("v2").snapshot(),
        SM4: new_card("v2", {"ssse.algorithm": "sm4"}).snapshot(),
    }


@pytest.fixture(params=[TDES, SM4], ids=["3des", "sm4"])
def either(request, finished):
    return Desk(finished[request.param].fork(), algorithm=request.param)


@pytest.fixture
def desk(finished):
    return Desk(finished[TDES].fork())


@pytest.fixture
def sm4(finished):
    return Desk(finished[SM4].fork(), algorithm=SM4)


@pytest.fixture
def contact(finished):
    return Desk(finished[TDES].fork(), link="t0")


# ---- 10.1 ------------------------------------------------------------------------------------


def test_ssse_10_1_atr_and_card_factor(desk):
    assert desk.card.atr.hex().upper() == "3B6D00000087CF20018649999900000001"
    assert desk.power.atr == desk.power.reset() == desk.card.atr
    assert desk.card.atr[-8:].hex().upper() == "8649999900000001"


# ---- 10.2 ------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", KIDS)
def test_ssse_10_2_external_keys_prove_themselves(either, name):
    key = bytes.fromhex(CARD_KEYS[either.algorithm][name])
    either.ssse()
    assert either.prove(KIDS[name], key) == "9000"
    spoiled = bytes((key[0] ^ 0x10,)) + key[1:]
    assert either.prove(KIDS[name], spoiled) == "63CD"


def test_ssse_10_2_internal_key_answers_as_printed(either):
    key = bytes.fromhex(CARD_KEYS[either.algorithm]["IRK"])
    factor, data = bytes.fromhex("8899AABBCCDDEEFF"), bytes.fromhex("0011223344556677")
    expected = session.cryptogram(either.algorithm, key, factor, data).hex().upper()
    either.ssse()
    assert either.data(f"0088000010{factor.hex()}{data.hex()}") == expected


def test_ssse_10_2_transport_key_protects_a_block(either):
    keys = {name: bytes.fromhex(key) for name, key in CARD_KEYS[either.algorithm].items()}
    either.ssse()
    assert either.prove(0x05, keys["BK"]) == "9000"
    command = either.protected("841E0000", keys["STK"], either.challenge())
    assert either(command) == "9000"


# ---- 10.3 ------------------------------------------------------------------------------------


def test_ssse_10_3_select_answer(desk):
    assert desk("00A404000F 7378312E73682EC9E7BBE1B1A3D5CF") == SSSE_FCI + "9000"
    assert desk("00A404000F 7378312E73682EC9E7BBE1B1A3D5CF 00") == SSSE_FCI + "9000"


def test_ssse_10_3_select_answer_on_a_contact_card(contact):
    assert contact("00A404000F 7378312E73682EC9E7BBE1B1A3D5CF") == "6118"
    assert contact("00C0000018") == SSSE_FCI + "9000"


@pytest.mark.parametrize(("fid", "number", "record"), EVERY_RECORD)
def test_ssse_10_3_records_by_number_and_tag(desk, contact, fid, number, record):
    sfi = int(fid[-2:], 16)
    tag = record[:2]
    for card in (desk, contact):
        card.power.transmit(bytes.fromhex("00A404000F7378312E73682EC9E7BBE1B1A3D5CF"))
        assert card.sw("00B2010400") == "6986"
        assert card(f"00B2{number:02X}{sfi << 3 | 4:02X}00") == record + "9000"
        card.power.transmit(bytes.fromhex("00A404000F7378312E73682EC9E7BBE1B1A3D5CF"))
        assert card(f"00B2{tag}{sfi << 3:02X}00") == record + "9000"
        assert card(f"00A4020002{fid}") == "9000"
        assert card(f"00B2{number:02X}0400") == record + "9000"
        assert card(f"00B2{tag}0000") == record + "9000"


@pytest.mark.parametrize("fid", RECORDS)
def test_ssse_10_3_there_are_no_other_records(desk, fid):
    desk.ssse(fid)
    numbers = [n for n in range(256) if desk.sw(f"00B2{n:02X}0400") != "6A83"]
    tags = [t for t in range(256) if desk.sw(f"00B2{t:02X}0000") != "6A83"]
    assert numbers == list(range(1, len(RECORDS[fid]) + 1))
    assert tags == sorted(int(record[:2], 16) for record in RECORDS[fid])


def test_ssse_10_3_card_identification_of_an_sm4_card(sm4):
    assert sm4.ssse().data("00B2012C00") == "0110999901D156000005000000017CB444C2"


# ---- 10.4 ------------------------------------------------------------------------------------

F_AND_D = "1122334455667788 0102030405060708"


def test_ssse_10_4_internal_authentication_3des(desk, contact):
    assert desk.ssse()(f"0088000010 {F_AND_D}") == "70927040DD33EED59000"
    assert desk(f"0088000010 {F_AND_D} 08") == "70927040DD33EED59000"
    contact("00A404000F 7378312E73682EC9E7BBE1B1A3D5CF")
    assert contact(f"0088000010 {F_AND_D}") == "6108"
    assert contact("00C0000008") == "70927040DD33EED59000"


def test_ssse_10_4_internal_authentication_sm4(sm4):
    assert sm4.ssse()(f"0088000010 {F_AND_D}") == "6972F455E57B70FE9000"


def test_ssse_10_4_the_key_of_the_environment_serves_an_application(desk):
    assert desk.ssse("DF03")(f"0088000010 {F_AND_D}") == "70927040DD33EED59000"


# ---- 10.5 ------------------------------------------------------------------------------------

R = "A1B2C3D4E5F60718"
ISSUED = "05 04 20240116"
FINGERPRINT = "00B0870000"

PRINTED = {
    TDES: {
        "UK": [
            "0082000410 BF73E23E92A1E839 A1B2C3D4E5F60718",
            "0082000410 5ECACAC2C15DBCFB 0102030405060708",
        ],
        "RK": [
            "0082000A10 FB29555E8226EBE0 A1B2C3D4E5F60718",
            "0082000A10 617309BEDD51452D 0102030405060708",
        ],
        "PUK": [
            "0082000610 ACF51F5F07C1063C A1B2C3D4E5F60718",
            "0082000610 9899687C652BA10F 0102030405060708",
        ],
    },
    SM4: {
        "UK": [
            "0082000411 4CFC560E7B2A9A82 A1B2C3D4E5F60718 01",
            "0082000410 4CFC560E7B2A9A82 A1B2C3D4E5F60718",
        ],
        "RK": [
            "0082000A11 7AE680161FDB4550 A1B2C3D4E5F60718 01",
            "0082000A10 7AE680161FDB4550 A1B2C3D4E5F60718",
        ],
        "PUK": [
            "0082000611 3B0C97402EC5C775 A1B2C3D4E5F60718 01",
            "0082000610 3B0C97402EC5C775 A1B2C3D4E5F60718",
        ],
    },
}


@pytest.mark.parametrize("name", ["UK", "RK", "PUK"])
@pytest.mark.parametrize("form", [0, 1])
def test_ssse_10_5_external_authentication(either, name, form):
    either.ssse()
    assert either.challenge(R).hex().upper() == R
    assert either(PRINTED[either.algorithm][name][form]) == "9000"


@pytest.mark.parametrize("name", ["UK", "RK", "PUK"])
def test_ssse_10_5_a_cryptogram_of_one_key_or_challenge_is_none_of_another(either, name):
    command = PRINTED[either.algorithm][name][0]
    either.ssse()
    either.challenge()
    assert either.sw(command) == "63CD"
    other = {"UK": "05", "RK": "04", "PUK": "0A"}[name]
    either.challenge(R)
    assert either.sw(command.replace(command[4:8], f"00{other}", 1)) == "63CD"


def test_ssse_10_5_update_key_opens_the_issuer_data(either):
    either.ssse()
    before = either.data("00B2052800")
    assert before == "050420240115"
    assert either.sw(f"00DC052806 {ISSUED}") == "6982"
    assert either.data("00B2052800") == before
    either.challenge(R)
    either.ok(PRINTED[either.algorithm]["UK"][0])
    assert either(f"00DC052806 {ISSUED}") == "9000"
    assert either.data("00B2052800") == "050420240116"
    either.reset()
    either.ssse()
    assert either.data("00B2052C00") == "050420240116"
    assert either.sw(f"00DC052806 {ISSUED}") == "6982"


def test_ssse_10_5_read_key_opens_fingerprint_and_photo(either):
    either.ssse()
    for binary in ("00B0870000", "00B0880000"):
        assert either.sw(binary) == "6982"
    either.challenge(R)
    either.ok(PRINTED[either.algorithm]["RK"][0])
    for binary in ("00B0870000", "00B0880000"):
        assert either(binary) == "00" * 256 + "9000"
    assert either.sw(f"00DC052806 {ISSUED}") == "6982"


def test_ssse_10_5_unblocking_key_opens_no_file(either):
    either.ssse()
    either.challenge(R)
    either.ok(PRINTED[either.algorithm]["PUK"][0])
    assert either.sw(f"00DC052806 {ISSUED}") == "6982"
    assert either.sw(FINGERPRINT) == "6982"


# ---- 10.6 ------------------------------------------------------------------------------------

SM_R = "0F1E2D3C4B5A6978"
BLOCKING = {
    TDES: {
        "temporary": "841E000004 8FF979D3",
        "permanent": "841E000104 9266B9C8",
        "unblock": "8418000004 E3404AD1",
        "card": "8416000004 F3EC3E90",
    },
    SM4: {
        "temporary": "841E000004 F7248E8F",
        "permanent": "841E000104 85F47814",
        "unblock": "8418000004 2BB84474",
        "card": "8416000004 90FB83F0",
    },
}


def with_bk(desk):
    """In the SSSE with BK proved and the printed challenge."""
    desk.ssse()
    key = bytes.fromhex(CARD_KEYS[desk.algorithm]["BK"])
    assert desk.prove(0x05, key) == "9000"
    desk.challenge(SM_R)
    return BLOCKING[desk.algorithm]


def test_ssse_10_6_block_and_unblock(either):
    assert either(with_bk(either)["temporary"]) == "9000"
    assert either.sw("00B2052800") == "6985"
    either.challenge(SM_R)
    assert either(BLOCKING[either.algorithm]["unblock"]) == "9000"
    assert either.data("00B2052800") == "050420240115"


def test_ssse_10_6_block_for_good(either):
    assert either(with_bk(either)["permanent"]) == "9000"
    assert either.sw("00B2052800") == "9303"


def test_ssse_10_6_card_block(either):
    assert either(with_bk(either)["card"]) == "9000"
    assert either.sw("00A404000F 7378312E73682EC9E7BBE1B1A3D5CF") == "6A81"


def test_ssse_10_6_an_application_without_stk_uses_that_of_the_environment(desk):
    desk.ssse("DF06")
    application = next(df for df in Profile.load("v2").ssse.directories if df.fid == 0xDF06)
    assert desk.prove(0x83, application.key(0x0D, 0x83).value) == "9000"
    desk.challenge(SM_R)
    assert desk(BLOCKING[TDES]["temporary"]) == "9000"
    assert desk.sw("00A4000002DF06") == "6283"


RELOAD = {
    TDES: "842400010C BC40DDFABC3DA1AC 83A71E7D",
    SM4: "8424000114 D14D2AEB47EEC8186A420E56C70B9C7B B1BCC9FE",
}
UNBLOCK = {TDES: "8424000004 5C697EAA", SM4: "8424000004 4493AE53"}


def with_puk(desk):
    """In the SSSE with PUK proved, the PIN blocked and the printed challenge."""
    desk.ssse()
    for left in (5, 4, 3, 2, 1, 0):
        assert desk.pin("999999") == f"63C{left}"
    assert desk.pin() == "6983"
    assert desk.prove(0x06, bytes.fromhex(CARD_KEYS[desk.algorithm]["PUK"])) == "9000"
    desk.challenge(SM_R)


def changed(desk, digits="654321"):
    """Change the PIN first, so that a reload to 123456 shows."""
    desk.ssse()
    assert desk(f"805E010007 123456 FF {digits}") == "9000"


def test_ssse_10_6_verify_and_change(either):
    either.ssse()
    assert either("0020000003 123456") == "9000"
    assert either("0020000003 999999") == "63C5"
    assert either("805E010007 123456 FF 654321") == "9000"
    assert either("0020000003 123456") == "63C5"
    assert either("0020000003 654321") == "9000"


def test_ssse_10_6_reload(either):
    changed(either)
    with_puk(either)
    assert either(RELOAD[either.algorithm]) == "9000"
    assert either.sw("00200000") == "63C6"
    assert either.pin("654321") == "63C5"
    assert either.pin("123456") == "9000"


def test_ssse_10_6_unblock(either):
    changed(either)
    with_puk(either)
    assert either(UNBLOCK[either.algorithm]) == "9000"
    assert either.sw("00200000") == "63C6"
    assert either.pin("123456") == "63C5"
    assert either.pin("654321") == "9000"


@pytest.mark.parametrize("link", ["apdu", "t0"])
def test_ssse_10_6_reload_in_the_classical_form(link):
    desk = Desk(new_card("v2", {"sm_mode": "pboc_iv"}), link=link)
    desk.power.transmit(bytes.fromhex("00A404000F7378312E73682EC9E7BBE1B1A3D5CF"))
    assert desk("805E010007 123456 FF 654321") == "9000"
    assert desk.prove(0x06, bytes.fromhex(CARD_KEYS[TDES]["PUK"])) == "9000"
    desk.challenge(SM_R)
    assert desk("842400010C EBFD9EA236733570 27290472") == "9000"
    assert desk.pin() == "9000"


PROTECTED = {
    ("3des", "mac", "session"): "04DC05280A 050420240116 85F9D697",
    ("sm4", "mac", "session"): "04DC05280A 050420240116 A5AF8F1A",
    ("3des", "enc_mac", "session"): "04DC05280C 2E3CB17E56647FDB 90AC554A",
    ("sm4", "enc_mac", "session"): "04DC052814 BA983E029364B63BA169FFE02EFFB101 D982F52D",
    ("3des", "mac", "pboc_iv"): "04DC05280A 050420240116 C5D7D0D9",
    ("3des", "enc_mac", "pboc_iv"): "04DC05280C 0564FF7E82258C4A 732CD708",
}


@pytest.mark.parametrize(("algorithm", "protection", "mode"), PROTECTED)
def test_ssse_10_6_protected_update(algorithm, protection, mode):
    changes = {
        "ssse.algorithm": algorithm,
        "ssse.ef.EF05.sm_update": protection,
        "sm_mode": mode,
    }
    code = {"3des": TDES, "sm4": SM4}[algorithm]
    desk = Desk(Card.from_image(build(Profile.load("v2", changes))), algorithm=code).ssse()
    assert desk.prove(0x04, bytes.fromhex(CARD_KEYS[code]["UK"])) == "9000"
    assert desk.sw("00DC052806 050420240116") == "6982"
    desk.challenge(SM_R)
    assert desk(PROTECTED[algorithm, protection, mode]) == "9000"
    assert desk.data("00B2052800") == "050420240116"


def test_cos_6_3_v9_v10_block_and_unblock_in_the_classical_form():
    """Key STK card = 9432..., a challenge of four bytes as IV; BK from this page."""
    changes = {
        "sm_mode": "pboc_iv",
        "ssse.key.STK.root": "94328072241EA789EBF094CC11DD9808",
        "ssse.key.STK.factors": [],
    }
    desk = Desk(new_card("v2", changes)).ssse()
    assert desk.prove(0x05, bytes.fromhex(CARD_KEYS[TDES]["BK"])) == "9000"
    desk.challenge("E1E2E3E4", length=4)
    assert desk("841E000004 CF0C0157") == "9000"
    assert desk.sw("00A404000F 7378312E73682EC9E7BBE1B1A3D5CF") == "6283"
    assert desk.prove(0x05, bytes.fromhex(CARD_KEYS[TDES]["BK"])) == "9000"
    desk.challenge("E1E2E3E4", length=4)
    assert desk("8418000004 4D48CC9D") == "9000"
    assert desk.sw("00A404000F 7378312E73682EC9E7BBE1B1A3D5CF") == "9000"
