"""pse-pboc 11.8 through the card: the secure channel and its DGIs, byte for byte."""

import pytest
from pse_desk import ADF, PIN_OK, before, cid

from sscard.cos.objects import KeyRecord, KeyType
from sscard.iso.apdu import Command
from sscard.keys import cps
from sscard.keys.cps import ChannelKeys
from sscard.perso.cps import Session

CARD_RANDOM = bytes.fromhex("A0A1A2A3A4A5")
INITIALIZE = "8050000008000102030405060700"
OPENING = "621095FFFFFF0000000101020001A0A1A2A3A4A5F547BF7BFC7B1EFF"
AUTHENTICATE = "8482010010CBE7E8B47B77751F8B9CDD297C96FD2B"
STORE = {
    "off": "84E200000D9010020303EBF6763FCB741949",
    "on": "84E200000D9010020303F684F168065235E7",
}
SESSION = ChannelKeys(
    bytes.fromhex("EC2AE7CA105BA17187F1B329FBBE2581"),
    bytes.fromhex("B9D088FB6CE3CB1F161BA89E869C1166"),
    bytes.fromhex("47B3C7D7E4669379957045DB616F6B56"),
)
CARD_KEYS = "B92C67C30286B8C739D70B1BF6C7D510CD7C080F6C836A418F4A33F652409DB27C03765B26411C9ADB77DF2EA8C0E832"
ENCIPHERED_KEYS = "20769008DFC1F7FD299DC1C07C8EC4AFA81F08206E8A0C18DFE827A544B3ABDAC0CE979EA318A8C3E3E8E89B267ABFC0"
CHECK_VALUES = "75003B392713186EE0"
PIN, ENCIPHERED_PIN = "26123456FFFFFFFF", "DE7B0B775AAAF39B"
CRT_PART = "D212800EE26F5E5D7600381A8A9B7CA2846332E221D716691F15A5FC5D7DC58868EBD41F8B1BE4126DBE39847B6857F9"
ENCIPHERED_PART = (
    "460FB4A7DC609063F0ED9DB0FA69E029D09D7B7CD81BED38B675E8C063932DB016EB951B0878BDDF74748AC15985AC9F"
    "0F59E2D859DB83AB"
)


def opened(icv="off"):
    """The channel of 11.8, open in the application, whose files are empty."""
    desk = before("initialize update of DF01", perso="cps", options={"options.icv_encryption": icv})
    desk.card.env.force_random(CARD_RANDOM)
    assert desk(INITIALIZE) == OPENING + "9000"
    assert desk(AUTHENTICATE) == "9000"
    return desk


def keys(desk):
    """The key records of the application, by type."""
    domain = desk.power.kernel.current
    held: dict[int, KeyRecord] = {}
    for key in domain.keys.records(domain.directory):
        held[key.type] = key
    return held


@pytest.mark.parametrize("icv", ["off", "on"])
def test_pse_11_8_channel(icv):
    desk = opened(icv)
    assert desk(STORE[icv]) == "9000"


@pytest.mark.parametrize(("icv", "sent"), [("off", "on"), ("on", "off")])
def test_pse_11_8_the_other_chaining_is_a_wrong_mac(icv, sent):
    desk = opened(icv)
    assert desk(STORE[sent]) == "6988"
    assert desk(STORE[icv]) == "6982"


def test_pse_11_8_dgis_enciphered_as_published():
    assert cps.encipher_value(SESSION, bytes.fromhex(CARD_KEYS)).hex().upper() == ENCIPHERED_KEYS
    desk = opened()
    assert desk(STORE["off"]) == "9000"
    session = Session(SESSION, 0x01, bytes.fromhex("EBF6763FCB741949"))
    sent = [
        (0x60, f"800030{ENCIPHERED_KEYS}"),
        (0x00, f"900009{CHECK_VALUES}"),
        (0x60, f"801008{ENCIPHERED_PIN}"),
        (0x60, f"820138{ENCIPHERED_PART}"),
        (0x00, "91022F" + "A52D500A50424F432044454249548701015F2D027A689F1101019F120A50424F432044"
               "45424954BF0C059F4D020B0A"),
        (0x00, "9104" + "12" + "82027C00940C080101001001020118010300"),
        (0x00, "92000B" + "9F10080701010300000001"),
        (0x00, "0D0124" + "9F5801039F5901079F4F199A039F21039F02069F03069F1A025F2A029F4E149C019F3602"),
        (0x80, "0E0121" + "9F510201569F520282409F5601809F570201569F360200009F130200005F340100"),
    ]  # fmt: skip
    for number, (p1, data) in enumerate(sent, start=1):
        command = session.protected(Command(0x80, 0xE2, p1, number, bytes.fromhex(data)))
        assert desk(command.build().hex()) == "9000", data[:4]
    held = keys(desk)
    values = [
        held[kind].value.hex().upper()
        for kind in (KeyType.ISSUER_AC, KeyType.ISSUER_MAC, KeyType.ISSUER_ENC)
    ]
    assert "".join(values) == CARD_KEYS
    assert held[KeyType.PIN].value.hex().upper() == PIN
    assert held[KeyType.PIN].tries == 0x33
    assert desk(ADF) == (
        "6F398408A000000333010101A52D500A50424F432044454249548701015F2D027A689F1101019F120A50424F4320"
        "44454249"
        "54BF0C059F4D020B0A9000"
    )
    desk.begin()
    assert desk.element("9F58") == "03"
    assert desk.sw(PIN_OK) == "9000"
    assert cid(desk("80AE800000")) == "80"  # no records: its CDOL asks for nothing
