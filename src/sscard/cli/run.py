"""`sscard run`: scripts against cards made for them, or a card at hand."""

from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.text import Text

from sscard.cli.exits import ExitCode
from sscard.cli.output import stdout, write_json
from sscard.cli.settings import JsonOption, LinkOption, SetOption, link_of, settings
from sscard.errors import ScriptError

if TYPE_CHECKING:
    from sscard.testing.runner import Outcome
    from sscard.testing.script import Script

__all__ = ["run"]


def run(
    scripts: Annotated[list[Path], typer.Argument(metavar="SCRIPT", help="Script files.")],
    image: Annotated[
        Path | None,
        typer.Option("--image", metavar="FILE", help="The card at hand: `card` lines are skipped."),
    ] = None,
    profile: Annotated[
        str,
        typer.Option("--profile", metavar="NAME", help="The card of scripts without `card` line."),
    ] = "sample",
    set_: SetOption = None,
    link: LinkOption = "apdu",
    *,
    save: Annotated[
        bool, typer.Option("--save", help="Let the image file keep what the script changes.")
    ] = False,
    quiet: Annotated[
        bool, typer.Option("--quiet", "-q", help="Only what failed, and the sum.")
    ] = False,
    json: JsonOption = False,
) -> None:
    """Run APDU scripts (docs/apdu-script.md; plain scriptor files too) and compare the answers.

    Exit code 1 when an expectation was not met.
    """
    from sscard.cli.cards import Bench, card_of_file, card_of_profile
    from sscard.testing.runner import run as run_script
    from sscard.testing.script import parse

    bench = Bench(link_of(link))
    overrides = settings(set_)
    results: list[tuple[Script, list[Outcome]]] = []
    for path in scripts:
        script = parse(_text_of(path), str(path))
        with ExitStack() as stack:
            if image is None:
                own = _begins_with_card(script)
                rig = None if own else bench.rig(card_of_profile(profile, overrides))
                outcomes = run_script(script, rig, make_card=bench.make)
            else:
                card = stack.enter_context(card_of_file(image, save=save))
                outcomes = run_script(script, bench.rig(card))
        results.append((script, outcomes))
        if not json:
            _show(stdout(), script, outcomes, quiet=quiet)
    failed = sum(not outcome.passed for _, outcomes in results for outcome in outcomes)
    if json:
        write_json([_to_json(script, outcomes) for script, outcomes in results])
    if failed:
        raise typer.Exit(ExitCode.NO)


def _text_of(path: Path) -> str:
    """Return the text of a script file; editors on Windows put a byte order mark before it."""
    try:
        return path.read_text("utf-8-sig")
    except UnicodeDecodeError as wrong:
        raise ScriptError(f"{path}: not UTF-8 text: {wrong.reason} at byte {wrong.start}") from None


def _begins_with_card(script: "Script") -> bool:
    """Whether a script makes its own card before it needs one."""
    from sscard.testing.script import CardLine, Comment

    first = next((line for line in script.lines if not isinstance(line, Comment)), None)
    return isinstance(first, CardLine)


def _show(console: Console, script: "Script", outcomes: "list[Outcome]", *, quiet: bool) -> None:
    from sscard.iso.sw import SW
    from sscard.testing.script import Apdu

    for outcome in outcomes:
        line = outcome.line
        if outcome.passed and quiet:
            continue
        mark, style = ("ok  ", "green") if outcome.passed else ("FAIL", "bold red")
        if outcome.skipped:
            mark, style = "skip", "yellow"
        console.print(Text.assemble((mark, style), f" {line.number:>4}  ", _text(outcome)))
        if outcome.message:
            console.print(f"           {outcome.message}", style="red")
        elif isinstance(line, Apdu) and outcome.response is not None and line.expect is None:
            sw = SW.of(outcome.response)
            console.print(f"           {outcome.response.hex().upper()}  {sw.meaning}", style="dim")
    failed = sum(not outcome.passed for outcome in outcomes)
    verdict = f"{failed} failed" if failed else "passed"
    console.print(f"{script.source}: {len(outcomes)} lines, {verdict}")


def _text(outcome: "Outcome") -> str:
    from sscard.testing.script import Script, render

    return render(Script((outcome.line,))).strip()


def _to_json(script: "Script", outcomes: "list[Outcome]") -> dict[str, Any]:
    lines = [
        {
            "line": outcome.line.number,
            "text": _text(outcome),
            "passed": outcome.passed,
            "skipped": outcome.skipped,
            "response": None if outcome.response is None else outcome.response.hex().upper(),
            "message": outcome.message,
        }
        for outcome in outcomes
    ]
    return {
        "script": script.source,
        "passed": all(outcome.passed for outcome in outcomes),
        "lines": lines,
    }
