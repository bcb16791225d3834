"""`sscard profiles`: what cards can be made of."""

from typing import Annotated, Any

import typer

from sscard.cli.exits import ExitCode
from sscard.cli.output import error_line, hex_text, stdout, table, write_json
from sscard.cli.settings import JsonOption, SetOption, settings

__all__ = ["app"]

app = typer.Typer(no_args_is_help=True, help="List, show and check profiles.")


@app.command("list")
def list_profiles(*, json: JsonOption = False) -> None:
    """List the profiles that are shipped."""
    from sscard.perso.profile import Profile, names

    loaded = [Profile.load(name) for name in names()]
    if json:
        write_json([{"name": profile.name, "title": profile.title} for profile in loaded])
        return
    stdout().print(table(("profile", "what it is"), [(p.name, p.title) for p in loaded]))


@app.command()
def show(
    name: Annotated[str, typer.Argument(help="A shipped profile, or a TOML file.")],
    set_: SetOption = None,
    *,
    json: JsonOption = False,
) -> None:
    """Describe a profile: chip, options, directories, keys (never their values), files."""
    from sscard.perso.profile import Profile

    profile = Profile.load(name, settings(set_))
    if not json:
        stdout().print(profile.describe())
        return
    environments: list[dict[str, Any]] = [
        {
            "fid": f"{ddf.fid:04X}",
            "name": hex_text(ddf.df_name),
            "quota": ddf.quota,
            "keys": ddf.key_count,
            "files": [f"{file.fid:04X}" for file in ddf.files],
            "directories": [f"{below.fid:04X}" for below in ddf.directories],
        }
        for ddf in profile.environments
    ]
    write_json(
        {
            "name": profile.name,
            "title": profile.title,
            "region": profile.region,
            "eeprom_bytes": profile.chip.size,
            "card_factor": hex_text(profile.card_factor),
            "options": dict(profile.options),
            "environments": environments,
        }
    )


@app.command()
def validate(
    files: Annotated[list[str], typer.Argument(help="Profiles or TOML files.")],
    set_: SetOption = None,
) -> None:
    """Check profiles; the image of each is built as well, so that it fits its chip."""
    from sscard.builder import build
    from sscard.errors import ProfileError
    from sscard.perso.profile import Profile

    wrong = False
    for name in files:
        try:
            build(Profile.load(name, settings(set_)))
        except ProfileError as error:
            wrong = True
            error_line(f"{name}: {error}")
        else:
            stdout().print(f"{name}: valid")
    if wrong:
        raise typer.Exit(ExitCode.NO)
