"""Planted mistakes: the sweeps that pass everywhere else must catch each of these.

A mistake is patched into recovery, commit or kernel; the cards it is let loose on were prepared
without it.
"""

from collections.abc import Callable, Iterator
from functools import cache
from typing import NamedTuple

import pytest
from cos_walk import CMK, EMK_S1, EMK_S2, walked
from tear_bench import (
    FIXED,
    SELECT_SSSE,
    TRANSPARENT,
    Bench,
    Ef,
    Owner,
    command,
    created,
    deleted,
    domain_state,
    owned_bench,
    proves,
    walk,
)

from sscard.cos import manage, volume, writekey
from sscard.cos.domain import Domain
from sscard.cos.journal import Journal, Transaction
from sscard.cos.store import Store
from sscard.inspect import fsck
from sscard.iso.apdu import Command
from sscard.testing.tear import Check, State, SweepResult, sweep
from sscard.testing.trial import Step, record

pytestmark = pytest.mark.tear

EMK, UK = Owner(EMK_S2), b"TEST-UK04-CARD-1"
UK_HEADER = "0D0401003304 0000 8F00 0110"
ADF = created(bytes.fromhex("8201388302DF018406D15600000501810300100086068F008F008F00"))
SELECT_ADF = Step(bytes.fromhex("00A4040006D15600000501"))
MASTER_TRIES, MASTER_TRIES_CM = 0x2AB8 + 13, 0x22B8 + 13


# --- the sweeps ---------------------------------------------------------------------------------


class Case(NamedTuple):
    """A command to tear, what its states must show, in order, and what else to look at."""

    bench: Bench
    step: Step
    shows: Callable[[State], object]
    path: list[object]
    checks: tuple[Check, ...] = ()
    secrets: tuple[bytes, ...] = ()


def byte(address: int) -> Callable[[State], object]:
    return lambda state: state.image[address]


def one_owner(image: bytes) -> list[str]:
    found = domain_state(image, 1), proves(image, 1, CMK), proves(image, 1, EMK_S1)
    return [] if found in ((1, True, False), (3, False, True)) else [f"owners: {found}"]


@cache
def cases() -> tuple[Case, ...]:
    """One command for each thing that can go wrong; made by the card as it is."""
    rows = {step.name: step for step in walk()}
    sponsor = Bench(walked("9a"), SELECT_SSSE, rows["9"])
    last = Bench(walked("11 create"), rows["11 select"], rows["11"])
    ground = owned_bench()
    ground.given(ADF, SELECT_ADF, *(Ef(TRANSPARENT, 0xEE00 + at, 24).create() for at in range(9)))
    ground.given(deleted(0xDF01))
    keyed = owned_bench()
    keyed.given(EMK.writes(UK_HEADER, UK))
    filed = owned_bench()
    filed.given(Ef(TRANSPARENT, 0xEF11, 400).create())
    body = filed.file(0xEF11).body
    offset = -body % 64 + 63  # the last byte of a page: 255 bytes from there lie in five pages
    filed.session = (*filed.session, command("00A4020002EF11"))
    update = Command(0, 0xD6, 0, offset, bytes(range(255))).build()
    top = ground.tree.top
    return (
        Case(owned_bench(), EMK.proof(), byte(MASTER_TRIES), [8, 7, 8]),
        Case(owned_bench(), EMK.proof(good=False), byte(MASTER_TRIES), [8, 7]),
        Case(
            sponsor,
            rows["10"],
            lambda state: (state.image[MASTER_TRIES_CM], domain_state(state.image, 1)),
            [(8, 1), (7, 1), (8, 1), (8, 3)],
            checks=(one_owner,),
            secrets=(CMK, EMK_S1),
        ),
        Case(last, rows["12"], byte(0x102), [3, 3, 3, 7]),
        Case(ground, Ef(FIXED, 0xEF11, record=(40, 5)).create(), byte(top), [0xFF, 0xA5]),
        Case(ground, Ef(TRANSPARENT, 0xEF11, 24).create(), byte(top), [0xFF, 0xA5]),
        Case(
            keyed,
            EMK.writes(UK_HEADER, UK[::-1], replace=True),
            lambda state: UK in state.image,
            [True, True, True, False],
            secrets=(UK, UK[::-1]),
        ),
        Case(filed, Step(update), byte(body + offset + 100), [0xFF, 100]),
    )


def complaints() -> Iterator[str]:
    """Run every sweep; yield what is wrong."""
    for bench, step, shows, path, checks, secrets in cases():
        trial = record(bench.snapshot, bench.session, step)
        result: SweepResult = sweep(trial, checks=(fsck, *checks), secrets=secrets, seeds=2)
        shown = [shows(state) for state in result.states]
        if shown != path:
            yield f"went through {shown} instead of {path}"
        yield from map(str, result.violations)


# --- the mistakes -------------------------------------------------------------------------------


def nothing_replayed(patch):
    """Recovery believes every committed transaction to be home."""
    replay = Journal.replay

    def careless(journal):
        with pytest.MonkeyPatch.context() as inner:
            inner.setattr(Journal, "_apply", lambda self, images: None)
            return replay(journal)

    patch.setattr(Journal, "replay", careless)


def last_page_not_replayed(patch):
    """Recovery forgets the last image of a transaction."""
    replay, apply = Journal.replay, Journal._apply

    def careless(journal):
        with pytest.MonkeyPatch.context() as inner:
            inner.setattr(Journal, "_apply", lambda self, images: apply(self, tuple(images)[:-1]))
            return replay(journal)

    patch.setattr(Journal, "replay", careless)


def oldest_wins(patch):
    """Recovery takes the oldest transaction of the ring for the newest."""

    def oldest(journal, ring, transactions):
        found = [Transaction.parse(ring, slot) for _, slot in transactions]
        return min(filter(None, found), default=None)

    patch.setattr(Journal, "_valid", oldest)


def residue_left(patch):
    """Recovery leaves in the ring what torn writes left there."""
    patch.setattr(Journal, "tidy", lambda self, secret_pages: None)


def guard_asks_the_header(patch):
    """Recovery asks the domain header, already rewritten, whether a bootstrap may be."""
    made = volume.guard

    def guard(memory, superblock):
        allowed = made(memory, superblock)

        def rule(tag, images):
            pages = allowed(tag, images)
            if tag not in (0x81, 0x82):
                return pages
            extent = next((one for one in pages if domain_byte(memory, one, tag)), None)
            return [] if extent is not None and memory[extent.start * 64 + 3] != 1 else pages

        return rule

    def domain_byte(memory, pages, tag):
        home = pages.start * 64
        return memory[home : home + 3] == b"DH" + bytes((tag & 3,))

    patch.setattr(volume, "guard", guard)


def never_marked(patch):
    """A transaction is not marked as applied."""
    patch.setattr(Journal, "_mark", lambda self, slot: None)


def home_pages_first(patch):
    """The pages go home before the log says so."""
    log = Journal._log

    def eager(self, seq, tag, count, payload, first, slot):
        for at in range(0, len(payload), 66):
            self._eeprom.write_page(int.from_bytes(payload[at : at + 2]), payload[at + 2 : at + 66])
        log(self, seq, tag, count, payload, first, slot)

    patch.setattr(Journal, "_log", eager)


def marked_too_early(patch):
    """A transaction is marked as applied before its pages are home."""
    log = Journal._log

    def eager(self, seq, tag, count, payload, first, slot):
        log(self, seq, tag, count, payload, first, slot)
        self._mark(slot)

    patch.setattr(Journal, "_log", eager)


def no_scrub(patch):
    """Keys stay in the ring."""
    patch.setattr(Journal, "_scrub", lambda self, seq, tag, slots, slot: None)


def page_by_page(patch):
    """A command's pages are committed one by one."""
    commit = Store.commit

    def piecemeal(self):
        pending, self._pending = self._pending, {}
        for page in sorted(pending):
            self._pending = {page: pending[page]}
            commit(self)

    patch.setattr(Store, "commit", piecemeal)


def no_transaction(patch):
    """A command writes its pages where they live."""

    def direct(self, tag, images, *, secret):
        self.initialise(tag, images)
        return True

    patch.setattr(Journal, "commit", direct)


def try_spent_afterwards(patch):
    """A try is spent after the comparison, when the outcome is known."""

    def prove(self, key, compare):
        if compare():
            return True
        self.keys.write_tries(key, self.keys.tries_left(key) - 1)
        self.store.commit()
        return False

    patch.setattr(Domain, "prove", prove)


def restored_before_comparison(patch):
    """The try is spent and given back, and then the comparison is made."""

    def prove(self, key, compare):
        left = self.keys.tries_left(key)
        for tries in (left - 1, left):
            self.keys.write_tries(key, tries)
            self.store.commit()
        if not compare():
            self.keys.write_tries(key, left - 1)
            self.store.commit()
            return False
        return True

    patch.setattr(Domain, "prove", prove)


def bodies_after_the_header(patch):
    """Free pages are initialised when the object is linked already (T3, wrong order)."""
    initialise = manage._initialise_free_pages

    def later(domain, start, body):
        domain.after_commit(lambda: initialise(domain, start, body))

    patch.setattr(manage, "_initialise_free_pages", later)


def header_ahead(patch):
    """The page with the new header is written ahead, as if it were free (T3, wrong pages)."""
    initialise = manage._initialise_free_pages

    def eager(domain, start, body):
        page = start // 64
        image = bytearray(domain.store.read(page * 64, 64))
        image[start % 64] = 0xA5
        domain.store.write_free(page, bytes(image))
        initialise(domain, start, body)

    patch.setattr(manage, "_initialise_free_pages", eager)


def no_end_of_chain(patch):
    """The new end of the chain is not in the transaction that moves it, nor anywhere else."""
    write = Store.write

    def forgetful(self, address, data):
        if data != b"\xff":
            write(self, address, data)

    patch.setattr(Store, "write", forgetful)


def handed_over_in_two(patch):
    """The EMK is committed first, the change of owner after it."""
    hand_over = writekey.hand_over

    def in_two(domain):
        domain.store.commit()
        hand_over(domain)

    patch.setattr(writekey, "hand_over", in_two)


MISTAKES = [
    nothing_replayed,
    last_page_not_replayed,
    oldest_wins,
    residue_left,
    guard_asks_the_header,
    never_marked,
    home_pages_first,
    marked_too_early,
    no_scrub,
    page_by_page,
    no_transaction,
    try_spent_afterwards,
    restored_before_comparison,
    bodies_after_the_header,
    header_ahead,
    no_end_of_chain,
    handed_over_in_two,
]


def test_the_sweeps_are_content_without_a_mistake():
    assert list(complaints()) == []


@pytest.mark.parametrize("mistake", MISTAKES, ids=lambda mistake: mistake.__name__)
def test_the_sweeps_catch(mistake, monkeypatch, record_property):
    cases()
    mistake(monkeypatch)
    first = next(complaints(), None)
    assert first is not None, mistake.__doc__
    record_property("planted", f"{mistake.__doc__} -> {first}")


# --- what the sweeps must not mind --------------------------------------------------------------


def home_twice(patch):
    """Every page goes home twice, in commit and in recovery."""
    apply = Journal._apply

    def twice(self, images):
        held = tuple(images)
        apply(self, held)
        apply(self, held)

    patch.setattr(Journal, "_apply", twice)


def home_in_reverse(patch):
    """The last page of a transaction goes home first."""
    apply = Journal._apply
    patch.setattr(Journal, "_apply", lambda self, images: apply(self, tuple(images)[::-1]))


@pytest.mark.parametrize("change", [home_twice, home_in_reverse], ids=lambda one: one.__name__)
def test_the_sweeps_are_content_with(change, monkeypatch):
    cases()
    change(monkeypatch)
    assert list(complaints()) == []
