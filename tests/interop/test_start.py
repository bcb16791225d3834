"""The five minutes of the README: its commands and its file, as they stand, in an empty folder.

What a reader would do with his hands is done here: the path of the project and the name of the
reader are put in, and the file that the editor would write is written. A virtual reader plays
the physical one. The seconds are printed (`pytest -rP`) and noted in the report; nothing is
timed.
"""

import os
import re
import shlex
import subprocess
import sys
import time
from pathlib import Path
from typing import NamedTuple

import pytest

from sscard.sample import sample_card
from sscard.transport.memory import PoweredSlot

ROOT = Path(__file__).parents[2]
MARK = "<!-- not run: the five-minute start"
PAGES = ("README.md", "docs/testing-your-terminal.md")
TIME_LIMIT_S = 600

pytestmark = [
    pytest.mark.interop,
    pytest.mark.requires("pcscd", "vpcd", "pyscard", "package-index"),
]


class Start(NamedTuple):
    """What the page tells its reader to type and to write."""

    commands: tuple[str, ...]
    file: str


def block(text, language, after):
    found = re.compile(rf"^```{language}\n(.*?)^```", re.MULTILINE | re.DOTALL).search(text, after)
    assert found, f"no {language} block after the marker"
    return found[1]


def start_of(text):
    at = text.index(MARK)
    return Start(tuple(block(text, "sh", at).splitlines()), block(text, "python", at))


def starts():
    """The start of each page that has one."""
    texts = {page: (ROOT / page).read_text(encoding="utf-8") for page in PAGES}
    return {page: start_of(text) for page, text in texts.items() if MARK in text}


class Newcomer:
    """Somebody with Python, a compiler, and nothing of ours: an empty folder, a home of his own."""

    def __init__(self, folder, home, note):
        self.folder = folder
        self.note = note
        kept = ("LANG", "LC_ALL", "PATH", "REQUESTS_CA_BUNDLE", "SSL_CERT_FILE", "TMPDIR")
        proxies = ("http_proxy", "https_proxy", "no_proxy")
        settings = [name for name in os.environ if name.startswith("PIP_")]  # which index to ask
        self.environment = {
            name: value
            for name, value in os.environ.items()
            if name in (*kept, *settings) or name.lower() in proxies
        }
        # compiled wheels may come from the cache of whoever runs this, as downloads may
        self.environment |= {"HOME": str(home)} | pip_cache()

    def types(self, command, **environment):
        """Run a line of a shell; return what it says and its exit code."""
        begin = time.monotonic()
        done = subprocess.run(
            ["sh", "-c", command],
            cwd=self.folder,
            env=self.environment | environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=TIME_LIMIT_S,
            check=False,
        )
        self.note(command, time.monotonic() - begin)
        return done.stdout, done.returncode


def pip_cache():
    """Where pip keeps what it fetched, as a variable; none where it is told to keep nothing."""
    command = [sys.executable, "-m", "pip", "cache", "dir"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return {} if done.returncode else {"PIP_CACHE_DIR": done.stdout.strip()}


@pytest.fixture
def newcomer(tmp_path, record_property):
    folder, home = tmp_path / "project", tmp_path / "home"
    folder.mkdir()
    home.mkdir()

    def note(command, seconds):
        print(f"{seconds:6.1f} s  {command}")
        record_property(command, f"{seconds:.1f} s")

    return Newcomer(folder, home, note)


@pytest.fixture
def wheel(tmp_path):
    """The project as somebody else gets it."""
    command = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", tmp_path]
    subprocess.run([*command, ROOT], check=True, capture_output=True, timeout=TIME_LIMIT_S)
    (found,) = tmp_path.glob("sscard-*.whl")
    return found


def put_in(command, what, by):
    assert what in command, f"{command!r} does not hold {what!r}"
    return command.replace(what, by)


def test_every_page_with_a_start_tells_the_same():
    found = starts()
    assert found
    assert len(set(found.values())) == 1, "the pages differ: " + ", ".join(found)


def test_five_commands(newcomer, wheel, serve, slots, pcscd):
    start = next(iter(starts().values()))
    make, install, edit, run, run_there = start.commands
    assert newcomer.types(make)[1] == 0

    said, code = newcomer.types(put_in(install, "file:///path/to/sscard", wheel.as_uri()))
    assert code == 0, said

    program, name = shlex.split(edit)
    assert program == "$EDITOR"
    test_file = newcomer.folder / name
    test_file.write_text(start.file, encoding="utf-8")

    # unchanged pyscard code, a card in a state, and Hypothesis
    said, code = newcomer.types(run)
    assert (code, "3 passed" in said) == (0, True), said
    # what happened, in words, without the PIN
    words = said[said.index("test_a_blocked_card") :]
    assert "VERIFY  (ssse-lb002 3.7)" in words
    assert "refused because: the key has no try left" in words
    assert "0020000003" not in said

    # the same suite against a card in a reader, whose PIN keeps its tries
    card = sample_card()
    serve(PoweredSlot(card, link="t0"))
    there = put_in(run_there, "ACS ACR39U", slots[0].name)
    said, code = newcomer.types(there + " -rs", **pcscd.environment)
    assert (code, "1 passed, 2 skipped" in said) == (0, True), said
    assert "the test is about a card 'pin-blocked', in the reader is 'sample'" in said
    assert "sscard_profile makes emulated cards: not available with --sscard-reader" in said

    # a program that tries again in secret: found, shrunk, told in words
    again = '    if pin[0] in "56789":\n        return verify("0" + pin[1:])\n    connection.disconnect()'
    test_file.write_text(put_in(start.file, "    connection.disconnect()", again), encoding="utf-8")
    said, code = newcomer.types(put_in(run, " -rP", ""))
    assert (code, "1 failed, 2 passed" in said) == (1, True), said
    assert "pin='500000'" in said, "Hypothesis shows the smallest PIN"
    words = said[said.index("sscard: APDU trace") :]
    assert "refused because: the PIN is wrong" in words
    assert "comparison failed, 4 tries left" in words
    assert "00200000035" not in words
