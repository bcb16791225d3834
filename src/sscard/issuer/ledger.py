"""The account ledger: double entry in fen, holds, and what an auditor looks at.

Every booking has two entries that sum to zero and a reference that its kind uses once. A hold
lowers what is available, not the balance. Functions of the connection of one transaction: who
calls them begins and ends it.
"""

from datetime import date
from typing import Any, NamedTuple

from sqlalchemy import Connection, bindparam, func, insert, select, update

from sscard.issuer import tables as t
from sscard.issuer.errors import IssuerError
from sscard.issuer.policy import AccountState

__all__ = [
    "OWN",
    "Account",
    "Booked",
    "Booking",
    "account",
    "audit",
    "book",
    "hold",
    "open_account",
]

OWN = {
    "merchants": "owed to merchants and their banks",
    "cash": "paid out at machines",
    "privileges": "given back as privileges",
    "social": "social insurance funds",
    "hospitals": "owed to hospitals",
    "deposits": "paid in",
}
"""The bank's own accounts, made with the books."""


_ACCOUNT = select(t.accounts).where(t.accounts.c.number == bindparam("number")).with_for_update()
_HOLD = (
    update(t.accounts)
    .where(t.accounts.c.number == bindparam("of"))
    .values(held_fen=t.accounts.c.held_fen + bindparam("more"))
)


class Account(NamedTuple):
    """One account. `available_fen` is what may be spent: the balance without holds."""

    number: str
    holder: str
    customer: bool
    state: AccountState
    balance_fen: int
    held_fen: int
    points: int

    @property
    def available_fen(self) -> int:
        """What may be spent."""
        return self.balance_fen - self.held_fen


class Booking(NamedTuple):
    """What is to be booked: `amount_fen` from `debit` to `credit`, once for kind and reference."""

    kind: str
    reference: str
    day: date
    amount_fen: int
    debit: str
    credit: str
    text: str = ""


class Booked(NamedTuple):
    """A booking's number; `again` when it was there before."""

    id: int
    again: bool = False


def open_account(
    connection: Connection, number: str, holder: str, *, customer: bool = True
) -> None:
    """Open an account without money. Errors: IssuerError when the number is taken."""
    if connection.execute(select(t.accounts.c.number).filter_by(number=number)).first():
        raise IssuerError(f"there is an account {number} already")
    connection.execute(
        insert(t.accounts).values(
            number=number, holder=holder, customer=int(customer), state=AccountState.OPEN.value
        )
    )


def account(connection: Connection, number: str) -> Account:
    """Return an account, locked as in `records.find_card`. Errors: IssuerError: there is none."""
    row = connection.execute(_ACCOUNT, {"number": number}).one_or_none()
    if row is None:
        raise IssuerError(f"there is no account {number}")
    return Account(
        row.number,
        row.holder,
        bool(row.customer),
        AccountState(row.state),
        row.balance_fen,
        row.held_fen,
        row.points,
    )


def book(connection: Connection, booking: Booking) -> Booked:
    """Book once. The same booking again changes nothing and says so.

    Errors: IssuerError for no amount, unknown accounts, or another booking under the reference.
    """
    if booking.amount_fen <= 0:
        raise IssuerError("a booking moves at least one fen")
    if booking.debit == booking.credit:
        raise IssuerError("a booking has two accounts")
    known = connection.execute(
        select(t.bookings).filter_by(kind=booking.kind, reference=booking.reference)
    ).one_or_none()
    if known is not None:
        same = (known.amount_fen, known.debit, known.credit) == booking[3:6]
        if not same:
            raise IssuerError(
                f"{booking.kind} {booking.reference} is booked already, with another amount"
                " or another account"
            )
        return Booked(known.id, again=True)
    for number in (booking.debit, booking.credit):
        account(connection, number)
    made = connection.execute(insert(t.bookings).values(booking._asdict()))
    made_id = int(made.inserted_primary_key[0])  # type: ignore[index]
    for name, amount in (
        (booking.debit, -booking.amount_fen),
        (booking.credit, booking.amount_fen),
    ):
        connection.execute(
            insert(t.entries).values(booking=made_id, account=name, amount_fen=amount)
        )
        connection.execute(
            update(t.accounts)
            .filter_by(number=name)
            .values(balance_fen=t.accounts.c.balance_fen + amount)
        )
    return Booked(made_id)


def hold(connection: Connection, number: str, amount_fen: int) -> None:
    """Reserve an amount of an account; a negative one gives back what was reserved."""
    if amount_fen:
        connection.execute(_HOLD, {"of": number, "more": amount_fen})


def audit(connection: Connection) -> list[str]:
    """Return what is wrong with the books; nothing, unless there is a bug.

    All entries sum to zero, so do those of each booking; balances are the sums of entries; what
    is held is the sum of the open holds, none of them negative.
    """
    wrong = []
    if total := connection.scalar(select(func.sum(t.entries.c.amount_fen))):
        wrong.append(f"the entries sum to {total}, not 0")
    by_booking = select(t.entries.c.booking, func.sum(t.entries.c.amount_fen), func.count())
    for number, total, count in connection.execute(by_booking.group_by(t.entries.c.booking)):
        if total or count != 2:
            wrong.append(f"booking {number}: {count} entries of {total} in all")
    sums = select(t.entries.c.account, func.sum(t.entries.c.amount_fen))
    balances = _by_name(connection, sums.group_by(t.entries.c.account))
    same_card = (t.cards.c.pan == t.transactions.c.pan) & (t.cards.c.psn == t.transactions.c.psn)
    holds = select(t.cards.c.account, func.sum(t.transactions.c.held_fen))
    holds = holds.join_from(t.transactions, t.cards, same_card).group_by(t.cards.c.account)
    held = _by_name(connection, holds)
    for row in connection.execute(select(t.accounts)):
        if row.balance_fen != balances.get(row.number, 0):
            wrong.append(f"account {row.number}: balance and entries differ")
        if row.held_fen != held.get(row.number, 0) or row.held_fen < 0:
            wrong.append(f"account {row.number}: held is not what its holds are")
    return wrong


def _by_name(connection: Connection, sums: Any) -> dict[str, int]:
    return {row[0]: row[1] for row in connection.execute(sums)}
