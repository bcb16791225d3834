"""Options and steps of commands that open a key vault: a file, a token, a profile's test keys."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from sscard.keys.vault import BaseVault, Party
    from sscard.vaults.pkcs11 import Pkcs11Vault

__all__ = [
    "Held",
    "ModuleOption",
    "PassphraseOption",
    "PinOption",
    "TokenOption",
    "VaultOption",
    "open_token",
    "open_vault",
    "party_of",
    "passphrase_of",
]

VaultOption = Annotated[
    Path | None, typer.Option("--vault", metavar="FILE", help="An encrypted vault file.")
]
PassphraseOption = Annotated[
    str | None,
    typer.Option(
        "--passphrase",
        envvar="SSCARD_PASSPHRASE",
        show_envvar=True,
        help="Of the vault file; better from the environment, or asked for.",
    ),
]
TokenOption = Annotated[
    str | None, typer.Option("--token", metavar="LABEL", help="A PKCS#11 token.")
]
ModuleOption = Annotated[
    str | None,
    typer.Option(
        "--module",
        metavar="LIBRARY",
        envvar="SSCARD_PKCS11_MODULE",
        show_envvar=True,
        help="The token's PKCS#11 library.",
    ),
]
PinOption = Annotated[
    str | None,
    typer.Option(
        "--pin",
        envvar="SSCARD_TOKEN_PIN",
        show_envvar=True,
        help="Of the token; better from the environment, or asked for.",
    ),
]


@dataclass(frozen=True, slots=True)
class Held:
    """Where options say that keys are: a vault file or a token, with what opens it."""

    vault: Path | None
    passphrase: str | None = field(repr=False)
    token: str | None
    module: str | None
    pin: str | None = field(repr=False)

    @property
    def named(self) -> bool:
        """Whether the options name anything."""
        return self.vault is not None or self.token is not None

    def open(self, party: "Party") -> "BaseVault":
        """Open what is named. Errors: VaultError; `ForeignKey` for the other party's keys."""
        from sscard.keys.vault import ForeignKey
        from sscard.vaults.file import FileVault

        if self.vault is not None and self.token is not None:
            raise typer.BadParameter("--vault and --token name two vaults")
        if self.vault is None:
            return open_token(str(self.token), self.module, self.pin, party, fill=False)
        opened = FileVault.open(self.vault, passphrase_of(self.passphrase, new=False))
        if opened.party is not party:
            words = f"{self.vault} is a vault of {opened.party} keys"
            opened.close()
            raise ForeignKey(f"{words}, not of {party} ones")
        return opened


def open_vault(
    profile: str,
    party: str,
    vault: Path | None,
    passphrase: str | None,
    token: str | None,
    module: str | None,
    pin: str | None,
) -> "BaseVault":
    """Return the vault the options name; without any, of the profile's test keys."""
    from sscard.keys.vault import ForeignKey, Party
    from sscard.perso.roots import demo_vault

    whose = party_of(party)
    held = Held(vault, passphrase, token, module, pin)
    if not held.named:
        return demo_vault(profile, whose)
    try:
        return held.open(whose)
    except ForeignKey as error:
        other = next(each for each in Party if each is not whose)
        raise ForeignKey(f"{error}: --party {other}") from error


def open_token(
    label: str, module: str | None, pin: str | None, party: "Party", *, fill: bool
) -> "Pkcs11Vault":
    """Open a PKCS#11 token, to `fill` it or to read."""
    try:
        from sscard.vaults.pkcs11 import Pkcs11Vault
    except ImportError:
        raise typer.BadParameter(
            "tokens need python-pkcs11: pip install 'sscard[pkcs11]'", param_hint="--token"
        ) from None
    if module is None:
        raise typer.BadParameter("the token's library is missing", param_hint="--module")
    secret = pin if pin is not None else typer.prompt("PIN", hide_input=True, err=True)
    return Pkcs11Vault.open(
        module, label, secret, party, test=True if fill else None, writable=fill
    )


def passphrase_of(given: str | None, *, new: bool) -> str:
    """Return the passphrase given, or ask for it."""
    if given is not None:
        return given
    return str(typer.prompt("Passphrase", hide_input=True, confirmation_prompt=new, err=True))


def party_of(word: str) -> "Party":
    """Return the party a word names; another word is a usage error."""
    from sscard.keys.vault import Party

    try:
        return Party(word)
    except ValueError:
        raise typer.BadParameter(
            f"{word!r} is neither social nor bank", param_hint="--party"
        ) from None
