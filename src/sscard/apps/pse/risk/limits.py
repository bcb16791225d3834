"""Limits, cumulative amounts and counters of card risk management (pse-pboc 5.1, 5.3)."""

from sscard.apps.pse.layout import Counters, Indicator
from sscard.apps.pse.numbers import AMOUNT_MAX, from_n12
from sscard.apps.pse.risk.values import CardData, Terminal

__all__ = [
    "amount_over",
    "dual_over",
    "failures_noted",
    "foreign_counted",
    "foreign_country",
    "foreign_currency",
    "over",
    "spent",
]

_TVR_SDA, _TVR_DDA = 0x40, 0x0C
_COUNT_MAX = 0xFF


def over(value: int, limit: int | None) -> bool:
    """Whether a value exceeds a limit; an absent limit is never exceeded."""
    return limit is not None and value > limit


def foreign_currency(card: CardData, terminal: Terminal) -> bool:
    """Whether the transaction is in another currency; never without 9F51 (5.1)."""
    return card.currency is not None and terminal.currency != card.currency


def foreign_country(card: CardData, terminal: Terminal) -> bool:
    """Whether the terminal is in another country; never without 9F57 (5.1)."""
    return card.country is not None and terminal.country != card.country


def _dual_amount(card: CardData, terminal: Terminal) -> int | None:
    """Return what a transaction adds to CTTA-dual; None in a third currency (5.1, 5.3 #10)."""
    if card.currency is None:
        return None
    if terminal.currency == card.currency:
        return terminal.amount
    if terminal.currency == card.second_currency and card.conversion is not None:
        factor = card.conversion.hex()
        digits = from_n12(bytes.fromhex("0" + factor[1:]))
        scale = 10 ** int(factor[0], 16)
        half = scale // 2 if card.rules.rounded else 0
        return int((terminal.amount * digits + half) // scale)
    return None


def amount_over(card: CardData, counters: Counters, terminal: Terminal, limit: int | None) -> bool:
    """Whether CTTA and this amount exceed a limit; only in the application currency (5.3 #9)."""
    own = card.currency is not None and terminal.currency == card.currency
    return own and over(counters.amount + terminal.amount, limit)


def dual_over(card: CardData, counters: Counters, terminal: Terminal, limit: int | None) -> bool:
    """Whether CTTA-dual and this amount, converted if need be, exceed a limit (5.3 #10)."""
    amount = _dual_amount(card, terminal)
    return amount is not None and over(counters.dual_amount + amount, limit)


def spent(card: CardData, counters: Counters, terminal: Terminal) -> Counters:
    """Add an offline approval to the cumulative amounts (5.3, Effects of a TC)."""
    if card.currency is not None and terminal.currency == card.currency:
        counters = counters._replace(amount=min(counters.amount + terminal.amount, AMOUNT_MAX))
    dual = _dual_amount(card, terminal) or 0
    return counters._replace(dual_amount=min(counters.dual_amount + dual, AMOUNT_MAX))


def foreign_counted(card: CardData, counters: Counters, terminal: Terminal) -> Counters:
    """Count a transaction the card closed itself abroad; the counters stay at FF."""
    if foreign_currency(card, terminal):
        counters = counters._replace(currency_count=min(counters.currency_count + 1, _COUNT_MAX))
    if foreign_country(card, terminal):
        counters = counters._replace(country_count=min(counters.country_count + 1, _COUNT_MAX))
    return counters


def failures_noted(counters: Counters, terminal: Terminal) -> Counters:
    """Remember, for the next CVR, that the terminal's offline authentication failed."""
    if terminal.tvr[0] & _TVR_SDA:
        counters = counters.marked(Indicator.SDA_FAILURE)
    if terminal.tvr[0] & _TVR_DDA:
        counters = counters.marked(Indicator.DDA_FAILURE)
    return counters
