"""`sscard.testing.strategies`: each draws what it says, shrinks, and meets the card."""

import re
import signal
from contextlib import contextmanager

import pytest
from cos_trace import examples
from hypothesis import Phase, find, given, settings
from hypothesis import strategies as st

from sscard.card import Card
from sscard.cos.commands import form_refusal
from sscard.cos.eeprom import Phase as TearPhase
from sscard.cos.eeprom import Tear, torn_image
from sscard.errors import ImageError, ProfileError
from sscard.inspect.explaining.catalogue import PLACES, TABLES
from sscard.iso import tlv
from sscard.iso.apdu import Command, MalformedApdu
from sscard.sample import sample_card, sample_psam
from sscard.testing.state import state
from sscard.testing.strategies import (
    apdus,
    dols,
    images,
    profiles,
    sessions,
    tears,
    tlvs,
)
from sscard.testing.trial import Step, record

SELECT_SSSE = bytes.fromhex("00A404000F7378312E73682EC9E7BBE1B1A3D5CF")
SELECT_PSE = bytes.fromhex("00A404000E315041592E5359532E4444463031")
SELECT_ADF = bytes.fromhex("00A4040008A000000333010101")
WAYS = {"CM": b"", "SSSE": SELECT_SSSE, "PSE": SELECT_PSE, "PSAM": b""}


def smallest(strategy, condition, examples_=400):
    quiet = settings(max_examples=examples_, database=None, derandomize=True, deadline=None)
    return find(strategy, condition, settings=quiet)


@contextmanager
def fuse(seconds=20):
    """Turn a hang into a failure."""

    def blow(signum, frame):
        raise AssertionError("hangs")

    before = signal.signal(signal.SIGVTALRM, blow)
    signal.setitimer(signal.ITIMER_VIRTUAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)
        signal.signal(signal.SIGVTALRM, before)


def is_answer(response, apdu=b""):
    """Data and a status word that a card may give; 6F00 is GET RESPONSE's, or a guard's."""
    sw = response[-2:].hex().upper()
    is_sound = sw != "6F00" or apdu[1:2] == b"\xc0"
    return 2 <= len(response) <= 258 and sw[0] in "69" and is_sound


# --- commands -----------------------------------------------------------------------------------


@pytest.mark.parametrize("domain", list(PLACES))
@examples(150)
@given(data=st.data())
def test_cos_5_1_rows_are_what_the_tables_take(domain, data):
    command = Command.parse(data.draw(apdus(domain=domain, kinds=["row"])))
    row = TABLES[PLACES[domain]].get(command.cla << 8 | command.ins)
    if row is None:
        assert (command.cla, command.ins) in ((0x00, 0xA4), (0x00, 0xC0))
        return
    lc = row.lc if row.lc_by_p2 is None else row.lc_by_p2[command.p2]
    assert row.p1 is None or command.p1 in row.p1
    assert row.p2 is None or command.p2 in row.p2
    assert lc is None or len(command.data) in lc, form_refusal(row, command)


def test_cos_5_1_every_row_of_a_table_is_drawn():
    for domain, code in PLACES.items():
        table, seen = TABLES[code], set()

        @settings(max_examples=900, phases=[Phase.generate], derandomize=True, database=None)
        @given(apdu=apdus(domain=domain, kinds=["row"], max_data=0))
        def draw(apdu):
            seen.add((apdu[0], apdu[1]))  # noqa: B023 # drawn within the turn

        draw()
        assert not {row.name for row in table if (row.cla, row.ins) not in seen}


def test_cos_5_3_near_misses_meet_every_kind_of_refusal():
    seen = set()

    @settings(max_examples=300, phases=[Phase.generate], derandomize=True, database=None)
    @given(apdu=apdus(domain="SSSE", kinds=["near"]))
    def draw(apdu):
        power = sample_card().power_on()
        power.transmit(SELECT_SSSE)
        seen.add(power.transmit(apdu)[-2:].hex().upper())

    draw()
    assert {"6700", "6A86", "6E00", "6D00"} <= seen


@examples(60)
@given(domain=st.sampled_from(sorted(PLACES)), data=st.data(), link=st.sampled_from(("apdu", "t0")))
def test_a_card_answers_whatever_it_is_sent(domain, data, link):
    card = sample_psam() if domain == "PSAM" else sample_card()
    power = card.power_on(link)
    if WAYS[domain]:
        power.transmit(WAYS[domain])
    for apdu in data.draw(st.lists(apdus(domain=domain), max_size=12)):
        assert is_answer(power.transmit(apdu), apdu), apdu.hex(" ")


@examples(200)
@given(
    apdu=apdus(min_length=4),
    session=sessions(profile="sample"),
)
def test_a_reader_takes_every_command_that_is_long_enough(apdu, session):
    """pcsc, pyscard facts: a reader takes 4 bytes and more; sessions are for readers, too."""
    assert len(apdu) >= 4
    assert all(len(order.data) >= 4 for order in session.orders if order.what == "raw")


def test_commands_shrink():
    assert len(smallest(apdus(domain="SSSE"), lambda apdu: True)) <= 5
    assert smallest(apdus(kinds=["raw"]), lambda apdu: len(apdu) > 3) == bytes(4)

    def malformed(apdu):
        try:
            Command.parse(apdu)
        except MalformedApdu:
            return True
        return False

    assert len(smallest(apdus(kinds=["near"]), malformed)) <= 5


# --- objects ------------------------------------------------------------------------------------


def walked(data, tags):
    for tag, value in tlv.parse(data):
        tags.append(tag)
        first = tag.to_bytes(3).lstrip(b"\0")[0]
        if first & 0x20:
            walked(value, tags)
        else:
            assert len(value) <= 8
    return tags


@given(data=tlvs(max_value=8))
def test_pse_2_7_tlvs_parse_at_every_level_and_back(data):
    walked(data, [])
    assert b"".join(tlv.encode(tag, value) for tag, value in tlv.parse(data)) == data


@given(data=tlvs(tags=(0x70, 0x9F36, 0x57)))
def test_pse_2_7_tlvs_of_chosen_tags(data):
    assert {tag for tag, _ in tlv.parse(data)} <= {0x70, 0x9F36, 0x57}


@given(dol=dols(max_length=200))
def test_pse_2_7_dols_parse_and_back(dol):
    entries = tlv.parse_dol(dol)
    assert tlv.encode_dol(entries) == dol
    assert all(length <= 200 for _, length in entries)
    filled = tlv.split_dol(entries, bytes(sum(length for _, length in entries)))
    assert [tag for tag, _ in filled] == [tag for tag, _ in entries]


def test_pse_2_7_objects_shrink():
    assert smallest(tlvs(), lambda data: True) == b""
    assert (
        smallest(tlvs(), lambda data: any(t > 0xFFFF for t in walked_any(data))).hex() == "1f810000"
    )
    assert smallest(dols(tags=[0x9F02, 0x95]), lambda dol: len(dol) > 2) in (
        bytes.fromhex("9F0200"), bytes.fromhex("9F020095"),
    )  # fmt: skip


def walked_any(data):
    return [tag for tag, _ in tlv.parse(data)]


@examples(60)
@given(dol=dols(max_entries=4, max_length=40))
def test_pse_2_2_any_pdol_of_a_card_is_served(dol):
    """A hostile list in a card: the application answers its GPO, right length or wrong."""
    inner = tlv.encode(0x9F38, dol) + tlv.encode(0x50, b"PBOC DEBIT")
    template = tlv.encode(0xA5, inner + bytes.fromhex("BF0C059F4D020B0A"))
    asked = sum(length for _, length in tlv.parse_dol(dol))
    try:
        card = made(template)
    except ProfileError:
        return
    power = card.power_on()
    assert power.transmit(SELECT_ADF)[-2:] == b"\x90\0"
    data = tlv.encode(0x83, bytes(asked))
    for sent in (data, data + b"\0"):
        if len(sent) < 256:
            assert is_answer(power.transmit(Command(0x80, 0xA8, 0, 0, sent, 256).build()))


def made(template):
    from sscard.builder import build
    from sscard.perso.profile import Profile

    return Card.from_image(build(Profile.load("pboc", {"pse.df.DF01.dgi.9102": template.hex()})))


# --- cards --------------------------------------------------------------------------------------


@examples(25)
@given(made=profiles(), apdu=apdus(max_data=16))
def test_profiles_are_valid_and_their_cards_answer(made, apdu):
    power = made.card().power_on()
    for raw in (SELECT_SSSE, SELECT_ADF, apdu):
        assert is_answer(power.transmit(raw), raw)


def test_profiles_shrink_and_keep_to_what_they_were_told():
    assert smallest(profiles(), lambda made: True) == ("v2", {})
    strict = smallest(
        profiles(names=["v1"], options=["record_le", "sm_mode"]),
        lambda made: made.settings.get("record_le") == "strict",
    )
    assert strict == ("v1", {"record_le": "strict"})


STATES = ("pin-blocked", "card-blocked")


@examples(80)
@given(image=images(states=STATES), traffic=st.lists(apdus(max_data=16), max_size=8))
def test_damaged_images_are_refused_or_answer(image, traffic):
    with fuse():
        try:
            power = Card.from_image(image).power_on()
        except ImageError:
            return
        for apdu in (SELECT_SSSE, *traffic, SELECT_PSE, *traffic):
            response = power.transmit(apdu)
            assert 2 <= len(response) <= 258
            assert response[-2] >> 4 in (6, 9)


TOUR = [
    bytes.fromhex(apdu)
    for apdu in (
        "00A40000023F00", "80CA00C000", SELECT_SSSE.hex(), "0020000003123456", "00B2012C00",
        "00B2013400", "00B2016C00", "00B2013C00", "0084000008", "0082000410" + "11" * 16,
        *(f"00A4000002DF{low:02X}" + "/" + sfi for low in (1, 2, 3, 4, 5, 6)
          for sfi in ("00B2012C00", "00B2013400", "00B0970000")),
        SELECT_ADF.hex(), "80CA9F3600", "80CA9F1700", "80A8000002830000",
        "00B2010C00", "00B2011400", "00B2011C00", "0020008008241234FFFFFFFFFF",
    )
    for apdu in apdu.split("/")
]  # fmt: skip
"""Commands that look into every environment and most directories."""


def toured(image):
    power = Card.from_image(image).power_on()
    return [power.transmit(apdu) for apdu in TOUR]


def test_cos_2_5_lies_under_good_check_sums_are_met_behind_the_check():
    """One damage each: few images are refused at once, many answer otherwise, in many ways."""
    sound = toured(sample_card().image)
    refused, otherwise, words, drawn = 0, 0, set(), 0

    @settings(
        max_examples=400, phases=[Phase.generate], derandomize=True, database=None, deadline=None
    )
    @given(image=images(max_damages=1))
    def draw(image):
        nonlocal refused, otherwise, drawn
        if "sealed" not in repr(image) and "transaction" not in repr(image):
            return
        drawn += 1
        try:
            seen = toured(image)
        except ImageError:
            refused += 1
            return
        assert all(is_answer(response) for response in seen)
        otherwise += seen != sound
        words.update(
            one[-2:].hex() for one, other in zip(seen, sound, strict=True) if one[-2:] != other[-2:]
        )

    draw()
    assert drawn > 150
    assert refused < drawn / 10
    assert otherwise > drawn / 8
    assert len(words) >= 8, words


def test_cos_1_4_recovery_believes_forged_transactions_of_owners():
    """The firewall lets them write their own pages, nobody those of domains there are not."""
    sound = toured(sample_card().image)

    believed = []

    @settings(
        max_examples=400, phases=[Phase.generate], derandomize=True, database=None, deadline=None
    )
    @given(image=images(max_damages=1))
    def draw(image):
        if "transaction" in repr(image) and toured(image) != sound:
            believed.append(repr(image))

    draw()
    assert believed
    carrying = [story for story in believed if re.search(r"page \d+[,>]", story)]
    assert carrying
    assert not [story for story in carrying if re.search(r" of (03|FF) in slot", story)]


def test_sound_images_are_the_cards_they_are_said_to_be():
    found = set()
    for name in STATES:
        image = smallest(images(states=[name], damaged=False), lambda image: True)
        found.add(state(Card.from_image(image).power_on()).domains[1])
    assert len(found) == 2


def test_cos_2_5_damages_shrink_to_one_low_in_the_memory():
    sound = sample_card().image
    image = smallest(images(), lambda image: image != sound)
    differing = [
        at for at, (one, other) in enumerate(zip(sound, image, strict=True)) if one != other
    ]
    assert len(differing) == 1
    assert differing[0] < 128
    assert re.fullmatch("<image of sample, .*>", repr(image))
    assert len(repr(image)) < 80


# --- power cuts ---------------------------------------------------------------------------------

PROOF = Step(bytes.fromhex("0020000003999999"), name="VERIFY, wrong")
TRIAL = record(sample_card().snapshot(), [Step(SELECT_SSSE)], PROOF)


@examples(60)
@given(tear=tears(operations=len(TRIAL.operations)))
def test_cos_1_2_a_torn_verify_leaves_tries_before_or_after(tear):
    assert 0 <= tear.op < len(TRIAL.operations)
    torn = Card.from_image(torn_image(TRIAL.before, TRIAL.operations, tear)).power_on()
    whole = [Card.from_image(image).power_on() for image in (TRIAL.before, TRIAL.after)]
    assert state(torn) in [state(power) for power in whole]


def test_cos_1_2_tears_cover_operations_and_phases_and_shrink():
    assert smallest(tears(operations=9), lambda tear: True) == Tear(0, TearPhase.BEFORE)
    for phase in TearPhase:
        assert smallest(tears(operations=9), lambda tear, p=phase: tear.phase is p) == Tear(
            0, phase
        )
    assert smallest(tears(operations=9), lambda tear: tear.op == 8).op == 8


# --- sessions -----------------------------------------------------------------------------------


@pytest.mark.parametrize("profile", ["sample", "v1", "v3", "pboc-ec"])
@examples(40)
@given(data=st.data())
def test_a_card_answers_every_session(profile, data):
    session = data.draw(sessions(profile=profile))
    for one in session.play():
        assert is_answer(one.response, one.apdu), one


def comes_to(what, ins):
    return lambda session: any(
        (one.order.what, one.apdu[1], one.sw) == (what, ins, "9000") for one in session.play()
    )


PROTECTED = {"ssse.ef.EF06.sm_update": "enc_mac", "ssse.df.DF01.ef.EF06.sm_update": "mac"}
DIRECT = {"ssse.ef.EF06.sm_update": "mac", "sm_mode": "pboc_iv"}


@pytest.mark.parametrize(
    ("environment", "what", "ins"),
    [
        ("SSSE", "verify", 0x20),
        ("SSSE", "prove", 0x82),
        ("SSSE", "update", 0xDC),
        ("PSE", "verify", 0x20),
        ("PSE", "issuer", 0x82),
    ],
)
def test_sessions_come_past_authentication_and_shrink(environment, what, ins):
    found = smallest(
        sessions(environments=[environment], faults=False, max_orders=6), comes_to(what, ins), 100
    )
    assert len(found.orders) <= 6


def accepted(most, **how):
    """What sessions without faults came to: (order, INS, script) of accepted commands."""
    reached = set()

    @settings(max_examples=most, phases=[Phase.generate], derandomize=True, database=None)
    @given(session=sessions(faults=False, max_orders=20, **how))
    def play(session):
        reached.update(
            (one.order.what, one.apdu[1], one.order.data if one.order.what == "script" else b"")
            for one in session.play()
            if one.sw == "9000"
        )

    play()
    return reached


@pytest.mark.parametrize(
    ("profile", "settings_"),
    [("v1", PROTECTED), ("v2", PROTECTED), ("v3", DIRECT), ("v2", DIRECT)],
)
def test_ssse_3_sessions_come_to_every_service(profile, settings_):
    services = {("change", 0x5E), ("reload", 0x24), ("update", 0xDC), ("protect", 0xDC)}
    if profile != "v3":  # the medical account is defined for 3DES
        services |= {("load", 0x52), ("buy", 0x54)}
    reached = accepted(150, profile=profile, settings=settings_, environments=["SSSE"])
    assert services <= {(what, ins) for what, ins, _ in reached}


def test_pse_4_8_sessions_come_to_every_script():
    reached = accepted(100, environments=["PSE"])
    assert {script for what, _, script in reached if what == "script"} == {
        b"limit", b"record", b"pin", b"new pin", b"block", b"unblock",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("profile", "settings_"), [("sample", {}), ("v2", PROTECTED), ("v3", DIRECT), ("v1", {})]
)
@examples(30)
@given(data=st.data())
def test_ssse_4_1_a_session_without_faults_does_what_it_says(profile, settings_, data):
    social = ("prove", "verify", "change", "reload", "update", "protect", "load")
    session = data.draw(
        sessions(profile=profile, settings=settings_, environments=["SSSE"], faults=False)
    )
    for one in session.play():
        if one.order.what in social:
            is_empty = one.apdu[1] == 0xB2 and one.sw == "6A83"  # no first record to change
            assert is_empty or one.sw == "9000", one


@pytest.mark.parametrize(("profile", "settings_"), [("sample", {}), ("v2", PROTECTED)])
@examples(60)
@given(data=st.data())
def test_ssse_4_1_a_fault_is_never_taken_for_a_proof(profile, settings_, data):
    proofs = {0x20, 0x82, 0x5E, 0x24, 0x52, 0x54, 0xDA, 0x1E, 0x18}
    for one in data.draw(sessions(profile=profile, settings=settings_)).play():
        protected = one.apdu[:2] == b"\x04\xdc"
        if one.order.fault and (protected or one.apdu[1] in proofs):
            assert one.sw != "9000", one


# --- what they refuse ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("make", "told"),
    [
        (lambda: apdus(domain="EID"), "no domain EID"),
        (lambda: apdus(kinds=["odd"]), "kinds are"),
        (lambda: apdus(kinds=[]), "kinds are"),
        (lambda: apdus(max_data=256), "0 to 255"),
        (lambda: apdus(min_length=5), "min_length is 0 to 4"),
        (lambda: apdus(min_length=-1), "min_length is 0 to 4"),
        (lambda: tlvs(tags=[]), "at least one tag"),
        (lambda: tlvs(tags=[0x9F]), "tag"),
        (lambda: tlvs(depth=-1), "negative"),
        (lambda: tlvs(max_value=70_000), "65535"),
        (lambda: dols(max_entries=-1), "negative"),
        (lambda: dols(max_length=-1), "65535"),
        (lambda: profiles(names=["no-such"]), "no-such"),
        (lambda: profiles(names=[]), "at least one"),
        (lambda: profiles(options=["colour"]), "no option colour"),
        (lambda: profiles(max_settings=-1), "negative"),
        (lambda: images(states=["drowned"]), "no state drowned"),
        (lambda: images(max_damages=0), "at least one damage"),
        (lambda: tears(operations=0), "cannot be torn"),
        (lambda: tears(operations=3, seeds=0), "at least once"),
        (lambda: sessions(environments=["EID"]), "environments are"),
        (lambda: sessions(profile="v2-social-only", environments=["PSE"]), "none of PSE"),
        (lambda: sessions(max_orders=-1), "negative"),
    ],
)
def test_a_wrong_argument_is_told_at_once(make, told):
    with pytest.raises((ValueError, ProfileError), match=told):
        make()
