"""`explain` on the commands of a PSAM: every field in words, keys and PINs left out (cos 7)."""

import pytest

from sscard.inspect import dump, explain, explain_event, tree
from sscard.sample import sample_psam

CARD, CITY, PROVINCE = "86FE990100000001", "3939303130307378", "3939303030307368"
R = "0102030405060708"
MESSAGE = "04D6850013" + "0102030405060708090A0B0C0D0E0F" + "80000000"


def text(data, **options):
    return str(explain(data, **options))


def test_cos_7_4_external_authentication():
    shown = text(f"BFDE481218{CARD}{CITY}{R}")
    assert shown.splitlines()[0].startswith("INIT SESSION")
    for words in (
        "usage 48 (mac and encipher, 2 levels to go)",
        "CLA: proprietary, the PSAM's own  [BF]",
        "key id or version 12",
        f"card factor  [{CARD}]",
        "city factor: 990100sx",
        f"session factor: of a 3DES key  [{R}]",
    ):
        assert words in shown
    nation = text(f"BFDE670820{CARD}{CITY}{PROVINCE}{R}")
    assert "province factor: 990000sh" in nation
    assert "usage 67 (encipher, 3 levels to go)" in nation
    assert "of an SM4 key, R || 00 x 8" in text(f"BFDE281218{CARD}{R}{'00' * 8}")


def test_cos_7_4_factors_alone():
    shown = text(f"801A450910{CARD}{CITY}")
    assert shown.splitlines()[0].startswith("INIT_FOR_DESCRYPT")
    assert "card maintenance, 2 levels" in shown
    assert "990100sx" in shown


@pytest.mark.parametrize(
    ("p1", "words"),
    [
        ("00", "encipher, the last blocks"),
        ("01", "MAC, the last blocks"),
        ("02", "encipher, more follow"),
        ("03", "MAC, further blocks"),
        ("05", "MAC in one call"),
        ("07", "MAC, the first blocks"),
        ("04", "undefined, 04"),
    ],
)
def test_cos_7_3_modes_of_des_crypt(p1, words):
    assert words in text(f"80FA{p1}0008{R}")


def test_cos_7_4_the_iv_and_the_protected_command():
    shown = text(f"80FA050020E1E2E3E400000000{MESSAGE}")
    assert "IV: half of it, if the key is SM4  [E1E2E3E400000000]" in shown
    assert "header of the command  [04D6850013]" in shown
    assert "0102030405060708" not in shown
    assert "0102030405060708" in text(f"80FA050020E1E2E3E400000000{MESSAGE}", reveal=True)


def test_what_is_enciphered_may_be_a_pin():
    shown = text("80FA0000080312345680000000")
    assert "123456" not in shown
    assert "plain blocks: 8 bytes, not shown" in shown
    assert "123456" in text("80FA0000080312345680000000", reveal=True)


def test_cos_7_4_purchase():
    data = "A1B2C3D4" + "0005" + "000003E8" + "06" + "20240315" + "103000" + "01" + "00"
    tree = explain(f"8070000024{data}{CARD}{CITY}")
    for label, words in (
        ("card's sequence number", "5"),
        ("amount", "10.00 yuan"),
        ("transaction type", "purse purchase"),
        ("date", "2024-03-15"),
        ("time", "10:30:00"),
        ("key version", "1"),
        ("algorithm", "3DES"),
        ("city factor", "990100sx"),
    ):
        assert tree.find(label).value == words
    answer = explain("000000078A4008DE9000", command=tree.raw)
    assert answer.find("terminal transaction number").value == "7"
    assert answer.find("MAC1").raw.hex().upper() == "8A4008DE"
    assert "of the card" in text("8072000004C35D4C0A")


def test_cos_7_2_a_key_load_shows_its_form_only():
    load = "84D400001CEC57E7AB55420A777197DFCC3E4EA09D7EDF250B39B0E3AFE5D6CD87"
    for options in ({}, {"domain": "PSAM"}):
        shown = text(load, **options)
        assert "EC57E7AB" not in shown
        assert "MAC  [E5D6CD87]" in shown
    of_psam = text(load, domain="PSAM", reveal=True)
    assert "LD, usage, version or id, algorithm, key" in of_psam


def test_cos_2_1_create():
    shown = text("8080000008EF113000" + "0034" + "FF04", domain="PSAM")
    assert "malformed" in shown
    shown = text("8080000008EF1130300034FF04", domain="PSAM")
    for words in ("FID: EF11", "type: key file", "size: 52 bytes", "read: never", "write: master"):
        assert words in shown


def test_cos_7_3_answers():
    asked = "80FA000008" + R
    assert "cryptogram" in text("FDBD26916 88E3EB99000".replace(" ", ""), command=asked)
    asked = f"80FA050020E1E2E3E400000000{MESSAGE}"
    assert "MAC: its first four bytes" in text("B4CB3E4D1F04D0C19000", command=asked)


def test_a_psam_is_told_from_a_card_manager_in_its_trace():
    psam = sample_psam()
    events = []
    psam.trace(events.append)
    activation = psam.power_on()
    activation.transmit(bytes.fromhex("00A4040006D15600000590"))
    activation.transmit(bytes.fromhex(f"BFDE481218{CARD}{CITY}{R}"))
    shown = [str(explain_event(event)) for event in events]
    assert shown[-1].startswith("INIT SESSION: in PSAM")
    assert "usage 48" in shown[-1]


def test_every_field_of_the_shipped_psams_creation_is_known():
    """A PSAM is made by commands that explain understands, none of their keys shown."""
    from sscard.perso.psam import PsamProfile
    from sscard.perso.psam_script import psam_script
    from sscard.perso.script import carry_out
    from sscard.sample import blank_card

    profile = PsamProfile.load()
    card = blank_card(profile)
    log = carry_out(psam_script(profile), card.power_on().transmit)
    shown = [text(apdu.hex(), domain="PSAM") for apdu, _ in log]
    assert not [line for line in shown if "malformed" in line or "unknown" in line]
    values = {key.value.hex().upper() for key in (*profile.keys, *profile.masters)}
    assert not [value for value in values if any(value in line for line in shown)]


def test_cos_7_1_the_only_domain_of_a_psam_bears_its_name():
    image = sample_psam().image
    shown = str(tree(image))
    assert "\nPSAM: OWNED, block none" in shown
    assert "\nCM: " not in shown
    assert "usage 48 (mac and encipher, 2 levels to go) 12, 3DES, no counter" in shown
    pages = str(dump(image))
    assert "PSAM DH" in pages
    assert "CM DH" not in pages
