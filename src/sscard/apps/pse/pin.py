"""VERIFY: the offline PIN in plaintext (pse-pboc 2.4)."""

from dataclasses import replace

from sscard.apps.pse.application import Application
from sscard.apps.pse.cvr import Cvr
from sscard.apps.pse.machine import Step, transaction
from sscard.apps.pse.risk import Ada
from sscard.apps.pse.transaction import Initiated
from sscard.cos.layout import Block
from sscard.cos.lifecycle import set_block
from sscard.cos.objects import KeyRecord
from sscard.cos.refusal import Refusal
from sscard.iso.apdu import Command
from sscard.iso.sw import SW
from sscard.iso.text import from_cn
from sscard.keys.pboc import pin_block

__all__ = ["verify"]

_REF = "pse-pboc 2.4"
_PLAIN = 0x80
_BLOCK_LENGTH = 8


@transaction(0x00, 0x20, "VERIFY", p2=(_PLAIN,), lc=(_BLOCK_LENGTH,), ref=_REF)
def verify(card: Application, command: Command, tx: Initiated) -> Step:
    """Compare a format 2 PIN block with the reference PIN; a malformed one is a wrong one."""
    pin = card.pin
    if pin is None:
        raise Refusal(SW.NO_CHALLENGE, "no offline PIN is personalised", _REF)
    is_first = not tx.cvr & Cvr.PIN_PERFORMED
    tx = replace(tx, cvr=tx.cvr | Cvr.PIN_PERFORMED)
    if card.pin_tries == 0:
        return _no_try_left(tx, is_first=is_first)
    same = card.domain.crypto.same
    if card.domain.prove(pin, lambda: same(_reference_block(pin), command.data)):
        return Step(b"", replace(tx, cvr=tx.cvr & ~Cvr.PIN_FAILED))
    return _wrong(card, tx, pin)


def _no_try_left(tx: Initiated, *, is_first: bool) -> Step:
    """6984 when the tries were gone before this transaction, 6983 when it took them."""
    tx = replace(tx, cvr=tx.cvr | Cvr.PIN_FAILED | Cvr.PIN_TRIES_EXCEEDED)
    sw = SW.NO_CHALLENGE if is_first else SW.BLOCKED
    return Step(b"", tx, Refusal(sw, "the PIN has no try left", _REF))


def _wrong(card: Application, tx: Initiated, pin: KeyRecord) -> Step:
    """Count in the CVR; the last try may cost the application (ADA 2.b8)."""
    left = card.domain.tries_left(pin) if pin.counted else 15
    cvr = tx.cvr | Cvr.PIN_FAILED
    if not left:
        cvr |= Cvr.PIN_TRIES_EXCEEDED
        if card.profile.risk.ada & Ada.PIN_EXCEEDED_BLOCK:
            cvr |= Cvr.BLOCKED_BY_PIN
            if not card.blocked:
                set_block(card.domain, Block.TEMPORARY)
    tx = replace(tx, cvr=cvr, pin_exceeded=not left)
    return Step(b"", tx, Refusal(SW.tries_left(left), "the PIN is wrong", _REF))


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
