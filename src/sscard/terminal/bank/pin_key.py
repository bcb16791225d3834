"""The terminal's PIN key, in a vault: PINs leave enciphered, the key never (ISO 9564-1)."""

from dataclasses import dataclass

from sscard.keys.pin_block import format_0
from sscard.keys.vault import KeyRef, Vault

__all__ = ["VaultPinKey"]

_TPK = KeyRef("TPK@PSE")


@dataclass(frozen=True, slots=True)
class VaultPinKey:
    """Enciphers online PINs under a key of a vault: what `BankTerminal(online_pin=)` takes.

    `key` is a 3DES key of no levels, "TPK@PSE" by default: the one shared with the host.
    """

    vault: Vault
    key: KeyRef = _TPK

    def __call__(self, digits: str, pan: str) -> bytes:
        """Return the enciphered format 0 block, 8 bytes. Errors: `VaultError`."""
        return self.vault.direct_cryptogram(self.key, format_0(digits, pan))
