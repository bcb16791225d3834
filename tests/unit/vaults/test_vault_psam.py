"""A PSAM's keys out of a vault: enciphered, under the PSAM's own master key (ssse-lb002 6; cos 7).

The vaults here are not of test keys, so none would give a value to anybody who asks.
"""

import json
from pathlib import Path

import pytest
from sam_desk import CITY, CSN8, PROVINCE, SamDesk
from social_counter import AT, terminal, vault
from typer.testing import CliRunner

from sscard.cli.app import app
from sscard.errors import ProfileError
from sscard.inspect import fsck
from sscard.keys import Algorithm
from sscard.keys.hierarchy import Tier
from sscard.keys.vault import MemoryVault, Party, Root, UnsupportedMechanism, Withheld
from sscard.perso.origins import source_of
from sscard.perso.psam import HeldKey, PsamProfile
from sscard.perso.psam_script import psam_script
from sscard.perso.psam_vault import MASTER_NAMES
from sscard.perso.roots import psam_roots, roots
from sscard.perso.script import carry_out
from sscard.sample import blank_card, new_psam, sample_card, sample_psam
from sscard.terminal import PsamSource
from sscard.transport.memory import MemoryPort, PoweredSlot
from sscard.vaults.file import FileVault

R, CHOSEN = "0102030405060708", "1122334455667788"
ROOTS = {  # cos 4.6
    "UK@SSSE": b"TEST-UK04-ROOT-1",
    "IRK@SSSE": b"TEST-IRK1-ROOT-1",
    "STK@SSSE": b"TEST-STK1-ROOT-1",
    "DPK@DF04": b"TEST-DPK1-ROOT-1",
}
OF_COS_4_6 = {"cards": "", "card.terminal": "990100000001", "application.transaction_number": 6}


def of_cos_4_6(levels=3):
    return [Root(name, value, levels=levels) for name, value in ROOTS.items()]


def loaded(vault, **settings):
    named = {name.replace("__", "."): value for name, value in settings.items()}
    return PsamProfile.load("psam", OF_COS_4_6 | named, vault=vault, region="990100")


def in_memory(*held):
    return MemoryVault(Party.SOCIAL, held)


@pytest.fixture
def ministry():
    """A vault with the roots of the sample cards and the master keys of the sample PSAM."""
    return in_memory(*roots("v2", Party.SOCIAL), *psam_roots())


# --- the image -----------------------------------------------------------------------------------


def by_value(level):
    """The sample PSAM by value, as a vault gives it: the nation's keys one tier lower."""
    plain = source_of("v2")
    return PsamProfile.load(level, source=lambda key, tier: plain(key, min(tier, Tier.PROVINCE)))


def test_ssse_6_the_psam_is_the_one_made_from_values(make):
    """At every level, from every kind of vault, to the last byte."""
    keeper = make(*roots("v2", Party.SOCIAL), *psam_roots(), test=False)
    for level in ("psam-ministry", "psam", "psam-city"):
        held = PsamProfile.load(level, vault=keeper)
        assert {type(key) for key in held.keys if key.name != "DPK@DF04"} == {HeldKey}
        psam = new_psam(held)
        assert psam.image == new_psam(by_value(level)).image
        assert not fsck(psam.image)
        assert not held.withheld


def test_ssse_6_no_value_passes_in_clear(ministry):
    """Not one key of the PSAM's is in its profile, nor in the commands that load it."""
    profile = PsamProfile.load(vault=ministry)
    card = blank_card(profile)
    log = carry_out(psam_script(profile), card.power_on().transmit)
    sent = b"".join(apdu for apdu, _ in log)
    values = {key.value for key in by_value("psam").keys}
    assert len(values) > 50
    assert not [value for value in values if value in sent]
    shown = repr(profile) + profile.describe()
    assert not [value for value in values if value.hex() in shown.lower()]
    with pytest.raises(Withheld):
        ministry.derive(profile.keys[0].ref)


# --- the flows of 7.4 ----------------------------------------------------------------------------


def test_cos_7_4_flows_of_a_psam_from_a_vault(make):
    keeper = make(*of_cos_4_6(), *psam_roots(), test=False)
    desk = SamDesk(new_psam(loaded(keeper)))
    desk.ok(f"BFDE481218 {CSN8} {CITY} {R}")
    assert desk.ok(f"80FA000008 {CHOSEN}") == "FDBD2691886E3EB9"
    desk.ok(f"BFDE470818 {CSN8} {CITY} A0A1A2A3A4A5A6A7")
    assert desk.ok("80FA000008 B0B1B2B3B4B5B6B7") == "1236A25CE2B2577B"
    desk.ok(f"801A480910 {CSN8} {CITY}")
    message = "04D6850013 0102030405060708090A0B0C0D0E0F 80000000"
    assert desk.ok(f"80FA050020 E1E2E3E400000000 {message}") == "B4CB3E4D1F04D0C1"
    debit = f"A1B2C3D4 0005 000003E8 06 20240315 103000 01 00 {CSN8} {CITY}"
    assert desk.ok(f"8070000024 {debit}") == "000000078A4008DE"
    assert desk.sw("8072000004 C35D4C0A") == "9000"


def test_cos_7_4_a_city_psam_from_the_vault_of_a_province(make):
    """What the province holds is led down once more: usage 28, one factor to go."""
    handed = [
        Root("UK@SSSE", bytes.fromhex("C2AF24BA962CBDA7FEC3A0A22A5B6577"), levels=2),
    ]
    keeper = make(*handed, *psam_roots(), test=False)
    for level in ("province", "city"):
        desk = SamDesk(new_psam(loaded(keeper, level=level)))
        desk.ok(f"BFDE281210 {CSN8} {R}")
        assert desk.ok(f"80FA000008 {CHOSEN}") == "FDBD2691886E3EB9"
        assert desk.sw(f"BFDE481218 {CSN8} {CITY} {R}") == "6A88"


def test_ssse_6_the_nations_keys_come_one_tier_lower(make):
    """A root does not leave its vault, so 67/08 becomes 47/08 of the province."""
    keeper = make(*of_cos_4_6(), *psam_roots(), test=False)
    desk = SamDesk(new_psam(loaded(keeper, level="ministry")))
    assert desk.sw(f"BFDE670820 {CSN8} {CITY} {PROVINCE} {R}") == "6A88"
    assert desk.sw(f"BFDE470818 {CSN8} {CITY} {R}") == "9000"


def test_ssse_5_3_a_hospital_visit_with_a_psam_from_a_vault(ministry):
    sam = new_psam(PsamProfile.load(vault=ministry))
    with terminal(sample_card(), PsamSource(MemoryPort(PoweredSlot(sam)))) as desk:
        desk.accept()
        assert desk.holder().name == "张测试"
        desk.verify_pin("123456")
        desk.reload_pin("246810")
        desk.verify_pin("246810")
        desk.load(vault("sample"), 50_000, AT)
        assert desk.settle(12_345, AT).balance_fen == 37_655


def test_ssse_5_1_an_sm4_psam_from_a_vault(kind, make):
    """cos 4.7 through a PSAM of SM4 keys, its master key SM4 too; a token refuses them."""
    sm4 = {"environment": "sm4", "application__master__algorithm": "sm4"}
    sm4 |= {"application__maintenance__algorithm": "sm4"}
    amk = Root("AMK@PSAM", b"TEST-PSAM-AMK-01", 1, Algorithm.SM4, levels=0)
    uk = Root("UK@SSSE", ROOTS["UK@SSSE"], 1, Algorithm.SM4)
    if kind == "token":
        with pytest.raises(UnsupportedMechanism, match="SM4"):
            make(uk)
        return
    desk = SamDesk(new_psam(loaded(make(uk, amk, test=False), **sm4)))
    desk.ok(f"BFDE481220 {CSN8} {CITY} {R} {'00' * 8}")
    assert desk.ok(f"80FA000010 {CHOSEN} {'00' * 8}") == "27D7F4D06C60132CBF8CE815BAE36946"


# --- what is refused -----------------------------------------------------------------------------


def test_a_key_of_the_cards_that_is_not_in_the_vault_is_named():
    some = [root for root in roots("v2", Party.SOCIAL) if root.name != "UK2@DF01"]
    with pytest.raises(ProfileError, match="UK2@DF01 is on the cards, under 3DES, and not in"):
        PsamProfile.load(vault=in_memory(*some, *psam_roots()))


def test_cards_of_sm4_and_a_vault_of_3des(ministry):
    with pytest.raises(ProfileError, match=r"3DES in the vault, on the cards one of SM4.*file"):
        PsamProfile.load("psam", {"cards": "v3"}, vault=ministry)


def test_a_vault_without_the_psams_master_key_gives_nothing_out():
    profile = PsamProfile.load(vault=in_memory(*roots("v2", Party.SOCIAL)))
    with pytest.raises(ProfileError, match="AMK@PSAM"):
        new_psam(profile)


@pytest.mark.parametrize("name", MASTER_NAMES)
def test_another_psams_master_key_is_told_by_its_check_value(name):
    other = [Root(name, b"ANOTHER-MASTER-1", levels=0)]
    profile = PsamProfile.load(vault=in_memory(*roots("v2", Party.SOCIAL), *other))
    with pytest.raises(ProfileError, match=f"{name} is not the PSAM's own"):
        new_psam(profile)


def test_keys_that_begin_at_the_vaults_own_tier_are_named():
    keeper = in_memory(*of_cos_4_6(levels=1), *psam_roots())
    profile = loaded(keeper)
    assert profile.withheld == ("IRK@SSSE", "STK@SSSE", "UK@SSSE", "DPK@DF04")
    assert not profile.keys


def test_a_source_and_a_vault_are_one_too_many(ministry):
    with pytest.raises(ProfileError, match="a source or from a vault"):
        PsamProfile.load(
            source=lambda key, tier: None,
            vault=ministry,
        )


# --- the program ---------------------------------------------------------------------------------


@pytest.fixture
def sscard(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SSCARD_PASSPHRASE", "correct horse")

    def run(*words, code=0):
        result = CliRunner().invoke(app, words)
        assert result.exit_code == code, result.output
        secret = {key.value.hex().upper() for key in by_value("psam").keys}
        assert not [value for value in secret if value in result.output.upper()]
        return result

    return run


def test_sscard_new_makes_a_psam_from_a_vault_file(sscard):
    with FileVault.create("keys.vault", "correct horse", Party.SOCIAL, cost=4) as file:
        file.install_all([*roots("v2", Party.SOCIAL), *psam_roots()])
    shown = sscard("new", "sam.img", "--profile", "psam", "--vault", "keys.vault").output
    assert "48     12  UK@SSSE   3DES       C4D455" in shown
    made = sscard(
        "new", "sam.img", "--profile", "psam", "--vault", "keys.vault", "--force", "--json"
    )
    told = json.loads(made.output)
    assert told["withheld"] == []
    assert {
        "usage": "47",
        "id": "08",
        "name": "IRK@SSSE",
        "algorithm": "3DES",
        "kcv": "9D0EDC",
    } in (told["keys"])
    found = sscard("tree", "sam.img").output
    assert "C4D455" in found
    elsewhere = ("new", "b.img", "--profile", "psam", "--vault", "keys.vault")
    shown = sscard(*elsewhere, "--region", "320100", "--json").output
    assert json.loads(shown)["keys"][2]["kcv"] != "C4D455"


@pytest.mark.requires("softhsm2")
def test_sscard_new_makes_a_psam_from_a_token(sscard, softhsm):
    """Without cards named the token decides what goes in."""
    update_key = next(root for root in roots("v2", Party.SOCIAL) if root.name == "UK@SSSE")
    with softhsm.open("social", writable=True, test=False) as token:
        for root in (update_key, *psam_roots()):
            token.install(root)
    words = ("--token", "social", "--module", softhsm.module, "--pin", softhsm.pin)
    words += ("--set", "cards=", "--region", "999901")
    shown = sscard("new", "sam.img", "--profile", "psam", *words).output
    assert "48     12  UK@SSSE  3DES       C4D455" in shown
    assert shown.count("SSSE") == 1


def test_sscard_keys_new_adds_a_psams_master_keys(sscard):
    shown = sscard("keys", "new", "--vault", "t.vault", "--psam", "psam").output
    assert "72 social test keys" in shown
    listed = json.loads(sscard("keys", "list", "--vault", "t.vault", "--json").output)
    assert {"CMK@PSAM", "AMK@PSAM"} <= {row["name"] for row in listed}
    sscard("keys", "new", "--vault", "b.vault", "--party", "bank", "--psam", "psam", code=2)
    assert not Path("b.vault").exists()


def test_sscard_new_says_what_a_vault_is_for(sscard):
    assert "PSAM profiles" in sscard("new", "c.img", "--vault", "keys.vault", code=2).output
    assert (
        "states" in sscard("new", "c.img", "--profile", "psam", "--state", "expired", code=2).output
    )


def test_sscard_new_makes_a_blank_psam(sscard):
    assert "blank chip" in sscard("new", "c.img", "--profile", "psam", "--blank").output
    image = Path("c.img").read_bytes()
    assert image[:6] == b"SSCARD"
    assert image != sample_psam().image
