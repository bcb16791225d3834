"""The terminal's PIN key, in a vault: PINs leave enciphered, the key never (ISO 9564-1)."""

from dataclasses import dataclass

from sscard.keys.pboc import online_pin_block
from sscard.keys.vault import KeyRef, Vault

__all__ = ["VaultPinKey"]


@dataclass(frozen=True, slots=True)
class VaultPinKey:
    """Enciphers online PINs for the host: what `BankTerminal(online_pin=)` takes.

    The key is that of one terminal: TPK@PSE, a 3DES key of one level, diversified by the eight
    characters of the terminal's identification (9F1C).
    """

    vault: Vault
    terminal_id: str

    def __call__(self, digits: str, pan: str) -> bytes:
        """Return the enciphered format 0 block, 8 bytes. Errors: `VaultError`."""
        key = KeyRef("TPK@PSE", (self.terminal_id.encode("ascii"),))
        return self.vault.direct_cryptogram(key, online_pin_block(digits, pan))
