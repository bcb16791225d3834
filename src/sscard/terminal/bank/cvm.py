"""Cardholder verification by the card's CVM list (EMV Book 3 10.5; pse-pboc 2.4, 2.7, 4.10).

The rules are gone through in their order; the method that settles the matter stands in the
CVM results (9F34), what went wrong on the way in the TVR.
"""

from typing import NamedTuple

from sscard.spec.emv import CvmCode, CvmCondition, TransactionType, Tsi, Tvr
from sscard.terminal.bank.pin_check import Result, Verification, offline_pin, online_pin
from sscard.terminal.bank.transaction import Transaction
from sscard.terminal.stack import Channel

__all__ = ["CvmRule", "applies", "rules", "verify_holder"]

_LIST = 0x8E
_ID_TYPE, _ID_NUMBER = 0x9F62, 0x9F61
_APP_CURRENCY = 0x9F42
_GO_ON, _METHOD = 0x40, 0x3F
_PIN_METHODS = (
    CvmCode.PLAIN_PIN,
    CvmCode.ONLINE_PIN,
    CvmCode.PLAIN_PIN_SIGNATURE,
    CvmCode.ENCIPHERED_PIN,
    CvmCode.ENCIPHERED_PIN_SIGNATURE,
)
_WITH_SIGNATURE = (CvmCode.PLAIN_PIN_SIGNATURE, CvmCode.ENCIPHERED_PIN_SIGNATURE)
_CASHES = (TransactionType.CASH, TransactionType.CASHBACK)


class CvmRule(NamedTuple):
    """One rule of a CVM list: code and condition, as they stand."""

    code: int
    condition: int

    @property
    def method(self) -> int:
        """The method: bits 6 to 1."""
        return self.code & _METHOD

    @property
    def goes_on(self) -> bool:
        """Whether the next rule has its turn when this one fails."""
        return bool(self.code & _GO_ON)


def rules(transaction: Transaction) -> tuple[int, int, tuple[CvmRule, ...]]:
    """Return the amounts X and Y and the rules of the CVM list."""
    raw = transaction.card.get(_LIST, bytes(8))
    found = tuple(CvmRule(raw[at], raw[at + 1]) for at in range(8, len(raw), 2))
    return int.from_bytes(raw[:4], "big"), int.from_bytes(raw[4:8], "big"), found


def applies(transaction: Transaction, rule: CvmRule, x: int, y: int) -> bool:
    """Whether a rule's condition is met; an unknown condition never is (EMV Book 3 10.5)."""
    terminal, kind = transaction.terminal, transaction.type
    cash = kind is TransactionType.CASH
    match rule.condition:
        case CvmCondition.ALWAYS:
            return True
        case CvmCondition.UNATTENDED_CASH:
            return cash and not terminal.attended
        case CvmCondition.NOT_CASH:
            return kind not in _CASHES
        case CvmCondition.IF_SUPPORTED:
            return terminal.supports(rule.method)
        case CvmCondition.MANUAL_CASH:
            return cash and terminal.attended
        case CvmCondition.CASHBACK:
            return kind is TransactionType.CASHBACK
        case CvmCondition.UNDER_X | CvmCondition.UNDER_Y:
            limit = x if rule.condition == CvmCondition.UNDER_X else y
            return _in_card_currency(transaction) and transaction.amount < limit
        case CvmCondition.OVER_X | CvmCondition.OVER_Y:
            limit = x if rule.condition == CvmCondition.OVER_X else y
            return _in_card_currency(transaction) and transaction.amount > limit
    return False


def _in_card_currency(transaction: Transaction) -> bool:
    return transaction.card.get(_APP_CURRENCY) == transaction.value(0x5F2A)


def verify_holder(channel: Channel, transaction: Transaction, verification: Verification) -> None:
    """Go through the CVM list; set TVR, TSI and the CVM results.

    Nothing happens, and no bit of the TSI is set, when the AIP says no or the list has no
    rules. Errors: `Cancelled` by the holder; `Terminated` for what the card may not answer.
    """
    if not transaction.supports(5):
        return
    x, y, listed = rules(transaction)
    if _LIST not in transaction.card:
        transaction.note(Tvr.DATA_MISSING)
    if not listed:
        return
    outcome = bytes((CvmCode.NO_CVM | 0x20, 0, Result.FAILED))  # 3F 00 01: none was performed
    for rule in listed:
        if not applies(transaction, rule, x, y):
            continue
        result = _perform(channel, transaction, verification, rule)
        if result is not None:
            outcome = bytes((rule.code, rule.condition, result))
        if result in (Result.SUCCESSFUL, Result.UNKNOWN):
            break
        if not rule.goes_on or rule.method == CvmCode.FAIL:
            transaction.note(Tvr.CVM_FAILED)
            break
    else:
        transaction.note(Tvr.CVM_FAILED)
    transaction.given[0x9F34] = outcome
    transaction.done(Tsi.CVM_PERFORMED)


def _perform(
    channel: Channel, transaction: Transaction, verification: Verification, rule: CvmRule
) -> Result | None:
    """Carry out one method; None when the terminal does not know it or cannot do it."""
    method, terminal = rule.method, transaction.terminal
    if method == CvmCode.FAIL:
        return Result.FAILED
    if method not in tuple(CvmCode):
        transaction.note(Tvr.CVM_UNKNOWN)
        return None
    if not terminal.supports(method):
        if method in _PIN_METHODS:
            transaction.note(Tvr.PIN_PAD_MISSING)
        return None
    match method:
        case CvmCode.ONLINE_PIN:
            return online_pin(transaction, verification)
        case CvmCode.SIGNATURE:
            verification.signature = True
            return Result.UNKNOWN
        case CvmCode.NO_CVM:
            return Result.SUCCESSFUL
        case CvmCode.ID_DOCUMENT:
            return _document(transaction, verification)
    result = offline_pin(channel, transaction, verification, method)
    if result is Result.SUCCESSFUL and method in _WITH_SIGNATURE:
        verification.signature = True
        return Result.UNKNOWN
    return result


# ---- identity document --------------------------------------------------------------------------


def _document(transaction: Transaction, verification: Verification) -> Result:
    """Code 20: the attendant compares the identity document with what the card says."""
    ask = verification.document
    number = transaction.card.get(_ID_NUMBER, b"").decode("gb18030", "replace")
    kind = transaction.card.get(_ID_TYPE, b"").hex()
    shown = ask is not None and bool(number) and ask(kind, number)
    return Result.SUCCESSFUL if shown else Result.FAILED
