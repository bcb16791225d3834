"""The pytest plugin where it needs more than a process: pcscd, vpcd, a fresh project."""

import os
import re
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from sscard.sample import sample_card
from sscard.transport.memory import PoweredSlot

ROOT = Path(__file__).parents[2]

OVER_PCSCD = '''
"""Tests of another project: its program is a process of its own, and pyscard here."""
import os, subprocess, sys
import pytest
from sscard.testing import faults

SSSE = list(bytes.fromhex("00A404000F7378312E73682EC9E7BBE1B1A3D5CF00"))
PIN = list(bytes.fromhex("0020000003123456"))
PROGRAM = """
import sys
from smartcard.System import readers
connection = next(r for r in readers() if str(r) == sys.argv[1]).createConnection()
connection.connect()
for text in sys.argv[2:]:
    data, sw1, sw2 = connection.transmit(list(bytes.fromhex(text)))
    print(f"{sw1:02X}{sw2:02X}")
"""

def answers(reader, *commands):
    words = [bytes(command).hex() for command in commands]
    done = subprocess.run([sys.executable, "-c", PROGRAM, reader.name, *words],
                          env=reader.environment, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    return done.stdout.split()

@pytest.mark.sscard(profile="pin-blocked")
def test_a_program_sees_the_card(sscard_pcsc, sscard_trace):
    assert answers(sscard_pcsc, SSSE, PIN) == ["9000", "6983"]
    assert [e.command[1] for e in sscard_trace.exchanges] == [0xA4, 0x20]

def test_the_next_test_has_its_own_card_and_the_same_daemon(sscard_pcsc, sscard_profile):
    assert answers(sscard_pcsc, SSSE, PIN) == ["9000", "9000"]
    sscard_pcsc.swap(sscard_profile("pin-blocked"))
    assert answers(sscard_pcsc, SSSE, PIN) == ["9000", "6983"]

def test_pyscard_in_this_process_sees_it_too(sscard_pcsc):
    from smartcard.System import readers
    connection = next(r for r in readers() if str(r) == sscard_pcsc.name).createConnection()
    connection.connect()
    assert connection.transmit(SSSE)[1:] == (0x90, 0x00)
    connection.disconnect()
    connection.release()

@pytest.mark.sscard(faults=(faults.altered("SW", bytes.fromhex("6A88"), 2),
                            faults.wrong_atr(bytes.fromhex("3B00"))))
def test_faults_over_vpcd(sscard_pcsc):
    assert answers(sscard_pcsc, SSSE, PIN) == ["9000", "6A88"]

@pytest.mark.sscard(faults=(faults.torn(1, 2), faults.mute(after=3)))
def test_torn_and_mute_over_vpcd(sscard_pcsc):
    assert answers(sscard_pcsc, SSSE, PIN) == ["9000", "6F00"]
    assert answers(sscard_pcsc, SSSE, PIN) == ["9000", "6F00"]

@pytest.mark.sscard(faults=(faults.removed(2),))
def test_taken_out_over_vpcd(sscard_pcsc, sscard_trace):
    with pytest.raises(AssertionError, match="CardConnectionException"):
        answers(sscard_pcsc, SSSE, PIN)
    assert "taken out" in str(sscard_trace)
    assert "NoCardException" in failure(sscard_pcsc)

CHALLENGE = list(bytes.fromhex("0084000008"))
WRONG = list(bytes.fromhex("0020000003999999"))
IN_WORDS = "import sys; from smartcard.System import readers; " \\
    "c = next(r for r in readers() if str(r) == sys.argv[1]).createConnection(); c.connect(); " \\
    "print(bytes(c.getATR()).hex(), [bytes(c.transmit(list(bytes.fromhex(t)))[0]).hex() for t in sys.argv[2:]])"

def words(reader, *commands):
    """The ATR and the data of the answers, as a program prints them."""
    sent = [bytes(command).hex() for command in commands]
    done = subprocess.run([sys.executable, "-c", IN_WORDS, reader.name, *sent],
                          env=reader.environment, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    return done.stdout

SEEN = [
    (faults.slow(0.2, when=2), [SSSE, PIN], ["9000", "9000"]),
    (faults.dies(after=1), [SSSE, PIN], ["9000", "6F00"]),
    (faults.removed(2, done=True), None, "CardConnectionException"),
    (faults.garbled(when=2, mask=b"\\x0F"), [SSSE, PIN], ["9000", "9F0F"]),
    (faults.truncated(2, when=1), [SSSE, PIN], ["6F16", "9000"]),
    (faults.altered(slice(0, 2), b"\\x69\\x85", when=2), [SSSE, PIN], ["9000", "6985"]),
    (faults.torn(1, 2), [SSSE, WRONG], ["9000", "6F00"]),
    (faults.bit_flipped(0x0000, 0, when=1), [SSSE, PIN], ["9000", "9000"]),
]

@pytest.mark.parametrize("number", range(len(SEEN)))
def test_what_a_program_sees_of_each(number, sscard_pcsc, sscard_profile):
    fault, sent, expected = SEEN[number]
    sscard_pcsc.swap(faults.faulty(sscard_profile("sample"), fault))
    if sent is None:
        assert expected in failure(sscard_pcsc, SSSE, PIN)
    else:
        assert answers(sscard_pcsc, *sent) == expected

def test_random_numbers_that_stick_or_come_again(sscard_pcsc, sscard_profile):
    for fault, first, second in [
        (faults.random_stuck(0xAA), "aa" * 8, "aa" * 8),
        (faults.random_repeating(bytes(range(8))), "0001020304050607", "0001020304050607"),
    ]:
        sscard_pcsc.swap(faults.faulty(sscard_profile("sample"), fault))
        assert f"['{first}', '{second}']" in words(sscard_pcsc, CHALLENGE, CHALLENGE)

def test_another_atr_and_one_byte_of_the_fci(sscard_pcsc, sscard_profile):
    changed = faults.altered(slice(4, 5), b"\\x00", when=1)
    atr = faults.wrong_atr(bytes.fromhex("3B021234"))
    sscard_pcsc.swap(faults.faulty(sscard_profile("sample"), changed, atr))
    assert words(sscard_pcsc, SSSE).startswith("3b021234 ['6f16840f00")

def failure(reader, *commands):
    with pytest.raises(AssertionError) as error:
        answers(reader, *(commands or [SSSE]))
    return str(error.value)
'''


@pytest.mark.interop
@pytest.mark.requires("pcscd", "vpcd", "pyscard")
def test_a_private_pcscd_once_a_run_with_faults_too(tmp_path):
    (tmp_path / "test_terminal.py").write_text(OVER_PCSCD, encoding="utf-8")
    done = pytest_in(tmp_path, sys.executable, "-p", "no:xdist")
    assert "16 passed" in done, done


@pytest.mark.interop
@pytest.mark.requires("pcscd", "vpcd", "pyscard", "opensc-tool")
def test_the_page_s_test_over_pcscd_passes(tmp_path):
    page = (ROOT / "docs/testing-your-terminal.md").read_text("utf-8")
    blocks = re.findall(r"^```python\n(.*?)^```", page, re.MULTILINE | re.DOTALL)
    (tmp_path / "test_page.py").write_text("\n".join(blocks), encoding="utf-8")
    assert "1 passed, 9 deselected" in pytest_in(tmp_path, sys.executable, "-k", "opensc")


BOTH = """
import pytest

SSSE = list(bytes.fromhex("00A404000F7378312E73682EC9E7BBE1B1A3D5CF00"))

def test_pin(sscard_reader, sscard_trace):
    connection = sscard_reader.createConnection()
    connection.connect()
    assert connection.transmit(SSSE)[1] in (0x61, 0x90)
    assert connection.transmit([0, 0x20, 0, 0, 3, 0x12, 0x34, 0x56])[1:] == (0x90, 0x00)
    connection.disconnect()
    assert [e.command[1] for e in sscard_trace.exchanges] == [0xA4, 0x20]
    assert "VERIFY in SSSE" in str(sscard_trace) and "1234" not in str(sscard_trace)

@pytest.mark.sscard(profile="pin-blocked")
def test_blocked(sscard_reader):
    pass
"""


@pytest.mark.interop
@pytest.mark.requires("pcscd", "vpcd", "pyscard")
def test_the_same_tests_against_a_reader_of_pcscd(serve, slots, clients, tmp_path):
    """The virtual reader plays the physical one."""
    serve(PoweredSlot(sample_card(), link="t0"))
    (tmp_path / "test_both.py").write_text(BOTH, encoding="utf-8")
    emulated = pytest_in(tmp_path, sys.executable)
    assert "2 passed" in emulated
    real = ("--sscard-reader", slots[0].name, "-rs")
    there = pytest_in(tmp_path, sys.executable, *real, environment=clients.environment)
    assert "1 passed, 1 skipped" in there, there
    assert "about a card 'pin-blocked', in the reader is 'sample'" in there


@pytest.mark.requires("pyscard")
def test_without_pcscd_its_tests_are_skipped_with_the_reason(tmp_path):
    (tmp_path / "conftest.py").write_text(
        "import sscard.transport.pcscd as pcscd\npcscd.missing = lambda: 'pcscd is not installed'\n",
        encoding="utf-8",
    )
    (tmp_path / "test_it.py").write_text("def test_it(sscard_pcsc):\n    pass\n", encoding="utf-8")
    assert "SKIPPED [1] test_it.py: no private pcscd: pcscd is not installed" in " ".join(
        pytest_in(tmp_path, sys.executable, "-rs").replace(":1:", ":").split()
    )


@pytest.mark.requires("pyscard")
def test_a_fresh_project_uses_the_wheel(tmp_path):
    """Built, installed without the source in another folder, found by pytest through its entry."""
    wheels, venv, project = tmp_path / "dist", tmp_path / "venv", tmp_path / "project"
    project.mkdir()
    run(sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", wheels, ROOT)
    run(sys.executable, "-m", "venv", "--system-site-packages", "--without-pip", venv)
    python = venv / "bin/python"
    there = Path(
        run(python, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))").strip()
    )
    (wheel,) = wheels.glob("*.whl")
    run(sys.executable, "-m", "zipfile", "-e", wheel, there)
    # what pip would fetch is taken from the environment at hand; its own sscard is not on the path
    for name, value in dependencies().items():
        (there / name).symlink_to(value)
    (project / "test_terminal.py").write_text(
        textwrap.dedent("""
            import pytest, sscard

            SSSE = list(bytes.fromhex("00A404000F7378312E73682EC9E7BBE1B1A3D5CF00"))
            PIN = list(bytes.fromhex("0020000003123456"))

            @pytest.mark.sscard(profile="pin-blocked")
            def test_blocked(sscard_reader):
                assert "site-packages" in sscard.__file__
                connection = sscard_reader.createConnection()
                connection.connect()
                connection.transmit(SSSE)
                assert connection.transmit(PIN)[1:] == (0x69, 0x83)
            """),
        encoding="utf-8",
    )
    assert "1 passed" in pytest_in(project, python)


def dependencies():
    """The folders and modules of what is installed here, but for sscard itself."""
    here = Path(pytest.__file__).parents[1]
    ours = ("sscard", "_sscard", "__pycache__", "_virtualenv", "pip", "__editable__")
    return {
        path.name: path
        for path in here.iterdir()
        if not path.name.startswith(ours) and path.suffix != ".pth"
    }


def run(*command, cwd=None):
    words = [str(word) for word in command]
    done = subprocess.run(words, capture_output=True, text=True, timeout=120, check=False, cwd=cwd)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def pytest_in(folder, python, *words, environment=os.environ):
    """Run pytest in another project's folder; return what it says."""
    command = [str(python), "-m", "pytest", "-p", "no:cacheprovider", *words]
    clean = {name: value for name, value in environment.items() if not name.startswith("PYTEST")}
    done = subprocess.run(
        command,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
        cwd=folder,
        env=clean,
    )
    return done.stdout + done.stderr
