"""The builder and the card's own commands end in the same image, ring apart (ADR 5)."""

import hashlib

import pytest
from card_images import without_ring

from sscard.builder import build
from sscard.card import Card
from sscard.errors import ProfileError
from sscard.inspect import fsck
from sscard.perso.profile import Profile, names
from sscard.perso.script import personalise
from sscard.sample import blank_card, new_card, sample_card

WALK = "f78d6afb6286981dc0378601536d873e48b0e5340f8a1e0534b189742cade1c5"


FINISHED = [name for name in names() if Profile.load(name).environments]


@pytest.mark.parametrize("name", FINISHED)
def test_builder_and_commands_make_the_same_image(name):
    profile = Profile.load(name)
    made = new_card(profile).image
    assert build(profile) == without_ring(made)
    assert fsck(made) == []
    assert fsck(build(profile)) == []


def test_cos_4_5_the_walk_profile_makes_the_published_image():
    assert hashlib.sha256(build(Profile.load("walk"))).hexdigest() == WALK
    assert hashlib.sha256(without_ring(new_card("walk").image)).hexdigest() == WALK


@pytest.mark.parametrize(
    "overrides",
    [
        {"record_le": "strict"},
        {"pin.tries_left": 2},
        {"scrub_keys": "off"},
        {"sm_mode": "pboc_iv"},
        {"ssse.dir_sfi": 30},
    ],
)
def test_overrides_reach_both(overrides):
    profile = Profile.load("v2", overrides)
    assert build(profile) == without_ring(new_card(profile).image)


@pytest.mark.parametrize("name", ["v1", "v2", "v3"])
@pytest.mark.parametrize("how", ["mac", "enc_mac"])
def test_cos_6_1_protected_files_are_filled_with_protected_commands(name, how):
    """`sm_update`: the STK is loaded first, the records go in with a MAC under it."""
    protected = {
        "ssse.ef.EF05": how,
        "ssse.ef.EF06": how,
        "ssse.ef.EF07": how,
        "ssse.df.DF01.ef.EF05": how,
        "ssse.df.DF02.ef.EF05": how,
        "ssse.df.DF02.ef.EF07": how,
        "ssse.df.DF04.ef.EF06": how,
    }
    if name != "v1":
        protected |= {"ssse.ef.EF08": how, "ssse.df.DF05.ef.EF05": how}
    overrides = {f"{file}.sm_update": word for file, word in protected.items()}
    overrides["ssse.df.DF02.ef.EF07.rows"] = [["0000001", "20200101", "20211231", "单位"]] * 3
    profile = Profile.load(name, overrides)
    card = new_card(profile)
    assert build(profile) == without_ring(card.image)
    assert fsck(card.image) == []
    power = card.power_on()
    power.transmit(bytes.fromhex("00A404000F7378312E73682EC9E7BBE1B1A3D5CF"))
    assert power.transmit(bytes.fromhex("00DC052806050420240116")).hex() == "6982"


def test_cos_6_1_protected_records_have_a_mac_each():
    """In the clear behind a MAC, or enciphered; what goes to other files is as ever."""
    profile = Profile.load(
        "v2", {"ssse.ef.EF05.sm_update": "mac", "ssse.ef.EF0D.sm_update": "enc_mac"}
    )
    log = personalise(profile, blank_card(profile).power_on().transmit)
    appended = [apdu for apdu, _ in log if apdu[1] == 0xE2]
    issuer = [apdu for apdu in appended if apdu[:4].hex() == "04e20028"]
    person = [apdu for apdu in appended if apdu[:4].hex() == "04e20068"]
    assert [apdu[5:-4] for apdu in issuer] == list(profile.ssse.files[0].records)
    assert [apdu[4] for apdu in person] == [0x14, 0x0C, 0x0C, 0x0C]
    assert [apdu[0] for apdu in appended].count(0x04) == len(issuer) + len(person) == 11


@pytest.mark.parametrize(("how", "most"), [("mac", 251), ("enc_mac", 239)])
def test_protected_records_leave_room_for_their_mac(how, most):
    def load(length):
        file = {"kind": "variable", "sm_update": how, "content": ["A5" * length]}
        return Profile.load("v2", {"ssse.ef.EF0E": file})

    profile = load(most)
    assert build(profile) == without_ring(new_card(profile).image)
    with pytest.raises(
        ProfileError, match=f"EF0E.sm_update: protected records have at most {most}"
    ):
        load(most + 1)


def test_a_built_card_answers_like_a_personalised_one():
    select = bytes.fromhex("00A404000F7378312E73682EC9E7BBE1B1A3D5CF")
    built = Card.from_image(build(Profile.load("sample"))).power_on()
    made = sample_card().power_on()
    for apdu in (select, "00B2012C00", "00B2093000", "0020000003123456", "00A4000002DF04"):
        raw = bytes.fromhex(apdu) if isinstance(apdu, str) else apdu
        assert built.transmit(raw) == made.transmit(raw)


def test_readme_6_the_sfi_of_the_dir_is_profile_data():
    """The form of cos 2.2, where the profile asks for it."""
    select = bytes.fromhex("00A404000F7378312E73682EC9E7BBE1B1A3D5CF")
    card = new_card("v2", {"ssse.dir_sfi": 30})
    answer = card.power_on().transmit(select).hex()
    assert answer == "6f16840f7378312e73682ec9e7bbe1b1a3d5cfa50388011e9000"


def test_a_profile_too_big_for_the_chip_is_refused():
    with pytest.raises(ProfileError, match=r"room|fit"):
        build(Profile.load("v2", {"chip.size": 32 * 1024}))
