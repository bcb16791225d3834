"""After the answer: completions, reversals, and the clearing that books (pse-pboc 5.4).

A transaction is booked for its TC, once. One the host never saw is booked too when it carries
a right TC: the card decided off line, and the bank answers for its card.
"""

import json
from typing import Any

from sqlalchemy import Connection, Row, insert, select, update

from sscard.issuer import ledger
from sscard.issuer import tables as t
from sscard.issuer.icc import ChipData, ChipDataError
from sscard.issuer.ledger import Booking
from sscard.issuer.orders import Orders
from sscard.issuer.policy import Privilege
from sscard.issuer.records import (
    OPEN_STATES,
    State,
    chip_differs,
    find_card,
    genuine,
    of_counter,
    release,
    reserves,
    transaction,
)
from sscard.keys.vault.bank import BankCard, BankVault
from sscard.spec.banking import (
    Acknowledgement,
    ClearingBatch,
    ClearingRefusal,
    ClearingResult,
    Completion,
    Kind,
    Outcome,
    Reversal,
)

__all__ = ["Clearing"]

_AAC, _TC = 0x00, 0x40
_SAID_NO = (State.DECLINED.value, State.REVERSED.value)
_CLOSED = (State.COMPLETED.value, State.CLEARED.value, State.REFUSED.value)
_UNABLE_ONLINE = (2, 1)


class _Refused(Exception):
    """A message is not taken, for this reason."""


class Clearing:
    """What follows an authorisation; each method works in the transaction it is given."""

    def __init__(self, vault: BankVault, orders: Orders, privileges: tuple[Privilege, ...]) -> None:
        self._vault = vault
        self._orders = orders
        self._privileges = privileges

    def complete(self, connection: Connection, completion: Completion) -> Acknowledgement:
        """Take down an end; see `IssuerHost.complete`."""
        row = transaction(connection, completion.key)
        try:
            if row is None:
                self._advise(connection, completion)
                return Acknowledgement(accepted=True)
            return self._completed(connection, completion, row)
        except _Refused as refused:
            return Acknowledgement(accepted=False, reason=str(refused))

    def reverse(self, connection: Connection, reversal: Reversal) -> Acknowledgement:
        """Undo; see `IssuerHost.reverse`."""
        row = transaction(connection, reversal.key)
        if row is None:
            self._enter(connection, reversal, State.REVERSED, kind=Kind.PURCHASE)
            return Acknowledgement(
                accepted=True, reason="it had not come; it is refused if it does"
            )
        if (row.pan, row.psn, row.amount_fen) != (
            reversal.pan,
            reversal.psn,
            reversal.amount_fen,
        ):
            return Acknowledgement(accepted=False, reason="another card or amount was asked for")
        if row.state == State.REVERSED:
            return Acknowledgement(accepted=True, again=True)
        if row.state == State.CLEARED:
            return Acknowledgement(accepted=False, reason="it is booked: make a refund")
        self._confirm_scripts(connection, row, reversal.script_results)
        release(connection, row, State.REVERSED)
        return Acknowledgement(accepted=True)

    def clear(self, connection: Connection, batch: ClearingBatch, digest: str) -> ClearingResult:
        """Book a batch; see `IssuerHost.clear`."""
        chosen = {"terminal": batch.terminal_id, "batch": batch.batch}
        known = connection.execute(select(t.batches).filter_by(**chosen)).one_or_none()
        if known is not None and known.digest == digest:
            return ClearingResult.from_json(json.loads(known.result) | {"again": True})
        if known is not None:
            reason = f"batch {batch.batch} of this terminal was another one"
            return ClearingResult(
                batch.batch, 0, 0, tuple(_refusal(item, reason) for item in batch.items)
            )
        booked, amount, refused = 0, 0, []
        for item in batch.items:
            try:
                self._book(connection, item)
            except _Refused as error:
                refused.append(_refusal(item, str(error)))
            else:
                booked += 1
                amount += item.amount_fen
        result = ClearingResult(batch.batch, booked, amount, tuple(refused))
        row = chosen | {"day": batch.at.date(), "digest": digest}
        row["result"] = json.dumps(result.to_json())
        connection.execute(insert(t.batches).values(**row))
        return result

    # ---- how ----

    def _completed(
        self, connection: Connection, completion: Completion, row: Row[Any]
    ) -> Acknowledgement:
        _require_same(completion, row)
        approved = completion.outcome is Outcome.APPROVED
        ended = {
            State.COMPLETED.value: approved,
            State.CLEARED.value: approved,
            State.REFUSED.value: not approved,
        }
        if row.state in ended:
            if ended[row.state]:
                return Acknowledgement(accepted=True, again=True)
            raise _Refused(f"it ended already: {row.state}")
        if approved and row.state in _SAID_NO:
            self._take_offline(connection, completion, row)
            return Acknowledgement(accepted=True)
        if approved:
            self._require_final(completion, row.atc)
        self._confirm_scripts(connection, row, completion.script_results)
        if approved:
            connection.execute(_at(row).values(state=State.COMPLETED.value))
        elif row.state == State.HELD:
            release(connection, row, State.REFUSED)
        return Acknowledgement(accepted=True)

    def _advise(self, connection: Connection, completion: Completion) -> None:
        """Enter a transaction made off line, its money held."""
        if not completion.offline:
            raise _Refused("there was no such authorisation")
        found = find_card(connection, completion.pan, completion.psn)
        if found is None:
            raise _Refused("the card is not known here")
        approved = completion.outcome is Outcome.APPROVED
        atc = self._require_final(completion, None)
        assert atc is not None, "off line there is a chip"
        self._claim_counter(connection, completion, atc, found.atc_last)
        state = State.COMPLETED if approved else State.DECLINED
        held = completion.amount_fen if approved and reserves(completion.kind) else 0
        self._enter(connection, completion, state, kind=completion.kind, atc=atc, held=held)
        ledger.hold(connection, found.account, held)

    def _take_offline(self, connection: Connection, completion: Completion, row: Row[Any]) -> None:
        """Honour the TC of a card that could not hear the host's no, or whose request is undone.

        The terminal gave up waiting and the card decided off line: the CVR in its TC says so.
        Source: pse-pboc 5.4 B.
        """
        if not completion.offline:
            raise _Refused(f"it is {row.state}")
        atc = self._require_final(completion, row.atc)
        if not ChipData.parse(completion.icc).application.cvr.bit(*_UNABLE_ONLINE):
            raise _Refused(f"it is {row.state}, and the card went on line")
        found = find_card(connection, row.pan, row.psn)
        if found is None:
            raise _Refused("the card is not known here")
        if row.atc is None and atc is not None:  # it was reversed before it came
            self._claim_counter(connection, completion, atc, found.atc_last)
        held = row.amount_fen if reserves(completion.kind) else 0
        ledger.hold(connection, found.account, held)
        entered = {"state": State.COMPLETED.value, "held_fen": held, "atc": atc}
        connection.execute(_at(row).values(**entered))

    @staticmethod
    def _claim_counter(
        connection: Connection, completion: Completion, atc: int, atc_last: int
    ) -> None:
        """Take a counter for a transaction the host was not asked about under this trace number.

        One without an answer may go on off line under a new number; the card says so in its
        CVR, and closes a counter only once. Source: pse-pboc 4.5, 5.4 B.
        """
        used = of_counter(connection, completion.pan, completion.psn, atc)
        if used is not None:
            unable = ChipData.parse(completion.icc).application.cvr.bit(*_UNABLE_ONLINE)
            if used.state in _CLOSED or not used.response or not unable:
                raise _Refused("the card's transaction with this counter came already")
            release(connection, used, State.REVERSED, give_up_counter=True)
        if atc > atc_last:
            card = update(t.cards).filter_by(pan=completion.pan, psn=completion.psn)
            connection.execute(card.values(atc_last=atc))

    def _book(self, connection: Connection, item: Completion) -> None:
        if item.outcome is not Outcome.APPROVED or item.kind is Kind.BALANCE:
            raise _Refused("there is nothing to book")
        if not item.amount_fen:
            raise _Refused("there is nothing to pay")
        row = transaction(connection, item.key)
        if row is None:
            self._advise(connection, item)
            row = transaction(connection, item.key)
            assert row is not None, "it was entered just now"
        else:
            _require_same(item, row)
            if row.state == State.CLEARED:
                raise _Refused("it is booked already")
            if row.state in _SAID_NO:
                self._take_offline(connection, item, row)
                row = transaction(connection, item.key)
                assert row is not None, "it was there just now"
            if row.state not in (*OPEN_STATES, State.EXPIRED.value):
                raise _Refused(f"it is {row.state}")
            self._require_final(item, row.atc)
        found = find_card(connection, item.pan, item.psn)
        assert found is not None, "an approval is of a card"
        release(connection, row, State.CLEARED)
        debit, credit = _sides(item.kind, found.account)
        reference = f"{item.terminal_id}/{item.trace}/{item.at:%Y%m%d}"
        day = item.at.date()
        booking = Booking(
            item.kind.value, reference, day, item.amount_fen, debit, credit, item.merchant_id
        )
        ledger.book(connection, booking)
        if item.kind is Kind.PURCHASE:
            self._privilege(connection, booking, item, found.account)

    def _privilege(
        self, connection: Connection, booking: Booking, item: Completion, number: str
    ) -> None:
        """Give what the first privilege that applies grants. Source: ssse-lb002 9, 2.3."""
        for rule in self._privileges:
            if not rule.applies(item.merchant_id, item.amount_fen):
                continue
            if discount := rule.discount_fen(item.amount_fen):
                given = booking._replace(
                    kind="privilege", amount_fen=discount, debit="privileges", credit=number,
                    text=rule.name,
                )  # fmt: skip
                ledger.book(connection, given)
            points = t.accounts.c.points + rule.points(item.amount_fen)
            connection.execute(update(t.accounts).filter_by(number=number).values(points=points))
            return

    def _require_final(self, completion: Completion, atc: int | None) -> int | None:
        """Check the final cryptogram; return its counter. None: no chip, and none was asked for."""
        if not completion.icc and atc is None and not completion.offline:
            return None
        try:
            chip = ChipData.parse(completion.icc)
            other = chip_differs(completion, chip)
            if other:
                raise _Refused(f"the chip's data and the message differ: {other}")
            if chip.kind not in _closing(completion):
                raise _Refused("the final cryptogram is of another kind")
            wrong = genuine(self._vault, completion, chip)
        except ChipDataError as error:
            raise _Refused(str(error)) from None
        if wrong:
            raise _Refused(wrong)
        if atc is not None and chip.atc != atc:
            raise _Refused("the final cryptogram is of another transaction")
        return chip.atc

    def _confirm_scripts(
        self, connection: Connection, row: Row[Any], results: tuple[bytes, ...]
    ) -> None:
        if results and row.scripts:
            card = BankCard(row.pan, row.psn)
            self._orders.confirm(connection, card, json.loads(row.scripts), results)

    @staticmethod
    def _enter(
        connection: Connection,
        message: Completion | Reversal,
        state: State,
        *,
        kind: Kind,
        atc: int | None = None,
        held: int = 0,
    ) -> None:
        row = {
            "terminal": message.terminal_id,
            "trace": message.trace,
            "day": message.at.date(),
            "pan": message.pan,
            "psn": message.psn,
            "atc": atc,
            "kind": kind.value,
            "amount_fen": message.amount_fen,
            "merchant": message.merchant_id,
            "state": state.value,
            "held_fen": held,
        }
        connection.execute(insert(t.transactions).values(**row))


def _at(row: Row[Any]) -> Any:
    return update(t.transactions).filter_by(terminal=row.terminal, trace=row.trace, day=row.day)


def _require_same(message: Completion, row: Row[Any]) -> None:
    asked = row.pan, row.psn, row.amount_fen, row.kind, row.merchant
    told = message.pan, message.psn, message.amount_fen, message.kind.value, message.merchant_id
    if asked != told:
        raise _Refused("another card, amount, kind or merchant was authorised")


def _closing(completion: Completion) -> tuple[int, ...]:
    """Return the kinds of cryptogram that may end it: a refund is one the card does not approve."""
    if completion.outcome is Outcome.DECLINED:
        return (_AAC,)
    return (_TC, _AAC) if completion.kind in (Kind.REFUND, Kind.BALANCE) else (_TC,)


def _sides(kind: Kind, number: str) -> tuple[str, str]:
    """Return the debited and the credited account."""
    if kind is Kind.REFUND:
        return "merchants", number
    return number, "cash" if kind is Kind.CASH else "merchants"


def _refusal(item: Completion, reason: str) -> ClearingRefusal:
    return ClearingRefusal(item.trace, item.at.date(), reason)
