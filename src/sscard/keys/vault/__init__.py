"""Key vaults: who holds root keys, and what may be asked of them (ssse-lb002 6; cos 4.6, 8.2).

A vault belongs to one party, names its keys and gives their check values, and works with keys
diversified from its roots; a root never comes out. `Vault` is what users of keys see,
`MemoryVault` the simplest one; those that do I/O are in `sscard.vaults`. Pure.
"""

from sscard.keys.vault.bank import BankCard, BankVault, CardForms, SessionForm
from sscard.keys.vault.descent import CardIdentity, card_keys, hand_down
from sscard.keys.vault.memory import MemoryVault
from sscard.keys.vault.operations import BaseVault
from sscard.keys.vault.values import (
    ForeignKey,
    KeyInfo,
    KeyRef,
    Party,
    Root,
    UnknownKey,
    UnsupportedMechanism,
    Vault,
    VaultError,
    VaultLocked,
    Withheld,
    WrongVersion,
)

__all__ = [
    "BankCard",
    "BankVault",
    "BaseVault",
    "CardForms",
    "CardIdentity",
    "ForeignKey",
    "KeyInfo",
    "KeyRef",
    "MemoryVault",
    "Party",
    "Root",
    "SessionForm",
    "UnknownKey",
    "UnsupportedMechanism",
    "Vault",
    "VaultError",
    "VaultLocked",
    "Withheld",
    "WrongVersion",
    "card_keys",
    "hand_down",
]
