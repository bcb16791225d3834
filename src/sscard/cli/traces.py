"""`sscard replay`, `sscard monitor`, and traces for `sscard explain`."""

from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NamedTuple

import typer

from sscard.cli.exits import ExitCode
from sscard.cli.output import stdout, write_json
from sscard.cli.settings import JsonOption, LinkOption, SetOption, link_of, settings

if TYPE_CHECKING:
    from sscard.card import Interface
    from sscard.env import Env
    from sscard.inspect.explanation import Explanation
    from sscard.inspect.trace import Trace
    from sscard.keys.vault import BaseVault
    from sscard.spec.ca_keys import CaKey
    from sscard.testing.monitors import Monitor, Violation
    from sscard.transport.port import Link, Port

__all__ = [
    "GenerationOption",
    "Proofs",
    "explain_trace",
    "is_trace",
    "monitor",
    "replay",
    "watchers",
]

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
        way = _Way(link_of(link), contactless=_is_contactless(loaded))
        port, env, atr = _card(stack, image, profile, reader, set_, way)
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


class _Way(NamedTuple):
    """How an emulated card is reached, as far as its trace or the user says."""

    link: "Link"
    contactless: bool


def _is_contactless(trace: "Trace") -> bool:
    from sscard.inspect.trace import Power

    changes = (entry for entry in trace.entries if isinstance(entry, Power))
    return any(entry.interface == "contactless" for entry in changes)


def _card(
    stack: ExitStack,
    image: Path | None,
    profile: str | None,
    reader: str | None,
    set_: list[str] | None,
    way: "_Way",
) -> "tuple[Port, Env | None, bytes]":
    """Return a port to the card the options name, its environment if emulated, and its ATR."""
    from sscard.cli.cards import card_of_file, card_of_profile
    from sscard.testing.faults import faulty
    from sscard.transport.memory import MemoryPort

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
    interface: Interface = "contactless" if way.contactless else "contact"
    emulated = stack.enter_context(MemoryPort(faulty(card, link=way.link, interface=interface)))
    return emulated, card.env, emulated.atr


def monitor(
    trace: TraceArgument, generation: GenerationOption = None, *, json: JsonOption = False
) -> None:
    """Look for what must never happen between a terminal and a card. Exit code 1 if it did.

    Works on the recording of any card: no keys, no image. What is masked is not judged.
    """
    from sscard.inspect.trace import load
    from sscard.testing.monitors import watch

    judges = watchers(generation)
    violations = watch(load(trace), judges)
    if json:
        write_json([violation._asdict() for violation in violations])
    else:
        _show(violations, len(judges))
    if violations:
        raise typer.Exit(ExitCode.NO)


def watchers(generation: str | None) -> "list[Monitor]":
    """Return one of each monitor, for a generation by its name. Errors: BadParameter."""
    from sscard.testing.monitors import monitors

    return monitors(_generation(generation))


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


class Proofs(NamedTuple):
    """What a trace is verified with: words for vaults, a passphrase, a list of CA keys."""

    keys: tuple[str, ...] = ()
    passphrase: str | None = None
    ca_keys: Path | None = None


def explain_trace(
    path: Path, proofs: Proofs, judges: "Sequence[Monitor]", *, reveal: bool, json: bool
) -> None:
    """Explain a trace, entry by entry; monitors speak where something breaks their property."""
    from sscard.inspect.trace import load, story
    from sscard.testing.monitors import watch

    trace = load(path)
    with ExitStack() as stack:
        vaults = [v for word in proofs.keys for v in _vaults(stack, word, proofs.passphrase)]
        trees = list(story(trace, keys=vaults, ca_keys=_authorities(proofs), reveal=reveal))
    broken = watch(trace, judges)
    if json:
        found: object = [tree.to_json() for tree in trees]
        if judges:
            found = {"entries": found, "violations": [one._asdict() for one in broken]}
        write_json(found)
    else:
        _tell(trace, trees, broken)
        if judges:
            stdout().print(f"{len(judges)} monitors, {len(broken)} violations")
    if broken:
        raise typer.Exit(ExitCode.NO)


def _tell(trace: "Trace", trees: "list[Explanation]", broken: "list[Violation]") -> None:
    console = stdout()
    if trace.header.masked:
        console.print("This trace is masked: ** and what is not shown was never written down.")
    for number, tree in enumerate(trees, 1):
        console.print(str(tree))
        for violation in broken:
            if violation.entry == number:
                console.print(f"  BROKEN: {violation.why}  ({violation.monitor})")


def _authorities(proofs: Proofs) -> "list[CaKey]":
    """Return the CA keys: those of a file, with keys the shipped, else none."""
    from sscard.cli.cert import ca_keys_named
    from sscard.spec.ca_keys import parse_ca_keys

    if proofs.ca_keys is not None:
        return list(parse_ca_keys(proofs.ca_keys.read_text(encoding="utf-8")))
    return list(ca_keys_named()) if proofs.keys else []


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
