"""Every key, MAC and cipher printed in cos 4.5-4.7, 6.2, 6.3 and 7.4, byte for byte."""

import pytest

from sscard.keys import Algorithm, engine
from sscard.keys.diversify import chain, city_factor, diversify, kcv, province_factor
from sscard.keys.hierarchy import KeyValue, Origin, Tier
from sscard.keys.line import line_mac, unwrap, wrap
from sscard.keys.mac import des_mac, retail_mac
from sscard.keys.padding import pad80, zero_pad
from sscard.keys.purse import (
    Transaction,
    purchase_key,
    purchase_mac1,
    purchase_mac2,
    purchase_tac,
)
from sscard.keys.session import (
    cryptogram,
    direct_cryptogram,
    session_cryptogram,
    session_key,
    sm_mac,
)

TDES, DES, SM4 = Algorithm.TDES, Algorithm.DES, Algorithm.SM4
h = bytes.fromhex

REGION = "990100"
CSN8 = h("86FE990100000001")
PF = h("3939303030307368")
CF = h("3939303130307378")

TK = b"MFR-TEST-TK-0001"
CMK = h("3AF5B4654473927E22921B54BB856D7A")
EMK_S1 = h("E72070ABDD8C93224259E97C9D3A42BE")
EMK_P1 = h("91310AF00D9CEB14122262A8DD369189")
EMK_S2 = h("2B505085B5AC0FA34C231CFD2D4C0B1A")
EMK_P2 = h("C3E5E8E7C0DC544ABC0D9B34B51B3D12")
UK04 = h("B0C3BE8D15CCE35B43AE0D702B4D80CD")
UK04_SM4 = h("25B45D17B7B3D02E96B4EC5AAFBFFACC")
STK = h("94328072241EA789EBF094CC11DD9808")
IRK = h("9C978D994D0E26FB9EF9DEEE184C458E")
DPK = h("85C477DB6D95B302B1A6CF47C2CE93BF")
DTK = h("044088AE07D213AC83294DE81A316475")


def test_cos_0_and_4_6_factors():
    assert province_factor(REGION) == PF
    assert city_factor(REGION) == CF


# ---- 4.5 -------------------------------------------------------------------------------------


def test_cos_4_5_transport_key():
    assert h("4D46522D544553542D544B2D30303031") == TK
    assert kcv(TDES, TK) == h("7233CF")


@pytest.mark.parametrize(
    ("root", "factors", "card", "check"),
    [
        ("544553542D434D4B2D524F4F542D3031", (CSN8,), CMK, "4287FC"),
        ("544553542D53454D4B2D5452414E2D31", (CSN8,), EMK_S1, "99BBBE"),
        ("544553542D50454D4B2D5452414E2D31", (CSN8,), EMK_P1, "D2FCAE"),
        ("544553542D53454D4B2D524F4F542D31", (PF, CF, CSN8), EMK_S2, "4ECED7"),
        ("544553542D50454D4B2D524F4F542D31", (CSN8,), EMK_P2, "473AED"),
        ("544553542D554B30342D524F4F542D31", (PF, CF, CSN8), UK04, "3CB3DE"),
    ],
    ids=["CMK", "EMK-S v1", "EMK-P v1", "EMK-S v2", "EMK-P v2", "UK04"],
)
def test_cos_4_5_key_table(root, factors, card, check):
    assert chain(TDES, h(root), factors) == card
    assert kcv(TDES, card) == h(check)


@pytest.mark.parametrize(
    ("key", "challenge", "answer"),
    [
        (TK, "1122334455667788", "985265F885480E4C"),
        (CMK, "3132333435363738", "C10E13BB46CB439F"),
        (CMK, "4142434445464748", "A71AEB58033EBDA2"),
        (CMK, "6162636465666768", "41591DB61270E10C"),
        (CMK, "8182838485868788", "C91A473833C073CF"),
        (EMK_S1, "9192939495969798", "7F979A6297F2CADB"),
        (EMK_S2, "B1B2B3B4B5B6B7B8", "CAF0BAD345351066"),
        (EMK_P1, "9192939495969798", "2583624F28DBE71E"),
        (EMK_P2, "B1B2B3B4B5B6B7B8", "CEE16431876C2EA8"),
    ],
    ids=["1", "5", "9", "11", "13", "14", "16", "22 v1", "22 v2"],
)
def test_cos_4_5_external_authenticate(key, challenge, answer):
    assert direct_cryptogram(TDES, key, h(challenge)) == h(answer)


WRITE_KEY = {
    "#4": (
        TK,
        "21222324",
        "0000010088 0F00008F000110",
        CMK,
        "84D4000024 DE4EDDE550D0DAC6068EB4E07C5E61D339FDFCDD0EDA17364F6C78D3E9BBA375 82AA3E54",
    ),
    "#10": (
        CMK,
        "51525354",
        "0000010088 0F00008F000110",
        EMK_S1,
        "84D4000024 C069902CC84EE32FDFA4E17CE0700B5CA9761739222D992B8FCA557588C4947C 7C3F1E60",
    ),
    "#12": (
        CMK,
        "71727374",
        "0000010088 0F00008F000110",
        EMK_P1,
        "84D4000024 C069902CC84EE32F75465D1E3E6BF751EB48A2935295 2E78999CF9244654FBB4 9659C2CF",
    ),
    "#15": (
        EMK_S1,
        "A1A2A3A4",
        "0000020088 0F00008F000110",
        EMK_S2,
        "84D4010024 7545C6D5990E3C82EBEC03D628E7F398232BEA1DB96FC3589B2A02726DBFC736 5A26C4FA",
    ),
    "#18": (
        EMK_S2,
        "C1C2C3C4",
        "0D04010033 0400008F000310",
        UK04,
        "84D4000024 759EC8F631CAD42887A00EA8134EF41564E66052342788C970B905F6C1F24348 6B9EB53F",
    ),
    "#22": (
        EMK_P1,
        "A1A2A3A4",
        "0000020088 0F00008F000110",
        EMK_P2,
        "84D4010024 7AC3292130D5F8A654CC8A66FBAA9B9C0B666E2B5C66EB11A2AC7636F76C2F9D FCEBF844",
    ),
}


@pytest.mark.parametrize("step", WRITE_KEY)
def test_cos_4_5_write_key(step):
    master, challenge, header, value, printed = WRITE_KEY[step]
    apdu = h(printed)
    cipher = wrap(TDES, master, h(header) + value)
    assert cipher == apdu[5:-4]
    assert line_mac(TDES, master, h(challenge), apdu[:-4]) == apdu[-4:]
    assert unwrap(TDES, master, cipher) == h(header) + value


def test_cos_4_5_write_key_mac_trace():
    apdu = h(WRITE_KEY["#4"][4])
    iv = h("2122232400000000")
    trace = "63C7732ECDF27D17 AB00A0109F0EEDF6 6B5F8661F68AF404 4117A8317696B6BF D36A45C75B767877"
    message = pad80(apdu[:-4], 8)
    assert engine(DES, TK[:8]).cbc(iv, message) == h(trace)
    last = h("D36A45C75B767877")
    assert engine(DES, TK[8:]).decrypt(last) == h("7A95A0CACB57FD0C")
    assert engine(DES, TK[:8]).encrypt(h("7A95A0CACB57FD0C")) == h("82AA3E54C956027C")
    assert retail_mac(TK, apdu[:-4], iv) == h("82AA3E54C956027C")


@pytest.mark.parametrize(("key", "mac"), [(EMK_S2, "797766F8"), (EMK_P2, "15EDB9F2")])
def test_cos_4_5_end_personalisation(key, mac):
    assert line_mac(TDES, key, h("D1D2D3D4D5D6D7D8"), h("841C000004")) == h(mac)


# ---- 4.6 -------------------------------------------------------------------------------------


def test_cos_4_6_published_diversification():
    key = h("00112233445566778899AABBCCDDEEFF")
    derived = h("496BD7A3513644533100B54E71196528")
    assert diversify(TDES, key, h("1122334455667788")) == derived


LADDERS = {
    "EMK-S v2": (
        TDES,
        h("544553542D53454D4B2D524F4F542D31"),
        "971A58",
        ("CCEBBED996D8F213BC13C7FDC0DD8028", "F38189"),
        ("CBA3E652327EC6800283A786D5027596", "C8CDB6"),
        ("2B505085B5AC0FA34C231CFD2D4C0B1A", "4ECED7"),
    ),
    "UK04": (
        TDES,
        b"TEST-UK04-ROOT-1",
        "468781",
        ("C2AF24BA962CBDA7FEC3A0A22A5B6577", "371D26"),
        ("65813F9534E07EE8D0AD800742BB1D0D", "931006"),
        ("B0C3BE8D15CCE35B43AE0D702B4D80CD", "3CB3DE"),
    ),
    "RK07": (
        TDES,
        b"TEST-RK07-ROOT-1",
        "F9905E",
        ("15FEE63868487BD071C14315F9413CF9", "AEB471"),
        ("338BE5DC0E780834B4DA2BAE4FF58D80", "9B1A46"),
        ("5E4B8E547E47CF86E55D0E5671D4E8AE", "590EBD"),
    ),
    "STK": (
        TDES,
        b"TEST-STK1-ROOT-1",
        "38FECC",
        ("035DB79B8762AB9A8CD88BCA024CF548", "4A03B4"),
        ("18FB57CBF702458048675F076AA5DB9C", "D6AB3F"),
        ("94328072241EA789EBF094CC11DD9808", "8F95FC"),
    ),
    "IRK": (
        TDES,
        b"TEST-IRK1-ROOT-1",
        "F4306A",
        ("F6BC56921596D5E64AF79C615ECBC7FA", "2DF1CE"),
        ("18B88BF30120B244EFC883A36C59CEDA", "E33FE5"),
        ("9C978D994D0E26FB9EF9DEEE184C458E", "4E3016"),
    ),
    "DPK": (
        TDES,
        b"TEST-DPK1-ROOT-1",
        "A04C2A",
        ("A61133D3CB9D4CB31671F280F851C361", "3F6192"),
        ("2805A128DADB63ABACA992C28D41C6CC", "CC6A0D"),
        ("85C477DB6D95B302B1A6CF47C2CE93BF", "444546"),
    ),
    "DTK": (
        TDES,
        b"TEST-DTK1-ROOT-1",
        "C07946",
        ("C26E252B60CDB70E9D19A5BAEFE746C1", "473CB1"),
        ("D974CDA2577694F570784593D14CCE3B", "B8AD23"),
        ("044088AE07D213AC83294DE81A316475", "910F76"),
    ),
    "UK04 as SM4": (
        SM4,
        b"TEST-UK04-ROOT-1",
        "810E7B",
        ("129B834A334949B4B19182B4E63E37FE", "DC2794"),
        ("5D50CE2C23D0B0A7DC183182667DCE09", "BC36B0"),
        ("25B45D17B7B3D02E96B4EC5AAFBFFACC", "30A4B4"),
    ),
}


@pytest.mark.parametrize("name", LADDERS)
def test_cos_4_6_table(name):
    algorithm, root, root_check, *levels = LADDERS[name]
    ladder = Origin(KeyValue(root, algorithm)).ladder(REGION, CSN8)
    assert ladder[Tier.MINISTRY].kcv == h(root_check)
    for tier, (value, check) in zip((Tier.PROVINCE, Tier.CITY, Tier.CARD), levels, strict=True):
        assert ladder[tier].value == h(value)
        assert ladder[tier].kcv == h(check)


# ---- 4.7 -------------------------------------------------------------------------------------


def test_cos_4_7_session_form():
    challenge, data = h("0102030405060708"), h("1122334455667788")
    assert session_key(TDES, UK04, challenge) == h("09A05581B546FA18")
    assert cryptogram(TDES, UK04, challenge, data) == h("FDBD2691886E3EB9")


def test_cos_4_7_direct_sm4():
    answer = h("EC942265596469971ED8B69125F1020C")
    assert direct_cryptogram(SM4, UK04_SM4, bytes(range(16))) == answer


def test_cos_4_7_session_sm4():
    challenge, data = h("0102030405060708"), h("1122334455667788")
    key = h("7637BB2C5C0142645FAD4A817BFF080F")
    assert session_key(SM4, UK04_SM4, challenge) == key
    assert engine(SM4, key).encrypt(data + bytes(8)) == h("27D7F4D06C60132CBF8CE815BAE36946")
    assert session_cryptogram(SM4, key, data) == h("985B1CC5D6837A6A")
    assert cryptogram(SM4, UK04_SM4, challenge, data) == h("985B1CC5D6837A6A")


def test_cos_4_7_fmcos_short_challenge():
    answer = h("74B0047DD681D96C")
    assert direct_cryptogram(DES, h("0102030405060708"), h("BB83BFF3")) == answer


# ---- 6.2 -------------------------------------------------------------------------------------

FMCOS_CIPHER = "7C87BC23140021B3AFEA67E6359DDCFE"
FMCOS_BACK = "7E65DE142F66CA41AFEA67E6359DDCFE"
PSAM_CIPHER = "DCC0BB5793ABFCA2CA8C1624822F6E01A86A0B5CBED191DD"


@pytest.mark.parametrize(
    ("algorithm", "key", "iv", "message", "mac"),
    [
        (DES, "1122334455667788", "", "0102030405060708", "A82A8CEB"),
        (DES, "FF" * 8, "4C45BAB9", "84D4010214" + FMCOS_CIPHER, "D7C943F6"),
        (DES, "FF" * 8, "EF364818", "84D4390114" + FMCOS_CIPHER, "9095E4E1"),
        (DES, "FF" * 8, "C0B3549C", "84D4F90214" + FMCOS_BACK, "012EF5F5"),
        (
            TDES,
            "00112233445566778899AABBCCDDEEFF",
            "5D72B3FD",
            "84D400001C" + PSAM_CIPHER,
            "8A9D4ADB",
        ),
    ],
    ids=["internal", "add", "modify", "modify back", "PSAM load"],
)
def test_cos_6_2_published_macs(algorithm, key, iv, message, mac):
    assert line_mac(algorithm, h(key), h(iv), h(message)) == h(mac)


def test_cos_6_2_published_ciphers():
    key = h("1122334455667788")
    assert direct_cryptogram(DES, key, h("0102030405060708")) == h("178F59F8578E0D3F")
    standard = h("0123456789ABCDEFFEDCBA9876543210")
    answer = h("681EDF34D206965E86B3E94F536E4246")
    assert direct_cryptogram(SM4, standard, standard) == answer


# ---- 6.3 -------------------------------------------------------------------------------------

DATA15 = bytes(range(1, 16))
R4, R8 = h("E1E2E3E4"), h("E1E2E3E4E5E6E7E8")
UPDATE15 = h("04D6850013") + DATA15


def cbc_trace(algorithm, key, iv, message):
    cipher = engine(algorithm, key)
    return cipher.cbc(zero_pad(iv, cipher.block), pad80(message, cipher.block))


def test_cos_6_3_v1_mac_with_short_challenge():
    trace = cbc_trace(DES, STK[:8], R4, UPDATE15)
    assert trace == h("D27E88EEFFA98977 B0D73CACBF291C59 3F8E02248B86228E")
    assert retail_mac(STK, UPDATE15, R4 + bytes(4)) == h("B4CB3E4D1F04D0C1")
    assert line_mac(TDES, STK, R4, UPDATE15) == h("B4CB3E4D")


def test_cos_6_3_v2_mac_with_long_challenge():
    trace = cbc_trace(DES, STK[:8], R8, UPDATE15)
    assert trace == h("423E19A08BC4B456 2E4ADF3718A622A0 062C31B1EA617F52")
    assert retail_mac(STK, UPDATE15, R8) == h("999CB486FB2D6A16")
    assert line_mac(TDES, STK, R8, UPDATE15) == h("999CB486")


@pytest.mark.parametrize(
    ("last", "middle", "mac"),
    [
        ("3F8E02248B86228E", "41F67A4B482624AC", "B4CB3E4D1F04D0C1"),
        ("062C31B1EA617F52", "750C120E454D2FE9", "999CB486FB2D6A16"),
        ("959A42AA24530F89", "C5BC9A25500F6CDE", "E508ECD003FD76B6"),
    ],
)
def test_cos_6_3_v1_v2_v3_final_steps(last, middle, mac):
    assert engine(DES, STK[8:]).decrypt(h(last)) == h(middle)
    assert engine(DES, STK[:8]).encrypt(h(middle)) == h(mac)


def test_cos_6_3_v3_cipher_and_mac():
    cipher = h("15DCCE6FE3BE660B6BC8CDC2740DC915")
    assert wrap(TDES, STK, DATA15) == cipher
    message = h("04D6850014") + cipher
    trace = cbc_trace(DES, STK[:8], R4, message)
    assert trace == h("81A7ACEFD87D3E06 7E47EA1A45F3CFF3 959A42AA24530F89")
    assert line_mac(TDES, STK, R4, message) == h("E508ECD0")


def test_cos_6_3_v4_cipher_with_padding():
    cipher = h("2FF063877D3C4B5C6BC8CDC2740DC915ABE31C807DC573B5")
    assert wrap(TDES, STK, bytes(range(1, 17))) == cipher
    assert line_mac(TDES, STK, R4, h("04D685001C") + cipher) == h("D5F4ED39")


def test_cos_6_3_v5_read_binary_with_response_mac():
    assert line_mac(TDES, STK, R8, h("04B0850004")) == h("C2328D76")
    assert line_mac(TDES, STK, R8, DATA15) == h("62AE5A0A")


def test_cos_6_3_v6_single_des():
    assert line_mac(DES, STK[:8], R4, UPDATE15) == h("3F8E0224")
    assert retail_mac(STK[:8], UPDATE15, R4 + bytes(4))[:4] == h("3F8E0224")


def test_cos_6_3_v7_sm4_mac():
    trace = cbc_trace(SM4, UK04_SM4, R4, UPDATE15)
    assert trace == h("9398C4CDB69938038CD2B4F702B029CA 55288D590FD7CDFD0EA98E0AEEB0C9E5")
    assert line_mac(SM4, UK04_SM4, R4, UPDATE15) == h("55288D59")


def test_cos_6_3_v8_sm4_cipher_and_mac():
    cipher = h("6B82640C95B8EA1A8DC0260D567B6AFA")
    assert wrap(SM4, UK04_SM4, DATA15) == cipher
    assert line_mac(SM4, UK04_SM4, R4, h("04D6850014") + cipher) == h("0358B694")


@pytest.mark.parametrize(
    ("header", "mac"), [("841E000004", "CF0C0157"), ("8418000004", "4D48CC9D")], ids=["V9", "V10"]
)
def test_cos_6_3_v9_v10_application_block(header, mac):
    assert line_mac(TDES, STK, R4, h(header)) == h(mac)


def test_cos_6_3_v11_write_key_sm4():
    plain = h("0D04010433 0400008F000310") + UK04_SM4
    cipher = h("03D99A7DA367BF37751283AA6B62B4BA3C035E9F83A909E9AC1C7D2CC5F945C7")
    assert wrap(SM4, EMK_S2, plain) == cipher
    assert unwrap(SM4, EMK_S2, cipher) == plain
    message = h("84D4000024") + cipher
    assert line_mac(SM4, EMK_S2, h("C1C2C3C4"), message) == h("CCEDC713")


# ---- 7.4 -------------------------------------------------------------------------------------


def test_cos_7_4_external_authentication_from_both_psam_levels():
    challenge, data = h("0102030405060708"), h("1122334455667788")
    province = h("C2AF24BA962CBDA7FEC3A0A22A5B6577")
    city = h("65813F9534E07EE8D0AD800742BB1D0D")
    for key, factors in ((province, (CF, CSN8)), (city, (CSN8,))):
        card_key = chain(TDES, key, factors)
        assert card_key == UK04
        assert session_key(TDES, card_key, challenge) == h("09A05581B546FA18")
        assert cryptogram(TDES, card_key, challenge, data) == h("FDBD2691886E3EB9")


def test_cos_7_4_internal_authentication():
    challenge, data = h("A0A1A2A3A4A5A6A7"), h("B0B1B2B3B4B5B6B7")
    assert session_key(TDES, IRK, challenge) == h("07D67FB51A8486C5")
    assert cryptogram(TDES, IRK, challenge, data) == h("1236A25CE2B2577B")


def test_cos_7_4_psam_mac_is_v1():
    assert line_mac(TDES, STK, h("E1E2E3E400000000"), UPDATE15) == h("B4CB3E4D")


def test_cos_7_4_purchase():
    moment = h("20240315103000")
    transaction = Transaction(0x3E8, 0x06, h("990100000001"), moment)
    key = purchase_key(DPK, h("A1B2C3D4"), 5, 7)
    assert key == h("BBE33C63FF6CD1E2")
    assert purchase_mac1(key, transaction) == h("8A4008DE")
    assert purchase_mac2(key, 0x3E8) == h("C35D4C0A")
    assert purchase_tac(DTK, transaction, 7) == h("CE049F85")
    tac_key = h("8769C5461DE377D9")
    tac_input = h("000003E8 06 990100000001 00000007 20240315 103000")
    assert des_mac(tac_key, tac_input)[:4] == h("CE049F85")
    assert sm_mac(DES, tac_key, tac_input) == h("CE049F85")


def test_cos_7_4_psam_key_load_and_end_issue():
    master = b"TEST-PSAM-AMK-01"
    plain = h("420100 A61133D3CB9D4CB31671F280F851C361")
    cipher = h("EC57E7AB55420A777197DFCC3E4EA09D7EDF250B39B0E3AF")
    assert wrap(TDES, master, plain) == cipher
    message = h("84D400001C") + cipher
    assert line_mac(TDES, master, h("51525354"), message) == h("E5D6CD87")
    assert line_mac(TDES, master, h("5152535455565758"), h("841C000004")) == h("E3622C94")
