"""The holder's PIN: taken for the host, or compared by the card (EMV Book 3 10.5.1, 10.5.2).

Plain and enciphered VERIFY, tries, and what the TVR says when there is no PIN. Sources:
pse-pboc 2.4, 4.10.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Protocol

from sscard.iso.apdu import Command
from sscard.iso.sw import SW
from sscard.keys.pboc import pin_block
from sscard.keys.rsa import recover
from sscard.spec.ca_keys import CaKey
from sscard.spec.emv import CvmCode, Tvr
from sscard.terminal.bank.certificates import NotAuthentic, issuer_public_key, pin_public_key
from sscard.terminal.bank.errors import Cancelled, Terminated, unexpected
from sscard.terminal.bank.pinpad import Entry, PinPad, PinRequest
from sscard.terminal.bank.reading import get_data
from sscard.terminal.bank.transaction import Transaction
from sscard.terminal.stack import Channel

__all__ = ["OnlinePin", "Result", "Verification", "offline_pin", "online_pin"]

_TRY_COUNTER = 0x9F17
_PLAIN, _ENCIPHERED = 0x80, 0x88
_ENCIPHERED_METHODS = (CvmCode.ENCIPHERED_PIN, CvmCode.ENCIPHERED_PIN_SIGNATURE)


class Result(IntEnum):
    """Byte 3 of the CVM results: how the method ended."""

    UNKNOWN = 0
    FAILED = 1
    SUCCESSFUL = 2


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
    block: bytes = field(default=b"", repr=False)
    signature: bool = False


def online_pin(transaction: Transaction, verification: Verification) -> Result:
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


def offline_pin(
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
