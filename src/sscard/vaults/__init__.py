"""Key vaults that do I/O: an encrypted file (`file`), a PKCS#11 token (`pkcs11`, an extra).

All cryptography of a file is that of `keys`; a token has its own. What vaults have in common
is `sscard.keys.vault`.
"""
