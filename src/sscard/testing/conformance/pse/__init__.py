"""The conformance suite of the bank's application: PBOC debit behind the PSE, 2010 edition.

What the card may choose (names, lists, limits, its AIP) is taken from the card; what it must do
with it from the reference. Where that leaves a choice every way passes, or the one the bench was
told (`Bench.switches`). Source: pse-pboc 1 to 7, 12.
"""

from collections.abc import Iterator
from functools import lru_cache

from sscard.testing.conformance.bench import Bench
from sscard.testing.conformance.model import Case, Suite
from sscard.testing.conformance.pse.application import absent, survey
from sscard.testing.conformance.pse.authenticity import authenticity_cases
from sscard.testing.conformance.pse.blocking import blocking_cases, end_of_life_cases
from sscard.testing.conformance.pse.cash import cash_cases
from sscard.testing.conformance.pse.contactless import contactless_cases
from sscard.testing.conformance.pse.decisions import first_cases, second_cases
from sscard.testing.conformance.pse.elements import data_cases
from sscard.testing.conformance.pse.gpo import gpo_cases
from sscard.testing.conformance.pse.issuer_auth import issuer_cases
from sscard.testing.conformance.pse.log import log_cases
from sscard.testing.conformance.pse.pin import pin_cases
from sscard.testing.conformance.pse.records import record_cases
from sscard.testing.conformance.pse.risk import risk_cases
from sscard.testing.conformance.pse.scripts import script_cases
from sscard.testing.conformance.pse.selection import selection_cases
from sscard.testing.conformance.pse.separation import separation_cases
from sscard.testing.conformance.pse.states import state_cases

__all__ = ["PSE_SUITE"]

_EDITION = "2010"
_SECTIONS = {
    "DIRECTORY": "the payment system directory",
    "SELECTION": "finding the bank application",
    "FCI": "what SELECT tells",
    "RECORDS": "records",
    "GET_DATA": "data objects",
    "CHALLENGE": "random numbers",
    "GPO": "opening a transaction",
    "STATES": "every command in every state",
    "VERIFY": "the holder's PIN",
    "ODA": "offline data authentication",
    "FIRST_AC": "the first cryptogram",
    "SECOND_AC": "the second cryptogram",
    "ISSUER_AUTH": "issuer authentication",
    "SCRIPTS": "issuer scripts",
    "BLOCKING": "blocked applications and cards",
    "LOG": "transaction log",
    "RISK": "card risk management",
    "CASH": "electronic cash",
    "CONTACTLESS": "qPBOC without contacts",
    "SEPARATION": "two applications side by side",
    "CARD_BLOCK": "the application blocked for good",
}


@lru_cache(maxsize=1)
def _cases(edition: str) -> tuple[Case, ...]:
    return tuple(_all())


def _all() -> Iterator[Case]:
    """The first cryptogram comes first: a card that does not prove the keys is known by it."""
    yield from first_cases()
    yield from selection_cases()
    yield from record_cases()
    yield from data_cases()
    yield from gpo_cases()
    yield from state_cases()
    yield from pin_cases()
    yield from authenticity_cases()
    yield from second_cases()
    yield from issuer_cases()
    yield from script_cases()
    yield from blocking_cases()
    yield from log_cases()
    yield from risk_cases()
    yield from cash_cases()
    yield from contactless_cases()
    yield from separation_cases()
    yield from end_of_life_cases()


def _edition_of(bench: Bench) -> str:
    return _EDITION


PSE_SUITE = Suite(
    "pse",
    "Bank application, PBOC debit",
    (_EDITION,),
    lambda edition: dict(_SECTIONS),
    _cases,
    survey,
    _edition_of,
    absent,
)
"""The suite of the bank's application."""
