"""`sscard conformance`: suites of cases against a card in a file or in a reader, and reports."""

from contextlib import ExitStack
from datetime import date
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, cast, get_args

import typer

from sscard.cli.conformance_profile import Facts, bank_keys, facts_of
from sscard.cli.conformance_run import Wish, run_all, stop_code
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
from sscard.cli.output import error_line, note, stdout, table
from sscard.cli.settings import LinkOption, link_of, pin_digits, settings
from sscard.cli.vaults import Held, ModuleOption, PassphraseOption, TokenOption
from sscard.errors import ScriptError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from sscard.keys.vault import BankVault
    from sscard.spec.ca_keys import CaKey
    from sscard.terminal import CryptoSource, Dialect
    from sscard.testing.conformance import Case, Report, Suite
    from sscard.transport.port import Port

__all__ = ["conformance"]

_ReportFile = Path | None
_SPOKEN = ("sm_mode", "pin_sm_key", "medical_account", "block_mode")
"""Options of a card that the social side's terminal speaks, too."""


def conformance(
    image: ImageOption = None,
    reader: ReaderOption = None,
    psam: PsamOption = None,
    vault: Annotated[
        Path | None, typer.Option("--vault", metavar="FILE", help="The keys: a vault file.")
    ] = None,
    passphrase: PassphraseOption = None,
    token: TokenOption = None,
    module: ModuleOption = None,
    token_pin: Annotated[
        str | None,
        typer.Option(
            "--token-pin",
            envvar="SSCARD_TOKEN_PIN",
            show_envvar=True,
            help="Of the token; better from the environment, or asked for.",
        ),
    ] = None,
    bank_vault: Annotated[
        Path | None,
        typer.Option("--bank-vault", metavar="FILE", help="The bank's keys: a vault file."),
    ] = None,
    bank_passphrase: Annotated[
        str | None,
        typer.Option("--bank-passphrase", help="Of that file; default that of --vault."),
    ] = None,
    bank_token: Annotated[
        str | None,
        typer.Option(
            "--bank-token",
            metavar="LABEL",
            help="The bank's keys: a PKCS#11 token; library as for --token.",
        ),
    ] = None,
    bank_token_pin: Annotated[
        str | None,
        typer.Option(
            "--bank-token-pin",
            envvar="SSCARD_BANK_TOKEN_PIN",
            show_envvar=True,
            help="Of that token; default that of --token, or asked for.",
        ),
    ] = None,
    ca_keys: Annotated[
        Path | None,
        typer.Option("--ca-keys", metavar="FILE", help="CA keys that certificates are under."),
    ] = None,
    profile: Annotated[
        str | None,
        typer.Option(
            "--profile",
            metavar="NAME",
            help="The card is one of this profile: its applications, generation, switches, "
            "fictional keys and PINs. Other options go before.",
        ),
    ] = None,
    pin: Annotated[
        str | None,
        typer.Option("--pin", envvar="SSCARD_PIN", show_envvar=True, help="The holder's PIN."),
    ] = None,
    bank_pin: Annotated[
        str | None,
        typer.Option(
            "--bank-pin",
            envvar="SSCARD_BANK_PIN",
            show_envvar=True,
            help="The PIN of the bank's application.",
        ),
    ] = None,
    dialect: DialectOption = None,
    link: LinkOption = "apdu",
    interface: Annotated[
        str,
        typer.Option(
            "--interface", metavar="contact|contactless", help="Of an image's card, if it has both."
        ),
    ] = "contact",
    name: Annotated[
        str | None,
        typer.Option(
            "--suite",
            metavar="NAME",
            help="ssse or pse; default every one whose application is there.",
        ),
    ] = None,
    generation: Annotated[
        str | None,
        typer.Option(
            "--profile-generation",
            metavar="v1|v2|v3|2010",
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
        typer.Option(
            "--all/--safe",
            help="Also cases that change data, burn tries or begin transactions, or none.",
        ),
    ] = False,
    destroy: Annotated[
        bool,
        typer.Option(
            "--destroy", help="With --all, also cases that block for good: the card is lost."
        ),
    ] = False,
    listed: Annotated[bool, typer.Option("--list", help="List the cases and run none.")] = False,
    verbose: Annotated[bool, typer.Option("--verbose", help="Show every case.")] = False,
) -> None:
    """Run conformance suites against a card; exit code 1 when a case fails that nobody waived.

    Without --all nothing is sent that changes data, burns a try or begins a transaction. Cases
    that need keys or a PIN are not run without them, and say so. An image file is never changed.
    """
    from sscard.testing.conformance import Bench, choose, load_waivers
    from sscard.testing.conformance import suites as there

    for path in (json_file, junit_file, html_file):
        if path is not None and not path.parent.is_dir():
            raise typer.BadParameter(f"there is no directory {path.parent} for {path.name}")
    if destroy and not everything:
        raise typer.BadParameter("--destroy blocks the card for good: it goes with --all only")
    facts = Facts() if profile is None else facts_of(profile)
    suites = _suites(name, facts, generation)
    if listed:
        named = [c for suite in suites for c in suite.cases(_listed(suite, generation, facts))]
        _list(choose(named, case or ()))
        return
    with ExitStack() as stack:
        port = _port(stack, image, reader, link, interface)
        social = Held(vault, passphrase, token, module, token_pin)
        bank = Held(
            bank_vault,
            bank_passphrase or passphrase,
            bank_token,
            module,
            bank_token_pin or token_pin,
        )
        source, versions = _sources(stack, psam, social, profile, link)
        spoken, switches = _switches(dialect, facts)
        bench = Bench(
            port,
            source,
            facts.pin if pin is None else _digits(pin),
            flavour=spoken.sm_mode,
            pin_key=f"{spoken.pin_sm_key}@SSSE",
            versions=versions,
            issuer=_issuer(stack, bank, profile, switches),
            ca_keys=_ca_keys(ca_keys, profile),
            bank_pin=facts.bank_pin if bank_pin is None else pin_digits(bank_pin, "--bank-pin"),
            switches=switches,
            today=date.today(),  # noqa: DTZ011  (the day at the counter, not the world's)
        )
        choose(_all_cases(suites, generation, facts), case or ())
        accepted = (
            ()
            if waivers is None
            else load_waivers(waivers, _all_cases(there().values(), None, Facts()))
        )
        reports, stopped = run_all(
            bench,
            [Wish(suite, *_asked(suite, name, generation, facts), case or ()) for suite in suites],
            safe=not everything,
            destroy=destroy,
            waivers=accepted,
        )
    _write(reports, json_file, junit_file, html_file, verbose=verbose)
    if stopped is not None:
        error_line(str(stopped))
        raise typer.Exit(stop_code(stopped))
    if not any(report.results or report.absent for report in reports):
        raise ScriptError(
            "no case of that name is for a card of this generation: --list shows them"
        )
    if any(report.failures for report in reports) or all(report.absent for report in reports):
        raise typer.Exit(ExitCode.NO)


def _port(
    stack: ExitStack, image: Path | None, reader: str | None, link: str, interface: str
) -> "Port":
    """Return a port to the card, through the interface that was asked for."""
    from sscard.card import Interface

    if interface not in get_args(Interface):
        raise typer.BadParameter(" or ".join(get_args(Interface)), param_hint="--interface")
    if reader is not None and interface != "contact":
        raise typer.BadParameter("--interface is for image files: a reader has the one it has")
    return card_port(
        stack, image, reader, link_of(link), save=False, exclusive=True,
        interface=cast("Interface", interface),
    )  # fmt: skip


def _suites(name: str | None, facts: Facts, generation: str | None) -> "Sequence[Suite]":
    from sscard.testing.conformance import suites

    there = suites()
    if name is not None and name not in there:
        raise typer.BadParameter(f"there are: {', '.join(there)}", param_hint="--suite")
    chosen = [there[word] for word in (facts.suites if name is None else (name,))]
    chosen = chosen or list(there.values())
    known = [word for suite in chosen for word in suite.generations]
    if generation is not None and generation not in known:
        raise typer.BadParameter(
            f"there are: {', '.join(known)}", param_hint="--profile-generation"
        )
    return chosen


def _wanted(suite: "Suite", generation: str | None, facts: Facts) -> str:
    """Return the generation a suite's card has to be; "" when it may say so itself."""
    words = (generation, facts.generation)
    return next((word for word in words if word in suite.generations), None) or ""


def _all_cases(
    suites: "Iterable[Suite]", generation: str | None, facts: Facts
) -> "tuple[Case, ...]":
    """Return every case that may be named: of all generations, if the card says which it is."""
    return tuple(
        case
        for suite in suites
        for one in (_wanted(suite, generation, facts),)
        for word in ((one,) if one else suite.generations)
        for case in suite.cases(word)
    )


def _listed(suite: "Suite", generation: str | None, facts: Facts) -> str:
    return _wanted(suite, generation, facts) or suite.generations[-1]


def _asked(
    suite: "Suite", name: str | None, generation: str | None, facts: Facts
) -> tuple[bool, str]:
    """Whether the suite has to run even if its application is not there, and the generation."""
    return name is not None or suite.name in facts.suites, _wanted(suite, generation, facts)


def _list(cases: "Iterable[Case]") -> None:
    rows = [(case.id, case.effect.value, case.title) for case in cases]
    stdout().print(table(("case", "effect", "title"), rows))


def _sources(
    stack: ExitStack,
    psam: str | None,
    held: Held,
    profile: str | None,
    link: str,
) -> "tuple[CryptoSource | None, dict[int, CryptoSource]]":
    """Return whoever computes, one of four options or nobody, and the keys' later versions."""
    from sscard.keys.vault import Party
    from sscard.perso.roots import demo_vault
    from sscard.terminal import VaultSource

    if psam is not None and held.named:
        raise typer.BadParameter("only one of --psam, --vault and --token says whose keys")
    if held.named:
        keys = stack.enter_context(held.open(Party.SOCIAL))
        there = {info.version for info in keys.list_keys()}
        oldest = 1 if there > {1} else None
        later: dict[int, CryptoSource] = {n: VaultSource(keys, version=n) for n in there - {1}}
        return VaultSource(keys, version=oldest, next_number=count(1).__next__), later
    if psam is None and profile is None:
        return None, {}
    if psam is None:
        return VaultSource(demo_vault(str(profile)), next_number=count(1).__next__), {}
    return key_source(stack, psam, "", link_of(link)), {}


def _switches(dialect: "Sequence[str] | None", facts: Facts) -> "tuple[Dialect, Mapping[str, str]]":
    """Return what the social side must know, and every option of the card that is known."""
    from sscard.spec.options import BY_NAME

    given = {key: str(value) for key, value in settings(list(dialect or ())).items()}
    told = {**facts.options, **{key: given[key] for key in given if key in BY_NAME}}
    for key, value in told.items():
        if value not in BY_NAME[key].values:
            raise typer.BadParameter(f"{key} is {' or '.join(BY_NAME[key].values)}", param_hint=key)
    social = {key: told[key] for key in _SPOKEN if key in told}
    social |= {key: value for key, value in given.items() if key not in BY_NAME}
    return spoken_dialect([f"{key}={value}" for key, value in social.items()]), told


def _issuer(
    stack: ExitStack,
    held: Held,
    profile: str | None,
    switches: "Mapping[str, str]",
) -> "BankVault | None":
    """Return the bank's keys: a vault's, a profile's, or none."""
    from sscard.keys.vault import BankVault, CardForms, Party

    if not held.named:
        return None if profile is None else bank_keys(profile, switches)
    opened = stack.enter_context(held.open(Party.BANK))
    return BankVault(opened, forms=CardForms.of(switches))


def _ca_keys(path: Path | None, profile: str | None) -> "tuple[CaKey, ...]":
    """Return the CA keys of a file, or the shipped ones for a card of a profile."""
    from sscard.cli.cert import ca_keys_named
    from sscard.spec.ca_keys import parse_ca_keys

    if path is not None:
        return tuple(parse_ca_keys(path.read_text(encoding="utf-8")))
    return () if profile is None else tuple(ca_keys_named())


def _digits(pin: str) -> bytes:
    if not pin.isdecimal() or len(pin) % 2 or not 4 <= len(pin) <= 16:
        raise typer.BadParameter("4 to 16 decimal digits, an even number", param_hint="--pin")
    return bytes.fromhex(pin)


def _write(
    reports: "Sequence[Report]",
    json_file: Path | None,
    junit_file: Path | None,
    html_file: Path | None,
    *,
    verbose: bool,
) -> None:
    from sscard.testing.conformance import to_html, to_json, to_junit, to_text

    stdout().print(to_text(*reports, everything=verbose), end="", soft_wrap=True)
    for path, render in ((json_file, to_json), (junit_file, to_junit), (html_file, to_html)):
        if path is not None:
            path.write_text(render(*reports), encoding="utf-8")
            note(f"{path} is written")
