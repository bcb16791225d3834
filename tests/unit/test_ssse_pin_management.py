"""ssse-lb002 3.7, 4.6, 4.7: CHANGE PIN, RELOAD PIN, UNBLOCK PIN; cos 1.3 T2.

Key values come from the profile; MACs and ciphers are made beside the card.
"""

import pytest
from ssse_desk import SM4, TDES, Desk

from sscard.keys import session
from sscard.keys.line import line_mac, wrap
from sscard.perso.profile import Profile
from sscard.sample import new_card

RESIDENCE = "00B2013400"  # record 1 of EF06 in DF01: PIN | K88
UNBLOCK, RELOAD, BY_KEY_LOAD = "84240000", "84240001", "84D40001"
SPOILED = "DEADBEEF"


class Office(Desk):
    """A desk that knows STK and PUK of its card, and the form its secure messaging takes."""

    def __init__(self, card, profile, *, link="apdu"):
        algorithm = {0: TDES, 4: SM4}[profile.ssse.key(0x07, 0x02).algorithm]
        super().__init__(card, link=link, algorithm=algorithm)
        self.stk = profile.ssse.key(0x07, 0x02).value
        self.puk = profile.ssse.key(0x0D, 0x06).value
        self.direct = profile.option("sm_mode") == "pboc_iv"

    def prove_puk(self):
        assert self.prove(0x06, self.puk) == "9000"
        return self

    def enciphered(self, plain, key, challenge):
        """LD || data under the session key, or under the key itself."""
        if self.direct:
            return wrap(self.algorithm, key, plain).hex()
        return session.sm_encrypt(
            self.algorithm, session.session_key(self.algorithm, key, challenge), plain
        ).hex()

    def command(self, header, pin="", *, key=b"", challenge=b"", raw=""):
        """UNBLOCK, or RELOAD with a PIN; the challenge is fetched unless given."""
        key, challenge = key or self.stk, challenge or self.challenge()
        data = raw or (self.enciphered(bytes.fromhex(pin), key, challenge) if pin else "")
        protect = self.protected_directly if self.direct else self.protected
        return protect(header, key, challenge, data)

    def tries(self):
        """What VERIFY without data says."""
        return self.sw("00200000")

    def residence(self):
        """Read a file that wants the PIN, without losing the PIN's right."""
        self.ok("00A4000002DF01")
        return self.sw(RESIDENCE)


@pytest.fixture(scope="session")
def office():
    """Return offices by overrides of v2, each with a fresh copy of its card."""
    known = {}

    def make(changes=None, link="apdu"):
        name = repr(sorted((changes or {}).items()))
        if name not in known:
            profile = Profile.load("v2", changes or {})
            known[name] = (new_card(profile).snapshot(), profile)
        snapshot, profile = known[name]
        return Office(snapshot.fork(), profile, link=link)

    return make


FLAVOURS = [
    {},
    {"pin_sm_key": "PUK"},
    {"sm_mode": "pboc_iv"},
    {"sm_mode": "pboc_iv", "pin_sm_key": "PUK"},
    {"ssse.algorithm": "sm4"},
    {"ssse.algorithm": "sm4", "pin_sm_key": "PUK"},
    {"ssse.algorithm": "sm4", "sm_mode": "pboc_iv"},
    {"ssse.algorithm": "sm4", "sm_mode": "pboc_iv", "pin_sm_key": "PUK"},
]
flavours = pytest.mark.parametrize(
    "changes", FLAVOURS, ids=lambda one: " ".join(one.values()) or "default"
)


def sm_key(desk, changes):
    return desk.puk if changes.get("pin_sm_key") == "PUK" else desk.stk


# ---- CHANGE PIN ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("apdu", "sw"),
    [
        ("805E000007 123456FF654321", "6A86"),
        ("805E010107 123456FF654321", "6A86"),
        ("805E0100", "6700"),
        ("005E010007 123456FF654321", "6E00"),
        ("845E010007 123456FF654321", "6882"),
        ("805E010006 123456654321", "6A80"),  # no separator
        ("805E010004 123456FF", "6A80"),  # no new PIN
        ("805E010005 123456FF65", "6A80"),
        ("805E01000D 123456FF010203040506070809", "6A80"),
        ("805E010005 999999FF65", "6A80"),  # the form is looked at first
        ("805E010007 999999FF654321", "63C5"),
        ("805E010006 1234FF654321", "63C5"),  # another length is a wrong PIN
        ("805E010004 FF654321", "63C5"),
        ("805E01000C 1234561234561234FF654321", "63C5"),
        ("805E010006 123456FF6543", "9000"),
        ("805E01000C 123456FF6543216543216543", "9000"),
        ("805E010008 123456FFFF654321", "9000"),  # the first FF separates
    ],
)
def test_ssse_3_7_change_pin(office, apdu, sw):
    desk = office().ssse()
    assert desk(apdu) == sw
    changed = sw == "9000"
    assert desk.tries() == ("63C5" if sw == "63C5" else "63C6")
    assert (desk.pin("123456") == "9000") is not changed
    if changed:
        new = apdu.replace(" ", "").partition("FF")[2]
        assert desk.sw(f"00200000{len(new) // 2:02X}{new}") == "9000"


def test_ssse_3_7_change_counts_like_verify(office):
    desk = office().ssse("DF01")
    for left in (5, 4, 3, 2, 1):
        assert desk("805E010007 999999FF654321") == f"63C{left}"
    assert desk("805E010007 123456FF654321") == "9000"
    assert desk.tries() == "63C6"
    for left in (5, 4, 3, 2, 1, 0):
        assert desk("805E010007 123456FF111111") == f"63C{left}"
    assert desk("805E010007 654321FF111111") == "6983"
    assert desk("805E010006 654321111111") == "6983"  # before the form
    assert desk.pin("654321") == "6983"


def test_ssse_4_3_a_change_does_not_prove_the_pin(office):
    desk = office().ssse("DF01")
    assert desk("805E010007 123456FF654321") == "9000"
    assert desk.sw(RESIDENCE) == "6982"


def test_ssse_4_3_a_change_keeps_the_proof_and_a_failed_one_takes_it(office):
    desk = office().ssse("DF01")
    assert desk.pin() == "9000"
    assert desk("805E010007 123456FF654321") == "9000"
    assert desk.sw(RESIDENCE) == "9000"
    assert desk("805E010006 654321111111") == "6A80"
    assert desk.sw(RESIDENCE) == "9000"
    assert desk("805E010007 123456FF111111") == "63C5"
    assert desk.sw(RESIDENCE) == "6982"


def test_ssse_3_7_a_change_lasts(office):
    desk = office().ssse()
    desk.ok("805E010007 123456FF654321")
    again = Desk(desk.card.fork()).ssse()
    assert again.pin("654321") == "9000"


def test_ssse_3_7_no_pin():
    desk = Desk(new_card("walk")).ssse()
    assert desk("805E010007 123456FF654321") == "6A88"
    assert desk("8424000004" + SPOILED) == "6A88"


# ---- RELOAD PIN, UNBLOCK PIN: form and order -------------------------------------------------


@pytest.mark.parametrize(
    ("apdu", "sw"),
    [
        ("8424000204" + SPOILED, "6A86"),
        ("8424010004" + SPOILED, "6A86"),
        ("84240000", "6700"),
        ("8424000003DEADBE", "6700"),
        ("842400000C" + SPOILED * 3, "6700"),
        ("8424000104" + SPOILED, "6700"),
        ("8424000108" + SPOILED * 2, "6700"),
        ("842400011C" + SPOILED * 7, "6700"),
        ("8024000004" + SPOILED, "6E00"),
        ("0424000004" + SPOILED, "6E00"),
        ("8424000004" + SPOILED, "6984"),  # no challenge
        ("842400010C" + SPOILED * 3, "6984"),
        ("8424000114" + SPOILED * 5, "6984"),
    ],
)
def test_ssse_3_7_forms(office, apdu, sw):
    desk = office().ssse()
    assert desk(apdu) == sw
    assert desk.tries() == "63C6"


def test_ssse_3_7_sm4_takes_whole_blocks_only(office):
    desk = office({"ssse.algorithm": "sm4"}).ssse()
    desk.challenge()
    assert desk("842400010C" + SPOILED * 3) == "6700"
    assert desk("8424000114" + SPOILED * 5) == "6988"


def test_ssse_3_7_no_puk_and_no_key(office):
    desk = office({"ssse.key.PUK.grant": "FF"}).ssse().prove_puk()
    assert desk(desk.command(UNBLOCK)) == "6982"  # it gives no right
    profile = Profile.load("v2", {"ssse.key.PUK.id": "0E"})
    desk = Desk(new_card(profile)).ssse()
    desk.challenge()
    assert desk("8424000004" + SPOILED) == "6A88"


@pytest.mark.parametrize("length", [4, 16])
def test_ssse_4_6_the_session_form_needs_eight_bytes(office, length):
    desk = office().ssse().prove_puk()
    held = desk.challenge(length=length)[:8].ljust(8, b"\0")
    assert desk(desk.command(UNBLOCK, challenge=held)) == "6984"
    assert desk("8424000004" + SPOILED) == "6984"  # and it is spent


def test_cos_6_1_the_classical_form_takes_four_bytes_too(office):
    desk = office({"sm_mode": "pboc_iv"}).ssse().prove_puk()
    assert desk.pin("999999") == "63C5"
    held = desk.challenge(length=4)
    assert desk(desk.command(UNBLOCK, challenge=held)) == "9000"
    assert desk.tries() == "63C6"


@flavours
def test_cos_5_3_the_mac_comes_before_the_puk(office, changes):
    """6984, 6988, 6982, and only then the data; each refusal spends the challenge."""
    desk = office(changes).ssse()
    key = sm_key(desk, changes)
    assert desk(desk.command(UNBLOCK, key=bytes(16))) == "6988"
    good = desk.command(UNBLOCK, key=key)
    assert desk(good) == "6982"
    assert desk(good) == "6984"
    nonsense = "00" * (16 if desk.algorithm == SM4 else 8)
    assert desk(desk.command(RELOAD, raw=nonsense, key=key)) == "6982"
    desk.prove_puk()
    assert desk(desk.command(RELOAD, raw=nonsense, key=key)) == "6A80"
    assert desk.pin() == "9000"


@flavours
def test_ssse_3_7_only_the_named_key_protects(office, changes):
    desk = office(changes).ssse().prove_puk()
    other = desk.stk if sm_key(desk, changes) == desk.puk else desk.puk
    assert desk(desk.command(UNBLOCK, key=other)) == "6988"
    assert desk(desk.command(RELOAD, "654321", key=other)) == "6988"
    assert desk.pin() == "9000"


@pytest.mark.parametrize("pin", ["65", "010203040506070809", "0102030405060708090A0B0C0D0E"])
def test_ssse_3_7_a_reloaded_pin_has_two_to_eight_bytes(office, pin):
    desk = office({"ssse.algorithm": "sm4"}).ssse().prove_puk()
    assert desk(desk.command(RELOAD, pin)) == "6A80"
    assert desk.pin() == "9000"


# ---- RELOAD PIN, UNBLOCK PIN: what they do ------------------------------------------------------


def exhausted(desk):
    while desk.sw("0020000003999999") != "63C0":
        pass
    assert desk.pin() == "6983"
    return desk


@flavours
@pytest.mark.parametrize("where", ["", "DF01", "DF05"])
def test_ssse_3_7_unblock(office, changes, where):
    """Always under the STK of the SSSE, whichever application is current."""
    desk = office(changes).ssse(where)
    exhausted(desk).prove_puk()
    assert desk(desk.command(UNBLOCK, key=sm_key(desk, changes))) == "9000"
    assert desk.tries() == "63C6"
    assert desk.residence() == "6982"  # the PIN is not proved by it
    assert desk.pin() == "9000"


@flavours
@pytest.mark.parametrize("pin", ["8888", "654321", "12345678901234"])
def test_ssse_3_7_reload(office, changes, pin):
    desk = exhausted(office(changes).ssse()).prove_puk()
    assert desk(desk.command(RELOAD, pin, key=sm_key(desk, changes))) == "9000"
    assert desk.residence() == "6982"
    assert desk.tries() == "63C6"
    assert desk.pin() == "63C5"
    assert desk.pin(pin) == "9000"
    assert Desk(desk.card.fork()).ssse().pin(pin) == "9000"


def test_ssse_3_7_reload_of_eight_bytes(office):
    """Two blocks of 3DES."""
    desk = office().ssse().prove_puk()
    reload = desk.command(RELOAD, "1234567812345678")
    assert reload[8:10] == "14"
    assert desk(reload) == "9000"
    assert desk.pin("1234567812345678") == "9000"


def test_ssse_4_3_a_proved_pin_stays_proved(office):
    desk = office().ssse().prove_puk()
    assert desk.pin() == "9000"
    assert desk(desk.command(RELOAD, "654321")) == "9000"
    assert desk(desk.command(UNBLOCK)) == "9000"
    assert desk.residence() == "9000"


def test_ssse_3_7_the_puk_serves_until_reset(office):
    desk = office().ssse().prove_puk()
    assert desk(desk.command(RELOAD, "654321")) == "9000"
    assert desk(desk.command(UNBLOCK)) == "9000"
    desk.reset()
    desk.ssse()
    assert desk(desk.command(UNBLOCK)) == "6982"


def test_ssse_3_7_three_wrong_macs_end_the_application(office):
    """In a row; a right one between them counts from three again (cos 6.1)."""
    desk = office().ssse().prove_puk()
    for _ in range(3):
        assert desk(desk.command(UNBLOCK, key=bytes(16))) == "6988"
        assert desk(desk.command(RELOAD, "654321", key=bytes(16))) == "6988"
        assert desk(desk.command(UNBLOCK)) == "9000"
    assert desk(desk.command(UNBLOCK, key=bytes(16))) == "6988"
    assert desk(desk.command(UNBLOCK, key=bytes(16))) == "6988"
    assert desk(desk.command(UNBLOCK, key=bytes(16))) == "9303"
    assert desk("8424000004" + SPOILED) == "9303"
    assert desk.pin() == "9303"


def test_cos_1_3_t2_a_wrong_mac_under_the_puk_costs_it_a_try(office):
    desk = office({"pin_sm_key": "PUK"}).ssse().prove_puk()
    assert desk(desk.command(UNBLOCK, key=bytes(16))) == "6988"
    assert desk.prove(0x06, bytes(16)) == "63CC"  # 14, one for the MAC, one for the proof
    desk.prove_puk()
    assert desk(desk.command(UNBLOCK, key=desk.puk)) == "9000"
    assert desk.prove(0x06, bytes(16)) == "63CD"


def test_ssse_3_7_a_blocked_puk_serves_nobody(office):
    desk = office({"pin_sm_key": "PUK", "ssse.key.PUK.tries": "11"}).ssse()
    held = desk.command(UNBLOCK, key=desk.puk)
    assert desk.prove(0x06, bytes(16)) == "63C0"
    held = desk.command(UNBLOCK, key=desk.puk)
    assert desk(held) == "6983"


# ---- reload_by_key_load ----------------------------------------------------------------------


def test_ssse_3_2_reload_by_key_load_is_off(office):
    desk = office().ssse().prove_puk()
    assert desk(desk.command(BY_KEY_LOAD, "654321")) == "6A86"
    assert desk.pin() == "9000"


@pytest.mark.parametrize("algorithm", ["3des", "sm4"])
def test_ssse_3_2_reload_by_key_load(office, algorithm):
    desk = office({"reload_by_key_load": "on", "ssse.algorithm": algorithm}).ssse()
    assert desk(desk.command(BY_KEY_LOAD, "654321")) == "6982"
    desk.prove_puk()
    assert desk("84D4010104" + SPOILED) == "6A86"
    assert desk("84D4000104" + SPOILED) == "6700"
    reload = desk.command(BY_KEY_LOAD, "654321")
    assert reload[8:10] == {"3des": "0c", "sm4": "14"}[algorithm]
    assert desk(reload) == "9000"
    assert desk.pin("654321") == "9000"
    desk.prove_puk()
    assert desk(desk.command(RELOAD, "123456")) == "9000"
    assert desk.pin() == "9000"


def test_cos_4_3_write_key_goes_on_beside_it(office):
    """The owner replaces the PIN in the COS's own form."""
    profile = Profile.load("v2", {"reload_by_key_load": "on"})
    desk = office({"reload_by_key_load": "on"}).ssse()
    master = profile.ssse.master.value
    assert desk.prove_master(master) == "9000"
    header = "000001000000"
    header = "01000100660100008F000103"
    data = wrap(TDES, master, bytes.fromhex(header + "654321"))
    challenge = desk.challenge()
    message = bytes.fromhex(f"84D40100{len(data) + 4:02X}") + data
    assert desk((message + line_mac(TDES, master, challenge, message)).hex()) == "9000"
    assert desk.pin("654321") == "9000"
    assert desk("80D4000010" + SPOILED * 4) == "6E00"
