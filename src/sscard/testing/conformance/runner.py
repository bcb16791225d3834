"""Running cases on a bench, one after the other, and what comes out of it.

Every case starts from a reset. A case that needs what is not there is reported as not run, with
the reason; what a case changes it puts back, also after a deviation.
"""

import dataclasses
from collections.abc import Callable, Iterable
from fnmatch import fnmatchcase

from sscard.errors import ScriptError
from sscard.terminal.errors import TerminalError
from sscard.testing.conformance.bench import Bench, Deviation, NotRun
from sscard.testing.conformance.model import Case, Suite
from sscard.testing.conformance.results import Outcome, Report, Result
from sscard.testing.conformance.waivers import Waiver

__all__ = ["choose", "run_case", "run_suite", "without"]

Listener = Callable[[Result], None]
_NOT_SAFE = "changes data or burns tries: run with --all"


def choose(cases: Iterable[Case], patterns: Iterable[str]) -> tuple[Case, ...]:
    """Return the cases whose id is, or matches, one of the patterns; all without patterns.

    Errors: `ScriptError` for a pattern that fits no case.
    """
    all_cases, wanted = tuple(cases), tuple(patterns)
    for pattern in wanted:
        if not any(fnmatchcase(case.id, pattern) for case in all_cases):
            raise ScriptError(f"there is no case {pattern}: --list shows the ids")
    if not wanted:
        return all_cases
    return tuple(c for c in all_cases if any(fnmatchcase(c.id, pattern) for pattern in wanted))


def run_suite(
    suite: Suite,
    generation: str,
    bench: Bench,
    *,
    cases: Iterable[Case] | None = None,
    safe: bool = True,
    waivers: Iterable[Waiver] = (),
    listener: Listener | None = None,
) -> Report:
    """Run cases of a suite and return the report.

    `cases` None: all of the generation. `safe` leaves out what is not safe, as not run.
    `listener` hears of every result at once. Errors: `TransportError` when the card is gone.
    """
    accepted = tuple(waivers)
    suite.survey(bench)
    results = []
    for case in suite.cases(generation) if cases is None else cases:
        if safe and not case.safe:
            result = Result(case, Outcome.NOT_RUN, _NOT_SAFE)
        else:
            result = _waived(run_case(case, bench), accepted)
        results.append(result)
        if listener is not None:
            listener(result)
    return Report(
        suite.name,
        suite.title,
        generation,
        suite.sections(generation),
        bench.atr.hex().upper(),
        tuple(results),
        tuple(waiver.pattern for waiver in accepted if _stale(waiver, results)),
    )


def without(suite: Suite, bench: Bench, reason: str) -> Report:
    """Return the report of a suite that has nothing to look at on this card."""
    card = bench.atr.hex().upper()
    return Report(suite.name, suite.title, "-", {}, card, (), (), reason)


def run_case(case: Case, bench: Bench) -> Result:
    """Run one case. Errors: `TransportError`."""
    if case.place in bench.absent:
        return Result(case, Outcome.NOT_RUN, f"the card has no {case.place}")
    for step in case.steps + case.restore:
        if reason := step.missing(bench):
            return Result(case, Outcome.NOT_RUN, reason)
    bench.kept.clear()
    bench.log.clear()
    refused = set(bench.refused)
    try:
        bench.reset()
        for step in case.steps:
            step.run(bench)
        result = Result(case, Outcome.PASSED)
    except NotRun as reason:
        result = Result(case, Outcome.NOT_RUN, str(reason), tuple(bench.log))
    except (Deviation, TerminalError) as problem:
        result = Result(case, Outcome.FAILED, str(problem), tuple(bench.log))
    for label in bench.refused.keys() - refused:
        bench.refused[label] = case.id
    return _restored(case, bench, result)


def _restored(case: Case, bench: Bench, result: Result) -> Result:
    """Put back what the case changed; what cannot be put back is a failure of the case."""
    if not case.restore:
        return result
    bench.log.clear()
    try:
        for step in case.restore:
            step.run(bench)
    except (Deviation, NotRun, TerminalError, KeyError) as problem:
        left = f"the card could not be put back as it was: {problem}"
        if result.outcome is Outcome.PASSED:
            return Result(case, Outcome.FAILED, left, tuple(bench.log))
        return dataclasses.replace(result, reason=f"{result.reason}; {left}")
    return result


def _waived(result: Result, waivers: tuple[Waiver, ...]) -> Result:
    if result.outcome is not Outcome.FAILED:
        return result
    for waiver in waivers:
        if waiver.covers(result.case):
            reason = f"{waiver.reason} ({result.reason})"
            return Result(result.case, Outcome.WAIVED, reason, result.exchanges)
    return result


def _stale(waiver: Waiver, results: Iterable[Result]) -> bool:
    """Whether cases of a waiver ran and none of them failed."""
    ran = [r for r in results if waiver.covers(r.case) and r.outcome is not Outcome.NOT_RUN]
    return bool(ran) and all(result.outcome is Outcome.PASSED for result in ran)
