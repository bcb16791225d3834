"""How a bank transaction ends without a decision of card or issuer.

A declined transaction is no error; these are. Imported by the whole of `terminal.bank`.
"""

from sscard.iso.sw import SW
from sscard.terminal.errors import TerminalError

__all__ = [
    "ApplicationBlocked",
    "BadCardData",
    "BankTerminalError",
    "Cancelled",
    "CardBlocked",
    "NoBankApplication",
    "Terminated",
    "unexpected",
]


class BankTerminalError(TerminalError):
    """A bank terminal cannot, or must not, go on with this card."""


class NoBankApplication(BankTerminalError):
    """The card has no bank application that this terminal accepts."""


class ApplicationBlocked(BankTerminalError):
    """All the applications this terminal could use are blocked (6283)."""


class CardBlocked(BankTerminalError):
    """The card, or its whole bank side, is blocked for good (6A81)."""


class Terminated(BankTerminalError):
    """The transaction was given up; nothing was paid. The message says at which step and why."""


class BadCardData(Terminated):
    """What the card answered is missing, malformed or contradictory (EMV Book 3 7.5)."""


class Cancelled(Terminated):
    """The holder, or the attendant, stopped the transaction."""


def unexpected(step: str, sw: SW) -> Terminated:
    """Return the error for a status word that ends a transaction at `step`."""
    return Terminated(f"{step}: the card answered {sw}, {sw.meaning}")
