"""`sscard compare` and `sscard capture`: an emulated card beside one in a reader."""

from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from sscard.cli.exits import INTERRUPTED, ExitCode
from sscard.cli.output import note, stdout, write_json
from sscard.cli.settings import ImageArgument, JsonOption, refuse_existing
from sscard.cli.vaults import Held
from sscard.errors import TransportError

if TYPE_CHECKING:
    from sscard.keys.vault import BankVault

__all__ = ["capture", "compare"]

ReaderOption = Annotated[
    str, typer.Option("--reader", metavar="NAME", help="The PC/SC reader with the card.")
]


def compare(
    image: ImageArgument,
    reader: ReaderOption,
    *,
    quick: Annotated[
        bool, typer.Option("--quick", help="Only read both cards; no conformance cases.")
    ] = False,
    transactions: Annotated[
        bool,
        typer.Option(
            "--transactions", help="Let both bank applications decide on three: their ATCs rise."
        ),
    ] = False,
    bank_vault: Annotated[
        Path | None,
        typer.Option(
            "--bank-vault",
            metavar="FILE",
            help="Keys of both bank applications: with --transactions, a fourth is approved.",
        ),
    ] = None,
    bank_passphrase: Annotated[
        str | None, typer.Option("--bank-passphrase", help="Of that file.")
    ] = None,
    session_keys: Annotated[
        str,
        typer.Option("--session-keys", metavar="pboc|emv_csk", help="How the cards derive theirs."),
    ] = "pboc",
    show_secrets: Annotated[
        bool, typer.Option("--show-secrets", help="Show personal data that differ.")
    ] = False,
    json: JsonOption = False,
) -> None:
    """Send the same commands to an image's card and to one in a reader; say what differs.

    A tour of all files and the safe conformance cases: nothing that changes data or burns a
    try, but for --transactions. Cryptograms, signatures and challenges are not compared: no two
    cards have them alike. The image file is not changed. Exit code 1 when something differs.
    """
    from sscard.cli.cards import card_of_file
    from sscard.testing.compare import Twins
    from sscard.testing.compare import compare as hold_together
    from sscard.transport.memory import MemoryPort, PoweredSlot
    from sscard.transport.pcsc import PcscPort

    if bank_vault is not None and not transactions:
        raise typer.BadParameter("--bank-vault approves a transaction: add --transactions")
    with ExitStack() as stack:
        issuer = _issuer(stack, bank_vault, bank_passphrase, session_keys)
        other = stack.enter_context(PcscPort(reader))
        card = stack.enter_context(card_of_file(image, save=False))
        emulated = stack.enter_context(MemoryPort(PoweredSlot(card)))
        twins = Twins(emulated, other, show_secrets=show_secrets)
        cut, interrupted = "", False
        try:
            hold_together(twins, conformance=not quick, transactions=transactions, issuer=issuer)
        except TransportError as gone:  # what was found is still worth telling
            cut = str(gone)
        except KeyboardInterrupt:
            cut, interrupted = "interrupted", True
    differences, following = twins.differences, twins.following
    if json:
        found = [
            difference._asdict() | {"following": following.get(place, 0)}
            for place, difference in enumerate(differences)
        ]
        write_json({"sent": twins.sent, "differences": found, "cut": cut})
    else:
        for place, difference in enumerate(differences):
            stdout().print(f"command {difference.entry}: {difference.command}")
            stdout().print(f"  image  {difference.expected}")
            stdout().print(f"  reader {difference.seen}")
            stdout().print(f"  {difference.why}")
            if place in following:
                stdout().print(f"  and {following[place]} more behind this SELECT, untold")
        differ = "1 difference" if len(differences) == 1 else f"{len(differences)} differences"
        more = f", {sum(following.values())} more that follow from them" if following else ""
        stdout().print(f"{twins.sent} commands, {differ}{more}")
    if interrupted:
        note(f"the comparison was interrupted at command {twins.sent}")
        raise typer.Exit(INTERRUPTED)
    if cut:
        raise TransportError(f"the comparison ended at command {twins.sent}: {cut}")
    if differences:
        raise typer.Exit(ExitCode.NO)


def _issuer(
    stack: ExitStack, path: Path | None, passphrase: str | None, session_keys: str
) -> "BankVault | None":
    """Return the bank's keys, of which session keys are derived as the cards do it."""
    from sscard.keys.vault import BankVault, CardForms, Party
    from sscard.keys.vault.bank import SessionForm

    if session_keys not in list(SessionForm):
        raise typer.BadParameter(" or ".join(SessionForm), param_hint="--session-keys")
    if path is None:
        return None
    keys = Held(path, passphrase, None, None, None).open(Party.BANK)
    return BankVault(stack.enter_context(keys), forms=CardForms(SessionForm(session_keys)))


def capture(
    reader: ReaderOption,
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", metavar="FILE", help="Default: standard output."),
    ] = None,
    *,
    show_secrets: Annotated[
        bool, typer.Option("--show-secrets", help="Keep the holder's own data and numbers.")
    ] = False,
    transaction: Annotated[
        bool,
        typer.Option(
            "--transaction",
            help="Ask the bank's application for AIP and AFL too: the card counts a transaction.",
        ),
    ] = False,
    force: Annotated[bool, typer.Option("--force", help="Replace the file.")] = False,
) -> None:
    """Read what a card gives to everybody into a profile for `sscard new`.

    Personal data, numbers, region and serial are replaced by those of a fictional citizen; keys
    and certificates are those of the shipped profiles. What could not be carried over stands at
    the head of the profile. A card that is taken out, or Ctrl-C, leaves a profile of what was read
    until then, with exit code 3 or 130.
    """
    from sscard.testing.capture import Capture, to_toml
    from sscard.testing.capture import capture as read_card
    from sscard.transport.pcsc import PcscPort

    if output is not None:
        refuse_existing(output, force=force)
    seen, interrupted = Capture(), False
    with PcscPort(reader) as port:
        try:
            read_card(port, transaction=transaction, into=seen)
        except KeyboardInterrupt:  # what was read is still worth having
            if seen.empty:
                raise
            interrupted = True
            seen.cut = "interrupted"
    text = to_toml(seen, show_personal=show_secrets)
    if output is None:
        stdout().print(text, end="", soft_wrap=True)
    else:
        output.write_text(text, encoding="utf-8")
        note(f"{output} is written: sscard new card.img --profile {output}")
    if interrupted:
        note(f"interrupted while {seen.at} was read: the profile ends there")
        raise typer.Exit(INTERRUPTED)
    if seen.cut:
        raise TransportError(f"reading ended at {seen.at}, the profile ends there: {seen.cut}")
