"""Terminals of the social side: the world of the card, which it knows through a port only.

`stack` is the APDU stack, `crypto_source` and `psam_source` who computes, `records` typed
values of the card's records, `social` the terminal itself, `bank` the other kind and `full` both
in one; the other modules are its parts.
Imports neither the card's code nor the profiles cards are made from.
"""

from sscard.terminal.checks import Check, CheckResult, Outcome, Policy
from sscard.terminal.crypto_source import CryptoSource, Flavour, VaultSource
from sscard.terminal.errors import (
    AlgorithmNotHeld,
    ApduError,
    Blocked,
    CardRejected,
    EnvironmentLocked,
    KeyNotHeld,
    KeyOutOfReach,
    OtherCard,
    RightMissing,
    SettlementFailed,
    TerminalError,
    WrongPin,
)
from sscard.terminal.files import Contents, LineProtection
from sscard.terminal.medical import Area, Receipt, Unanswered
from sscard.terminal.pin import InitialPin
from sscard.terminal.psam_source import PsamSource
from sscard.terminal.social import Centre, Holder, SocialTerminal
from sscard.terminal.stack import Channel, LePolicy, channel
from sscard.terminal.visit import Dialect

__all__ = [
    "AlgorithmNotHeld",
    "ApduError",
    "Area",
    "Blocked",
    "CardRejected",
    "Centre",
    "Channel",
    "Check",
    "CheckResult",
    "Contents",
    "CryptoSource",
    "Dialect",
    "EnvironmentLocked",
    "Flavour",
    "Holder",
    "InitialPin",
    "KeyNotHeld",
    "KeyOutOfReach",
    "LePolicy",
    "LineProtection",
    "OtherCard",
    "Outcome",
    "Policy",
    "PsamSource",
    "Receipt",
    "RightMissing",
    "SettlementFailed",
    "SocialTerminal",
    "TerminalError",
    "Unanswered",
    "VaultSource",
    "WrongPin",
    "channel",
]
