"""Every switch of COS, SSSE and PSAM in `sscard.spec.options`, both ways: a card that differs in nothing else.

`PROBES` has for each option what to try on a card, and what must come of it with each value. An
option without a probe fails, and so does a value nobody looks at. The switches of single files
(`sm_update`, read conditions, `present`) are here too. Sources: the option's own.
"""

import pytest
from sam_desk import SamDesk, psam_of
from ssse_desk import Desk

from sscard.builder import build
from sscard.card import Card
from sscard.keys import session
from sscard.keys.hierarchy import kcv
from sscard.perso.profile import Profile
from sscard.spec.options import BY_NAME, OPTIONS
from sscard.testing.machines import subject

KEYS = subject("v2").keys
STK, PUK = KEYS["SSSE", 2], KEYS["SSSE", 6]
UNBLOCK = "84240000"


def card(profile="v2", **settings):
    named = {name.replace("__", "."): value for name, value in settings.items()}
    return Card.from_image(build(Profile.load(profile, named)))


def sample(option, value):
    return Desk(card(**{option: value})).ssse()


def the_puk_and(desk, *macs):
    """UNBLOCK PIN with each of these MACs, the PUK proved before."""
    answers = []
    for protect, key in macs:
        assert desk.prove(6, PUK) == "9000"
        answers.append(desk.sw(protect(UNBLOCK, key, desk.challenge())))
    return answers


def record_le(value):
    return sample("record_le", value)("00B2052804")


def challenge_policy(value):
    """The first of two challenges, used after the second was drawn."""
    desk = sample("challenge_policy", value)
    first, _ = desk.challenge(), desk.challenge()
    return desk.sw(desk.authentication(4, KEYS["SSSE", 4], first))


def sm_mode(value):
    """UNBLOCK PIN under a session key, and under the key itself."""
    desk = sample("sm_mode", value)
    return the_puk_and(desk, (desk.protected, STK), (desk.protected_directly, STK))


def pin_sm_key(value):
    desk = sample("pin_sm_key", value)
    return the_puk_and(desk, (desk.protected, STK), (desk.protected, PUK))


def block_mode(value):
    """APPLICATION BLOCK of DF03, LK not proved: under its STK, then under LK."""
    desk = sample("block_mode", value)
    desk.ok("00A4000002DF03")
    macs = [KEYS["DF03", 0x82], KEYS["DF03", 0x83]]
    return [desk.sw(desk.protected("841E0000", key, desk.challenge())) for key in macs]


def card_block_scope(value):
    desk = sample("card_block_scope", value)
    assert desk.prove(5, KEYS["SSSE", 5]) == "9000"
    assert desk.sw(desk.protected("84160000", STK, desk.challenge())) == "9000"
    return desk.sw("00A40000023F00")


def scrub_keys(value):
    """Whether a new PIN stays in the journal ring."""
    desk = sample("scrub_keys", value)
    desk.ok("805E01000C 123456FF8765432187654321")
    return bytes.fromhex("8765432187654321") in desk.card.image[8 * 64 : 136 * 64]


def kcv_public(value):
    """Whether anybody reads the check value of the master key."""
    return kcv(0, KEYS["SSSE", 0]).hex().upper() in sample("kcv_public", value)("80CA00D000")


def partial_names(value):
    return sample("partial_names", value).sw("00A4040005D156000005")


def select_ddf1_by_fid(value):
    desk = sample("select_ddf1_by_fid", value)
    desk.ok("00A4000002DF01")
    return desk.sw("00A4000002DDF1")


def select_3f00_enters_ssse(value):
    desk = sample("select_3f00_enters_ssse", value)
    desk.ok("00A40000023F00")
    return desk.sw("00A4000002DF01")


def fci_alg_marker(value):
    return sample("fci_alg_marker", value)("00A4000002DDF1")[-20:]


def ext_auth_kid00(value):
    """P2 = 00 and Lc 10, the cryptogram made with RK."""
    desk = sample("ext_auth_kid00", value)
    challenge = desk.challenge()
    data = session.cryptogram(0, KEYS["SSSE", 0x0A], challenge, challenge) + challenge
    return desk.sw(f"0082000010{data.hex()}")


def card_kind(value):
    """What DES_CRYPT says in the MF of each kind of card."""
    made = psam_of({}) if value == "psam" else card()
    return SamDesk(made, select=False).sw("80FA000008 0000000000000000")


def psam_mac(value):
    desk = SamDesk(psam_of({"MACK": ("06", "09", "4B" * 16)}, psam_mac=value))
    desk.ok("801A0609 00")
    return len(desk.ok("80FA0500 10 0000000000000000 1122334455667788")) // 2


def reload_by_key_load(value):
    desk = sample("reload_by_key_load", value)
    assert desk.prove(6, PUK) == "9000"
    challenge = desk.challenge()
    key = session.session_key(0, STK, challenge)
    pin = session.sm_encrypt(0, key, bytes.fromhex("654321")).hex()
    return desk.sw(desk.protected("84D40001", STK, challenge, pin)), desk.pin("654321")


def medical_account(value):
    desk = sample("medical_account", value)
    desk.ok("00A4000002DF04")
    assert desk.pin() == "9000"
    return desk.sw("805C000104"), desk.sw("805C000204")


RECORD = "050420240115"
PROBES = {
    record_le: {"ignore": RECORD + "9000", "strict": "6C06"},
    challenge_policy: {"last": "63CD", "history:4": "9000"},
    sm_mode: {"session": ["9000", "6988"], "pboc_iv": ["6988", "9000"]},
    pin_sm_key: {"STK": ["9000", "6988"], "PUK": ["6988", "9000"]},
    block_mode: {"auth+STKmac": ["6982", "6988"], "mac_with_LK": ["6988", "9000"]},
    card_block_scope: {"domain": "9000", "card": "6A81"},
    scrub_keys: {"on": False, "off": True},
    kcv_public: {"on": True, "off": False},
    partial_names: {"off": "6A82", "on": "9000"},
    select_ddf1_by_fid: {"on": "9000", "off": "6A82"},
    select_3f00_enters_ssse: {"off": "6A82", "on": "9000"},
    fci_alg_marker: {
        "none": "D5CFA5038801019000",
        "01": "9F0C86019000",
        "02": "9F0C86029000",
        "03": "9F0C86039000",
    },
    ext_auth_kid00: {"mk": "6700", "0A": "9000", "04": "63CD"},
    card_kind: {"user": "6D00", "psam": "6985"},
    psam_mac: {"block": 8, "4": 4},
    reload_by_key_load: {"off": ("6A86", "63C5"), "on": ("9000", "9000")},
    medical_account: {"deposit": ("9000", "6A81"), "purse": ("6A81", "9000")},
}
BY_OPTION = {probe.__name__: (probe, expected) for probe, expected in PROBES.items()}
SAMPLED = {"ext_auth_kid00"}
"""Options with more values than are worth a card each."""


SOCIAL = [option for option in OPTIONS if not option.ref.startswith("pse-pboc")]
"""What this file answers for: the COS, the SSSE, the PSAM. The PSE's are tried beside it."""


@pytest.mark.parametrize("option", SOCIAL, ids=lambda option: option.name)
def test_every_option_and_every_value_is_tried(option):
    assert option.name in BY_OPTION, f"write a probe for {option.name}"
    tried = set(BY_OPTION[option.name][1])
    assert option.values[0] in tried
    assert len(tried) > 1
    assert tried <= set(option.values)
    assert option.name in SAMPLED or tried == set(option.values)


@pytest.mark.parametrize(
    ("name", "value"),
    [(name, value) for name, (_, expected) in BY_OPTION.items() for value in expected],
)
def test_a_card_does_as_the_option_says(name, value):
    probe, expected = BY_OPTION[name]
    found = probe(value)
    if name == "fci_alg_marker":
        assert found.endswith(expected[value])
    else:
        assert found == expected[value], BY_NAME[name].meaning


# --- switches of single files ----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("how", "plain", "mac"), [("none", "9000", "6882"), ("mac", "6982", "9000")]
)
def test_ssse_3_5_update_sm(how, plain, mac):
    desk = Desk(card(ssse__ef__EF05__sm_update=how)).ssse()
    assert desk.prove(4, KEYS["SSSE", 4]) == "9000"
    assert desk.sw("00DC052806050420240116") == plain
    assert desk.sw(desk.protected("04DC0528", STK, desk.challenge(), "050420240117")) == mac


def test_ssse_3_5_update_sm_enciphered():
    """Data that are only under a MAC are not enciphered: 6A80; enciphered ones are taken."""
    desk = Desk(card(ssse__ef__EF05__sm_update="enc_mac")).ssse()
    assert desk.prove(4, KEYS["SSSE", 4]) == "9000"
    bare = desk.protected("04DC0528", STK, desk.challenge(), "0504202401170000")
    assert desk.sw(bare) == "6A80"
    challenge = desk.challenge()
    key = session.session_key(0, STK, challenge)
    data = session.sm_encrypt(0, key, bytes.fromhex("050420240117")).hex()
    assert desk.sw(desk.protected("04DC0528", STK, challenge, data)) == "9000"
    assert desk("00B2052800") == "0504202401179000"


@pytest.mark.parametrize(
    ("read", "bare", "pin", "key"),
    [
        ("K0A", "6982", "6982", "9000"),
        ("F", "9000", "9000", "9000"),
        ("PIN", "6982", "9000", "9000"),
    ],
)
def test_ssse_2_3_who_reads_the_holder_data_of_a_v3_card(read, bare, pin, key):
    desk = Desk(card("v3", ssse__ef__EF06__read=read), algorithm=4).ssse()
    answers = [desk.sw("00B2083000")]
    assert desk.pin() == "9000"
    answers.append(desk.sw("00B2083000"))
    assert desk.prove(0x0A, subject("v3").keys["SSSE", 0x0A]) == "9000"
    answers.append(desk.sw("00B2083000"))
    assert answers == [bare, pin, key]


@pytest.mark.parametrize(("present", "sw"), [(False, "6A82"), (True, "6982")])
def test_ssse_2_3_ef0c_of_one_province(present, sw):
    settings = {"ssse__ef__EF0C__present": present, "ssse__key__RK07__present": present}
    assert Desk(card("v1", **settings)).ssse().sw("00B2016400") == sw
