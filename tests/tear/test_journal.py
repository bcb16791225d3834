"""The journal under power loss (cos 1.3 T1, 1.4): every operation, every phase, recovery too.

The harness runs a commit once, records its operations, makes the image of every tear from
them, and lets each distinct image recover; the recovery is torn in the same way. The model is
a dictionary of pages that knows nothing of rings. The same harness must catch each planted
mistake of the last section.
"""

from collections.abc import Iterator
from random import Random
from typing import NamedTuple
from zlib import crc32

import pytest

from sscard.cos.eeprom import (
    BLANK,
    Eeprom,
    Operation,
    Phase,
    Tear,
    torn_image,
)
from sscard.cos.journal import Journal, Transaction, continuations
from sscard.env import Env
from sscard.errors import PowerLoss

pytestmark = pytest.mark.tear

DOMAIN = 1


class Shape(NamedTuple):
    """A small chip: the ring at page 1, then a domain whose first pages hold keys."""

    ring: int
    homes: int
    keys: int

    @property
    def size(self) -> int:
        return 64 * (1 + self.ring + self.homes)

    @property
    def ring_bytes(self) -> slice:
        return slice(64, 64 + 64 * self.ring)

    @property
    def home_pages(self) -> range:
        return range(1 + self.ring, 1 + self.ring + self.homes)

    @property
    def key_pages(self) -> range:
        return self.home_pages[: self.keys]

    def allowed(self, tag, images):
        return [self.home_pages] if tag == DOMAIN else []


class Commit(NamedTuple):
    """One transaction to run: page images, and whether keys are among them."""

    images: dict[int, bytes]
    secret: bool


class Broken(AssertionError):
    """What the harness found; it stops there."""


class Recovered(NamedTuple):
    image: bytes
    operations: list[Operation]
    journal: Journal


class Rig:
    """Runs transactions of one shape against `kind` of journal, and breaks them."""

    def __init__(self, shape: Shape, kind: type[Journal] = Journal, *, stride: int = 1) -> None:
        self.shape, self.kind, self.stride = shape, kind, stride
        self.image = BLANK * (shape.size // 64)
        self.model = dict.fromkeys(shape.home_pages, BLANK)
        self.public: set[int] = set()  # the seqs whose payload may stay in the ring
        self.seq = 1
        self.cases = 0
        self.verdicts: dict[bytes, bytes] = {}  # image -> home pages it recovers to

    # -- a card ----------------------------------------------------------------------------

    def boot(self, image: bytes) -> Recovered:
        """Power on: both halves of recovery."""
        eeprom = Eeprom(image, Env())
        journal = self.kind(eeprom, 1, self.shape.ring, self.shape.allowed)
        with eeprom.recording() as operations:
            journal.replay()
            journal.tidy(self.shape.key_pages)
        self.cases += 1
        return Recovered(bytes(eeprom.memory), operations, journal)

    def homes(self, image: bytes) -> bytes:
        return image[self.shape.ring_bytes.stop :]

    def expect(self, condition: bool, what: str) -> None:
        if not condition:
            raise Broken(what)

    def expect_no_secrets(self, image: bytes) -> None:
        """Every used ring page is a marker, or belongs to a transaction without keys."""
        ring = image[self.shape.ring_bytes]
        for at in range(0, len(ring), 64):
            page = ring[at : at + 64]
            if page == BLANK or (page[:2] == b"JT" and page[24:] == BLANK[24:]):
                continue
            seq = page[4:8] if page[:2] == b"JT" else page[2:6]
            self.expect(int.from_bytes(seq) in self.public, "a secret stayed in the ring")

    # -- one transaction, whole --------------------------------------------------------------

    def commit(self, commit: Commit) -> tuple[bytes, list[Operation]]:
        """Run `commit` undisturbed; the image before it and its operations."""
        before = self.image
        eeprom, journal = self.powered(before)
        with eeprom.recording() as operations:
            journal.commit(DOMAIN, commit.images, secret=commit.secret)
        self.image = bytes(eeprom.memory)
        if operations:
            if not commit.secret:
                self.public.add(self.seq)
            self.seq += 1
        self.model.update(commit.images)
        self.expect(self.homes(self.image) == b"".join(self.model.values()), "lost an update")
        self.expect_no_secrets(self.image)
        again = self.boot(self.image)
        self.expect(again.operations == [], "a clean power-on costs operations")
        self.expect(again.journal.seq == self.seq == journal.seq, "the seq was lost")
        self.expect(again.journal.slot == journal.slot, "the ring position was lost")
        return before, operations

    def powered(self, image: bytes) -> tuple[Eeprom, Journal]:
        eeprom = Eeprom(image, Env())
        journal = self.kind(eeprom, 1, self.shape.ring, self.shape.allowed)
        journal.replay()
        journal.tidy(self.shape.key_pages)
        return eeprom, journal

    # -- one transaction, torn everywhere ------------------------------------------------------

    def sweep(self, commits: list[Commit], *, seeds: int = 1) -> int:
        """Tear every commit everywhere, its recovery too; how many power-ons it took."""
        follow_up = commits[0]
        for commit in commits:
            before, operations = self.commit(commit)
            legal = self.homes(before), self.homes(self.image)
            self.verdicts.clear()
            committed = False
            for at, phase, image in torn_images(before, operations, seeds):
                known = self.verdicts.get(image)
                if known is None:
                    happened = self.recover(image, legal, nested=at % self.stride == 0)
                    self.go_on(image, follow_up, happened, legal)
                else:
                    happened = known == legal[1]
                if phase is Phase.AFTER:
                    self.expect(happened or not committed, "a commit was taken back")
                    committed = happened
            self.expect(committed or not operations, "never committed")
        return self.cases

    def recover(self, image: bytes, legal: tuple[bytes, bytes], *, nested: bool) -> bool:
        """Recover `image`, then each tear of that recovery; whether the commit happened."""
        recovered = self.boot(image)
        outcome = self.homes(recovered.image)
        self.expect(outcome in legal, "neither before nor after")
        self.expect_no_secrets(recovered.image)
        again = self.boot(recovered.image)
        self.expect(again.operations == [], "recovery is not finished after one power-on")
        self.verdicts[image] = self.verdicts[recovered.image] = outcome
        if nested:
            torn = torn_images(image, recovered.operations, 1)
            for at, _, broken in torn:
                if at % self.stride or broken in self.verdicts:
                    continue
                second = self.boot(broken)
                self.expect(self.homes(second.image) == outcome, "a torn recovery decided again")
                self.expect_no_secrets(second.image)
                self.verdicts[broken] = outcome
        return outcome == legal[1]

    def go_on(
        self, image: bytes, commit: Commit, happened: bool, legal: tuple[bytes, bytes]
    ) -> None:
        """After the recovery the card works: one more transaction, kept over a power-on."""
        eeprom, journal = self.powered(image)
        first = self.shape.home_pages.start
        pages = bytearray(legal[happened])
        for page, data in commit.images.items():
            pages[(page - first) * 64 : (page - first + 1) * 64] = data
        journal.commit(DOMAIN, commit.images, secret=commit.secret)
        self.expect(self.homes(bytes(eeprom.memory)) == pages, "the next commit failed")
        self.cases += 1
        if not commit.secret:
            return  # its seq may be that of a torn secret: nothing to learn from the ring
        self.expect_no_secrets(bytes(eeprom.memory))


def torn_images(
    before: bytes, operations: list[Operation], seeds: int
) -> Iterator[tuple[int, Phase, bytes]]:
    """Every distinct image a tear can leave, in the order of the operations."""
    seen: set[bytes] = set()
    image = before
    for at, operation in enumerate(operations):
        for phase in Phase:
            for seed in range(seeds if phase.value.startswith("mid") else 1):
                torn = torn_image(image, [operation], Tear(0, phase, seed * 1_000 + at))
                if torn not in seen:
                    seen.add(torn)
                    yield at, phase, torn
        image = torn_image(image, [operation], Tear(0, Phase.AFTER))


def recover(journal: Journal) -> None:
    journal.replay()
    journal.tidy(SMALL.key_pages)


def draw(shape: Shape, counts: list[int], secret: bool, seed: int = 1) -> list[Commit]:
    """Transactions of so many images each; about half of the bytes of a page change."""
    random = Random(seed)
    content = dict.fromkeys(shape.home_pages, BLANK)
    commits = []
    for count in counts:
        pool = shape.home_pages if secret else shape.home_pages[shape.keys :]
        pages = random.sample(pool, count)
        if secret and not set(pages) & set(shape.key_pages):
            pages[0] = random.choice(shape.key_pages)
        images = {page: _changed(content[page], random) for page in pages}
        content.update(images)
        commits.append(Commit(images, secret))
    return commits


def _changed(page: bytes, random: Random) -> bytes:
    first, last = sorted(random.sample(range(65), 2))
    return page[:first] + random.randbytes(last - first) + page[last:]


SMALL = Shape(ring=8, homes=12, keys=6)
LARGE = Shape(ring=64, homes=64, keys=12)
sizes = pytest.mark.parametrize("count", [1, 2, 5])
secrets = pytest.mark.parametrize("secret", [False, True], ids=["plain", "secret"])


@sizes
@secrets
def test_cos_1_3_t1_a_torn_commit_is_before_or_after(count, secret):
    """Eight transactions of one size go several times around a ring of eight pages."""
    rig = Rig(SMALL)
    cases = rig.sweep(draw(SMALL, [count] * 8, secret), seeds=12)
    print(f"{cases} power-ons")


def test_cos_1_3_t1_transactions_of_all_sizes_with_and_without_keys():
    commits = draw(SMALL, [1, 5, 2, 1, 3, 4, 1, 1], secret=True)
    plain = draw(SMALL, [2, 1, 5, 1, 1, 4, 2, 3], secret=False, seed=2)
    mixed = [commit for pair in zip(commits, plain, strict=True) for commit in pair]
    cases = Rig(SMALL).sweep(mixed, seeds=8)
    print(f"{cases} power-ons")


@secrets
def test_cos_1_3_t1_forty_images(secret):
    """The second does not fit behind the first and starts at slot 0, over its log."""
    rig = Rig(LARGE, stride=1)
    cases = rig.sweep(draw(LARGE, [40, 40], secret))
    print(f"{cases} power-ons")


def overtaking(shape: Shape = LARGE) -> list[Commit]:
    """A small old transaction stays in the ring while a large log is written over a newer one."""
    shared = shape.home_pages[-1]
    steps = draw(shape, [40, 1, 39, 39], secret=False, seed=3)
    for nth, step in enumerate(steps[1:], 1):
        step.images[shared] = bytes((nth,)) * 64
    return steps


def test_cos_1_4_an_overwritten_log_does_not_bring_back_an_older_one():
    cases = Rig(LARGE, stride=40).sweep(overtaking())
    print(f"{cases} power-ons")


def test_cos_1_4_recovery_may_be_torn_any_number_of_times():
    """Up to four tears in a row, drawn at random, before power stays on."""
    random = Random(4)
    rig = Rig(SMALL)
    for commit in draw(SMALL, [3, 1, 5, 2, 4, 1, 2, 5], secret=True):
        before, operations = rig.commit(commit)
        legal = rig.homes(before), rig.homes(rig.image)
        for _ in range(60):
            image, pending = before, operations
            for _ in range(4):
                if not pending:
                    break
                tear = Tear(random.randrange(len(pending)), random.choice(list(Phase)), rig.cases)
                image = torn_image(image, pending, tear)
                pending = rig.boot(image).operations
            rig.recover(image, legal, nested=False)
    print(f"{rig.cases} power-ons")


def test_a_recorded_recovery_tears_like_an_armed_one():
    """The shortcut of this file, images from recordings, against the device itself."""
    rig = Rig(SMALL)
    commits = draw(SMALL, [5, 2], secret=True)
    rig.commit(commits[0])
    before, operations = rig.commit(commits[1])
    for op in range(len(operations)):
        for phase in Phase:
            eeprom, journal = rig.powered(before)
            eeprom.arm(Tear(op, phase, 5))
            with pytest.raises(PowerLoss):
                journal.commit(DOMAIN, commits[1].images, secret=True)
            image = bytes(eeprom.memory)
            assert image == torn_image(before, operations, Tear(op, phase, 5))
            recovered = rig.boot(image)
            for nested in range(len(recovered.operations)):
                eeprom.power_restored()
                eeprom.load(image)
                eeprom.arm(Tear(nested, phase, 6))
                with pytest.raises(PowerLoss):
                    recover(journal)
                expected = torn_image(image, recovered.operations, Tear(nested, phase, 6))
                assert bytes(eeprom.memory) == expected


# -- wear ------------------------------------------------------------------------------------


def sessions(kind: type[Journal], slots: int = 64) -> list[int]:
    """Wear of the ring after 600 sessions in which a try counter goes down and up."""
    shape = Shape(ring=slots, homes=2, keys=1)
    page = shape.home_pages.start
    record = bytes.fromhex("A50D04010033040000008F0003100FFFFF").ljust(64, b"\x5a")
    eeprom = Eeprom(BLANK * (shape.size // 64), Env())
    eeprom.poke(page * 64, record)
    for _ in range(600):
        journal = kind(eeprom, 1, slots, shape.allowed)
        journal.replay()
        journal.tidy(shape.key_pages)
        for tries in (14, 15):
            image = record[:14] + bytes((tries,)) + record[15:]
            journal.commit(DOMAIN, {page: image}, secret=True)
    return list(eeprom.env.wear[1 : 1 + slots])


def test_cos_1_4_600_sessions_wear_the_whole_ring():
    wear = sessions(Journal)
    assert max(wear) <= 75
    assert min(wear) > 0


# -- planted mistakes -------------------------------------------------------------------------


class ScrubForgottenByRecovery(Journal):
    def tidy(self, secret_pages):
        super().tidy(())


class ResidueLeft(Journal):
    def tidy(self, secret_pages):
        self._residue = []
        super().tidy(secret_pages)


class NeverMarked(Journal):
    def _mark(self, slot):
        pass


class MarkedTooEarly(Journal):
    def _log(self, seq, tag, count, payload, first, slot):
        super()._log(seq, tag, count, payload, first, slot)
        self._mark(slot)


class NoLog(Journal):
    def commit(self, tag, images, *, secret):
        self.initialise(tag, images)
        return True


class HomePagesFirst(Journal):
    def _log(self, seq, tag, count, payload, first, slot):
        for at in range(0, len(payload), 66):
            page = int.from_bytes(payload[at : at + 2])
            self._eeprom.write_page(page, payload[at + 2 : at + 66])
        super()._log(seq, tag, count, payload, first, slot)


class ErasedInsteadOfMarked(Journal):
    def _scrub(self, seq, tag, continuation_slots, slot):
        for other in range(continuation_slots.start, slot + 1):
            self._eeprom.erase_page(self._first + other)


class ContinuationNotErased(Journal):
    def _scrub(self, seq, tag, continuation_slots, slot):
        super()._scrub(seq, tag, range(0), slot)


class OldestWins(Journal):
    def _valid(self, ring, transactions):
        found = [Transaction.parse(ring, slot) for _, slot in transactions]
        return min(filter(None, found), default=None)


class PayloadUnchecked(Journal):
    """Believes the header page and ignores the CRC of the payload and the continuation's seq."""

    def _valid(self, ring, transactions):
        for _, slot in sorted(transactions, reverse=True):
            page = ring[slot * 64 : slot * 64 + 64]
            length = int.from_bytes(page[8:10])
            blank = Transaction.parse(_resealed(ring, slot, length), slot)
            if blank:
                return blank
        return None


def _resealed(ring: bytes, slot: int, length: int) -> bytes:
    """The ring, with the log of `slot` made to look whole if its own page's header is."""
    page = ring[slot * 64 : slot * 64 + 64]
    if crc32(page[4:20], crc32(page[:3])) != int.from_bytes(page[20:24]):
        return ring
    ring, payload = bytearray(ring), page[24:]
    for other in range(slot - continuations(length), slot):
        ring[other * 64 : other * 64 + 6] = b"JC" + page[4:8]
        payload += ring[other * 64 + 6 : other * 64 + 64]
    body = page[4:16] + crc32(payload[:length]).to_bytes(4)
    seal = crc32(body, crc32(page[:3])).to_bytes(4)
    ring[slot * 64 + 4 : slot * 64 + 24] = body + seal
    return bytes(ring)


class Replaying(Journal):
    """Lets a mutant tell the home writes of a recovery from those of a commit."""

    __slots__ = ("committing",)

    def commit(self, tag, images, *, secret):
        self.committing = True
        return super().commit(tag, images, secret=secret)

    def replay(self):
        self.committing = False
        return super().replay()

    def _apply(self, images):
        super()._apply(images if self.committing else self.replayed(images))


class NothingReplayed(Replaying):
    def replayed(self, images):
        return ()


class LastImageForgotten(Replaying):
    def replayed(self, images):
        return images[: max(1, len(images) - 1)]


class ByteRanges(Replaying):
    """Logs which bytes of a page change, and replays no others."""

    __slots__ = ()
    logged: dict[tuple[int, int], slice] = {}  # noqa: RUF012  stands for a log in the ring

    def commit(self, tag, images, *, secret):
        for page, image in images.items():
            old = self._eeprom.read(page * 64, 64)
            changed = [at for at in range(64) if old[at] != image[at]] or [0]
            self.logged[self.seq, page] = slice(changed[0], changed[-1] + 1)
        return super().commit(tag, images, secret=secret)

    def replayed(self, images):
        for page, image in images:
            part = self.logged[self.seq - 1, page]
            now = bytearray(self._eeprom.read(page * 64, 64))
            now[part] = image[part]
            yield page, bytes(now)


MISTAKES = [
    ScrubForgottenByRecovery,
    ResidueLeft,
    NeverMarked,
    MarkedTooEarly,
    NoLog,
    HomePagesFirst,
    ErasedInsteadOfMarked,
    ContinuationNotErased,
    OldestWins,
    PayloadUnchecked,
    NothingReplayed,
    LastImageForgotten,
    ByteRanges,
]


def every_harness(kind: type[Journal]) -> None:
    for secret in (True, False):
        Rig(SMALL, kind).sweep(draw(SMALL, [1, 2, 5, 3], secret), seeds=4)
    Rig(LARGE, kind, stride=40).sweep(overtaking())


def test_the_harness_is_content_without_a_mistake():
    every_harness(Journal)


@pytest.mark.parametrize("mistake", MISTAKES)
def test_the_harness_catches(mistake):
    with pytest.raises(Broken) as caught:
        every_harness(mistake)
    print(caught.value)


def test_without_the_marker_four_pages_take_all_the_wear():
    """What cos 1.4 measured: every session starts at the same slots again."""
    wear = sessions(ErasedInsteadOfMarked)
    assert sum(count > 0 for count in wear) <= 4
    assert max(wear) >= 600
