"""What `sscard conformance` takes from a profile: the card is to be one of it.

Its applications choose the suites; its generation, switches and PINs are what the card must have.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sscard.keys.vault import BankVault
    from sscard.perso.model import Directory

__all__ = ["Facts", "bank_keys", "facts_of"]

_EF05, _VERSION_TAG = 0xEF05, 0x03
_GENERATIONS = {b"1": "v1", b"2": "v2", b"3": "v3"}


@dataclass(frozen=True, slots=True)
class Facts:
    """A profile's suites, SSSE generation, options with their defaults, and PINs.

    `pin` as the SSSE is sent it, None without one; `bank_pin` its digits, "" without one.
    """

    suites: tuple[str, ...] = ()
    generation: str = ""
    options: Mapping[str, str] = field(default_factory=dict)
    pin: bytes | None = field(default=None, repr=False)
    bank_pin: str = field(default="", repr=False)


def facts_of(name: str) -> Facts:
    """Return what a profile says of its cards. Errors: ProfileError."""
    from sscard.perso.profile import Profile
    from sscard.spec.options import DEFAULTS

    profile = Profile.load(name)
    there = (("ssse", profile.ssse), ("pse", profile.pse))
    return Facts(
        tuple(suite for suite, environment in there if environment is not None),
        "" if profile.ssse is None else _generation(profile.ssse),
        {**DEFAULTS, **dict(profile.options)},
        profile.ssse.pin.value if profile.ssse and profile.ssse.pin else None,
        "" if profile.pse is None else _bank_pin(profile.pse),
    )


def _generation(ssse: "Directory") -> str:
    """The specification version in EF05, as cards tell it (ssse-lb002 2.3)."""
    records = [r for ef in ssse.files if ef.fid == _EF05 for r in ef.records]
    told = next((record[2:3] for record in records if record[:1] == bytes((_VERSION_TAG,))), b"")
    return _GENERATIONS.get(told, "")


def _bank_pin(pse: "Directory") -> str:
    from sscard.keys.pboc import pin_digits

    for directory in pse.directories:
        if directory.pin is not None:
            try:
                return pin_digits(directory.pin.value)
            except ValueError:
                return directory.pin.value.hex()
    return ""


def bank_keys(profile: str, switches: Mapping[str, str]) -> "BankVault":
    """Return a profile's fictional bank keys, with a key for PINs beside them.

    Errors: ProfileError.
    """
    from sscard.cli.authorise import TEST_PIN_KEYS
    from sscard.keys.vault import BankVault, CardForms, Party, Root
    from sscard.perso.roots import demo_vault

    vault = demo_vault(profile, Party.BANK)
    for name, value in TEST_PIN_KEYS.items():
        vault.install(Root(name, value, levels=1))
    return BankVault(vault, forms=CardForms.of(switches))
