"""`sscard demo`."""

from pathlib import Path
from typing import Annotated

import typer

from sscard.cli.exits import ExitCode
from sscard.cli.output import error_line, stdout, write_json
from sscard.cli.settings import JsonOption, refuse_existing

__all__ = ["demo"]


def demo(
    *,
    fast: Annotated[bool, typer.Option("--fast", help="Begin with the finished card.")] = False,
    json: JsonOption = False,
    keep: Annotated[
        Path | None, typer.Option("--keep", metavar="FILE", help="Save the card as an image file.")
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Replace an existing FILE.")] = False,
) -> None:
    """Make a dual-application card from a blank chip and put it to use."""
    from sscard import imagefile
    from sscard.cli.demo.client import UnexpectedAnswer
    from sscard.cli.demo.show import show_chapter, show_end
    from sscard.cli.demo.story import tell

    if keep is not None:
        refuse_existing(keep, force=force)
    console = stdout()
    try:
        if json:
            story = tell(fast=fast)
            write_json(story.to_json())
        else:
            story = tell(fast=fast, on_chapter=lambda chapter: show_chapter(console, chapter))
            show_end(console, story)
    except UnexpectedAnswer as error:
        error_line(str(error))
        raise typer.Exit(ExitCode.NO) from None
    if keep is not None:
        imagefile.save(keep, story.card.image, story.card.env)
        if not json:
            console.print(f"The card is in {keep}.")
            console.print(f"sscard serve {keep} --sample-psam puts it and its PSAM into readers.")
