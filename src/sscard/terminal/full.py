"""The full-function terminal: both sides of one card in one session (ssse-lb002 8, 9).

It is a social terminal and a bank terminal over the same port, and serves whatever the card has.
The PSAM serves the social side only: the bank's half never sees it. Each side finds nothing of
the other's rights, so the terminal forgets what it proved whenever it changes sides.

A medical settlement is where they meet: the pooled part and the medical account are the social
side's, the personal part is paid from the bank account. The social half comes first and stands;
the personal part that could not be paid is named, and may be paid again under the same bill.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Self

from sscard.errors import SscardError
from sscard.spec.banking import Authoriser
from sscard.spec.ca_keys import CaKey
from sscard.terminal import bank, medical
from sscard.terminal.bank.pin_check import OnlinePin
from sscard.terminal.checks import Policy
from sscard.terminal.crypto_source import CryptoSource
from sscard.terminal.errors import EnvironmentLocked, OtherCard, SettlementFailed
from sscard.terminal.social import Centre, SocialTerminal
from sscard.terminal.visit import Dialect
from sscard.transport.port import Port

__all__ = ["Bill", "FullTerminal", "MedicalReceipt"]


@dataclass(frozen=True, slots=True)
class Bill:
    """A medical bill: its number at the hospital, what the insurance bears, what the holder does.

    Amounts in fen; one of them may be 0.
    """

    number: str
    insured_fen: int
    personal_fen: int


@dataclass(frozen=True, slots=True)
class MedicalReceipt:
    """What came of a bill.

    `social` is the receipt of the insured part, None where there was none; `payment` that of
    the personal part, approved or not; `why` says what stopped a payment that has no receipt.
    """

    bill: Bill
    social: medical.Receipt | None = None
    payment: bank.Receipt | None = None
    why: str = ""

    @property
    def due_fen(self) -> int:
        """What the holder still owes, and pays in another way or again."""
        paid = self.payment is not None and self.payment.approved
        return 0 if paid else self.bill.personal_fen


class FullTerminal:
    """A terminal of both kinds with one card in it.

    `port` is the card's, `source` (a PSAM, a vault) the social side's alone. `policy` and
    `region` are those of a social terminal, `terminal`, `ca_keys`, `host` and `pad` those of a
    bank terminal. The card is reset once. Usable as a context
    manager, which closes the port. Errors: `OtherCard` for a card that has neither side.
    """

    def __init__(
        self,
        port: Port,
        source: CryptoSource,
        policy: Policy,
        terminal: bank.Terminal,
        ca_keys: Sequence[CaKey],
        *,
        region: str = "",
        dialect: Dialect | None = None,
        host: Authoriser | None = None,
        pad: bank.PinPad | None = None,
        memory: bank.Memory | None = None,
        online_pin: OnlinePin | None = None,
    ) -> None:
        self._port = port
        self._source = source
        self._policy = policy
        self._region = region
        self._dialect = dialect
        self._bills: dict[str, MedicalReceipt] = {}
        self._atr = port.reset()
        self._has_social = self._look_for_social()
        self._bank = bank.BankTerminal(
            port,
            terminal,
            ca_keys,
            host=host,
            pad=pad,
            memory=memory,
            online_pin=online_pin,
            reset=False,
        )
        self._has_bank = self._look_for_bank()
        self._social: SocialTerminal | None = None
        if not self._has_social and not self._has_bank:
            raise OtherCard("the card has neither a social security nor a bank application")

    # ---- what the card is ----

    @property
    def has_social(self) -> bool:
        """Whether the card has a social security environment."""
        return self._has_social

    @property
    def has_bank(self) -> bool:
        """Whether the card has a bank application this terminal takes."""
        return self._has_bank

    def _look_for_social(self) -> bool:
        """Whether there is an environment that is not locked for good."""
        try:
            self._enter_social()
        except (OtherCard, EnvironmentLocked):
            return False
        return True

    def _look_for_bank(self) -> bool:
        try:
            return bool(self._bank.candidates())
        except (bank.NoBankApplication, bank.CardBlocked):
            return False

    # ---- the sides ----

    def social(self) -> SocialTerminal:
        """Turn to the social side: a terminal that has proved nothing yet, on the card as it is.

        It is the same one until the bank's side has its turn. Errors: `OtherCard`.
        """
        if self._social is None:
            self._social = self._enter_social()
        return self._social

    def _enter_social(self) -> SocialTerminal:
        return SocialTerminal(
            self._port,
            self._source,
            self._policy,
            region=self._region,
            dialect=self._dialect,
            atr=self._atr,
        )

    def bank(self) -> bank.BankTerminal:
        """Turn to the bank's side; what the social side had proved is gone with it.

        Errors: `NoBankApplication`.
        """
        if not self._has_bank:
            raise bank.NoBankApplication("the card has no bank application")
        self._social = None
        return self._bank

    # ---- where they meet ----

    def settle_medical(
        self, bill: Bill, at: datetime, *, pin: str, centre: Centre | None = None
    ) -> MedicalReceipt:
        """Settle a bill: the insured part on the social side, the personal part at the bank.

        The holder's social PIN opens the social half; the bank's is the PIN pad's business. A
        bill whose social half is done is not settled again under its number: only a personal
        part that is still due is paid. Errors: `CardRejected`, `WrongPin`, `SettlementFailed`
        and what else stops the social half, after which nothing has happened; ValueError for
        another bill of the same number. What stops the personal part is told in the receipt.
        """
        known = self._bills.get(bill.number)
        if known is not None and known.bill != bill:
            raise ValueError(f"bill {bill.number} has other amounts than before")
        receipt = known or MedicalReceipt(bill)
        if bill.insured_fen and receipt.social is None:
            receipt = replace(receipt, social=self._insured(bill, at, pin, centre))
        self._bills[bill.number] = receipt
        if receipt.due_fen:
            receipt = self._bills[bill.number] = self._personal(receipt, at)
        return receipt

    def _insured(
        self, bill: Bill, at: datetime, pin: str, centre: Centre | None
    ) -> medical.Receipt:
        if not self._has_social:
            raise SettlementFailed("the card has no social security environment: nobody insures it")
        desk = self.social()
        desk.accept()
        desk.verify_pin(pin)
        return desk.settle(bill.insured_fen, at, centre)

    def _personal(self, receipt: MedicalReceipt, at: datetime) -> MedicalReceipt:
        try:
            payment = self.bank().pay(receipt.bill.personal_fen, at)
        except SscardError as error:  # a refusal of the card, the holder or the line
            return replace(receipt, payment=None, why=str(error))
        return replace(receipt, payment=payment, why="" if payment.approved else "declined")

    # ---- the end ----

    def close(self) -> None:
        """Let the card go."""
        self._port.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
