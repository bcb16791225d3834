"""Terminal risk management: exception file, floor limit, chance, velocity (EMV Book 3 10.6).

The terminal's memory is the caller's: a `RiskData` says what it remembers. Source: pse-pboc 5.1
for 9F14 and 9F23.
"""

from collections.abc import Callable, Container
from dataclasses import dataclass

from sscard.spec.emv import Tsi, Tvr
from sscard.terminal.bank.reading import get_data
from sscard.terminal.bank.settings import AidSettings
from sscard.terminal.bank.transaction import Transaction
from sscard.terminal.stack import Channel

__all__ = ["RiskData", "chance_percent", "manage_risk"]

_LOWER, _UPPER = 0x9F14, 0x9F23
_ATC, _LAST_ONLINE = 0x9F36, 0x9F13


@dataclass(frozen=True, slots=True)
class RiskData:
    """What the terminal brings.

    `spent` the amount approved offline for this card earlier (split sales), `exceptions` the
    PANs of the exception file, `forced` whether the merchant wants to go online, `draw` a
    number from 1 to 99 by chance.
    """

    draw: Callable[[], int]
    spent: int = 0
    exceptions: Container[str] = ()
    forced: bool = False


def manage_risk(channel: Channel, transaction: Transaction, data: RiskData) -> None:
    """Set the bits of the TVR that risk management finds, and its bit of the TSI.

    The exception file and the merchant's wish count whatever the AIP says; the rest only when
    it asks for terminal risk management.
    """
    if transaction.pan in data.exceptions:
        transaction.note(Tvr.ON_EXCEPTION_FILE)
    if data.forced:
        transaction.note(Tvr.FORCED_ONLINE)
    if not transaction.supports(4):
        return
    settings = transaction.settings
    if transaction.amount + data.spent >= settings.floor_limit:
        transaction.note(Tvr.FLOOR_LIMIT_EXCEEDED)
    elif not transaction.terminal.online_only and not transaction.terminal.offline_only:
        percent = chance_percent(settings, transaction.amount)
        if percent and data.draw() <= percent:
            transaction.note(Tvr.SELECTED_AT_RANDOM)
    _velocity(channel, transaction)
    transaction.done(Tsi.TERMINAL_RISK_MANAGEMENT)


def chance_percent(settings: AidSettings, amount: int) -> int:
    """Return how many of a hundred such transactions go online by chance (10.6.2).

    The target below the threshold; from there it rises, in proportion, to its maximum at the
    floor limit.
    """
    over = amount - settings.random_threshold
    room = settings.floor_limit - settings.random_threshold
    if over < 0 or room <= 0:
        return settings.random_target
    rise = settings.random_target_max - settings.random_target
    return settings.random_target + rise * min(over, room) // room


def _velocity(channel: Channel, transaction: Transaction) -> None:
    """Compare the card's counters with the consecutive limits it has in its records (10.6.3)."""
    lower, upper = transaction.card.get(_LOWER), transaction.card.get(_UPPER)
    if lower is None or upper is None:
        return
    atc, last = (_counter(channel, tag) for tag in (_ATC, _LAST_ONLINE))
    if last == 0:
        transaction.note(Tvr.NEW_CARD)
    if atc is None or last is None:
        transaction.note(Tvr.DATA_MISSING)
    if atc is None or last is None or atc <= last:
        transaction.note(Tvr.LOWER_LIMIT_EXCEEDED, Tvr.UPPER_LIMIT_EXCEEDED)
        return
    if atc - last > lower[0]:
        transaction.note(Tvr.LOWER_LIMIT_EXCEEDED)
    if atc - last > upper[0]:
        transaction.note(Tvr.UPPER_LIMIT_EXCEEDED)


def _counter(channel: Channel, tag: int) -> int | None:
    value = get_data(channel, tag)
    return int.from_bytes(value, "big") if value is not None and len(value) == 2 else None
