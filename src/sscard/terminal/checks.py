"""The validity checks of a social terminal, in their order, each with a name (ssse-lb002 8, 1).

All but two look at what was read; those two, that the card is genuine and that its code bears
the right MAC, ask the card and the crypto source, and only when their turn comes.
"""

from collections.abc import Callable, Container, Iterator
from dataclasses import dataclass, field
from datetime import date
from enum import StrEnum
from typing import NamedTuple

from sscard.keys import equal
from sscard.spec.checks import is_card_number
from sscard.spec.online import Blacklist
from sscard.spec.ssse import RID
from sscard.terminal.environment import Environment

__all__ = ["Check", "CheckResult", "Outcome", "Policy", "validity"]

VERSIONS = ("1.00", "2.00", "2.01", "3.00")


class Check(StrEnum):
    """The checks, in the order they are made."""

    ATR = "answer to reset"
    VERSION = "specification version"
    IDENTIFICATION = "identification code"
    REGION = "region"
    DATES = "dates"
    BLACKLIST = "blacklist"
    NOT_BLOCKED = "application not blocked"
    GENUINE = "internal authentication"
    CODE_MAC = "MAC of the identification code"
    NUMBER = "card number"


class Outcome(StrEnum):
    """How a check ended."""

    PASSED = "passed"
    FAILED = "failed"
    SKIPPED = "skipped"


class CheckResult(NamedTuple):
    """One check: its name, how it ended, and what was found."""

    check: Check
    outcome: Outcome
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Policy:
    """What a terminal accepts: today's date, the regions it knows (None: all), its blacklist."""

    today: date
    regions: Container[str] | None = None
    blacklist: Blacklist = field(default_factory=Blacklist)
    versions: tuple[str, ...] = VERSIONS


def validity(
    card: Environment,
    policy: Policy,
    *,
    genuine: Callable[[], bool],
    code_mac: Callable[[], bytes | None],
    holder: str = "",
) -> Iterator[CheckResult]:
    """Yield the result of every check; none stops the others.

    `genuine` makes an internal authentication, `code_mac` computes the MAC of the
    identification code or gives None; `holder` is the 社会保障号码 where it is known.
    """
    if not card.readable:
        yield _found(Check.ATR, card.ordinary, card.atr.hex().upper())
        if not card.blocked:
            yield CheckResult(Check.VERSION, Outcome.FAILED, "EF05 cannot be read")
        yield _found(Check.NOT_BLOCKED, not card.blocked, f"SELECT answered {card.selected}")
        return
    yield _found(Check.ATR, card.ordinary, card.atr.hex().upper())
    yield _found(Check.VERSION, card.version in policy.versions, card.version or "none")
    yield _found(Check.IDENTIFICATION, card.code[3:8] == RID, card.code.hex().upper())
    yield _region(card, policy)
    yield _dates(card, policy.today)
    listed = policy.blacklist.lists(card.code, card.number, holder)
    yield _found(Check.BLACKLIST, not listed, f"edition {policy.blacklist.serial}")
    yield _found(Check.NOT_BLOCKED, not card.blocked, f"SELECT answered {card.selected}")
    yield _found(Check.GENUINE, genuine())
    yield _code_mac(card, code_mac())
    yield _found(Check.NUMBER, is_card_number(card.number), card.number or "none")


def _found(check: Check, good: bool, detail: str = "") -> CheckResult:
    return CheckResult(check, Outcome.PASSED if good else Outcome.FAILED, detail)


def _region(card: Environment, policy: Policy) -> CheckResult:
    if not card.region:
        return CheckResult(Check.REGION, Outcome.FAILED, card.code[:3].hex().upper())
    if policy.regions is None:
        return CheckResult(Check.REGION, Outcome.SKIPPED, f"{card.region}, no list given")
    return _found(Check.REGION, card.region in policy.regions, card.region)


def _dates(card: Environment, today: date) -> CheckResult:
    if card.issued is None or card.expires is None:
        return CheckResult(Check.DATES, Outcome.FAILED, "no date of issue or of expiry")
    return _found(
        Check.DATES, card.issued <= today <= card.expires, f"{card.issued} to {card.expires}"
    )


def _code_mac(card: Environment, mac: bytes | None) -> CheckResult:
    if mac is None:
        return CheckResult(Check.CODE_MAC, Outcome.SKIPPED, "no key to compute it with")
    if card.code[12:] == b"\xff" * 4:
        return CheckResult(Check.CODE_MAC, Outcome.SKIPPED, "the code bears none")
    return _found(Check.CODE_MAC, equal(mac, card.code[12:]))
