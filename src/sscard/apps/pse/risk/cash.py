"""Electronic cash on the contact path: which transactions are it, how they end (pse-pboc 6.1)."""

from collections.abc import Mapping

from sscard.apps.pse.cvr import Ac
from sscard.apps.pse.layout import Counters, Indicator
from sscard.apps.pse.numbers import from_n12
from sscard.apps.pse.risk.first import declined, failed_last
from sscard.apps.pse.risk.limits import over
from sscard.apps.pse.risk.values import CardData, Situation, Terminal, Verdict

__all__ = ["cash_answer", "is_cash"]

_AMOUNT, _CURRENCY, _SUPPORTED = 0x9F02, 0x5F2A, 0x9F7A
_FAILURES = Indicator.ISSUER_AUTHENTICATION_FAILURE | Indicator.SCRIPT_FAILURE
_CHANGING = frozenset((0x95, 0x9B, 0x9F37))
"""TVR, TSI, unpredictable number: what differs between PDOL and CDOL1 as a matter of course."""


def is_cash(
    card: CardData, counters: Counters, pin_tries: int | None, offered: Mapping[int, bytes]
) -> bool:
    """Whether GET PROCESSING OPTIONS opens a transaction of electronic cash.

    Shapes: `offered` the PDOL data by tag; what the PDOL does not ask for is not offered;
    `pin_tries` None without a PIN.
    """
    amount = from_n12(offered.get(_AMOUNT, b""))
    return (
        offered.get(_SUPPORTED) == b"\x01"
        and card.currency is not None
        and offered.get(_CURRENCY) == card.currency
        and _AMOUNT in offered
        and card.balance is not None
        and not over(amount, card.balance)
        and card.cash_limit is not None
        and not over(amount, card.cash_limit)
        and not counters.indicators & _FAILURES
        and pin_tries != 0
    )


def cash_answer(
    card: CardData,
    counters: Counters,
    so_far: Situation,
    terminal: Terminal,
    requested: Ac,
    offered: Mapping[int, bytes],
    repeated: Mapping[int, bytes],
) -> Verdict:
    """Answer the first GENERATE AC of a transaction of electronic cash.

    `offered` are the PDOL data the balance was compared with, `repeated` the CDOL1 data: a
    terminal that changed one of them gets no TC. The counters of debit stay as they are.
    """
    bits, _ = failed_last(card, counters, so_far, terminal)
    cvr = so_far.cvr | bits
    common = offered.keys() & repeated.keys() - _CHANGING
    changed = any(offered[tag] != repeated[tag] for tag in common)
    if so_far.blocked or requested is Ac.AAC or (requested is Ac.TC and changed):
        return declined(card, counters, so_far, terminal, cvr.first(Ac.AAC))
    if requested is Ac.ARQC:
        counters = counters.marked(Indicator.ONLINE_AUTHORISATION)
        return Verdict(Ac.ARQC, cvr.first(Ac.ARQC), counters)
    assert card.balance is not None  # or it were no electronic cash
    left = card.balance - from_n12(offered[_AMOUNT])
    return Verdict(Ac.TC, cvr.first(Ac.TC), counters, balance=left)
