"""Transactions and cards in the books: finding them, and ending a hold.

Functions of the connection of one database transaction, for `host` and `clearing`.
"""

from enum import StrEnum
from typing import Any

from sqlalchemy import Connection, Row, bindparam, select, update

from sscard.issuer import ledger
from sscard.issuer import tables as t
from sscard.issuer.icc import ChipData
from sscard.keys import equal
from sscard.keys.vault.bank import BankCard, BankVault
from sscard.spec.banking import AuthorisationRequest, Completion, Kind, TransactionKey

__all__ = [
    "OPEN_STATES",
    "State",
    "chip_differs",
    "find_card",
    "genuine",
    "of_counter",
    "release",
    "reserves",
    "transaction",
]


class State(StrEnum):
    """Where a transaction is."""

    DECLINED = "declined"
    """The host, or the card off line, said no."""
    HELD = "held"
    """Approved; the end is not known."""
    COMPLETED = "completed"
    """The card gave its TC."""
    REFUSED = "refused"
    """Approved, and refused by the card."""
    REVERSED = "reversed"
    CLEARED = "cleared"
    EXPIRED = "expired"
    """Approved, and never cleared in time; a TC may still come."""


_CASHBACK = "09"
"""Tag 9C of a purchase with cash (ISO 8583)."""

OPEN_STATES = (State.HELD.value, State.COMPLETED.value)


# Statements of every authorisation are built once: building one costs more than running it.
_TRANSACTION = select(t.transactions).where(
    t.transactions.c.terminal == bindparam("terminal"),
    t.transactions.c.trace == bindparam("trace"),
    t.transactions.c.day == bindparam("day"),
)
_CARD = (
    select(t.cards)
    .where(t.cards.c.pan == bindparam("pan"), t.cards.c.psn == bindparam("psn"))
    .with_for_update()
)


def transaction(connection: Connection, key: TransactionKey) -> Row[Any] | None:
    """Return what is known of a transaction."""
    chosen = {"terminal": key.terminal_id, "trace": key.trace, "day": key.day}
    return connection.execute(_TRANSACTION, chosen).one_or_none()


def of_counter(connection: Connection, pan: str, psn: str, atc: int) -> Row[Any] | None:
    """Return the transaction in which a card's cryptogram with this counter was taken."""
    chosen = select(t.transactions).filter_by(pan=pan, psn=psn, atc=atc)
    return connection.execute(chosen).one_or_none()


def find_card(connection: Connection, pan: str, psn: str) -> Row[Any] | None:
    """Return a card's row, locked until the transaction ends where the database locks rows."""
    return connection.execute(_CARD, {"pan": pan, "psn": psn}).one_or_none()


def release(
    connection: Connection, row: Row[Any], state: State, *, give_up_counter: bool = False
) -> None:
    """End the hold of a transaction, which gets a new state.

    `give_up_counter`: the card's transaction goes on under another name.
    """
    if row.held_fen:
        found = find_card(connection, row.pan, row.psn)
        assert found is not None, "a hold is of a card"
        ledger.hold(connection, found.account, -row.held_fen)
    connection.execute(
        update(t.transactions)
        .filter_by(terminal=row.terminal, trace=row.trace, day=row.day)
        .values(held_fen=0, state=state.value, atc=None if give_up_counter else row.atc)
    )


def reserves(kind: Kind) -> bool:
    """Whether an approval reserves money."""
    return kind in (Kind.PURCHASE, Kind.CASH)


def chip_differs(message: AuthorisationRequest | Completion, chip: ChipData) -> str:
    """Name the first element of the chip's data that is not what the message says, or ""."""
    expected = {
        0x9F02: f"{message.amount_fen:012}",
        0x9F03: f"{message.other_fen:012}",
        0x5F2A: f"{message.currency:04}",
        0x9F1A: f"{message.country:04}",
        0x9A: f"{message.at:%y%m%d}",
        0x9C: f"{message.kind.type_code:02X}",
    }
    if message.kind is Kind.PURCHASE and message.other_fen:
        expected[0x9C] = _CASHBACK
    for tag, digits in expected.items():
        if chip.elements[tag].hex().upper() != digits:
            return f"{tag:02X}"
    return ""


def genuine(vault: BankVault, message: AuthorisationRequest | Completion, chip: ChipData) -> str:
    """Return what is wrong with a cryptogram or the MAC beside it, or "". pse-pboc 4.4, 4.6.

    Errors: ChipDataError for an unknown cryptogram version.
    """
    card = BankCard(message.pan, message.psn, chip.application.key_index)
    if not vault.knows(card):
        return f"key index {card.key_index:02X} is not known here"
    if not vault.verify(card, chip.atc, chip.covered, chip.cryptogram):
        return "the cryptogram is wrong"
    application = chip.application
    if application.mac:
        expected = vault.idd_mac(card, chip.atc, application.amounts)
        if not equal(expected, application.mac):
            return "the MAC of the discretionary data is wrong"
    return ""
