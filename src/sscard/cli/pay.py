"""`sscard pay`: a bank terminal at the command line (pse-pboc; EMV 4.x)."""

import re
from collections.abc import Sequence
from contextlib import ExitStack
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from sscard.cli.counter import ImageOption, ReaderOption, card_port
from sscard.cli.exits import ExitCode
from sscard.cli.output import stdout, table, write_json
from sscard.cli.settings import JsonOption, LinkOption, link_of, pin_digits

if TYPE_CHECKING:
    from sscard.spec.banking import Authoriser
    from sscard.spec.ca_keys import CaKey
    from sscard.terminal.bank import BankTerminal, PinPad, Receipt
    from sscard.transport.port import Port

__all__ = ["pay"]

_AMOUNT = re.compile(r"[0-9]{1,10}(\.[0-9]{1,2})?")
"""Yuan, and the digits of one fen at most."""


def pay(
    image: ImageOption = None,
    reader: ReaderOption = None,
    terminal: Annotated[
        str, typer.Option("--terminal", metavar="pos|atm|kiosk", help="What kind of terminal.")
    ] = "pos",
    amount: Annotated[
        str | None, typer.Option("--amount", metavar="YUAN", help="How much: 123.45.")
    ] = None,
    pin: Annotated[
        str | None,
        typer.Option(
            "--pin",
            envvar="SSCARD_PIN",
            show_envvar=True,
            help="What the holder enters; without it he enters none.",
        ),
    ] = None,
    host: Annotated[
        str | None,
        typer.Option("--host", metavar="URL", help="The issuer's service; default a demo bank."),
    ] = None,
    profile: Annotated[
        str,
        typer.Option("--profile", metavar="NAME", help="Whose card the demo bank knows."),
    ] = "sample",
    ca_keys: Annotated[
        Path | None,
        typer.Option("--ca-keys", metavar="FILE", help="A list of CA keys; default the shipped."),
    ] = None,
    at: Annotated[
        str | None,
        typer.Option("--at", metavar="TIME", help="2026-07-01T10:30:45; default now."),
    ] = None,
    link: LinkOption = "apdu",
    *,
    balance: Annotated[bool, typer.Option("--balance", help="Ask for the balance only.")] = False,
    offline: Annotated[
        bool, typer.Option("--offline", help="The line to the bank is down.")
    ] = False,
    force_online: Annotated[
        bool, typer.Option("--force-online", help="The merchant wants the bank asked.")
    ] = False,
    explain: Annotated[
        bool, typer.Option("--explain", help="Say what TVR and TSI mean, bit by bit.")
    ] = False,
    json: JsonOption = False,
) -> None:
    """Pay with a card, or draw cash, as a bank terminal takes it; print the receipt.

    An ATM pays out cash; POS and kiosk sell. The card keeps what the transaction changes. Exit
    code 1 when it is declined, or when the card is no bank card. The PAN is masked.
    """
    if (image is None) == (reader is None):
        raise typer.BadParameter("exactly one of --image FILE and --reader NAME says which card")
    moment = _moment(at)
    fen = 0 if balance else _fen(amount)
    bank = None if offline else _host(host, profile, moment)
    with ExitStack() as stack:
        port = card_port(stack, image, reader, link_of(link), save=True)
        desk = stack.enter_context(_terminal(port, terminal, ca_keys, pin, bank, moment))
        if balance:
            receipt = desk.balance(moment)
        elif desk.terminal.is_atm:
            receipt = desk.withdraw(fen, moment)
        else:
            receipt = desk.pay(fen, moment, forced_online=force_online)
    if json:
        write_json(receipt.to_json())
    else:
        _show(receipt, explain=explain)
    if not receipt.approved:
        raise typer.Exit(ExitCode.NO)


# ---- composition --------------------------------------------------------------------------------


def _terminal(
    port: "Port",
    kind: str,
    ca_keys: Path | None,
    pin: str | None,
    host: "Authoriser | None",
    moment: datetime,
) -> "BankTerminal":
    """Return the terminal; without a host its line is down.

    Its trace numbers go by the second of the day, so that no two runs have the same.
    """
    from sscard.cli.authorise import TEST_PIN_KEYS
    from sscard.keys.vault import MemoryVault, Party, Root
    from sscard.terminal.bank import (
        ATM,
        KIOSK,
        POS,
        BankTerminal,
        Entry,
        KeyedPad,
        Memory,
        VaultPinKey,
    )

    kinds = {"pos": POS, "atm": ATM, "kiosk": KIOSK}
    if kind not in kinds:
        raise typer.BadParameter(f"{kind!r} is none of pos, atm, kiosk", param_hint="--terminal")
    pad: PinPad = KeyedPad.of(Entry.BYPASSED if pin is None else pin_digits(pin, "--pin"))
    key = Root("TPK@PSE", TEST_PIN_KEYS["TPK@PSE"], levels=1)
    return BankTerminal(
        port,
        kinds[kind],
        _ca_keys(ca_keys),
        host=host,
        pad=pad,
        memory=Memory(sequence=moment.hour * 3600 + moment.minute * 60 + moment.second),
        online_pin=VaultPinKey(MemoryVault(Party.BANK, (key,), test=True), kinds[kind].identifier),
    )


def _host(url: str | None, profile: str, moment: datetime) -> "Authoriser":
    """Return the issuer's host: a service somewhere, or the demo bank."""
    try:
        from sscard.issuer import HostClient
    except ImportError:
        raise typer.BadParameter(
            "a host needs SQLAlchemy: pip install 'sscard[issuer]'; --offline goes without",
            param_hint="--host",
        ) from None
    if url is not None:
        return HostClient(url)
    from sscard.cli.demo.host import demo_host

    return demo_host(profile, day=moment.date())


def _ca_keys(path: Path | None) -> "Sequence[CaKey]":
    from sscard.cli.cert import ca_keys_named
    from sscard.spec.ca_keys import parse_ca_keys

    if path is None:
        return ca_keys_named()
    return parse_ca_keys(path.read_text(encoding="utf-8"))


# ---- words --------------------------------------------------------------------------------------


def _moment(text: str | None) -> datetime:
    if text is None:
        return datetime.now()  # noqa: DTZ005  (the time at the counter, not the world's)
    try:
        return datetime.fromisoformat(text)
    except ValueError:
        raise typer.BadParameter(f"{text!r} is no time", param_hint="--at") from None


def _fen(text: str | None) -> int:
    """Return an amount of yuan, "123.45", in fen."""
    if text is None or not _AMOUNT.fullmatch(text):
        raise typer.BadParameter("an amount like 123.45 says how much", param_hint="--amount")
    return int(Decimal(text) * 100)


def _show(receipt: "Receipt", *, explain: bool) -> None:
    console = stdout()
    console.print(table(("", ""), receipt.lines()))
    if explain:
        for name, bits in (("TVR", receipt.tvr_words), ("TSI", receipt.tsi_words)):
            console.print()
            console.print(name, style="bold")
            for word in bits or ("nothing",):
                console.print(f"  {word}")
