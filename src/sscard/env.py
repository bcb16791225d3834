"""The environment: all that outlives an activation and is not in the image (README rule 12).

Exactly one value: the seed of the random generators, how often the card was powered on, the
virtual clock, and the wear of the silicon. Cloning an image does not clone it (cos 1.2).
"""

from array import array
from collections.abc import Iterable

from sscard.errors import SscardError

__all__ = ["Env"]


class Env:
    """What surrounds one chip: randomness, time and wear.

    Shapes: `seed` any bytes; `clock_us` virtual microseconds since the chip was first
    powered; `wear` one erase count per page (empty: all zero); `forced` random values to
    be handed out, in order, before the generators are asked (for published vectors).
    """

    __slots__ = ("clock_us", "forced", "power_ons", "seed", "wear", "wear_failures")

    def __init__(
        self,
        seed: bytes = b"sscard",
        *,
        power_ons: int = 0,
        clock_us: int = 0,
        wear: Iterable[int] = (),
        forced: Iterable[bytes] = (),
        wear_failures: bool = False,
    ) -> None:
        self.seed = bytes(seed)
        self.power_ons = power_ons
        self.clock_us = clock_us
        self.wear = array("L", wear)
        self.forced = list(forced)
        self.wear_failures = wear_failures

    def copy(self) -> "Env":
        """Return an independent copy; what happens to one card does not age the other."""
        twin = Env.__new__(Env)
        twin.seed = self.seed
        twin.power_ons = self.power_ons
        twin.clock_us = self.clock_us
        twin.wear = self.wear[:]
        twin.forced = self.forced[:]
        twin.wear_failures = self.wear_failures
        return twin

    def advance(self, *, days: float = 0, seconds: float = 0) -> None:
        """Let virtual time pass; nothing sleeps."""
        step = round((days * 86_400 + seconds) * 1_000_000)
        if step < 0:
            raise SscardError("the virtual clock only runs forward: give a positive time")
        self.clock_us += step

    def force_random(self, *values: bytes) -> None:
        """Queue `values` as the next random numbers the card will use, oldest first."""
        self.forced.extend(values)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Env):
            return NotImplemented
        return all(getattr(self, name) == getattr(other, name) for name in self.__slots__)

    def __hash__(self) -> int:
        raise TypeError("an Env is mutable and has no hash")

    def __repr__(self) -> str:
        return (
            f"Env(seed={self.seed!r}, power_ons={self.power_ons}, clock_us={self.clock_us},"
            f" forced=<{len(self.forced)}>, wear_failures={self.wear_failures})"
        )
