"""What came out of a run: one result a case, and the report of them all."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum

from sscard.testing.conformance.bench import Exchange
from sscard.testing.conformance.model import Case

__all__ = ["Outcome", "Report", "Result"]


class Outcome(Enum):
    """How a case ended.

    WAIVED: it failed, and a waiver says why that is accepted. CUT_OFF: the card or its reader
    was gone in the middle of it, or somebody interrupted the run.
    """

    PASSED = "passed"
    FAILED = "failed"
    NOT_RUN = "not run"
    WAIVED = "waived"
    CUT_OFF = "cut off"


@dataclass(frozen=True, slots=True)
class Result:
    """One case: its outcome, the reason in words, and the exchanges of a case that did not pass.

    `reason` of a failed case says what was expected and what was seen, of one not run what was
    missing, of a waived one the waiver's reason behind that, of one that was cut off what
    happened and whether the card was put back as it was.
    """

    case: Case
    outcome: Outcome
    reason: str = ""
    exchanges: tuple[Exchange, ...] = ()


@dataclass(frozen=True, slots=True)
class Report:
    """A run: the card's answer to reset, which suite and generation, and all results in order.

    `stale` are the ids of waivers whose case passed: they have to go. `absent` says why nothing
    was run, when the card has not what the suite is about. `cut` says in which case the run
    stopped and why, "" when it went to its end. `ended` are the ids of waivers whose last day is
    over: they cover nothing any more.
    """

    suite: str
    title: str
    generation: str
    sections: dict[str, str]
    card: str
    results: tuple[Result, ...]
    stale: tuple[str, ...] = ()
    absent: str = ""
    cut: str = ""
    ended: tuple[str, ...] = ()

    @property
    def counts(self) -> dict[Outcome, int]:
        """How many cases ended how."""
        found = Counter(result.outcome for result in self.results)
        return {outcome: found[outcome] for outcome in Outcome}

    @property
    def failures(self) -> tuple[Result, ...]:
        """The failed cases that no waiver covers."""
        return tuple(result for result in self.results if result.outcome is Outcome.FAILED)

    def by_section(self) -> Iterator[tuple[str, str, tuple[Result, ...]]]:
        """Yield (section, title, its results), without the sections that have none."""
        for section, title in self.sections.items():
            found = tuple(result for result in self.results if result.case.section == section)
            if found:
                yield section, title, found
