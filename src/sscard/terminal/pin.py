"""The PIN services of a terminal: verify, change, reload, unblock (ssse-lb002 3.7).

A PIN is text of decimal digits here and BCD on the wire. The rules that are the terminal's and
not the card's are kept here: no PIN for a card that has not proved itself, no change to the
initial PIN, no transaction with it.
"""

from sscard.iso.apdu import Command
from sscard.iso.sw import SW
from sscard.iso.text import bcd
from sscard.terminal.crypto_source import named_key
from sscard.terminal.errors import ApduError, TerminalError, refusal
from sscard.terminal.visit import Visit

__all__ = ["InitialPin", "change", "reload", "tries_left", "unblock", "verify"]

_PUK = 0x06
_RELOAD, _UNBLOCK = 1, 0


class InitialPin(TerminalError):
    """The initial PIN opens no transaction, and nobody may go back to it (codes -35, -36)."""


def verify(visit: Visit, digits: str) -> None:
    """VERIFY the holder's PIN.

    Errors: `WrongPin`, `Blocked`; `TerminalError` before the card has proved itself, or for
    digits that are no PIN.
    """
    visit.require_genuine()
    command = Command(0x00, 0x20, 0x00, 0x00, _coded(digits))
    visit.pin = False
    try:
        visit.channel.send(command)
    except ApduError as error:
        visit.verified(error.sw)
        raise
    visit.verified(SW.OK)
    visit.pin = True
    visit.initial_pin = digits == visit.dialect.pin_initial


def tries_left(visit: Visit) -> int:
    """Return how many tries the PIN has left, without using one; 0 when it is blocked."""
    command = Command(0x00, 0x20, 0x00, 0x00)
    sw = visit.channel.exchange(command).sw
    if sw == SW.BLOCKED:
        return 0
    error = refusal(sw, command)
    if error.tries_left is None:
        raise error
    return error.tries_left


def change(visit: Visit, old: str, new: str) -> None:
    """CHANGE PIN. The PIN has to be verified afterwards, as before.

    Errors: `InitialPin` when the new one is the initial one; `WrongPin`, `Blocked`.
    """
    visit.require_genuine()
    if new == visit.dialect.pin_initial:
        raise InitialPin("the PIN cannot be changed to the initial one")
    data = _coded(old) + b"\xff" + _coded(new)
    visit.channel.send(Command(0x80, 0x5E, 0x01, 0x00, data))
    visit.initial_pin = False


def reload(visit: Visit, new: str) -> None:
    """RELOAD PIN: replace it and give it all its tries, by the right of the PUK.

    Errors: `KeyNotHeld`, `Blocked`, `ApduError`.
    """
    _with_puk(visit, _RELOAD, _coded(new))


def unblock(visit: Visit) -> None:
    """UNBLOCK PIN: give it all its tries again. Errors: as `reload`."""
    _with_puk(visit, _UNBLOCK, b"")


def _with_puk(visit: Visit, p2: int, plain: bytes) -> None:
    visit.require_genuine()
    visit.authenticate(_PUK)
    key = named_key(f"{visit.dialect.pin_sm_key}@SSSE")
    visit.protected(key, encipher=True).send(Command(0x84, 0x24, 0x00, p2, plain))


def _coded(digits: str) -> bytes:
    """Return a PIN as BCD. Errors: `TerminalError` for other than 4 to 16 digits in pairs."""
    try:
        coded = bcd(digits)
    except ValueError:
        coded = b""
    if not 2 <= len(coded) <= 8:
        raise TerminalError("a PIN is 4 to 16 decimal digits, an even number of them")
    return coded
