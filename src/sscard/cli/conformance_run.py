"""How `sscard conformance` runs its suites: one report each, whatever becomes of the card.

A card that is gone, a reader that vanished and Ctrl-C end the run, not the reports.
"""

from collections.abc import Iterable, Sequence
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, NamedTuple

from sscard.cli.exits import INTERRUPTED, ExitCode

if TYPE_CHECKING:
    from sscard.testing.conformance import (
        Bench,
        Case,
        CutOff,
        Interrupted,
        Report,
        Suite,
        Waiver,
    )

__all__ = ["Wish", "run_all", "stop_code"]


class Wish(NamedTuple):
    """A suite, and what was asked of it.

    `demanded`: it runs even if the card has nothing for it. `generation` "": what the card says
    it is. `patterns` none: all cases; they may be for another suite.
    """

    suite: "Suite"
    demanded: bool
    generation: str
    patterns: Sequence[str]

    def cases(self, generation: str) -> "tuple[Case, ...]":
        """Return what was chosen of the suite; nothing when all patterns are for another."""
        from sscard.testing.conformance import choose

        cases = self.suite.cases(generation)
        own = [word for word in self.patterns if any(fnmatchcase(c.id, word) for c in cases)]
        return choose(cases, own) if own or not self.patterns else ()


def run_all(
    bench: "Bench",
    wishes: Iterable[Wish],
    *,
    safe: bool,
    destroy: bool,
    waivers: "Sequence[Waiver]",
) -> "tuple[tuple[Report, ...], CutOff | Interrupted | None]":
    """Return a report a suite, and what ended the run before its time, if anything did."""
    from sscard.testing.conformance import CutOff, Interrupted, without

    reports: list[Report] = []
    stopped: CutOff | Interrupted | None = None
    for wish in wishes:
        if stopped is not None:
            reports.append(without(wish.suite, bench, f"not run: {stopped}"))
            continue
        try:
            reports.append(_run(bench, wish, safe=safe, destroy=destroy, waivers=waivers))
        except (CutOff, Interrupted) as end:
            stopped = end
            reports.append(end.report)
    return tuple(reports), stopped


def _run(
    bench: "Bench", wish: Wish, *, safe: bool, destroy: bool, waivers: "Sequence[Waiver]"
) -> "Report":
    """Run what was asked of a suite, unless its application is not on the card."""
    from sscard.errors import TransportError
    from sscard.testing.conformance import cut_before, run_suite, without

    suite = wish.suite
    try:
        if not wish.demanded and (reason := suite.absent(bench)):
            return without(suite, bench, reason)
        generation = wish.generation or suite.generation_of(bench)
    except (TransportError, KeyboardInterrupt) as end:
        unknown = wish.generation or suite.generations[-1]
        raise cut_before(suite, unknown, bench, wish.cases(unknown), end) from end
    cases = suite.cases(generation)
    return run_suite(
        suite,
        generation,
        bench,
        cases=wish.cases(generation),
        safe=safe,
        destroy=destroy,
        waivers=[waiver for waiver in waivers if any(map(waiver.covers, cases))],
    )


def stop_code(stopped: "CutOff | Interrupted") -> int:
    """Return the exit code of a run that was cut off."""
    return INTERRUPTED if isinstance(stopped, KeyboardInterrupt) else ExitCode.UNUSABLE
