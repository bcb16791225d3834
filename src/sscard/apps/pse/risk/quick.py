"""qPBOC: the card decides in GET PROCESSING OPTIONS, alone (pse-pboc 6.2).

The page gives the bits of 9F66, 9F68 and 9F6C by their meaning, no table; each row below is one
bit, read as it says (docs/interpretations.md). Bits that say too little do nothing here.
"""

from collections.abc import Callable
from enum import IntFlag
from typing import NamedTuple

from sscard.apps.pse.cvr import Ac, Cvr
from sscard.apps.pse.layout import Counters
from sscard.apps.pse.risk.limits import over, spent
from sscard.apps.pse.risk.values import CardData, Situation, Terminal, Verdict

__all__ = ["Processes", "Ttq", "quick_answer"]


class Ttq(IntFlag):
    """Terminal transaction qualifiers, 9F66."""

    QUICK = 0x20000000
    OFFLINE_ONLY = 0x08000000
    ONLINE_PIN = 0x04000000
    SIGNATURE = 0x02000000
    ONLINE_CRYPTOGRAM = 0x00800000
    CVM_REQUIRED = 0x00400000
    SIGNATURE_01 = 0x00000080
    """fDDA version 01."""


class Processes(IntFlag):
    """Card additional processes, 9F68: the bits this card looks at."""

    LOW_VALUE = 0x80000000
    LOW_VALUE_AND_AMOUNT = 0x40000000
    LOW_VALUE_OR_AMOUNT = 0x20000000
    NEW_CARD = 0x10000000
    PIN_TRIES = 0x08000000
    RETURN_AVAILABLE = 0x01000000
    OTHER_CURRENCY_REFUSED = 0x00400000
    NEW_CARD_OFFLINE_DECLINE = 0x00200000
    LOG = 0x00100000
    ONLINE_PIN = 0x00008000
    ONLINE_PIN_OTHER_CURRENCY = 0x00004000
    CVM_OTHER_CURRENCY = 0x00002000
    SIGNATURE = 0x00001000


class _Ctq(IntFlag):
    """Card transaction qualifiers, 9F6C: the bits the card sets itself."""

    ONLINE_PIN = 0x8000
    SIGNATURE = 0x4000


class _Facts(NamedTuple):
    """What the rows look at."""

    card: CardData
    counters: Counters
    so_far: Situation
    terminal: Terminal
    ttq: int

    def wants(self, bit: Processes) -> bool:
        """Whether 9F68 has a bit."""
        return bool(self.card.processes & bit)

    @property
    def is_own_currency(self) -> bool:
        """Whether the transaction is in the card's currency."""
        return self.card.currency is not None and self.terminal.currency == self.card.currency

    @property
    def is_low_value(self) -> bool:
        """Whether balance and transaction limit of electronic cash allow the amount."""
        amount, card = self.terminal.amount, self.card
        limits = (card.balance, card.cash_limit)
        return all(limit is not None and amount <= limit for limit in limits)

    @property
    def is_within_amount(self) -> bool:
        """Whether CTTA leaves room for the amount."""
        limit = self.card.amount_limit
        return limit is not None and not over(self.counters.amount + self.terminal.amount, limit)


class _Says(NamedTuple):
    """What a row wants: a CVR bit, the issuer, an end."""

    cvr: Cvr = Cvr(0)
    online: bool = False
    decline: bool = False


_NOTHING = _Says()


def quick_answer(
    card: CardData, counters: Counters, so_far: Situation, terminal: Terminal, ttq: int
) -> tuple[Verdict, int]:
    """Return the verdict of a transaction of qPBOC and the qualifiers (9F6C) for the terminal.

    Shapes: `counters` with the ATC of this transaction; `ttq` the 4 bytes of 9F66 as a number.
    A TC's counters and balance are to be committed when it becomes final.
    """
    facts = _Facts(card, counters, so_far, terminal, ttq)
    said = [row(facts) for row in _ROWS]
    cvr = so_far.cvr
    for one in said:
        cvr |= one.cvr
    qualifiers, by_cvm = _cardholder(facts)
    said.append(by_cvm)
    online = any(one.online for one in said)
    impossible = online and bool(ttq & Ttq.OFFLINE_ONLY)
    if so_far.blocked or impossible or any(one.decline for one in said):
        return Verdict(Ac.AAC, cvr.first(Ac.AAC), counters), card.qualifiers
    if online:
        return Verdict(Ac.ARQC, cvr.first(Ac.ARQC), counters), card.qualifiers | qualifiers
    debits_balance = facts.is_low_value
    if not debits_balance or facts.wants(Processes.LOW_VALUE_AND_AMOUNT):
        counters = spent(card, counters, terminal)
    balance = (card.balance or 0) - terminal.amount if debits_balance else None
    verdict = Verdict(Ac.TC, cvr.first(Ac.TC), counters, balance=balance)
    return verdict, card.qualifiers | qualifiers


# --- the rows -----------------------------------------------------------------------------------


def _currency(facts: _Facts) -> _Says:
    """Another currency: decline, or the issuer decides."""
    if facts.is_own_currency:
        return _NOTHING
    refused = facts.wants(Processes.OTHER_CURRENCY_REFUSED)
    return _Says(online=not refused, decline=refused)


def _new_card(facts: _Facts) -> _Says:
    """A card never online: the issuer decides, or, where it cannot be asked, 9F68 2.b6."""
    if facts.counters.last_online_atc or not facts.wants(Processes.NEW_CARD):
        return _NOTHING
    offline = bool(facts.ttq & Ttq.OFFLINE_ONLY)
    decline = offline and facts.wants(Processes.NEW_CARD_OFFLINE_DECLINE)
    return _Says(Cvr.NEW_CARD, online=not offline, decline=decline)


def _pin_tries(facts: _Facts) -> _Says:
    """No PIN try left."""
    if facts.so_far.pin_tries != 0 or not facts.wants(Processes.PIN_TRIES):
        return _NOTHING
    return _Says(Cvr.PIN_TRIES_EXCEEDED, online=True)


def _asked(facts: _Facts) -> _Says:
    """The terminal wants an online cryptogram."""
    return _Says(online=bool(facts.ttq & Ttq.ONLINE_CRYPTOGRAM))


def _funds(facts: _Facts) -> _Says:
    """Low value, and or or the cumulative amount; without any of these nothing is offline."""
    low, within = facts.is_low_value, facts.is_within_amount
    if facts.wants(Processes.LOW_VALUE_AND_AMOUNT):
        enough = low and within
    elif facts.wants(Processes.LOW_VALUE_OR_AMOUNT):
        enough = low or within
    elif facts.wants(Processes.LOW_VALUE):
        enough = low
    else:
        return _Says(online=True)
    return _NOTHING if enough else _Says(Cvr.VELOCITY_EXCEEDED, online=True)


_ROWS: tuple[Callable[[_Facts], _Says], ...] = (_currency, _new_card, _pin_tries, _asked, _funds)


def _cardholder(facts: _Facts) -> tuple[int, _Says]:
    """Return the qualifiers of cardholder verification, and what follows for the decision."""
    own = facts.is_own_currency
    required = bool(facts.ttq & Ttq.CVM_REQUIRED)
    if not required and (own or not facts.wants(Processes.CVM_OTHER_CURRENCY)):
        return 0, _NOTHING
    online_pin = Processes.ONLINE_PIN if own else Processes.ONLINE_PIN_OTHER_CURRENCY
    if facts.ttq & Ttq.ONLINE_PIN and facts.wants(online_pin):
        return _Ctq.ONLINE_PIN, _Says(online=True)
    if facts.ttq & Ttq.SIGNATURE and facts.wants(Processes.SIGNATURE):
        return _Ctq.SIGNATURE, _NOTHING
    return 0, _Says(decline=True)
