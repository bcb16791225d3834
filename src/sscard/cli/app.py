"""The commands under one name, and how their errors end.

Each command is a function in a module of its subject; what it needs is imported when it runs.
"""

from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from sscard.cli import (
    apdu,
    authorise,
    cert,
    conformance,
    demo_command,
    image,
    keys,
    national,
    pay,
    physical,
    profiles,
    relay,
    run,
    serve,
    social,
    traces,
)
from sscard.cli.exits import exit_code
from sscard.cli.output import error_line
from sscard.errors import SscardError

__all__ = ["app"]


class _Group(TyperGroup):
    """Ends an error of ours with one line and its exit code; anything else is a bug and shows."""

    def invoke(self, ctx: Any) -> Any:
        """Run the command that was asked for."""
        try:
            return super().invoke(ctx)
        except BrokenPipeError:
            raise
        except (SscardError, OSError) as error:
            if ctx.params.get("debug"):
                raise
            error_line(_sentence(error))
            raise typer.Exit(exit_code(error)) from None


def _sentence(error: SscardError | OSError) -> str:
    """Return an error as people read it: of the system's, the file and what is wrong with it."""
    if isinstance(error, OSError) and error.strerror and error.filename:
        return f"{error.filename}: {error.strerror.lower()}"
    return str(error)


app = typer.Typer(
    cls=_Group,
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog="Exit codes: 0 done, 1 the answer is no, 2 wrong usage, 3 something is missing.",
)


def _version(wanted: bool) -> None:
    if wanted:
        from sscard import __version__

        typer.echo(f"sscard {__version__}")
        raise typer.Exit


@app.callback()
def options(
    *,
    debug: Annotated[bool, typer.Option("--debug", help="Show tracebacks of errors.")] = False,
    version: Annotated[
        bool,
        typer.Option("--version", "-V", callback=_version, is_eager=True, help="Show the version."),
    ] = False,
) -> None:
    """A simulated Chinese social security card with a financial function, down to its EEPROM."""


app.command("demo")(demo_command.demo)
app.command("new")(image.new)
app.command("states")(image.states)
app.command("serve")(serve.serve)
app.command("apdu")(apdu.apdu)
app.command("run")(run.run)
app.command("explain")(apdu.explain)
app.command("read")(social.read)
app.command("update")(social.update)
app.command("pay")(pay.pay)
app.command("conformance")(conformance.conformance)
app.command("replay")(traces.replay)
app.command("monitor")(traces.monitor)
app.command("relay")(relay.relay)
app.command("compare")(physical.compare)
app.command("capture")(physical.capture)
app.command("tree")(image.tree)
app.command("dump")(image.dump)
app.command("diff")(image.diff)
app.command("fsck")(image.fsck)
app.command("clone")(image.clone)
app.add_typer(social.pin_app, name="pin")
app.add_typer(profiles.app, name="profiles")
app.add_typer(keys.app, name="keys")
app.add_typer(authorise.app, name="authorise")
app.add_typer(national.app, name="national")
app.add_typer(cert.app, name="cert")
