"""`sscard keys`: what a key vault holds, and the keys of a card below it. Never a root's value."""

import dataclasses
from typing import TYPE_CHECKING, Annotated, Any

import typer

from sscard.cli.output import hex_text, note, stdout, table, write_json
from sscard.cli.settings import JsonOption, hex_bytes
from sscard.cli.vaults import (
    ModuleOption,
    PassphraseOption,
    PinOption,
    TokenOption,
    VaultOption,
    open_token,
    open_vault,
    party_of,
    passphrase_of,
)

if TYPE_CHECKING:
    from sscard.keys.vault import CardIdentity

__all__ = ["app"]

app = typer.Typer(
    no_args_is_help=True,
    help="List the keys of a vault (names, versions, check values), derive those of a card.",
    epilog="Without --vault or --token the vault is that of a profile's fictional test keys.",
)

ProfileOption = Annotated[
    str, typer.Option("--profile", metavar="NAME", help="Whose fictional test keys, and card.")
]
PartyOption = Annotated[
    str, typer.Option("--party", metavar="social|bank", help="Whose keys; never both.")
]


@app.command("list")
def list_keys(
    profile: ProfileOption = "sample",
    party: PartyOption = "social",
    vault: VaultOption = None,
    passphrase: PassphraseOption = None,
    token: TokenOption = None,
    module: ModuleOption = None,
    pin: PinOption = None,
    *,
    json: JsonOption = False,
) -> None:
    """List names, versions, algorithms, holders and check values; never values."""
    with open_vault(profile, party, vault, passphrase, token, module, pin) as keeper:
        rows = [
            {
                "name": info.name,
                "version": info.version,
                "algorithm": info.algorithm.label,
                "holder": info.holder,
                "levels": info.levels,
                "kcv": hex_text(info.kcv),
            }
            for info in keeper.list_keys()
        ]
    _write(rows, ("name", "version", "algorithm", "holder", "levels", "kcv"), json)


@app.command()
def derive(
    profile: ProfileOption = "sample",
    party: PartyOption = "social",
    vault: VaultOption = None,
    passphrase: PassphraseOption = None,
    token: TokenOption = None,
    module: ModuleOption = None,
    pin: PinOption = None,
    region: Annotated[
        str | None, typer.Option("--region", help="Six digits; default the profile's.")
    ] = None,
    card_factor: Annotated[
        str | None,
        typer.Option("--card-factor", metavar="HEX", help="The last 8 historical bytes."),
    ] = None,
    pan: Annotated[str | None, typer.Option("--pan", help="For keys of the bank.")] = None,
    psn: Annotated[str | None, typer.Option("--psn", help="PAN sequence number.")] = None,
    *,
    reveal: Annotated[
        bool, typer.Option("--reveal", help="Show values too; of test keys only.")
    ] = False,
    json: JsonOption = False,
) -> None:
    """Derive the keys of one card and show their check values."""
    from sscard.keys.vault import Withheld
    from sscard.perso.roots import card_identity

    card = _identity(card_identity(profile), region, card_factor, pan, psn)
    rows: list[dict[str, Any]] = []
    with open_vault(profile, party, vault, passphrase, token, module, pin) as keeper:
        if reveal and not keeper.test:
            raise Withheld("--reveal is for vaults of test keys only")
        for info in keeper.list_keys():
            try:
                ref = card.ref(info)
            except ValueError as error:
                raise typer.BadParameter(f"{info.name}: {error}") from None
            row: dict[str, Any] = {
                "name": info.name,
                "version": info.version,
                "algorithm": info.algorithm.label,
                "kcv": hex_text(keeper.kcv(ref)),
            }
            if reveal:
                row["value"] = hex_text(keeper.derive(ref).value) if info.levels else None
            rows.append(row)
    _write(rows, ("name", "version", "algorithm", "kcv", *(["value"] if reveal else [])), json)


@app.command()
def new(
    profile: ProfileOption = "sample",
    party: PartyOption = "social",
    vault: VaultOption = None,
    passphrase: PassphraseOption = None,
    token: TokenOption = None,
    module: ModuleOption = None,
    pin: PinOption = None,
    psam: Annotated[
        str | None,
        typer.Option("--psam", metavar="NAME", help="Also the master keys of a PSAM profile."),
    ] = None,
) -> None:
    """Make a vault file, or fill an empty token, with the fictional test keys of a profile."""
    from sscard.keys.vault import Party, VaultError
    from sscard.perso.roots import psam_roots, roots
    from sscard.vaults.file import FileVault

    whose = party_of(party)
    if psam is not None and whose is not Party.SOCIAL:
        raise typer.BadParameter("a PSAM's keys are social keys", param_hint="--psam")
    keys = roots(profile, whose) + (psam_roots(psam) if psam is not None else ())
    if (vault is None) == (token is None):
        raise typer.BadParameter("exactly one of --vault FILE and --token LABEL says where")
    if vault is not None:
        secret = passphrase_of(passphrase, new=True)
        with FileVault.create(vault, secret, whose, test=True) as file:
            file.install_all(keys)
    else:
        with open_token(str(token), module, pin, whose, fill=True) as keeper:
            if keeper.list_keys():
                raise VaultError(f"the token {token} holds keys already")
            for root in keys:
                keeper.install(root)
    note(f"{len(keys)} {whose} test keys of {profile} are in {vault or token}")


def _identity(
    card: "CardIdentity",
    region: str | None,
    card_factor: str | None,
    pan: str | None,
    psn: str | None,
) -> "CardIdentity":
    """Return the profile's card with what was given instead."""
    given: dict[str, Any] = {"region": region, "pan": pan, "psn": psn}
    if card_factor is not None:
        given["csn8"] = hex_bytes(card_factor, "--card-factor")
    return dataclasses.replace(card, **{k: v for k, v in given.items() if v is not None})


def _write(rows: list[dict[str, Any]], columns: tuple[str, ...], json: bool) -> None:
    if json:
        write_json(rows)
        return
    stdout().print(
        table(columns, [[("-" if row[c] is None else row[c]) for c in columns] for row in rows])
    )
