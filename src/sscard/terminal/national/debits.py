"""iDoDebit and iReadDebitRecord: what goes in and what comes out (ssse-lb002 8, 3.10).

Interpretation: pPayInfo is `amount|pooled fund amount|YYYYMMDDhhmmss|` in yuan, as one
published program sends it. Only the first is debited; the card has no place for the second.
"""

from datetime import datetime
from typing import NamedTuple

from sscard.keys.purse import Transaction
from sscard.terminal.medical import Receipt
from sscard.terminal.national.codes import Code
from sscard.terminal.national.failures import NationalError
from sscard.terminal.national.texts import fen_of, text_of, yuan
from sscard.terminal.records import Row

__all__ = ["PayInfo", "parse_pay_info", "record_line", "result"]


class PayInfo(NamedTuple):
    """What is to be paid from the account, what from the pooled fund, and when."""

    amount_fen: int
    pooled_fen: int
    at: datetime


def parse_pay_info(text: str, now: datetime) -> PayInfo:
    """Read pPayInfo; a moment that is left out is the reader's own.

    Errors: `NationalError` -14 for too few fields, -23 for what is no amount or no moment.
    """
    parts = text.split("|")
    if len(parts) < 3:
        raise NationalError(Code.ARGUMENT, "pPayInfo is amount|pooled fund amount|moment|")
    try:
        amount, pooled = fen_of(parts[0]), fen_of(parts[1] or "0")
        at = datetime.strptime(parts[2], "%Y%m%d%H%M%S") if parts[2] else now  # noqa: DTZ007  (the reader's own time)
    except ValueError as error:
        raise NationalError(Code.INPUT_ILLEGAL, str(error)) from error
    return PayInfo(amount, pooled, at)


def result(transaction: Transaction, receipt: Receipt) -> str:
    """Return what a debit tells the program.

    Terminal, its transaction number, the card's, type, amount, moment, balance, TAC, MAC2.
    """
    fields = (
        transaction.terminal.hex().upper(),
        f"{receipt.number:08X}",
        f"{receipt.sequence:04X}",
        f"{transaction.kind:02X}",
        yuan(receipt.amount_fen),
        transaction.moment.hex(),
        "" if receipt.balance_fen is None else yuan(receipt.balance_fen),
        receipt.tac.hex().upper(),
        receipt.mac2.hex().upper(),
    )
    return "".join(f"{field}|" for field in fields)


def record_line(row: Row) -> str:
    """Return a record of EF08: sequence, type, terminal, moment, three amounts, then `$`."""
    return "".join(f"{text_of(field.value)}|" for field in row) + "$"
