"""Commands on image files: make one, look into it, compare, check, clone."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from sscard.cli.exits import ExitCode
from sscard.cli.output import note, stdout, table, write_json
from sscard.cli.settings import (
    ImageArgument,
    JsonOption,
    SetOption,
    hex_bytes,
    refuse_existing,
    settings,
)

if TYPE_CHECKING:
    from sscard.inspect.contents import Contents

__all__ = ["clone", "diff", "dump", "fsck", "new", "states", "tree"]


def new(
    file: ImageArgument,
    profile: Annotated[
        str, typer.Option("--profile", metavar="NAME", help="A shipped profile, or a TOML file.")
    ] = "sample",
    set_: SetOption = None,
    state: Annotated[
        str | None,
        typer.Option("--state", metavar="NAME", help="A state for testers: sscard states."),
    ] = None,
    seed: Annotated[
        str, typer.Option("--seed", metavar="HEX", help="Seed of the card's random numbers.")
    ] = b"sscard".hex(),
    *,
    random_seed: Annotated[
        bool, typer.Option("--random-seed", help="A seed nobody knows.")
    ] = False,
    blank: Annotated[bool, typer.Option("--blank", help="Leave the chip blank.")] = False,
    force: Annotated[bool, typer.Option("--force", help="Replace an existing file.")] = False,
    json: JsonOption = False,
) -> None:
    """Make a card, or a PSAM, from a profile, by its own commands; save it as FILE and FILE.env.

    The same profile and seed give the same bytes.
    """
    import secrets

    from sscard import imagefile
    from sscard.env import Env
    from sscard.perso.profile import Profile
    from sscard.perso.psam import PsamProfile
    from sscard.perso.psam import names as psam_names
    from sscard.sample import blank_card, new_card, new_psam
    from sscard.states import card_in_state

    refuse_existing(file, force=force)
    if blank and state:
        raise typer.BadParameter("a blank chip has no state", param_hint="--state")
    values = settings(set_)
    kind = PsamProfile if profile in psam_names() else Profile
    loaded = kind.load(profile, values)
    env = Env(secrets.token_bytes(32) if random_seed else hex_bytes(seed, "--seed"))
    if state:
        card = card_in_state(state, profile, values, env=env)
    elif blank:
        card = blank_card(loaded, env=env)
    elif isinstance(loaded, PsamProfile):
        card = new_psam(loaded, env=env)
    else:
        card = new_card(loaded, env=env)
    imagefile.save(file, card.image, card.env)
    if json:
        write_json(
            {
                "file": str(file),
                "profile": loaded.name,
                "blank": blank,
                "state": state,
                "bytes": len(card.image),
                "atr": card.atr.hex().upper(),
            }
        )
    else:
        what = "a blank chip for" if blank else "a card of"
        made = f"profile {loaded.name}" + (f", {state}" if state else "")
        size = f"{len(card.image) // 1024} KiB"
        stdout().print(f"{file}: {what} {made}, {size}, ATR {card.atr.hex().upper()}")


def states(*, json: JsonOption = False) -> None:
    """List the states for testers that `sscard new --state` makes."""
    from sscard.states import STATES

    if json:
        write_json([{"name": name, "meaning": STATES[name].meaning} for name in STATES])
        return
    stdout().print(table(("state", "what it is"), [(s.name, s.meaning) for s in STATES.values()]))


def tree(file: ImageArgument, *, json: JsonOption = False) -> None:
    """Show what is on a card: environments, files, rules, keys without their values."""
    from sscard import imagefile
    from sscard.inspect import tree as tree_of

    view = tree_of(imagefile.load(file)[0])
    if json:
        write_json(view.to_json())
    else:
        stdout().print(str(view))


def dump(
    file: ImageArgument,
    page: Annotated[
        list[str] | None,
        typer.Option("--page", metavar="N", help="A page or a range, in hex as shown: 5, 80-8F."),
    ] = None,
    domain: Annotated[
        str | None, typer.Option("--domain", metavar="CM|SSSE|PSE", help="Its extent's pages.")
    ] = None,
    *,
    ring: Annotated[bool, typer.Option("--ring", help="The pages of the journal.")] = False,
    blank: Annotated[bool, typer.Option("--blank", help="Erased pages, too.")] = False,
    reveal: Annotated[bool, typer.Option("--reveal", help="Show keys and PINs.")] = False,
    json: JsonOption = False,
) -> None:
    """Show pages in hex with the meaning of every field; all that are not erased by default."""
    from sscard import imagefile
    from sscard.inspect import dump as dump_of
    from sscard.inspect.contents import Contents

    image = imagefile.load(file)[0]
    contents = Contents.read(image)
    wanted = [number for word in page or () for number in _pages(word)]
    if ring:
        start = contents.block.journal_start
        wanted += [start + used.slot for used in contents.ring.pages]
    if domain is not None:
        wanted += _extent(contents, domain)
    chosen = bool(page) or ring or domain is not None
    if chosen and not blank and not page:
        used = {shown.number for shown in dump_of(image).pages}
        wanted = [number for number in wanted if number in used]
    view = dump_of(image, wanted if chosen else None, blank=blank, reveal=reveal)
    if json:
        write_json(view.to_json())
    else:
        stdout().print(str(view))


def _pages(word: str) -> range:
    first, _, last = word.partition("-")
    try:
        return range(int(first, 16), int(last or first, 16) + 1)
    except ValueError:
        raise typer.BadParameter(f"{word!r} is no page number", param_hint="--page") from None


def _extent(contents: "Contents", domain: str) -> range:
    from sscard.inspect.names import domain_name

    extents = {domain_name(e.entry.domain): e.entry for e in contents.environments}
    entry = extents.get(domain.upper())
    if entry is None:
        raise typer.BadParameter(f"the card has {', '.join(extents)}", param_hint="--domain")
    return entry.page_range


def diff(
    before: Annotated[Path, typer.Argument(metavar="BEFORE", help="An image file.")],
    after: Annotated[Path, typer.Argument(metavar="AFTER", help="Another.")],
    *,
    reveal: Annotated[bool, typer.Option("--reveal", help="Show keys and PINs.")] = False,
    json: JsonOption = False,
) -> None:
    """Say what differs between two images: pages, objects, fields; exit code 1 if anything does."""
    from sscard import imagefile
    from sscard.inspect import diff as compare

    found = compare(imagefile.load(before)[0], imagefile.load(after)[0], reveal=reveal)
    if json:
        write_json(found.to_json())
    else:
        stdout().print(str(found))
    if found:
        raise typer.Exit(ExitCode.NO)


def fsck(file: ImageArgument, *, json: JsonOption = False) -> None:
    """Check an image against its format; exit code 1 for anything worse than a note."""
    from sscard import imagefile
    from sscard.inspect import Severity
    from sscard.inspect import fsck as check

    findings = check(imagefile.load(file)[0])
    if json:
        write_json([finding.to_json() for finding in findings])
    else:
        for finding in findings:
            stdout().print(str(finding))
        if not findings:
            stdout().print(f"{file}: clean")
    if any(finding.severity > Severity.NOTE for finding in findings):
        raise typer.Exit(ExitCode.NO)


def clone(
    file: ImageArgument,
    out: Annotated[Path, typer.Argument(metavar="OUT", help="The new image file.")],
    new_serial: Annotated[
        str | None, typer.Option("--new-serial", metavar="HEX", help="Chip serial, 8 bytes.")
    ] = None,
    card_number: Annotated[
        str | None,
        typer.Option("--card-number", metavar="HEX", help="Card number in the ATR, 8 bytes."),
    ] = None,
    *,
    force: Annotated[bool, typer.Option("--force", help="Replace an existing file.")] = False,
) -> None:
    """Copy a card under another number, with a fresh environment of its own."""
    from sscard import imagefile
    from sscard.env import Env
    from sscard.inspect import CLONE_WARNING
    from sscard.inspect import clone as cloned

    refuse_existing(out, force=force)
    image = cloned(
        imagefile.load(file)[0],
        new_serial=None if new_serial is None else hex_bytes(new_serial, "--new-serial"),
        csn=None if card_number is None else hex_bytes(card_number, "--card-number"),
    )
    imagefile.save(out, image, Env((new_serial or card_number or "").encode("ascii")))
    stdout().print(f"{out}: a copy of {file}")
    if card_number is not None:
        note(f"warning: {CLONE_WARNING}")
