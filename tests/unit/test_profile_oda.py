"""Profiles that name keys: their certificates match what the card says of itself (4.9)."""

import oda_verifier as outside
import pytest
from pse_desk import ARQC, CDA, DDA, PIN_OK, TC, UN, Desk, terminal_data

from sscard.errors import ProfileError
from sscard.keys.making import from_seed
from sscard.perso.profile import Profile
from sscard.perso.rsa_files import RsaFile, build_rsa_file, rsa_file, rsa_file_names
from sscard.sample import new_card

ODA = "pse.df.DF01.oda."
DGI = "pse.df.DF01.dgi."
WITH_CDA = {DGI + "9104": "82027D00940C080101001001020118010300"}


def public(name):
    made = rsa_file(name).key.public
    return outside.Key(made.n, made.e)


def terminal(card):
    desk = Desk(card)
    desk.select()
    return desk, outside.read(desk)


CHAINS = [
    ("ca-80", "issuer", "icc"),
    ("ca-80", "issuer", "icc-1024"),
    ("ca-81", "issuer", "icc-other"),
    ("ca-81", "issuer-1408", "icc-1024"),
    ("ca-81", "issuer-1408", "icc-1408"),
    ("ca-81", "issuer-1984", "icc-1984"),
]


@pytest.mark.parametrize(("ca", "issuer", "icc"), CHAINS)
@pytest.mark.parametrize("private", ["crt", "modulus"])
def test_pse_4_9_key_sizes(ca, issuer, icc, private):
    """SDA and DDA up to 1984 bits, CDA as far as an answer reaches, over a contact line too."""
    names = {"ca": ca, "issuer": issuer, "icc": icc, "private": private}
    settings = {ODA + key: name for key, name in names.items()}
    settings["pse.df.DF01.ef.EF91.size"] = 1024
    cda = icc != "icc-1984"
    card = new_card("pboc", {**settings, **(WITH_CDA if cda else {})})
    desk, held = terminal(card)
    key = outside.issuer_key(public(ca), held.tags).key
    assert key == public(issuer)
    assert outside.data_code(key, held.tags, held.static) == "DAC1"
    own = outside.icc_key(key, held.tags, held.static)
    assert own.key == public(icc)
    assert own.subject == "6210950000000000017F"
    for link in ("apdu", "t0"):
        desk = Desk(card, link=link).begin()
        signed = outside.objects(bytes.fromhex(desk.data(DDA + "00")))[0x80]
        assert len(signed) == own.key.length
        outside.dynamic(own.key, signed, bytes.fromhex(UN))
        if cda:
            assert desk.sw(PIN_OK) == "9000"
            sent = bytes.fromhex(terminal_data())
            answer = bytes.fromhex(desk.ac(ARQC | CDA)[:-4])
            cid, _ = outside.combined(own.key, answer, sent, bytes.fromhex(UN))
            assert cid == "80"
            both = sent + b"00" + sent
            answer = bytes.fromhex(desk.ac(TC | CDA, arc="3030")[:-4])
            cid, ac = outside.combined(own.key, answer, both, bytes.fromhex(UN))
            assert cid == "40"
            assert len(ac) == 8


def test_pse_4_9_pdol_data_are_part_of_the_cda_hash_and_an_aac_is_never_signed():
    fci = "A5185004544553548701019F38099F7A019F02065F2A02BF0C00"
    card = new_card("pboc", {**WITH_CDA, DGI + "9102": fci})
    desk = Desk(card)
    desk.select()
    pdol = "01" + "000000000100" + "0156"
    desk.data(f"80A800000B8309{pdol}")
    answer = bytes.fromhex(desk.ac(TC | CDA)[:-4])
    sent = bytes.fromhex(pdol + terminal_data())
    assert outside.combined(public("icc"), answer, sent, bytes.fromhex(UN))[0] == "80"
    with pytest.raises(outside.Wrong, match="transaction data hash"):
        outside.combined(public("icc"), answer, sent[9:], bytes.fromhex(UN))
    assert desk.ac(0x00 | CDA, arc="3035").startswith("8013")


def test_pse_4_9_another_card_gets_certificates_of_its_own():
    """Another PAN, another date: nothing else has to be said."""
    body = (
        "70505A0A6210950000000000025F5F24032908315F25032001015F280201565F3401009F0702AB809F0D05"
        "D86004A8009F0E0500100000009F0F05D86004F8008E100000000000000000420341031E031F00"
    )
    _, held = terminal(new_card("pboc", {DGI + "0201": body}))
    issuer = outside.issuer_key(public("ca-80"), held.tags)
    assert issuer.expiry == "0829"
    own = outside.icc_key(issuer.key, held.tags, held.static)
    assert (own.subject, own.expiry) == ("6210950000000000025F", "0829")
    assert outside.data_code(issuer.key, held.tags, held.static) == "DAC1"


def test_pse_4_10_a_certificate_for_enciphered_pins():
    _, held = terminal(new_card("pboc", {ODA + "pin": "pin", "pse.df.DF01.ef.EF91.size": 640}))
    issuer = outside.issuer_key(public("ca-80"), held.tags)
    assert outside.pin_key(issuer.key, held.tags).key == public("pin")


# ---- states for testers --------------------------------------------------------------------------


def verdicts(**settings):
    """What a terminal finds wrong: with the issuer, the static data, the card's key."""
    dgis = settings.pop("dgis", {})
    values = {ODA + key: value for key, value in settings.items()}
    _, held = terminal(new_card("pboc", {**values, **{DGI + k: v for k, v in dgis.items()}}))

    def attempt(step):
        try:
            step()
        except (outside.Wrong, KeyError) as wrong:
            return str(wrong)
        return ""

    ca = {0x80: public("ca-80"), 0x81: public("ca-81")}[held.tags[0x8F][0]]
    issuer = attempt(lambda: outside.issuer_key(ca, held.tags))
    key = public("issuer")
    return (
        issuer,
        attempt(lambda: outside.data_code(key, held.tags, held.static)),
        attempt(lambda: outside.icc_key(key, held.tags, held.static)),
    )


def test_pse_4_9_flaws():
    assert verdicts() == ("", "", "")
    wrong = "header or trailer"
    assert verdicts(flaws="ssad") == ("", wrong, "")
    assert verdicts(flaws=["icc", "issuer"]) == (wrong, "", wrong)
    assert verdicts(signer="issuer-other") == ("", wrong, wrong)
    assert verdicts(ca="ca-82", ca_index="80") == (wrong, "", "")
    assert verdicts(omit="92") == ("hash", "", "")
    assert verdicts(omit=["93", "9F48"]) == ("", "147", "hash")
    assert verdicts(dac="CAFE", issuer_expiry="0120", icc_pan="123456789") == ("", "", "")


def test_pse_4_9_data_changed_after_they_were_signed():
    text = Profile.load("pboc").pse.directories[0].dgis
    before = dict(text)[0x0201].hex()
    changed = before.replace("301231", "351231")
    assert verdicts(dgis={"0201": changed}, **{"signed.0201": before}) == ("", "hash", "hash")


def test_pse_4_9_what_the_profile_gives_itself_stays():
    _, held = terminal(new_card("pboc", {DGI + "0303": "70059303AABBCC"}))
    assert held.tags[0x93] == b"\xaa\xbb\xcc"
    without = new_card(
        "pboc",
        {
            ODA + "present": False,
            "pse.df.DF01.ef.EF03.present": False,
            DGI + "9104": "82021C0094080801010010010201",
        },
    )
    assert Desk(without).begin().sw(DDA) == "6985"


def test_pse_4_9_a_static_card_has_no_key():
    settings = {ODA + "icc": "", DGI + "9104": "82025C00940C080101001001020118010300"}
    desk, held = terminal(new_card("pboc", settings))
    assert 0x9F46 not in held.tags
    key = outside.issuer_key(public("ca-80"), held.tags).key
    assert outside.data_code(key, held.tags, held.static) == "DAC1"
    assert desk.sw(DDA) == "6985"


@pytest.mark.parametrize(
    ("settings", "why"),
    [
        ({"ca": "ca-99"}, "oda.ca: there is no key or file ca-99; there are: ca-80"),
        ({"ca": "none/ca.toml"}, "cannot be read"),
        ({"issuer": "issuer-1984"}, "no longer than the CA's"),
        ({"icc": "icc-1408"}, "up to the issuer's"),
        ({"issuer": "icc"}, "1024 to 1984 bits"),
        ({"issuer_expiry": "1330"}, "month and year"),
        ({"icc_serial": "01"}, "3 bytes in hex"),
        ({"flaws": "everything"}, "some of issuer, icc, pin, ssad"),
        ({"omit": "SSAD"}, "a list of tags"),
        ({"icc_pan": "12AB"}, "20 digits"),
        ({"colour": "red"}, "colour is not known"),
        ({"sfi": 11}, "1 to 10"),
        ({"pin": "icc-1024"}, "EF91.size = 384: must be at least"),
    ],
)
def test_what_is_wrong_is_named(settings, why):
    with pytest.raises(ProfileError, match=why):
        Profile.load("pboc", {ODA + key: value for key, value in settings.items()})


def test_pse_4_9_a_key_too_long_for_cda_is_refused_where_the_card_is_made():
    """In the profile, and by the card itself for who brings DGIs of his own."""
    names = {"ca": "ca-81", "issuer": "issuer-1984", "icc": "icc-1984"}
    long = {ODA + k: v for k, v in names.items()} | {"pse.df.DF01.ef.EF91.size": 1024}
    with pytest.raises(ProfileError, match="its answer would have 276 bytes, 256 are the most"):
        Profile.load("pboc", long | WITH_CDA)
    from dataclasses import replace

    from sscard.perso.script import PersonalisationError

    profile = Profile.load("pboc", long)
    (debit,) = profile.pse.directories
    dgis = tuple(
        (n, bytes.fromhex(WITH_CDA[DGI + "9104"]) if n == 0x9104 else v) for n, v in debit.dgis
    )
    pse = replace(profile.pse, directories=(replace(debit, dgis=dgis),))
    for perso in ("native", "cps"):
        with pytest.raises(PersonalisationError, match=r"store 8205 of DF01.*: 6A80"):
            new_card(replace(profile, pse=pse), perso=perso)


# ---- files of keys -------------------------------------------------------------------------------


def test_keys_of_a_users_own(tmp_path):
    """Key files start from the folder of the profile that names them."""
    key = from_seed(1024, 3, b"my issuer")
    (tmp_path / "mine.toml").write_text(build_rsa_file(RsaFile('My "issuer"', key)))
    (tmp_path / "profile.toml").write_text(
        'format = 1\ntitle = "Mine"\nextends = "pboc"\n[pse.df.DF01.oda]\nissuer = "mine.toml"\n'
    )
    _, held = terminal(new_card(str(tmp_path / "profile.toml")))
    assert outside.issuer_key(public("ca-80"), held.tags).key == (key.modulus, 3)
    assert rsa_file(str(tmp_path / "mine.toml")) == RsaFile('My "issuer"', key)
    (tmp_path / "mine.toml").write_text("format = 1\nexponent = '03'\np = '07'\nq = '05'\n")
    with pytest.raises(ProfileError, match=r"mine.toml: p and q|1024 to 1984"):
        Profile.load(str(tmp_path / "profile.toml"))


def test_the_shipped_keys():
    """Those that come from a seed can be made again; all say what they are."""
    assert rsa_file("icc-other").key == from_seed(768, 3, b"sscard test key icc-other")
    for name in rsa_file_names():
        file = rsa_file(name)
        assert str(file.key.modulus.bit_length()) in file.title
        assert (file.ca is not None) is name.startswith("ca-")
        assert repr(file) == f"RsaFile(title={file.title!r}, ca={file.ca!r})"
        if file.ca is not None:
            assert name == f"ca-{file.ca.index:02x}"
