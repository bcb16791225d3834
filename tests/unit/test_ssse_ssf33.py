"""ssse-lb002 4.5: keys of SSF33 are data; whoever uses one is refused with 6A81."""

import pytest
from ssse_desk import Desk

from sscard.errors import ProfileError
from sscard.perso.profile import Profile
from sscard.perso.psam import PsamProfile
from sscard.perso.roots import demo_vault
from sscard.sample import new_card, new_psam

ZEROS = "00" * 16


@pytest.fixture(scope="module")
def finished():
    return new_card("v1-ssf33").snapshot()


@pytest.fixture
def desk(finished):
    return Desk(finished.fork()).ssse()


def test_ssse_4_5_the_keys_are_there_without_check_value(desk):
    master = Profile.load("v1-ssf33").ssse.master.value
    assert desk.prove_master(master) == "9000"
    listed = bytes.fromhex(desk.data("80CA00D100"))
    entries = [listed[at : at + 9] for at in range(0, len(listed), 9)]
    ssf33 = {(e[0], e[1]): e[6:].hex() for e in entries if e[3] == 0x02}
    assert ssf33 == dict.fromkeys(
        [(0x0E, 0x00), (0x07, 0x02), (0x0D, 0x04), (0x0D, 0x05), (0x0D, 0x06)], "ffffff"
    )


def test_ssse_4_5_internal_authentication(desk):
    assert desk(f"0088000010{ZEROS}") == "6A81"


@pytest.mark.parametrize("kid", ["04", "05", "06"])
@pytest.mark.parametrize("version", ["", "01"])
def test_ssse_4_5_external_authentication(desk, kid, version):
    desk.challenge()
    before = desk.card.image
    length = 0x10 + len(version) // 2
    for _ in range(20):
        assert desk(f"008200{kid}{length:02X}{ZEROS}{version}") == "6A81"
    assert desk.card.image == before  # no try is spent
    assert desk.sw("00DC052806050420240116") == "6982"


@pytest.mark.parametrize("command", ["8424000004", "842400010C", "8424000114", "841E000004"])
def test_ssse_4_5_line_protection(desk, command):
    desk.challenge()
    assert desk(command + "00" * int(command[-2:], 16)) == "6A81"


def test_ssse_4_5_card_block(desk):
    desk.challenge()
    assert desk("841600000400000000") == "6A81"


@pytest.mark.parametrize("sm_mode", ["session", "pboc_iv"])
@pytest.mark.parametrize("block_mode", ["auth+STKmac", "mac_with_LK"])
@pytest.mark.parametrize("pin_sm_key", ["STK", "PUK"])
def test_ssse_4_5_in_every_mode(sm_mode, block_mode, pin_sm_key):
    options = {"sm_mode": sm_mode, "block_mode": block_mode, "pin_sm_key": pin_sm_key}
    desk = Desk(new_card("v1-ssf33", options)).ssse()
    for command in ("8424000004", "841E000004", "8416000004"):
        desk.challenge()
        assert desk(command + "00000000") == "6A81"


def test_ssse_4_5_files_of_other_keys_go_on(desk):
    """Reading, the PIN and the applications with their 3DES keys are not touched."""
    assert desk.data("00B2012C00") == "0110999901D15600000500000001FFFFFFFF"
    assert desk.pin() == "9000"
    desk.ok("00A4000002DF01")
    update = Profile.load("v1-ssf33").ssse.directories[0].key(0x0D, 0x83)
    assert desk.prove(0x83, update.value) == "9000"


def test_ssse_1_2_nobody_knows_the_mac_of_an_ssf33_irk():
    """As on the card seen in the wild: FF FF FF FF."""
    record = Profile.load("v1-ssf33").ssse.files[0].records[0]
    assert record[-4:] == b"\xff" * 4


def test_ssse_4_2_a_file_protected_under_ssf33_cannot_be_written():
    file = {"kind": "transparent", "update": "F", "size": 8, "sm_update": "mac"}
    desk = Desk(new_card("v1-ssf33", {"ssse.ef.EF0E": file})).ssse()
    desk.challenge()
    assert desk("04D68E0005A500000000") == "6A81"
    assert desk("00D68E0001A5") == "6982"


# ---- profiles ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"ssse.key.UK.root": ZEROS}, r"ssse.key.UK.root.*absent: nobody can derive"),
        ({"ssse.master.algorithm": "ssf33"}, r"ssse.master.algorithm = 'ssf33': must be one of"),
        ({"transport_key.algorithm": "ssf33"}, r"transport_key.algorithm = 'ssf33': must be one"),
        ({"ssse.ef.EF07.sm_update": "mac"}, r"EF07.sm_update: nobody can write"),
        ({"ssse.algorithm": "ssf33"}, r"algorithm is missing: a master key is never SSF33"),
    ],
)
def test_what_ssf33_cannot_be(settings, message):
    with pytest.raises(ProfileError, match=message):
        Profile.load("v1-ssf33", settings)


def test_no_psam_holds_ssf33_keys():
    psam = PsamProfile.load("psam-city", {"cards": "v1-ssf33"})
    names = {key.name for key in psam.keys}
    assert "UK1@DF01" in names
    assert not names & {"IRK@SSSE", "STK@SSSE", "UK@SSSE", "BK@SSSE", "PUK@SSSE"}
    assert new_psam(psam).power_on().atr


def test_no_vault_holds_ssf33_keys():
    names = {info.name for info in demo_vault("v1-ssf33").list_keys()}
    assert "UK1@DF01" in names
    assert not names & {"IRK@SSSE", "STK@SSSE", "UK@SSSE", "BK@SSSE", "PUK@SSSE"}
