"""ssse-lb002 10: what the v2 profile puts onto the sample citizen's card."""

import pytest

from sscard.keys.hierarchy import CARD_KEYS
from sscard.perso.profile import Profile


@pytest.fixture(scope="module")
def v2():
    return Profile.load("v2")


def test_ssse_10_1_card_factor(v2):
    assert v2.card_factor.hex() == "8649999900000001"


@pytest.mark.parametrize(
    ("type_", "kid", "value"),
    [
        (0x0E, 0x00, "2FCFB2C86C49AED3033933E4F7828684"),
        (0x0D, 0x04, "38E73326E8F40EC5D63492FA9E5BFADA"),
        (0x0D, 0x0A, "D3C7DBB85929F512EB0E1AC94F946230"),
        (0x07, 0x02, "6366A6516EBDE54B7754521CAB831662"),
        (0x0D, 0x06, "C629BD37AB3393D2B3BDDBE64B41E84A"),
        (0x0D, 0x05, "DF9FB450118404DC0117710579D741D6"),
    ],
)
def test_ssse_10_2_card_keys_3des(v2, type_, kid, value):
    assert v2.ssse.key(type_, kid).value.hex().upper() == value


@pytest.mark.parametrize(
    ("type_", "kid", "value"),
    [
        (0x0E, 0x00, "4FA273AB8B4FE16D3584B341708CEBA3"),
        (0x0D, 0x04, "614B6ED7A91DB8559234DFC006E3A73A"),
        (0x0D, 0x05, "F6DB1E68BE8FC0043C2F8B21A5B70DC5"),
    ],
)
def test_ssse_10_2_card_keys_sm4(type_, kid, value):
    v2 = Profile.load("v2", {"ssse.algorithm": "sm4"})
    assert v2.ssse.key(type_, kid).value.hex().upper() == value


def test_ssse_10_3_records(v2):
    files = {f.fid: [r.hex().upper() for r in f.records] for f in v2.ssse.files}
    assert files[0xEF05] == [
        "0110999901D15600000500000001F0E44726",
        "020133",
        "0304322E3030",
        "040C915600000299990199990100",
        "050420240115",
        "060420340115",
        "0709543030303030303158",
    ]
    assert files[0xEF06] == [
        "0812393939393031313939303031303131323332",
        "091ED5C5B2E2CAD4000000000000000000000000000000000000000000000000",
        "4E140000000000000000000000000000000000000000",
        "0A0131",
        "0B0101",
        "0C03999901",
        "0D0419900101",
    ]
    assert files[0xEF0D] == [
        "EA0C503939393930313030303031",
        "EB03999901",
        "EC0130",
        "ED0130",
    ]


def test_ssse_10_3_card_identification_sm4():
    v2 = Profile.load("v2", {"ssse.algorithm": "sm4"})
    assert v2.ssse.files[0].records[0].hex().upper() == "0110999901D156000005000000017CB444C2"


def test_ssse_4_1_the_profile_has_the_keys_of_the_table(v2):
    places = {"SSSE": v2.ssse} | {f"{d.fid:04X}": d for d in v2.ssse.directories}
    for place, directory in places.items():
        table = {(k.kind, k.kid) for k in CARD_KEYS if k.place == place and k.name != "RK07"}
        held = {(key.type, key.id) for key in (directory.master, *directory.keys)}
        assert held == {reference for reference in table if reference[0] != 1}


def test_ssse_4_2_key_headers(v2):
    headers = {key.name: key.header.hex().upper() for key in v2.ssse.keys}
    assert headers["UK"] == "0D040100EE0400008F000310"
    assert headers["IRK"] == "0E000100FFFF00008F000310"
    assert headers["STK"] == "07020100FFFF00008F000310"
    assert v2.ssse.pin.header.hex().upper() == "01000100660100008F000103"
    assert v2.ssse.pin.value.hex() == "123456"
    assert v2.ssse.master.header.hex().upper() == "00000200880F00008F000110"


def test_ssse_4_4_access_words(v2):
    df01 = v2.ssse.directories[0]
    household = df01.files[0]
    assert (household.read, household.update) == (0xC1A8, 0x8300)
    settlement = v2.ssse.directories[3].files[1]
    assert settlement.read == 0xC184
    assert v2.ssse.files[0].update == 0x8400
