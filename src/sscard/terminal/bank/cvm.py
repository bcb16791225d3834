"""Cardholder verification by the card's CVM list (EMV Book 3 10.5; pse-pboc 2.4, 2.7, 4.10).

The rules are gone through in their order; the method that settles the matter stands in the
CVM results (9F34), what went wrong on the way in the TVR.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from enum import IntEnum
from typing import NamedTuple, Protocol

from sscard.iso.apdu import Command
from sscard.iso.sw import SW
from sscard.keys.pboc import pin_block
from sscard.keys.rsa import recover
from sscard.spec.ca_keys import CaKey
from sscard.spec.emv import CvmCode, CvmCondition, TransactionType, Tsi, Tvr
from sscard.terminal.bank.certificates import (
    NotAuthentic,
    issuer_public_key,
    pin_public_key,
)
from sscard.terminal.bank.errors import Cancelled, Terminated, unexpected
from sscard.terminal.bank.pinpad import Entry, PinPad, PinRequest
from sscard.terminal.bank.reading import get_data
from sscard.terminal.bank.transaction import Transaction
from sscard.terminal.stack import Channel

__all__ = ["CvmRule", "Verification", "applies", "rules", "verify_holder"]

_LIST = 0x8E
_ID_TYPE, _ID_NUMBER, _TRY_COUNTER = 0x9F62, 0x9F61, 0x9F17
_APP_CURRENCY = 0x9F42
_GO_ON, _METHOD = 0x40, 0x3F
_PLAIN, _ENCIPHERED = 0x80, 0x88
_CASHES = (TransactionType.CASH, TransactionType.CASHBACK)


class Result(IntEnum):
    """Byte 3 of the CVM results: how the method ended."""

    UNKNOWN = 0
    FAILED = 1
    SUCCESSFUL = 2


class CvmRule(NamedTuple):
    """One rule of a CVM list: code and condition, as they stand."""

    code: int
    condition: int

    @property
    def method(self) -> int:
        """The method: bits 6 to 1."""
        return self.code & _METHOD

    @property
    def goes_on(self) -> bool:
        """Whether the next rule has its turn when this one fails."""
        return bool(self.code & _GO_ON)


class OnlinePin(Protocol):
    """Enciphers a PIN for the host: what a terminal's PIN key is behind."""

    def __call__(self, digits: str, pan: str, /) -> bytes:
        """Return the enciphered PIN block, 8 bytes."""
        ...


@dataclass(slots=True)
class Verification:
    """What cardholder verification takes from outside, and what it leaves.

    `pad` the PIN pad, None where there is none; `online_pin` makes the block for the host;
    `document` asks the attendant about the identity document (type, number) that was shown;
    `random` fills an enciphered PIN's block. Left behind: `block` the enciphered online PIN,
    `signature` whether the receipt must be signed.
    """

    keys: Iterable[CaKey]
    pad: PinPad | None = None
    online_pin: OnlinePin | None = None
    document: Callable[[str, str], bool] | None = None
    random: Callable[[int], bytes] = bytes
    block: bytes = b""
    signature: bool = False


def rules(transaction: Transaction) -> tuple[int, int, tuple[CvmRule, ...]]:
    """Return the amounts X and Y and the rules of the CVM list."""
    raw = transaction.card.get(_LIST, bytes(8))
    found = tuple(CvmRule(raw[at], raw[at + 1]) for at in range(8, len(raw), 2))
    return int.from_bytes(raw[:4], "big"), int.from_bytes(raw[4:8], "big"), found


def applies(transaction: Transaction, rule: CvmRule, x: int, y: int) -> bool:
    """Whether a rule's condition is met; an unknown condition never is (EMV Book 3 10.5)."""
    terminal, kind = transaction.terminal, transaction.type
    cash = kind is TransactionType.CASH
    match rule.condition:
        case CvmCondition.ALWAYS:
            return True
        case CvmCondition.UNATTENDED_CASH:
            return cash and not terminal.attended
        case CvmCondition.NOT_CASH:
            return kind not in _CASHES
        case CvmCondition.IF_SUPPORTED:
            return terminal.supports(rule.method)
        case CvmCondition.MANUAL_CASH:
            return cash and terminal.attended
        case CvmCondition.CASHBACK:
            return kind is TransactionType.CASHBACK
        case CvmCondition.UNDER_X | CvmCondition.UNDER_Y:
            limit = x if rule.condition == CvmCondition.UNDER_X else y
            return _in_card_currency(transaction) and transaction.amount < limit
        case CvmCondition.OVER_X | CvmCondition.OVER_Y:
            limit = x if rule.condition == CvmCondition.OVER_X else y
            return _in_card_currency(transaction) and transaction.amount > limit
    return False


def _in_card_currency(transaction: Transaction) -> bool:
    return transaction.card.get(_APP_CURRENCY) == transaction.value(0x5F2A)


def verify_holder(channel: Channel, transaction: Transaction, verification: Verification) -> None:
    """Go through the CVM list; set TVR, TSI and the CVM results.

    Nothing happens, and no bit of the TSI is set, when the AIP says no or the list has no
    rules. Errors: `Cancelled` by the holder; `Terminated` for what the card may not answer.
    """
    if not transaction.supports(5):
        return
    x, y, listed = rules(transaction)
    if _LIST not in transaction.card:
        transaction.note(Tvr.DATA_MISSING)
    if not listed:
        return
    outcome = bytes((CvmCode.NO_CVM | 0x20, 0, Result.FAILED))  # 3F 00 01: none was performed
    for rule in listed:
        if not applies(transaction, rule, x, y):
            continue
        result = _perform(channel, transaction, verification, rule)
        if result is not None:
            outcome = bytes((rule.code, rule.condition, result))
        if result in (Result.SUCCESSFUL, Result.UNKNOWN):
            break
        if not rule.goes_on or rule.method == CvmCode.FAIL:
            transaction.note(Tvr.CVM_FAILED)
            break
    else:
        transaction.note(Tvr.CVM_FAILED)
    transaction.given[0x9F34] = outcome
    transaction.done(Tsi.CVM_PERFORMED)


def _perform(
    channel: Channel, transaction: Transaction, verification: Verification, rule: CvmRule
) -> Result | None:
    """Carry out one method; None when the terminal does not know it or cannot do it."""
    method, terminal = rule.method, transaction.terminal
    if method == CvmCode.FAIL:
        return Result.FAILED
    if method not in tuple(CvmCode):
        transaction.note(Tvr.CVM_UNKNOWN)
        return None
    if not terminal.supports(method):
        if method in _PIN_METHODS:
            transaction.note(Tvr.PIN_PAD_MISSING)
        return None
    match method:
        case CvmCode.ONLINE_PIN:
            return _online(transaction, verification)
        case CvmCode.SIGNATURE:
            verification.signature = True
            return Result.UNKNOWN
        case CvmCode.NO_CVM:
            return Result.SUCCESSFUL
        case CvmCode.ID_DOCUMENT:
            return _document(transaction, verification)
    result = _offline(channel, transaction, verification, method)
    if result is Result.SUCCESSFUL and method in _WITH_SIGNATURE:
        verification.signature = True
        return Result.UNKNOWN
    return result


_PIN_METHODS = (
    CvmCode.PLAIN_PIN,
    CvmCode.ONLINE_PIN,
    CvmCode.PLAIN_PIN_SIGNATURE,
    CvmCode.ENCIPHERED_PIN,
    CvmCode.ENCIPHERED_PIN_SIGNATURE,
)
_WITH_SIGNATURE = (CvmCode.PLAIN_PIN_SIGNATURE, CvmCode.ENCIPHERED_PIN_SIGNATURE)
_ENCIPHERED_METHODS = (CvmCode.ENCIPHERED_PIN, CvmCode.ENCIPHERED_PIN_SIGNATURE)


# ---- identity document --------------------------------------------------------------------------


def _document(transaction: Transaction, verification: Verification) -> Result:
    """Code 20: the attendant compares the identity document with what the card says."""
    ask = verification.document
    number = transaction.card.get(_ID_NUMBER, b"").decode("gb18030", "replace")
    kind = transaction.card.get(_ID_TYPE, b"").hex()
    shown = ask is not None and bool(number) and ask(kind, number)
    return Result.SUCCESSFUL if shown else Result.FAILED


# ---- PIN ----------------------------------------------------------------------------------------


def _online(transaction: Transaction, verification: Verification) -> Result:
    """Take the PIN for the host (EMV Book 3 10.5.2)."""
    if verification.online_pin is None:
        transaction.note(Tvr.PIN_PAD_MISSING)
        return Result.FAILED
    entry = _ask(transaction, verification, online=True)
    if entry is None:
        return Result.FAILED
    verification.block = verification.online_pin(entry, transaction.pan)
    transaction.note(Tvr.ONLINE_PIN_ENTERED)
    return Result.UNKNOWN


def _offline(
    channel: Channel, transaction: Transaction, verification: Verification, method: int
) -> Result:
    """Have the card compare the PIN, until it is right or no try is left (10.5.1)."""
    counter = get_data(channel, _TRY_COUNTER)
    tries = counter[0] if counter is not None and len(counter) == 1 else None
    if tries == 0:
        transaction.note(Tvr.PIN_TRIES_EXCEEDED)
        return Result.FAILED
    for again in _again():
        entry = _ask(transaction, verification, online=False, tries_left=tries, again=again)
        if entry is None:
            return Result.FAILED
        command = _verify(channel, transaction, verification, method, entry)
        if command is None:
            return Result.FAILED
        sw = channel.exchange(command).sw
        if sw == SW.OK:
            return Result.SUCCESSFUL
        if sw in (SW.BLOCKED, SW.NO_CHALLENGE, SW.tries_left(0)):
            transaction.note(Tvr.PIN_TRIES_EXCEEDED)
            return Result.FAILED
        if sw & 0xFFF0 != 0x63C0:
            raise unexpected("VERIFY", sw)
        tries = sw & 0x0F
    raise Terminated("VERIFY: the card never comes to an end of its tries")


def _again() -> Iterator[bool]:
    """False, then True for as many tries as 63Cx can count."""
    yield False
    yield from (True for _ in range(15))


def _ask(
    transaction: Transaction,
    verification: Verification,
    *,
    online: bool,
    tries_left: int | None = None,
    again: bool = False,
) -> str | None:
    """Return the digits; None, with its bit of the TVR, when there are none."""
    bypass = transaction.terminal.bypass
    request = PinRequest(transaction.amount, online, tries_left, again, bypass)
    entry = Entry.NOT_WORKING if verification.pad is None else verification.pad.enter(request)
    if entry is Entry.CANCELLED or (entry is Entry.BYPASSED and not bypass):
        raise Cancelled("the holder did not enter a PIN and stopped the transaction")
    if isinstance(entry, str):
        return entry
    transaction.note(Tvr.PIN_NOT_ENTERED if entry is Entry.BYPASSED else Tvr.PIN_PAD_MISSING)
    return None


def _verify(
    channel: Channel,
    transaction: Transaction,
    verification: Verification,
    method: int,
    digits: str,
) -> Command | None:
    """Return the VERIFY of a PIN, plain or enciphered; None when there is no key for it."""
    block = pin_block(digits)
    if method not in _ENCIPHERED_METHODS:
        return Command(0x00, 0x20, 0x00, _PLAIN, block)
    try:
        key = pin_public_key(transaction, issuer_public_key(transaction, verification.keys))
    except NotAuthentic as error:
        if error.missing:
            transaction.note(Tvr.DATA_MISSING)
        return None
    reply = channel.exchange(Command(0x00, 0x84, 0x00, 0x00, le=256))
    if reply.sw != SW.OK or len(reply.data) != 8:
        return None
    plain = b"\x7f" + block + reply.data
    plain += verification.random(key.size - len(plain))
    return Command(0x00, 0x20, 0x00, _ENCIPHERED, recover(key.n, key.e, plain))
