"""The bank's host: it answers terminals, and keeps the books (pse-pboc 4.4-4.8, 5.4).

Each message is one database transaction, found again by terminal, trace number and day: sent
again it gets the stored answer. No clock: the day is the terminal's. `service` and `client`
put a network between.
"""

import hashlib
import json
from typing import Any

from sqlalchemy import Connection, Row, bindparam, func, insert, select, update

from sscard.iso import tlv
from sscard.issuer import ledger
from sscard.issuer import tables as t
from sscard.issuer.counter import Counter, set_pin_tries
from sscard.issuer.icc import ChipData, ChipDataError
from sscard.issuer.ledger import Account
from sscard.issuer.policy import (
    Arc,
    CardState,
    Facts,
    Objection,
)
from sscard.issuer.records import (
    OPEN_STATES,
    State,
    chip_differs,
    find_card,
    genuine,
    reserves,
    transaction,
)
from sscard.keys.vault.bank import BankCard
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


class IssuerHost(Counter):
    """An `Authoriser`, over the accounts and cards of its counter. Errors: VaultError."""

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
        set_pin_tries(connection, card, left)
        return None if right else Objection(Arc.WRONG_PIN, f"the PIN is wrong, {left} tries left")

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
