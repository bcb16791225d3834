"""RSA keys with their private half in files, for test cards: shipped ones, or a user's own.

```toml
format = 1
title = "Test CA"
exponent = "03"
p = "F3C0.."
q = "F2A9.."

[ca]                        # of a CA key only
rid = "A000000333"
index = "80"
expiry = 2030-12-31         # left out: none
```

Everybody knows the shipped keys: they sign test cards. A key that must stay secret does not
belong into a profile. Source: pse-pboc 4.9, 10.
"""

import tomllib
from dataclasses import dataclass, field
from datetime import date
from functools import lru_cache
from importlib.resources import files
from pathlib import Path

from sscard.errors import ProfileError
from sscard.keys.rsa import RsaKey
from sscard.perso.table import Table
from sscard.spec.ca_keys import EXPONENTS, CaKey, CaKeyError

__all__ = ["RsaFile", "build_rsa_file", "rsa_file", "rsa_file_names"]

_FOLDER = "profiles/oda"


@dataclass(frozen=True, slots=True)
class RsaFile:
    """A key with its title; `ca` is the public half of a CA key as terminals hold it."""

    title: str
    key: RsaKey = field(repr=False)
    ca: CaKey | None = None


def rsa_file_names() -> list[str]:
    """Return the names of the shipped keys, sorted."""
    found = (entry.name for entry in (files("sscard") / _FOLDER).iterdir())
    return sorted(name.removesuffix(".toml") for name in found if name.endswith(".toml"))


def rsa_file(name: str) -> RsaFile:
    """Return a shipped key by name, or the key of a file by path. Errors: ProfileError."""
    if name in rsa_file_names():
        return _shipped(name)
    if "/" not in name and not Path(name).exists():
        shipped = ", ".join(rsa_file_names())
        raise ProfileError(f"there is no key or file {name}; there are: {shipped}")
    try:
        text = Path(name).read_text("utf-8")
    except (OSError, UnicodeDecodeError) as wrong:
        raise ProfileError(f"the key {name} cannot be read: {wrong}") from None
    return _read(name, text)


@lru_cache(maxsize=32)
def _shipped(name: str) -> RsaFile:
    return _read(name, (files("sscard") / _FOLDER / f"{name}.toml").read_text("utf-8"))


def _read(name: str, text: str) -> RsaFile:
    try:
        tree = tomllib.loads(text)
    except tomllib.TOMLDecodeError as wrong:
        raise ProfileError(f"key {name}: {wrong}") from None
    try:
        return _parsed(Table(tree))
    except (ProfileError, CaKeyError) as wrong:
        raise ProfileError(f"key {name}: {wrong}") from None


def _parsed(top: Table) -> RsaFile:
    top.number("format", 1, 1)
    title = top.text("title", "")
    exponent = int.from_bytes(top.hex_bytes("exponent"), "big")
    if exponent not in EXPONENTS:
        top.wrong("exponent", "03 or 010001")
    primes = [int.from_bytes(top.hex_bytes(word), "big") for word in "pq"]
    try:
        key = RsaKey.from_primes(primes[0], primes[1], exponent)
    except ValueError:
        raise ProfileError("p and q are no primes that go with the exponent") from None
    ca = _ca(top.table("ca"), key) if "ca" in top else None
    top.finish()
    return RsaFile(title, key, ca)


def _ca(table: Table, key: RsaKey) -> CaKey:
    expiry = table.value("expiry")
    if expiry is not None and type(expiry) is not date:
        table.wrong("expiry", "a date like 2030-12-31")
    made = CaKey(
        rid=table.hex_bytes("rid", 5),
        index=table.hex_number("index", 2),
        modulus=key.modulus,
        exponent=key.public.e,
        expiry=expiry,
    )
    table.finish()
    return made


def build_rsa_file(file: RsaFile) -> str:
    """Write a key as text, its private half too; the mirror of `rsa_file`."""
    quoted = file.title.replace("\\", "\\\\").replace('"', '\\"')
    key = file.key
    lines = [
        "format = 1",
        f'title = "{quoted}"',
        f'exponent = "{key.public.exponent.hex()}"',
        f'p = "{key.p:X}"',
        f'q = "{key.q:X}"',
    ]
    if file.ca is not None:
        lines += [
            "",
            "[ca]",
            f'rid = "{file.ca.rid.hex().upper()}"',
            f'index = "{file.ca.index:02X}"',
        ]
        if file.ca.expiry is not None:
            lines.append(f"expiry = {file.ca.expiry.isoformat()}")
    return "\n".join(lines) + "\n"
