"""PSAM profiles: levels, sources of keys, what is refused (cos 7.2; ssse-lb002 4.1, 5.1, 6)."""

import pytest

from sscard.errors import ProfileError
from sscard.inspect import fsck
from sscard.keys.hierarchy import CARD_KEYS, KeyValue, Origin, Tier
from sscard.perso import sources
from sscard.perso.origins import origins, source_of
from sscard.perso.profile import Profile
from sscard.perso.profile import names as card_names
from sscard.perso.psam import PsamProfile, names
from sscard.perso.psam_script import psam_script
from sscard.sample import new_psam

UK_PROVINCE = "E76ECD92CF71226BA29C064060C6DF32"
UK_CITY = "D6BF0DA329F49FAC253C10DDD7E94E99"
UK_ROOT = "505152535455565758595A5B5C5D5E5F"
IRK_ROOT = "404142434445464748494A4B4C4D4E4F"


def key(profile, name):
    return next(key for key in profile.keys if key.name == name)


@pytest.mark.parametrize(
    ("name", "uk", "rk"),
    [
        ("psam-ministry", (0x68, UK_ROOT), 0x67),
        ("psam", (0x48, UK_PROVINCE), 0x47),
        ("psam-city", (0x28, UK_CITY), 0x27),
    ],
)
def test_ssse_10_2_keys_of_every_level(name, uk, rk):
    profile = PsamProfile.load(name)
    held = key(profile, "UK@SSSE")
    assert (held.usage, held.id, held.value.hex().upper()) == (uk[0], 0x12, uk[1])
    assert key(profile, "RK@SSSE").usage == rk
    irk = key(profile, "IRK@SSSE")
    assert (irk.usage, irk.id, irk.value.hex().upper()) == (0x67, 0x08, IRK_ROOT)


def test_ssse_4_1_a_psam_holds_every_key_of_the_table():
    """Every card key with a PSAM entry, under its id; usages count the levels that remain."""
    profile = PsamProfile.load()
    held = {key.name: (key.usage, key.id) for key in profile.keys}
    expected = {card.label: card.psam[0] for card in CARD_KEYS if card.psam}
    del expected["RK07@SSSE"], expected["DPK@DF04"]
    assert held | expected == held
    assert set(held) - set(expected) <= {"DPK@DF04"}


def test_ssse_10_8_a_key_given_by_its_value_has_no_levels():
    tree = sources.with_settings(sources.read("v2"), {"ssse.df.DF04.key.DPK.value": "D0" * 16})
    if "root" in tree["ssse"]["df"]["DF04"]["key"]["DPK"]:
        pytest.skip("the profile leads its purchase key down from a root")
    assert origins(tree)["DPK@DF04"] == Origin(KeyValue(b"\xd0" * 16), Tier.CARD)
    dpk = key(PsamProfile.load(), "DPK@DF04")
    assert (dpk.usage, dpk.id) == (0x02, 0x01)


def test_cos_4_6_origins_by_factors():
    tree = sources.with_settings(
        sources.read("v2"),
        {
            "ssse.key.UK.factors": "city, card",
            "ssse.key.BK.factors": "card",
            "ssse.key.STK.algorithm": "sm4",
        },
    )
    found = origins(tree)
    assert found["UK@SSSE"].tier is Tier.PROVINCE
    assert found["BK@SSSE"].tier is Tier.CITY
    assert found["STK@SSSE"].key.algorithm.label == "SM4"
    with pytest.raises(ProfileError, match=r"ssse\.key\.UK\.factors"):
        origins(sources.with_settings(tree, {"ssse.key.UK.factors": "province"}))


def test_cos_7_2_keys_may_come_from_anywhere():
    asked = []

    def source(card_key, tier):
        asked.append((card_key.label, tier))
        return (KeyValue(b"K" * 16), Tier.CITY) if card_key.label == "UK@SSSE" else None

    profile = PsamProfile.load(source=source)
    assert [(k.usage, k.id, k.value) for k in profile.keys] == [(0x28, 0x12, b"K" * 16)]
    assert ("UK@SSSE", Tier.PROVINCE) in asked
    assert ("IRK@SSSE", Tier.MINISTRY) in asked


def test_cos_7_2_other_algorithms_of_the_cards():
    source = source_of("v2")
    card_key = next(key for key in CARD_KEYS if key.label == "UK@SSSE")
    value, tier = source(card_key, Tier.CITY)
    assert (value.value.hex().upper(), tier) == (UK_CITY, Tier.CITY)


@pytest.mark.parametrize("name", names())
def test_shipped_psams_can_be_made(name):
    psam = new_psam(name)
    assert psam.eeprom.memory[:6] == b"SSCARD"
    assert not fsck(psam.image)


def test_psam_profiles_are_no_card_profiles():
    assert set(names()) >= {"psam", "psam-city", "psam-ministry"}
    assert not set(names()) & set(card_names())
    with pytest.raises(ProfileError):
        Profile.load("psam")
    with pytest.raises(ProfileError):
        PsamProfile.load("v2")


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"level": "village"}, "level"),
        ({"card.serial": "1"}, "card.serial"),
        ({"card.terminal": "99990100000X"}, "card.terminal"),
        ({"application.counter": "0017"}, "application.counter"),
        ({"application.transaction_number": -1}, "transaction_number"),
        ({"application.issuer": "00"}, "application.issuer"),
        ({"card.master.value": "short"}, "card.master.value"),
        ({"environment": "ssf33"}, "environment"),
        ({"cards": "nobody"}, "nobody"),
        ({"surprise": 1}, "surprise"),
        ({"key.X.usage": "40", "key.X.id": "01", "key.X.value": "00" * 16}, "usage"),
        ({"key.X.usage": "4B", "key.X.id": "01", "key.X.value": "00" * 16}, "usage"),
        ({"key.X.usage": "48", "key.X.id": "12", "key.X.value": "00" * 16}, "48/12"),
    ],
)
def test_a_wrong_value_is_named(settings, message):
    with pytest.raises(ProfileError, match=message):
        PsamProfile.load("psam", settings)


def test_no_value_of_a_key_is_shown():
    profile = PsamProfile.load()
    shown = repr(profile) + profile.describe() + "".join(map(str, _steps(profile)))
    for held in (*profile.keys, *profile.masters):
        assert held.value.hex().upper() not in shown.upper()
        assert repr(held.value) not in shown


def _steps(profile):
    steps = psam_script(profile)
    step = next(steps)
    while True:
        yield step
        try:
            step = steps.send(bytes(8))
        except StopIteration:
            return


def test_ssse_5_1_the_sm4_environment_has_its_own_name():
    profile = PsamProfile.load("psam", {"environment": "sm4"})
    assert profile.df_name.hex().upper() == "7378332E73682EC9E7BBE1B1A3D5CF"
    assert not fsck(new_psam(profile).image)


def test_the_same_profile_gives_the_same_image():
    assert new_psam().image == new_psam().image


def test_a_psam_s_profile_is_no_card_s():
    with pytest.raises(ProfileError, match=r"^psam is the profile of a PSAM: .*new_psam makes it$"):
        Profile.load("psam")
