"""The roots of the shipped profiles as vaults: they give the cards that personalisation makes."""

import pytest

from sscard.errors import ProfileError
from sscard.keys.hierarchy import CARD_KEYS, Tier
from sscard.keys.pboc import udk
from sscard.keys.vault import (
    CardIdentity,
    KeyRef,
    MemoryVault,
    Party,
    VaultError,
    Withheld,
    card_keys,
    hand_down,
)
from sscard.perso.profile import Profile
from sscard.perso.roots import card_identity, demo_vault, roots
from sscard.spec.codes import KEY_TYPES

CITIZEN = CardIdentity("999901", bytes.fromhex("8649999900000001"), "6210950000000000017")


def placed_keys(profile):
    """(vault name, key) of every key on a profile's card that has a value."""

    def below(directory, place):
        master = {"MF": "CMK", "SSSE": "EMK-S", "PSE": "EMK-P"}.get(place, "AMK")
        for key in (directory.transport, directory.master):
            if key is not None:
                yield f"{master}@{place}", key
        for key in directory.keys:
            bank = key.type in {KEY_TYPES[word] for word in ("ac", "mac", "enc")}
            yield f"{'MDK-' if bank else ''}{key.name}@{place}", key
        for inner in directory.directories:
            yield from below(inner, f"PSE.{inner.name}" if place == "PSE" else inner.name)

    yield from below(profile.cm, "MF")
    for directory, place in ((profile.ssse, "SSSE"), (profile.pse, "PSE")):
        if directory is not None:
            yield from below(directory, place)


@pytest.mark.parametrize("name", ["blank", "walk", "v1", "v2", "v3", "pboc", "sample"])
def test_vaults_give_every_key_of_the_profiles_card(name):
    vaults = {party: demo_vault(name, party) for party in Party}
    card = card_identity(name)
    count = 0
    for label, key in placed_keys(Profile.load(name)):
        vault = vaults[Party.of(label)]
        info = vault.info(label, key.version)
        ref = card.ref(info)
        assert info.algorithm == key.algorithm
        if info.levels:
            assert vault.derive(ref).value == key.value
        else:
            assert vault.kcv(ref) == info.kcv
        count += 1
    assert count == sum(len(vault.list_keys()) for vault in vaults.values())


def test_the_vault_of_v2_names_keys_as_the_hierarchy_does():
    held = {info.name for info in demo_vault("v2").list_keys()}
    labels = {key.label for key in CARD_KEYS}
    assert held <= labels
    assert labels - held == {"EMK-P@PSE", "RK07@SSSE"}


def test_the_sample_card():
    assert card_identity("sample") == CITIZEN
    assert card_identity("v2", {"region": "320100"}).region == "320100"
    social = card_keys(demo_vault(), CITIZEN)
    assert social["UK@SSSE"].value.hex().upper() == "38E73326E8F40EC5D63492FA9E5BFADA"
    assert "DPK@DF04" not in social  # given by value: the card's own
    bank = demo_vault(party=Party.BANK)
    mdk = bytes.fromhex("0123456789ABCDEFFEDCBA9876543210")
    assert card_keys(bank, CITIZEN)["MDK-AC@PSE.DF01"].value == udk(mdk, CITIZEN.pan)


def test_the_newest_version_is_the_cards():
    vault = demo_vault("v2")
    assert [i.version for i in vault.list_keys() if i.name == "EMK-S@SSSE"] == [1, 2]
    assert card_keys(vault, CITIZEN)["EMK-S@SSSE"] == vault.derive(
        CITIZEN.ref(vault.info("EMK-S@SSSE", 2))
    )


def test_keys_are_handed_down_from_tier_to_tier():
    ministry = demo_vault("v2")
    province = hand_down(ministry, Tier.PROVINCE, CITIZEN.region)
    city = hand_down(province, Tier.CITY, CITIZEN.region)
    assert province.info("UK@SSSE").holder == "province"
    assert city.info("UK@SSSE").holder == "city"
    assert city.list_keys() == hand_down(ministry, Tier.CITY, CITIZEN.region).list_keys()
    above = card_keys(ministry, CITIZEN)
    for name, key in card_keys(city, CITIZEN).items():
        assert key == above[name]
    # the transport keys and CMK are a city's own
    assert set(above) - set(card_keys(city, CITIZEN)) == {"CMK@MF"}
    other = hand_down(ministry, Tier.PROVINCE, "320100")
    assert other.info("UK@SSSE").kcv != province.info("UK@SSSE").kcv


def test_what_cannot_be_handed_down():
    with pytest.raises(VaultError, match="province or a city"):
        hand_down(demo_vault("v2"), Tier.CARD, CITIZEN.region)
    with pytest.raises(VaultError, match="social"):
        hand_down(demo_vault(party=Party.BANK), Tier.CITY, CITIZEN.region)
    real = MemoryVault(Party.SOCIAL, roots("v2", Party.SOCIAL))
    with pytest.raises(Withheld):
        hand_down(real, Tier.CITY, CITIZEN.region)


def test_factors_that_are_no_way_down_are_refused():
    odd = {"ssse.master.factors": ["province", "card"]}
    with pytest.raises(ProfileError, match=r"ssse\.master\.factors"):
        demo_vault("v2", Party.SOCIAL, odd)


def test_algorithms_are_inherited_as_in_the_profile():
    vault = demo_vault("v2", Party.SOCIAL, {"ssse.algorithm": "sm4"})
    ref = KeyRef("UK@SSSE", CITIZEN.factors(vault.info("UK@SSSE")))
    assert vault.derive(ref).value.hex().upper() == "614B6ED7A91DB8559234DFC006E3A73A"
    assert vault.info("CMK@MF").algorithm.label == "3DES"
