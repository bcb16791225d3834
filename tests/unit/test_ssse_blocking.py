"""ssse-lb002 3.2, 4.6-4.8: APPLICATION BLOCK and UNBLOCK, CARD BLOCK, and what a block leaves.

LK (KID 83) locks DF03, DF04 and DF06; BK (KID 05) the SSSE. Key values come from the profile.
"""

import pytest
from ssse_desk import SSSE, Desk

from sscard.card import Card
from sscard.perso.profile import Profile
from sscard.sample import new_card

SSSE_FCI = "6F16840F7378312E73682EC9E7BBE1B1A3D5CFA503880101"
DF03_FCI = "6F088406D15600000502"
PSE = "00A404000E315041592E5359532E4444463031"
BLOCK, BLOCK_FOR_GOOD, UNBLOCK, CARD_BLOCK = "841E0000", "841E0001", "84180000", "84160000"
SPOILED = "DEADBEEF"


@pytest.fixture(scope="session")
def dual_profile(tmp_path_factory):
    """A profile: v2 with a small PSE."""
    path = tmp_path_factory.mktemp("profiles") / "dual.toml"
    path.write_text('format = 1\nextends = "v2"\ntitle = "dual"\n[pse]\nextends = "walk"\n')
    return str(path)


@pytest.fixture(scope="session")
def dual(dual_profile):
    """Return finished cards with a small PSE, by overrides of v2."""
    known = {}

    def card(**overrides):
        name = tuple(sorted(overrides.items()))
        if name not in known:
            known[name] = new_card(dual_profile, overrides).snapshot()
        return known[name].fork()

    return card


@pytest.fixture(scope="session")
def keys():
    """Card keys by directory and KID; 00 is the master key, 82 and 02 line protection."""
    ssse = Profile.load("v2").ssse
    places = {"SSSE": ssse} | {f"{df.fid:04X}": df for df in ssse.directories}
    found = {}
    for place, directory in places.items():
        for key in directory.keys:
            if key.type in (0x07, 0x0D):
                found[place, key.id] = key.value
        found[place, 0] = directory.master.value
    return found


@pytest.fixture
def desk(dual):
    return Desk(dual())


def stk(keys, place):
    return keys.get((place, 0x82), keys["SSSE", 0x02])


def prove_lock(desk, keys, place):
    """Prove what may block a place: BK or LK."""
    kid = 0x05 if place == "SSSE" else 0x83
    return desk.prove(kid, keys[place, kid])


def block(desk, keys, place, header=BLOCK):
    """Enter a place, prove its lock key and send a blocking command; return its answer."""
    desk.power.transmit(bytes.fromhex(SSSE))
    if place != "SSSE":
        desk.sw(f"00A4000002{place}")
    assert prove_lock(desk, keys, place) == "9000"
    return desk(desk.protected(header, stk(keys, place), desk.challenge()))


lockable = pytest.mark.parametrize("place", ["SSSE", "DF03", "DF04", "DF06"])


# ---- form and order ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("apdu", "sw"),
    [
        ("841E000204" + SPOILED, "6A86"),
        ("841E010004" + SPOILED, "6A86"),
        ("8418000104" + SPOILED, "6A86"),
        ("8416000104" + SPOILED, "6A86"),
        ("841E0000", "6700"),
        ("841E000003DEADBE", "6700"),
        ("8416000008" + SPOILED * 2, "6700"),
        ("801E000004" + SPOILED, "6E00"),
        ("041E000004" + SPOILED, "6E00"),
        ("8418000004" + SPOILED, "6985"),  # not blocked
        ("841E000004" + SPOILED, "6984"),  # no challenge
        ("8416000004" + SPOILED, "6984"),
    ],
)
def test_ssse_3_2_forms(desk, apdu, sw):
    assert desk.ssse()(apdu) == sw


def test_ssse_4_6_the_session_form_needs_eight_bytes(desk, keys):
    desk.ssse()
    for length in (4, 16):
        held = desk.challenge(length=length)[:8].ljust(8, b"\0")
        assert desk(desk.protected(BLOCK, stk(keys, "SSSE"), held)) == "6984"


def test_ssse_4_7_no_line_protection_key():
    """The card of the walk has none."""
    desk = Desk(new_card("walk")).ssse()
    desk.challenge()
    assert desk("841E000004" + SPOILED) == "6A88"


@lockable
def test_ssse_4_7_the_lock_key_must_be_proved(desk, keys, place):
    """The MAC alone does not block, and the challenge is spent (order of cos 5.3)."""
    desk.ssse("" if place == "SSSE" else place)
    command = desk.protected(BLOCK, stk(keys, place), desk.challenge())
    assert desk(command) == "6982"
    assert desk(command) == "6984"
    assert desk.pin() == "9000"


@pytest.mark.parametrize("place", ["DF01", "DF02", "DF05", "DF07"])
def test_ssse_4_7_an_application_without_lock_key_obeys_its_master_key(desk, keys, place):
    """KID 83 is an update or a read key there, and locks nothing."""
    desk.ssse(place)
    assert desk.prove(0x83, keys[place, 0x83]) == "9000"
    assert desk(desk.protected(BLOCK, stk(keys, place), desk.challenge())) == "6982"
    assert desk.prove_master(keys[place, 0]) == "9000"
    assert desk(desk.protected(BLOCK, stk(keys, place), desk.challenge())) == "9000"


def test_ssse_4_7_each_application_has_its_own_transport_key(desk, keys):
    desk.ssse("DF03")
    assert prove_lock(desk, keys, "DF03") == "9000"
    for wrong in ("SSSE", "DF04"):
        command = desk.protected(BLOCK, stk(keys, wrong), desk.challenge())
        assert desk(command) == "6988"
    assert desk(desk.protected(BLOCK, stk(keys, "DF03"), desk.challenge())) == "9000"


# ---- wrong MACs --------------------------------------------------------------------------------


@pytest.mark.parametrize("reset", [False, True])
@lockable
def test_ssse_3_7_the_third_wrong_mac_blocks_for_good(desk, place, reset):
    for sw in ("6988", "6988", "9303"):
        if reset:
            desk.reset()
        desk.ssse("" if place == "SSSE" else place)
        desk.challenge()
        assert desk(BLOCK + "04" + SPOILED) == sw
    assert desk.pin() == "9303"
    desk.reset()
    desk.sw(SSSE)
    assert desk.sw("00A4000002DDF1" if place == "SSSE" else f"00A4000002{place}") == "6283"
    assert desk("00840000") == "9303"


def test_ssse_3_7_success_restores_the_count(desk, keys):
    desk.ssse("DF03")
    for _ in range(3):
        for _ in range(2):
            desk.challenge()
            assert desk(BLOCK + "04" + SPOILED) == "6988"
        command = desk.protected(BLOCK, stk(keys, "DF03"), desk.challenge())
        assert desk(command) == "6982"  # the MAC is right, LK is not proved


def test_ssse_3_7_applications_count_apart(desk):
    for place in ("SSSE", "DF01", "DF03", "DF04"):
        desk.ssse("" if place == "SSSE" else place)
        for _ in range(2):
            desk.challenge()
            assert desk(BLOCK + "04" + SPOILED) == "6988"
    assert desk.ssse("DF03").pin() == "9000"


# ---- 4.8 temporary block -----------------------------------------------------------------------

STILL_ANSWERED = {
    "00840000": "9000",
    "80CA00D000": "9000",
    "80CA00C000": "9000",
    "00A4000002EF05": "9000",
}
WRONG_LENGTHS = [
    "002000000112",
    "842400000C" + SPOILED * 3,  # as long as RELOAD PIN, whose P2 is 01
    "8424000104" + SPOILED,  # as long as UNBLOCK PIN, whose P2 is 00
    "841E000003DEADBE",
]
"""Lengths are judged before the block (cos 5.3)."""
REFUSED = [
    "00B2012C00",
    "00B0870001",
    "00DC012C0420025A5A",
    "00D687000100",
    "00E200280120",
    "00200000",
    "0020000003123456",
    "0088000010" + "11" * 16,
    "841E000004" + SPOILED,
    "8416000004" + SPOILED,
    "841C000004" + SPOILED,
    "84E6000004" + SPOILED,
]


@lockable
def test_ssse_4_8_a_temporary_block(desk, keys, place):
    assert block(desk, keys, place) == "9000"
    for round_ in ("now", "after reset"):
        if round_ == "after reset":
            desk.reset()
            assert desk.sw(SSSE) == ("6283" if place == "SSSE" else "9000")
            if place != "SSSE":
                assert desk.sw(f"00A4000002{place}") == "6283"
        for apdu in REFUSED:
            assert desk(apdu) == "6985", apdu
        for apdu in WRONG_LENGTHS:
            assert desk(apdu) == "6700", apdu
        for apdu, sw in STILL_ANSWERED.items():
            assert desk.sw(apdu) == sw, apdu
        assert desk.sw("0082000810" + "00" * 16) == "6A88"
        assert prove_lock(desk, keys, place) == "9000"
        assert desk("00FE0000") == "6D00"
        assert desk("841E000304" + SPOILED) == "6A86"


@pytest.mark.parametrize("header", [BLOCK, BLOCK_FOR_GOOD])
def test_ssse_4_8_select_still_gives_the_fci(desk, keys, header):
    assert block(desk, keys, "DF03", header) == "9000"
    desk.reset()
    assert desk(SSSE) == SSSE_FCI + "9000"
    assert desk("00A4000002DF03") == DF03_FCI + "6283"
    assert desk("00A4040006D15600000502") == DF03_FCI + "6283"
    assert block(desk, keys, "SSSE", header) == "9000"
    assert desk(SSSE) == SSSE_FCI + "6283"
    assert desk("00A4000002DF03") == DF03_FCI + "6283"
    assert desk("00A4000002DF01") == "6F088406D156000005006283"


def test_ssse_4_8_select_on_a_contact_card(dual, keys):
    card = dual()
    assert block(Desk(card), keys, "DF03") == "9000"
    desk = Desk(card, link="t0")
    assert desk(SSSE) == "6118"
    assert desk("00A4000002DF03") == "6283"
    assert desk("00C000000A") == DF03_FCI + "9000"


def test_ssse_4_8_a_blocked_application_leaves_the_others(desk, keys):
    assert block(desk, keys, "DF03") == "9000"
    desk.ok("00A4000002DF04")
    assert desk.pin() == "9000"
    assert desk.sw("00B2012C00") == "9000"
    assert desk.sw("00A4000002DF03") == "6283"
    assert desk("00B2012C00") == "6985"
    desk.ok(SSSE, "00B2012C00", PSE)


def test_ssse_4_8_a_blocked_environment_takes_its_applications_along(desk, keys):
    assert block(desk, keys, "SSSE") == "9000"
    for number in range(1, 8):
        assert desk.sw(f"00A4000002DF0{number}") == "6283"
        assert desk.pin() == "6985"
        assert desk("8418000004" + SPOILED) == "6985"  # not blocked itself
    desk.ok(PSE)


# ---- 4.8 unblocking ----------------------------------------------------------------------------


@lockable
def test_ssse_4_8_unblock(desk, keys, place):
    assert block(desk, keys, place) == "9000"
    desk.reset()
    assert block(desk, keys, place, UNBLOCK) == "9000"
    assert desk.pin() == "9000"
    desk.reset()
    desk.ssse("" if place == "SSSE" else place)
    assert desk.pin() == "9000"
    assert desk(UNBLOCK + "04" + SPOILED) == "6985"


def test_ssse_4_8_unblocking_needs_the_lock_key_too(desk, keys):
    assert block(desk, keys, "DF03") == "9000"
    desk.reset()
    desk.ok(SSSE)
    assert desk.sw("00A4000002DF03") == "6283"
    assert desk(desk.protected(UNBLOCK, stk(keys, "DF03"), desk.challenge())) == "6982"
    assert desk.pin() == "6985"


@pytest.mark.parametrize("reset", [False, True])
@lockable
def test_cos_5_1_three_failed_unblocks_are_for_good(desk, keys, place, reset):
    assert block(desk, keys, place) == "9000"
    for sw in ("6988", "6988", "9303"):
        if reset:
            desk.reset()
            desk.sw(SSSE)
            desk.sw("00A4000002DDF1" if place == "SSSE" else f"00A4000002{place}")
        desk.challenge()
        assert desk(UNBLOCK + "04" + SPOILED) == sw
    for apdu in (*REFUSED, *STILL_ANSWERED, "8418000004" + SPOILED, "0082000510" + "00" * 16):
        if apdu[2:4] != "A4":
            assert desk(apdu) == "9303", apdu


def test_cos_5_1_a_successful_unblock_restores_the_count(desk, keys):
    for _ in range(3):
        assert block(desk, keys, "DF03") == "9000"
        for _ in range(2):
            desk.challenge()
            assert desk(UNBLOCK + "04" + SPOILED) == "6988"
        assert block(desk, keys, "DF03", UNBLOCK) == "9000"


@lockable
def test_ssse_4_8_a_permanent_block(desk, keys, place):
    assert block(desk, keys, place, BLOCK_FOR_GOOD) == "9000"
    for _ in range(2):
        for apdu in (*REFUSED, *STILL_ANSWERED, UNBLOCK + "04" + SPOILED):
            if apdu[2:4] != "A4":
                assert desk(apdu) == "9303", apdu
        desk.reset()
        desk.sw(SSSE)
        assert desk.sw("00A4000002DDF1" if place == "SSSE" else f"00A4000002{place}") == "6283"


# ---- 4.8 CARD BLOCK ----------------------------------------------------------------------------


@pytest.mark.parametrize("place", ["SSSE", "DF01", "DF03"])
def test_ssse_4_8_card_block_from_anywhere_in_the_ssse(desk, keys, place):
    """BK and STK are those of the SSSE, wherever in it one stands."""
    desk.ssse("" if place == "SSSE" else place)
    command = desk.protected(CARD_BLOCK, stk(keys, "SSSE"), desk.challenge())
    assert desk(command) == "6982"
    assert desk.prove(0x05, keys["SSSE", 0x05]) == "9000"
    command = desk.protected(CARD_BLOCK, stk(keys, "SSSE"), desk.challenge())
    assert desk(command) == "9000"
    for apdu in (*REFUSED, *STILL_ANSWERED, UNBLOCK + "04" + SPOILED):
        assert desk(apdu) == "6A81", apdu


@pytest.mark.parametrize("place", ["DF03", "DF04"])
def test_ssse_4_8_a_lock_key_does_not_block_the_card(desk, keys, place):
    desk.ssse(place)
    assert prove_lock(desk, keys, place) == "9000"
    command = desk.protected(CARD_BLOCK, stk(keys, "SSSE"), desk.challenge())
    assert desk(command) == "6982"


@pytest.fixture
def dead(desk, keys):
    """A card whose SSSE was card-blocked, freshly reset."""
    assert block(desk, keys, "SSSE", CARD_BLOCK) == "9000"
    desk.reset()
    return desk


NAMES = [SSSE, "00A4040006D15600000500", "00A4040006D15600000506"]


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("before", [(), ("00A40000",), (PSE,)], ids=["reset", "MF", "PSE"])
def test_ssse_4_8_selecting_the_dead_leaves_no_environment(dead, name, before):
    dead.ok(*before)
    assert dead(name) == "6A81"
    for apdu in ("00840000", "80CA00C000", "0020000003123456", "00C0000000", "00B2010C00"):
        assert dead(apdu) == "6A81"
    assert dead("00A4000002DF01") == dead("00A4020002EF05") == dead("00A40300") == "6A82"
    assert dead("00840000") == "6A81"
    assert dead.sw("00A40000023F00") == "9000"
    assert dead.sw("0084000008") == "9000"
    assert dead("00A4000002DDF1") == "6A81"
    assert dead.sw(PSE) == "9000"


def test_ssse_4_8_a_name_that_does_not_exist_changes_nothing(dead):
    dead.ok(PSE)
    assert dead("00A4040006D156000005FF") == "6A82"
    assert dead.sw("80CA00D000") == "9000"


def test_ssse_4_8_the_environment_that_is_left_forgets_its_rights(dead, dual_profile):
    """Coming from the PSE with its master key proved: the visit costs the proof."""
    dead.ok(PSE)
    assert dead.prove_master(Profile.load(dual_profile).pse.master.value) == "9000"
    dead.ok("80CA00D100")
    assert dead(SSSE) == "6A81"
    dead.ok(PSE)
    assert dead.sw("80CA00D100") == "6982"


def test_ssse_4_8_the_other_environment_does_not_notice(dual, keys):
    """Every answer of the PSE is the same with the SSSE dead or alive."""
    trace = [PSE, "80CA00D000", "0084000008", "0082000008" + "00" * 8, "00B2010C00", PSE]
    living, dying = Desk(dual()), Desk(dual())
    assert block(dying, keys, "SSSE", CARD_BLOCK) == "9000"
    living.reset()
    dying.reset()
    assert [living(apdu) for apdu in trace] == [dying(apdu) for apdu in trace]


def test_ssse_4_8_the_block_is_in_the_image(dead):
    again = Desk(Card.from_image(dead.card.image))
    assert again(SSSE) == "6A81"
    again.ok(PSE)


@pytest.mark.parametrize("from_", ["SSSE", "DF01"])
def test_cos_3_5_scope_card_ends_both_environments(dual, keys, from_):
    desk = Desk(dual(card_block_scope="card"))
    desk.ssse("" if from_ == "SSSE" else from_)
    assert desk.prove(0x05, keys["SSSE", 0x05]) == "9000"
    assert desk(desk.protected(CARD_BLOCK, stk(keys, "SSSE"), desk.challenge())) == "9000"
    for again in ("now", "after reset", "another chip with this image"):
        if again == "after reset":
            desk.reset()
        elif again.startswith("another"):
            desk = Desk(Card.from_image(desk.card.image))
        for apdu in (SSSE, PSE, "00A40000", *NAMES, *REFUSED, *STILL_ANSWERED, "00C0000000"):
            assert desk(apdu) == "6A81", (again, apdu)


def test_cos_3_5_scope_card_writes_the_card_state_alone(dual, keys):
    """One transaction of the kernel's own: card LCS 7F; no extent changes."""
    desk = Desk(dual(card_block_scope="card")).ssse()
    assert desk.prove(0x05, keys["SSSE", 0x05]) == "9000"
    command = desk.protected(CARD_BLOCK, stk(keys, "SSSE"), desk.challenge())
    before = desk.card.image
    volume = desk.power.kernel._volume
    assert desk(command) == "9000"
    block_ = volume.superblock
    after = desk.card.image
    changed = {at // 64 for at in range(len(after)) if before[at] != after[at]}
    ring = range(block_.journal_start, block_.journal_start + block_.journal_pages)
    assert changed - set(ring) == {block_.card_page}
    assert after[block_.card_page * 64 + 2] == 0x7F


@pytest.mark.parametrize("mode", ["session", "pboc_iv"])
def test_cos_3_5_scope_domain_gives_the_domain_no_such_power(dual, mode):
    desk = Desk(dual(sm_mode=mode)).ssse()
    assert desk.power.kernel.domains[1].lock_card is None
    assert desk.power.kernel.domains[2].lock_card is None


# ---- switches ------------------------------------------------------------------------------------


@lockable
def test_ssse_4_7_the_lock_key_may_make_the_mac(dual, keys, place):
    """`block_mode` mac_with_LK: no authentication before, the MAC proves the key."""
    desk = Desk(dual(block_mode="mac_with_LK"))
    key = keys[place, 0x05 if place == "SSSE" else 0x83]
    desk.ssse("" if place == "SSSE" else place)
    assert desk(desk.protected(BLOCK, stk(keys, place), desk.challenge())) == "6988"
    assert desk(desk.protected(BLOCK, key, desk.challenge())) == "9000"
    assert desk.pin() == "6985"
    assert desk(desk.protected(UNBLOCK, key, desk.challenge())) == "9000"
    assert desk.pin() == "9000"


def test_ssse_4_7_card_block_with_the_mac_of_bk(dual, keys):
    desk = Desk(dual(block_mode="mac_with_LK")).ssse("DF02")
    assert desk(desk.protected(CARD_BLOCK, keys["SSSE", 0x05], desk.challenge())) == "9000"
    assert desk(SSSE) == "6A81"


def test_ssse_4_7_a_lock_key_counts_its_own_failures(dual, keys):
    """Under mac_with_LK every wrong MAC costs a try of the key, too."""
    desk = Desk(dual(block_mode="mac_with_LK")).ssse("DF03")
    desk.challenge()
    assert desk(BLOCK + "04" + SPOILED) == "6988"
    assert desk.prove(0x83, bytes(16)) == "63CC"
    assert desk(desk.protected(BLOCK, keys["DF03", 0x83], desk.challenge())) == "9000"
    assert desk.prove(0x83, bytes(16)) == "63CD"


@lockable
@pytest.mark.parametrize("length", [4, 8])
def test_ssse_4_7_the_classical_form(dual, keys, place, length):
    """`sm_mode` pboc_iv: the key itself, IV = the challenge, 4 or 8 bytes."""
    desk = Desk(dual(sm_mode="pboc_iv"))
    desk.ssse("" if place == "SSSE" else place)
    assert prove_lock(desk, keys, place) == "9000"
    key = stk(keys, place)
    held = desk.challenge(length=length)
    if length == 8:
        assert desk(desk.protected(BLOCK, key, held)) == "6988"
        held = desk.challenge(length=length)
    assert desk(desk.protected_directly(BLOCK, key, held)) == "9000"
    assert desk.pin() == "6985"
    held = desk.challenge(length=length)
    assert desk(desk.protected_directly(UNBLOCK, key, held)) == "9000"
