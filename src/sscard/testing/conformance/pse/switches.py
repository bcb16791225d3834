"""What the reference leaves to the card: every way of it passes, or the one the bench was told."""

from typing import NamedTuple

from sscard.spec.options import BY_NAME
from sscard.testing.conformance.bench import Bench
from sscard.testing.conformance.model import Expect
from sscard.testing.models.pse_risk import Rules

__all__ = ["Answer", "By", "expected", "is_set", "may_be", "rules_of"]


class By(NamedTuple):
    """Status words by the value of a switch, (value, word) each."""

    option: str
    words: tuple[tuple[str, int], ...]

    def accepted(self, bench: Bench) -> tuple[int, ...]:
        """Return the words this card may answer."""
        told = bench.switches.get(self.option)
        chosen = tuple(word for value, word in self.words if told in (None, value))
        return tuple(dict.fromkeys(chosen))


Answer = int | tuple[int, ...] | By
"""Which status words are right."""


def expected(bench: Bench, answer: Answer) -> Expect:
    """Return the expectation of an answer on this bench."""
    if isinstance(answer, By):
        return Expect(answer.accepted(bench))
    return Expect((answer,) if isinstance(answer, int) else answer)


def may_be(bench: Bench, option: str, value: str) -> bool:
    """Whether a switch may have a value: it has, or nobody told."""
    return bench.switches.get(option) in (None, value)


def is_set(bench: Bench, option: str, value: str) -> bool:
    """Whether a switch is known to have a value; one that nobody told has its default."""
    return bench.switches.get(option, BY_NAME[option].values[0]) == value


def rules_of(bench: Bench) -> tuple[Rules, ...]:
    """Return every set of rules of risk management that the switches leave open."""

    def ways(option: str) -> list[bool]:
        first = BY_NAME[option].values[0]
        return [value == first for value in BY_NAME[option].values if may_be(bench, option, value)]

    return tuple(
        Rules(referrals, declined, not dropped)
        for referrals in ways("pse_approving_arcs")
        for declined in ways("pse_declined_counts")
        for dropped in ways("pse_conversion")
    )
