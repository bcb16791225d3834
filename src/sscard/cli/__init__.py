"""The command line `sscard`. `main` is its entry point; the commands are in the modules beside it.

Exit codes: 0 done; 1 the answer is no (a finding, a difference, a failed expectation, a refused
command); 2 the command line, a profile or a script is wrong; 3 something needed is missing or
not usable (a file, a reader, pcscd); 130 interrupted.
"""

import sys

__all__ = ["main"]


def main() -> None:
    """Run the program; does not return but for `--version`, which loads nothing else."""
    if sys.argv[1:] in (["--version"], ["-V"]):
        from importlib.metadata import version

        sys.stdout.write(f"sscard {version('sscard')}\n")
        return
    from sscard.cli.app import app

    for stream in (sys.stdout, sys.stderr):
        reconfigure = getattr(stream, "reconfigure", None)
        if reconfigure is not None:  # Chinese on a terminal that has none is no reason to fail
            reconfigure(errors="replace")
    app(prog_name="sscard")
