"""What is left when a transaction is over: the decision, the receipt, the terminal's memory.

EMV Book 3 10.11, Book 4 6.3.7 to 6.3.9: batch data for clearing, advice of refusals, amounts
for the floor limit.
"""

from collections.abc import Callable
from dataclasses import dataclass, field

from sscard.spec.emv import CvmCode, TransactionType
from sscard.spec.pboc import TVR_BITS
from sscard.terminal.bank.course import Course
from sscard.terminal.bank.receipt import Receipt, masked, money, title_of, words_of
from sscard.terminal.bank.selection import Candidate
from sscard.terminal.bank.settings import Terminal
from sscard.terminal.bank.transaction import Transaction

__all__ = ["Attendant", "BatchRecord", "Memory", "receipt_of"]

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
_BATCH = (
    *(0x82, 0x95, 0x9A, 0x9C, 0x9B, 0x5F2A, 0x5F34, 0x84, 0x9F02, 0x9F03, 0x9F06, 0x9F09, 0x9F10),
    *(0x9F15, 0x9F16, 0x9F1A, 0x9F1C, 0x9F1E, 0x9F21, 0x9F26, 0x9F27, 0x9F33, 0x9F34, 0x9F35),
    *(0x9F36, 0x9F37, 0x9F41, 0x9F5B, 0x8A),
)
"""Elements of a clearing record (EMV Book 4 10.2): those that are there."""


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


@dataclass(frozen=True, slots=True)
class BatchRecord:
    """One transaction for clearing, or an advice of a refusal: PAN and data elements by tag."""

    pan: str = field(repr=False)
    approved: bool
    elements: dict[int, bytes] = field(repr=False)


@dataclass(slots=True)
class Memory:
    """What a terminal remembers from card to card.

    `exceptions` are the PANs of the exception file; `batch` the approved transactions that wait
    for clearing, `advices` the refusals the card wants told.
    """

    sequence: int = 0
    exceptions: set[str] = field(default_factory=set, repr=False)
    batch: list[BatchRecord] = field(default_factory=list)
    advices: list[BatchRecord] = field(default_factory=list)
    _spent: dict[str, int] = field(default_factory=dict, repr=False)

    def next_sequence(self) -> int:
        """Count a transaction (9F41)."""
        self.sequence = self.sequence % 99_999_999 + 1
        return self.sequence

    def spent_by(self, pan: str) -> int:
        """Return what was approved offline for a PAN since it was last online."""
        return self._spent.get(pan, 0)

    def keep(self, course: Course) -> None:
        """Take down a finished transaction."""
        transaction, decision = course.transaction, course.decision
        pan = transaction.pan
        if decision.online:
            self._spent.pop(pan, None)
        elif decision.approved:
            self._spent[pan] = self.spent_by(pan) + transaction.amount
        values = {tag: transaction.value(tag) for tag in _BATCH}
        elements = {tag: value for tag, value in values.items() if value}
        record = BatchRecord(pan, decision.approved, elements)
        if decision.approved and transaction.type is not TransactionType.BALANCE:
            self.batch.append(record)
        elif course.last.advice:
            self.advices.append(record)


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
        found.append(f"the bank answered {course.answer.arc.decode('ascii', 'replace')}")
    elif course.last.reason in _REASONS:
        found.append(f"the card: {_REASONS[course.last.reason]}")
    if course.oda.reason:
        found.append(course.oda.reason)
    return (*found, *words_of(course.transaction.tvr, TVR_BITS, 5))
