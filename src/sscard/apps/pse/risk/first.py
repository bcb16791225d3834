"""The first GENERATE AC: the table of pse-pboc 5.3, line by line."""

from collections.abc import Callable

from sscard.apps.pse.cvr import Ac, Cvr
from sscard.apps.pse.layout import Counters, Indicator
from sscard.apps.pse.risk.limits import (
    amount_over,
    dual_over,
    failures_noted,
    foreign_counted,
    foreign_country,
    foreign_currency,
    over,
    spent,
)
from sscard.apps.pse.risk.values import (
    ADVICE,
    PIN_REASON,
    Ada,
    Aip,
    CardData,
    Situation,
    Terminal,
    Verdict,
)

__all__ = ["declined", "failed_last", "first_answer"]


def first_answer(
    card: CardData, counters: Counters, so_far: Situation, terminal: Terminal, requested: Ac
) -> Verdict:
    """Answer the first GENERATE AC. All checks run; the card never upgrades a request."""
    cvr, online, decline = so_far.cvr.scripts(counters.script_count), False, False
    block = False
    for check in _FIRST_CHECKS:
        bit, wants_online = check(card, counters, so_far, terminal)
        cvr |= bit
        online |= wants_online
    if so_far.pin_exceeded_before:
        cvr |= Cvr.PIN_TRIES_EXCEEDED
        if card.ada & Ada.PIN_EXCEEDED_BEFORE_DECLINE:
            decline = True
        elif card.ada & Ada.PIN_EXCEEDED_BEFORE_ONLINE:
            online = True
        elif card.ada & Ada.PIN_EXCEEDED_BEFORE_BLOCK:
            decline = block = True
            cvr |= Cvr.BLOCKED_BY_PIN
    if so_far.blocked or requested is Ac.AAC or decline:
        answer = Ac.AAC
    elif requested is Ac.ARQC or online:
        answer = Ac.ARQC
    else:
        answer = Ac.TC
    cvr = cvr.first(answer)
    if answer is Ac.ARQC:
        return Verdict(answer, cvr, counters.marked(Indicator.ONLINE_AUTHORISATION))
    if answer is Ac.TC or card.rules.declined_counts:
        counters = foreign_counted(card, counters, terminal)
    if answer is Ac.TC:
        counters = counters.marked(Indicator.ONLINE_AUTHORISATION, value=False)
        return Verdict(answer, cvr, spent(card, counters, terminal))
    return declined(card, counters, so_far, terminal, cvr, block=block)


def declined(
    card: CardData,
    counters: Counters,
    so_far: Situation,
    terminal: Terminal,
    cvr: Cvr,
    *,
    block: bool = False,
) -> Verdict:
    """Effects of an AAC: advice, and what failed at the terminal is remembered."""
    advice = ADVICE if card.ada & Ada.DECLINED_ADVICE else 0
    if so_far.pin_exceeded and card.ada & Ada.PIN_EXCEEDED_ADVICE:
        advice = ADVICE | PIN_REASON
    return Verdict(Ac.AAC, cvr, failures_noted(counters, terminal), advice, block)


_Check = Callable[[CardData, Counters, Situation, Terminal], tuple[Cvr, bool]]
"""One line of 5.3: the CVR bit it sets (none: 0), whether it wants to go online."""

_NOTHING = (Cvr(0), False)


def _online_not_completed(
    card: CardData, counters: Counters, so_far: Situation, terminal: Terminal
) -> tuple[Cvr, bool]:
    """#1."""
    if not counters.indicators & Indicator.ONLINE_AUTHORISATION:
        return _NOTHING
    return Cvr.ONLINE_NOT_COMPLETED, True


def _issuer_failed_last(
    card: CardData, counters: Counters, so_far: Situation, terminal: Terminal
) -> tuple[Cvr, bool]:
    """#2."""
    failed = counters.indicators & Indicator.ISSUER_AUTHENTICATION_FAILURE
    if not (so_far.aip & Aip.ISSUER_AUTHENTICATION and failed):
        return _NOTHING
    online = bool(card.ada & Ada.ISSUER_FAILED_LAST_ONLINE)
    return Cvr.LAST_ISSUER_AUTHENTICATION_FAILED, online


def failed_last(
    card: CardData, counters: Counters, so_far: Situation, terminal: Terminal
) -> tuple[Cvr, bool]:
    """#3 and #4: SDA, DDA or CDA failed in the last transaction."""
    bits = Cvr(0)
    if so_far.aip & Aip.SDA and counters.indicators & Indicator.SDA_FAILURE:
        bits |= Cvr.LAST_SDA_FAILED
    if so_far.aip & Aip.DDA and counters.indicators & Indicator.DDA_FAILURE:
        bits |= Cvr.LAST_DDA_FAILED
    return bits, False


def _script_failed_last(
    card: CardData, counters: Counters, so_far: Situation, terminal: Terminal
) -> tuple[Cvr, bool]:
    """#5, second line; the counter itself is always copied."""
    if not counters.indicators & Indicator.SCRIPT_FAILURE:
        return _NOTHING
    return Cvr.LAST_SCRIPT_FAILED, bool(card.ada & Ada.SCRIPT_FAILED_ONLINE)


def _velocity(
    card: CardData, counters: Counters, so_far: Situation, terminal: Terminal
) -> tuple[Cvr, bool]:
    """#6 to #10."""
    exceeded = (
        over(counters.atc - counters.last_online_atc, card.lower_limit),
        foreign_currency(card, terminal) and over(counters.currency_count + 1, card.currency_limit),
        foreign_country(card, terminal) and over(counters.country_count + 1, card.country_limit),
        amount_over(card, counters, terminal, card.amount_limit),
        dual_over(card, counters, terminal, card.dual_limit),
    )
    return (Cvr.VELOCITY_EXCEEDED, True) if any(exceeded) else _NOTHING


def _new_card(
    card: CardData, counters: Counters, so_far: Situation, terminal: Terminal
) -> tuple[Cvr, bool]:
    """#11."""
    if counters.last_online_atc:
        return _NOTHING
    return Cvr.NEW_CARD, bool(card.ada & Ada.NEW_CARD_ONLINE)


_FIRST_CHECKS: tuple[_Check, ...] = (
    _online_not_completed,
    _issuer_failed_last,
    failed_last,
    _script_failed_last,
    _velocity,
    _new_card,
)
