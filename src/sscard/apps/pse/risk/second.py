"""The second GENERATE AC: the rules of pse-pboc 5.4, online answer and none."""

from sscard.apps.pse.cvr import Ac, Cvr
from sscard.apps.pse.layout import Counters, Indicator
from sscard.apps.pse.risk.limits import (
    amount_over,
    dual_over,
    failures_noted,
    foreign_counted,
    over,
    spent,
)
from sscard.apps.pse.risk.values import (
    ADVICE,
    ISSUER_REASON,
    Ada,
    Aip,
    CardData,
    Issuer,
    Situation,
    Terminal,
    Verdict,
)

__all__ = ["second_answer"]

UNABLE = (b"Y3", b"Z3")
"""ARCs of a terminal that could not go online."""
APPROVED = frozenset((b"00", b"10", b"11", b"Y1"))
"""ARCs that approve (pse-pboc 5.4 A)."""
REFERRED = frozenset((b"01", b"02"))
"""ARCs of a referral, which count as approvals unless a switch says no (14 #24)."""
_SETTLED = (
    Indicator.ONLINE_AUTHORISATION
    | Indicator.SDA_FAILURE
    | Indicator.DDA_FAILURE
    | Indicator.SCRIPT_FAILURE
)


def second_answer(
    card: CardData,
    counters: Counters,
    so_far: Situation,
    terminal: Terminal,
    requested: Ac,
    arc: bytes,
    issuer: Issuer,
) -> Verdict:
    """Answer the second GENERATE AC: TC or AAC. The result of EXTERNAL AUTHENTICATE counts too.

    `arc` is tag 8A of the CDOL2 data.
    """
    if issuer.received:
        counters = counters.marked(Indicator.ISSUER_AUTHENTICATION_FAILURE, value=issuer.failed)
        if issuer.failed:
            so_far = so_far._replace(cvr=so_far.cvr | Cvr.ISSUER_AUTHENTICATION_FAILED)
    wanted = requested is Ac.TC and not so_far.blocked
    if arc in UNABLE:
        return _unable_to_go_online(card, counters, so_far, terminal, wanted)
    approving = APPROVED | REFERRED if card.rules.referrals else APPROVED
    accepted = arc in approving and (not issuer.passed or issuer.arc in approving)
    if wanted and accepted:
        return _approved_online(card, counters, so_far, issuer)
    return _declined_online(card, counters, so_far, issuer)


def _approved_online(
    card: CardData, counters: Counters, so_far: Situation, issuer: Issuer
) -> Verdict:
    """5.4 A, R = TC and ACCEPT: the issuer's approval stands unless it could not be proved."""
    supported = so_far.aip & Aip.ISSUER_AUTHENTICATION
    decline = issuer.failed and card.ada & Ada.ISSUER_FAILED_DECLINE
    if supported and not issuer.received and card.issuer_mandatory:
        counters = counters.marked(Indicator.ISSUER_AUTHENTICATION_FAILURE)
        decline = decline or card.ada & Ada.ISSUER_MISSING_DECLINE
    if decline:
        advice = ADVICE | ISSUER_REASON if card.ada & Ada.ISSUER_DECLINED_ADVICE else 0
        return Verdict(Ac.AAC, so_far.cvr.second(Ac.AAC), counters, advice)
    cvr = so_far.cvr.second(Ac.TC)
    if supported and not issuer.received:
        cvr |= Cvr.ISSUER_AUTHENTICATION_MISSING
    if _settles(card, so_far, issuer):
        counters = _settled(counters)._replace(
            amount=0,
            dual_amount=0,
            currency_count=0,
            country_count=0,
            last_online_atc=counters.atc,
        )
    return Verdict(Ac.TC, cvr, counters)


def _declined_online(
    card: CardData, counters: Counters, so_far: Situation, issuer: Issuer
) -> Verdict:
    """5.4 A, otherwise: the terminal or the issuer declines."""
    cvr = so_far.cvr.second(Ac.AAC)
    if so_far.aip & Aip.ISSUER_AUTHENTICATION and not issuer.received:
        cvr |= Cvr.ISSUER_AUTHENTICATION_MISSING
        if card.issuer_mandatory:
            counters = counters.marked(Indicator.ISSUER_AUTHENTICATION_FAILURE)
    if _settles(card, so_far, issuer):
        counters = _settled(counters)
    return Verdict(Ac.AAC, cvr, counters)


def _unable_to_go_online(
    card: CardData, counters: Counters, so_far: Situation, terminal: Terminal, wanted: bool
) -> Verdict:
    """5.4 B, ARC Y3 or Z3: the card decides alone; the next transaction will go online."""
    cvr, decline = so_far.cvr | Cvr.UNABLE_TO_GO_ONLINE, False
    if over(counters.atc - counters.last_online_atc, card.upper_limit):
        cvr |= Cvr.VELOCITY_EXCEEDED
        decline = True
    if not counters.last_online_atc:
        cvr |= Cvr.NEW_CARD
        decline = decline or bool(card.ada & Ada.NEW_CARD_OFFLINE_DECLINE)
    if so_far.pin_exceeded_before and card.ada & Ada.PIN_EXCEEDED_OFFLINE_DECLINE:
        cvr |= Cvr.PIN_TRIES_EXCEEDED
        decline = True
    upper = card.amount_upper_limit
    dual = None if card.dual_limit is None else upper
    own_over = amount_over(card, counters, terminal, upper)
    if own_over or dual_over(card, counters, terminal, dual):
        cvr |= Cvr.VELOCITY_EXCEEDED
        decline = True
    approved = wanted and not decline
    if approved or card.rules.declined_counts:
        counters = foreign_counted(card, counters, terminal)
    if approved:
        return Verdict(Ac.TC, cvr.second(Ac.TC), spent(card, counters, terminal))
    advice = ADVICE if card.ada & Ada.DECLINED_ADVICE else 0
    return Verdict(Ac.AAC, cvr.second(Ac.AAC), failures_noted(counters, terminal), advice)


def _settles(card: CardData, so_far: Situation, issuer: Issuer) -> bool:
    """Whether the issuer's word is good enough to reset what waited for it."""
    if not so_far.aip & Aip.ISSUER_AUTHENTICATION or issuer.passed:
        return True
    return not issuer.received and not card.issuer_mandatory


def _settled(counters: Counters) -> Counters:
    """Reset-indicators of 5.4."""
    return counters.marked(_SETTLED, value=False)._replace(script_count=0)
