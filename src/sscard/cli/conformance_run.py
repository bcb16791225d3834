"""How `sscard conformance` runs its suites: one report each, whatever becomes of the card.

A card that is gone, a reader that vanished and Ctrl-C end the run, not the reports. What blocks
for good waits until every suite is through: a suite may look at what another one's end takes away.
"""

import dataclasses
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

    asked = tuple(wishes)
    reports: list[Report] = []
    stopped: CutOff | Interrupted | None = None
    for wish in asked:
        if stopped is not None:
            reports.append(without(wish.suite, bench, f"not run: {stopped}"))
            continue
        try:
            reports.append(_run(bench, wish, safe=safe, destroy=destroy, waivers=waivers))
        except (CutOff, Interrupted) as end:
            stopped = end
            reports.append(end.report)
    if destroy:
        for at, wish in enumerate(asked):
            try:
                reports[at] = _ended(bench, wish, reports[at], stopped, safe=safe, waivers=waivers)
            except (CutOff, Interrupted) as end:
                stopped = end
                reports[at] = end.report
    return tuple(reports), stopped


def _run(
    bench: "Bench", wish: Wish, *, safe: bool, destroy: bool, waivers: "Sequence[Waiver]"
) -> "Report":
    """Run what was asked of a suite, unless its application is not on the card.

    `destroy` leaves what blocks for good to `_ended`; without it, it is there as not run.
    """
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
    return run_suite(
        suite,
        generation,
        bench,
        cases=[case for case in wish.cases(generation) if not (case.final and destroy)],
        safe=safe,
        waivers=_covering(suite, generation, waivers),
    )


def _ended(
    bench: "Bench",
    wish: Wish,
    report: "Report",
    stopped: "CutOff | Interrupted | None",
    *,
    safe: bool,
    waivers: "Sequence[Waiver]",
) -> "Report":
    """Go on with a report: what was asked of its suite that blocks for good."""
    from sscard.testing.conformance import Outcome, Result, run_suite

    suite, generation = wish.suite, report.generation
    cases = () if report.absent else [c for c in wish.cases(generation) if c.final]
    if stopped is not None:
        left = tuple(Result(case, Outcome.NOT_RUN, str(stopped)) for case in cases)
        known = {result.case.id for result in report.results}
        more = tuple(result for result in left if result.case.id not in known)
        return dataclasses.replace(report, results=report.results + more)
    if not cases:
        return report
    return run_suite(
        suite,
        generation,
        bench,
        cases=cases,
        safe=safe,
        destroy=True,
        waivers=_covering(suite, generation, waivers),
        after=report,
    )


def _covering(suite: "Suite", generation: str, waivers: "Sequence[Waiver]") -> "list[Waiver]":
    """Return the waivers that are for cases of a suite."""
    cases = suite.cases(generation)
    return [waiver for waiver in waivers if any(map(waiver.covers, cases))]


def stop_code(stopped: "CutOff | Interrupted") -> int:
    """Return the exit code of a run that was cut off."""
    return INTERRUPTED if isinstance(stopped, KeyboardInterrupt) else ExitCode.UNUSABLE
