"""The bank's host: it answers terminals, and keeps the books (pse-pboc 4.4-4.8, 5.4).

Each message is one database transaction, found again by terminal, trace number and day: sent
again it gets the stored answer. No clock: the day is the terminal's. `service` and `client`
put a network between.
"""

import hashlib
import json
from collections.abc import Iterable
from datetime import date, timedelta
from typing import Any

from sqlalchemy import Connection, Engine, Row, bindparam, func, insert, select, update

from sscard.iso import tlv
from sscard.issuer import ledger
from sscard.issuer import tables as t
from sscard.issuer.clearing import Clearing
from sscard.issuer.errors import IssuerError
from sscard.issuer.icc import ChipData, ChipDataError
from sscard.issuer.ledger import OWN, Account, Booking
from sscard.issuer.orders import Orders
from sscard.issuer.policy import (
    AccountState,
    Arc,
    CardState,
    Facts,
    Objection,
    Policy,
    Privilege,
)
from sscard.issuer.records import (
    OPEN_STATES,
    State,
    chip_differs,
    find_card,
    genuine,
    release,
    reserves,
    transaction,
)
from sscard.issuer.scripts import ScriptKind, ScriptOrder
from sscard.keys.vault.bank import BankCard, BankVault
from sscard.spec.banking import (
    Acknowledgement,
    AuthorisationRequest,
    AuthorisationResponse,
    ClearingBatch,
    ClearingResult,
    Completion,
    Kind,
    Reversal,
    TransactionKey,
    masked,
)

__all__ = ["IssuerHost"]

_ARQC = 0x80

_SPENT_STATES = [*OPEN_STATES, State.CLEARED.value]
_SPENT = select(func.coalesce(func.sum(t.transactions.c.amount_fen), 0), func.count()).where(
    t.transactions.c.pan == bindparam("pan"),
    t.transactions.c.psn == bindparam("psn"),
    t.transactions.c.day == bindparam("day"),
    t.transactions.c.kind.in_(bindparam("kinds", expanding=True)),
    t.transactions.c.state.in_(bindparam("states", expanding=True)),
)
"""What a card spent on a day, and how often."""
_COUNTED = (
    update(t.cards)
    .where(t.cards.c.pan == bindparam("of"), t.cards.c.psn == bindparam("of_psn"))
    .values(atc_last=bindparam("atc"))
)


class IssuerHost:
    """An `Authoriser`, and what the bank's counter does.

    `vault` is the view of the bank's keys, `books` an engine of `open_books`; the bank's own
    accounts are made in it. Every method may raise VaultError; those of the counter IssuerError.
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

    # ---- the counter ----

    def open_account(self, number: str, holder: str, *, deposit_fen: int = 0, day: date) -> None:
        """Open a customer's account, with money where there is some. Errors: IssuerError."""
        with t.writing(self._books) as connection:
            ledger.open_account(connection, number, holder)
            if deposit_fen:
                booking = Booking("opening", number, day, deposit_fen, "deposits", number)
                ledger.book(connection, booking)

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

        Errors: IssuerError when it is there already or there is no such account; ValueError
        for digits that are no PIN or PAN.
        """
        stored = self._vault.stored_pin(card, pin) if pin else b""
        with t.writing(self._books) as connection:
            ledger.account(connection, account)
            if find_card(connection, card.pan, card.psn) is not None:
                raise IssuerError(f"card {masked(card.pan)} is issued already")
            row: dict[str, Any] = {
                "pan": card.pan,
                "psn": card.psn,
                "account": account,
                "expiry": expiry,
            }
            row |= {"state": state.value, "pin": stored, "pin_tries": self._policy.pin_tries_max}
            connection.execute(insert(t.cards).values(**row))

    def set_card(self, card: BankCard, state: CardState) -> None:
        """Set how a card stands. Nothing leaves replaced or cancelled. Source: cos 8.4 (I4)."""
        with t.writing(self._books) as connection:
            known = _known_card(connection, card)
            final = (CardState.REPLACED, CardState.CANCELLED)
            if known.state in final and known.state != state:
                raise IssuerError(f"card {masked(card.pan)} is {known.state} for good")
            connection.execute(
                update(t.cards).filter_by(pan=card.pan, psn=card.psn).values(state=state.value)
            )

    def set_pin(self, card: BankCard, pin: str) -> None:
        """Set the PIN that goes on line, and give it all its tries."""
        stored = self._vault.stored_pin(card, pin)
        with t.writing(self._books) as connection:
            _known_card(connection, card)
            self._set_pin_tries(connection, card, self._policy.pin_tries_max, pin=stored)

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
        """Give back what was held too long for clearing to come; return how many holds."""
        last = day - timedelta(days=self._policy.hold_days)
        with t.writing(self._books) as connection:
            old = select(t.transactions).where(
                t.transactions.c.state.in_(OPEN_STATES), t.transactions.c.day < last
            )
            rows = connection.execute(old).all()
            for row in rows:
                release(connection, row, State.EXPIRED)
            return len(rows)

    # ---- what terminals ask ----

    def authorise(self, request: AuthorisationRequest) -> AuthorisationResponse:
        """Decide about one transaction; the same request again gets the same answer."""
        digest = _digest(request.to_json())
        with t.writing(self._books) as connection:
            known = transaction(connection, request.key)
            if known is not None:
                return _again(known, digest)
            row = _row(request) | {"digest": digest, "state": State.DECLINED.value}
            response = self._decide(connection, request, row)
            row["response"] = json.dumps(response.to_json())
            connection.execute(insert(t.transactions), row)
            return response

    def complete(self, completion: Completion) -> Acknowledgement:
        """Take down how a transaction ended: a TC keeps the hold, an AAC gives it back."""
        with t.writing(self._books) as connection:
            return self._clearing.complete(connection, completion)

    def reverse(self, reversal: Reversal) -> Acknowledgement:
        """Undo an authorisation, also one that comes later than its reversal."""
        with t.writing(self._books) as connection:
            return self._clearing.reverse(connection, reversal)

    def clear(self, batch: ClearingBatch) -> ClearingResult:
        """Book a terminal's transactions; the same batch again gets the same answer."""
        digest = _digest(batch.to_json())
        with t.writing(self._books) as connection:
            return self._clearing.clear(connection, batch, digest)

    # ---- how it decides ----

    def _decide(
        self, connection: Connection, request: AuthorisationRequest, row: dict[str, Any]
    ) -> AuthorisationResponse:
        """Decide and enter what came of it in `row`. Order: card, chip, rules, PIN, amount."""
        card = BankCard(request.pan, request.psn)
        found = find_card(connection, card.pan, card.psn)
        if found is None:
            return _refusal(Objection(Arc.NO_CARD, "the card is not known here"))
        chip: ChipData | None = None
        if request.icc:
            read = self._read_chip(request, found)
            if isinstance(read, Objection):
                return _refusal(read)
            chip = read
            card = card._replace(key_index=chip.application.key_index)
            row["atc"] = chip.atc
            counted = {"of": card.pan, "of_psn": card.psn, "atc": chip.atc}
            connection.execute(_COUNTED, counted)
        account = ledger.account(connection, found.account)
        facts = self._facts(connection, request, found, account)
        objection = (
            self._policy.objection(request, chip, facts)
            or self._pin_objection(connection, request, found)
            or self._policy.amount_objection(request, facts)
        )
        arc = Arc.APPROVED if objection is None else objection.arc
        if objection is None:
            row["state"] = State.HELD.value
            row["held_fen"] = request.amount_fen if reserves(request.kind) else 0
            ledger.hold(connection, account.number, row["held_fen"])
        told = objection is None and request.kind is Kind.BALANCE
        return AuthorisationResponse(
            arc.value,
            "approved" if objection is None else objection.reason,
            self._issuer_data(connection, card, chip, arc, row),
            "" if objection else _approval_code(request.key),
            account.available_fen if told else None,
        )

    def _read_chip(self, request: AuthorisationRequest, found: Row[Any]) -> ChipData | Objection:
        """Return the chip's data when the card made them, just now, for this transaction."""
        try:
            chip = ChipData.parse(request.icc)
            if other := chip_differs(request, chip):
                return Objection(Arc.FORMAT, f"the chip's data and the request differ: {other}")
            if chip.kind != _ARQC:
                return Objection(Arc.INVALID, "the card did not ask to go on line")
            wrong = genuine(self._vault, request, chip)
        except ChipDataError as error:
            return Objection(Arc.FORMAT, str(error))
        if wrong:
            return Objection(Arc.DECLINED, wrong)
        if chip.atc <= found.atc_last:
            return Objection(Arc.DECLINED, "the transaction counter was seen already")
        if chip.atc > found.atc_last + self._policy.atc_step_max:
            return Objection(Arc.DECLINED, "the transaction counter jumped")
        return chip

    def _facts(
        self,
        connection: Connection,
        request: AuthorisationRequest,
        found: Row[Any],
        account: Account,
    ) -> Facts:
        kinds = [Kind.CASH] if request.kind is Kind.CASH else [Kind.PURCHASE, Kind.CASH]
        asked = {"pan": request.pan, "psn": request.psn, "day": request.at.date()}
        asked |= {"kinds": [kind.value for kind in kinds], "states": _SPENT_STATES}
        amount, count = connection.execute(_SPENT, asked).one()
        return Facts(
            CardState(found.state),
            found.expiry,
            account.state,
            account.available_fen,
            int(amount),
            int(count),
        )

    def _pin_objection(
        self, connection: Connection, request: AuthorisationRequest, found: Row[Any]
    ) -> Objection | None:
        if not request.pin_block:
            if self._policy.needs_pin(request):
                return Objection(Arc.WRONG_PIN, "a PIN is needed")
            return None
        card = BankCard(request.pan, request.psn)
        if not found.pin_tries:
            return Objection(Arc.PIN_TRIES, "the PIN is blocked: too many wrong ones")
        right = bool(found.pin) and self._vault.pin_matches(
            request.terminal_id, card, request.pin_block, found.pin
        )
        left = self._policy.pin_tries_max if right else found.pin_tries - 1
        self._set_pin_tries(connection, card, left)
        return None if right else Objection(Arc.WRONG_PIN, f"the PIN is wrong, {left} tries left")

    @staticmethod
    def _set_pin_tries(
        connection: Connection, card: BankCard, left: int, *, pin: bytes | None = None
    ) -> None:
        values: dict[str, Any] = {"pin_tries": left} | ({} if pin is None else {"pin": pin})
        connection.execute(update(t.cards).filter_by(pan=card.pan, psn=card.psn).values(**values))

    def _issuer_data(
        self,
        connection: Connection,
        card: BankCard,
        chip: ChipData | None,
        arc: Arc,
        row: dict[str, Any],
    ) -> bytes:
        """Return 91, 71 and 72 for a card that proved itself; b"" for any other."""
        if chip is None:
            return b""
        proof = self._vault.arpc(card, chip.atc, chip.cryptogram, arc.value)
        sent, templates = self._orders.send(connection, card, chip.atc, chip.cryptogram)
        row["scripts"] = json.dumps(sent)
        return tlv.encode(0x91, proof + arc.value.encode("ascii")) + templates


# ---- helpers --------------------------------------------------------------------------------


def _known_card(connection: Connection, card: BankCard) -> Row[Any]:
    found = find_card(connection, card.pan, card.psn)
    if found is None:
        raise IssuerError(f"there is no card {masked(card.pan)} with sequence number {card.psn}")
    return found


def _row(request: AuthorisationRequest) -> dict[str, Any]:
    return {
        "terminal": request.terminal_id,
        "trace": request.trace,
        "day": request.at.date(),
        "pan": request.pan,
        "psn": request.psn,
        "kind": request.kind.value,
        "amount_fen": request.amount_fen,
        "merchant": request.merchant_id,
    }


def _again(known: Row[Any], digest: str) -> AuthorisationResponse:
    if known.state == State.REVERSED:
        return _refusal(Objection(Arc.DECLINED, "it was reversed"))
    if known.digest != digest:
        return _refusal(Objection(Arc.DUPLICATE, "this trace number was used this day"))
    return AuthorisationResponse.from_json(json.loads(known.response))


def _refusal(objection: Objection) -> AuthorisationResponse:
    return AuthorisationResponse(objection.arc.value, objection.reason)


def _approval_code(key: TransactionKey) -> str:
    text = f"{key.terminal_id}/{key.trace}/{key.day}"
    return hashlib.sha256(text.encode()).hexdigest()[:6].upper()


def _digest(message: dict[str, Any]) -> str:
    return hashlib.sha256(json.dumps(message, sort_keys=True).encode()).hexdigest()
