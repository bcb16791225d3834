"""Every key, MAC, cipher and check character printed in ssse-lb002 10.2-10.8, byte for byte."""

import pytest

from sscard.keys import Algorithm, engine
from sscard.keys.diversify import city_factor, diversify, province_factor
from sscard.keys.hierarchy import KeySet, KeyValue, Origin, Tier
from sscard.keys.line import line_mac, line_mac_folded, unwrap, wrap
from sscard.keys.purse import (
    Transaction,
    purchase_key,
    purchase_mac1,
    purchase_mac2,
    purchase_tac,
)
from sscard.keys.session import (
    card_id_mac,
    cryptogram,
    direct_cryptogram,
    session_cryptogram,
    session_key,
    sm_decrypt,
    sm_encrypt,
    sm_mac,
)
from sscard.spec.checks import card_number_check, id_number_check, is_card_number, is_id_number

TDES, DES, SM4 = Algorithm.TDES, Algorithm.DES, Algorithm.SM4
h = bytes.fromhex

REGION = "999901"
CSN8 = h("8649999900000001")


def test_ssse_10_head_published_ciphers():
    des = engine(DES, h("0123456789ABCDEF"))
    assert des.encrypt(h("4E6F772069732074")) == h("3FA40E8A984D4815")
    standard = h("0123456789ABCDEFFEDCBA9876543210")
    assert engine(SM4, standard).encrypt(standard) == h("681EDF34D206965E86B3E94F536E4246")


def test_ssse_10_1_factors():
    assert city_factor(REGION) == h("3939393930317378")
    assert province_factor(REGION) == h("3939303030307368")


# ---- 10.2 ------------------------------------------------------------------------------------

ROOTS = {
    "IRK": h("404142434445464748494A4B4C4D4E4F"),
    "UK": h("505152535455565758595A5B5C5D5E5F"),
    "RK": h("606162636465666768696A6B6C6D6E6F"),
    "STK": h("707172737475767778797A7B7C7D7E7F"),
    "PUK": h("808182838485868788898A8B8C8D8E8F"),
    "BK": h("909192939495969798999A9B9C9D9E9F"),
}
LEVELS = {
    (TDES, "IRK"): (
        "D1638B9247396335BFC73A6B2493F815",
        "F247A1111EA1ABDB93A83BE392602C6B",
        "2FCFB2C86C49AED3033933E4F7828684",
    ),
    (TDES, "UK"): (
        "E76ECD92CF71226BA29C064060C6DF32",
        "D6BF0DA329F49FAC253C10DDD7E94E99",
        "38E73326E8F40EC5D63492FA9E5BFADA",
    ),
    (TDES, "RK"): (
        "13AD800E46C9A0B344F774EDC9A48432",
        "B6CE072B3CE54C5BE9213AA6DDFB0327",
        "D3C7DBB85929F512EB0E1AC94F946230",
    ),
    (TDES, "STK"): (
        "027BB658DE7952CEF7418CCB34F8A7A0",
        "4164E5F8E15B604CAD4658F5C4A2A6C9",
        "6366A6516EBDE54B7754521CAB831662",
    ),
    (TDES, "PUK"): (
        "CE1952A5AF33AE582BBE244A236B558B",
        "EAF2BF0864B9A6562AE5F9E3AA092F77",
        "C629BD37AB3393D2B3BDDBE64B41E84A",
    ),
    (TDES, "BK"): (
        "429121DB6CB489C914713689E8B19C80",
        "623D79F4229C9171B17B3B6FC0F3A51E",
        "DF9FB450118404DC0117710579D741D6",
    ),
    (SM4, "IRK"): (
        "BCC6A3099499B794AA40296AB3F846A4",
        "67AA3908A7A70F8AA285170F5B21A691",
        "4FA273AB8B4FE16D3584B341708CEBA3",
    ),
    (SM4, "UK"): (
        "D52B523D0C4F4D906C48E11027FFC149",
        "3A042DC8CB087453587F98647D437BF1",
        "614B6ED7A91DB8559234DFC006E3A73A",
    ),
    (SM4, "RK"): (
        "5415193F86C7D116D7C49891CE3CF41B",
        "EA9B45545B24979879747838A2779624",
        "75BCA6C5CB2A3DC7E2E9562504356F8D",
    ),
    (SM4, "STK"): (
        "52BA3CD601B5B9CC87824C2FFF1F45BD",
        "AC8AA69624FCBB548ECF1840A208FDCA",
        "AF561F7D6B4435EE416B40B4225BB570",
    ),
    (SM4, "PUK"): (
        "54F5EE26BE47D8A23377F6FA33B73F6A",
        "219E9E2A83DFB2036CF2744E3A497383",
        "2F42EBAB474C8D5F5A44A2BEA5141E86",
    ),
    (SM4, "BK"): (
        "465702D4B81E32C060D97408FF148A10",
        "1E52866636FD50A7F6C60F2DDFCD1A32",
        "F6DB1E68BE8FC0043C2F8B21A5B70DC5",
    ),
}


def card_key(algorithm, name):
    return h(LEVELS[algorithm, name][2])


@pytest.mark.parametrize(("algorithm", "name"), LEVELS)
def test_ssse_10_2_diversification(algorithm, name):
    origin = Origin(KeyValue(ROOTS[name], algorithm))
    ladder = origin.ladder(REGION, CSN8)
    tiers = (Tier.PROVINCE, Tier.CITY, Tier.CARD)
    assert [ladder[tier].value for tier in tiers] == [h(v) for v in LEVELS[algorithm, name]]


@pytest.mark.parametrize("algorithm", [TDES, SM4])
def test_ssse_10_2_key_set(algorithm):
    origins = {name: Origin(KeyValue(root, algorithm)) for name, root in ROOTS.items()}
    keys = KeySet.derive(origins, REGION, CSN8)
    assert {name: keys[name].value for name in keys} == {
        name: card_key(algorithm, name) for name in ROOTS
    }


# ---- 10.3 ------------------------------------------------------------------------------------


@pytest.mark.parametrize(("algorithm", "mac"), [(TDES, "F0E44726"), (SM4, "7CB444C2")])
def test_ssse_10_3_card_id_mac(algorithm, mac):
    message = h("999901D15600000500000001")
    assert card_id_mac(algorithm, card_key(algorithm, "IRK"), message) == h(mac)


def test_ssse_1_3_and_10_3_card_number():
    assert card_number_check("T0000001") == "X"
    assert is_card_number("T0000001X")
    assert not is_card_number("T00000010")


def test_ssse_1_4_and_10_3_id_number():
    assert id_number_check("99990119900101123") == "2"
    assert is_id_number("999901199001011232")
    assert not is_id_number("999901199001011233")


# ---- 10.4 ------------------------------------------------------------------------------------

FACTOR, DATA = h("1122334455667788"), h("0102030405060708")


@pytest.mark.parametrize(
    ("algorithm", "key", "answer"),
    [
        (TDES, "1DC782CDF0544575", "70927040DD33EED5"),
        (SM4, "71D33B241EECA0F2531C52EDA0A24CBF", "6972F455E57B70FE"),
    ],
)
def test_ssse_10_4_internal_authentication(algorithm, key, answer):
    irk = card_key(algorithm, "IRK")
    assert session_key(algorithm, irk, FACTOR) == h(key)
    assert cryptogram(algorithm, irk, FACTOR, DATA) == h(answer)


def test_ssse_10_4_sm4_whole_block():
    sk = h("71D33B241EECA0F2531C52EDA0A24CBF")
    assert engine(SM4, sk).encrypt(DATA + bytes(8)) == h("297CE0BE040CC232400E14EBE177B2CC")


# ---- 10.5 ------------------------------------------------------------------------------------

CHALLENGE = h("A1B2C3D4E5F60718")


@pytest.mark.parametrize(
    ("name", "key", "over_challenge", "over_data"),
    [
        ("UK", "07D8A413BF628DE5", "BF73E23E92A1E839", "5ECACAC2C15DBCFB"),
        ("RK", "63E61590411B1E60", "FB29555E8226EBE0", "617309BEDD51452D"),
        ("PUK", "1DD5D3166496C1DD", "ACF51F5F07C1063C", "9899687C652BA10F"),
    ],
)
def test_ssse_10_5_external_authentication_tdes(name, key, over_challenge, over_data):
    value = card_key(TDES, name)
    assert session_key(TDES, value, CHALLENGE) == h(key)
    assert cryptogram(TDES, value, CHALLENGE, CHALLENGE) == h(over_challenge)
    assert cryptogram(TDES, value, CHALLENGE, DATA) == h(over_data)


@pytest.mark.parametrize(
    ("name", "key", "block", "answer"),
    [
        (
            "UK",
            "7D8E0980227970533DA1EA7DDFD635D8",
            "D59117989F4D42BA996D4196E467D838",
            "4CFC560E7B2A9A82",
        ),
        (
            "RK",
            "0EBAD7E2924EDA5DB3886493E438280E",
            "B235BF7F4A73590CC8D33F6955A81C5C",
            "7AE680161FDB4550",
        ),
        (
            "PUK",
            "1E6EB49668E5EF9D777AFBE1FBE27AFD",
            "01293F87AEE6F1D83A25A8C7802336AD",
            "3B0C97402EC5C775",
        ),
    ],
)
def test_ssse_10_5_external_authentication_sm4(name, key, block, answer):
    value = card_key(SM4, name)
    assert session_key(SM4, value, CHALLENGE) == h(key)
    assert engine(SM4, h(key)).encrypt(CHALLENGE + bytes(8)) == h(block)
    assert session_cryptogram(SM4, h(key), CHALLENGE) == h(answer)
    assert cryptogram(SM4, value, CHALLENGE, CHALLENGE) == h(answer)


# ---- 10.6 ------------------------------------------------------------------------------------

SM_CHALLENGE = h("0F1E2D3C4B5A6978")
SESSION = {TDES: h("E1BCEABCB19BA2F2"), SM4: h("0507149F98631ECB72823803B7ECE76A")}


@pytest.mark.parametrize("algorithm", SESSION)
def test_ssse_10_6_session_keys(algorithm):
    stk = card_key(algorithm, "STK")
    assert session_key(algorithm, stk, SM_CHALLENGE) == SESSION[algorithm]


@pytest.mark.parametrize(
    ("algorithm", "message", "mac"),
    [
        (TDES, "842400010C BC40DDFABC3DA1AC", "83A71E7D"),
        (SM4, "8424000114 D14D2AEB47EEC8186A420E56C70B9C7B", "B1BCC9FE"),
        (TDES, "8424000004", "5C697EAA"),
        (SM4, "8424000004", "4493AE53"),
        (TDES, "04DC05280A 050420240116", "85F9D697"),
        (SM4, "04DC05280A 050420240116", "A5AF8F1A"),
        (TDES, "04DC05280C 2E3CB17E56647FDB", "90AC554A"),
        (SM4, "04DC052814 BA983E029364B63BA169FFE02EFFB101", "D982F52D"),
        (TDES, "841E000004", "8FF979D3"),
        (TDES, "841E000104", "9266B9C8"),
        (SM4, "841E000004", "F7248E8F"),
        (SM4, "841E000104", "85F47814"),
        (TDES, "8418000004", "E3404AD1"),
        (SM4, "8418000004", "2BB84474"),
        (TDES, "8416000004", "F3EC3E90"),
        (SM4, "8416000004", "90FB83F0"),
    ],
)
def test_ssse_10_6_macs(algorithm, message, mac):
    assert sm_mac(algorithm, SESSION[algorithm], h(message)) == h(mac)


@pytest.mark.parametrize(
    ("algorithm", "plain", "cipher"),
    [
        (TDES, "123456", "BC40DDFABC3DA1AC"),
        (SM4, "123456", "D14D2AEB47EEC8186A420E56C70B9C7B"),
        (TDES, "050420240116", "2E3CB17E56647FDB"),
        (SM4, "050420240116", "BA983E029364B63BA169FFE02EFFB101"),
    ],
)
def test_ssse_10_6_ciphers(algorithm, plain, cipher):
    assert sm_encrypt(algorithm, SESSION[algorithm], h(plain)) == h(cipher)
    assert sm_decrypt(algorithm, SESSION[algorithm], h(cipher)) == h(plain)


@pytest.mark.parametrize(
    ("cipher", "block"),
    [("BC40DDFABC3DA1AC", "0312345680000000"), ("2E3CB17E56647FDB", "0605042024011680")],
)
def test_ssse_10_6_plain_blocks(cipher, block):
    assert engine(DES, SESSION[TDES]).decrypt(h(cipher)) == h(block)


def test_ssse_10_6_alternative_pboc_iv():
    stk = card_key(TDES, "STK")
    update = h("050420240116")
    assert line_mac(TDES, stk, SM_CHALLENGE, h("04DC05280A") + update) == h("C5D7D0D9")
    assert wrap(TDES, stk, update) == h("0564FF7E82258C4A")
    assert line_mac(TDES, stk, SM_CHALLENGE, h("04DC05280C0564FF7E82258C4A")) == h("732CD708")
    assert wrap(TDES, stk, h("123456")) == h("EBFD9EA236733570")
    assert line_mac(TDES, stk, SM_CHALLENGE, h("842400010CEBFD9EA236733570")) == h("27290472")


# ---- 10.7 ------------------------------------------------------------------------------------

MASTER = h("A0A1A2A3A4A5A6A7A8A9AAABACADAEAF")
NEXT_MASTER = h("B0B1B2B3B4B5B6B7B8B9BABBBCBDBEBF")
MASTER_CHALLENGE = h("D1D2D3D4D5D6D7D8")


def test_ssse_10_7_authenticate_master_key():
    challenge = MASTER_CHALLENGE
    assert session_key(TDES, MASTER, challenge) == h("CE0114FF0C5B8CDF")
    assert cryptogram(TDES, MASTER, challenge, challenge) == h("DDB9902A65FC277B")
    assert cryptogram(SM4, MASTER, challenge, challenge) == h("5661B66D4804D064")


def test_ssse_10_7_load_update_key():
    plain = h("0D0400EF33002210 38E73326E8F40EC5D63492FA9E5BFADA")
    block = h("180D0400EF3300221038E73326E8F40EC5D63492FA9E5BFADA80000000000000")
    cipher = h("F0C3FC70656CCFE5CB68339FBA9B69DAF4531598627F8F11388FAD1C9B0DC809")
    assert wrap(TDES, MASTER, plain) == cipher
    assert engine(TDES, MASTER).decrypt(cipher) == block
    message = h("84D4000024") + cipher
    assert line_mac(TDES, MASTER, MASTER_CHALLENGE, message) == h("8BC138AE")


@pytest.mark.parametrize(
    ("algorithm", "cipher", "mac"),
    [
        (TDES, "BE02AC3C18D0E1837F265B298E8F7867757ECFA31DEC46FF9917659A2A91B422", "77685A5A"),
        (SM4, "813F7BE9C07EED1E1AC7B1ED7608C775A28390BE6086910828B352785871CE1B", "DD23E820"),
    ],
)
def test_ssse_10_7_replace_master_key(algorithm, cipher, mac):
    plain = h("000000EF3300FF10") + NEXT_MASTER
    assert wrap(algorithm, MASTER, plain) == h(cipher)
    assert unwrap(algorithm, MASTER, h(cipher)) == plain
    message = h("84D4010024") + h(cipher)
    assert line_mac_folded(algorithm, MASTER, MASTER_CHALLENGE, message) == h(mac)


def test_ssse_10_7_transport_key():
    key = h("C0C1C2C3C4C5C6C7C8C9CACBCCCDCECF")
    assert direct_cryptogram(TDES, key, h("0000999900000001")) == h("8422F028ADE8CE27")


# ---- 10.8 ------------------------------------------------------------------------------------


def test_ssse_10_8_debit():
    dpk = h("D0D1D2D3D4D5D6D7D8D9DADBDCDDDEDF")
    dtk = h("E0E1E2E3E4E5E6E7E8E9EAEBECEDEEEF")
    moment = h("20240120093000")
    transaction = Transaction(1000, 0x06, h("999901000001"), moment)
    key = purchase_key(dpk, h("01020304"), 1, 7)
    assert key == h("FE23FA2F6E92EAB7")
    assert purchase_mac1(key, transaction) == h("A9121DFB")
    assert purchase_mac2(key, 1000) == h("83549A0A")
    assert purchase_tac(dtk, transaction, 7) == h("99D22141")


def test_ssse_4_5_single_des_session_key():
    """v1 cards may hold an 8-byte STK: SK = DES(STK, factor)."""
    key = h("0123456789ABCDEF")
    assert session_key(DES, key, h("4E6F772069732074")) == h("3FA40E8A984D4815")
    with pytest.raises(ValueError, match="single-DES"):
        diversify(DES, key, FACTOR)
