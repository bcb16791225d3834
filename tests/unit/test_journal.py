"""The journal without power loss: what is in the ring, the guard, worn pages (cos 1.4).

The chip of these tests is small: page 0, a ring of eight pages, twelve home pages of which
the first six hold keys.
"""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sscard.cos.eeprom import (
    BLANK,
    ENDURANCE,
    Eeprom,
    Phase,
    Tear,
    WriteFailure,
    torn_image,
)
from sscard.cos.journal import FirewallViolation, Journal, Transaction
from sscard.env import Env
from sscard.errors import PowerLoss

DOMAIN, STRANGER = 1, 2
RING, HOMES, PAGES = 8, range(9, 21), 21
KEYS = HOMES[:6]
VICTIM = HOMES[-1]
EMPTY = BLANK * PAGES
ZEROS = bytes(64)


def two_domains(tag, images):
    """DOMAIN owns all home pages but the last, which is STRANGER's."""
    owned = {DOMAIN: HOMES[:-1], STRANGER: HOMES[-1:]}
    return [owned[tag]] if tag in owned else []


def anything_goes(tag, images):
    return [range(1 << 16)]


def card(image: bytes = EMPTY, allowed=two_domains, **switches) -> tuple[Eeprom, Journal]:
    eeprom = Eeprom(image, Env())
    journal = Journal(eeprom, 1, RING, allowed, **switches)
    journal.replay()
    journal.tidy(KEYS)
    return eeprom, journal


def ring(eeprom: Eeprom) -> bytes:
    return eeprom.read(64, 64 * RING)


def images(*pages: int, fill: int = 0) -> dict[int, bytes]:
    return {page: bytes((fill,)) * 64 for page in pages}


# -- what is in the ring ----------------------------------------------------------------------


def test_cos_1_4_a_transaction_that_does_not_fit_starts_at_slot_0():
    eeprom, journal = card()
    for fill in range(3):
        journal.commit(DOMAIN, images(9, 10, fill=fill), secret=False)
    found = [Transaction.parse(ring(eeprom), slot) for slot in range(RING)]
    assert [(t.seq, t.slot) for t in found if t] == [(3, 2), (2, 5)]


def test_cos_1_4_equal_pages_are_left_out_and_nothing_is_no_transaction():
    eeprom, journal = card()
    assert not journal.commit(DOMAIN, {}, secret=True)
    assert not journal.commit(DOMAIN, images(9, 10, fill=0xFF), secret=True)
    assert eeprom.ops == 0
    assert journal.seq == 1
    assert journal.commit(DOMAIN, {11: ZEROS, 10: BLANK, 9: b"\x5a" * 64}, secret=False)
    written = Transaction.parse(ring(eeprom), journal.slot - 1)
    assert written
    assert [page for page, _ in written.images] == [9, 11]


def test_cos_1_4_a_fork_goes_on_where_the_card_stands():
    eeprom, journal = card()
    journal.commit(DOMAIN, images(9), secret=True)
    twin = Eeprom(eeprom.memory, Env())
    forked = Journal.resume(twin, 1, RING, two_domains, seq=journal.seq, slot=journal.slot)
    for step in (images(9, 15, fill=1), images(10)):
        journal.commit(DOMAIN, step, secret=True)
        forked.commit(DOMAIN, step, secret=True)
    assert twin.memory == eeprom.memory


def test_cos_1_4_without_scrubbing_the_log_stays():
    eeprom, journal = card(scrub=False)
    journal.commit(DOMAIN, images(9, 10), secret=True)
    eeprom.poke(64 * RING, b"noise")
    before = bytes(eeprom.memory)
    again, _ = card(before, scrub=False)
    assert again.memory == before
    scrubbed, _ = card(before)
    assert ring(scrubbed).count(BLANK) == RING - 1  # the marker alone


def test_cos_1_4_replay_says_what_it_found_and_makes_copies_stale():
    eeprom, journal = card()
    with eeprom.recording() as operations:
        journal.commit(DOMAIN, images(15, 16), secret=False)
    eeprom = Eeprom(torn_image(EMPTY, operations, Tear(3, Phase.BEFORE)), Env())
    journal = Journal(eeprom, 1, RING, two_domains)
    assert journal.replay() == (DOMAIN, (15, 16), True, None)
    assert eeprom.generation == 1
    assert journal.replay() == (DOMAIN, (15, 16), False, None)
    assert eeprom.generation == 1


def test_cos_1_4_an_empty_ring_starts_at_seq_1_slot_0():
    eeprom = Eeprom(EMPTY, Env())
    journal = Journal.resume(eeprom, 1, RING, two_domains, seq=9, slot=3)
    assert journal.replay() == (None, (), False, None)
    assert (journal.seq, journal.slot) == (1, 0)


@given(st.binary(min_size=64 * RING, max_size=64 * RING))
def test_cos_1_4_noise_in_the_ring_is_erased_and_changes_nothing_else(noise):
    eeprom, journal = card(BLANK + noise + BLANK * len(HOMES))
    assert eeprom.memory == EMPTY
    assert (journal.seq, journal.slot) == (1, 0)


@given(
    st.integers(0, RING - 1),
    st.integers(0, 63),
    st.integers(1, 255),
    st.booleans(),
)
def test_cos_1_4_a_damaged_log_is_noise_or_the_transaction(slot, offset, change, secret):
    """One changed byte in the ring, with the home pages still as before the commit."""
    eeprom, journal = card()
    eeprom.arm(Tear(2, Phase.AFTER))
    with pytest.raises(PowerLoss):
        journal.commit(DOMAIN, images(9, 10), secret=secret)
    image = bytearray(eeprom.memory)
    image[64 * (1 + slot) + offset] ^= change
    recovered, journal = card(bytes(image))
    assert recovered.read(9 * 64, 128) in (BLANK * 2, bytes(128))
    assert recovered.read(11 * 64, 64 * 10) == BLANK * 10
    assert card(bytes(recovered.memory))[0].ops == 0


# -- the guard --------------------------------------------------------------------------------


def forgery(tag: int, slot: int) -> tuple[bytes, bytes]:
    """A perfect log, in `slot` and the next, of a transaction that overwrites VICTIM."""
    eeprom = Eeprom(EMPTY, Env())
    forger = Journal.resume(eeprom, 1, RING, anything_goes, seq=2**31, slot=slot)
    eeprom.arm(Tear(1, Phase.AFTER))
    with pytest.raises(PowerLoss):
        forger.commit(tag, {VICTIM: b"\x66" * 64}, secret=False)
    log = eeprom.read(64 * (1 + slot), 128)
    assert Transaction.parse(ring(eeprom), slot + 1)
    return log[:64], log[64:]


def poked(tag: int, slot: int) -> Eeprom:
    """A card in use, in whose ring somebody has put a forgery."""
    eeprom, journal = card()
    for fill in range(2):
        journal.commit(DOMAIN, images(9, fill=fill), secret=True)
    eeprom.poke(64 * (1 + slot), b"".join(forgery(tag, slot)))
    return eeprom


def test_cos_1_4_a_forgery_in_the_ring_would_be_believed():
    """So that the next tests mean something: only its place is missing."""
    eeprom = poked(STRANGER, 5)
    Journal(eeprom, 1, RING, two_domains).replay()
    assert eeprom.read(VICTIM * 64, 64) == b"\x66" * 64


@pytest.mark.parametrize("slot", range(RING - 1))
def test_cos_1_4_attack_a_forged_log_as_file_contents_is_never_replayed(slot):
    """The forgery travels through the ring as payload, torn or not; nobody takes it for a log."""
    forged = forgery(STRANGER, slot)
    for count in (2, 5):
        content = {9 + nth: forged[nth % 2] for nth in range(count)}
        eeprom, journal = card(allowed=anything_goes, scrub=False)
        with eeprom.recording() as operations:
            journal.commit(DOMAIN, content, secret=False)
        for op in range(len(operations)):
            for phase in Phase:
                torn = torn_image(EMPTY, operations, Tear(op, phase))
                for allowed in (two_domains, anything_goes):
                    recovered, found = card(torn, allowed)
                    assert found.seq < 3
                    assert recovered.read(VICTIM * 64, 64) == BLANK


def test_cos_1_4_recovery_obeys_the_guard():
    """A whole transaction of DOMAIN that names a page of STRANGER is noise, and is erased."""
    eeprom = poked(DOMAIN, 5)
    asked = []

    def remembered(tag, images):
        asked.append((tag, dict(images)))
        return two_domains(tag, images)

    journal = Journal(eeprom, 1, RING, remembered)
    assert journal.replay().replayed is False
    journal.tidy(KEYS)
    assert asked[0] == (DOMAIN, {VICTIM: b"\x66" * 64})
    assert eeprom.read(VICTIM * 64, 64) == BLANK
    assert eeprom.read(64 * 6, 128) == BLANK * 2
    assert journal.seq == 3


@pytest.mark.parametrize("page", [0, *range(1, 9), VICTIM, 21, 0xFFFF])
def test_cos_1_4_a_refused_page_stops_the_whole_transaction(page):
    eeprom, journal = card()
    for write in (
        lambda pages: journal.commit(DOMAIN, pages, secret=False),
        lambda pages: journal.initialise(DOMAIN, pages),
    ):
        with pytest.raises(FirewallViolation):
            write({9: ZEROS, page: ZEROS})
    assert eeprom.ops == 0
    assert journal.commit(DOMAIN, {9: ZEROS}, secret=False)


@pytest.mark.parametrize("page", range(1, 9))
def test_cos_1_4_no_guard_can_open_the_ring(page):
    eeprom, journal = card(allowed=anything_goes)
    with pytest.raises(FirewallViolation):
        journal.commit(DOMAIN, {page: ZEROS}, secret=False)
    assert eeprom.ops == 0


def test_cos_1_3_t3_unreachable_pages_are_written_without_a_log():
    eeprom, journal = card()
    journal.initialise(DOMAIN, {9: ZEROS, 10: BLANK})
    assert eeprom.ops == 1
    assert ring(eeprom) == BLANK * RING


# -- worn pages -------------------------------------------------------------------------------


def worn(page: int) -> tuple[Eeprom, Journal]:
    eeprom = Eeprom(EMPTY, Env(wear=[0] * PAGES, wear_failures=True))
    eeprom.env.wear[page] = ENDURANCE + 1
    return eeprom, Journal(eeprom, 1, RING, two_domains)


@pytest.mark.parametrize("slot", range(3))
def test_cos_1_2_a_worn_ring_page_abandons_the_transaction(slot):
    """Nothing of it is left; the next one goes on behind the dead page."""
    eeprom, journal = worn(1 + slot)
    before = bytes(eeprom.memory)
    pages = images(9, 10)
    with pytest.raises(WriteFailure) as caught:
        journal.commit(DOMAIN, pages, secret=True)
    assert caught.value.page == 1 + slot
    assert eeprom.memory == before
    assert journal.commit(DOMAIN, pages, secret=True)
    assert eeprom.read(9 * 64, 128) == bytes(128)


def test_cos_1_4_a_worn_home_page_damages_its_owner_and_stops_nobody_else():
    eeprom, journal = worn(10)
    pages = images(9, 10, 11)
    with pytest.raises(WriteFailure) as caught:
        journal.commit(DOMAIN, pages, secret=True)
    assert caught.value.page == 10
    assert eeprom.read(9 * 64, 64) == eeprom.read(11 * 64, 64) == ZEROS
    for _ in range(2):
        journal = Journal(eeprom, 1, RING, two_domains)
        assert journal.replay().damaged == DOMAIN
        journal.tidy(KEYS)
    assert journal.commit(STRANGER, {VICTIM: ZEROS}, secret=False)
    assert eeprom.read(VICTIM * 64, 64) == ZEROS
    assert Journal(eeprom, 1, RING, two_domains).replay() == (
        STRANGER,
        (VICTIM,),
        False,
        None,
    )


def test_cos_1_4_the_last_sequence_number_is_the_last():
    eeprom = Eeprom(EMPTY, Env())
    journal = Journal.resume(eeprom, 1, RING, two_domains, seq=2**32 - 2, slot=0)
    assert journal.commit(DOMAIN, {9: ZEROS}, secret=True)
    before = bytes(eeprom.memory)
    for _ in range(2):
        with pytest.raises(WriteFailure):
            journal.commit(DOMAIN, {10: ZEROS}, secret=True)
        assert eeprom.memory == before
        journal = Journal(eeprom, 1, RING, two_domains)
        journal.replay()


def test_recovery_without_the_guard_is_caught():
    class Unguarded(Journal):
        def _permitted(self, found):
            return True

    eeprom = poked(DOMAIN, 5)
    Unguarded(eeprom, 1, RING, two_domains).replay()
    assert eeprom.read(VICTIM * 64, 64) != BLANK
