"""The pytest plugin where it needs more than a process: pcscd, vpcd, a fresh project."""

import os
import re
import subprocess
import sys
import textwrap
from concurrent.futures import ThreadPoolExecutor
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

def test_a_failure_is_explained(sscard_pcsc):
    assert answers(sscard_pcsc, SSSE, list(bytes.fromhex("0020000003999999"))) == ["9000", "9000"]

def test_a_faulty_card_put_in_later(sscard_pcsc, sscard_profile):
    changed = faults.altered("SW", bytes.fromhex("6985"), when=2)
    sscard_pcsc.swap(faults.faulty(sscard_profile("sample"), changed))
    assert answers(sscard_pcsc, SSSE, PIN) == ["9000", "9000"]

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
    assert "2 failed, 6 passed" in done, done
    first, second = done.split("_ test_a_faulty_card_put_in_later _")
    assert first.count("sscard: APDU trace") == second.count("sscard: APDU trace") == 1
    assert "2. VERIFY" in first
    assert "5 tries left" in first
    assert "what arrived instead:" in second
    assert "[6985]" in second
    assert "[03 99 99 99]" not in done


SIDE_BY_SIDE = """
import pytest, time
from smartcard.scard import SCARD_SHARE_EXCLUSIVE
from smartcard.System import readers

SSSE = list(bytes.fromhex("00A404000F7378312E73682EC9E7BBE1B1A3D5CF00"))
WRONG = list(bytes.fromhex("0020000003999999"))

def tries(reader):
    connection = reader.createConnection()
    connection.connect(mode=SCARD_SHARE_EXCLUSIVE)
    connection.transmit(SSSE)
    time.sleep(0.3)
    _, sw1, sw2 = connection.transmit(WRONG)
    connection.release()
    return f"{sw1:02X}{sw2:02X}"

@pytest.mark.parametrize("number", range(2))
def test_over_pcscd(sscard_pcsc, number):
    assert tries(next(r for r in readers() if str(r) == sscard_pcsc.name)) == "63C5"

@pytest.mark.parametrize("number", range(2))
def test_in_process(sscard_reader, number):
    assert tries(sscard_reader) == "63C5"
"""


@pytest.mark.interop
@pytest.mark.requires("pcscd", "vpcd", "pyscard")
def test_two_runs_of_two_workers_do_not_meet(tmp_path):
    (tmp_path / "test_it.py").write_text(SIDE_BY_SIDE, encoding="utf-8")
    with ThreadPoolExecutor() as pool:
        runs = [pool.submit(pytest_in, tmp_path, sys.executable, "-n", "2") for _ in range(2)]
        for run_ in runs:
            assert "4 passed" in run_.result(), run_.result()


ONE_AT_A_TIME = """
import pytest, time
from smartcard.scard import SCARD_SHARE_EXCLUSIVE

@pytest.mark.parametrize("number", range(4))
def test_alone(sscard_reader, number):
    connection = sscard_reader.createConnection()
    connection.connect(mode=SCARD_SHARE_EXCLUSIVE)
    time.sleep(0.3)
    connection.release()
"""


@pytest.mark.interop
@pytest.mark.requires("pcscd", "vpcd", "pyscard")
def test_workers_take_turns_at_a_real_reader(serve, slots, clients, tmp_path):
    serve(PoweredSlot(sample_card()))
    (tmp_path / "test_it.py").write_text(ONE_AT_A_TIME, encoding="utf-8")
    words = (sys.executable, "-n", "2", "--sscard-reader", slots[0].name)
    done = pytest_in(tmp_path, *words, environment=clients.environment)
    assert "4 passed" in done, done


@pytest.mark.interop
@pytest.mark.requires("pcscd", "vpcd", "pyscard", "opensc-tool")
def test_the_page_s_test_over_pcscd_passes(tmp_path):
    page = (ROOT / "docs/testing-your-terminal.md").read_text("utf-8")
    blocks = re.findall(r"^```python\n(.*?)^```", page, re.MULTILINE | re.DOTALL)
    (tmp_path / "test_page.py").write_text("\n".join(blocks), encoding="utf-8")
    assert "1 passed, 11 deselected" in pytest_in(tmp_path, sys.executable, "-k", "opensc")


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
