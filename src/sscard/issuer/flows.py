"""Social business that rests on the account: contributions, benefits, medical bills.

Each booking is found again by its reference, so that a batch or a bill sent twice is booked
once. Source: ssse-lb002 9, 2.2 and 2.4: the reference names the functions; their form is ours.
"""

from collections.abc import Iterable
from datetime import date
from typing import NamedTuple

from sqlalchemy import Connection, Engine, insert, select, update

from sscard.issuer import ledger
from sscard.issuer import tables as t
from sscard.issuer.errors import IssuerError
from sscard.issuer.ledger import Booked, Booking
from sscard.issuer.policy import AccountState

__all__ = ["Mandate", "PayOut", "PayOutResult", "SocialFlows"]


class Mandate(NamedTuple):
    """A holder's leave to debit his account: to whom, and how much at once."""

    id: str
    account: str
    creditor: str
    single_max_fen: int
    active: bool = True


class PayOut(NamedTuple):
    """One line of a pay-out file: pension, unemployment, reimbursement ... in fen."""

    reference: str
    account: str
    amount_fen: int
    text: str = ""


class PayOutResult(NamedTuple):
    """What became of a line; `reason` when it was not paid."""

    reference: str
    paid: bool
    reason: str = ""
    again: bool = False


class SocialFlows:
    """What the social security side has the bank do. Errors of every method: IssuerError."""

    def __init__(self, books: Engine) -> None:
        self._books = books

    def contribute(self, reference: str, account: str, amount_fen: int, day: date) -> Booked:
        """Pay a social insurance contribution at the holder's own request."""
        with t.writing(self._books) as connection:
            return _debit(
                connection, Booking("contribution", reference, day, amount_fen, account, "social")
            )

    def grant(self, mandate: Mandate) -> None:
        """Enter a direct debit mandate."""
        _require_plain(mandate.id)
        with t.writing(self._books) as connection:
            for number in (mandate.account, mandate.creditor):
                ledger.account(connection, number)
            if _mandate(connection, mandate.id) is not None:
                raise IssuerError(f"there is a mandate {mandate.id} already")
            row = mandate._asdict()
            row["state"] = "active" if row.pop("active") else "revoked"
            connection.execute(insert(t.mandates).values(**row))

    def revoke(self, mandate_id: str) -> None:
        """End a mandate."""
        with t.writing(self._books) as connection:
            _known_mandate(connection, mandate_id)
            connection.execute(update(t.mandates).filter_by(id=mandate_id).values(state="revoked"))

    def collect(self, mandate_id: str, reference: str, amount_fen: int, day: date) -> Booked:
        """Debit an account under its mandate."""
        with t.writing(self._books) as connection:
            mandate = _known_mandate(connection, mandate_id)
            booking = Booking(
                "direct debit", f"{mandate_id}/{reference}", day, amount_fen,
                mandate.account, mandate.creditor,
            )  # fmt: skip
            if _is_booked(connection, booking):
                return ledger.book(connection, booking)
            if not mandate.active:
                raise IssuerError(f"mandate {mandate_id} is revoked")
            if amount_fen > mandate.single_max_fen:
                raise IssuerError(
                    f"mandate {mandate_id} allows {mandate.single_max_fen} fen at once"
                )
            return _debit(connection, booking)

    def pay_out(self, kind: str, lines: Iterable[PayOut], day: date) -> tuple[PayOutResult, ...]:
        """Credit a file of benefits or reimbursements; a line that cannot be paid says why.

        `kind` is the purpose ("pension", "reimbursement"), and one reference of it is paid once.
        """
        _require_plain(kind)
        results = []
        for line in lines:
            booking = Booking(
                "pay-out", f"{kind}/{line.reference}", day, line.amount_fen, "social",
                line.account, line.text,
            )  # fmt: skip
            try:
                with t.writing(self._books) as connection:
                    _require_not_closed(connection, line.account)
                    booked = ledger.book(connection, booking)
            except IssuerError as error:
                results.append(PayOutResult(line.reference, paid=False, reason=str(error)))
            else:
                results.append(PayOutResult(line.reference, paid=True, again=booked.again))
        return tuple(results)

    def pay_personal_part(
        self, settlement: str, account: str, amount_fen: int, day: date
    ) -> Booked:
        """Pay the personal part of a medical bill; `settlement` is the centre's reference."""
        with t.writing(self._books) as connection:
            booking = Booking("medical", settlement, day, amount_fen, account, "hospitals")
            return _debit(connection, booking)


def _require_plain(name: str) -> None:
    """Keep what stands before a reference apart from it."""
    if not name or "/" in name:
        raise IssuerError(f"{name!r}: a name without / is wanted here")


def _debit(connection: Connection, booking: Booking) -> Booked:
    """Book against a customer's account that has the money and may be used."""
    if not _is_booked(connection, booking):
        payer = ledger.account(connection, booking.debit)
        if payer.state is not AccountState.OPEN:
            raise IssuerError(f"account {payer.number} is {payer.state}")
        if payer.available_fen < booking.amount_fen:
            raise IssuerError(f"account {payer.number}: the balance is too low")
    return ledger.book(connection, booking)


def _require_not_closed(connection: Connection, number: str) -> None:
    if ledger.account(connection, number).state is AccountState.CLOSED:
        raise IssuerError(f"account {number} is closed")


def _is_booked(connection: Connection, booking: Booking) -> bool:
    chosen = select(t.bookings.c.id).filter_by(kind=booking.kind, reference=booking.reference)
    return connection.execute(chosen).first() is not None


def _mandate(connection: Connection, mandate_id: str) -> Mandate | None:
    row = connection.execute(select(t.mandates).filter_by(id=mandate_id)).one_or_none()
    if row is None:
        return None
    return Mandate(row.id, row.account, row.creditor, row.single_max_fen, row.state == "active")


def _known_mandate(connection: Connection, mandate_id: str) -> Mandate:
    found = _mandate(connection, mandate_id)
    if found is None:
        raise IssuerError(f"there is no mandate {mandate_id}")
    return found
