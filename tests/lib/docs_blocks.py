"""The code blocks of a page of documentation, and how each of them is run.

Python blocks run one after the other in one namespace, `sh` blocks in a shell that ends at the
first error; all blocks of a page share a folder, empty at first. A comment in the line before a
block says otherwise:

    <!-- file: NAME -->       the block, in any language, is written to that file
    <!-- in a reader: NAME -->  run by itself, a virtual reader in place of the one of that name
    <!-- not run: REASON -->  cannot be run here; the reason says why, or which test does it
"""

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parents[2]
PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")])
TIME_LIMIT_S = 120

_BLOCK = re.compile(
    r"^(?:<!-- *(?P<mark>[^\n]*?) *-->\n)?```(?P<language>\w+)\n(?P<code>.*?)^```$",
    re.MULTILINE | re.DOTALL,
)
_MARKS = ("file", "in a reader", "not run")


class Block(NamedTuple):
    """A block: where its code begins in the page (lines before it), and what its mark says."""

    page: Path
    line: int
    language: str
    code: str
    mark: str = ""
    value: str = ""

    def __str__(self) -> str:
        return f"{self.page.name}:{self.line}"

    @property
    def kind(self) -> str:
        """What is done with it: a mark, "python", "sh", or "" for what is only shown."""
        return self.mark or (self.language if self.language in ("python", "sh") else "")


def blocks(page: Path) -> list[Block]:
    """The blocks of a page in their order."""
    text = page.read_text(encoding="utf-8")
    found = []
    for match in _BLOCK.finditer(text):
        mark, _, value = (match["mark"] or "").partition(":")
        if mark not in _MARKS:
            mark = value = ""
        lines = text.count("\n", 0, match.start("code"))
        language, code = match["language"], match["code"]
        found.append(Block(page, lines, language, code, mark, value.strip()))
    return found


def shell(block: Block, folder: Path, code: str = "", **environment: str) -> str:
    """Run an `sh` block with our programs first on the path; return what it says."""
    programs = str(Path(sys.executable).parent)
    clean = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST")}
    clean |= environment
    done = subprocess.run(
        ["sh", "-eu", "-c", code or block.code],
        cwd=folder,
        env={**clean, "PATH": programs + os.pathsep + os.environ["PATH"]},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=TIME_LIMIT_S,
        check=False,
    )
    assert done.returncode == 0, f"{block}: exit code {done.returncode}\n{done.stdout}"
    return done.stdout


def python(block: Block, names: dict[str, object]) -> None:
    """Run a Python block in the namespace of its page; errors name the page's own lines."""
    exec(compile("\n" * block.line + block.code, str(block.page), "exec"), names)


def write(block: Block, folder: Path) -> None:
    """Write a block to the file its mark names."""
    (folder / block.value).write_text(block.code, encoding="utf-8")


def in_reader(block: Block, name: str) -> str:
    """The code of a block, with another reader's name put in."""
    assert block.value in block.code, f"{block}: there is no reader {block.value!r} in it"
    return block.code.replace(block.value, name)
