"""What the cases of the bank application have in common."""

from collections.abc import Callable
from dataclasses import dataclass

from sscard.testing.conformance.bench import Bench, NotRun
from sscard.testing.conformance.model import Case, Effect, Step
from sscard.testing.conformance.pse.application import BANK, Application, application, blocked_card
from sscard.testing.conformance.pse.bank import Settle

__all__ = ["Look", "bank_case", "only_if", "script_case"]


def bank_case(
    name: str,
    title: str,
    source: str,
    why: str,
    *steps: Step,
    effect: Effect = Effect.SAFE,
    place: str = BANK,
    restore: tuple[Step, ...] | None = None,
) -> Case:
    """Return a case; one that is not safe ends with an approval of the issuer, given keys."""
    back: tuple[Step, ...] = () if effect is Effect.SAFE else (Settle(if_possible=True),)
    return Case(
        name,
        title,
        f"pse-pboc {source}",
        why,
        steps,
        effect,
        place,
        back if restore is None else restore,
    )


@dataclass(frozen=True, slots=True)
class Look:
    """Look at what is known of the card: `problem` says what is wrong, "" when nothing is.

    It raises `NotRun` where this card has nothing to look at. `anyhow`: on a blocked card, too.
    """

    title: str
    problem: Callable[[Bench, Application], str]
    anyhow: bool = False

    def missing(self, bench: Bench) -> str:
        """See `Step.missing`."""
        return "" if self.anyhow else blocked_card(bench)

    def run(self, bench: Bench) -> None:
        """See `Step.run`."""
        bench.require(self.title, self.problem(bench, application(bench)))


def script_case(
    name: str,
    title: str,
    why: str,
    *steps: Step,
    effect: Effect = Effect.RESTORED,
    restore: tuple[Step, ...] | None = None,
    source: str = "4.8, 5.6",
) -> Case:
    """Return a case of `SCRIPTS`: it writes, and writes back what was there."""
    return bank_case(f"SCRIPTS/{name}", title, source, why, *steps, effect=effect, restore=restore)


def only_if(
    reason: str, holds: Callable[[Bench, Application], bool], *, anyhow: bool = False
) -> Look:
    """Return a step that ends a case as not run, for `reason`, unless something holds."""

    def problem(bench: Bench, app: Application) -> str:
        if not holds(bench, app):
            raise NotRun(reason)
        return ""

    return Look("the card is one to look at", problem, anyhow)
