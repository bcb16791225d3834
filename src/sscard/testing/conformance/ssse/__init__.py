"""The conformance suite of the social security environment, three generations of it.

Sections are the titles of LD/T 6001.3-2023 and the inspection checklist, as far as the
reference names them; the asymmetric application (`ACSE_*`, `CHECK_CERT`) is not part of it.
Source: ssse-lb002 0-4; cos 5.3.
"""

from collections.abc import Iterator
from functools import lru_cache

from sscard.spec.ssse import VERSIONS
from sscard.testing.conformance.model import Case, Suite
from sscard.testing.conformance.ssse.access import safety_cases
from sscard.testing.conformance.ssse.account import account_cases
from sscard.testing.conformance.ssse.authentication import (
    authentication_cases,
    key_version_cases,
)
from sscard.testing.conformance.ssse.blocking import blocking_cases, end_of_life_cases
from sscard.testing.conformance.ssse.commands import place_of
from sscard.testing.conformance.ssse.identity import (
    absent,
    atr_cases,
    checklist_cases,
    generation_of,
    survey,
)
from sscard.testing.conformance.ssse.pin import pin_cases
from sscard.testing.conformance.ssse.protected import protected_cases
from sscard.testing.conformance.ssse.records import record_cases

__all__ = ["SSSE_SUITE"]


def _sections(generation: str) -> dict[str, str]:
    titles = {
        "ATR": "answer to reset",
        "CHECKLIST": "inspection checklist",
        "CHANGE_PIN": "the holder's PIN",
        "AUTHENTICATION": "challenges and authentication",
        "KEY_VER1": "keys in version 01",
        "KEY_VER2": "keys in version 02",
        "KEY_VER3": "keys in version 03",
        "SECURE_MESSAGING": "updates under line protection",
        "APPLICATION_BLOCK": "applications blocked and unblocked",
        "ACCOUNT": "medical account",
    }
    for directory in VERSIONS[generation]:
        place = place_of(directory)
        name = directory.english or place
        titles[f"{place}_RECORD"] = f"records, {name}"
        titles[f"{place}_SAFETY"] = f"reading and writing, {name}"
    titles["END_OF_LIFE"] = "blocked for good"
    return titles


@lru_cache(maxsize=len(VERSIONS))
def _cases(generation: str) -> tuple[Case, ...]:
    return tuple(_all(generation))


def _all(generation: str) -> Iterator[Case]:
    yield from atr_cases()
    yield from checklist_cases(generation)
    yield from pin_cases()
    yield from authentication_cases()
    for version in (1, 2, 3):
        yield from key_version_cases(generation, version)
    yield from protected_cases(generation)
    yield from blocking_cases(generation)
    yield from account_cases()
    for directory in VERSIONS[generation]:
        yield from record_cases(directory)
        yield from safety_cases(generation, directory)
    yield from end_of_life_cases(generation)


SSSE_SUITE = Suite(
    "ssse",
    "Social security environment, LD/T 6001.3 titles",
    tuple(VERSIONS),
    _sections,
    _cases,
    survey,
    generation_of,
    absent,
)
"""The suite of the SSSE."""
