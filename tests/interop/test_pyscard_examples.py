"""pyscard's own examples and its own tests, unmodified, in process and over a private pcscd.

They are those of the pyscard installed, fetched by `make deps`, and are not ours to copy. What
they print must be the same on both ways; a corner they do not visit is asked about by
`programs/pyscard_probe.py`. Whatever is not run stands in a table, with the reason.
"""

import json
import os
import re
import shutil
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from pathlib import Path
from typing import NamedTuple

import pyscard_sources
import pytest

from sscard.sample import sample_card, sample_psam
from sscard.transport.memory import PoweredSlot
from sscard.transport.pcscd import PrivatePcscd
from sscard.transport.serve import CardSlot

pytestmark = [
    pytest.mark.xdist_group("interop"),  # both ways in one worker: each way is gone once
    pytest.mark.requires("pyscard", "pyscard-examples"),
]
OVER_PCSC = [pytest.mark.interop, pytest.mark.requires("pcscd", "vpcd")]

LAUNCHER = Path(__file__).parent / "programs/pyscard_script.py"
PROBE = Path(__file__).parent / "programs/pyscard_probe.py"
TIME_LIMIT_S = 90
READERS = ("sscard 00 00", "sscard 00 01")
CARD = "3B 6D 00 00 00 87 CF 20 01 86 49 99 99 00 00 00 01"
PSAM = "3B 69 00 00 00 FE 53 10 00 86 FE 99 00"
NO_TELECOM = "> A0 A4 00 00 02 7F 10\n<  [] 6E 00\n"

EXAMPLES = {
    "simple/getATR.py": [f"{READERS[0]} {CARD}\n{READERS[1]} {PSAM}\n"],
    "simple/getATR_context.py": [f"{READERS[0]} {CARD}\n{READERS[1]} {PSAM}\n"],
    "simple/selectDF_TELECOM.py": [NO_TELECOM],
    "simple/simpleAPDU.py": [f"['{READERS[0]}', '{READERS[1]}']", ": 6A 82\n", ": 6D 00\n"],
    "framework/sample_ATR.py": [],
    "framework/sample_CardConnectionDecorator.py": [f"ATR 3F{CARD[2:]}\n", NO_TELECOM],
    "framework/sample_ConsoleConnectionTracer.py": [f"connecting to {READERS[0]}\n{NO_TELECOM}"],
    "framework/sample_CustomCardType.py": [f"{CARD}\n{READERS[0]}\n"],
    "framework/sample_CustomErrorChecker.py": [NO_TELECOM, "110 0\n", "6e 0\n"],
    "framework/sample_ErrorChecking.py": [NO_TELECOM, "Class (CLA) not supported!"],
    "framework/sample_ExclusiveCardConnection.py": [f"ATR {CARD}\n{NO_TELECOM}"],
    "framework/sample_MonitorCards.py": [
        f"+Inserted:  {CARD}\n+Inserted:  {PSAM}\n-Removed:  {CARD}\n+Inserted:  {CARD}\n"
    ],
    "framework/sample_MonitorCardsAndTransmit.py": [
        f"+Inserted:  {CARD}\n{NO_TELECOM}",
        f"+Inserted:  {PSAM}\n{NO_TELECOM}",
        f"-Removed:  {CARD}\n+Inserted:  {CARD}\n{NO_TELECOM}",
    ],
    "framework/sample_MonitorReaders.py": [
        f"Added readers ['{READERS[0]}', '{READERS[1]}']\nRemoved readers []\n"
    ],
    "framework/sample_TransmitCardObserver.py": [
        f"+Inserted:  {CARD}\n6e 00\n+Inserted:  {PSAM}\n6e 00\n"
        f"-Removed:  {CARD}\n+Inserted:  {CARD}\n6e 00\n"
    ],
    "framework/sample_apduTracerInterpreter.py": ["> SELECT 7F 10\n<  [] 6E 00\n"],
    "framework/sample_toHexString.py": [],
}
"""What an example has to say of our cards; an empty list where it asks no card."""

HEXED = "0x" + CARD.replace(" ", " 0x")
RAW = {
    "sample_control.py": ["SCardControl failed: Feature not supported."],
    "sample_getATR.py": [f"Protocol: 1\nATR: {HEXED}\n"],
    "sample_getAttrib.py": ["- SCARD_ATTR_VENDOR_NAME -", "error: Feature not supported."],
    "sample_pinpad.py": ["Exception: scard exception: Feature not supported."],
    "sample_readerGroups.py": ["['SCard$DefaultReaders']", f"['{READERS[0]}', '{READERS[1]}']"],
    "sample_readers.py": ["['SCard$DefaultReaders']", f"['{READERS[0]}', '{READERS[1]}']"],
    "sample_selectDFTelecom.py": ["Selected DF_TELECOM: 0x6E 0x00\n"],
    "sample_transaction.py": [f"ATR: {HEXED} \nTransaction ended\n"],
    "sample_getStatusChange.py": ["Reader empty\n"],
}
"""The examples of the raw API, `scard-api`, and what they print over PC/SC."""

NOT_RUN = {
    "Examples/wx/**/*": "windows of wxPython, drawn around the classes the other examples show",
    "Examples/scard-api/sample_list[CI]*.py": "end on Linux by themselves: for Windows only",
    "Examples/scard-api/sample_locateCards.py": "ends on Linux by itself: for Windows only",
    "test/frameworkpcsc/*": "has tests on Windows only",
}
PARTS = {
    "test/framework/*": "run by testsuite_framework.py",
    "test/scard/*": "run by testsuite_scard.py",
    "test/configcheck.py": "run by both suites",
}


class Said(NamedTuple):
    """How a program ended."""

    code: int
    out: str
    err: str


def launch(way, passing, program, *words, folder=None, environment=None, hand=None):
    """Run a program to its end; `hand` does what it asks for at the readers."""
    command = [sys.executable, "-u", LAUNCHER, way, passing, *READERS, program, *words]
    with subprocess.Popen(
        command,
        cwd=folder,
        env={**os.environ, **(environment or {"PCSCLITE_CSOCK_NAME": "/nonexistent"})},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        killer = threading.Timer(TIME_LIMIT_S, process.kill)
        killer.start()
        lines = []
        reader = threading.Thread(target=lambda: lines.extend(process.stdout))
        reader.start()
        errors = ""
        for line in process.stderr:
            if line.startswith("HAND"):
                hand(line.split()[1])
                process.stdin.write("\n")
                process.stdin.flush()
            else:
                errors += line
        reader.join()
        process.wait()
        killer.cancel()
    return Said(process.returncode, "".join(lines), errors)


class Desk:
    """Two readers of a pcscd of one's own, with the two cards in them."""

    def __init__(self, daemon):
        self._daemon = daemon
        self._places = []
        for slot, card in zip(daemon.slots, (sample_card(), sample_psam()), strict=True):
            place, port = CardSlot(slot.host, slot.port), PoweredSlot(card, atr=card.atr)
            place.insert(port)
            daemon.wait(slot, present=True)
            self._places.append((place, slot, port))

    @property
    def environment(self):
        return self._daemon.environment

    def hand(self, order):
        place, slot, port = self._places[0]
        place.remove() if order == "out" else place.insert(port)
        self._daemon.wait(slot, present=order == "in")

    def leave(self):
        for place, _, _ in self._places:
            place.remove()

    def launch(self, program, *words, passing="short", folder=None):
        ways = {"folder": folder, "environment": self.environment, "hand": self.hand}
        return launch("pcsc", passing, program, *words, **ways)


@pytest.fixture(scope="module")
def desk():
    with PrivatePcscd(slots=2) as daemon:
        made = Desk(daemon)
        yield made
        made.leave()


@cache
def in_process(program, *words):
    return launch("process", "short", program, *words)


def source(name):
    return pyscard_sources.folder() / name


# ---- the examples --------------------------------------------------------------------------------


def test_everything_pyscard_brings_is_run_or_declared():
    """A new version of pyscard does not slip by."""
    home = pyscard_sources.folder()
    found = set(home.rglob("*.py"))
    known = {home / "Examples" / name for name in EXAMPLES}
    known |= {home / "Examples/scard-api" / name for name in RAW}
    for pattern in (*NOT_RUN, *PARTS):
        matched = {path for path in home.glob(pattern) if path.suffix == ".py"}
        assert matched, pattern
        known |= matched
    assert sorted(found - known) == []
    assert sorted(known - found) == []


@pytest.mark.parametrize("name", EXAMPLES)
def test_an_example_runs_in_process(name):
    said = in_process(source("Examples") / name)
    assert (said.code, said.err) == (0, "")
    assert said.out
    for fact in EXAMPLES[name]:
        assert fact in said.out


@pytest.mark.parametrize("name", [pytest.param(name, marks=OVER_PCSC) for name in EXAMPLES])
def test_an_example_prints_the_same_over_pcsc(desk, name):
    program = source("Examples") / name
    assert desk.launch(program) == in_process(program)


@pytest.mark.parametrize("name", RAW)
def test_the_raw_api_says_in_process_that_it_cannot(name):
    said = in_process(source("Examples/scard-api") / name)
    assert "the functions of smartcard.scard reach PC/SC readers only" in said.out + said.err
    assert "use smartcard.System.readers()" in said.out + said.err
    assert "Context established" not in said.out


@pytest.mark.parametrize(
    "name",
    [pytest.param(name, marks=OVER_PCSC) for name in RAW if name != "sample_getStatusChange.py"],
)
def test_an_example_of_the_raw_api_runs_over_pcsc(desk, name):
    said = desk.launch(source("Examples/scard-api") / name)
    assert said.code == 0
    for fact in RAW[name]:
        assert fact in said.out


@pytest.mark.interop
@pytest.mark.requires("pcscd", "vpcd")
def test_the_raw_api_hears_over_pcsc_that_a_card_has_gone(desk):
    program = source("Examples/scard-api/sample_getStatusChange.py")
    command = [sys.executable, "-u", program]
    environment = {**os.environ, **desk.environment}
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True) as process:
        killer = threading.Timer(TIME_LIMIT_S, process.kill)
        killer.start()
        before = ""
        for line in process.stdout:
            before += line
            if "insert or remove" in line:
                break
        desk.hand("out")
        after = process.stdout.read()
        killer.cancel()
    desk.hand("in")
    assert before.count("Card present in reader") == 2
    assert (process.returncode, after.count("Reader empty"), after.count("Card present")) == (
        0,
        1,
        1,
    )


# ---- its tests -----------------------------------------------------------------------------------


def copied(tmp_path_factory, way):
    """A copy of pyscard's tests: they write down the readers they find."""
    return shutil.copytree(source("test"), tmp_path_factory.mktemp(way) / "test")


def outcomes(text):
    """The outcome of each test of a suite, by its class and name."""
    found = re.findall(r"^\w+ \(([\w.]+)\)\n?.*? \.\.\. (\w+)$", text, re.MULTILINE)
    assert found, text
    return dict(found)


def begun(tmp_path_factory, way, environment=None):
    """pyscard's suite of its framework, in the background: most of its half minute is waiting."""
    words = {"folder": copied(tmp_path_factory, way) / "framework", "environment": environment}
    pool = ThreadPoolExecutor(1)
    running = pool.submit(launch, way, "real", "testsuite_framework.py", **words)
    pool.shutdown(wait=False)
    return running


@pytest.fixture(scope="module")
def suite_in_process(tmp_path_factory):
    return begun(tmp_path_factory, "process")


TESTS = 73
UNJUDGED = "testcase_readermonitorstress"
"""A race of pyscard's own threads over made-up readers: it runs, but a busy machine may win."""


def judged(said):
    """The outcomes that say something of a reader."""
    found = outcomes(said.err)
    assert len(found) == int(re.search(r"^Ran (\d+) tests", said.err, re.MULTILINE)[1]) == TESTS
    for threaded in ("testcase_CardMonitor", "testcase_ExclusiveCardConnection"):
        assert f"{threaded}.py" not in said.err, "a thread of a test failed"
    return {name: outcome for name, outcome in found.items() if not name.startswith(UNJUDGED)}


@pytest.mark.interop
@pytest.mark.requires("pcscd", "vpcd")
def test_pyscards_own_tests_pass_over_pcsc(suite_in_process, desk, tmp_path_factory):
    """At the same time as in process, which is why it is asked for."""
    assert suite_in_process
    said = begun(tmp_path_factory, "pcsc", desk.environment).result()
    assert set(judged(said).values()) == {"ok"}, said.err


def test_pyscards_own_tests_pass_in_process(suite_in_process):
    said = suite_in_process.result()
    assert "setup is invalid" not in said.out
    assert set(judged(said).values()) == {"ok"}, said.err


@pytest.mark.interop
@pytest.mark.requires("pcscd", "vpcd")
def test_pyscards_tests_of_the_raw_api_run_over_pcsc(desk, tmp_path_factory):
    """All but two: vpcd's driver tells no ATR as an attribute."""
    folder = copied(tmp_path_factory, "scard") / "scard"
    said = desk.launch("testsuite_scard.py", "-v", folder=folder)
    failed = {name for name, outcome in outcomes(said.err).items() if outcome != "ok"}
    prefix = "testcase_getattrib.testcase_getAttrib"
    assert failed == {f"{prefix}.test_getATR0", f"{prefix}.test_getATR1"}
    assert len(outcomes(said.err)) == 16


# ---- the corners ---------------------------------------------------------------------------------

OTHERWISE = {"attributes": "vpcd's driver has none; a reader in process has five"}


def answers(said):
    assert (said.code, said.err) == (0, "")
    return dict(map(json.loads, said.out.splitlines()))


def test_questions_have_answers_in_process():
    found = answers(in_process(PROBE, *READERS))
    assert len(found) > 35
    assert [name for name, answer in found.items() if answer == ["AttributeError", None]] == []
    attributes = {name for name, value in found["attributes"].items() if type(value[0]) is int}
    assert {"SCARD_ATTR_ATR_STRING", "SCARD_ATTR_VENDOR_NAME"} <= attributes


@pytest.mark.interop
@pytest.mark.requires("pcscd", "vpcd")
def test_every_question_has_the_same_answer_over_pcsc(desk):
    here, there = answers(in_process(PROBE, *READERS)), answers(desk.launch(PROBE, *READERS))
    different = {name for name in here if here[name] != there[name]}
    assert here.keys() == there.keys()
    assert {name: (here[name], there[name]) for name in different - OTHERWISE.keys()} == {}
    assert different == OTHERWISE.keys()
