"""What the exit codes mean, and which error ends with which."""

from enum import IntEnum

from sscard.errors import ProfileError, ScriptError, SscardError
from sscard.perso.script import PersonalisationError
from sscard.terminal.errors import TerminalError

__all__ = ["INTERRUPTED", "ExitCode", "exit_code"]

INTERRUPTED = 130
"""What a shell shows of a command that Ctrl-C ended."""


class ExitCode(IntEnum):
    """The exit codes of every command; 130 (interrupted) is the shell's."""

    OK = 0
    NO = 1
    USAGE = 2
    UNUSABLE = 3


def exit_code(error: SscardError | OSError) -> ExitCode:
    """Return the exit code of an error that ends a command."""
    if isinstance(error, PersonalisationError | TerminalError):
        return ExitCode.NO
    if isinstance(error, ProfileError | ScriptError):
        return ExitCode.USAGE
    return ExitCode.UNUSABLE
