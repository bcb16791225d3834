"""The list of CA public keys a terminal holds, as a TOML file (pse-pboc 4.9, 10).

```toml
format = 1
title = "Test keys"

[[key]]
rid = "A000000333"
index = "80"                # tag 8F of the card
exponent = "03"             # 03 or 010001
modulus = "AC21.."          # 1024 to 1984 bits
expiry = 2030-12-31         # the last day, left out: none
hash = "5C1F.."             # SHA-1 over RID, index, modulus, exponent; left out: not checked
```

The card names its CA key by the RID of its AID and tag 8F. Written by who makes certificates,
read by terminals. Pure: text in, keys out; who has a file reads it first.
"""

import tomllib
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from hashlib import sha1
from typing import Any, Final

from sscard.errors import SscardError

__all__ = ["EXPONENTS", "CaKey", "CaKeyError", "build_ca_keys", "find", "parse_ca_keys"]

EXPONENTS: Final = (3, 65537)
"""Public exponents of offline data authentication (pse-pboc 4.9)."""

_FORMAT = 1
_BITS = range(1024, 1985, 8)
_FIELDS = {"rid", "index", "exponent", "modulus", "expiry", "hash"}


class CaKeyError(SscardError):
    """A list of CA keys cannot be read; the message names the key and what must stand there."""


@dataclass(frozen=True, slots=True)
class CaKey:
    """One CA public key.

    Shapes: `rid` 5 bytes; `index` 0..FF, tag 8F; `modulus` 1024 to 1984 bits; `exponent` 3 or
    65537; `expiry` its last day, None for a key without end. Errors: CaKeyError.
    """

    rid: bytes
    index: int
    modulus: int
    exponent: int
    expiry: date | None = None

    def __post_init__(self) -> None:
        if len(self.rid) != 5 or not 0 <= self.index <= 0xFF:
            raise CaKeyError("a CA key has an RID of 5 bytes and an index of one")
        where = f"CA key {self.name}"
        if self.modulus.bit_length() not in _BITS:
            raise CaKeyError(f"{where}: the modulus must have 1024 to 1984 bits, whole bytes")
        if self.exponent not in EXPONENTS:
            raise CaKeyError(f"{where}: the exponent must be 03 or 010001")

    @property
    def name(self) -> str:
        """How lists and messages call it: RID and index."""
        return f"{self.rid.hex().upper()} {self.index:02X}"

    @property
    def size(self) -> int:
        """Length of the modulus in bytes."""
        return (self.modulus.bit_length() + 7) // 8

    @property
    def modulus_bytes(self) -> bytes:
        """The modulus, `size` bytes."""
        return self.modulus.to_bytes(self.size, "big")

    @property
    def exponent_bytes(self) -> bytes:
        """The exponent as certificates have it: 1 or 3 bytes."""
        return self.exponent.to_bytes(1 if self.exponent == 3 else 3, "big")

    @property
    def check_value(self) -> bytes:
        """SHA-1 over RID, index, modulus and exponent, 20 bytes."""
        data = self.rid + bytes((self.index,)) + self.modulus_bytes + self.exponent_bytes
        return sha1(data, usedforsecurity=False).digest()

    def valid_on(self, day: date) -> bool:
        """Whether the key may still be used on `day`."""
        return self.expiry is None or day <= self.expiry


def find(keys: Iterable[CaKey], rid: bytes, index: int) -> CaKey | None:
    """Return the key of an RID and index, or None."""
    return next((key for key in keys if (key.rid, key.index) == (rid, index)), None)


def parse_ca_keys(text: str) -> tuple[CaKey, ...]:
    """Read a list of CA keys. Errors: CaKeyError; also for a key twice and a wrong hash."""
    try:
        tree = tomllib.loads(text)
    except tomllib.TOMLDecodeError as wrong:
        raise CaKeyError(f"a list of CA keys is TOML: {wrong}") from None
    if tree.get("format") != _FORMAT:
        raise CaKeyError(f"format = {tree.get('format')!r}, must be {_FORMAT}")
    unknown = tree.keys() - {"format", "title", "key"}
    if unknown:
        raise CaKeyError(f"{min(unknown)} is not known: a list of CA keys has a title and [[key]]")
    rows = tree.get("key", [])
    if not isinstance(rows, list):
        raise CaKeyError("keys stand in tables [[key]]")
    keys = tuple(_key(number, row) for number, row in enumerate(rows, start=1))
    names = [key.name for key in keys]
    doubled = {name for name in names if names.count(name) > 1}
    if doubled:
        raise CaKeyError(f"CA key {min(doubled)} occurs twice")
    return keys


def _key(number: int, row: Any) -> CaKey:
    where = f"key {number}"
    if not isinstance(row, dict):
        raise CaKeyError(f"{where} must be a table [[key]]")
    unknown = row.keys() - _FIELDS
    if unknown:
        known = ", ".join(sorted(_FIELDS))
        raise CaKeyError(f"{where}: {min(unknown)} is not known; there are: {known}")
    expiry = row.get("expiry")
    if expiry is not None and type(expiry) is not date:
        raise CaKeyError(f"{where}: expiry = {expiry!r}, must be a date like 2030-12-31")
    index = _bytes(where, row, "index")
    if len(index) != 1:
        raise CaKeyError(f"{where}: index must be one byte in hex")
    key = CaKey(
        rid=_bytes(where, row, "rid"),
        index=index[0],
        modulus=int.from_bytes(_bytes(where, row, "modulus"), "big"),
        exponent=int.from_bytes(_bytes(where, row, "exponent"), "big"),
        expiry=expiry,
    )
    if "hash" in row and _bytes(where, row, "hash") != key.check_value:
        raise CaKeyError(f"CA key {key.name}: the hash is not that of the key")
    return key


def _bytes(where: str, row: dict[str, Any], field: str) -> bytes:
    try:
        return bytes.fromhex(row[field])
    except (KeyError, TypeError, ValueError):
        raise CaKeyError(f"{where}: {field} must be there, in hex") from None


def build_ca_keys(keys: Iterable[CaKey], title: str = "") -> str:
    """Write a list of CA keys; the mirror of `parse_ca_keys`. `title` is one line."""
    quoted = title.replace("\\", "\\\\").replace('"', '\\"')
    lines = [f"format = {_FORMAT}"]
    if quoted:
        lines.append(f'title = "{quoted}"')
    for key in keys:
        lines += [
            "",
            "[[key]]",
            f'rid = "{key.rid.hex().upper()}"',
            f'index = "{key.index:02X}"',
            f'exponent = "{key.exponent_bytes.hex()}"',
            f'modulus = "{key.modulus_bytes.hex().upper()}"',
        ]
        if key.expiry is not None:
            lines.append(f"expiry = {key.expiry.isoformat()}")
        lines.append(f'hash = "{key.check_value.hex().upper()}"')
    return "\n".join(lines) + "\n"
