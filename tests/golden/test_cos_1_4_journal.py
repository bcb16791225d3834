"""The journal's bytes against the worked example of cos 1.4."""

import pytest

from sscard.cos.eeprom import BLANK, Eeprom, Phase, Tear
from sscard.cos.journal import Journal, JournalOverflow, Transaction, continuations
from sscard.env import Env
from sscard.errors import PowerLoss

RING = 8
SSSE = range(168, 808)
HOME = 0x00AB

JC = bytes.fromhex("4A43 00000007 0400008F00031002FFFFB0C3BE8D15CCE35B43AE0D702B4D80CD").ljust(
    64, b"\xff"
)
JT = bytes.fromhex(
    "4A54 01 FF 00000007 0042 01 01 0005 FFFF 8C583280 40AB3538"
    "00AB 008F00011008FFFF2B505085B5AC0FA34C231CFD2D4C0B1A4ECED7FF0A8FD209A50D04010033"
)
MARKER = bytes.fromhex("4A54 01 00 00000007 0000 00 01 FFFF FFFF 00000000 02E03C83").ljust(
    64, b"\xff"
)
AFTER = JT[26:64] + JC[6:32]
COUNTER = 0x2AED - HOME * 64
BEFORE = AFTER[:COUNTER] + b"\x03" + AFTER[COUNTER + 1 :]


def allowed(tag, images):
    return [SSSE] if tag == 1 else []


def card():
    """A card whose ring has reached seq 7, slot 5, with UK04 at three tries."""
    eeprom = Eeprom(BLANK * 1280, Env())
    eeprom.poke(HOME * 64, BEFORE)
    return eeprom, Journal.resume(eeprom, RING, 128, allowed, seq=7, slot=5)


def slot(eeprom, number):
    return eeprom.read((RING + number) * 64, 64)


def ring(eeprom):
    return {n: slot(eeprom, n) for n in range(128) if slot(eeprom, n) != BLANK}


def test_cos_1_4_worked_example_is_consistent():
    assert len(JC) == len(JT) == len(MARKER) == len(AFTER) == 64
    assert AFTER[COUNTER] == 2


def test_cos_1_4_worked_example_as_it_stands_after_step_2():
    eeprom, journal = card()
    eeprom.arm(Tear(1, Phase.AFTER))  # the ring is blank: two programs, no erase
    with pytest.raises(PowerLoss):
        journal.commit(1, {HOME: AFTER}, secret=True)
    assert ring(eeprom) == {5: JC, 6: JT}
    assert eeprom.read(HOME * 64, 64) == BEFORE


def test_cos_1_4_worked_example_without_scrubbing():
    eeprom, journal = card()
    journal.scrub = False
    assert journal.commit(1, {HOME: AFTER}, secret=True)
    assert ring(eeprom) == {5: JC, 6: JT[:3] + b"\x00" + JT[4:]}
    assert eeprom.read(HOME * 64, 64) == AFTER
    assert eeprom.env.clock_us == 4 * 1200  # blank ring pages, and 3 -> 2 raises no bit


def test_cos_1_4_worked_example_leaves_the_marker():
    eeprom, journal = card()
    assert journal.commit(1, {HOME: AFTER}, secret=True)
    assert ring(eeprom) == {6: MARKER}
    assert eeprom.read(HOME * 64, 64) == AFTER
    assert (journal.seq, journal.slot) == (8, 7)


def test_cos_1_4_the_marker_keeps_seq_and_ring_position():
    eeprom, journal = card()
    journal.commit(1, {HOME: AFTER}, secret=True)
    found = Journal(eeprom, RING, 128, allowed)
    assert found.replay() == (1, (), False, None)
    assert (found.seq, found.slot) == (8, 7)


def test_cos_1_4_the_transaction_page_parses():
    image = bytearray(BLANK * 128)
    image[5 * 64 : 7 * 64] = JC + JT
    assert Transaction.parse(image, 6) == (7, 6, range(5, 6), 1, False, ((HOME, AFTER),))
    image[6 * 64 : 7 * 64] = MARKER
    assert Transaction.parse(image, 6) == (7, 6, range(6, 6), 1, True, ())


def test_cos_1_4_a_one_page_update_takes_8_4_ms():
    """On a ring in use every page is erased first: 3 x 2.4 + 1.2."""
    eeprom, journal = card()
    for used in (5, 6):
        eeprom.poke((RING + used) * 64, bytes(64))
    eeprom.poke(HOME * 64, bytes(64))
    journal.commit(1, {HOME: AFTER}, secret=False)
    assert eeprom.env.clock_us == 8_400


def test_cos_1_4_a_scrub_takes_2_4_ms_and_1_2_for_each_continuation_page():
    times = []
    for secret in (False, True):
        eeprom, journal = card()
        journal.commit(1, {page: bytes(64) for page in range(168, 173)}, secret=secret)
        times.append(eeprom.env.clock_us)
    assert times[1] - times[0] == 2_400 + 5 * 1_200


@pytest.mark.parametrize(("images", "pages"), [(1, 2), (2, 3), (5, 6), (55, 63), (62, 71)])
def test_cos_1_4_ring_pages_of_a_transaction(images, pages):
    assert 1 + continuations(66 * images) == pages


@pytest.mark.parametrize(("slots", "most"), [(128, 62), (64, 55)])
def test_cos_1_4_most_images_of_a_transaction(slots, most):
    eeprom = Eeprom(BLANK * 1280, Env())
    journal = Journal(eeprom, RING, slots, allowed)
    journal.replay()
    with pytest.raises(JournalOverflow):
        journal.commit(1, {page: bytes(64) for page in SSSE[: most + 1]}, secret=False)
    assert eeprom.ops == 0
    assert journal.commit(1, {page: bytes(64) for page in SSSE[:most]}, secret=False)
    assert eeprom.read(SSSE.start * 64, most * 64) == bytes(most * 64)
