"""Commands on image files: make one, look into it, compare, check, clone."""

from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from sscard.cli.exits import ExitCode
from sscard.cli.output import hex_text, note, stdout, table, write_json
from sscard.cli.settings import (
    ImageArgument,
    JsonOption,
    SetOption,
    hex_bytes,
    refuse_existing,
    settings,
)
from sscard.cli.vaults import (
    ModuleOption,
    PassphraseOption,
    PinOption,
    TokenOption,
    VaultOption,
    open_vault,
)

if TYPE_CHECKING:
    from sscard.card import Card
    from sscard.env import Env
    from sscard.inspect.contents import Contents
    from sscard.perso.psam import PsamProfile
    from sscard.perso.script import Perso

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
    vault: VaultOption = None,
    passphrase: PassphraseOption = None,
    token: TokenOption = None,
    module: ModuleOption = None,
    pin: PinOption = None,
    region: Annotated[
        str | None,
        typer.Option("--region", metavar="DIGITS", help="Of a PSAM's keys; default its cards'."),
    ] = None,
    perso: Annotated[
        str,
        typer.Option(
            "--perso",
            metavar="native|cps",
            help="How the bank's data go in: under its master key, or by EMV CPS.",
        ),
    ] = "native",
    *,
    random_seed: Annotated[
        bool, typer.Option("--random-seed", help="A seed nobody knows.")
    ] = False,
    blank: Annotated[bool, typer.Option("--blank", help="Leave the chip blank.")] = False,
    force: Annotated[bool, typer.Option("--force", help="Replace an existing file.")] = False,
    json: JsonOption = False,
) -> None:
    """Make a card, or a PSAM, from a profile, by its own commands; save it as FILE and FILE.env.

    The same profile and seed give the same bytes. The keys of a PSAM come from --vault or --token
    if one is given: enciphered, their values never leave it in clear.
    """
    import secrets

    from sscard import imagefile
    from sscard.env import Env
    from sscard.perso.profile import Profile
    from sscard.perso.psam import PsamProfile, is_psam
    from sscard.sample import blank_card, new_card
    from sscard.states import card_in_state

    refuse_existing(file, force=force)
    way = _perso(perso, finished=not (blank or state or is_psam(profile)))
    if blank and state:
        raise typer.BadParameter("a blank chip has no state", param_hint="--state")
    values = settings(set_)
    env = Env(secrets.token_bytes(32) if random_seed else hex_bytes(seed, "--seed"))
    held = vault is not None or token is not None
    if is_psam(profile):
        if state:
            raise typer.BadParameter("the states are those of cards", param_hint="--state")
        with (
            open_vault(profile, "social", vault, passphrase, token, module, pin)
            if held
            else nullcontext()
        ) as keeper:
            sam = PsamProfile.load(profile, values, vault=keeper, region=region)
            _make_psam(file, sam, env, blank=blank, json=json)
        return
    if held or region:
        raise typer.BadParameter("a vault's keys, and their region, are for PSAM profiles")
    loaded = Profile.load(profile, values)
    if state:
        card = card_in_state(state, profile, values, env=env)
    elif blank:
        card = blank_card(loaded, env=env)
    else:
        card = new_card(loaded, env=env, perso=way)
    imagefile.save(file, card.image, card.env)
    if json:
        write_json(_made(file, profile, card, blank=blank) | {"state": state})
    else:
        made = f"profile {loaded.name}" + (f", {state}" if state else "")
        _tell_made(file, "a blank chip for" if blank else "a card of", made, card)


def _perso(word: str, *, finished: bool) -> "Perso":
    """Return a way of personalisation; another word is a usage error, CPS for others too."""
    if word == "native":
        return "native"
    if word != "cps":
        raise typer.BadParameter(f"{word!r} is neither native nor cps", param_hint="--perso")
    if not finished:
        raise typer.BadParameter("cps makes finished cards only", param_hint="--perso")
    return "cps"


def _made(file: Path, profile: str, card: "Card", *, blank: bool) -> dict[str, object]:
    return {
        "file": str(file),
        "profile": profile,
        "blank": blank,
        "bytes": len(card.image),
        "atr": card.atr.hex().upper(),
    }


def _tell_made(file: Path, what: str, profile: str, card: "Card") -> None:
    size, atr = f"{len(card.image) // 1024} KiB", card.atr.hex().upper()
    stdout().print(f"{file}: {what} {profile}, {size}, ATR {atr}")


def _make_psam(file: Path, profile: "PsamProfile", env: "Env", *, blank: bool, json: bool) -> None:
    """Make and save a PSAM; say which keys it has, by their check values."""
    from sscard import imagefile
    from sscard.inspect.names import algorithm_name
    from sscard.sample import blank_card, new_psam

    card = blank_card(profile, env=env) if blank else new_psam(profile, env=env)
    imagefile.save(file, card.image, card.env)
    keys = [
        {
            "usage": f"{key.usage:02X}",
            "id": f"{key.id:02X}",
            "name": key.name,
            "algorithm": algorithm_name(key.algorithm),
            "kcv": hex_text(key.kcv),
        }
        for key in (() if blank else profile.keys)
    ]
    if json:
        made = _made(file, profile.name, card, blank=blank)
        write_json(made | {"keys": keys, "withheld": list(profile.withheld)})
        return
    if keys:
        columns = tuple(keys[0])
        stdout().print(table(columns, [list(key.values()) for key in keys]))
    what = "a blank chip for" if blank else "a PSAM of"
    _tell_made(file, what, f"profile {profile.name}", card)
    if profile.withheld:
        note(f"kept by the vault, being its own keys: {', '.join(profile.withheld)}")


def states(*, json: JsonOption = False) -> None:
    """List the states for testers that `sscard new --state` makes."""
    from sscard.states import STATES

    if json:
        write_json([{"name": name, "meaning": STATES[name].meaning} for name in STATES])
        return
    stdout().print(table(("state", "what it is"), [(s.name, s.meaning) for s in STATES.values()]))


def tree(file: ImageArgument, *, json: JsonOption = False) -> None:
    """Show what is on a card: environments, files, rules, keys without their values."""
    from sscard.cli.cards import image_of
    from sscard.inspect import tree as tree_of

    view = tree_of(image_of(file))
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
    from sscard.cli.cards import image_of
    from sscard.inspect import dump as dump_of
    from sscard.inspect.contents import Contents

    image = image_of(file)
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
    extents = {e.name: e.entry for e in contents.environments}
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
    from sscard.cli.cards import image_of
    from sscard.inspect import diff as compare

    found = compare(image_of(before), image_of(after), reveal=reveal)
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
    from sscard.cli.cards import image_of
    from sscard.env import Env
    from sscard.inspect import CLONE_WARNING
    from sscard.inspect import clone as cloned

    refuse_existing(out, force=force)
    image = cloned(
        image_of(file),
        new_serial=None if new_serial is None else hex_bytes(new_serial, "--new-serial"),
        csn=None if card_number is None else hex_bytes(card_number, "--card-number"),
    )
    imagefile.save(out, image, Env((new_serial or card_number or "").encode("ascii")))
    stdout().print(f"{out}: a copy of {file}")
    if card_number is not None:
        note(f"warning: {CLONE_WARNING}")
