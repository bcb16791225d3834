"""What is left when a transaction is over: the decision, the receipt, the terminal's memory.

EMV Book 3 10.11, Book 4 6.3.7 to 6.3.9: batch data for clearing, advice of refusals, amounts
for the floor limit.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime

from sscard.spec.banking import ClearingBatch, Completion, masked
from sscard.spec.emv import CvmCode, TransactionType
from sscard.spec.pboc import TVR_BITS
from sscard.terminal.bank.course import Course
from sscard.terminal.bank.online import Pending, completion_of
from sscard.terminal.bank.receipt import Receipt, money, title_of, words_of
from sscard.terminal.bank.selection import Candidate
from sscard.terminal.bank.settings import Terminal
from sscard.terminal.bank.transaction import Transaction

__all__ = ["Attendant", "Memory", "receipt_of"]

_SEQUENCE_MAX = 999_999
_REASONS = {
    1: "service not allowed",
    2: "PIN try limit exceeded",
    3: "issuer authentication failed",
}
_METHODS = {
    CvmCode.PLAIN_PIN: "PIN, checked by the card",
    CvmCode.ONLINE_PIN: "PIN, checked by the bank",
    CvmCode.PLAIN_PIN_SIGNATURE: "PIN, checked by the card, and signature",
    CvmCode.ENCIPHERED_PIN: "enciphered PIN, checked by the card",
    CvmCode.ENCIPHERED_PIN_SIGNATURE: "enciphered PIN, checked by the card, and signature",
    CvmCode.SIGNATURE: "signature",
    CvmCode.NO_CVM: "nothing: none is required",
    CvmCode.ID_DOCUMENT: "identity document",
}


@dataclass(frozen=True, slots=True)
class Attendant:
    """Who stands at the terminal, as questions; None where nobody can be asked.

    `choose` gives the holder the candidates and returns his, None for none of them; `confirm`
    asks him about one; `document` shows type (00 to 05) and number that the card says of the
    identity document and returns whether it was shown; `referral` calls the issuer.
    """

    choose: Callable[[tuple[Candidate, ...]], Candidate | None] | None = None
    confirm: Callable[[Candidate], bool] | None = None
    document: Callable[[str, str], bool] | None = None
    referral: Callable[[bytes], bool] | None = None


@dataclass(slots=True)
class Memory:
    """What a terminal remembers from card to card.

    `exceptions` are the PANs of the exception file; `batch` the approved transactions that wait
    for clearing, `batches` how many were made, `handed_in` the one that nobody confirmed yet;
    `pending` what the host has yet to be told: reversals, advice, completions.
    """

    sequence: int = 0
    batches: int = 0
    exceptions: set[str] = field(default_factory=set, repr=False)
    batch: list[Completion] = field(default_factory=list)
    handed_in: ClearingBatch | None = None
    pending: list[Pending] = field(default_factory=list)
    _spent: dict[str, int] = field(default_factory=dict, repr=False)

    def next_sequence(self) -> int:
        """Count a transaction: 1 to 999999 (9F41, and the trace number)."""
        self.sequence = self.sequence % _SEQUENCE_MAX + 1
        return self.sequence

    def hand_in(self, terminal: Terminal, at: datetime) -> ClearingBatch:
        """Return the batch to hand in: one that was not confirmed, or what waits, in a new one."""
        if self.handed_in is None:
            self.batches += 1
            items = tuple(self.batch)
            merchant = terminal.merchant.identifier
            self.handed_in = ClearingBatch(terminal.identifier, merchant, self.batches, at, items)
            self.batch.clear()
        return self.handed_in

    def spent_by(self, pan: str) -> int:
        """Return what was approved offline for a PAN since it was last online."""
        return self._spent.get(pan, 0)

    def keep(self, course: Course) -> Completion | None:
        """Take down a finished transaction; return the advice of a refusal the card wants told."""
        transaction, decision = course.transaction, course.decision
        pan = transaction.pan
        if decision.online:
            self._spent.pop(pan, None)
        elif decision.approved:
            self._spent[pan] = self.spent_by(pan) + transaction.amount
        record = completion_of(
            transaction,
            approved=decision.approved,
            offline=not decision.online,
            approval_code="" if course.answer is None else course.answer.reference,
        )
        if decision.approved and transaction.type is not TransactionType.BALANCE:
            self.batch.append(record)
        advised = not decision.approved and not decision.online and course.last.advice
        return record if advised else None


def receipt_of(course: Course) -> Receipt:
    """Return the receipt of a finished transaction."""
    transaction, answer, last = course.transaction, course.answer, course.last
    terminal, decision = transaction.terminal, course.decision
    balance = None if answer is None else answer.balance
    return Receipt(
        title=title_of(transaction),
        approved=decision.approved,
        online=decision.online,
        amount=_money(terminal, transaction.amount),
        at=transaction.at,
        merchant=terminal.merchant.name,
        terminal=terminal.identifier,
        application=course.label,
        aid=transaction.aid.hex().upper(),
        pan=masked(transaction.pan),
        psn=transaction.psn,
        atc=last.atc,
        cryptogram=f"{last.kind.name} {last.value.hex().upper()}",
        arc=(transaction.value(0x8A) or b"").decode("ascii", "replace"),
        holder=_holder(transaction),
        signature=decision.approved and course.verification.signature,
        tvr=transaction.tvr,
        tsi=transaction.tsi,
        balance="" if balance is None else _money(terminal, balance),
        reference="" if answer is None else answer.reference,
        reasons=() if decision.approved else _reasons(course),
    )


def _money(terminal: Terminal, amount: int) -> str:
    return money(amount, terminal.exponent, terminal.currency)


def _holder(transaction: Transaction) -> str:
    """Return how the holder was verified, in words; nothing when no method settled it."""
    results = transaction.value(0x9F34) or bytes(3)
    code = results[0] & 0x3F
    known = next((words for method, words in _METHODS.items() if method == code), "")
    return known if results[2] != 1 else ""


def _reasons(course: Course) -> tuple[str, ...]:
    """Return what stood against it: the host, the card, the terminal's own findings."""
    found = []
    if course.answer is not None:
        words = f"the bank answered {course.answer.arc.decode('ascii')}"
        found.append(f"{words}: {course.answer.reason}" if course.answer.reason else words)
    elif course.no_answer:
        found.append(course.no_answer)
    if course.answer is None and course.last.reason in _REASONS:
        found.append(f"the card: {_REASONS[course.last.reason]}")
    if course.oda.reason:
        found.append(course.oda.reason)
    return (*found, *words_of(course.transaction.tvr, TVR_BITS, 5))
