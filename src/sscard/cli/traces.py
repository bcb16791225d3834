"""`sscard replay`, `sscard monitor`, and traces for `sscard explain`."""

from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from sscard.cli.exits import ExitCode
from sscard.cli.output import stdout, write_json
from sscard.cli.settings import JsonOption, LinkOption, SetOption, link_of, settings

if TYPE_CHECKING:
    from sscard.env import Env
    from sscard.keys.vault import BaseVault
    from sscard.testing.monitors import Violation
    from sscard.transport.port import Link, Port

__all__ = ["GenerationOption", "explain_trace", "is_trace", "monitor", "replay"]

TraceArgument = Annotated[Path, typer.Argument(metavar="TRACE", help="A trace, JSON lines.")]
GenerationOption = Annotated[
    str | None,
    typer.Option(
        "--generation",
        metavar="v1|v2|v3",
        help="Whose file table holds; default what the trace itself tells.",
    ),
]


def replay(
    trace: TraceArgument,
    image: Annotated[
        Path | None, typer.Option("--image", metavar="FILE", help="The card is an image file.")
    ] = None,
    profile: Annotated[
        str | None, typer.Option("--profile", metavar="NAME", help="A fresh card of a profile.")
    ] = None,
    set_: SetOption = None,
    reader: Annotated[
        str | None, typer.Option("--reader", metavar="NAME", help="The card is in a PC/SC reader.")
    ] = None,
    link: LinkOption = "apdu",
    *,
    json: JsonOption = False,
) -> None:
    """Send the commands of a trace to a card, until it does something else than the trace says.

    An emulated card is given the trace's random values; its file is not changed. A physical card
    gets whatever the trace holds, wrong PINs included. Exit code 1 at a difference.
    """
    from sscard.inspect.trace import load
    from sscard.testing.replay import replay as play

    loaded = load(trace)
    with ExitStack() as stack:
        port, env, atr = _card(stack, image, profile, reader, set_, link_of(link))
        result = play(loaded, port, env=env, atr=atr)
    found = result.difference
    if json:
        write_json({"sent": result.sent, "difference": found._asdict() if found else None})
    else:
        stdout().print(f"{result.sent} commands sent, {'DIFFERENT' if found else 'no difference'}")
        if found:
            stdout().print(str(found))
    if found:
        raise typer.Exit(ExitCode.NO)


def _card(
    stack: ExitStack,
    image: Path | None,
    profile: str | None,
    reader: str | None,
    set_: list[str] | None,
    link: "Link",
) -> "tuple[Port, Env | None, bytes]":
    """Return a port to the card the options name, its environment if emulated, and its ATR."""
    from sscard.cli.cards import card_of_file, card_of_profile
    from sscard.transport.memory import MemoryPort, PoweredSlot

    if sum(given is not None for given in (image, profile, reader)) != 1:
        raise typer.BadParameter("exactly one of --image, --profile and --reader says which card")
    if reader is not None:
        from sscard.transport.pcsc import PcscPort

        physical = stack.enter_context(PcscPort(reader))
        return physical, None, physical.reset()
    if image is not None:
        card = stack.enter_context(card_of_file(image, save=False))
    else:
        card = card_of_profile(str(profile), settings(set_))
    emulated = stack.enter_context(MemoryPort(PoweredSlot(card, link=link)))
    return emulated, card.env, emulated.atr


def monitor(
    trace: TraceArgument, generation: GenerationOption = None, *, json: JsonOption = False
) -> None:
    """Look for what must never happen between a terminal and a card. Exit code 1 if it did.

    Works on the recording of any card: no keys, no image. What is masked is not judged.
    """
    from sscard.inspect.trace import load
    from sscard.testing.monitors import monitors, watch

    watchers = monitors(_generation(generation))
    violations = watch(load(trace), watchers)
    if json:
        write_json([violation._asdict() for violation in violations])
    else:
        _show(violations, len(watchers))
    if violations:
        raise typer.Exit(ExitCode.NO)


def _generation(name: str | None) -> str | None:
    from sscard.spec.ssse import VERSIONS

    if name is not None and name not in VERSIONS:
        raise typer.BadParameter(f"there are: {', '.join(VERSIONS)}", param_hint="--generation")
    return name


def _show(violations: "list[Violation]", count: int) -> None:
    for violation in violations:
        stdout().print(str(violation))
    stdout().print(f"{count} monitors, {len(violations)} violations")


def is_trace(words: list[str]) -> bool:
    """Whether what `explain` was given is the name of a file, and not bytes."""
    return len(words) == 1 and Path(words[0]).is_file()


def explain_trace(
    path: Path, keys: list[str] | None, passphrase: str | None, *, reveal: bool, json: bool
) -> None:
    """Explain a trace, entry by entry."""
    from sscard.inspect.trace import load, story

    trace = load(path)
    with ExitStack() as stack:
        vaults = tuple(vault for word in keys or () for vault in _vaults(stack, word, passphrase))
        trees = list(story(trace, keys=vaults, reveal=reveal))
    if json:
        write_json([tree.to_json() for tree in trees])
        return
    console = stdout()
    if trace.header.masked:
        console.print("This trace is masked: ** and what is not shown was never written down.")
    for tree in trees:
        console.print(str(tree))


def _vaults(stack: ExitStack, word: str, passphrase: str | None) -> "list[BaseVault]":
    """Return the keys a word names: a vault file, or the test keys of a profile."""
    from sscard.cli.vaults import passphrase_of
    from sscard.keys.vault import Party
    from sscard.perso.roots import demo_vault
    from sscard.vaults.file import FileVault

    if Path(word).is_file() and Path(word).suffix != ".toml":
        opened = FileVault.open(Path(word), passphrase_of(passphrase, new=False))
        return [stack.enter_context(opened)]
    return [stack.enter_context(demo_vault(word, party)) for party in Party]
