"""Commands of `sscard` run in this process, with their exit code checked."""

from typer.testing import CliRunner

from sscard.cli.app import app

__all__ = ["Cli"]


class Cli:
    """`sscard(*words)` runs a command and gives its standard output; `errors` is the other."""

    def __init__(self) -> None:
        self.errors = ""

    def __call__(self, *words: object, code: int = 0, text: str | None = None) -> str:
        """Run a command that must end with `code`; `text` is its standard input."""
        result = CliRunner().invoke(app, [str(word) for word in words], input=text)
        assert result.exit_code == code, f"{result.exit_code}: {result.output}"
        self.errors = result.stderr
        return result.stdout
