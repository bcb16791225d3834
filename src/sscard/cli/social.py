"""`sscard read`, `sscard pin`, `sscard update`: a social security terminal at the command line."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from sscard.cli.counter import (
    DialectOption,
    ImageOption,
    ProfileOption,
    PsamOption,
    ReaderOption,
    TodayOption,
    counter,
)
from sscard.cli.exits import ExitCode
from sscard.cli.output import hex_text, note, stdout, table, write_json
from sscard.cli.settings import JsonOption, LinkOption

if TYPE_CHECKING:
    from sscard.spec.items import Item
    from sscard.terminal import CheckResult, Contents, SocialTerminal
    from sscard.terminal.records import Value

__all__ = ["pin_app", "read", "update"]

_BASIC = ("SSSE/EF05", "SSSE/EF06", "SSSE/EF0D")

pin_app = typer.Typer(
    no_args_is_help=True, help="The holder's PIN: verify, change, reload, unblock."
)

HolderPinOption = Annotated[
    str | None,
    typer.Option(
        "--pin",
        envvar="SSCARD_PIN",
        show_envvar=True,
        help="The holder's PIN; asked for if missing.",
    ),
]
NewPinOption = Annotated[
    str | None,
    typer.Option(
        "--new-pin", envvar="SSCARD_NEW_PIN", show_envvar=True, help="Asked for if missing."
    ),
]


def read(
    image: ImageOption = None,
    reader: ReaderOption = None,
    psam: PsamOption = None,
    profile: ProfileOption = "sample",
    file: Annotated[
        list[str] | None,
        typer.Option("--file", metavar="NAME", help="A file, DF01/EF06; default the basic ones."),
    ] = None,
    pin: Annotated[
        str | None,
        typer.Option(
            "--pin", envvar="SSCARD_PIN", show_envvar=True, help="The holder's PIN, if he gives it."
        ),
    ] = None,
    today: TodayOption = None,
    dialect: DialectOption = None,
    link: LinkOption = "apdu",
    *,
    everything: Annotated[
        bool, typer.Option("--all", help="Every file this terminal may read.")
    ] = False,
    json: JsonOption = False,
) -> None:
    """Check a card as a social security terminal does, and read it.

    Shows the holder's data: that is what it is for. Exit code 1 when a check failed; the card
    is read all the same, but its holder's PIN is not given to a card that is not genuine.
    """
    with counter(
        image=image,
        reader=reader,
        psam=psam,
        profile=profile,
        today=today,
        dialect=dialect,
        link=link,
        save=False,
    ) as terminal:
        checks = terminal.check()
        contents: tuple[Contents, ...] = ()
        if terminal.environment.readable:
            if pin is not None and terminal.visit.proof is not None:
                terminal.verify_pin(pin)
            contents = _read(terminal, file, everything=everything)
        if json:
            write_json(_to_json(terminal, checks, contents))
        else:
            _show(checks, contents)
        failed = [result for result in checks if result.outcome == "failed"]
    if failed:
        raise typer.Exit(ExitCode.NO)


@pin_app.command("verify")
def verify(
    image: ImageOption = None,
    reader: ReaderOption = None,
    psam: PsamOption = None,
    profile: ProfileOption = "sample",
    pin: HolderPinOption = None,
    today: TodayOption = None,
    dialect: DialectOption = None,
    link: LinkOption = "apdu",
) -> None:
    """Compare the PIN; a wrong one costs a try. Exit code 1 when it is wrong or blocked."""
    with _accepted(image, reader, psam, profile, today, dialect, link) as terminal:
        terminal.verify_pin(_asked(pin, "PIN"))
    note("the PIN is right")


@pin_app.command("change")
def change(
    image: ImageOption = None,
    reader: ReaderOption = None,
    psam: PsamOption = None,
    profile: ProfileOption = "sample",
    pin: HolderPinOption = None,
    new_pin: NewPinOption = None,
    today: TodayOption = None,
    dialect: DialectOption = None,
    link: LinkOption = "apdu",
) -> None:
    """Replace the PIN by a new one, by its holder; never by the initial one."""
    with _accepted(image, reader, psam, profile, today, dialect, link) as terminal:
        terminal.change_pin(_asked(pin, "PIN"), _asked(new_pin, "new PIN", new=True))
    note("the PIN is changed")


@pin_app.command("reload")
def reload(
    image: ImageOption = None,
    reader: ReaderOption = None,
    psam: PsamOption = None,
    profile: ProfileOption = "sample",
    new_pin: NewPinOption = None,
    today: TodayOption = None,
    dialect: DialectOption = None,
    link: LinkOption = "apdu",
) -> None:
    """Replace the PIN without the old one, by the office's right, and give it all its tries."""
    with _accepted(image, reader, psam, profile, today, dialect, link) as terminal:
        terminal.reload_pin(_asked(new_pin, "new PIN", new=True))
    note("the PIN is replaced")


@pin_app.command("unblock")
def unblock(
    image: ImageOption = None,
    reader: ReaderOption = None,
    psam: PsamOption = None,
    profile: ProfileOption = "sample",
    today: TodayOption = None,
    dialect: DialectOption = None,
    link: LinkOption = "apdu",
) -> None:
    """Give the PIN all its tries again, by the office's right."""
    with _accepted(image, reader, psam, profile, today, dialect, link) as terminal:
        terminal.unblock_pin()
    note("the PIN has all its tries")


def update(
    file: Annotated[str, typer.Argument(metavar="FILE", help="A file, SSSE/EF05.")],
    items: Annotated[
        list[str],
        typer.Argument(
            metavar="TAG[:N]=VALUE...",
            help="Tag in hex, N of an item that repeats; text, digits, 2026-07-01, a number of "
            "fen, or hex as the item's type is. Nothing behind = unsets it; an item of items "
            "is 57=..;58=..",
        ),
    ],
    image: ImageOption = None,
    reader: ReaderOption = None,
    psam: PsamOption = None,
    profile: ProfileOption = "sample",
    today: TodayOption = None,
    dialect: DialectOption = None,
    link: LinkOption = "apdu",
    protection: Annotated[
        str, typer.Option("--protection", metavar="none|mac|enc_mac", help="How updates travel.")
    ] = "none",
) -> None:
    """Write items of a file, as an office with the right to does: proves the key, updates."""
    from sscard.terminal import LineProtection
    from sscard.terminal.files import file_named

    try:
        travels = LineProtection(protection)
    except ValueError:
        raise typer.BadParameter("none, mac or enc_mac", param_hint="--protection") from None
    with _accepted(image, reader, psam, profile, today, dialect, link) as terminal:
        _, target = file_named(terminal.environment.table, file)
        try:
            values = dict(_item(target.items, text) for text in items)
            terminal.update(file, values, protection=travels)
        except ValueError as error:
            raise typer.BadParameter(str(error)) from None
    note(f"{file}: {len(values)} item{'s' * (len(values) != 1)} written")


# ---- terminals ------------------------------------------------------------------------------


@contextmanager
def _accepted(
    image: Path | None,
    reader: str | None,
    psam: str | None,
    profile: str,
    today: str | None,
    dialect: list[str] | None,
    link: str,
) -> "Iterator[SocialTerminal]":
    """Yield a terminal whose card passed every check; an image file keeps what is changed."""
    with counter(
        image=image,
        reader=reader,
        psam=psam,
        profile=profile,
        today=today,
        dialect=dialect,
        link=link,
        save=True,
    ) as terminal:
        terminal.accept()
        yield terminal


def _asked(given: str | None, what: str, *, new: bool = False) -> str:
    if given is not None:
        return given
    return str(typer.prompt(what, hide_input=True, confirmation_prompt=new, err=True))


def _read(
    terminal: "SocialTerminal", names: list[str] | None, *, everything: bool
) -> "tuple[Contents, ...]":
    from sscard.iso.sw import SW
    from sscard.terminal import ApduError, RightMissing
    from sscard.terminal.files import file_names

    there = file_names(terminal.environment.table)
    if everything:
        return terminal.read_all()
    if names:
        return tuple(_read_one(terminal, name) for name in names)
    found = []
    for name in (name for name in _BASIC if name in there):
        try:
            found.append(terminal.read(name))
        except RightMissing as error:
            note(f"{name}: {error}")
        except ApduError as error:
            if error.sw != SW.FILE_NOT_FOUND:
                raise
    return tuple(found)


def _read_one(terminal: "SocialTerminal", name: str) -> "Contents":
    from sscard.iso.sw import SW
    from sscard.terminal import ApduError, TerminalError

    try:
        return terminal.read(name)
    except ApduError as error:
        if error.sw == SW.FILE_NOT_FOUND:
            raise TerminalError(f"{name} is not on this card ({error.sw})") from error
        raise


# ---- output ---------------------------------------------------------------------------------


def _to_json(
    terminal: "SocialTerminal",
    checks: "tuple[CheckResult, ...]",
    contents: "tuple[Contents, ...]",
) -> dict[str, Any]:
    card = terminal.environment
    return {
        "atr": hex_text(card.atr),
        "historical": hex_text(card.historical),
        "region": card.region,
        "version": card.version,
        "number": card.number,
        "checks": [
            {"check": result.check.value, "outcome": result.outcome.value, "detail": result.detail}
            for result in checks
        ],
        "files": [found.to_json() for found in contents],
    }


def _show(checks: "tuple[CheckResult, ...]", contents: "tuple[Contents, ...]") -> None:
    console = stdout()
    rows = [(result.check, result.outcome, result.detail) for result in checks]
    console.print(table(("check", "", ""), rows))
    for found in contents:
        file = found.file
        names = " ".join(part for part in (found.name, file.chinese, file.english) if part)
        console.print()
        console.print(names, style="bold")
        lines = _lines(found)
        console.print(table(("", "", ""), lines) if lines else "nothing")


def _lines(found: "Contents") -> list[tuple[str, str, str]]:
    from sscard.terminal.records import item_name

    if found.file.kind == "tlv":
        return [
            (f"{field.item.tag:02X}", _named(item_name(found.directory.fid, field.item.tag)),
             _words(field.value))
            for field in found.fields
        ]  # fmt: skip
    if found.file.kind == "cyclic":
        return [
            (str(number), "", ", ".join(_words(field.value) for field in row))
            for number, row in enumerate(found.rows, 1)
        ]
    set_bytes = len(found.data.rstrip(b"\0"))
    return [("", f"{len(found.data)} bytes, {set_bytes} of them before the last 00s", "")]


def _named(name: str) -> str:
    return "" if name.startswith("tag ") else name


def _words(value: "Value") -> str:
    if value is None:
        return "-"
    if isinstance(value, bytes):
        return hex_text(value)
    if isinstance(value, tuple):
        return ", ".join(f"{field.item.tag:02X} {_words(field.value)}" for field in value)
    return str(value)


# ---- items ----------------------------------------------------------------------------------


def _item(items: "tuple[Item, ...]", text: str) -> "tuple[int | tuple[int, int], Value]":
    """Read `TAG[:N]=VALUE`. Errors: ValueError."""
    key, equals, value = text.partition("=")
    tag_text, _, nth_text = key.partition(":")
    if not equals:
        raise ValueError(f"{text!r} is not TAG=VALUE")
    try:
        tag, nth = int(tag_text, 16), int(nth_text or "1")
    except ValueError:
        raise ValueError(f"{key!r} is no TAG in hex, nor TAG:N with a decimal N") from None
    for item in items:
        if item.tag == tag:
            return (tag, nth), _value(item, value)
    raise ValueError(f"the file has no item {tag:02X}")


def _value(item: "Item", text: str) -> "Value":
    """Read a value as the item's type writes it. Errors: ValueError."""
    from datetime import date

    from sscard.terminal.records import Field

    if item.inner:
        fields = []
        for part_text in text.split(";") if text else ():
            (tag, _), value = _pair(item.inner, part_text)
            part = next(part for part in item.inner if part.tag == tag)
            fields.append(Field(part, b"", value))
        return tuple(fields)
    if not text:
        return None
    match item.type:
        case "b":
            return bytes.fromhex(text)
        case "dec" | "hex":
            return int(text)
        case "cn" if "-" in text:
            return date.fromisoformat(text)
        case _:
            return text


def _pair(items: "tuple[Item, ...]", text: str) -> "tuple[tuple[int, int], Value]":
    key, value = _item(items, text)
    return (key if isinstance(key, tuple) else (key, 1)), value
