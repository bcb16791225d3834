"""Compiling the C library: one source file, the system's compiler, nothing else.

The library remembers the Python that built it and starts that one; `SSCARD_NATIONAL_PYTHON`
names another.
"""

import os
import shutil
import subprocess
import sys
from importlib import resources
from pathlib import Path
from typing import NamedTuple

from sscard.errors import SscardError

__all__ = ["HEADER", "LIBRARY", "BuildError", "Built", "build"]

HEADER, LIBRARY = "sscard_national.h", "libsscard_national.so"
_SOURCE = "sscard_national.c"
_FLAGS = ("-shared", "-fPIC", "-O2", "-Wall", "-Wextra", "-fvisibility=hidden", "-pthread")


class BuildError(SscardError):
    """There is no C compiler, or it refused."""


class Built(NamedTuple):
    """What was built."""

    library: Path
    header: Path


def build(folder: Path, *, python: str = sys.executable) -> Built:
    """Build the library and put it with its header into a folder, which is made if need be.

    The compiler is `$CC`, or `cc`. Errors: `BuildError` with what the compiler said.
    """
    compiler = os.environ.get("CC") or "cc"
    if shutil.which(compiler) is None:
        raise BuildError(f"there is no C compiler {compiler!r}: install gcc, or set CC")
    folder.mkdir(parents=True, exist_ok=True)
    built = Built(folder / LIBRARY, folder / HEADER)
    package = resources.files("sscard.nationallib")
    built.header.write_text((package / HEADER).read_text(encoding="ascii"), encoding="ascii")
    with resources.as_file(package / _SOURCE) as source:
        command = [compiler, *_FLAGS, f"-Wl,-soname,{LIBRARY}", f"-I{folder}"]
        command += [f"-DSSCARD_PYTHON={_quoted(python)}", "-o", str(built.library), str(source)]
        result = subprocess.run(command, capture_output=True, text=True, check=False)
    if result.returncode:
        raise BuildError(f"{compiler} refused {_SOURCE}:\n{result.stderr.strip()}")
    return built


def _quoted(text: str) -> str:
    """Return text as a C string literal."""
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'
