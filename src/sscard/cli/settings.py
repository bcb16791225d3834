"""Options and arguments that several commands share."""

from pathlib import Path
from typing import Annotated

import typer

from sscard.transport.port import Link

__all__ = [
    "ImageArgument",
    "JsonOption",
    "LinkOption",
    "SetOption",
    "hex_bytes",
    "link_of",
    "pin_digits",
    "refuse_existing",
    "settings",
]

JsonOption = Annotated[bool, typer.Option("--json", help="Write JSON, for programs.")]
SetOption = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="KEY=VALUE", help="Replace one value of the profile."),
]
ImageArgument = Annotated[Path, typer.Argument(metavar="FILE", help="An image file.")]
LinkOption = Annotated[
    str,
    typer.Option(
        "--link",
        metavar="apdu|t0",
        help="How the card answers: whole at once, or with 61xx and 6Cxx as a contact card.",
    ),
]


def settings(pairs: list[str] | None) -> dict[str, object]:
    """Return `KEY=VALUE` words as a table; a word that is not one is a usage error."""
    table: dict[str, object] = {}
    for pair in pairs or ():
        key, equals, value = pair.partition("=")
        if not (key and equals):
            raise typer.BadParameter(f"{pair!r} is not KEY=VALUE", param_hint="--set")
        table[key.strip()] = value.strip()
    return table


def hex_bytes(text: str, hint: str) -> bytes:
    """Return bytes written in hex; anything else is a usage error."""
    try:
        return bytes.fromhex(text)
    except ValueError:
        raise typer.BadParameter(f"{text!r} is not hex", param_hint=hint) from None


def pin_digits(text: str, hint: str) -> str:
    """Return the digits of a bank PIN; anything else is a usage error."""
    if not (text.isascii() and text.isdigit() and 4 <= len(text) <= 12):
        raise typer.BadParameter("a PIN has 4 to 12 digits", param_hint=hint)
    return text


def link_of(word: str) -> Link:
    """Return the link a word names; another word is a usage error."""
    if word == "apdu":
        return "apdu"
    if word == "t0":
        return "t0"
    raise typer.BadParameter(f"{word!r} is neither apdu nor t0", param_hint="--link")


def refuse_existing(path: Path, *, force: bool) -> None:
    """Refuse to overwrite a file: a usage error."""
    if path.exists() and not force:
        raise typer.BadParameter(f"{path} exists; --force replaces it")
