"""`sscard apdu` and `sscard explain`: single commands to a card, and what bytes mean."""

import sys
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from sscard.cli.exits import ExitCode
from sscard.cli.output import stdout, write_json
from sscard.cli.settings import JsonOption, LinkOption, link_of
from sscard.cli.traces import GenerationOption, Proofs, explain_trace, is_trace, watchers
from sscard.cli.vaults import PassphraseOption

if TYPE_CHECKING:
    from sscard.card import Activation
    from sscard.cos.trace import Exchanged

__all__ = ["apdu", "explain"]


def apdu(
    words: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="FILE HEX",
            help="An image file (not with --sample), then commands; `reset` resets the card. "
            "Without commands they are read from standard input, one a line.",
        ),
    ] = None,
    link: LinkOption = "apdu",
    *,
    sample: Annotated[bool, typer.Option("--sample", help="Use a fresh sample card.")] = False,
    explained: Annotated[
        bool, typer.Option("--explain", help="Say what commands and answers mean.")
    ] = False,
    reveal: Annotated[
        bool, typer.Option("--reveal", help="Show PINs, keys and personal data in explanations.")
    ] = False,
    save: Annotated[
        bool, typer.Option("--save", help="Let the file keep what the commands change.")
    ] = False,
    json: JsonOption = False,
) -> None:
    """Power a card on, send commands, print the answers: data, status word, its meaning.

    Answers are shown as they are on the wire. Exit code 1 when the card refused one of them.
    """
    from sscard.cli.cards import card_of_file
    from sscard.sample import sample_card
    from sscard.testing.script import parse

    given = list(words or ())
    with ExitStack() as stack:
        if sample:
            card = sample_card()
        elif given:
            card = stack.enter_context(card_of_file(Path(given.pop(0)), save=save))
        else:
            raise typer.BadParameter("give an image file, or --sample")
        script = parse(_commands(given), "<command line>" if given else "<standard input>")
        seen: list[Exchanged] = []
        _record(card, seen)
        results = _exchange(card.power_on(link_of(link)), script.lines, seen)
    if json:
        write_json([_to_json(event, explained=explained, reveal=reveal) for event in results])
    else:
        for event in results:
            _show(event, explained=explained, reveal=reveal)
    if not all(_succeeded(event.response) for event in results):
        raise typer.Exit(ExitCode.NO)


def _commands(given: list[str]) -> str:
    """Return the commands as lines; bytes typed apart (`00 A4 ..`) are one command."""
    if not given or given == ["-"]:
        if sys.stdin.isatty():
            raise typer.BadParameter("give commands in hex, or write them to standard input")
        return sys.stdin.read()
    if len(given) > 1 and all(len(word) == 2 for word in given):
        return " ".join(given)
    return "\n".join(given)


def _record(card: Any, seen: "list[Exchanged]") -> None:
    from sscard.cos.trace import Event, Exchanged

    def listen(event: Event) -> None:
        if isinstance(event, Exchanged):
            seen.append(event)

    card.trace(listen)


def _exchange(activation: "Activation", lines: Any, seen: "list[Exchanged]") -> "list[Exchanged]":
    from sscard.testing.script import Apdu, Exit, Reset

    for line in lines:
        if isinstance(line, Apdu):
            activation.transmit(line.command)
        elif isinstance(line, Reset):
            activation.reset()
        elif isinstance(line, Exit):
            break
    return seen


def _succeeded(response: bytes) -> bool:
    return response[-2] in (0x90, 0x61) or response[-2:-1] == b"\x62"


def _show(event: "Exchanged", *, explained: bool, reveal: bool) -> None:
    from sscard.inspect import explain_event
    from sscard.iso.sw import SW

    console = stdout()
    if explained:
        console.print(str(explain_event(event, reveal=reveal)))
        return
    sw = SW.of(event.response)
    console.print(f"> {_shown_command(event.command, reveal=reveal)}", style="dim")
    answer = " ".join(part for part in (event.response[:-2].hex().upper(), str(sw)) if part)
    reason = f" ({event.refusal.why}; {event.refusal.ref})" if event.refusal else ""
    console.print(f"< {answer}  {sw.meaning}{reason}")


def _shown_command(command: bytes, *, reveal: bool) -> str:
    """Return a command in hex; of one with a PIN or a key only the header."""
    from sscard.inspect import explain as explain_bytes

    tree = explain_bytes(command, kind="command", reveal=reveal)
    if tree.raw or len(command) <= 5:
        return command.hex().upper()
    return f"{command[:5].hex().upper()} <{len(command) - 5} bytes>"


def _to_json(event: "Exchanged", *, explained: bool, reveal: bool) -> dict[str, Any]:
    from sscard.inspect import explain_event
    from sscard.iso.sw import SW

    sw = SW.of(event.response)
    found: dict[str, Any] = {
        "command": _shown_command(event.command, reveal=reveal),
        "data": event.response[:-2].hex().upper(),
        "sw": str(sw),
        "meaning": sw.meaning,
        "virtual_us": event.elapsed_us,
        "eeprom_operations": event.operations,
    }
    if event.refusal is not None:
        found["refused_because"] = event.refusal.why
        found["ref"] = event.refusal.ref
    if explained:
        found["explanation"] = explain_event(event, reveal=reveal).to_json()
    return found


def explain(
    data: Annotated[
        list[str],
        typer.Argument(metavar="HEX...|TRACE", help="Bytes, blanks allowed, or a trace's file."),
    ],
    kind: Annotated[
        str | None, typer.Option("--kind", help="What the bytes are, when looks deceive.")
    ] = None,
    answer_to: Annotated[
        str | None,
        typer.Option("--answer-to", metavar="HEX", help="The command these bytes answer."),
    ] = None,
    domain: Annotated[
        str | None,
        typer.Option("--domain", metavar="CM|SSSE|PSE|PSAM", help="Where."),
    ] = None,
    directory: Annotated[
        str | None, typer.Option("--directory", metavar="FID", help="The DF they belong to.")
    ] = None,
    keys: Annotated[
        list[str] | None,
        typer.Option(
            "--keys",
            metavar="FILE|PROFILE",
            help="For a trace: verify cryptograms with a vault's keys, or a profile's test keys.",
        ),
    ] = None,
    passphrase: PassphraseOption = None,
    ca_keys: Annotated[
        Path | None,
        typer.Option(
            "--ca-keys",
            metavar="FILE",
            help="For a trace: CA keys that verify signatures; default with --keys the shipped.",
        ),
    ] = None,
    generation: GenerationOption = None,
    *,
    monitors: Annotated[
        bool, typer.Option("--monitors", help="For a trace: say where a property is broken.")
    ] = False,
    reveal: Annotated[
        bool, typer.Option("--reveal", help="Show PINs, keys and personal data.")
    ] = False,
    json: JsonOption = False,
) -> None:
    """Say what bytes mean: a command, an answer, a status word, an ATR, an FCI, a record.

    Of a trace (docs/traces.md) every entry is explained. With --keys cryptograms, MACs and
    signatures are verified; with --monitors the exit code is 1 when a property was broken.
    """
    from sscard.inspect import explain as explain_bytes

    if is_trace(data):
        judges = watchers(generation) if monitors else ()
        proofs = Proofs(tuple(keys or ()), passphrase, ca_keys)
        explain_trace(Path(data[0]), proofs, judges, reveal=reveal, json=json)
        return
    try:
        tree = explain_bytes(
            " ".join(data),
            kind=kind,
            domain=domain,
            directory=None if directory is None else int(directory, 16),
            command=answer_to,
            reveal=reveal,
        )
    except ValueError as error:
        raise typer.BadParameter(str(error)) from None
    if json:
        write_json(tree.to_json())
    else:
        stdout().print(str(tree))
