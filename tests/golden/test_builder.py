"""The builder and the card's own commands end in the same image, ring apart (ADR 5)."""

import hashlib

import pytest

from sscard.builder import build
from sscard.card import Card
from sscard.cos.volume import read_superblock
from sscard.errors import ProfileError
from sscard.inspect import fsck
from sscard.perso.profile import Profile, names
from sscard.sample import new_card, sample_card

WALK = "f78d6afb6286981dc0378601536d873e48b0e5340f8a1e0534b189742cade1c5"


def without_ring(image: bytes) -> bytes:
    block = read_superblock(image)
    ring = slice(block.journal_start * 64, (block.journal_start + block.journal_pages) * 64)
    blank = bytearray(image)
    blank[ring] = b"\xff" * (ring.stop - ring.start)
    return bytes(blank)


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
    with pytest.raises(ProfileError, match="room|fit"):
        build(Profile.load("v2", {"chip.size": 32 * 1024}))
