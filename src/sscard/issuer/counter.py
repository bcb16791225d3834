"""The counter of the bank's host: accounts, cards, PINs, scripts, the end of the day (cos 8.4).

Every call is one database transaction, and the day comes from outside. `host` answers terminals
from the same books.
"""

import re
from collections.abc import Iterable
from datetime import date, timedelta
from typing import Any

from sqlalchemy import Connection, Engine, Row, func, insert, select, update

from sscard.issuer import ledger
from sscard.issuer import tables as t
from sscard.issuer.clearing import Clearing
from sscard.issuer.errors import IssuerError
from sscard.issuer.ledger import OWN, Account, Booking
from sscard.issuer.orders import Orders
from sscard.issuer.policy import AccountState, CardState, Policy, Privilege, Standing
from sscard.issuer.records import OPEN_STATES, State, find_card, release
from sscard.issuer.scripts import ScriptKind, ScriptOrder
from sscard.keys.vault.bank import BankCard, BankVault
from sscard.spec.banking import masked

__all__ = ["Counter", "set_pin_tries"]

_MONTH = re.compile(r"[0-9]{2}(0[1-9]|1[0-2])")


class Counter:
    """What the bank's staff does.

    `vault` is the view of the bank's keys, `books` an engine of `open_books`; the bank's own
    accounts are made in it. Errors of every method: IssuerError, VaultError.
    """

    def __init__(
        self,
        vault: BankVault,
        books: Engine,
        *,
        policy: Policy | None = None,
        privileges: Iterable[Privilege] = (),
    ) -> None:
        self._vault = vault
        self._books = books
        self._policy = Policy() if policy is None else policy
        self._orders = Orders(vault, self._policy.script_tries_max)
        self._clearing = Clearing(vault, self._orders, tuple(privileges))
        with t.writing(books) as connection:
            known = set(connection.scalars(select(t.accounts.c.number)))
            for name, holder in OWN.items():
                if name not in known:
                    ledger.open_account(connection, name, holder, customer=False)

    @property
    def books(self) -> Engine:
        """The database."""
        return self._books

    def open_account(self, number: str, holder: str, *, deposit_fen: int = 0, day: date) -> None:
        """Open a customer's account, with money where there is some. Errors: IssuerError."""
        with t.writing(self._books) as connection:
            _open(connection, number, holder, deposit_fen, day)

    def open_with_card(
        self,
        number: str,
        holder: str,
        card: BankCard,
        expiry: str,
        *,
        deposit_fen: int = 0,
        day: date,
        pin: str = "",
        state: CardState = CardState.ACTIVE,
    ) -> None:
        """Open an account and enter its card, both or neither.

        Shapes and errors: as `open_account` and `issue_card`.
        """
        stored = self._vault.stored_pin(card, pin) if pin else b""
        with t.writing(self._books) as connection:
            _open(connection, number, holder, deposit_fen, day)
            self._enter_card(connection, card, number, expiry, stored, state)

    def issue_card(
        self,
        card: BankCard,
        account: str,
        expiry: str,
        *,
        pin: str = "",
        state: CardState = CardState.ACTIVE,
    ) -> None:
        """Enter a card of an account; `expiry` YYMM, `pin` the one that goes on line.

        Errors: IssuerError when it is there already, there is no such account, or the expiry is
        no month; ValueError for digits that are no PIN or PAN.
        """
        stored = self._vault.stored_pin(card, pin) if pin else b""
        with t.writing(self._books) as connection:
            self._enter_card(connection, card, account, expiry, stored, state)

    def _enter_card(
        self,
        connection: Connection,
        card: BankCard,
        account: str,
        expiry: str,
        stored_pin: bytes,
        state: CardState,
    ) -> None:
        if not _MONTH.fullmatch(expiry):
            raise IssuerError(f"the expiry date {expiry!r} is no year and month, YYMM")
        ledger.account(connection, account)
        if find_card(connection, card.pan, card.psn) is not None:
            raise IssuerError(f"card {masked(card.pan)} is issued already")
        row: dict[str, Any] = {
            "pan": card.pan,
            "psn": card.psn,
            "account": account,
            "expiry": expiry,
        }
        row |= {"state": state.value, "pin": stored_pin, "pin_tries": self._policy.pin_tries_max}
        connection.execute(insert(t.cards).values(**row))

    def set_card(self, card: BankCard, state: CardState, *, day: date | None = None) -> None:
        """Set how a card stands. Source: cos 8.4.

        `day` is wanted for an oral loss, which ends with time. A card that is found goes back to
        what it was; nothing leaves replaced or cancelled, and an open hold is settled before.
        Errors: IssuerError.
        """
        with t.writing(self._books) as connection:
            known = _known_card(connection, card)
            now = _standing(known)
            if state is now.state:
                return
            then = now.moved(state)
            if then is None:
                raise IssuerError(f"a card that is {now.state} does not become {state}")
            if state is CardState.ORAL_LOST and day is None:
                raise IssuerError("an oral loss has a day: it ends some days later")
            if state is CardState.CANCELLED and _held(connection, card):
                raise IssuerError("the card has transactions that are not settled yet")
            _stand(connection, card, then, day)

    def set_pin(self, card: BankCard, pin: str) -> None:
        """Set the PIN that goes on line, and give it all its tries."""
        stored = self._vault.stored_pin(card, pin)
        with t.writing(self._books) as connection:
            _known_card(connection, card)
            set_pin_tries(connection, card, self._policy.pin_tries_max, pin=stored)

    def set_account(self, number: str, state: AccountState) -> None:
        """Freeze, open or close an account; only an empty one is closed."""
        with t.writing(self._books) as connection:
            found = ledger.account(connection, number)
            if not found.customer:
                raise IssuerError(f"account {number} is the bank's own")
            if state is AccountState.CLOSED and (found.balance_fen or found.held_fen):
                raise IssuerError(f"account {number} is not empty")
            connection.execute(
                update(t.accounts).filter_by(number=number).values(state=state.value)
            )

    def order(self, card: BankCard, order: ScriptOrder) -> int:
        """Have a script sent at the card's next visit; return its number."""
        with t.writing(self._books) as connection:
            _known_card(connection, card)
            return self._orders.add(connection, card, order)

    def order_pin(self, card: BankCard, pin: str, *, current: str = "") -> int:
        """Have the card's own PIN changed; it is kept enciphered until then.

        With `current`, the PIN the card has now, the command is the one that knows it.
        """
        stored = self._vault.stored_pin(card, pin)
        known = self._vault.stored_pin(card, current) if current else b""
        return self.order(card, ScriptOrder(ScriptKind.PIN_CHANGE, value=stored, current=known))

    def scripts(self, card: BankCard) -> list[tuple[int, ScriptOrder, str]]:
        """Return a card's orders: number, order, and queued, sent, done or failed."""
        with t.writing(self._books) as connection:
            return self._orders.all(connection, card)

    def account(self, number: str) -> Account:
        """Return an account. Errors: IssuerError."""
        with t.writing(self._books) as connection:
            return ledger.account(connection, number)

    def accounts(self) -> list[Account]:
        """Return every account, the bank's own too."""
        with t.writing(self._books) as connection:
            numbers = connection.scalars(select(t.accounts.c.number).order_by("number")).all()
            return [ledger.account(connection, number) for number in numbers]

    def bookings(self) -> list[dict[str, Any]]:
        """Return every booking in its order."""
        with t.writing(self._books) as connection:
            rows = connection.execute(select(t.bookings).order_by(t.bookings.c.id))
            return [dict(row) for row in rows.mappings()]

    def audit(self) -> list[str]:
        """Return what is wrong with the books; see `ledger.audit`."""
        with t.writing(self._books) as connection:
            return ledger.audit(connection)

    def end_of_day(self, day: date) -> int:
        """Give back what was held too long for clearing to come; return how many holds.

        Oral losses that no written one followed in time end, too.
        """
        last = day - timedelta(days=self._policy.hold_days)
        with t.writing(self._books) as connection:
            old = select(t.transactions).where(
                t.transactions.c.state.in_(OPEN_STATES), t.transactions.c.day < last
            )
            rows = connection.execute(old).all()
            for row in rows:
                release(connection, row, State.EXPIRED)
            self._end_oral_losses(connection, day)
            return len(rows)

    def _end_oral_losses(self, connection: Connection, day: date) -> None:
        oral = t.cards.c.state == CardState.ORAL_LOST.value
        late = t.cards.c.state_day < day - timedelta(days=self._policy.oral_loss_days)
        for row in connection.execute(select(t.cards).where(oral, late)).all():
            before = _standing(row).before
            assert before is not None, "a loss goes back to something"
            _stand(connection, BankCard(row.pan, row.psn), Standing(before), None)


def _open(connection: Connection, number: str, holder: str, deposit_fen: int, day: date) -> None:
    ledger.open_account(connection, number, holder)
    if deposit_fen:
        booking = Booking("opening", number, day, deposit_fen, "deposits", number)
        ledger.book(connection, booking)


def set_pin_tries(
    connection: Connection, card: BankCard, left: int, *, pin: bytes | None = None
) -> None:
    """Enter how many tries the PIN that goes on line has left, and a new PIN where there is one."""
    values: dict[str, Any] = {"pin_tries": left} | ({} if pin is None else {"pin": pin})
    connection.execute(update(t.cards).filter_by(pan=card.pan, psn=card.psn).values(**values))


def _known_card(connection: Connection, card: BankCard) -> Row[Any]:
    found = find_card(connection, card.pan, card.psn)
    if found is None:
        raise IssuerError(f"there is no card {masked(card.pan)} with sequence number {card.psn}")
    return found


def _standing(row: Row[Any]) -> Standing:
    before = CardState(row.state_before) if row.state_before else None
    return Standing(CardState(row.state), before)


def _stand(connection: Connection, card: BankCard, standing: Standing, day: date | None) -> None:
    state, before = standing
    values = {"state": state.value, "state_before": before.value if before else ""}
    changed = update(t.cards).filter_by(pan=card.pan, psn=card.psn)
    connection.execute(changed.values(**values, state_day=day))


def _held(connection: Connection, card: BankCard) -> int:
    chosen = select(func.coalesce(func.sum(t.transactions.c.held_fen), 0))
    return int(connection.scalar(chosen.filter_by(pan=card.pan, psn=card.psn)) or 0)
