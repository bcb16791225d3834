"""`sscard national`: the C library of the national reader interface."""

from pathlib import Path
from typing import Annotated

import typer

__all__ = ["app"]

app = typer.Typer(no_args_is_help=True, help="The national reader interface as a C library.")


@app.callback()
def _group() -> None:
    """Keep `build` a command of its own."""


@app.command("build")
def build(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="Where library and header go.")],
) -> None:
    """Compile libsscard_national.so and put it with its header into DIR; wants a C compiler."""
    from sscard.nationallib import build as built

    for path in built(folder):
        typer.echo(path)
