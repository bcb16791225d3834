"""Going online: what a host is told and what it answers (EMV Book 4 6.2.3, 12; pse-pboc 4.7).

The messages are those of `spec.banking`. What could not be told is kept and told before the
next request: a reversal after an answer that never came among it.
"""

from dataclasses import dataclass

from sscard.errors import TransportError
from sscard.iso.tlv import encode
from sscard.spec.banking import (
    REQUEST_TAGS,
    AuthorisationRequest,
    AuthorisationResponse,
    Authoriser,
    ClearingBatch,
    ClearingResult,
    Completion,
    Kind,
    Outcome,
    Reversal,
)
from sscard.spec.emv import TransactionType
from sscard.terminal.bank.ber import objects
from sscard.terminal.bank.errors import BadCardData
from sscard.terminal.bank.transaction import Transaction

__all__ = ["Answer", "HostLink", "Pending", "completion_of", "request_of", "reversal_of"]

Pending = Completion | Reversal
"""What still has to be told to the host."""

_KINDS = {
    TransactionType.GOODS: Kind.PURCHASE,
    TransactionType.CASHBACK: Kind.PURCHASE,
    TransactionType.CASH: Kind.CASH,
    TransactionType.REFUND: Kind.REFUND,
    TransactionType.BALANCE: Kind.BALANCE,
}
_AT_THE_END = (*REQUEST_TAGS, 0x9B, 0x8A)
_TRACK_2, _EXPIRES, _RESULTS = 0x57, 0x5F24, 0x9F5B
_RESULT_BYTES = 5


@dataclass(frozen=True, slots=True)
class Answer:
    """What a host answered.

    `arc` two characters (8A); `authentication` the value of tag 91, empty for none; `before`
    and `after` the values of the script templates 71 and 72; `balance` in the minor unit;
    `reference` the approval code, `reason` the host's words.
    """

    arc: bytes
    authentication: bytes = b""
    before: tuple[bytes, ...] = ()
    after: tuple[bytes, ...] = ()
    balance: int | None = None
    reference: str = ""
    reason: str = ""

    @classmethod
    def of(cls, response: AuthorisationResponse) -> "Answer":
        """Read a response. Errors: `BadCardData` when its TLVs are none."""
        found = objects(response.issuer_data, "the host's answer")
        return cls(
            response.arc.encode("ascii"),
            dict(found).get(0x91, b""),
            tuple(value for tag, value in found if tag == 0x71),
            tuple(value for tag, value in found if tag == 0x72),
            response.balance_fen,
            response.approval_code,
            response.reason,
        )


class HostLink:
    """A terminal's line to the host; `pending` is what waits to be told, oldest first.

    `failure` says why the last question got no answer.
    """

    def __init__(self, host: Authoriser, pending: list[Pending]) -> None:
        self._host = host
        self._pending = pending
        self.failure = ""

    def ask(self, transaction: Transaction, pin_block: bytes) -> Answer | None:
        """Ask for an authorisation; None, and a reversal that waits, when no answer comes."""
        try:
            self.flush()
            return Answer.of(self._host.authorise(request_of(transaction, pin_block)))
        except (TransportError, BadCardData) as error:
            self.failure = str(error)
            self._pending.append(reversal_of(transaction, "no usable answer"))
            return None

    def tell(self, message: Pending) -> None:
        """Tell the host something, now or when it can be reached again."""
        self._pending.append(message)
        try:
            self.flush()
        except TransportError:
            return

    def flush(self) -> None:
        """Tell what waits, in its order. Errors: `TransportError`; the rest goes on waiting."""
        while self._pending:
            message = self._pending[0]
            if isinstance(message, Reversal):
                self._host.reverse(message)
            else:
                self._host.complete(message)
            del self._pending[0]

    def clear(self, batch: ClearingBatch) -> ClearingResult:
        """Hand in a batch, after what waits. Errors: `TransportError`."""
        self.flush()
        return self._host.clear(batch)


def request_of(transaction: Transaction, pin_block: bytes = b"") -> AuthorisationRequest:
    """Return the request for the first cryptogram of a transaction."""
    terminal = transaction.terminal
    return AuthorisationRequest(
        terminal_id=terminal.identifier,
        merchant_id=terminal.merchant.identifier,
        merchant_name=terminal.merchant.name,
        trace=transaction.trace,
        kind=_KINDS[transaction.type],
        amount_fen=transaction.amount,
        at=transaction.at,
        pan=transaction.pan,
        psn=transaction.psn,
        expiry=transaction.card[_EXPIRES][:2].hex(),
        icc=_elements(transaction, REQUEST_TAGS),
        other_fen=transaction.other,
        currency=int(terminal.currency),
        country=int(terminal.country),
        track2=_track_2(transaction),
        pin_block=pin_block,
    )


def completion_of(
    transaction: Transaction, *, approved: bool, offline: bool, approval_code: str = ""
) -> Completion:
    """Return how a transaction ended, for the host: completion, advice or clearing record."""
    terminal = transaction.terminal
    return Completion(
        terminal_id=terminal.identifier,
        merchant_id=terminal.merchant.identifier,
        merchant_name=terminal.merchant.name,
        trace=transaction.trace,
        kind=_KINDS[transaction.type],
        outcome=Outcome.APPROVED if approved else Outcome.DECLINED,
        amount_fen=transaction.amount,
        at=transaction.at,
        pan=transaction.pan,
        psn=transaction.psn,
        icc=_elements(transaction, _AT_THE_END),
        script_results=_script_results(transaction),
        approval_code=approval_code,
        offline=offline,
        other_fen=transaction.other,
        currency=int(terminal.currency),
        country=int(terminal.country),
    )


def reversal_of(transaction: Transaction, reason: str) -> Reversal:
    """Return the message that undoes what a host approved, or may have."""
    terminal = transaction.terminal
    return Reversal(
        terminal_id=terminal.identifier,
        merchant_id=terminal.merchant.identifier,
        trace=transaction.trace,
        amount_fen=transaction.amount,
        at=transaction.at,
        pan=transaction.pan,
        psn=transaction.psn,
        reason=reason,
        script_results=_script_results(transaction),
    )


def _elements(transaction: Transaction, tags: tuple[int, ...]) -> bytes:
    """Return those of the data elements that are there, as TLVs; the TVR as the card knows it."""
    held = {0x95: transaction.covered_tvr}
    values = ((tag, held.get(tag) or transaction.value(tag)) for tag in tags)
    return b"".join(encode(tag, value) for tag, value in values if value)


def _track_2(transaction: Transaction) -> str:
    """Return track 2 of the chip, or nothing when it is not of this card."""
    digits = transaction.card.get(_TRACK_2, b"").hex().upper().rstrip("F")
    number, _, rest = digits.partition("D")
    return digits if number == transaction.pan and (rest or "x").isdecimal() else ""


def _script_results(transaction: Transaction) -> tuple[bytes, ...]:
    raw = transaction.given.get(_RESULTS, b"")
    return tuple(raw[at : at + _RESULT_BYTES] for at in range(0, len(raw), _RESULT_BYTES))
