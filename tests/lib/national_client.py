"""A C program at work with the national reader library: built once, talked with by lines."""

import os
import subprocess
from pathlib import Path
from typing import Self

from sscard.nationallib import build
from sscard.nationallib.serve import ENCODING
from sscard.terminal.national import Answer

SOURCE = Path(__file__).with_name("national_client.c")


def compiled(source: Path, folder: Path) -> Path:
    """Build the library into a folder and a program against it; return the program."""
    built = build(folder)
    program = folder / source.stem
    strict = ("-std=c99", "-pedantic", "-Wall", "-Wextra", "-Werror", f"-I{folder}")
    linked = (f"-L{folder}", f"-Wl,-rpath,{folder}", "-lsscard_national")
    subprocess.run(["cc", *strict, source, *linked, "-o", program], check=True)
    assert built.library.exists()
    return program


class Client:
    """The program, running: `client("iReadCardBas", 1)` is a call."""

    def __init__(self, program: Path, environment: dict[str, str]) -> None:
        kept = {name: value for name, value in os.environ.items() if "SSCARD" not in name}
        self.process = subprocess.Popen(
            [program], stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=kept | environment
        )

    def __call__(self, *words: object) -> Answer:
        """Call a function and return its answer."""
        assert self.process.stdin
        assert self.process.stdout
        line = "\t".join(str(word) for word in words) + "\n"
        self.process.stdin.write(line.encode(ENCODING))
        self.process.stdin.flush()
        code, _, out = self.process.stdout.readline().decode(ENCODING).partition("\t")
        return Answer(int(code), out.rstrip("\n"))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.process.communicate(timeout=30)
        assert self.process.returncode == 0
