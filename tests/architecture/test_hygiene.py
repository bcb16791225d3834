"""What no reviewer should have to look for: long modules, machine paths, unfinished notes."""

import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
LINES_MAX = 500

# Neither pattern matches the line it is written on.
UNFINISHED = re.compile(r"\b(TOD[O]|FIXM[E])\b")
MACHINE_PATH = re.compile(r"(?<![\w.])/(work|root|home)/")


def repository_files() -> list[str]:
    """Names of the files that are, or would be, committed."""
    try:
        result = subprocess.run(
            ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
            cwd=ROOT,
            capture_output=True,
            check=False,
        )
    except FileNotFoundError:
        pytest.skip("git is not installed")
    if result.returncode:
        pytest.skip("not a git checkout")
    names = result.stdout.decode("utf-8").split("\0")
    return [name for name in names if name and (ROOT / name).is_file()]


def lines_that_match(pattern: re.Pattern[str]) -> list[str]:
    found = []
    for name in repository_files():
        text = (ROOT / name).read_text(encoding="utf-8", errors="replace")
        rows = enumerate(text.splitlines(), 1)
        found += [f"{name}:{number}: {line}" for number, line in rows if pattern.search(line)]
    return found


def test_modules_are_short():
    sizes = {
        path: len(path.read_text(encoding="utf-8").splitlines())
        for path in (ROOT / "src").rglob("*.py")
    }
    assert not {str(path): size for path, size in sizes.items() if size > LINES_MAX}


def test_nothing_is_left_unfinished():
    assert not lines_that_match(UNFINISHED)


def test_nothing_names_a_path_of_one_machine():
    assert not lines_that_match(MACHINE_PATH)


def test_file_names_are_ascii():
    assert not [name for name in repository_files() if not name.isascii()]
