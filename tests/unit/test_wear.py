"""Wear: what cos 9 point 9 counts, and what a page says that is worn out (cos 1.2)."""

from collections import Counter

import pytest
from tear_bench import CYCLIC, FIXED, Bench, Ef, command, owned_bench

from sscard.card import Card
from sscard.cos.eeprom import ENDURANCE
from sscard.cos.volume import Volume
from sscard.inspect import fsck
from sscard.iso.apdu import Command
from sscard.testing.trial import Step

UPDATES = 10_000
RING = slice(8, 136)
FRESH = b"\x2a" * 20


@pytest.fixture
def bench() -> Bench:
    made = owned_bench()
    made.given(
        Ef(FIXED, 0xEF11, record=(20, 8)).create(), Ef(CYCLIC, 0xEF12, record=(20, 8)).create()
    )
    made.session = (*made.session, command("00A4020002EF11"))
    made.given(*(append(bytes((n,)) * 20) for n in range(8)))
    return made


def append(record: bytes) -> Step:
    return Step(Command(0, 0xE2, 0, 0, record).build())


def update(number: int, record: bytes) -> bytes:
    return Command(0, 0xDC, number, 4, record).build()


def powered(bench: Bench):
    card = bench.snapshot.fork()
    activation = card.power_on()
    for step in bench.session:
        step.send(card, activation)
    return card, activation


def test_cos_9_9_the_ring_levels_10_000_updates(bench):
    """Ring pages take the same share; a record's own page takes every update of it."""
    card, activation = powered(bench)
    before = list(card.env.wear)
    for n in range(UPDATES):
        record = (n * 0x9E3779B1 % 2**32).to_bytes(4) * 5
        assert activation.transmit(update(n % 8 + 1, record)) == b"\x90\x00"
    worn = [now - then for now, then in zip(card.env.wear, before, strict=True)]
    ring, home = worn[RING], worn[RING.stop :]
    histogram = dict(sorted(Counter(ring).items()))
    print(f"erases of a ring page: number of pages {histogram}; home pages {sorted(home)[-4:]}")
    *level, short_of, last = ring  # a transaction that does not fit leaves out the end of the ring
    assert max(level) - min(level) <= 4
    assert 0 < short_of <= max(level)
    assert 0 < last <= max(level)
    assert sum(home) >= UPDATES, "each update erased the page of its record"
    assert max(ring) < max(home) / 8, "cos 1.4: the ring outlives what it protects"
    assert fsck(card.image) == []


def test_cos_1_4_the_ring_levels_over_sessions(bench):
    """A power-on in between starts where the last session ended, scrubbed or not."""
    card = bench.snapshot.fork()
    before = list(card.env.wear)
    for _ in range(600):
        card = Card(card.image, card.env)  # nothing but image and environment survives
        activation = card.power_on()
        for step in bench.session:
            step.send(card, activation)
    ring = [now - then for now, then in zip(card.env.wear, before, strict=True)][RING]
    assert min(ring) > 0
    assert max(ring) <= 2 * min(ring)


def test_cos_1_5_a_session_of_reading_writes_nothing(bench):
    card = bench.snapshot.fork()
    wear, ops = list(card.env.wear), card.eeprom.ops
    for link in ("apdu", "t0"):
        for _ in range(3):
            activation = card.power_on(link)
            for apdu in (
                "00A404000F7378312E73682EC9E7BBE1B1A3D5CF",
                "00C0000018",
                "00A4020002EF11",
                "00B2010414",
                "00B2090414",  # no such record
                "00B00000",  # not a transparent file
                "00DC010414" + "00" * 20,  # with no right
                "80CA00C000",
                "80CA00D000",
                "80CA00D100",  # with no right
                "0084000008",
                "00820000080000",  # malformed
                "00A4000002DEAD",
                "00A40000023F00",
                "00FF0000",
            ):
                assert len(activation.transmit(bytes.fromhex(apdu))) >= 2
            activation.reset()
            activation.power_off()
    assert card.eeprom.ops == ops
    assert list(card.env.wear) == wear
    assert card.image == bench.snapshot.image


# --- worn out ---------------------------------------------------------------------------------


def worn_card(bench: Bench, page: int):
    card, activation = powered(bench)
    card.env.wear_failures = True
    card.env.wear[page] = ENDURANCE + 1
    return card, activation


def test_cos_1_2_a_worn_home_page_is_6581_and_hurts_only_its_domain(bench):
    page = bench.file(0xEF11).body // 64
    card, activation = worn_card(bench, page)
    assert activation.transmit(update(1, FRESH)) == b"\x65\x81"
    assert activation.transmit(update(1, FRESH)) == b"\x65\x81"
    activation = card.power_on()  # the transaction stands: recovery tries again, in vain
    assert activation.transmit(bench.session[0].apdu)[-2:] in (b"\x62\x83", b"\x65\x81")
    assert activation.transmit(update(1, FRESH)) == b"\x65\x81"
    assert activation.transmit(bytes.fromhex("00A404000E315041592E5359532E4444463031"))[-2:] == (
        b"\x90\x00"
    )


def test_cos_1_2_a_worn_ring_page_is_6581_once(bench):
    """The transaction is abandoned before its commit point; the next one goes on behind it."""
    card, activation = powered(bench)
    worn = 8 + Volume(card.eeprom).journal.slot
    card, activation = worn_card(bench, worn)
    before = card.image[136 * 64 :]
    assert activation.transmit(update(1, FRESH)) == b"\x65\x81"
    assert card.image[136 * 64 :] == before
    assert activation.transmit(update(1, FRESH)) == b"\x90\x00"
    assert card.power_on().transmit(bench.session[0].apdu)[-2:] == b"\x90\x00"


def test_cos_1_2_without_wear_failures_pages_last_for_ever(bench):
    card, activation = worn_card(bench, bench.file(0xEF11).body // 64)
    card.env.wear_failures = False
    assert activation.transmit(update(1, FRESH)) == b"\x90\x00"
