"""Which card, PSAM and PIN the C library's reader has: environment variables, or a TOML file.

`SSCARD_NATIONAL_CARD` and its like; `SSCARD_NATIONAL_CONFIG` names a file with the same keys in
lower case (`card = "card.img"`), over which the variables go. A card is an image file or a PC/SC
reader.
"""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import get_args

from sscard.errors import SscardError
from sscard.nationallib.slots import slot
from sscard.terminal import Dialect, Flavour, LineProtection
from sscard.terminal.national import Equipment, FixedPad
from sscard.transport.port import Link

__all__ = ["PREFIX", "ConfigError", "Configuration", "configuration", "equipment"]

PREFIX = "SSCARD_NATIONAL_"
_CONFIG = PREFIX + "CONFIG"
_PYTHON = PREFIX + "PYTHON"
_CHOICES = {
    "link": get_args(Link),
    "protection": tuple(choice.value for choice in LineProtection),
    "sm_mode": tuple(choice.value for choice in Flavour),
    "pin_sm_key": ("STK", "PUK"),
    "medical_account": ("deposit", "purse"),
}


class ConfigError(SscardError):
    """The library's configuration cannot be used; the message names the key."""


@dataclass(frozen=True, slots=True)
class Configuration:
    """The keys, all text. `card`, `contactless`, `psam`: an image file or a PC/SC reader.

    `pin` and `new_pin` are what the holder would enter; without them he cancels. `device`,
    `terminal`, `place` as in `Equipment`, the rest as in `Dialect`; `link` is for image files.
    """

    card: str = ""
    contactless: str = ""
    psam: str = ""
    pin: str = ""
    new_pin: str = ""
    device: str = ""
    terminal: str = "000000000000"
    place: str = ""
    link: str = "apdu"
    protection: str = "none"
    sm_mode: str = "session"
    pin_sm_key: str = "STK"
    medical_account: str = "deposit"
    key_version: str = ""
    pin_initial: str = "123456"

    def __repr__(self) -> str:
        return f"Configuration(card={self.card!r}, psam={self.psam!r}, ..)"


def configuration(environment: Mapping[str, str]) -> Configuration:
    """Return what an environment says. Errors: `ConfigError`, also for keys nobody knows."""
    given: dict[str, str] = {}
    if environment.get(_CONFIG):
        given |= _file(Path(environment[_CONFIG]))
    for name, value in environment.items():
        if name.startswith(PREFIX) and name not in (_CONFIG, _PYTHON):
            given[name.removeprefix(PREFIX).lower()] = value
    known = {field.name for field in fields(Configuration)}
    if unknown := sorted(set(given) - known):
        raise ConfigError(f"there is no {', '.join(unknown)}; there are {', '.join(sorted(known))}")
    for name, choices in _CHOICES.items():
        if given.get(name, choices[0]) not in choices:
            raise ConfigError(f"{name} is {' or '.join(choices)}, not {given[name]!r}")
    return Configuration(**given)


def equipment(settings: Configuration) -> Equipment:
    """Return the reader of a configuration. Errors: `ConfigError`, `TerminalError`."""
    link: Link = "t0" if settings.link == "t0" else "apdu"
    try:
        version = int(settings.key_version, 16) if settings.key_version else None
    except ValueError:
        raise ConfigError("key_version is one byte in hex") from None
    return Equipment(
        contact=slot(settings.card, link),
        contactless=slot(settings.contactless, link),
        psam=slot(settings.psam, link),
        pad=FixedPad(settings.pin or None, settings.new_pin or None),
        device=settings.device,
        terminal=settings.terminal,
        place=settings.place,
        dialect=Dialect(
            sm_mode=Flavour(settings.sm_mode),
            pin_sm_key=settings.pin_sm_key,
            medical_account=settings.medical_account,
            key_version=version,
            pin_initial=settings.pin_initial,
        ),
        protection=LineProtection(settings.protection),
    )


def _file(path: Path) -> dict[str, str]:
    try:
        table = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ConfigError(f"{path}: {error}") from error
    for name, value in table.items():
        if not isinstance(value, str):
            raise ConfigError(f'{path}: {name} is text: {name} = "..."')
    return table
