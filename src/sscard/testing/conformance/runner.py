"""Running cases on a bench, one after the other, and what comes out of it.

Every case starts from a reset. A case that needs what is not there is reported as not run, with
the reason; what a case changes it puts back, also after a deviation. A run that cannot go on ends
in an error that has the report of what had run.
"""

import dataclasses
from collections.abc import Callable, Iterable
from fnmatch import fnmatchcase

from sscard.errors import ScriptError, TransportError
from sscard.iso.sw import SW
from sscard.terminal.errors import TerminalError
from sscard.terminal.stack import BadAnswer
from sscard.testing.conformance.bench import Bench, Deviation, NotRun
from sscard.testing.conformance.model import Case, Effect, Suite
from sscard.testing.conformance.results import Outcome, Report, Result
from sscard.testing.conformance.waivers import Waiver
from sscard.transport.port import CardMute, CardReset

__all__ = ["CutOff", "Interrupted", "choose", "cut_before", "run_case", "run_suite", "without"]

Listener = Callable[[Result], None]
_NOT_SAFE = "changes data or burns tries: run with --all"
_NOT_FINAL = "blocks for good: run with --all --destroy"
_STILL_THERE = (CardMute, CardReset, KeyboardInterrupt)
"""After these the same card is still in the reader, and a reset may reach it."""


_DEAD_CASES = 3
"""So many cases in a row with nothing but 6F00, each from a reset: such a card is dead."""


class CutOff(TransportError):
    """The card or its reader was gone before the run's end; `report` is of what had run."""

    def __init__(self, report: Report) -> None:
        super().__init__(f"the run stopped {report.cut}")
        self.report = report


class Interrupted(KeyboardInterrupt):
    """Somebody interrupted the run (Ctrl-C); `report` is of what had run."""

    def __init__(self, report: Report) -> None:
        super().__init__(f"the run stopped {report.cut}")
        self.report = report


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
    destroy: bool = False,
    waivers: Iterable[Waiver] = (),
    listener: Listener | None = None,
    after: Report | None = None,
) -> Report:
    """Run cases of a suite and return the report.

    `cases` None: all of the generation. `safe` leaves out what is not safe, as not run; what
    blocks for good is left out but for `destroy`. `after` is the report of what ran of the suite
    before: it is gone on with, its results come first.
    `listener` hears of every result at once. Errors: `CutOff` when the card is gone, `Interrupted`
    after Ctrl-C; both have the report of what had run.
    """
    given = tuple(waivers)
    accepted = tuple(waiver for waiver in given if not waiver.ended(bench.today))
    chosen = suite.cases(generation) if cases is None else tuple(cases)
    results = [] if after is None else list(after.results)
    begun = len(results)

    def told(result: Result) -> None:
        results.append(result)
        if listener is not None:
            listener(result)

    try:
        suite.survey(bench)
    except (TransportError, KeyboardInterrupt) as end:
        raise cut_before(suite, generation, bench, chosen, end, results) from end
    dead = 0

    def stop(end: BaseException, cut: str) -> CutOff | Interrupted:
        for later in chosen[len(results) - begun :]:
            told(Result(later, Outcome.NOT_RUN, f"the run stopped {cut.partition(':')[0]}"))
        return _stopped(_report(suite, generation, bench, results, given, cut), end)

    for case in chosen:
        if safe and not case.safe:
            told(Result(case, Outcome.NOT_RUN, _NOT_FINAL if case.final else _NOT_SAFE))
            continue
        if case.final and not destroy:
            told(Result(case, Outcome.NOT_RUN, _NOT_FINAL))
            continue
        try:
            result = run_case(case, bench)
        except (TransportError, KeyboardInterrupt) as end:
            told(_broken_off(case, bench, end))
            raise stop(end, f"in {case.id}: {results[-1].reason}") from end
        told(_waived(result, accepted))
        dead = dead + 1 if _nothing_but_faults(result) else 0
        if dead == _DEAD_CASES:
            mute = CardMute("the card answers 6F00 to everything, after a reset, too")
            raise stop(mute, f"after {case.id}: {mute}") from mute
    return _report(suite, generation, bench, results, given)


def _report(
    suite: Suite,
    generation: str,
    bench: Bench,
    results: Iterable[Result],
    waivers: Iterable[Waiver] = (),
    cut: str = "",
) -> Report:
    found = tuple(results)
    good = [waiver for waiver in waivers if not waiver.ended(bench.today)]
    return Report(
        suite.name,
        suite.title,
        generation,
        suite.sections(generation),
        bench.atr.hex().upper(),
        found,
        tuple(waiver.pattern for waiver in good if _stale(waiver, found)),
        cut=cut,
        ended=tuple(waiver.pattern for waiver in waivers if waiver.ended(bench.today)),
    )


def _nothing_but_faults(result: Result) -> bool:
    """Whether a case got 6F00 alone: a card that is mute until reset, and after it (cos 1.4)."""
    sent = [exchange for exchange in result.exchanges if exchange.command]
    return bool(sent) and all(e.answer.startswith(f"{SW.INTERNAL_FAULT:04X}") for e in sent)


def cut_before(
    suite: Suite,
    generation: str,
    bench: Bench,
    cases: Iterable[Case],
    end: BaseException,
    earlier: Iterable[Result] = (),
) -> CutOff | Interrupted:
    """Return the error of a run that stopped before its first case, or its first one now.

    That case counts as cut off, so that no form of the report can be taken for a good one.
    """
    cut = f"before the first case: {_words(end)}"
    results = [Result(case, Outcome.NOT_RUN, f"the run stopped {cut}") for case in cases]
    results[:1] = [dataclasses.replace(first, outcome=Outcome.CUT_OFF) for first in results[:1]]
    return _stopped(_report(suite, generation, bench, [*earlier, *results], cut=cut), end)


def _stopped(report: Report, end: BaseException) -> CutOff | Interrupted:
    return Interrupted(report) if isinstance(end, KeyboardInterrupt) else CutOff(report)


def _words(end: BaseException) -> str:
    return "interrupted" if isinstance(end, KeyboardInterrupt) else str(end)


def _broken_off(case: Case, bench: Bench, end: BaseException) -> Result:
    """Return what is known of a case in the middle of which the run ended.

    The card is put back as it was, if it is sure to be there still; another one may be by now.
    """
    reason, exchanges = _words(end), tuple(bench.log)
    if case.effect is not Effect.SAFE:
        back = isinstance(end, _STILL_THERE) and case.restore and _put_back(case, bench)
        left = "was put back" if back else "may not be"
        reason += f"; the card {left} as it was before this case"
    return Result(case, Outcome.CUT_OFF, reason, exchanges)


def _put_back(case: Case, bench: Bench) -> bool:
    try:
        bench.reset()
        for step in case.restore:
            step.run(bench)
    except (Deviation, NotRun, TerminalError, KeyError, TransportError, KeyboardInterrupt):
        return False
    return True


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
    except (Deviation, TerminalError, BadAnswer) as problem:
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
    except (Deviation, NotRun, TerminalError, BadAnswer, KeyError) as problem:
        if result.outcome is Outcome.NOT_RUN and str(problem) == result.reason:
            return result  # what could not be done had nothing to be undone
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
