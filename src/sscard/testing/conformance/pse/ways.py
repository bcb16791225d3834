"""The beginnings of a transaction that most cases share (pse-pboc 3)."""

from collections.abc import Callable

from sscard.testing.conformance.bench import Bench, NotRun
from sscard.testing.conformance.model import Step
from sscard.testing.conformance.pse.application import Application
from sscard.testing.conformance.pse.bank import APPROVED, Arpc, Script
from sscard.testing.conformance.pse.deal import Phase
from sscard.testing.conformance.pse.frame import Look
from sscard.testing.conformance.pse.transaction import TC, Enter, Generate, Options

__all__ = ["BEGIN", "CLOSED", "ONLINE", "UNBLOCK", "WENT_ONLINE", "has_element", "has_pin"]


def _went_online(bench: Bench, app: Application) -> str:
    """A card without PIN tries may decline what others send to their issuer (5.3 #12)."""
    if app.deal.phase != Phase.ONLINE:
        raise NotRun(f"the card declines an online request: tries left {app.tries}")
    return ""


BEGIN: tuple[Step, ...] = (Enter(), Options())
WENT_ONLINE = Look("on line", _went_online)
"""Behind a first GENERATE AC: ends a case as not run where the card declined."""
ONLINE: tuple[Step, ...] = (*BEGIN, Generate(), WENT_ONLINE)
CLOSED: tuple[Step, ...] = (*ONLINE, Arpc(), Generate(TC, APPROVED))
UNBLOCK = Script("APPLICATION UNBLOCK", "84180000")
"""The script that changes nothing on an application that is not blocked."""


def has_element(tag: int) -> Callable[[Bench, Application], str]:
    """Return a look that ends a case as not run where GET DATA does not give `tag`.

    The value is kept as "old".
    """

    def problem(bench: Bench, app: Application) -> str:
        if tag not in app.elements:
            raise NotRun(f"the card has no {tag:04X}")
        bench.kept["old"] = app.elements[tag]
        return ""

    return problem


def has_pin(bench: Bench, app: Application) -> str:
    """End a case as not run on a card without a PIN, or whose PIN nobody told."""
    if not bench.bank_pin or app.tries is None:
        raise NotRun("needs the PIN of the bank application: it was not given")
    return ""
