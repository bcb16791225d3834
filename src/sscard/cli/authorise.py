"""`sscard authorise`: the bank's host: its accounts and cards, its service, its scripts."""

import json as json_codec
import re
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from sscard.cli.exits import ExitCode
from sscard.cli.output import hex_text, note, stdout, table, write_json
from sscard.cli.settings import JsonOption, hex_bytes, pin_digits
from sscard.cli.vaults import (
    ModuleOption,
    PassphraseOption,
    PinOption,
    TokenOption,
    VaultOption,
    open_vault,
)

if TYPE_CHECKING:
    from sscard.issuer import IssuerHost
    from sscard.keys.vault import BankCard, CardForms

__all__ = ["TEST_PIN_KEYS", "app", "forms_of"]

app = typer.Typer(
    no_args_is_help=True,
    help="The bank's host: accounts, cards, decisions, scripts, and a service for terminals.",
    epilog="Without --vault or --token the keys are a profile's fictional test keys.",
)

TEST_PIN_KEYS = {"TPK@PSE": b"FICTIONAL TPK 01", "PVK@PSE": b"FICTIONAL PVK 01"}
"""PIN keys beside a profile's issuer keys, as fictional as those."""


@dataclass(frozen=True, slots=True)
class _Where:
    """Whose keys, and which books: the options before the command."""

    books: Path
    profile: str
    vault: Path | None
    passphrase: str | None
    token: str | None
    module: str | None
    pin: str | None


PanOption = Annotated[
    str | None, typer.Option("--pan", help="The card; default that of the profile.")
]
PsnOption = Annotated[str | None, typer.Option("--psn", help="Its sequence number.")]
_HOLDER_PIN = "--holder-pin"
HolderPinOption = Annotated[
    str | None,
    typer.Option(
        _HOLDER_PIN,
        envvar="SSCARD_PIN",
        show_envvar=True,
        help="The holder's PIN: the one that goes on line, or a PIN change's new one.",
    ),
]
FullPanOption = Annotated[bool, typer.Option("--show-pan", help="Show whole card numbers.")]


@app.callback()
def where(
    ctx: typer.Context,
    books: Annotated[
        Path, typer.Option("--books", metavar="FILE", help="The database of accounts and cards.")
    ] = Path("bank.db"),
    profile: Annotated[
        str, typer.Option("--profile", metavar="NAME", help="Whose test keys, and card.")
    ] = "pboc",
    vault: VaultOption = None,
    passphrase: PassphraseOption = None,
    token: TokenOption = None,
    module: ModuleOption = None,
    pin: PinOption = None,
) -> None:
    """The bank's host: accounts, cards, decisions, scripts, and a service for terminals."""
    ctx.obj = _Where(books, profile, vault, passphrase, token, module, pin)


@app.command("open")
def open_account(
    ctx: typer.Context,
    account: Annotated[str, typer.Argument(help="The number of the new account.")],
    expiry: Annotated[str, typer.Option("--expiry", metavar="YYMM", help="Of its card.")],
    holder: Annotated[str, typer.Option("--holder", help="Whose account.")] = "",
    deposit_fen: Annotated[int, typer.Option("--deposit-fen", min=0, help="Paid in.")] = 0,
    pan: PanOption = None,
    psn: PsnOption = None,
    holder_pin: HolderPinOption = None,
    *,
    inactive: Annotated[
        bool, typer.Option("--inactive", help="The holder has yet to activate the card.")
    ] = False,
) -> None:
    """Open an account and enter its card; the books are made if they are not there."""
    from sscard.issuer.policy import CardState

    if not re.fullmatch(r"[0-9]{2}(0[1-9]|1[0-2])", expiry):
        raise typer.BadParameter(f"{expiry!r} is not YYMM", param_hint="--expiry")
    secret = pin_digits(holder_pin, _HOLDER_PIN) if holder_pin else ""
    card = _card(ctx, pan, psn)
    with _host(ctx, make=True) as host:
        state = CardState.INACTIVE if inactive else CardState.ACTIVE
        host.open_with_card(
            account, holder, card, expiry,
            deposit_fen=deposit_fen, day=_today(), pin=secret, state=state,
        )  # fmt: skip
    note(f"account {account} is open, with its card")


@app.command()
def standing(
    ctx: typer.Context,
    state: Annotated[str, typer.Argument(help="active, inactive, oral loss, written loss ...")],
    pan: PanOption = None,
    psn: PsnOption = None,
) -> None:
    """Set how a card stands with the bank."""
    from sscard.issuer.policy import CardState

    try:
        wanted = CardState(state)
    except ValueError:
        known = ", ".join(CardState)
        raise typer.BadParameter(f"{state!r} is none of {known}", param_hint="STATE") from None
    with _host(ctx) as host:
        host.set_card(_card(ctx, pan, psn), wanted, day=_today())
    note(f"the card is: {wanted}")


@app.command()
def ledger(ctx: typer.Context, *, json: JsonOption = False) -> None:
    """Show accounts and bookings, and check the books. Exit code 1 when they are wrong."""
    with _host(ctx) as host:
        accounts = [
            {
                "number": found.number, "holder": found.holder, "state": found.state.value,
                "balance_fen": found.balance_fen, "held_fen": found.held_fen,
                "points": found.points,
            }
            for found in host.accounts()
        ]  # fmt: skip
        bookings = [row | {"day": row["day"].isoformat()} for row in host.bookings()]
        wrong = host.audit()
    if json:
        write_json({"accounts": accounts, "bookings": bookings, "wrong": wrong})
    else:
        console = stdout()
        for rows in (accounts, bookings):
            if rows:
                console.print(table(rows[0], [row.values() for row in rows]))
        for line in wrong:
            console.print(f"WRONG: {line}")
    if wrong:
        raise typer.Exit(ExitCode.NO)


@app.command()
def decide(
    ctx: typer.Context,
    file: Annotated[Path, typer.Argument(metavar="FILE", help="An authorisation request, JSON.")],
    *,
    json: JsonOption = False,
    show_pan: FullPanOption = False,
) -> None:
    """Decide one request, as the service would. Exit code 1 when the answer is no."""
    from sscard.spec.banking import AuthorisationRequest, BankMessageError

    try:
        request = AuthorisationRequest.from_json(json_codec.loads(file.read_bytes()))
    except (BankMessageError, ValueError) as error:
        raise typer.BadParameter(f"{file}: {error}", param_hint="FILE") from None
    with _host(ctx) as host:
        response = host.authorise(request)
    if json:
        write_json(response.to_json())
    else:
        rows = [
            ("card", request.pan if show_pan else request.pan_masked),
            ("amount", f"{request.amount_fen} fen"),
            ("answer", f"{response.arc} {response.reason}"),
            ("approval code", response.approval_code or "-"),
            ("for the card", hex_text(response.issuer_data) or "-"),
        ]
        stdout().print(table(("", ""), rows))
    if not response.approved:
        raise typer.Exit(ExitCode.NO)


@app.command()
def order(
    ctx: typer.Context,
    kind: Annotated[str, typer.Argument(help="application block, pin unblock, put data ...")],
    pan: PanOption = None,
    psn: PsnOption = None,
    tag: Annotated[str, typer.Option("--tag", metavar="HEX", help="Of put data.")] = "",
    sfi: Annotated[int, typer.Option("--sfi", help="Of update record.")] = 0,
    record: Annotated[int, typer.Option("--record", help="Of update record.")] = 0,
    value: Annotated[str, typer.Option("--value", metavar="HEX", help="The data.")] = "",
    holder_pin: HolderPinOption = None,
    current_pin: Annotated[
        str, typer.Option("--current-pin", help="Of pin change: the PIN the card has, if known.")
    ] = "",
    *,
    before: Annotated[
        bool, typer.Option("--before", help="Before the second GENERATE AC (71).")
    ] = False,
) -> None:
    """Have a script sent to a card at its next visit."""
    from sscard.issuer import ScriptKind, ScriptOrder

    try:
        wanted = ScriptKind(kind)
    except ValueError:
        known = ", ".join(ScriptKind)
        raise typer.BadParameter(f"{kind!r} is none of {known}", param_hint="KIND") from None
    if wanted is ScriptKind.PUT_DATA and not tag:
        raise typer.BadParameter("put data names a tag: 9F58", param_hint="--tag")
    card = _card(ctx, pan, psn)
    with _host(ctx) as host:
        if wanted is ScriptKind.PIN_CHANGE:
            entered = holder_pin or typer.prompt("new PIN", hide_input=True, err=True)
            secret = pin_digits(entered, _HOLDER_PIN)
            if current_pin:
                pin_digits(current_pin, "--current-pin")
            number = host.order_pin(card, secret, current=current_pin)
        else:
            number_of_tag = int.from_bytes(hex_bytes(tag, "--tag"), "big")
            data = hex_bytes(value, "--value")
            script = ScriptOrder(wanted, number_of_tag, sfi, record, data, before)
            number = host.order(card, script)
    note(f"script {number} waits for the card")


@app.command()
def serve(
    ctx: typer.Context,
    host: Annotated[str, typer.Option("--host", help="The address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option("--port", min=0, max=65535, help="0: any free one.")] = 8583,
) -> None:
    """Answer terminals over HTTP until interrupted."""
    from sscard.issuer import service

    try:
        import uvicorn
    except ImportError:
        raise typer.BadParameter(
            "the service needs uvicorn: pip install 'sscard[service]'", param_hint="serve"
        ) from None
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with _host(ctx) as bank, socket.create_server((host, port), family=family) as listener:
        name = f"[{host}]" if ":" in host else host
        note(f"http://{name}:{listener.getsockname()[1]} answers terminals")
        config = uvicorn.Config(service(bank), log_level="warning", access_log=False)
        uvicorn.Server(config).run(sockets=[listener])


def _today() -> date:
    return datetime.now().astimezone().date()


def forms_of(profile: str) -> "CardForms":
    """Return what a bank must know of its cards' profile. Errors: ProfileError."""
    from sscard.keys.vault import CardForms
    from sscard.perso.profile import Profile

    return CardForms.of(dict(Profile.load(profile).options))


# ---- how ------------------------------------------------------------------------------------


@contextmanager
def _host(ctx: typer.Context, *, make: bool = False) -> "Iterator[IssuerHost]":
    """Yield the host of the options before the command."""
    try:
        from sscard.issuer import IssuerHost, open_books
    except ImportError:
        raise typer.BadParameter(
            "the ledger needs SQLAlchemy: pip install 'sscard[issuer]'", param_hint="authorise"
        ) from None
    from sscard.keys.vault import BankVault, Root

    options: _Where = ctx.obj
    if not make and not options.books.exists():
        raise FileNotFoundError(
            2, "no books; `sscard authorise open` makes them", str(options.books)
        )
    keys = open_vault(
        options.profile,
        "bank",
        options.vault,
        options.passphrase,
        options.token,
        options.module,
        options.pin,
    )
    with keys as vault:
        if options.vault is None and options.token is None:
            for name, key in TEST_PIN_KEYS.items():
                vault.install(Root(name, key, levels=1))
        books = open_books(f"sqlite:///{options.books}")
        try:
            yield IssuerHost(BankVault(vault, forms=forms_of(options.profile)), books)
        finally:
            books.dispose()


def _card(ctx: typer.Context, pan: str | None, psn: str | None) -> "BankCard":
    from sscard.keys.vault import BankCard
    from sscard.perso.roots import card_identity

    if psn is not None and not re.fullmatch(r"[0-9]{2}", psn):
        raise typer.BadParameter("a sequence number has two digits: 00", param_hint="--psn")
    if pan is None:
        identity = card_identity(ctx.obj.profile)
        if not identity.pan:
            raise typer.BadParameter("the profile's card has no PAN", param_hint="--pan")
        return BankCard(identity.pan, psn or identity.psn)
    if not (12 <= len(pan) <= 19 and pan.isascii() and pan.isdigit()):
        raise typer.BadParameter("a PAN has 12 to 19 digits", param_hint="--pan")
    return BankCard(pan, psn or "00")
