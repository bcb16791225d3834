"""`sscard conformance`: a suite of cases against a card in a file or in a reader, and reports."""

from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from sscard.cli.counter import (
    DialectOption,
    ImageOption,
    PsamOption,
    ReaderOption,
    card_port,
    key_source,
    spoken_dialect,
)
from sscard.cli.exits import ExitCode
from sscard.cli.output import note, stdout, table
from sscard.cli.settings import LinkOption, link_of
from sscard.cli.vaults import PassphraseOption, passphrase_of

if TYPE_CHECKING:
    from collections.abc import Iterable

    from sscard.terminal import CryptoSource
    from sscard.testing.conformance import Case, Report, Suite

__all__ = ["conformance"]

_ReportFile = Path | None


def conformance(
    image: ImageOption = None,
    reader: ReaderOption = None,
    psam: PsamOption = None,
    vault: Annotated[
        Path | None, typer.Option("--vault", metavar="FILE", help="The keys: a vault file.")
    ] = None,
    passphrase: PassphraseOption = None,
    profile: Annotated[
        str | None,
        typer.Option(
            "--profile", metavar="NAME", help="The keys: a profile's fictional test keys."
        ),
    ] = None,
    pin: Annotated[
        str | None,
        typer.Option("--pin", envvar="SSCARD_PIN", show_envvar=True, help="The holder's PIN."),
    ] = None,
    dialect: DialectOption = None,
    link: LinkOption = "apdu",
    name: Annotated[
        str, typer.Option("--suite", metavar="NAME", help="Which suite of cases.")
    ] = "ssse",
    generation: Annotated[
        str | None,
        typer.Option(
            "--profile-generation",
            metavar="v1|v2|v3",
            help="What the card has to be; default what it says it is.",
        ),
    ] = None,
    case: Annotated[
        list[str] | None,
        typer.Option(
            "--case", metavar="ID", help="Only this case, or those a pattern with * fits."
        ),
    ] = None,
    waivers: Annotated[
        Path | None,
        typer.Option("--waivers", metavar="FILE", help="Accepted failures: id, space, reason."),
    ] = None,
    json_file: Annotated[
        _ReportFile, typer.Option("--json", metavar="FILE", help="Write a report as JSON.")
    ] = None,
    junit_file: Annotated[
        _ReportFile, typer.Option("--junit", metavar="FILE", help="Write a report as JUnit XML.")
    ] = None,
    html_file: Annotated[
        _ReportFile, typer.Option("--html", metavar="FILE", help="Write a report as one HTML page.")
    ] = None,
    *,
    everything: Annotated[
        bool,
        typer.Option("--all/--safe", help="Also cases that change data or burn tries, or none."),
    ] = False,
    listed: Annotated[bool, typer.Option("--list", help="List the cases and run none.")] = False,
    verbose: Annotated[bool, typer.Option("--verbose", help="Show every case.")] = False,
) -> None:
    """Run a conformance suite against a card; exit code 1 when a case fails that nobody waived.

    Without --all nothing is sent that changes data or burns a try. Cases that need keys or the
    PIN are not run without them, and say so. An image file is never changed.
    """
    from sscard.testing.conformance import Bench, choose, load_waivers, run_suite

    suite = _suite(name, generation)
    if listed:
        _list(choose(suite.cases(generation or suite.generations[-1]), case or ()))
        return
    with ExitStack() as stack:
        port = card_port(stack, image, reader, link_of(link), save=False)
        source, versions = _sources(stack, psam, vault, passphrase, profile, link)
        spoken = spoken_dialect(dialect)
        bench = Bench(
            port,
            source,
            _digits(pin),
            flavour=spoken.sm_mode,
            pin_key=f"{spoken.pin_sm_key}@SSSE",
            versions=versions,
        )
        chosen = generation or suite.generation_of(bench)
        cases = suite.cases(chosen)
        report = run_suite(
            suite,
            chosen,
            bench,
            cases=choose(cases, case or ()),
            safe=not everything,
            waivers=() if waivers is None else load_waivers(waivers, cases),
        )
    _write(report, json_file, junit_file, html_file, verbose=verbose)
    if report.failures:
        raise typer.Exit(ExitCode.NO)


def _suite(name: str, generation: str | None) -> "Suite":
    from sscard.testing.conformance import suites

    there = suites()
    if name not in there:
        raise typer.BadParameter(f"there are: {', '.join(there)}", param_hint="--suite")
    suite = there[name]
    if generation is not None and generation not in suite.generations:
        raise typer.BadParameter(
            f"there are: {', '.join(suite.generations)}", param_hint="--profile-generation"
        )
    return suite


def _list(cases: "Iterable[Case]") -> None:
    rows = [(case.id, case.effect.value, case.title) for case in cases]
    stdout().print(table(("case", "effect", "title"), rows))


def _sources(
    stack: ExitStack,
    psam: str | None,
    vault: Path | None,
    passphrase: str | None,
    profile: str | None,
    link: str,
) -> "tuple[CryptoSource | None, dict[int, CryptoSource]]":
    """Return whoever computes, one of three options or nobody, and the keys' later versions."""
    from sscard.terminal import VaultSource
    from sscard.vaults.file import FileVault

    if sum(given is not None for given in (psam, vault, profile)) > 1:
        raise typer.BadParameter("only one of --psam, --vault and --profile says whose keys")
    if vault is not None:
        opened = FileVault.open(vault, passphrase_of(passphrase, new=False))
        keys = stack.enter_context(opened)
        there = {info.version for info in keys.list_keys()}
        oldest = 1 if there > {1} else None
        later: dict[int, CryptoSource] = {n: VaultSource(keys, version=n) for n in there - {1}}
        return VaultSource(keys, version=oldest), later
    if psam is None and profile is None:
        return None, {}
    return key_source(stack, psam, profile or "", link_of(link)), {}


def _digits(pin: str | None) -> bytes | None:
    if pin is None:
        return None
    if not pin.isdecimal() or len(pin) % 2 or not 4 <= len(pin) <= 16:
        raise typer.BadParameter("4 to 16 decimal digits, an even number", param_hint="--pin")
    return bytes.fromhex(pin)


def _write(
    report: "Report",
    json_file: Path | None,
    junit_file: Path | None,
    html_file: Path | None,
    *,
    verbose: bool,
) -> None:
    from sscard.testing.conformance import to_html, to_json, to_junit, to_text

    stdout().print(to_text(report, everything=verbose), end="", soft_wrap=True)
    for path, render in ((json_file, to_json), (junit_file, to_junit), (html_file, to_html)):
        if path is not None:
            path.write_text(render(report), encoding="utf-8")
            note(f"{path} is written")
