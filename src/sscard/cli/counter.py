"""Where terminal commands get their terminal from: a card and a source of cryptography."""

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from sscard.cli.settings import link_of

if TYPE_CHECKING:
    from sscard.card import Interface
    from sscard.terminal import CryptoSource, Dialect, SocialTerminal
    from sscard.transport.port import Link, Port

__all__ = [
    "DialectOption",
    "ImageOption",
    "ProfileOption",
    "PsamOption",
    "ReaderOption",
    "TodayOption",
    "card_port",
    "counter",
    "key_source",
    "spoken_dialect",
]

ImageOption = Annotated[
    Path | None, typer.Option("--image", metavar="FILE", help="The card is an image file.")
]
ReaderOption = Annotated[
    str | None, typer.Option("--reader", metavar="NAME", help="The card is in a PC/SC reader.")
]
PsamOption = Annotated[
    str | None,
    typer.Option("--psam", metavar="FILE|READER", help="The PSAM: an image file, or in a reader."),
]
ProfileOption = Annotated[
    str,
    typer.Option("--profile", metavar="NAME", help="Without --psam: whose fictional test keys."),
]
TodayOption = Annotated[
    str | None, typer.Option("--today", metavar="DATE", help="The day, 2026-07-01; default today.")
]
DialectOption = Annotated[
    list[str] | None,
    typer.Option(
        "--dialect",
        metavar="KEY=VALUE",
        help="A switch of the card's profile the terminal must know: sm_mode, pin_sm_key, "
        "medical_account, block_mode, key_version, pin_initial.",
    ),
]


@contextmanager
def counter(
    *,
    image: Path | None,
    reader: str | None,
    psam: str | None,
    profile: str,
    today: str | None,
    dialect: Sequence[str] | None,
    link: str,
    save: bool,
) -> Iterator["SocialTerminal"]:
    """Yield a terminal with the card in it; `save` lets an image file keep what is changed.

    A PSAM's image is never changed. Errors: SscardError; usage errors.
    """
    from sscard.terminal import Policy, SocialTerminal

    policy = Policy(_day(today))
    spoken = spoken_dialect(dialect)
    with ExitStack() as stack:
        port = card_port(stack, image, reader, link_of(link), save=save)
        source = key_source(stack, psam, profile, link_of(link))
        yield stack.enter_context(SocialTerminal(port, source, policy, dialect=spoken))


def card_port(
    stack: ExitStack,
    image: Path | None,
    reader: str | None,
    link: "Link",
    *,
    save: bool,
    exclusive: bool = False,
    interface: "Interface" = "contact",
) -> "Port":
    """Return a port to the card of an image file, or of a reader, for as long as `stack` lasts.

    `exclusive` keeps other programs from the card of a reader meanwhile; `interface` is the one a
    card of a file is powered through.
    """
    from sscard.cli.cards import card_of_file
    from sscard.testing.faults import faulty
    from sscard.transport.memory import MemoryPort

    if (image is None) == (reader is None):
        raise typer.BadParameter("exactly one of --image FILE and --reader NAME says which card")
    if image is None:
        return _reader(stack, str(reader), exclusive=exclusive)
    card = stack.enter_context(card_of_file(image, save=save))
    return stack.enter_context(MemoryPort(faulty(card, link=link, interface=interface)))


def key_source(stack: ExitStack, psam: str | None, profile: str, link: "Link") -> "CryptoSource":
    """Return the PSAM the options name, or a profile's test keys without one."""
    from sscard.perso.roots import demo_vault
    from sscard.terminal import PsamSource, VaultSource
    from sscard.transport.port import ReaderAbsent

    if psam is None:
        return VaultSource(demo_vault(profile))
    path = Path(psam)
    if path.exists():
        return PsamSource(card_port(stack, path, None, link, save=False))
    try:
        return PsamSource(_reader(stack, psam))
    except ReaderAbsent as error:
        raise ReaderAbsent(f"{psam!r} is no file, nor a reader: {error}") from error


def _reader(stack: ExitStack, name: str, *, exclusive: bool = False) -> "Port":
    try:
        from sscard.transport.pcsc import PcscPort
    except ImportError:
        raise typer.BadParameter(
            "readers need pyscard: pip install 'sscard[pcsc]'", param_hint="--reader"
        ) from None
    return stack.enter_context(PcscPort(name, exclusive=exclusive))


def _day(text: str | None) -> date:
    if text is None:
        return date.today()  # noqa: DTZ011  (the day at the counter, not the world's)
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise typer.BadParameter(f"{text!r} is no date", param_hint="--today") from None


def spoken_dialect(pairs: Sequence[str] | None) -> "Dialect":
    """Return the switches `KEY=VALUE` words name; a word that names none is a usage error."""
    from sscard.cli.settings import settings
    from sscard.terminal import Dialect, Flavour

    given = {name: str(value) for name, value in settings(list(pairs or ())).items()}
    choices = {
        "pin_sm_key": ("STK", "PUK"),
        "medical_account": ("deposit", "purse"),
        "block_mode": ("auth+STKmac", "mac_with_LK"),
    }
    usual = Dialect()
    for name, value in given.items():
        if name in choices and value not in choices[name]:
            raise typer.BadParameter(f"{name} is {' or '.join(choices[name])}", param_hint=name)
    try:
        made = Dialect(
            Flavour(given.pop("sm_mode", usual.sm_mode.value)),
            given.pop("pin_sm_key", usual.pin_sm_key),
            given.pop("medical_account", usual.medical_account),
            given.pop("block_mode", usual.block_mode),
            int(given.pop("key_version"), 16) if "key_version" in given else None,
            given.pop("pin_initial", usual.pin_initial),
        )
    except ValueError as error:
        raise typer.BadParameter(str(error), param_hint="--dialect") from None
    if given:
        raise typer.BadParameter(f"there is no {', '.join(given)}", param_hint="--dialect")
    return made
