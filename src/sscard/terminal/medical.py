"""The medical account of DF04 and settlement at the counter (ssse-lb002 3.10; cos 7.4).

In the area of the holder's insurance the bill is debited from the card's account: card, PSAM
and both MACs. Elsewhere the account is not touched: the centre is asked on line and settles
with the holder's own area. A debit whose answer was lost is asked for again by its number.
"""

from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from typing import NamedTuple, Protocol

from sscard.errors import TransportError
from sscard.iso.apdu import Command
from sscard.iso.sw import SW
from sscard.keys.purse import Transaction
from sscard.keys.vault import CardIdentity
from sscard.terminal.crypto_source import LoadRequest, Mac1, PurchaseRequest
from sscard.terminal.errors import ApduError, SettlementFailed
from sscard.terminal.pin import InitialPin
from sscard.terminal.records import moment
from sscard.terminal.visit import Visit

__all__ = [
    "Area",
    "LoadHost",
    "Opened",
    "Receipt",
    "Unanswered",
    "balance",
    "begin",
    "complete",
    "debit",
    "finish",
    "load",
    "recover",
]

_DIRECTORY = "DF04"
_LOAD, _PURCHASE = 0, 1
_KEY_INDEX = 1
_ACCOUNTS = {"deposit": 1, "purse": 2}


class Area(StrEnum):
    """Where a card's insurance is, seen from the terminal."""

    CITY = "city"
    PROVINCE = "province"
    ELSEWHERE = "elsewhere"

    @classmethod
    def of(cls, card: str, terminal: str) -> "Area":
        """Compare two region codes of six digits (GB/T 2260)."""
        if card == terminal:
            return cls.CITY
        return cls.PROVINCE if card[:2] == terminal[:2] else cls.ELSEWHERE


@dataclass(frozen=True, slots=True)
class Receipt:
    """A settlement that came about.

    From the account: `sequence` the card's number, `number` the terminal's, `tac` the card's
    proof for its centre, `mac2` that for the terminal, `balance_fen` what is left. Settled by
    the centre: its `reference`.
    """

    amount_fen: int
    at: datetime
    area: Area
    sequence: int = 0
    number: int = 0
    tac: bytes = b""
    balance_fen: int | None = None
    reference: str = ""
    mac2: bytes = b""


class Opened(NamedTuple):
    """A purchase that the card has opened: its `request`, the balance before, the moment."""

    request: PurchaseRequest
    balance_fen: int
    at: datetime


class Unanswered(SettlementFailed):
    """The connection broke after the debit was sent: `recover` asks the card what became of it.

    `begun` is the receipt as it will be if the card did debit.
    """

    def __init__(self, begun: Receipt) -> None:
        super().__init__("no answer to the debit: the card has to be asked what became of it")
        self.begun = begun


class LoadHost(Protocol):
    """Who may load accounts: the holder of DLK, on line."""

    def authorise_load(self, card: CardIdentity, request: LoadRequest) -> bytes:
        """Return the 4-byte MAC2, or raise `SettlementFailed`."""
        ...


def balance(visit: Visit) -> int:
    """GET BALANCE in fen; the PIN must be verified. Errors: `ApduError`."""
    visit.enter(_DIRECTORY)
    command = Command(0x80, 0x5C, 0x00, _ACCOUNTS[visit.dialect.medical_account], le=4)
    return int.from_bytes(visit.channel.send(command), "big")


def debit(visit: Visit, amount_fen: int, at: datetime, area: Area) -> Receipt:
    """Debit the account: INITIALIZE, MAC1 of the PSAM, DEBIT, MAC2 to the PSAM.

    Errors: `InitialPin`; `ApduError` (9401 too little money, 6982 no PIN, 9302 wrong MAC1);
    `KeyNotHeld`; `SettlementFailed` when the card's MAC2 is wrong; `Unanswered`.
    """
    visit.require_genuine()
    if visit.initial_pin:
        raise InitialPin("the initial PIN opens no transaction: it has to be changed first")
    opened = begin(visit, amount_fen, at, visit.source.terminal_number())
    return complete(visit, opened, area)


def begin(visit: Visit, amount_fen: int, at: datetime, terminal: bytes) -> Opened:
    """INITIALIZE FOR PURCHASE: what the maker of MAC1 has to know. Errors: `ApduError`."""
    visit.enter(_DIRECTORY)
    account = _ACCOUNTS[visit.dialect.medical_account]
    opening = bytes((_KEY_INDEX,)) + amount_fen.to_bytes(4, "big") + terminal
    answer = visit.channel.send(Command(0x80, 0x50, _PURCHASE, account, opening, 256))
    before, sequence = int.from_bytes(answer[:4], "big"), int.from_bytes(answer[4:6], "big")
    transaction = Transaction(amount_fen, account + 4, terminal, moment(at))
    request = PurchaseRequest(transaction, answer[11:15], sequence, answer[9], answer[10])
    return Opened(request, before, at)


def complete(visit: Visit, opened: Opened, area: Area) -> Receipt:
    """Have the source make MAC1, debit, and have it check MAC2. Errors: as `debit`."""
    mac1 = visit.source.purchase(visit.identity, opened.request)
    receipt = finish(visit, opened, mac1, area)
    visit.source.settle(receipt.mac2)
    return receipt


def finish(visit: Visit, opened: Opened, mac1: Mac1, area: Area) -> Receipt:
    """DEBIT FOR PURCHASE with a MAC1; nobody has looked at the receipt's MAC2 yet.

    Errors: `ApduError` (9302 wrong MAC1), `Unanswered`.
    """
    request, at = opened.request, opened.at
    amount_fen = request.transaction.amount_fen
    data = mac1.number.to_bytes(4, "big") + request.transaction.moment + mac1.mac
    left_fen = opened.balance_fen - amount_fen
    receipt = Receipt(amount_fen, at, area, request.sequence, mac1.number, b"", left_fen)
    try:
        answer = visit.channel.send(Command(0x80, 0x54, 0x01, 0x00, data, 256))
    except TransportError as error:
        raise Unanswered(receipt) from error
    return replace(receipt, tac=answer[:4], mac2=answer[4:8])


def recover(visit: Visit, begun: Receipt) -> Receipt | None:
    """Ask the card of a debit without an answer (GET TRANSACTION PROVE); None: it never was.

    The card may have been reset in between; the PIN is not needed. Errors: `SettlementFailed`
    when the MAC2 is wrong, `ApduError`.
    """
    visit.enter(_DIRECTORY)
    kind = _ACCOUNTS[visit.dialect.medical_account] + 4
    number = begun.sequence.to_bytes(2, "big")
    command = Command(0x80, 0x5A, 0x00, kind, number, 256)
    try:
        answer = visit.channel.send(command)
    except ApduError as error:
        if error.sw == SW.MAC_NOT_AVAILABLE:
            return None
        raise
    receipt = replace(begun, tac=answer[4:8], mac2=answer[:4])
    visit.source.settle(receipt.mac2)
    return receipt


def load(visit: Visit, host: LoadHost, amount_fen: int, at: datetime) -> int:
    """Load the account on line; return the new balance in fen.

    The host checks the card's MAC1 and gives MAC2. Errors: `ApduError`, `SettlementFailed`.
    """
    visit.require_genuine()
    visit.enter(_DIRECTORY)
    account = _ACCOUNTS[visit.dialect.medical_account]
    terminal = visit.source.terminal_number()
    opening = bytes((_KEY_INDEX,)) + amount_fen.to_bytes(4, "big") + terminal
    answer = visit.channel.send(Command(0x80, 0x50, _LOAD, account, opening, 256))
    transaction = Transaction(amount_fen, account, terminal, moment(at))
    before, sequence = int.from_bytes(answer[:4], "big"), int.from_bytes(answer[4:6], "big")
    request = LoadRequest(transaction, before, sequence, answer[8:12], answer[12:16])
    mac2 = host.authorise_load(visit.identity, request)
    visit.channel.send(Command(0x80, 0x52, 0x00, 0x00, transaction.moment + mac2, 256))
    return before + amount_fen
