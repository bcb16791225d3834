"""Cards of the bank in states for testers: what a terminal sees of each (pse-pboc)."""

from functools import cache
from pathlib import Path

import oda_verifier as outside
import pytest
from cash_desk import gpo
from pse_desk import AAC, ARQC, GPO, PIN_OK, TC, Desk, cid, cryptogram, cvr
from ssse_desk import Desk as SocialDesk

from sscard.errors import ProfileError
from sscard.inspect import fsck
from sscard.iso import tlv
from sscard.perso.rsa_files import rsa_file
from sscard.states import BANK_STATES, SOCIAL_STATES, STATES, card_in_state

PROFILES = ("sample", "pboc", "pboc-16", "pboc-ec")
SSSE = "00A404000F7378312E73682EC9E7BBE1B1A3D5CF"
APPLICATION_UNBLOCK = "84180000"

profiles = pytest.mark.parametrize("profile", PROFILES)


@cache
def made(state, profile):
    return card_in_state(state, profile).snapshot()


class BankDesk(Desk):
    """A terminal that knows whether the card has a PDOL."""

    def __init__(self, state, profile):
        super().__init__(made(state, profile).fork())
        self.gpo = gpo(12345, supported="00") if profile == "pboc-ec" else GPO + "00"

    def begin(self):
        self.select()
        self.data(self.gpo)
        return self

    def read(self):
        self.select()
        return outside.read(self, self.gpo)


def recovered(card, ca="ca-80"):
    """Return which steps of offline data authentication fail, and the issuer's certificate."""
    public = rsa_file(ca).key.public
    wrong = []
    issuer = outside.issuer_key(outside.Key(public.n, public.e), card.tags)
    for name, step in (("SSAD", outside.data_code), ("ICC", outside.icc_key)):
        try:
            step(issuer.key, card.tags, card.static)
        except outside.Wrong:
            wrong.append(name)
    return wrong, issuer


def test_the_states_of_the_bank():
    assert set(BANK_STATES) == {
        "pse-offline-limit-reached",
        "pse-last-atc",
        "pse-atc-exhausted",
        "pse-pin-blocked",
        "pse-arqc-pending",
        "pse-app-blocked",
        "pse-card-blocked",
        "pse-script-failed",
        "pse-expired",
        "pse-not-yet-effective",
        "pse-expired-issuer-certificate",
        "pse-unknown-ca",
        "pse-wrong-issuer-key",
        "pse-tampered-ssad",
        "pse-missing-cdol",
        "pse-odd-tlvs",
    }
    assert {*STATES} == {*BANK_STATES, *SOCIAL_STATES}
    assert all(name == state.name and state.meaning for name, state in BANK_STATES.items())


def test_the_page_lists_them():
    text = (Path(__file__).parents[2] / "docs" / "states.md").read_text("utf-8")
    told = {line.split("`")[1] for line in text.splitlines() if line.startswith("| `pse-")}
    assert told == set(BANK_STATES)


@pytest.mark.parametrize("state", BANK_STATES)
@pytest.mark.parametrize("profile", ["sample", "pboc-ec"])
def test_every_state_is_a_sound_image_and_the_same_twice(state, profile):
    image = made(state, profile).image
    assert fsck(image) == []
    if profile == "sample":
        assert card_in_state(state, profile).image == image


@pytest.mark.parametrize("state", BANK_STATES)
def test_the_social_side_is_as_ever(state):
    assert SocialDesk(made(state, "sample").fork()).sw(SSSE) == "9000"


# ---- use -----------------------------------------------------------------------------------------


@profiles
def test_pse_5_3_offline_limit_reached(profile):
    """A TC asked gets an ARQC that tells of velocity; without the issuer it is declined."""
    desk = BankDesk("pse-offline-limit-reached", profile).begin()
    answer = desk.ac(TC)
    assert (cid(answer), cvr(answer)) == ("80", "03A02000")
    answer = desk.ac(TC, arc="5933")
    assert (cid(answer)[0], cvr(answer)) == ("0", "03212000")


@profiles
def test_pse_3_the_last_atc(profile):
    desk = BankDesk("pse-last-atc", profile).begin()
    assert cid(desk.ac(TC)) == "40"
    assert desk.element("9F36") == "FFFE"
    assert desk.select() == "9000"
    assert desk.sw(desk.gpo) == "6985"
    assert desk.select() == "6283"


@profiles
def test_pse_3_atc_exhausted(profile):
    desk = BankDesk("pse-atc-exhausted", profile)
    assert desk.select() == "6283"
    assert desk.element("9F36") == "FFFF"
    assert desk.sw(desk.gpo) == "6985"
    assert desk.reset().select() == "6283"


@profiles
def test_pse_2_4_pin_blocked(profile):
    desk = BankDesk("pse-pin-blocked", profile).begin()
    assert desk.element("9F17") == "00"
    assert desk.sw(PIN_OK) == "6984"
    assert desk.sw(PIN_OK) == "6983"
    desk.begin()
    answer = desk.ac(TC)
    assert (cid(answer)[0], cvr(answer)[4:6]) == ("0", "50"), "ADA 2.b7: declined"


@profiles
def test_pse_5_3_arqc_pending(profile):
    desk = BankDesk("pse-arqc-pending", profile).begin()
    answer = desk.ac(TC)
    assert (cid(answer), cvr(answer)) == ("80", "03A09000")


@profiles
def test_pse_5_6_app_blocked(profile):
    desk = BankDesk("pse-app-blocked", profile)
    assert desk.select() == "6283"
    desk.data(desk.gpo)
    assert cid(desk.ac(TC)) == "00"
    assert desk.sw("00A404000E315041592E5359532E4444463031") == "9000", "the directory is not"


@profiles
def test_pse_5_6_card_blocked(profile):
    desk = BankDesk("pse-card-blocked", profile)
    assert desk.select() == "6A81"
    assert desk.sw("00A404000E315041592E5359532E4444463031") == "6A81"
    if profile == "sample":
        assert desk.sw(SSSE) == "9000"


@profiles
def test_pse_5_6_script_failed(profile):
    desk = BankDesk("pse-script-failed", profile)
    assert desk.select() == "9000", "the block did not come through"
    desk.data(desk.gpo)
    answer = desk.ac(AAC)
    assert cvr(answer)[6:] == "18", "one script command, and it failed"


@pytest.mark.parametrize("keys", ["pboc", "emv_csk"])
@pytest.mark.parametrize("scripts", ["session", "vis"])
@pytest.mark.parametrize("form", ["80", "77"])
def test_pse_4_2_the_issuer_knows_the_switches(keys, scripts, form):
    options = {"pse_session_keys": keys, "pse_script_keys": scripts, "pse_ac_format": form}
    assert Desk(card_in_state("pse-app-blocked", "pboc", options)).select() == "6283"


# ---- dates ---------------------------------------------------------------------------------------


@profiles
@pytest.mark.parametrize(
    ("state", "effective", "expiry"),
    [("pse-expired", "150116", "200115"), ("pse-not-yet-effective", "400101", "491231")],
)
def test_pse_2_7_dates(state, effective, expiry, profile):
    """In the records, on track 2, and signed; the certificates are those of a valid card."""
    card = BankDesk(state, profile).read()
    assert card.tags[0x5F24].hex() == expiry
    assert card.tags[0x5F25].hex() == effective
    pan, _, rest = card.tags[0x57].hex().partition("d")
    assert rest.startswith(f"{expiry[:4]}620")
    assert card.tags[0x5A].hex().rstrip("f") == pan
    wrong, issuer = recovered(card)
    assert (wrong, issuer.expiry) == ([], "1230")


# ---- signatures ----------------------------------------------------------------------------------


@profiles
def test_pse_4_9_expired_issuer_certificate(profile):
    wrong, issuer = recovered(BankDesk("pse-expired-issuer-certificate", profile).read())
    assert (wrong, issuer.expiry) == ([], "0120")


@profiles
def test_pse_4_9_unknown_ca(profile):
    card = BankDesk("pse-unknown-ca", profile).read()
    assert card.tags[0x8F] == b"\xfe"
    assert recovered(card)[0] == []


@profiles
def test_pse_4_9_wrong_issuer_key(profile):
    assert recovered(BankDesk("pse-wrong-issuer-key", profile).read())[0] == ["SSAD", "ICC"]


@profiles
def test_pse_4_9_tampered_ssad(profile):
    desk = BankDesk("pse-tampered-ssad", profile)
    card = desk.read()
    assert card.aip[0] & 0x61 == 0x40, "SDA and nothing better"
    assert recovered(card)[0] == ["SSAD"]
    desk.begin()
    assert desk.sw("0088000004A1B2C3D4") == "6985"


# ---- data objects --------------------------------------------------------------------------------


@profiles
def test_pse_2_7_missing_cdol(profile):
    desk = BankDesk("pse-missing-cdol", profile)
    card = desk.read()
    assert 0x8C not in card.tags
    assert 0x8D in card.tags
    desk.begin()
    assert desk.ac(ARQC) == "6700", "the card asks for no data"
    assert cid(desk("80AE800000")) == "80"


@profiles
def test_pse_2_7_odd_tlvs(profile):
    """All of it legal: a sound terminal pays with this card as with any other."""
    plain, odd = (BankDesk(state, profile) for state in ("pse-script-failed", "pse-odd-tlvs"))
    card, usual = odd.read(), plain.read()
    known = {tag: value for tag, value in card.tags.items() if tag in usual.tags}
    assert known.keys() == usual.tags.keys()
    assert {0xDF20, 0xDF21, 0xC1, 0x9F0B} <= card.tags.keys()
    assert card.tags[0x9F0B] == b""
    records = [odd(f"00B2{number:02X}{sfi << 3 | 4:02X}00") for sfi, number in ((1, 1), (2, 1))]
    assert all(record.startswith("7081") for record in records), "a length of two bytes"
    assert recovered(card)[0] == []
    odd.select()
    ((_, template),) = tlv.parse(bytes.fromhex(odd("00A4040008A000000333010101")[:-4]))
    ((_, name), (_, inside)) = tlv.parse(template)
    assert name.hex() == "a000000333010101"
    assert [tag for tag, _ in tlv.parse(inside)][-1] == 0x50, "the label comes last"
    odd.data(odd.gpo)
    assert odd.sw("0088000004A1B2C3D4") == "9000"
    assert odd.sw(PIN_OK) == "9000"
    answer = odd.ac(ARQC)
    assert cid(answer) == "80"
    assert len(cryptogram(answer)) == 16


# ---- errors --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("state", "profile", "settings", "message"),
    [
        ("pse-expired", "v2", {}, "no debit application"),
        ("pse-card-blocked", "v2-social-only", {}, "no debit application"),
        ("pse-offline-limit-reached", "pboc", {"pse.df.DF01.dgi.0D01": ""}, "no consecutive"),
        ("pse-unknown-ca", "pboc", {"pse.df.DF01.oda.omit": ["90"]}, "no record has an issuer"),
        ("pse-arqc-pending", "pboc", {"pse.df.DF01.dgi.0202": "7000"}, "data object 8C"),
    ],
)
def test_a_state_that_cannot_be(state, profile, settings, message):
    with pytest.raises(ProfileError, match=message):
        card_in_state(state, profile, settings)


def test_overrides_go_over_the_state():
    settings = {"pse.df.DF01.dgi.0E01": "9F510201569F520282409F360200079F13020007"}
    card = card_in_state("pse-last-atc", "pboc", settings)
    desk = Desk(card)
    desk.select()
    assert desk.element("9F36") == "0007"
