"""Terminal action analysis: what the terminal asks the card for (EMV Book 3 10.7).

Pure: TVR, action codes and the kind of terminal in, a `Request` out.
"""

from enum import IntEnum

from sscard.terminal.bank.transaction import Transaction

__all__ = ["Request", "after_failing_to_go_online", "first_request"]

_DEFAULT, _DENIAL, _ONLINE = 0x9F0D, 0x9F0E, 0x9F0F
_ALL, _NOTHING = b"\xff" * 5, bytes(5)


class Request(IntEnum):
    """P1 of GENERATE AC, and the kind of cryptogram in a CID."""

    AAC = 0x00
    TC = 0x40
    ARQC = 0x80


def first_request(transaction: Transaction) -> Request:
    """Return what the first GENERATE AC asks for.

    Denial first; then an online-only terminal goes online, one with online capability when the
    online codes say so; one without it declines when the default codes say so.
    """
    terminal, settings = transaction.terminal, transaction.settings
    if _hit(transaction, _DENIAL, _NOTHING, settings.tac_denial):
        return Request.AAC
    if terminal.online_only:
        return Request.ARQC
    if terminal.offline_only:
        return _by_default(transaction)
    online = _hit(transaction, _ONLINE, _ALL, settings.tac_online)
    return Request.ARQC if online else Request.TC


def after_failing_to_go_online(transaction: Transaction) -> Request:
    """Return what the second GENERATE AC asks for when nobody answered.

    An online-only terminal declines.
    """
    if transaction.terminal.online_only:
        return Request.AAC
    return _by_default(transaction)


def _by_default(transaction: Transaction) -> Request:
    hit = _hit(transaction, _DEFAULT, _ALL, transaction.settings.tac_default)
    return Request.AAC if hit else Request.TC


def _hit(transaction: Transaction, tag: int, absent: bytes, terminal_code: bytes) -> bool:
    """Whether a bit of the TVR is set that the issuer's or the terminal's code names."""
    issuer_code = transaction.card.get(tag, absent)
    codes = int.from_bytes(issuer_code, "big") | int.from_bytes(terminal_code, "big")
    return bool(transaction.tvr & codes)
