"""VERIFY: the offline PIN, in plaintext and enciphered (pse-pboc 2.4, 4.10)."""

from dataclasses import replace

from sscard.apps.pse.application import Application
from sscard.apps.pse.cvr import Cvr
from sscard.apps.pse.machine import Step, transaction
from sscard.apps.pse.risk import Ada
from sscard.apps.pse.transaction import Initiated, Online, Transaction
from sscard.cos.layout import Block
from sscard.cos.lifecycle import set_block
from sscard.cos.objects import KeyRecord
from sscard.cos.refusal import Refusal
from sscard.iso.apdu import Command
from sscard.iso.sw import SW
from sscard.iso.text import cn, from_cn
from sscard.keys.pboc import pin_block, pin_digits

__all__ = ["reference_digits", "stored_pin", "verify"]

_REF = "pse-pboc 2.4"
_PLAIN, _ENCIPHERED = 0x80, 0x88
_BLOCK_LENGTH = 8
_HEADER = 0x7F
_CHALLENGE = slice(1 + _BLOCK_LENGTH, 1 + _BLOCK_LENGTH + 8)
_NOT_A_BLOCK = b""
"""What stands for a PIN that could not be deciphered: no reference PIN is equal to it."""


def _length(card: Application, command: Command) -> int:
    """Eight bytes, or as many as the key has; with no key any length, the handler refuses."""
    if command.p2 == _PLAIN:
        return _BLOCK_LENGTH
    key = card.pin_key
    return len(command.data) if key is None else key.size


@transaction(
    0x00,
    0x20,
    "VERIFY",
    p2=(_PLAIN, _ENCIPHERED),
    lc=_length,
    ref="pse-pboc 2.4, 4.10",
    anywhere="verify_state",
)
def verify(card: Application, command: Command, tx: Transaction) -> Step:
    """Compare a format 2 PIN block with the reference PIN; a malformed one is a wrong one.

    An enciphered one is deciphered first: what that finds wrong costs no try and leaves the CVR
    alone. Order: no PIN, the key, the challenge, the block, then the tries.
    """
    pin = card.pin
    options = card.domain.options
    if pin is None:
        sw = SW.BLOCKED if options["pin_absent"] == "6983" else SW.NO_CHALLENGE
        raise Refusal(sw, "no offline PIN is personalised", _REF)
    block = command.data
    if command.p2 == _ENCIPHERED:
        block = _deciphered(card, command.data)
    if options["pin_malformed"] == "6A80" and block and not _is_block(block):
        raise Refusal(SW.WRONG_DATA, "the data are no format 2 PIN block", _REF)
    is_first = not _cvr(tx) & Cvr.PIN_PERFORMED
    tx = _with_cvr(tx, _cvr(tx) | Cvr.PIN_PERFORMED)
    if card.pin_tries == 0:
        return _no_try_left(tx, is_first=is_first)
    same = card.domain.crypto.same
    if card.domain.prove(pin, lambda: bool(block) and same(_reference_block(pin), block)):
        return Step(b"", _with_cvr(tx, _cvr(tx) & ~Cvr.PIN_FAILED))
    return _wrong(card, tx, pin)


def _cvr(tx: Transaction) -> Cvr:
    return tx.cvr if isinstance(tx, (Initiated, Online)) else Cvr(0)


def _with_cvr(tx: Transaction, cvr: Cvr) -> Transaction:
    """Return the state with other results, where it still has any to report."""
    return replace(tx, cvr=cvr) if isinstance(tx, (Initiated, Online)) else tx


# ---- enciphered (4.10) ---------------------------------------------------------------------------


def _deciphered(card: Application, data: bytes) -> bytes:
    """Return the PIN block in `7F, block, U, random`, when U is the challenge just given.

    Refuses: 6985 without a private key; 6984 for anything wrong inside, or nothing that equals
    a PIN as `pin_decipherment` says.
    """
    key = card.pin_key
    if key is None:
        raise Refusal(
            SW.CONDITIONS, "the application has no key to decipher a PIN", "pse-pboc 4.10"
        )
    domain = card.domain
    domain.crypto.charge_rsa(key.size * 8)
    try:
        plain = key.decrypt(data)
        challenge = domain.take_challenge("pse-pboc 4.10")
    except (ValueError, Refusal):
        return _undeciphered(card)
    if plain[0] != _HEADER or not domain.crypto.same(plain[_CHALLENGE], challenge):
        return _undeciphered(card)
    return plain[1 : 1 + _BLOCK_LENGTH]


def _undeciphered(card: Application) -> bytes:
    if card.domain.options["pin_decipherment"] == "wrong":
        return _NOT_A_BLOCK
    why = "the enciphered PIN is in no right form, or over no valid challenge"
    raise Refusal(SW.NO_CHALLENGE, why, "pse-pboc 2.4, 4.10")


# ---- the result ----------------------------------------------------------------------------------


def _no_try_left(tx: Transaction, *, is_first: bool) -> Step:
    """6984 when the tries were gone before this transaction, 6983 when it took them."""
    tx = _with_cvr(tx, _cvr(tx) | Cvr.PIN_FAILED | Cvr.PIN_TRIES_EXCEEDED)
    sw = SW.NO_CHALLENGE if is_first else SW.BLOCKED
    return Step(b"", tx, Refusal(sw, "the PIN has no try left", _REF))


def _wrong(card: Application, tx: Transaction, pin: KeyRecord) -> Step:
    """Count in the CVR; the last try may cost the application (ADA 2.b8)."""
    left = card.domain.tries_left(pin) if pin.counted else 15
    cvr = _cvr(tx) | Cvr.PIN_FAILED
    if not left:
        cvr |= Cvr.PIN_TRIES_EXCEEDED
        if card.profile.risk.ada & Ada.PIN_EXCEEDED_BLOCK:
            cvr |= Cvr.BLOCKED_BY_PIN
            if not card.blocked:
                set_block(card.domain, Block.TEMPORARY)
    tx = _with_cvr(tx, cvr)
    if isinstance(tx, Initiated):
        tx = replace(tx, pin_exceeded=not left)
    return Step(b"", tx, Refusal(SW.tries_left(left), "the PIN is wrong", _REF))


def _is_block(block: bytes) -> bool:
    """Whether a block is 2N, N digits (4 to 12), F: what `pin_block` makes."""
    try:
        return bool(pin_digits(block))
    except ValueError:
        return False


def _reference_block(pin: KeyRecord) -> bytes:
    """Return the reference PIN as VERIFY sends it.

    WRITE KEY loads it as such a block, as DGI 8010 does, or as its BCD digits (cos 4.4).
    """
    if len(pin.value) == _BLOCK_LENGTH:
        return pin.value
    try:
        return pin_block(from_cn(pin.value))
    except ValueError:
        return b""


def reference_digits(pin: KeyRecord) -> str:
    """Return the digits of the reference PIN; ValueError when it is none."""
    return pin_digits(pin.value) if len(pin.value) == _BLOCK_LENGTH else from_cn(pin.value)


def stored_pin(pin: KeyRecord, digits: str) -> bytes:
    """Return a new PIN in the form the reference PIN was loaded in: block or BCD digits."""
    return (
        pin_block(digits) if len(pin.value) == _BLOCK_LENGTH else cn(digits, len(digits) + 1 >> 1)
    )
