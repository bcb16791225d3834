"""Every symmetric value printed in pse-pboc 11.1-11.6 and 11.8, byte for byte."""

import pytest

from sscard.keys import Algorithm, engine
from sscard.keys.cps import (
    c_mac,
    card_cryptogram,
    card_keys,
    encrypt_icv,
    host_cryptogram,
    session_keys,
)
from sscard.keys.diversify import kcv
from sscard.keys.hierarchy import BankKeys
from sscard.keys.mac import retail_mac
from sscard.keys.padding import pad80
from sscard.keys.pboc import (
    arpc,
    cryptogram,
    emv_common_session_key,
    idd_mac,
    pin_block,
    pin_change_block,
    pin_change_digits,
    pin_digits,
    script_decrypt,
    script_encrypt,
    script_mac,
    session_key,
    udk,
)

TDES = Algorithm.TDES
h = bytes.fromhex

PAN = "6210950000000000017"
UDK_AC = h("B92C67C30286B8C739D70B1BF6C7D510")
UDK_MAC = h("CD7C080F6C836A418F4A33F652409DB2")
UDK_ENC = h("7C03765B26411C9ADB77DF2EA8C0E832")
SK_AC = h("CE813E92908F581D6DFDE1BBA7B54818")
SK_MAC = h("B821B9B0C4395862369D251F8CCAB653")
SK_ENC = h("079807E478E61A77D43D6C7F49A8DD19")
ARQC = h("F126D638723D8BFC")


# ---- 11.1, 11.2 ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("mdk", "value", "check"),
    [
        ("0123456789ABCDEFFEDCBA9876543210", UDK_AC, "75003B"),
        ("11223344556677888877665544332211", UDK_MAC, "392713"),
        ("A1B2C3D4E5F60718293A4B5C6D7E8F90", UDK_ENC, "186EE0"),
    ],
    ids=["AC", "MAC", "ENC"],
)
def test_pse_11_1_card_keys(mdk, value, check):
    assert udk(h(mdk), PAN) == value
    assert udk(h(mdk), PAN, "00") == value
    assert kcv(TDES, value) == h(check)
    blocks = engine(TDES, h(mdk)).decrypt(value)
    assert blocks == h("5000000000001700 AFFFFFFFFFFFE8FF")


def test_pse_11_1_and_11_8_bank_keys():
    masters = BankKeys.of(
        h("0123456789ABCDEFFEDCBA9876543210"),
        h("11223344556677888877665544332211"),
        h("A1B2C3D4E5F60718293A4B5C6D7E8F90"),
    )
    keys = masters.card_keys(PAN)
    assert keys.joined == UDK_AC + UDK_MAC + UDK_ENC
    assert keys.kcvs == h("75003B392713186EE0")


@pytest.mark.parametrize(
    ("card", "session"), [(UDK_AC, SK_AC), (UDK_MAC, SK_MAC), (UDK_ENC, SK_ENC)]
)
def test_pse_11_2_session_keys(card, session):
    assert session_key(card, 1) == session


# ---- 11.4 ------------------------------------------------------------------------------------

TERMINAL = "00000001234500000000000001560000008000015626070100A1B2C3D4"


@pytest.mark.parametrize(
    ("cvr", "value"),
    [
        ("03A41002", "F126D638723D8BFC"),
        ("03641002", "BF0C0717E6D3496C"),
        ("03801000", "B7A869D22EE3E8C1"),
        ("03941002", "84EEDDCF7DAF1F00"),
        ("03251002", "D7A98FE9C42E3EF8"),
        ("032C1002", "ACF6E4BEE9BAAA16"),
        ("03641402", "83DDE34F245CF956"),
    ],
    ids=["ARQC", "TC", "AAC asked", "TC asked", "AAC after Z3", "AAC after 6300", "TC silent"],
)
def test_pse_11_4_cryptograms(cvr, value):
    assert cryptogram(SK_AC, h(TERMINAL + "7C000001" + cvr)) == h(value)


def test_pse_11_4_padded_input():
    message = h(TERMINAL + "7C00000103A41002")
    assert pad80(message, 8) == h(TERMINAL + "7C00000103A41002800000")


def test_pse_11_4_arpc():
    assert arpc(SK_AC, ARQC, h("3030")) == h("16E77895E0513B62")
    assert engine(TDES, SK_AC).decrypt(h("16E77895E0513B62")) == h("C116D638723D8BFC")


def test_pse_11_4_cvn_17():
    assert cryptogram(SK_AC, h("000000012345A1B2C3D40001A4")) == h("1FF36817CF9991F3")


# ---- 11.5 ------------------------------------------------------------------------------------

SCRIPTS = {
    "PUT DATA 9F58": ("04DA9F5805", "05", "F58454DCA2C69B61"),
    "PUT DATA 9F59": ("04DA9F5905", "07", "5D25FF2D26BA572B"),
    "APPLICATION BLOCK": ("841E000004", "", "5C8658555C1334EB"),
    "APPLICATION UNBLOCK": ("8418000004", "", "C9C318FCA53ADD78"),
    "CARD BLOCK": ("8416000004", "", "590483C44EA034B1"),
    "PIN UNBLOCK": ("8424000004", "", "D4FED8FE8267704E"),
    "UPDATE RECORD": ("04DC01240E", "70089F1401059F230109", "1EB6DA7E06F2BCDA"),
    "PIN CHANGE 02": ("8424000214", "1F67FC377BEAE6196B2A37CB41C3BB6C", "A42E833EB17B498D"),
    "PIN CHANGE 01": ("8424000114", "1A62284B966F124B6B2A37CB41C3BB6C", "C547A9F5CD8069A7"),
}


@pytest.mark.parametrize("name", SCRIPTS)
def test_pse_11_5_script_macs(name):
    header, data, mac = SCRIPTS[name]
    message = h(header + "0001F126D638723D8BFC" + data)
    assert retail_mac(SK_MAC, message) == h(mac)
    assert script_mac(SK_MAC, h(header), 1, ARQC, h(data)) == h(mac)[:4]


@pytest.mark.parametrize(
    ("current", "delta", "cipher"),
    [
        (None, "06654321D9BEE365", "1F67FC377BEAE6196B2A37CB41C3BB6C"),
        ("123456", "14511521D9BEE365", "1A62284B966F124B6B2A37CB41C3BB6C"),
    ],
    ids=["P2=02", "P2=01"],
)
def test_pse_11_5_pin_change(current, delta, cipher):
    block = pin_change_block(UDK_ENC, "654321", current)
    assert block == h("08" + delta + "80000000000000")
    assert engine(TDES, SK_ENC).encrypt(block) == h(cipher)
    assert script_encrypt(SK_ENC, h(delta)) == h(cipher)
    assert script_decrypt(SK_ENC, h(cipher)) == h(delta)
    assert pin_change_digits(UDK_ENC, block, current) == "654321"


def test_pse_11_5_pin_change_masks():
    """D1 and D2, each seen by taking the other away."""
    delta = int.from_bytes(h("06654321D9BEE365"), "big")
    d1, d2 = h("0000000026411C9A"), h("06654321FFFFFFFF")
    assert d1[4:] == UDK_ENC[4:8]
    assert int.from_bytes(d1, "big") ^ int.from_bytes(d2, "big") == delta


@pytest.mark.parametrize("current", ["99999999", "654321", None])
def test_pse_4_8_wrong_current_pin_shows_as_malformed(current):
    block = pin_change_block(UDK_ENC, "654321", "123456")
    with pytest.raises(ValueError, match="not a PIN block"):
        pin_change_digits(UDK_ENC, block, current)


def test_pse_4_8_wrong_current_pin_may_also_show_as_other_digits():
    """The construction carries no check of the current PIN: 43 ^ 56 happens to be 15."""
    block = pin_change_block(UDK_ENC, "654321", "123456")
    assert pin_change_digits(UDK_ENC, block, "1234") == "651521"


# ---- 11.6 ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("amounts", "padded", "mac"),
    [
        ("0000010000", "0001000001000000 8000000000000000", "A1EB339A2FF81E31"),
        (
            "00000100000000012345",
            "00010000010000000001234500000000 8000000000000000",
            "5CBA190F7BDBECA7",
        ),
    ],
    ids=["type 01", "type 03"],
)
def test_pse_11_6_issuer_discretionary_data(amounts, padded, mac):
    assert retail_mac(SK_MAC, h(padded)[:-8]) == h(mac)
    assert idd_mac(SK_MAC, 1, h(amounts)) == h(mac)[:4]


def test_pse_11_6_next_transaction():
    key = session_key(UDK_AC, 2)
    assert key == h("290F73924C5ADCFC1E4B97E24AD471F8")
    message = "000000012345000000000000015600000080000156260701000BADF00D7C00000203A00020"
    assert cryptogram(key, h(message)) == h("22463609F42699A7")


@pytest.mark.parametrize(
    ("atc", "key"),
    [(1, "922696263861CC58723A0EE7866386AE"), (2, "9856B7752A8860DFDDF784AF51D5CF90")],
)
def test_pse_11_6_emv_common_session_key(atc, key):
    assert emv_common_session_key(UDK_AC, atc) == h(key)


# ---- 11.8 ------------------------------------------------------------------------------------

KMC = h("404142434445464748494A4B4C4D4E4F")
KEYDATA = h("621095FFFFFF00000001")
KENC = h("62975063FAD519623136C70A5421CC62")
KMAC = h("3ACC1E29BB37C4784B449911DE8C9530")
KDEK = h("F1EAFF60929AC0A39DDE92DE4B00A461")
SKUENC = h("EC2AE7CA105BA17187F1B329FBBE2581")
SKUMAC = h("B9D088FB6CE3CB1F161BA89E869C1166")
SKUDEK = h("47B3C7D7E4669379957045DB616F6B56")
SESSION = session_keys(card_keys(KMC, KEYDATA), 1)
HOST_RANDOM = h("0001020304050607")
CARD_RANDOM = h("A0A1A2A3A4A5")


def test_pse_11_8_channel_keys():
    assert card_keys(KMC, KEYDATA) == (KENC, KMAC, KDEK)
    assert (SKUENC, SKUMAC, SKUDEK) == SESSION


def test_pse_11_8_mutual_authentication():
    card = card_cryptogram(SESSION, HOST_RANDOM, 1, CARD_RANDOM)
    host = host_cryptogram(SESSION, HOST_RANDOM, 1, CARD_RANDOM)
    mac = c_mac(SESSION, bytes(8), h("8482010010") + host)
    assert card == h("F547BF7BFC7B1EFF")
    assert host == h("CBE7E8B47B77751F")
    assert mac == h("8B9CDD297C96FD2B")


def test_pse_11_8_store_data_in_both_icv_variants():
    previous = h("8B9CDD297C96FD2B")
    message = h("84E200000D9010020303")
    assert c_mac(SESSION, previous, message) == h("EBF6763FCB741949")
    assert c_mac(SESSION, encrypt_icv(SESSION, previous), message) == h("F684F168065235E7")


@pytest.mark.parametrize(
    ("plain", "cipher"),
    [
        (
            (
                "B92C67C30286B8C739D70B1BF6C7D510CD7C080F6C836A418F4A33F652409DB2"
                "7C03765B26411C9ADB77DF2EA8C0E832"
            ),
            (
                "20769008DFC1F7FD299DC1C07C8EC4AFA81F08206E8A0C18DFE827A544B3ABDA"
                "C0CE979EA318A8C3E3E8E89B267ABFC0"
            ),
        ),
        ("26123456FFFFFFFF", "DE7B0B775AAAF39B"),
        (
            (
                "D212800EE26F5E5D7600381A8A9B7CA2846332E221D716691F15A5FC5D7DC588"
                "68EBD41F8B1BE4126DBE39847B6857F98000000000000000"
            ),
            (
                "460FB4A7DC609063F0ED9DB0FA69E029D09D7B7CD81BED38B675E8C063932DB0"
                "16EB951B0878BDDF74748AC15985AC9F0F59E2D859DB83AB"
            ),
        ),
    ],
    ids=["8000", "8010", "8201"],
)
def test_pse_11_8_enciphered_groups(plain, cipher):
    assert engine(TDES, SESSION.dek).encrypt(h(plain)) == h(cipher)


def test_pse_11_8_padding_of_8201():
    value = h(
        "D212800EE26F5E5D7600381A8A9B7CA2846332E221D716691F15A5FC5D7DC588"
        "68EBD41F8B1BE4126DBE39847B6857F9"
    )
    assert pad80(value, 8) == value + h("8000000000000000")


def test_pse_11_8_reference_pin():
    assert pin_block("123456") == h("26123456FFFFFFFF")
    assert pin_digits(h("26123456FFFFFFFF")) == "123456"
