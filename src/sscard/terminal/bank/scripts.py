"""Issuer scripts: the commands in templates 71 and 72, and what came of them (EMV Book 3 10.10).

A script ends with its first refused command. Its result is five bytes of 9F5B, which the host
gets: outcome and number of the refused command, and the script's identifier.
"""

from enum import IntEnum

from sscard.errors import TransportError
from sscard.iso.apdu import Command, MalformedApdu
from sscard.spec.emv import Tsi, Tvr
from sscard.terminal.bank.ber import objects
from sscard.terminal.bank.errors import BadCardData
from sscard.terminal.bank.transaction import Transaction
from sscard.terminal.stack import Channel

__all__ = ["ScriptOutcome", "run_scripts"]

_IDENTIFIER, _COMMAND, _RESULTS = 0x9F18, 0x86, 0x9F5B
_GOOD = (0x90, 0x62, 0x63)
_LAST_NUMBER = 0x0F


class ScriptOutcome(IntEnum):
    """Upper half of the first byte of a script's result."""

    NOT_PERFORMED = 0
    FAILED = 1
    SUCCESSFUL = 2


def run_scripts(
    channel: Channel, transaction: Transaction, scripts: tuple[bytes, ...], *, final: bool
) -> None:
    """Carry out scripts (values of 71; of 72 when `final`, after the second GENERATE AC).

    Adds their results to 9F5B; sets the bits of TVR and TSI. A card that goes away after the
    final cryptogram has paid: its script failed, and that is all. Errors: `TransportError`
    before that.
    """
    for script in scripts:
        result = _run(channel, script, final=final)
        results = transaction.given.get(_RESULTS, b"")
        transaction.given[_RESULTS] = results + result
        transaction.done(Tsi.SCRIPT_PROCESSING)
        if result[0] >> 4 != ScriptOutcome.SUCCESSFUL:
            transaction.note(Tvr.SCRIPT_FAILED_AFTER if final else Tvr.SCRIPT_FAILED_BEFORE)


def _run(channel: Channel, script: bytes, *, final: bool) -> bytes:
    """Return the five bytes of one script's result."""
    try:
        found = objects(script, "script")
        commands = [Command.parse(value) for tag, value in found if tag == _COMMAND]
    except (BadCardData, MalformedApdu):
        return _result(ScriptOutcome.NOT_PERFORMED, 0, b"")
    identifier = dict(found).get(_IDENTIFIER, b"")
    for number, command in enumerate(commands, 1):
        if not _done(channel, command, final=final):
            return _result(ScriptOutcome.FAILED, number, identifier)
    return _result(ScriptOutcome.SUCCESSFUL, 0, identifier)


def _done(channel: Channel, command: Command, *, final: bool) -> bool:
    try:
        return channel.exchange(command).sw >> 8 in _GOOD
    except TransportError:
        if not final:
            raise
        return False


def _result(outcome: ScriptOutcome, number: int, identifier: bytes) -> bytes:
    first = outcome << 4 | min(number, _LAST_NUMBER)
    return bytes((first,)) + identifier[:4].rjust(4, b"\0")
