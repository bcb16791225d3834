"""Power loss everywhere: tear each EEPROM operation of a command, and of the recovery after it.

A command runs once, undisturbed, and its primitive operations are recorded. From the recording
comes the image of every tear: each operation, each of the five phases, several seeds where the
phase is a matter of chance. Each image boots; its recovery is torn in the same way. Whatever
remains must be one of the states between the command's own transactions, namely the one that
was committed when the power went: T1, with a try spent as T2 has it. The journal ring and the
pages wholly above the top of a chain (T3) are nobody's state. Every distinct recovered image is
then looked at once: power-on must be quiet, the checks must find nothing, no secret may be left
in the ring, and the step, tried again, must lead where it leads undisturbed.
Source: cos 1.2-1.4, 3.6 NI-9, 9.
"""

from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from hashlib import sha256
from typing import NamedTuple

from sscard.card import Card
from sscard.cos.eeprom import PAGE_SIZE, Eeprom, Kind, Operation, Phase, Tear, torn_image
from sscard.cos.layout import ExtentTable, LayoutError
from sscard.cos.tree import mount
from sscard.cos.volume import Volume, read_superblock
from sscard.env import Env
from sscard.errors import ImageError
from sscard.testing.trial import Trial

__all__ = ["Check", "State", "SweepResult", "Violation", "sweep"]

Check = Callable[[bytes], Iterable[object]]
"""What is wrong with a recovered image, in any words; nothing if it is sound (`fsck` is one)."""

_COMMIT = b"JT\x01\xff"
_VIOLATIONS_KEPT = 20
_CHANCE = (Phase.MID_ERASE, Phase.MID_PROGRAM)


class State:
    """What an image says, without what nobody can reach: the ring and the free space.

    The free space begins with the first page wholly above the top of a domain's chain.
    """

    __slots__ = ("_image", "_kept")

    def __init__(self, image: bytes) -> None:
        """Take the state of an image; raises ImageError when it is none."""
        block = read_superblock(image)
        start = block.journal_start * PAGE_SIZE
        holes = [(start, start + block.journal_pages * PAGE_SIZE)]
        try:
            page = image[block.extent_page * PAGE_SIZE :][:PAGE_SIZE]
            entries = ExtentTable.parse(page).entries
        except LayoutError:
            entries = ()
        for entry in entries:
            top = mount(image, entry.start, entry.pages).top
            holes.append(
                ((top // PAGE_SIZE + 1) * PAGE_SIZE, (entry.start + entry.pages) * PAGE_SIZE)
            )
        self._image = image
        self._kept: list[slice] = []
        at = 0
        for begin, end in sorted(holes):
            self._kept.append(slice(at, begin))
            at = max(begin, end)
        self._kept.append(slice(at, len(image)))

    @property
    def image(self) -> bytes:
        """The image this state was taken from."""
        return self._image

    def of(self, image: bytes) -> bool:
        """Whether `image` is in this state."""
        return all(image[part] == self._image[part] for part in self._kept)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, State) and self.of(other._image) and other.of(self._image)

    def __hash__(self) -> int:
        raise TypeError("a State is compared, not hashed")


class Violation(NamedTuple):
    """What went wrong after a tear, and, if the recovery was torn too, after which one."""

    what: str
    tear: Tear | None
    nested: tuple[Tear, ...] = ()

    def __str__(self) -> str:
        if self.tear is None:
            return self.what
        tears = ", then ".join(
            f"operation {tear.op} {tear.phase.value}" for tear in (self.tear, *self.nested)
        )
        return f"{self.what} (torn: {tears})"


class SweepResult(NamedTuple):
    """What a sweep saw.

    `cases` tears were made, those of recoveries included; `distinct` images of them booted and
    were judged, and `recovered` images came out. `states` are those the command goes through,
    before and after included; `pages` outside the ring it or a recovery wrote. Of the
    `violations` the first few are kept.
    """

    name: str
    operations: int
    cases: int
    distinct: int
    recovered: int
    states: tuple[State, ...]
    pages: frozenset[int]
    violations: tuple[Violation, ...]


def sweep(
    trial: Trial,
    *,
    checks: Sequence[Check] = (),
    secrets: Collection[bytes] = (),
    retry: bool = True,
    nested: int = 1,
    seeds: int = 3,
    only: Collection[int] | None = None,
) -> SweepResult:
    """Cut the power everywhere in one recorded command and judge what every boot finds.

    Shapes: `checks` look at each distinct recovered image; `secrets` are values of at least 8
    bytes that no recovery may leave in the ring; `retry` says that the step, sent again where it
    had not happened, ends in the same state (a refused step is never tried again); `nested` how
    deep recoveries are torn in turn; `seeds` how often a phase of chance is drawn; `only` the
    operations to tear, all if None.
    """
    return _Sweep(trial, checks, secrets, retry=retry, seeds=seeds).run(nested, only)


class _Judged(NamedTuple):
    """An image that booted: which of the command's states it came to, and how far it was torn."""

    states: frozenset[int]
    depth: int


class _Sweep:
    """The running of one sweep: its cases and what it has judged already."""

    def __init__(
        self,
        trial: Trial,
        checks: Sequence[Check],
        secrets: Collection[bytes],
        *,
        retry: bool,
        seeds: int,
    ) -> None:
        self._trial = trial
        self._checks = checks
        self._secrets = secrets
        self._retry = retry and trial.done
        self._seeds = seeds
        self._cases = 0
        self._judged: dict[bytes, _Judged] = {}
        self._seen: set[bytes] = set()
        self._violations: list[Violation] = []
        self._path: tuple[Tear, ...] = ()
        block = read_superblock(trial.before)
        self._ring = range(block.journal_start, block.journal_start + block.journal_pages)
        self._pages: set[int] = set()
        self._commits = [at for at, done in enumerate(trial.operations) if self._commit(done)]
        self._states = tuple(self._between_commits())

    def run(self, nested: int, only: Collection[int] | None) -> SweepResult:
        """Do all of it."""
        trial = self._trial
        self._note_pages(trial.operations)
        if not self._states[-1].of(trial.after):
            self._complain("the command changed the image outside its transactions")
        self._inspect(trial.after, frozenset((len(self._states) - 1,)))
        for tear, image in self._torn(trial.before, trial.operations, only):
            self._path = (tear,)
            legal = self._legal(tear)
            reached = self._boot(image, nested)
            if not reached & legal:
                self._complain(f"found state {_names(reached)}, not {_names(legal)}")
        return SweepResult(
            trial.step.name,
            len(trial.operations),
            self._cases,
            len(self._judged),
            len(self._seen),
            self._states,
            frozenset(self._pages),
            tuple(self._violations),
        )

    # -- what may be found -----------------------------------------------------------------

    def _commit(self, done: Operation) -> bool:
        """Whether an operation is the commit point of a transaction (cos 1.4, step 2)."""
        return (
            done.kind is Kind.PROGRAM
            and done.address // PAGE_SIZE in self._ring
            and done.data[:4] == _COMMIT
        )

    def _between_commits(self) -> Iterator[State]:
        """Yield the state before the first transaction, between any two, and after the last."""
        before, done = self._trial.before, self._trial.operations
        yield State(before)
        for end in (*self._commits[1:], len(done))[: len(self._commits)]:
            yield State(torn_image(before, done, Tear(end, Phase.BEFORE)))

    def _legal(self, tear: Tear) -> frozenset[int]:
        """Return the states that a tear may leave: what is committed stays, no more comes."""
        committed = sum(at < tear.op for at in self._commits)
        if tear.op not in self._commits or tear.phase in (
            Phase.BEFORE,
            Phase.MID_ERASE,
            Phase.ERASED,
        ):
            return frozenset((committed,))
        if tear.phase is Phase.AFTER:
            return frozenset((committed + 1,))
        return frozenset((committed, committed + 1))

    # -- making, booting, judging ----------------------------------------------------------

    def _torn(
        self, image: bytes, done: Sequence[Operation], only: Collection[int] | None = None
    ) -> Iterator[tuple[Tear, bytes]]:
        """Yield every tear of a sequence of operations and what it leaves of `image`."""
        for at, operation in enumerate(done):
            if only is None or at in only:
                for phase in Phase:
                    for seed in range(self._seeds if phase in _CHANCE else 1):
                        tear = Tear(at, phase, seed)
                        drawn = Tear(0, phase, at * self._seeds + seed)
                        self._cases += 1
                        yield tear, torn_image(image, (operation,), drawn)
            image = torn_image(image, (operation,), Tear(0, Phase.AFTER))

    def _boot(self, image: bytes, depth: int) -> frozenset[int]:
        """Power on, tear the recovery `depth` deep; return the states the image came to."""
        digest = sha256(image).digest()
        known = self._judged.get(digest)
        if known is not None and known.depth >= depth:
            return known.states
        eeprom = Eeprom(image, Env())
        with eeprom.recording() as log:
            try:
                Volume(eeprom)
            except ImageError as error:
                self._complain(f"the card does not start: {error}")
        recovered = bytes(eeprom.memory)
        states = frozenset(at for at, state in enumerate(self._states) if state.of(recovered))
        self._judged[digest] = _Judged(states, depth)
        if known is None:
            self._note_pages(log)
            self._inspect(recovered, states)
        if depth:
            path = self._path
            for tear, torn in self._torn(image, log):
                self._path = (*path, tear)
                if self._boot(torn, depth - 1) != states:
                    self._complain("a torn recovery came to another state")
            self._path = path
        return states

    def _inspect(self, recovered: bytes, states: frozenset[int]) -> None:
        """Look at a recovered image, once: quiet, sound, without secrets, and able to go on."""
        digest = sha256(recovered).digest()
        if digest in self._seen:
            return
        self._seen.add(digest)
        self._expect_quiet(recovered)
        for check in self._checks:
            for finding in check(recovered):
                self._complain(str(finding))
        if self._retry and states and states != {len(self._states) - 1}:
            self._try_again(recovered)

    def _expect_quiet(self, image: bytes) -> None:
        """Complain about a power-on that still writes, and about secrets left in the ring."""
        eeprom = Eeprom(image, Env())
        Volume(eeprom)
        if eeprom.ops:
            self._complain(f"the next power-on makes {eeprom.ops} operations")
        ring = image[self._ring.start * PAGE_SIZE : self._ring.stop * PAGE_SIZE]
        for secret in self._secrets:
            parts = (secret[at : at + 8] for at in range(len(secret) - 7))
            if any(part in ring for part in parts):
                self._complain("a secret stayed in the ring")

    def _try_again(self, image: bytes) -> None:
        """Send the step again on a new card with this image and compare where it leads."""
        trial = self._trial
        card = Card(image)
        activation = card.power_on()
        for step in trial.session:
            step.send(card, activation)
        response = trial.step.send(card, activation)
        if response != trial.response:
            self._complain(
                f"tried again, the step answers {response.hex().upper()}"
                f" instead of {trial.response.hex().upper()}"
            )
        elif not self._states[-1].of(card.image):
            self._complain("tried again, the step ends in another state")
        else:
            self._expect_quiet(card.image)

    def _note_pages(self, done: Iterable[Operation]) -> None:
        pages = {operation.address // PAGE_SIZE for operation in done}
        self._pages.update(pages.difference(self._ring))

    def _complain(self, what: str) -> None:
        if len(self._violations) < _VIOLATIONS_KEPT:
            tear = self._path[0] if self._path else None
            self._violations.append(Violation(what, tear, self._path[1:]))


def _names(states: frozenset[int]) -> str:
    return " or ".join(map(str, sorted(states))) or "unknown"
