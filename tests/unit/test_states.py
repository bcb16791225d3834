"""Cards in states for testers: each is what its name says, whatever profile lies below."""

from functools import cache

import pytest
from ssse_desk import SM4, TDES, Desk
from ssse_till import Till, account_keys

from sscard import imagefile
from sscard.errors import ProfileError
from sscard.inspect import fsck
from sscard.inspect.values import stored
from sscard.perso.profile import Profile
from sscard.states import SOCIAL_STATES, card_in_state

PROFILES = ("v1", "v2", "v3", "v2-social-only", "sample")
CARDS = [(state, profile) for state in SOCIAL_STATES for profile in ("v1", "v3", "sample")]
SELECT = "00A404000F7378312E73682EC9E7BBE1B1A3D5CF"

profiles = pytest.mark.parametrize("profile", PROFILES)


@cache
def made(state, profile):
    return card_in_state(state, profile).snapshot()


def desk_of(state, profile):
    return Desk(made(state, profile).fork(), algorithm=SM4 if profile == "v3" else TDES)


def test_the_states_of_the_list():
    assert set(SOCIAL_STATES) == {
        "pin-blocked",
        "one-try-left",
        "initial-pin",
        "app-blocked-temporary",
        "app-blocked-permanent",
        "card-blocked",
        "expired",
        "wrong-version",
        "missing-photo",
        "wrong-irk",
        "unpersonalised",
        "full-log",
    }
    assert all(name == state.name and state.meaning for name, state in SOCIAL_STATES.items())


@pytest.mark.parametrize(("state", "profile"), [c for c in CARDS if c != ("full-log", "v3")])
def test_every_state_of_every_profile_is_a_sound_image_and_the_same_twice(state, profile):
    image = made(state, profile).image
    assert fsck(image) == []
    if profile == "v1":
        assert card_in_state(state, profile).image == image


@profiles
def test_ssse_3_7_pin_blocked(profile):
    desk = desk_of("pin-blocked", profile).ssse()
    assert desk.pin() == "6983"
    assert desk.pin("654321") == "6983"


def test_ssse_3_7_pin_blocked_with_other_digits_and_limits():
    card = card_in_state("pin-blocked", "v2", {"pin.digits": "8888", "pin.limit": 3})
    assert Desk(card).ssse().pin("8888") == "6983"


@profiles
def test_ssse_3_7_one_try_left(profile):
    desk = desk_of("one-try-left", profile).ssse()
    assert desk.pin("000000") == "63C0"
    assert desk.pin() == "6983"
    assert desk_of("one-try-left", profile).ssse().pin() == "9000"


@profiles
def test_ssse_3_7_initial_pin(profile):
    assert desk_of("initial-pin", profile).ssse().pin("123456") == "9000"


@profiles
def test_ssse_4_8_app_blocked_for_a_time(profile):
    desk = desk_of("app-blocked-temporary", profile)
    assert desk.sw(SELECT) == "6283"
    assert desk.pin() == "6985"
    assert desk.sw("00B2012C00") == "6985"
    ssse = Profile.load(profile).ssse
    assert desk.prove(0x05, ssse.key(0x0D, 5).value) == "9000"
    unblock = desk.protected("84180000", ssse.key(0x07, 2).value, desk.challenge())
    assert desk.sw(unblock) == "9000"
    assert desk.sw(SELECT) == "9000"


@profiles
def test_ssse_4_8_app_blocked_for_good(profile):
    desk = desk_of("app-blocked-permanent", profile)
    assert desk.sw(SELECT) == "6283"
    assert desk.pin() == "9303"
    assert desk.sw("841800000400000000") == "9303"


@profiles
def test_ssse_4_8_card_blocked(profile):
    desk = desk_of("card-blocked", profile)
    assert desk.sw(SELECT) == "6A81"
    assert desk.pin() == "6A81"
    if profile == "sample":  # the other environment goes on
        assert desk.sw("00A404000E315041592E5359532E4444463031") == "9000"


@pytest.mark.parametrize("sm_mode", ["session", "pboc_iv"])
@pytest.mark.parametrize("block_mode", ["auth+STKmac", "mac_with_LK"])
def test_ssse_4_7_blocking_in_every_mode(sm_mode, block_mode):
    options = {"sm_mode": sm_mode, "block_mode": block_mode}
    assert Desk(card_in_state("app-blocked-permanent", "v2", options)).sw(SELECT) == "6283"
    assert Desk(card_in_state("card-blocked", "v2", options)).sw(SELECT) == "6A81"


def test_ssse_4_7_blocked_by_the_master_key():
    card = card_in_state("app-blocked-temporary", "v2", {"ssse.admin": "MK"})
    assert Desk(card).sw(SELECT) == "6283"


@profiles
def test_ssse_8_expired(profile):
    desk = desk_of("expired", profile).ssse()
    assert desk.data("00B2052800") == "050420100115"
    assert desk.data("00B2062800") == "060420200115"


@profiles
def test_ssse_8_wrong_version(profile):
    assert desk_of("wrong-version", profile).ssse().data("00B2032800") == "0304392E3030"


@profiles
def test_ssse_2_3_missing_photo(profile):
    desk = desk_of("missing-photo", profile).ssse()
    assert desk.sw("00A4020002EF08") == "6A82"


@profiles
def test_ssse_8_wrong_irk(profile):
    """All that can be read is genuine, the MAC in the card identification too."""
    genuine = desk_of("initial-pin", profile).ssse()
    copy = desk_of("wrong-irk", profile).ssse()
    for number in range(1, 8):
        read = f"00B2{number:02X}2C00"
        assert copy.data(read) == genuine.data(read)
    ask = "00880000101122334455667788A1A2A3A4A5A6A7A8"
    assert copy.data(ask) != genuine.data(ask)


@profiles
def test_cos_3_4_unpersonalised(profile):
    card = made("unpersonalised", profile).fork()
    expected = "HANDED_OVER" if profile == "sample" else "INITIALISED"
    assert stored(card.image, "card.lcs") == expected
    desk = Desk(card)
    assert desk.sw(SELECT) == "9000"
    assert desk.sw("00A4020002EF05") == "6A82"
    assert desk.data("80CA00D000")[10:16] == "810103"  # OWNED
    first = Profile.load(profile).ssse.transport
    assert desk.pin() == "6A88"
    if first.algorithm == TDES:
        assert desk.prove_master(first.value) == "9000"


@pytest.mark.parametrize("profile", ["v1", "v2", "v2-social-only", "sample"])
@pytest.mark.parametrize("account", ["deposit", "purse"])
def test_ssse_3_10_full_log(profile, account):
    options = {"medical_account": account}
    records = 10 if profile == "v1" else 30
    card = card_in_state("full-log", profile, options)
    till = Till(Desk(card), account_keys(Profile.load(profile)), purse_form=account == "purse")
    till.open()
    log = till.log()
    assert len(log) == records
    assert [int(record[:4], 16) for record in log] == list(range(records - 1, -1, -1))
    assert till.balance() == 10000 - 100 * records
    till.buy(100)
    assert till.log()[1:] == log[:-1]


def test_ssse_3_10_no_full_log_with_sm4_keys():
    with pytest.raises(ProfileError, match="3DES keys only"):
        card_in_state("full-log", "v3")
    tdes = {f"ssse.df.DF04.key.{name}.algorithm": "3des" for name in ("DLK", "DPK", "DTK")}
    desk = Desk(card_in_state("full-log", "v3", tdes)).ssse("DF04")
    assert desk.pin() == "9000"
    assert desk.data("00B21E4400")[:4] == "0000"


def test_overrides_go_over_the_state():
    card = card_in_state("expired", "v2", {"ssse.ef.EF05.values.06": "20301231"})
    assert Desk(card).ssse().data("00B2062800") == "060420301231"


# ---- errors --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("state", "profile", "settings", "message"),
    [
        ("tired", "v2", {}, "there is no state tired; there are: pin-blocked"),
        ("expired", "pboc", {}, "the SSSE"),
        ("card-blocked", "pboc", {}, "has no SSSE"),
        ("pin-blocked", "walk", {}, "has no PIN"),
        ("wrong-irk", "walk", {}, "no internal key 00"),
        ("full-log", "walk", {}, "no medical account"),
        ("full-log", "v2", {"ssse.df.DF04.key.DPK.present": False}, "no purchase key 01"),
        ("app-blocked-temporary", "v2", {"ssse.admin": "PIN|K05"}, "no single key may block"),
        ("wrong-irk", "v2", {"ssse.ef.EF05.present": False}, "no identification code"),
    ],
)
def test_a_state_that_cannot_be(state, profile, settings, message):
    with pytest.raises(ProfileError, match=message):
        card_in_state(state, profile, settings)


def test_a_state_has_an_environment_of_its_own(tmp_path):
    card = card_in_state("pin-blocked", "v2")
    imagefile.save(tmp_path / "card.img", card.image, card.env)
    image, env = imagefile.load(tmp_path / "card.img")
    assert (image, env) == (card.image, card.env)
