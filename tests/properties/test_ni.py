"""Non-interference: NI-1 to NI-14 of cos 3.6, each a named test.

Cards have two environments with owners, files and data. Traces are random sessions of both,
played by somebody who holds every key (`cos_trace`).
"""

from random import Random
from zlib import crc32

import pytest
from cos_bureau import (
    ADF_OF,
    MASTER,
    PIN,
    PSE,
    SELECT,
    SSSE,
    STK,
    TRANSPARENT,
    Bureau,
    created,
    fcp,
    furnished,
    key_header,
    master_header,
    operational,
)
from cos_trace import Player, Session, Step, examples, extents, traces
from cos_walk import CMK, EMK_P1, EMK_S1, EMK_S2, SELECT_MF, UK04, walked
from hypothesis import given
from hypothesis import strategies as st

from sscard.card import Card
from sscard.cos.layout import DomainHeader, DomainState
from sscard.cos.trace import Alarm, Exchanged
from sscard.cos.tree import mount
from sscard.testing.tear import sweep
from sscard.testing.trial import Step as TearStep
from sscard.testing.trial import record

CARDS = {"owned": furnished, "operational": operational}
cards = st.sampled_from(sorted(CARDS))
OTHER = {SSSE: PSE, PSE: SSSE}
ENVIRONMENTS = pytest.mark.parametrize("code", [SSSE, PSE], ids=["SSSE", "PSE"])
RING = range(8, 136)
CS, EX = 4, 5
GET_CARD_DATA = bytes.fromhex("80CA00C000")


def owner_of(snapshot, code):
    """A bureau in environment `code` of a copy of the card."""
    return Bureau(snapshot.fork()).select(code)


def session_of(bureau, code):
    return bureau.power.kernel.domains[code].session


# --- NI-1 ---------------------------------------------------------------------------------------


def changed_pages(before, after):
    if before == after:
        return set()
    places = range(0, len(after), 64)
    return {at // 64 for at in places if after[at : at + 64] != before[at : at + 64]}


def confinement(bureau, raw, send):
    """Every page a command writes is its domain's, or the ring's (CM, CREATED: F7)."""
    kernel = bureau.power.kernel
    code = kernel.current.code
    state = kernel.current.state
    before = bureau.card.image
    with bureau.card.eeprom.recording() as operations:
        response = send()
    allowed = set(RING) | set(extents(bureau.card.image).get(code, ()))
    if code == 0 or state == DomainState.CREATED:
        allowed |= {CS, EX} | set(extents(bureau.card.image).get(0, ()))
    if code == 0 and raw[1] == 0xE0:  # CREATE DDF writes its extent in the transaction (81, 82)
        for new in extents(bureau.card.image).keys() - extents(before).keys():
            allowed |= set(extents(bureau.card.image)[new])
    touched = {operation.address // 64 for operation in operations}
    assert touched <= allowed, raw.hex(" ")
    after = bureau.card.image
    assert changed_pages(before, after) <= touched
    return response


@examples(60)
@given(card=cards, trace=traces())
def test_ni_1_storage_confinement(card, trace):
    Player(CARDS[card](), observe=confinement).play(trace)


def test_ni_1_storage_confinement_on_the_walk():
    """The bootstrap set of F7 and nothing more, from the blank card to the hand-over."""
    bureau = Bureau(Card.blank())
    plain = bureau.send
    bureau.send = lambda apdu: confinement(bureau, apdu, lambda: plain(apdu))

    class Watched:
        kernel = property(lambda self: bureau.power.kernel)
        transmit = staticmethod(bureau.send)

    from cos_walk import walk

    for _ in walk(bureau.card, Watched()):
        pass
    assert bureau.card.image == walked("22").image


# --- NI-2 ---------------------------------------------------------------------------------------


def nothing_proved(bureau, raw, send):
    """After a SELECT into a domain its RAM is empty, and so is that of the one left."""
    kernel = bureau.power.kernel
    before = kernel.current
    response = send()
    after = kernel.current
    if raw[:2] == b"\x00\xa4" and response[-2:] in (b"\x90\x00", b"\x62\x83", b"\x62\x85"):
        into = after is not before or after.session.directory.parent is None
        is_directory = raw[2:3] != b"\x02" and after.session.file is None
        if into and is_directory:
            left = {before.code, after.code} if after is not before else {after.code}
            for code in left:
                session = kernel.domains[code].session
                assert (session.directory_mask, session.environment_mask) == (0, 0)
                assert session.challenges == ()
                assert session.file is None
    return response


@examples(40)
@given(card=cards, trace=traces())
def test_ni_2_nothing_survives_a_selection(card, trace):
    Player(CARDS[card](), observe=nothing_proved).play(trace)


@pytest.mark.parametrize("way", ["other and back", "same again", "MF and back", "ADF by name"])
@ENVIRONMENTS
def test_ni_2_nothing_proved_or_drawn_can_be_used_after_a_selection(code, way):
    bureau = owner_of(furnished(), code)
    assert bureau.prove(MASTER[code]) == "9000"
    assert bureau.sw("80CA00D100") == "9000"
    bureau.sw("00A4000002EF02" if code == PSE else "00A4000002EF0A")
    proof = bureau.proof(MASTER[code])
    match way:
        case "other and back":
            bureau.select(OTHER[code]).select(code)
        case "same again":
            bureau.select(code)
        case "MF and back":
            bureau.ok(SELECT_MF)
            bureau.select(code)
        case "ADF by name":  # an ADF of the other environment, then back
            name = ADF_OF[OTHER[code]]
            bureau.ok(bytes((0, 0xA4, 4, 0, len(name))) + name)
            bureau.select(code)
    assert bureau.sw(proof) == "6984"
    assert bureau.sw("80CA00D100") == "6982"
    assert session_of(bureau, code).file is None
    if code == SSSE:
        assert bureau.sw("00B0000000") == "6986"


# --- NI-3 ---------------------------------------------------------------------------------------

MARK = bytes.fromhex("C1A5E97B")
ROTATIONS = [MARK[at:] + MARK[:at] for at in range(4)]


def filled(snapshot, code, *, everything):
    """A card whose environment `code` is full of the mark: all of it, or all but headers."""
    card = snapshot.fork()
    image = bytearray(card.image)
    pages = extents(card.image)[code]
    begin, end = pages.start * 64, pages.stop * 64
    if everything:
        image[begin + 64 : end] = (MARK * (end - begin))[: end - begin - 64]
    else:
        tree = mount(card.image, pages.start, len(pages))
        for node in tree.nodes:
            if not node.is_directory:
                length = node.header.body_length
                image[node.body : node.body + length] = (MARK * length)[:length]
        image[tree.top + 8 : end] = (MARK * (end - tree.top))[: end - tree.top - 8]
    return Card(bytes(image), card.env.copy()).snapshot()


def unmarked(bureau, raw, send):
    response = send()
    assert not any(mark in response for mark in ROTATIONS), raw.hex(" ")
    return response


@examples(40)
@given(data=st.data(), code=st.sampled_from((SSSE, PSE)), everything=st.booleans(), card=cards)
def test_ni_3_no_foreign_byte_in_a_response(data, code, everything, card):
    marked = filled(CARDS[card](), OTHER[code], everything=everything)
    Player(marked, observe=unmarked).play(data.draw(traces(code)))


@pytest.mark.parametrize("everything", [True, False], ids=["all", "bodies"])
@pytest.mark.parametrize("code", [0, SSSE, PSE], ids=["CM", "SSSE", "PSE"])
def test_ni_3_every_fid_sfi_record_and_offset(code, everything):
    """All SFIs, records, offsets of page size, every FID some directory of the card has."""
    snapshot = operational()
    for other in {SSSE, PSE} - {code}:
        snapshot = filled(snapshot, other, everything=everything)
    bureau = Bureau(snapshot.fork())
    if code:
        bureau.select(code)
        assert bureau.prove(MASTER[code]) == "9000"
    home = SELECT.get(code, bytes.fromhex(SELECT_MF))
    commands = [
        bytes((0, 0xB0, 0x80 | sfi, offset, 0)) for sfi in range(32) for offset in (0, 64, 255)
    ]
    commands += [
        bytes((0, 0xB2, record, sfi << 3 | mode, 0))
        for sfi in range(31)
        for record in (0, 1, 2, 5, 255)
        for mode in (0, 4)
    ]
    fids = {
        node.fid
        for pages in extents(snapshot.image).values()
        for node in mount(furnished().image, pages.start, len(pages)).nodes
    }
    for fid in sorted(fids | {0x0000, 0x3FFF, 0xFFFF, 0xEF80}):
        for p1 in (0, 1, 2):
            commands.append(bytes((0, 0xA4, p1, 0, 2)) + fid.to_bytes(2))
            commands += [bytes((0, 0xB0, 0, 0, 0)), bytes((0, 0xB0, 0x7F, 0xFF, 0)), home]
    commands += [bytes((0x80, 0xCA, block, tag, 0)) for block in (0, 1, 9) for tag in range(256)]
    for raw in commands:
        unmarked(bureau, raw, lambda raw=raw: bureau.send(raw))


# --- NI-4 ---------------------------------------------------------------------------------------

COMMON = {0xA4, 0xC0, 0x84, 0x82, 0xCA, 0xE0, 0xD4, 0x1C, 0xE4, 0xE6, 0x0E}
FILE_INS = {0xB0, 0xB2, 0xD6, 0xDC, 0xE2}
BLOCKING = {0x16, 0x18, 0x1E}
TABLES = {
    0: COMMON | FILE_INS,
    SSSE: COMMON | FILE_INS | BLOCKING
    | {0x88, 0x20, 0x24, 0x5E, 0x2C, 0x50, 0x52, 0x54, 0x58, 0x5A, 0x5C},
    PSE: COMMON | FILE_INS | BLOCKING
    | {0x88, 0x20, 0x24, 0x5E, 0x2C, 0xA8, 0xAE, 0xDA, 0xD8, 0x50, 0x52, 0x54, 0x58, 0x5A, 0x5C},
}  # fmt: skip
"""INS accepted per domain (cos 3.2): what is in none of them is 6D00 everywhere."""

BEFORE = {
    "nothing": (),
    "SSSE": (SSSE,),
    "PSE": (PSE,),
    "SSSE, MF": (SSSE, 0),
    "PSE, SSSE": (PSE, SSSE),
    "SSSE, PSE": (SSSE, PSE),
}


def ram(bureau):
    """What the current domain holds in RAM, but for the challenge, which any command wipes."""
    kernel = bureau.power.kernel
    session = kernel.current.session
    return (
        kernel.current.code,
        session.directory_mask,
        session.environment_mask,
        session.directory,
        session.file,
        session.restriction,
    )


@pytest.mark.parametrize("before", BEFORE)
@pytest.mark.parametrize("card", CARDS)
def test_ni_4_an_unknown_ins_is_6d00_and_changes_nothing(card, before):
    bureau = Bureau(CARDS[card]().fork())
    for code in BEFORE[before]:
        bureau.ok(SELECT.get(code, bytes.fromhex(SELECT_MF)))
    here = bureau.power.kernel.current.code
    assert bureau.prove(MASTER[here]) == "9000"
    bureau.send("00A4020002EF0A")
    held, image = ram(bureau), bureau.card.image
    for ins in range(256):
        if ins in TABLES[here]:
            continue
        for cla in (0x00, 0x80):
            for tail in (b"", b"\x00", b"\x02\xab\xcd"):
                assert bureau.sw(bytes((cla, ins, 0, 0)) + tail) == "6D00", f"{cla:02X}{ins:02X}"
    assert (ram(bureau), bureau.card.image) == (held, image)


@pytest.mark.parametrize(
    ("code", "ins"),
    [
        *((0, ins) for ins in sorted((TABLES[SSSE] | TABLES[PSE]) - TABLES[0])),
        *((SSSE, ins) for ins in (0xA8, 0xAE, 0xDA)),
        # 50 is the PSE's own while it is OWNED: INITIALIZE UPDATE
        *((PSE, ins) for ins in (0x52, 0x54, 0x58, 0x5A, 0x5C, 0x2C, 0x5E)),
    ],
)
def test_ni_4_an_ins_of_another_domain_is_6d00(code, ins):
    bureau = Bureau(furnished().fork())
    for visited in (SSSE, PSE):
        bureau.select(visited)
        bureau.prove(MASTER[visited])
    bureau.ok(SELECT.get(code, bytes.fromhex(SELECT_MF)))
    for cla in (0x00, 0x80):
        assert bureau.sw(bytes((cla, ins, 0, 0, 8)) + bytes(8)) == "6D00"


# --- NI-5 ---------------------------------------------------------------------------------------


@examples(120)
@given(card=cards, trace=traces(erasing=False), link=st.sampled_from(("apdu", "t0")))
def test_ni_5_observational_independence(card, trace, link):
    """Leaving out the other environment's sessions changes no answer and no byte.

    Between owned environments: two without an owner share the CMK and its try counter (F8).
    """
    snapshot = CARDS[card]()
    together = Player(snapshot, link=link).play(trace)
    for code in (SSSE, PSE):
        alone = Player(snapshot, only=(code,), link=link).play(trace)
        assert together.responses(code) == alone.responses(code)
        assert together.extent(code) == alone.extent(code)
        assert alone.extent(OTHER[code]) == Player(snapshot).extent(OTHER[code])


# --- NI-6 ---------------------------------------------------------------------------------------


def terminated(bureau, code):
    assert bureau.act(0xE6, MASTER[code]) == "9000"
    assert bureau.sw(SELECT[code]) == "6285"


def erased(bureau, code):
    assert bureau.act(0x0E, MASTER[code]) == "9000"


def full(bureau, code):
    assert bureau.prove(MASTER[code]) == "9000"
    fid, size = 0xA000, 4000
    while size > 4:
        sw = bureau.create(fcp(TRANSPARENT, fid, size=size, sfi=0))
        fid += 1
        if sw == "6A84":
            size //= 2
        else:
            assert sw == "9000"
    assert bureau.create(fcp(TRANSPARENT, fid, size=64, sfi=0)) == "6A84"


def keys_spent(bureau, code):
    for left in range(7, -1, -1):
        assert bureau.prove(CMK) == f"63C{left}"
    assert bureau.prove(MASTER[code]) == "6983"


def header_poked(block):
    """The domain's block byte set behind the card's back: whatever command would do it."""

    def poke(bureau, code):
        bureau.power.power_off()
        eeprom = bureau.card.eeprom
        start = extents(bureau.card.image)[code].start * 64
        header = DomainHeader.parse(bureau.card.image[start : start + 64])
        eeprom.poke(start, header._replace(block=block).build())
        bureau.power = bureau.card.power_on()
        assert bureau.sw(SELECT[code]) in ("6283", "6A81")

    return poke


def emptied(bureau, code):
    bureau.power.power_off()
    pages = extents(bureau.card.image)[code]
    bureau.card.eeprom.poke(pages.start * 64, b"\xff" * 64 * len(pages))
    bureau.power = bureau.card.power_on()


FATES = {
    "terminated": terminated,
    "erased": erased,
    "full": full,
    "keys spent": keys_spent,
    "blocked": header_poked(1),
    "blocked for good": header_poked(2),
    "card blocked": header_poked(3),
    "all bytes gone": emptied,
}


@pytest.mark.parametrize("fate", FATES)
@ENVIRONMENTS
@examples(12)
@given(data=st.data())
def test_ni_6_what_happens_to_one_environment_is_not_seen_in_the_other(code, fate, data):
    snapshot = furnished()
    bureau = owner_of(snapshot, OTHER[code])
    FATES[fate](bureau, OTHER[code])
    image = bureau.card.image
    env = snapshot.env
    trace = data.draw(traces(code))
    untouched = Player(Card(snapshot.image, env.copy()).snapshot()).play(trace)
    touched = Player(Card(image, env.copy()).snapshot()).play(trace)
    assert touched.responses() == untouched.responses()
    assert touched.extent(code) == untouched.extent(code)


def test_ni_6_wrong_macs_that_block_the_ssse_are_not_seen_in_the_pse():
    """Three in a row block it for good (cos 6.1)."""
    snapshot = operational()
    bureau = owner_of(snapshot, SSSE)
    for expected in ("6988", "6988", "9303"):
        assert bureau.sw(bureau.protected("04D69200", b"xx", CMK, length=8)) == expected
    assert bureau.sw(SELECT[SSSE]) == "6283"
    assert bureau.sw("00B08A0000") == "9303"
    trace = [Session(PSE, steps_of(("prove", 1), ("get", 0xD0), ("get", 0xD1), ("prove", 0)))]
    fresh = Player(Card(snapshot.image, snapshot.env.copy()).snapshot()).play(trace)
    blocked = Player(Card(bureau.card.image, snapshot.env.copy()).snapshot()).play(trace)
    assert blocked.responses() == fresh.responses()


def steps_of(*pairs):
    return tuple(
        Step("raw", (), f"80CA00{value:02X}00") if what == "get" else Step(what, (value,))
        for what, value in pairs
    )


# --- NI-7 ---------------------------------------------------------------------------------------


@ENVIRONMENTS
def test_ni_7_an_equal_key_gives_no_right_next_door(code):
    """EMK-S and EMK-P made equal, UK04 equal in both: a proof here is nothing there."""
    shared = b"TEST-SAME-KEY-01"
    bureau = Bureau(furnished().fork())
    for each in (SSSE, PSE):
        bureau.select(each)
        assert bureau.prove(MASTER[each]) == "9000"
        assert bureau.write_key(MASTER[each], master_header(3), shared, replace=True) == "9000"
    bureau.select(code)
    assert bureau.prove(shared) == "9000"
    bureau.prove(UK04, 4, session=code == SSSE)
    assert bureau.sw("80CA00D100") == "9000"
    proof = bureau.proof(shared)
    bureau.select(OTHER[code])
    assert bureau.sw(proof) == "6984", "a cryptogram is bound to the domain's own challenge"
    assert session_of(bureau, OTHER[code]).environment_mask == 0
    assert bureau.sw("80CA00D100") == "6982"
    assert bureau.create(fcp(TRANSPARENT, 0xEF1A, size=8)) == "6982"
    if code == PSE:
        assert bureau.sw("00B0900000") == "6982"
        assert bureau.sw("00D6900001FF") == "6982"
    assert bureau.prove(shared) == "9000"
    assert session_of(bureau, code).environment_mask == 0


# --- NI-8 ---------------------------------------------------------------------------------------


@examples(120)
@given(
    card=cards,
    code=st.sampled_from((SSSE, PSE)),
    data=st.data(),
    nobody=st.binary(min_size=16, max_size=16).filter(lambda key: key not in MASTER.values()),
)
def test_ni_8_the_cmk_has_no_power_over_an_owned_environment(card, code, data, nobody):
    """Every cryptogram made with the CMK does what one made with a random key does: nothing.

    Over resets, snapshots taken and restored, and power cuts in mid-command.
    """
    snapshot = CARDS[card]()
    trace = data.draw(traces(code, rig=True))

    def state_kept(bureau, raw, send):
        response = send()
        start = extents(bureau.card.image)[code].start * 64
        state = DomainHeader.parse(bureau.card.image[start : start + 64]).state
        assert state == snapshot.image[start + 3]
        return response

    sponsor = Player(snapshot, key=CMK, observe=state_kept).play(trace)
    stranger = Player(snapshot, key=nobody).play(trace)
    assert sponsor.responses() == stranger.responses()
    assert sponsor.extent(code) == stranger.extent(code)


@ENVIRONMENTS
def test_ni_8_the_cmk_proved_in_the_card_manager_gives_nothing_in_an_environment(code):
    bureau = Bureau(furnished().fork())
    assert bureau.prove(CMK) == "9000"
    bureau.select(code)
    assert bureau.sw("80CA00D100") == "6982"
    assert bureau.create(fcp(TRANSPARENT, 0xEF1A, size=8)) == "6982"
    assert bureau.write_key(CMK, key_header(0x0D, 0x09), UK04) == "6988"


def test_ni_8_the_key_of_row_13_is_refused_by_both_environments():
    bureau = Bureau(walked("12").fork())
    for code, emk in ((SSSE, EMK_S1), (PSE, EMK_P1)):
        bureau.select(code)
        assert bureau.prove(CMK) == "63C7"
        assert bureau.prove(emk) == "9000"


# --- NI-9 ---------------------------------------------------------------------------------------


def torn_commands():
    """Return a card, the session before a command, the command, and its domain."""
    found = []

    def given(name, snapshot, code, *prepare, command):
        bureau = Bureau(snapshot.fork())
        session = []
        plain = bureau.send

        drawn = [b""]

        def noted(apdu):
            raw = bytes.fromhex(apdu) if isinstance(apdu, str) else apdu
            answer = plain(raw)
            if raw[1] == 0x84:  # drawn again, and the same, whenever the step is tried
                drawn[0] = answer[:-2]
            else:
                session.append(TearStep(raw, drawn[0]))
                drawn[0] = b""
            return answer

        bureau.send = noted
        if code:
            bureau.select(code)
        for step in prepare:
            step(bureau)
        command(bureau)
        found.append(pytest.param(snapshot, session[:-1], session[-1], code, id=name))

    prove = {code: lambda b, k=key: b.prove(k) for code, key in MASTER.items()}
    owned = furnished()
    given("verify", owned, SSSE, command=lambda b: b.send(b"\x00\x20\x00\x00\x03" + PIN))
    given("prove", owned, PSE, command=prove[PSE])
    given("update", owned, SSSE, command=lambda b: b.send("00D68A0004CAFEBABE"))
    given("append", owned, SSSE, command=lambda b: b.send("00E20070050908070605"))
    given(
        "create",
        owned,
        PSE,
        prove[PSE],
        command=lambda b: b.create(fcp(TRANSPARENT, 0xEF1A, size=200)),
    )
    given("delete", owned, SSSE, prove[SSSE], command=lambda b: b.send("80E4000002EF0A"))
    given(
        "write key",
        owned,
        PSE,
        prove[PSE],
        command=lambda b: b.write_key(EMK_P1, key_header(0x0D, 9), UK04),
    )
    given("end", owned, SSSE, command=lambda b: b.act(0x1C, EMK_S2))
    given("terminate", owned, PSE, command=lambda b: b.act(0xE6, EMK_P1))
    given("erase", walked("22"), SSSE, command=lambda b: b.act(0x0E, EMK_S2))
    given("sm update", owned, SSSE, command=lambda b: b.send(b.protected("04D69200", b"new", STK)))
    given("wrong mac", owned, SSSE, command=lambda b: b.send(b.protected("04D69200", b"new", CMK)))
    given(
        "EMK",
        created(),
        SSSE,
        prove[0],
        command=lambda b: b.write_key(CMK, master_header(), EMK_S1),
    )
    given(
        "create MF file",
        walked("4"),
        0,
        prove[0],
        command=lambda b: b.create(fcp(TRANSPARENT, 0xEF1A, size=100)),
    )
    return found  # fmt: skip


@pytest.mark.parametrize(("snapshot", "session", "step", "code"), torn_commands())
def test_ni_9_a_tear_touches_no_other_extent(snapshot, session, step, code):
    trial = record(snapshot, session, step)
    assert trial.response == b"\x90\x00" or step.apdu[:2] == b"\x04\xd6", trial.response.hex()
    result = sweep(trial, nested=1, seeds=2)
    assert not result.violations, "\n".join(map(str, result.violations[:3]))
    allowed = set(RING) | set(extents(snapshot.image).get(code, ()))
    if code == 0 or snapshot.image[extents(snapshot.image)[code].start * 64 + 3] == 1:
        allowed |= {CS, EX} | set(extents(snapshot.image)[0])
    assert set(result.pages) <= allowed


# --- NI-10, NI-11 -------------------------------------------------------------------------------


def strangers(code):
    """Images equal to a card's but inside extent `code`: other lives, other bytes."""
    base = furnished()
    pages = extents(base.image)[code]
    begin, end = pages.start * 64, pages.stop * 64

    def with_extent(data):
        return base.image[:begin] + data + base.image[end:]

    def lived(*fates):
        bureau = owner_of(base, code)
        for fate in fates:
            FATES[fate](bureau, code)
        return with_extent(bureau.card.image[begin:end])

    noise = Random(code).randbytes(end - begin)
    garbled = bytearray(base.image[begin:end])
    for at in Random(-code).sample(range(2000), 60):
        garbled[at] ^= 1 << at % 8
    return {
        "erased silicon": with_extent(b"\xff" * (end - begin)),
        "zeros": with_extent(bytes(end - begin)),
        "noise": with_extent(noise),
        "garbled": with_extent(bytes(garbled)),
        "marked": filled(base, code, everything=True).image,
        "marked bodies": filled(base, code, everything=False).image,
        "no owner": with_extent(walked("9a").image[begin:end]),
        **{fate: lived(fate) for fate in FATES},
    }


STRANGERS = {code: strangers(code) for code in (SSSE, PSE)}


def timed(image, env, trace):
    """Play a trace; return what went over the wire, and how long each command took."""
    player = Player(Card(image, env.copy()).snapshot())
    elapsed = []
    player.card.trace(
        lambda event: elapsed.append(event.elapsed_us) if isinstance(event, Exchanged) else None
    )
    player.play(trace)
    return player, elapsed


@pytest.mark.parametrize("life", STRANGERS[SSSE])
@ENVIRONMENTS
@examples(10)
@given(data=st.data())
def test_ni_10_ni_11_sw_and_time_equality(code, life, data):
    """Images that differ in the other environment alone: same answers, same virtual time."""
    trace = data.draw(traces(code))
    base = furnished()
    here, here_time = timed(base.image, base.env, trace)
    there, there_time = timed(STRANGERS[OTHER[code]][life], base.env, trace)
    assert here.responses() == there.responses(), "NI-10"
    assert here_time == there_time, "NI-11"
    assert here.extent(code) == there.extent(code)


@examples(60)
@given(data=st.data(), code=st.sampled_from((SSSE, PSE)), seed=st.integers(0, 2**32))
def test_ni_10_sw_equality_over_random_neighbours(data, code, seed):
    trace = data.draw(traces(code))
    base = furnished()
    pages = extents(base.image)[OTHER[code]]
    image = bytearray(base.image)
    draw = Random(seed)
    for _ in range(draw.randrange(1, 200)):
        at = draw.randrange(pages.start * 64, pages.stop * 64)
        if draw.random() < 0.7:
            at = pages.start * 64 + at % 1500
        image[at] = draw.randrange(256)
    here, here_time = timed(base.image, base.env, trace)
    there, there_time = timed(bytes(image), base.env, trace)
    assert (here.responses(), here_time) == (there.responses(), there_time)
    assert here.extent(code) == there.extent(code)


def test_ni_11_card_manager_time_does_not_depend_on_the_environments():
    elapsed = set()
    for image in (furnished().image, *STRANGERS[SSSE].values(), *STRANGERS[PSE].values()):
        card = Card(image, furnished().env.copy())
        times = []
        card.trace(lambda e, t=times: t.append(e.elapsed_us) if isinstance(e, Exchanged) else None)
        bureau = Bureau(card)
        bureau.prove(CMK)
        bureau.prove(UK04)
        bureau.sw("80CA00D100")
        elapsed.add(tuple(times))
    assert len(elapsed) == 1


# --- NI-12 --------------------------------------------------------------------------------------

READ_ONLY = {
    0: ("0084000008", "0084000010", "80CA00C000", "80CA00C300", "80CA00D000", "80CA00D100",
        "00A4040400", SELECT_MF, "00A40000023F00", "00A4000002DDF9", "00B2010400", "00B0000000"),
    SSSE: ("0084000008", "80CA00C000", "80CA00D000", "80CA00D100", "80CA00D200", "00A4000002EF05",
           "00A4040405" + "00" * 5, "00A4020402EF0A", "00B08A0000", "00B08A0010", "00B2052800",
           "00B2012C00", "00B2016C00", "00B2027400", "00B2056800", "00B0900000", "00B0910000",
           "00A4000002DF05", "00A40300", "00200000", "0088000010" + "22" * 16, "00A4000002EFEF",
           "00B0922000", "00C0000000", "0020000103123456", "FFFFFFFF", "00",
           "0082000410" + "00" * 16),
    PSE: ("0084000008", "80CA00C000", "80CA00C300", "80CA00D000", "80CA00D100", "00B2011400",
          "00B2011C00", "00A4040007A0000003330102", "00C0000000"),
}  # fmt: skip


@pytest.mark.parametrize("card", CARDS)
@pytest.mark.parametrize("code", READ_ONLY, ids=["CM", "SSSE", "PSE"])
def test_ni_12_read_only_commands_cost_no_operation(card, code):
    bureau = Bureau(CARDS[card]().fork())
    operations, image = bureau.card.eeprom.ops, bureau.card.image
    bureau.ok(SELECT.get(code, bytes.fromhex(SELECT_MF)))
    for _ in range(2):
        for command in READ_ONLY[code]:
            bureau.send(command)
        bureau.power.reset()
        bureau.ok(SELECT.get(code, bytes.fromhex(SELECT_MF)))
    assert bureau.card.eeprom.ops == operations
    assert bureau.card.image == image


def test_ni_12_a_protected_read_under_an_uncounted_key_costs_no_operation():
    bureau = owner_of(furnished(), SSSE)
    before = bureau.card.eeprom.ops
    command = bureau.protected("04B09400", b"", STK, length=8, le=16)
    assert len(bureau.data(command)) == 20
    assert bureau.card.eeprom.ops == before


def test_ni_12_the_exception_a_mac_under_a_counted_key():
    """T2: a try is spent before the comparison, whatever it guards."""
    bureau = owner_of(furnished(), SSSE)
    header = key_header(0x07, 0x03, tries=0x33)
    assert bureau.prove(EMK_S2) == "9000"
    assert bureau.write_key(EMK_S2, header, STK) == "9000"
    parameters = fcp(TRANSPARENT, 0xEF1A, size=16, sfi=26, access="0000 0000 FFFF A300")
    assert bureau.create(parameters) == "9000"
    before = bureau.card.eeprom.ops
    bureau.data(bureau.protected("04B09A00", b"", STK, length=8, le=16))
    assert bureau.card.eeprom.ops > before


# --- NI-13 --------------------------------------------------------------------------------------


def _outside(code):
    """An address in the other environment's extent."""
    return extents(furnished().image)[OTHER[code]].start * 64 + 0x50


def write_through_the_own_window(domain, command):
    domain.store.write(_outside(domain.code), b"\x00")
    return b""


def write_through_a_widened_window(domain, command):
    domain.store.allow([range(1280)], domain.store.tag)
    domain.store.write(_outside(domain.code), b"\x00")
    return b""


def write_free_space_through_a_widened_window(domain, command):
    domain.store.allow([range(1280)], domain.store.tag)
    domain.store.write_free(_outside(domain.code) // 64, bytes(64))
    return b""


def write_one_byte_more(domain, command):
    """The last byte of the own extent and the first of the next one, in one write."""
    domain.store.allow([range(1280)], domain.store.tag)
    domain.store.write(domain.extent.page_range.stop * 64 - 1, b"\x00\x00")
    return b""


def write_a_kernel_page(page):
    def handler(domain, command):
        domain.store.allow([range(1280)], domain.store.tag)
        domain.store.write(page * 64 + 8, b"\x00")
        return b""

    return handler


def read_outside(domain, command):
    return domain.store.read(_outside(domain.code), 16)


MUTATIONS = {
    "own window": write_through_the_own_window,
    "widened window": write_through_a_widened_window,
    "free space": write_free_space_through_a_widened_window,
    "one byte more": write_one_byte_more,
    "superblock": write_a_kernel_page(0),
    "chip page": write_a_kernel_page(2),
    "card state": write_a_kernel_page(4),
    "extent table": write_a_kernel_page(5),
    "ring": write_a_kernel_page(20),
    "card manager": write_a_kernel_page(140),
    "read": read_outside,
}


@pytest.mark.parametrize("mutation", MUTATIONS)
@ENVIRONMENTS
def test_ni_13_the_guard_fires(code, mutation, monkeypatch):
    card = furnished().fork()
    events = []
    card.trace(events.append)
    bureau = Bureau(card).select(code)
    rows = bureau.power.kernel.current.session.table._rows
    row = rows[0x80CA]
    monkeypatch.setitem(rows, 0x80CA, row._replace(handler=MUTATIONS[mutation]))
    before, operations = card.image, card.eeprom.ops
    assert bureau.send("80CA00D000") == b"\x6f\x00"
    assert [event for event in events if isinstance(event, Alarm)], "the alarm is told"
    assert (card.image, card.eeprom.ops) == (before, operations), "nothing is written"
    for command in ("80CA00D000", "0084000008", SELECT_MF, "00A40000", "00C0000000", "FFFFFFFF05"):
        assert bureau.send(command) == b"\x6f\x00", "mute until reset"
    for command in ("", "00", "00A4", "00A404"):
        assert bureau.send(command) == b"\x67\x00"
    monkeypatch.undo()
    bureau.power.reset()
    bureau.select(code)
    assert bureau.sw("80CA00D000") == "9000"
    assert (card.image, card.eeprom.ops) == (before, operations)


@pytest.mark.parametrize("widened", [False, True], ids=["own window", "widened"])
def test_ni_13_the_guard_fires_after_a_command_that_wrote_a_counter(widened, monkeypatch):
    """The part of a command that was rightly committed stays (T2); the rest is dropped."""
    card = furnished().fork()
    bureau = Bureau(card).select(SSSE)
    rows = bureau.power.kernel.current.session.table._rows
    honest = rows[0x0020].handler

    def handler(domain, command):
        honest(domain, command)
        if widened:
            domain.store.allow([range(1280)], domain.store.tag)
        domain.store.write(domain.extent.address + 4, b"\x00")
        domain.store.write(_outside(SSSE), b"\x00")
        return b""

    monkeypatch.setitem(rows, 0x0020, rows[0x0020]._replace(handler=handler))
    start, stop = (at * 64 for at in (168, 168 + 640))
    before = card.image
    assert bureau.send(b"\x00\x20\x00\x00\x03" + PIN) == b"\x6f\x00"
    assert card.image[start:] == before[start:]
    assert card.image[:0x200] == before[:0x200]
    assert stop < len(before)


def forged_page(seq, images, tag):
    """A transaction page of the journal with good check sums, as a terminal might store it."""
    payload = b"".join(page.to_bytes(2) + data for page, data in images)
    body = seq.to_bytes(4) + len(payload).to_bytes(2) + bytes((len(images), tag))
    body += b"\xff\xff\xff\xff" + crc32(payload).to_bytes(4)
    opening = b"JT\x01\xff"
    return opening + body + crc32(opening[:3] + body).to_bytes(4) + payload[:40].ljust(40, b"\xff")


def test_ni_13_a_forged_journal_page_in_a_file_is_never_replayed():
    """cos 1.4: no payload at offset 0 of a ring page, however it is aligned in the file."""
    forged = forged_page(0x7FFFFFFF, [], 2)
    bureau = owner_of(furnished(), SSSE)
    assert bureau.prove(EMK_S2) == "9000"
    assert bureau.create(fcp(TRANSPARENT, 0xEF1A, size=600, sfi=26)) == "9000"
    for offset in range(256):
        bureau.send(bytes((0, 0xD6, 0x9A, offset, 64)) + forged)
    ring = bureau.card.image[0x200:0x2200]
    assert all(ring[at : at + 64] != forged for at in range(0, len(ring), 64))
    assert all(ring[at : at + 2] in (b"JT", b"JC", b"\xff\xff") for at in range(0, len(ring), 64))
    before = bureau.card.image
    bureau.power = bureau.card.power_on()
    assert bureau.card.image == before


# --- NI-14 --------------------------------------------------------------------------------------


@examples(60)
@given(card=cards, before=traces(), after=traces())
def test_ni_14_a_snapshot_behaves_like_its_card(card, before, after):
    """No hidden state: image and environment, on a fresh object, is all there is."""
    player = Player(CARDS[card]()).play(before)
    snapshot = player.card.snapshot()
    fresh = Card(snapshot.image, snapshot.env.copy())

    def go_on(card):
        other = Player(card.snapshot())
        other.masters = dict(player.masters)
        other.play(after)
        return other.responses(), other.card.image, other.card.env

    assert go_on(fresh) == go_on(player.card) == go_on(snapshot.fork())
