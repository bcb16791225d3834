"""The bank terminal: one card, one transaction after another (EMV Books 1, 3, 4; pse-pboc).

`BankTerminal` is the order of the steps; each step is a module of its own. What is decided
elsewhere comes in from outside: the host, the PIN pad, the attendant, chance, the clock.
"""

from collections.abc import Callable, Sequence
from datetime import datetime
from secrets import randbelow, token_bytes
from typing import Self

from sscard.iso.apdu import Command
from sscard.iso.sw import SW
from sscard.spec.banking import Authoriser, ClearingResult
from sscard.spec.ca_keys import CaKey
from sscard.spec.emv import APPROVALS, REFERRALS, TransactionType, Tsi, Tvr
from sscard.terminal.bank import selection
from sscard.terminal.bank.action import Request, after_failing_to_go_online, first_request
from sscard.terminal.bank.closing import Attendant, Memory, receipt_of
from sscard.terminal.bank.course import Course, Decision
from sscard.terminal.bank.cvm import verify_holder
from sscard.terminal.bank.errors import (
    ApplicationBlocked,
    BankTerminalError,
    Cancelled,
    NoBankApplication,
)
from sscard.terminal.bank.generate import generate
from sscard.terminal.bank.oda import authenticate
from sscard.terminal.bank.online import Answer, HostLink, Pending, completion_of, reversal_of
from sscard.terminal.bank.pin_check import OnlinePin, Verification
from sscard.terminal.bank.pinpad import PinPad
from sscard.terminal.bank.reading import initiate, read_records
from sscard.terminal.bank.receipt import Receipt
from sscard.terminal.bank.restrictions import restrictions
from sscard.terminal.bank.risk import RiskData, manage_risk
from sscard.terminal.bank.scripts import run_scripts
from sscard.terminal.bank.selection import Candidate
from sscard.terminal.bank.settings import Terminal
from sscard.terminal.bank.transaction import Transaction
from sscard.terminal.stack import Hook, LePolicy, channel
from sscard.transport.port import Port

__all__ = ["BankTerminal"]

_APPROVED_OFFLINE, _DECLINED_OFFLINE = b"Y1", b"Z1"
_UNABLE_APPROVED, _UNABLE_DECLINED = b"Y3", b"Z3"


class BankTerminal:
    """A terminal with one card in it.

    `terminal` says what it is, `ca_keys` the keys it verifies cards with; `host` decides on
    line, None for a terminal whose line is down; `pad` is the PIN pad, `online_pin` enciphers
    for the host, `attendant` who stands behind the counter, `memory` what stays from card to
    card; `random` gives bytes, `draw` a number from 1 to 99. With `reset=False` the card is
    taken as it stands: another terminal has it in hand already. Usable as a context manager,
    which closes the port.
    """

    def __init__(
        self,
        port: Port,
        terminal: Terminal,
        ca_keys: Sequence[CaKey],
        *,
        host: Authoriser | None = None,
        pad: PinPad | None = None,
        online_pin: OnlinePin | None = None,
        attendant: Attendant | None = None,
        memory: Memory | None = None,
        random: Callable[[int], bytes] = token_bytes,
        draw: Callable[[], int] = lambda: 1 + randbelow(99),
        hook: Hook | None = None,
        case_4_le: LePolicy = LePolicy.KEEP,
        reset: bool = True,
    ) -> None:
        self._port = port
        self.terminal = terminal
        self.ca_keys = tuple(ca_keys)
        self.memory = memory if memory is not None else Memory()
        self._host = None if host is None else HostLink(host, self.memory.pending)
        self._pad = pad
        self._online_pin = online_pin
        self._attendant = attendant or Attendant()
        self._random = random
        self._draw = draw
        if reset:
            port.reset()
        self.channel = channel(port, hook=hook, case_4_le=case_4_le)

    # ---- what a terminal is for ---------------------------------------------------------------

    def pay(
        self, amount: int, at: datetime, *, cashback: int = 0, forced_online: bool = False
    ) -> Receipt:
        """Take a payment: `amount` in the minor unit, `cashback` the part of it paid out.

        Returns the receipt, approved or not. Errors: `BankTerminalError`, of which
        `NoBankApplication` for a card without one, `Terminated` when the card does not go by
        the rules; `TransportError`. Nothing is paid then.
        """
        kind = TransactionType.CASHBACK if cashback else TransactionType.GOODS
        return self._run(kind, amount, at, other=cashback, forced=forced_online)

    def withdraw(self, amount: int, at: datetime) -> Receipt:
        """Pay out cash. Errors: as `pay`; `BankTerminalError` where there is no cash."""
        if not self.terminal.additional[0] & 0x80:
            raise BankTerminalError("this terminal pays out no cash")
        return self._run(TransactionType.CASH, amount, at)

    def balance(self, at: datetime) -> Receipt:
        """Ask the host for the balance. Errors: as `pay`; it takes a terminal that goes online."""
        if self.terminal.offline_only:
            raise BankTerminalError("this terminal never goes online: it knows no balance")
        return self._run(TransactionType.BALANCE, 0, at, forced=True)

    def settle(self, at: datetime) -> ClearingResult:
        """Hand in what was approved since the last batch.

        Errors: `BankTerminalError` without a host; `TransportError`: the same batch, and nothing
        else, is handed in the next time.
        """
        if self._host is None:
            raise BankTerminalError("clearing takes a host")
        batch = self.memory.hand_in(self.terminal, at)
        result = self._host.clear(batch)
        self.memory.handed_in = None
        return result

    def candidates(self) -> tuple[Candidate, ...]:
        """Return what application selection finds on the card. Errors: as `pay`."""
        return selection.candidates(self.channel, self.terminal)

    # ---- the steps ----------------------------------------------------------------------------

    def _run(
        self,
        kind: TransactionType,
        amount: int,
        at: datetime,
        *,
        other: int = 0,
        forced: bool = False,
    ) -> Receipt:
        if not 0 <= other <= amount < 10**12:
            raise ValueError("an amount has up to twelve digits, and cashback is a part of it")
        course, afl = self._begin(kind, amount, at, other)
        transaction = course.transaction
        read_records(self.channel, transaction, afl)
        course.oda = authenticate(self.channel, transaction, self.ca_keys)
        transaction.note(restrictions(transaction))
        verify_holder(self.channel, transaction, course.verification)
        spent = self.memory.spent_by(transaction.pan)
        risk = RiskData(self._draw, spent, self.memory.exceptions, forced)
        manage_risk(self.channel, transaction, risk)
        self._decide(course)
        advice = self.memory.keep(course)
        if advice is not None:
            self._tell(advice)
        return receipt_of(course)

    def _begin(
        self, kind: TransactionType, amount: int, at: datetime, other: int
    ) -> tuple[Course, bytes]:
        """Select an application that takes the transaction; return it begun, and its AFL."""
        blocked: ApplicationBlocked | None = None
        for candidate in self._agreed(selection.candidates(self.channel, self.terminal)):
            try:
                fci = selection.select_application(self.channel, candidate)
            except ApplicationBlocked as error:
                blocked = error
                continue
            if fci is None:
                continue
            transaction = Transaction(
                self.terminal,
                candidate.settings,
                candidate.name,
                kind,
                amount,
                at,
                self._random(4),
                other,
                self.memory.next_sequence(),
            )
            transaction.given.update(_from_fci(fci))
            afl = initiate(self.channel, transaction, fci)
            if afl is not None:
                verification = Verification(
                    self.ca_keys,
                    self._pad,
                    self._online_pin,
                    self._attendant.document,
                    self._random,
                )
                return Course(transaction, candidate.label, verification), afl
        raise blocked or NoBankApplication("the card's bank application takes no transaction")

    def _agreed(self, found: tuple[Candidate, ...]) -> "Sequence[Candidate]":
        """Return the candidates in the order they are tried, as the holder wants it.

        Errors: `Cancelled` when he wants none.
        """
        choose, confirm = self._attendant.choose, self._attendant.confirm
        if choose is not None and len(found) > 1:
            chosen = choose(found)
            if chosen is None:
                raise Cancelled("the holder chose no application")
            return (chosen, *(other for other in found if other is not chosen))
        agreed = [
            candidate
            for candidate in found
            if not candidate.confirm or (confirm is not None and confirm(candidate))
        ]
        if not agreed:
            raise Cancelled("the card asks for the holder's consent, and there is none")
        return agreed

    def _decide(self, course: Course) -> None:
        """First GENERATE AC, and what follows from its answer."""
        transaction, mode = course.transaction, self.terminal.cda_mode
        request = first_request(transaction)
        combined = course.oda.combined and (
            request is Request.TC or (request is Request.ARQC and mode.with_arqc)
        )
        if request is Request.AAC:
            transaction.given[0x8A] = _DECLINED_OFFLINE
        first = generate(self.channel, transaction, request, course.oda, combined=combined)
        course.cryptograms.append(first)
        unsigned = combined and not first.signed
        if first.kind is Request.ARQC and not unsigned:
            self._go_online(course)
        elif first.kind is Request.ARQC:
            self._second(course, Request.AAC, _DECLINED_OFFLINE)
            course.decision = Decision.DECLINED_OFFLINE
        elif first.kind is Request.TC and not unsigned:
            transaction.given[0x8A] = _APPROVED_OFFLINE
            course.decision = Decision.APPROVED_OFFLINE
        else:
            transaction.given[0x8A] = _DECLINED_OFFLINE
            course.decision = Decision.DECLINED_OFFLINE

    def _go_online(self, course: Course) -> None:
        """Ask the host; without an answer, decide by the default action codes (10.9, 10.11)."""
        transaction = course.transaction
        if self._host is not None and not self.terminal.offline_only:
            course.answer = self._host.ask(transaction, course.verification.block)
            if course.answer is None:  # the old number names what is to be reversed
                transaction.trace = self.memory.next_sequence()
                course.no_answer = self._host.failure
        if course.answer is None:
            request = after_failing_to_go_online(transaction)
            arc = _UNABLE_APPROVED if request is Request.TC else _UNABLE_DECLINED
            good = self._second(course, request, arc)
            course.decision = Decision.APPROVED_OFFLINE if good else Decision.DECLINED_OFFLINE
            return
        approved = self._approved(transaction, course.answer)
        good = False
        try:
            good = self._finish_online(course, course.answer, approved=approved)
            course.decision = Decision.APPROVED_ONLINE if good else Decision.DECLINED_ONLINE
        finally:  # whatever it was that stopped us, what the host approved is undone
            if approved and not good:
                self._reverse(course)
        if good or not approved:
            code = course.answer.reference
            self._tell(completion_of(transaction, approved=good, offline=False, approval_code=code))

    def _approved(self, transaction: Transaction, answer: Answer) -> bool:
        """Whether the host approves; a referral is the attendant's call."""
        if answer.arc in REFERRALS and self._attendant.referral is not None:
            return self._attendant.referral(answer.arc)
        return answer.arc in APPROVALS

    def _finish_online(self, course: Course, answer: Answer, *, approved: bool) -> bool:
        """Issuer authentication, scripts, second GENERATE AC, scripts; return what came of it."""
        transaction = course.transaction
        transaction.given[0x8A] = answer.arc
        if answer.authentication:
            transaction.given[0x91] = answer.authentication
            if transaction.supports(3):
                self._authenticate_issuer(transaction, answer.authentication)
        run_scripts(self.channel, transaction, answer.before, final=False)
        request = Request.TC if approved else Request.AAC
        good = self._second(course, request, answer.arc)
        run_scripts(self.channel, transaction, answer.after, final=True)
        return good

    def _authenticate_issuer(self, transaction: Transaction, data: bytes) -> None:
        """EXTERNAL AUTHENTICATE with tag 91 (10.9; pse-pboc 4.7)."""
        reply = self.channel.exchange(Command(0x00, 0x82, 0x00, 0x00, data))
        transaction.done(Tsi.ISSUER_AUTHENTICATION)
        if reply.sw != SW.OK:
            transaction.note(Tvr.ISSUER_AUTHENTICATION_FAILED)

    def _second(self, course: Course, request: Request, arc: bytes) -> bool:
        """Second GENERATE AC; return whether card and terminal approve."""
        transaction = course.transaction
        transaction.given[0x8A] = arc
        combined = (
            request is Request.TC and course.oda.combined and self.terminal.cda_mode.with_final_tc
        )
        last = generate(
            self.channel, transaction, request, course.oda, first=course.first, combined=combined
        )
        course.cryptograms.append(last)
        return last.kind is Request.TC and (last.signed or not combined)

    def _reverse(self, course: Course) -> None:
        """Tell the host that what it approved did not come about."""
        self._tell(reversal_of(course.transaction, "the card did not approve"))

    def _tell(self, message: Pending) -> None:
        """Tell the host now, or keep it until there is a line."""
        if self._host is None:
            self.memory.pending.append(message)
        else:
            self._host.tell(message)

    # ---- the end ------------------------------------------------------------------------------

    def close(self) -> None:
        """Let the card go."""
        self._port.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


_FCI_TAGS = (0x50, 0x87, 0x5F2D, 0x9F11, 0x9F12, 0x9F4D)


def _from_fci(fci: dict[int, bytes]) -> dict[int, bytes]:
    """Return what an FCI says that a DOL may ask for; a record may say it again."""
    return {tag: fci[tag] for tag in _FCI_TAGS if fci.get(tag)}
