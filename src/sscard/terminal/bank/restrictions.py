"""Processing restrictions: version, usage control, dates (EMV Book 3 10.4; pse-pboc 5.1).

Pure: the transaction in, bits of the TVR out.
"""

from sscard.spec.emv import TransactionType, Tvr
from sscard.terminal.bank.transaction import Transaction, day

__all__ = ["restrictions", "usage_allowed"]

_AUC, _ISSUER_COUNTRY = 0x9F07, 0x5F28
_VERSION, _EFFECTIVE, _EXPIRES = 0x9F08, 0x5F25, 0x5F24
_AT_ATM, _ELSEWHERE = 0x0200, 0x0100
_USAGE = {
    TransactionType.CASH: ((0x8000,), (0x4000,)),
    TransactionType.GOODS: ((0x2000, 0x0800), (0x1000, 0x0400)),
    TransactionType.CASHBACK: ((0x2000, 0x0800), (0x1000, 0x0400)),
}
"""Bits of 9F07 of which one must be set: domestic, international. A purchase is of goods or
services; a balance enquiry and a refund have no bit of their own."""
_CASHBACK = (0x0080, 0x0040)


def restrictions(transaction: Transaction) -> Tvr:
    """Return the bits that version, usage control and dates set."""
    card, bits = transaction.card, Tvr(0)
    if card.get(_VERSION, transaction.settings.version) != transaction.settings.version:
        bits |= Tvr.VERSIONS_DIFFER
    if not usage_allowed(transaction):
        bits |= Tvr.SERVICE_NOT_ALLOWED
    effective = card.get(_EFFECTIVE)
    if effective is not None and day(effective, "effective date") > transaction.today:
        bits |= Tvr.NOT_YET_EFFECTIVE
    if day(card[_EXPIRES], "expiry date") < transaction.today:
        bits |= Tvr.EXPIRED
    return bits


def usage_allowed(transaction: Transaction) -> bool:
    """Whether the usage control lets the card be used for this, here; True without one."""
    control = transaction.card.get(_AUC)
    if control is None:
        return True
    allowed = int.from_bytes(control, "big")
    if not allowed & (_AT_ATM if transaction.terminal.is_atm else _ELSEWHERE):
        return False
    country = transaction.card.get(_ISSUER_COUNTRY)
    if country is None:
        return True
    abroad = country != transaction.value(0x9F1A)
    kinds = _USAGE.get(transaction.type)
    if kinds is not None and not any(allowed & bit for bit in kinds[abroad]):
        return False
    return not (transaction.type is TransactionType.CASHBACK and not allowed & _CASHBACK[abroad])
