"""The EEPROM: 64-byte pages, what an operation costs, and what a power loss leaves behind.

Every byte that reaches the image passes `Eeprom._put`; there wear and virtual time are
counted and, when somebody watches (a tear, a recording, a sink, a worn chip), the write is
taken apart into primitive operations. `torn_image` computes the image of a torn command
from a snapshot and its recorded operations, and agrees with arming the same tear.
Source: cos 1.1, 1.2. Imported by `cos` and the test rigs.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from enum import Enum
from hashlib import shake_128
from typing import NamedTuple

from sscard.env import Env
from sscard.errors import PowerLoss

__all__ = [
    "BLANK",
    "ENDURANCE",
    "OPERATION_US",
    "PAGE_SIZE",
    "Eeprom",
    "Kind",
    "Operation",
    "Phase",
    "Tear",
    "WriteFailure",
    "torn_image",
]

PAGE_SIZE = 64
"""Bytes of one page (cos 1.1)."""
BLANK = b"\xff" * PAGE_SIZE
"""An erased page."""
OPERATION_US = 1_200
"""Virtual microseconds of one erase, page program or byte program (cos 1.1)."""
ENDURANCE = 100_000
"""Erase cycles a page survives (cos 1.1)."""


_NOISE = 2 * PAGE_SIZE + 4
_integer = int.from_bytes


class WriteFailure(Exception):
    """A page read back differently from what was programmed; the terminal sees 6581."""

    def __init__(self, page: int) -> None:
        super().__init__(f"page {page:04X} did not take what was programmed")
        self.page = page


class Phase(Enum):
    """How far the interrupted operation came (cos 1.2)."""

    BEFORE = "before"
    MID_ERASE = "mid-erase"
    ERASED = "erased"
    MID_PROGRAM = "mid-program"
    AFTER = "after"


class Kind(Enum):
    """The three primitive operations of the chip."""

    ERASE = "erase"
    PROGRAM = "program"
    BYTE = "byte"


class Tear(NamedTuple):
    """A power loss: in the `op`-th operation from arming (0 = the next one), in `phase`."""

    op: int
    phase: Phase
    seed: int = 0


class Operation(NamedTuple):
    """One primitive operation: the bytes at `address` go from `before` to `data`.

    Shapes: 64 bytes at a page address; one byte for `Kind.BYTE`.
    """

    kind: Kind
    address: int
    before: bytes
    data: bytes

    def torn(self, phase: Phase, noise: bytes) -> bytes | None:
        """Return what a tear in `phase` leaves at `address`; None if the operation never began.

        Shapes: `noise` is 132 pseudo-random bytes. A phase the operation does not have acts
        as BEFORE. Source: cos 1.2.
        """
        if phase is Phase.AFTER:
            return self.data
        if self.kind is Kind.ERASE:
            if phase is Phase.ERASED:
                return self.data
            if phase is Phase.MID_ERASE:
                return _half_erased(self.before, noise)
        elif phase is Phase.MID_PROGRAM:
            return _half_programmed(self.before, self.data, noise)
        return None


def _half_erased(before: bytes, noise: bytes) -> bytes:
    """Return `before` with a pseudo-random subset of its bits already 1.

    The subset is sparse, half or dense, or it is a whole front or back part of the page.
    """
    one, other = _integer(noise[:PAGE_SIZE]), _integer(noise[PAGE_SIZE : 2 * PAGE_SIZE])
    back = (1 << 8 * (noise[-2] % (PAGE_SIZE + 1))) - 1
    full = _integer(BLANK)
    mask = (one & other, one, one | other, back, full ^ back)[noise[-1] % 5]
    return (_integer(before) | mask).to_bytes(PAGE_SIZE)


def _half_programmed(before: bytes, data: bytes, noise: bytes) -> bytes:
    """Return `before` with a pseudo-random subset of its bytes programmed, one of them halfway.

    The subset is any, or a front or back part; the halfway byte has lost some of its bits.
    """
    length = len(before)
    border = noise[-2] % (length + 1)
    subset = (
        [at for at in range(length) if noise[at] & 1],
        range(border),
        range(border, length),
    )[noise[-1] % 3]
    torn = bytearray(before)
    for at in subset:
        torn[at] = data[at]
    half = noise[-3] % length
    torn[half] = before[half] & (data[half] | noise[-4])
    return bytes(torn)


def _noise(tear: Tear) -> bytes:
    """Return the pseudo-random bytes that belong to `tear`, the same at every call."""
    return shake_128(b"tear %d %d" % (tear.seed, tear.op)).digest(_NOISE)


def torn_image(before: bytes, operations: Sequence[Operation], tear: Tear) -> bytes:
    """Return the image after `operations` were torn by `tear`, without running them again.

    Shapes: `before` is the image in front of the first operation; the result has its length.
    A tear beyond the last operation leaves the finished image. Source: cos 1.2.
    """
    image = bytearray(before)
    for operation in operations[: tear.op]:
        image[operation.address : operation.address + len(operation.data)] = operation.data
    if tear.op < len(operations):
        operation = operations[tear.op]
        torn = operation.torn(tear.phase, _noise(tear))
        if torn is not None:
            image[operation.address : operation.address + len(torn)] = torn
    return bytes(image)


class Eeprom:
    """One chip's EEPROM: an image that only this object writes, and its environment.

    `memory` may be read freely. `ops` counts primitive operations; `generation` is raised
    whenever RAM copies of the image may be stale (`poke`, `load`, a tear, a replay).
    """

    __slots__ = (
        "_logs",
        "_lost",
        "_sink",
        "_tear",
        "_view",
        "_watched",
        "env",
        "generation",
        "memory",
        "ops",
    )

    PAGE = PAGE_SIZE

    def __init__(self, memory: bytes | bytearray, env: Env) -> None:
        self.memory = bytearray(memory)
        self._view = memoryview(self.memory)  # writes through it are faster and never resize
        self.env = env
        self.ops = 0
        self.generation = 0
        self._tear: tuple[int, Tear] | None = None  # the value of `ops` it strikes at
        self._lost = ""  # why power is gone, "" while there is some
        self._sink: Callable[[int, bytes], None] | None = None
        self._logs: list[list[Operation]] = []
        self._watched = False

    # -- writing --------------------------------------------------------------------------

    def read(self, address: int, length: int) -> bytes:
        """Return `length` bytes from `address`; reading costs nothing (cos 1.1)."""
        return bytes(self.memory[address : address + length])

    def write_page(self, page: int, data: bytes) -> None:
        """Make `page` hold `data`: no operation if it does, no erase if no bit must rise.

        Shapes: `data` is 64 bytes. Raises WriteFailure, PowerLoss. Source: cos 1.2.
        """
        address = page * PAGE_SIZE
        before = self.memory[address : address + PAGE_SIZE]
        if before == data:
            return
        if len(before) != len(data):
            raise IndexError(f"no page {page} of {len(data)} bytes")
        old = _integer(before)
        self._put(address, data, old | _integer(data) != old, True)

    def erase_page(self, page: int) -> None:
        """Set every bit of `page` to 1; wears the page."""
        self._page(page)
        self._put(page * PAGE_SIZE, BLANK, True, False)

    def program_page(self, page: int, data: bytes) -> None:
        """Clear the bits of `page` that are 0 in `data` (64 bytes); no bit rises."""
        before = self._page(page)
        after = bytes(old & new for old, new in zip(before, data, strict=True))
        self._put(page * PAGE_SIZE, after, False, True)

    def program_byte(self, address: int, value: int) -> None:
        """Clear the bits of the byte at `address` that are 0 in `value`; no wear."""
        self._put(address, bytes((self.memory[address] & value,)), False, True)

    def _page(self, page: int) -> bytearray:
        before = self.memory[page * PAGE_SIZE : page * PAGE_SIZE + PAGE_SIZE]
        if len(before) != PAGE_SIZE:
            raise IndexError(f"no page {page}")
        return before

    def _put(self, address: int, data: bytes, erase: bool, program: bool) -> None:
        """Replace the bytes at `address` by `data` in one or two operations: the only writer."""
        env = self.env
        if self._watched or env.wear_failures:
            if erase:
                self._put_watched(Kind.ERASE, address, BLANK)
            if program:
                kind = Kind.PROGRAM if len(data) == PAGE_SIZE else Kind.BYTE
                self._put_watched(kind, address, data)
            return
        self._view[address : address + len(data)] = data
        if erase:
            self._wear(address // PAGE_SIZE)
            if program:
                self.ops += 2
                env.clock_us += 2 * OPERATION_US
                return
        self.ops += 1
        env.clock_us += OPERATION_US

    def _wear(self, page: int) -> None:
        wear = self.env.wear
        try:
            wear[page] += 1
        except IndexError:  # a fresh environment has not met this chip yet
            wear.extend([0] * (len(self.memory) // PAGE_SIZE - len(wear)))
            wear[page] += 1

    def _put_watched(self, kind: Kind, address: int, data: bytes) -> None:
        """One primitive operation, seen by everybody who asked to."""
        if self._lost:  # a cleanup went on after the tear: say what tore it
            raise PowerLoss(self._lost)
        before = bytes(self.memory[address : address + len(data)])
        done = data if kind is Kind.ERASE else self._weakened(address, before, data)
        operation = Operation(kind, address, before, bytes(done))
        after: bytes | None = operation.data
        torn = False
        if self._tear is not None and self.ops == self._tear[0]:
            tear = self._tear[1]
            after = operation.torn(tear.phase, _noise(tear))
            torn = True
        if after is not None:
            self._follow(address, after)
            self._view[address : address + len(after)] = after
            self.ops += 1
            self.env.clock_us += OPERATION_US
            if kind is Kind.ERASE:
                self._wear(address // PAGE_SIZE)
        if torn:
            self._tear = None
            self._lost = f"torn: {kind.value} at {address:05X}"
            self.generation += 1
            raise PowerLoss(self._lost)
        for log in self._logs:
            log.append(operation)
        if done != data:
            raise WriteFailure(address // PAGE_SIZE)

    def _follow(self, address: int, after: bytes) -> None:
        """Tell the sink first: what it cannot take never was written, and power is gone."""
        if self._sink is None:
            return
        try:
            self._sink(address, after)
        except BaseException:
            self._lost, self._watched = f"not written at {address:05X}", True
            self.generation += 1
            raise

    def _weakened(self, address: int, before: bytes, data: bytes) -> bytes:
        """Return what a program of `data` leaves: on a page worn out, one bit stays 1.

        The bit is the first that should fall, counted from a place the seed and the page fix.
        """
        env, page = self.env, address // PAGE_SIZE
        if not env.wear_failures or page >= len(env.wear) or env.wear[page] <= ENDURANCE:
            return data
        bits = 8 * len(data)
        falling = int.from_bytes(before) & ~int.from_bytes(data)
        if not falling:
            return data
        start = int.from_bytes(shake_128(b"stuck %d " % page + env.seed).digest(2))
        stuck = next(bit for at in range(bits) if falling >> (bit := (start + at) % bits) & 1)
        return (int.from_bytes(data) | 1 << stuck).to_bytes(len(data))

    # -- losing power, watching -----------------------------------------------------------

    def arm(self, tear: Tear | None) -> None:
        """Let power fail at `tear`, counted from now; None disarms.

        From the tear on, every operation raises PowerLoss until `power_restored`.
        """
        self._tear = None if tear is None else (self.ops + tear.op, tear)
        self._refresh()

    def power_restored(self) -> None:
        """Give power back; a tear that did not strike is disarmed."""
        self._lost = ""
        self.arm(None)

    @property
    def dead(self) -> bool:
        """Whether power is gone: a tear has struck and `power_restored` was not called."""
        return bool(self._lost)

    @contextmanager
    def recording(self) -> Iterator[list[Operation]]:
        """Collect the primitive operations that complete while the context is open."""
        log: list[Operation] = []
        self._logs.append(log)
        self._refresh()
        try:
            yield log
        finally:
            self._logs = [other for other in self._logs if other is not log]
            self._refresh()

    @property
    def sink(self) -> Callable[[int, bytes], None] | None:
        """Called at each change with its address and the bytes there from now on; torn ones too.

        When it raises, the change did not happen and power is gone until `power_restored`.
        """
        return self._sink

    @sink.setter
    def sink(self, sink: Callable[[int, bytes], None] | None) -> None:
        self._sink = sink
        self._refresh()

    def _refresh(self) -> None:
        watchers = self._tear is not None or self._sink is not None or bool(self._logs)
        self._watched = bool(self._lost) or watchers

    # -- test rigs ------------------------------------------------------------------------

    def poke(self, address: int, data: bytes) -> None:
        """Change memory behind the chip's back: no operation, no time, no wear."""
        if not 0 <= address <= len(self.memory) - len(data):
            raise IndexError(f"{len(data)} bytes at {address:05X} are not in the EEPROM")
        self._view[address : address + len(data)] = data
        self.generation += 1
        if self._sink is not None:
            self._sink(address, bytes(data))

    def load(self, image: bytes) -> None:
        """Replace the whole image, as when a snapshot is restored; same size only."""
        if len(image) != len(self.memory):
            raise ValueError(f"the image has {len(image)} bytes, the EEPROM {len(self.memory)}")
        self.poke(0, image)
