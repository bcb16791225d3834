"""The bank terminal: an EMV and PBOC contact kernel over a port (EMV 4.x; pse-pboc).

`kernel` is the order of the steps; every step is a module: `selection`, `reading`, `oda` (with
`certificates`), `restrictions`, `cvm` (with `pin_check`, `pin_key` and `pinpad`), `risk`, `action`,
`generate`, `online`, `scripts`, `closing` (with `receipt`). `settings` is a terminal as data,
`transaction` what is known of one transaction, `course` how far it has come. Imports neither
the card's code nor the issuer's.
"""

from sscard.terminal.bank.closing import Attendant, Memory
from sscard.terminal.bank.course import Decision
from sscard.terminal.bank.errors import (
    ApplicationBlocked,
    BadCardData,
    BankTerminalError,
    Cancelled,
    CardBlocked,
    NoBankApplication,
    Terminated,
)
from sscard.terminal.bank.kernel import BankTerminal
from sscard.terminal.bank.pin_key import VaultPinKey
from sscard.terminal.bank.pinpad import Entry, KeyedPad, PinPad, PinRequest
from sscard.terminal.bank.receipt import Receipt
from sscard.terminal.bank.selection import Candidate
from sscard.terminal.bank.settings import (
    ATM,
    KIOSK,
    POS,
    UNIONPAY,
    AidSettings,
    CdaMode,
    Merchant,
    Terminal,
)

__all__ = [
    "ATM",
    "KIOSK",
    "POS",
    "UNIONPAY",
    "AidSettings",
    "ApplicationBlocked",
    "Attendant",
    "BadCardData",
    "BankTerminal",
    "BankTerminalError",
    "Cancelled",
    "Candidate",
    "CardBlocked",
    "CdaMode",
    "Decision",
    "Entry",
    "KeyedPad",
    "Memory",
    "Merchant",
    "NoBankApplication",
    "PinPad",
    "PinRequest",
    "Receipt",
    "Terminal",
    "Terminated",
    "VaultPinKey",
]
