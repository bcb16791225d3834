"""Data at rest under a passphrase: scrypt makes the key, AES-256-GCM seals (RFC 7914, 5288).

Pure: salt and nonce come from the caller, who must never use a nonce twice. Imported by the
encrypted file vault.
"""

import unicodedata

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.scrypt import Scrypt

__all__ = ["NONCE_SIZE", "SALT_SIZE", "SealingKey"]

SALT_SIZE = 16
NONCE_SIZE = 12
_COST_MAX = 20
"""2^20 blocks of 1 KiB: a gigabyte, more than a file may ask of its reader."""


class SealingKey:
    """The key a passphrase gives; the repr shows nothing of it."""

    __slots__ = ("_aead",)

    def __init__(self, passphrase: str, *, salt: bytes, cost: int) -> None:
        """Run scrypt with N = 2^`cost` (1 to 20), r = 8, p = 1 over the passphrase in NFC."""
        if len(salt) != SALT_SIZE or not 1 <= cost <= _COST_MAX:
            raise ValueError(f"sealing takes {SALT_SIZE} bytes of salt and a cost of 1 to 20")
        secret = unicodedata.normalize("NFC", passphrase).encode("utf-8")
        self._aead = AESGCM(Scrypt(salt=salt, length=32, n=1 << cost, r=8, p=1).derive(secret))

    def seal(self, nonce: bytes, plain: bytes, header: bytes) -> bytes:
        """Encipher `plain`; `header` stays readable but cannot be changed. Adds 16 bytes."""
        return self._aead.encrypt(_nonce(nonce), plain, header)

    def unseal(self, nonce: bytes, sealed: bytes, header: bytes) -> bytes:
        """Undo `seal`. ValueError for another key, or when anything was changed."""
        try:
            return self._aead.decrypt(_nonce(nonce), sealed, header)
        except InvalidTag:
            raise ValueError("the seal does not match") from None

    def __repr__(self) -> str:
        return "<SealingKey>"


def _nonce(nonce: bytes) -> bytes:
    if len(nonce) != NONCE_SIZE:
        raise ValueError(f"a nonce has {NONCE_SIZE} bytes, not {len(nonce)}")
    return nonce
