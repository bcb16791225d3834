"""The files of docs/continuous-integration.md: page and files agree, and the image does its work."""

import re
import shutil
import subprocess
import sys
import xml.etree.ElementTree as ET
from pathlib import Path

import docs_blocks
import pytest
import yaml
from docs_blocks import ROOT

PAGE = ROOT / "docs/continuous-integration.md"
FILES = ROOT / "examples/ci"
STEPS = {"github-actions.yml": 2, "gitlab-ci.yml": 6}
TIME_LIMIT_S = 1200

PROJECT = '''
import socket, subprocess, sys
import pytest

PROGRAM = """
import sys
from smartcard.System import readers
connection = next(r for r in readers() if str(r) == sys.argv[1]).createConnection()
connection.connect()
for apdu in ("00A404000F7378312E73682EC9E7BBE1B1A3D5CF", "0020000003123456"):
    _, sw1, sw2 = connection.transmit(list(bytes.fromhex(apdu)))
print(f"{sw1:02X}{sw2:02X}")
"""

def verify(reader):
    words = [sys.executable, "-c", PROGRAM, reader.name]
    done = subprocess.run(words, env=reader.environment, capture_output=True, text=True, check=True)
    return done.stdout.strip()

def test_there_is_no_network():
    assert [name for _, name in socket.if_nameindex()] == ["lo"]

def test_over_pcscd(sscard_pcsc):
    assert verify(sscard_pcsc) == "9000"

@pytest.mark.sscard(profile="pin-blocked")
def test_meant_to_fail(sscard_pcsc):
    assert verify(sscard_pcsc) == "9000"
'''


def scripts(file):
    """The shell lines of a pipeline, step by step."""
    jobs = yaml.safe_load((FILES / file).read_text(encoding="utf-8"))
    if file == "github-actions.yml":
        steps = jobs["jobs"]["tests"]["steps"]
        return [step["run"] for step in steps if "run" in step]
    return [line for job in ("image", "tests") for line in jobs[job]["script"]]


def test_the_page_shows_the_container_as_it_is():
    (shown,) = [block for block in docs_blocks.blocks(PAGE) if block.language == "dockerfile"]
    assert shown.code == (FILES / "Containerfile").read_text(encoding="utf-8")


@pytest.mark.parametrize("file", STEPS)
def test_the_shell_lines_of_a_pipeline_can_be_read(file):
    lines = scripts(file)
    assert len(lines) == STEPS[file]
    for line in lines:
        assert isinstance(line, str), "YAML took it for something else"
        done = subprocess.run(["sh", "-n", "-c", line], capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr


def test_pipelines_and_page_use_the_same_profiles():
    page = PAGE.read_text(encoding="utf-8")
    profiles = set(re.findall(r'register_profile\("(\w+)"', page))
    assert profiles == {"pipeline", "night"}
    for file in STEPS:
        assert set(re.findall(r"\bprofile=(\w+)", "\n".join(scripts(file)))) == profiles
        assert "report.xml" in (FILES / file).read_text(encoding="utf-8")


@pytest.mark.soak
@pytest.mark.requires("podman")
def test_the_image_is_built_and_runs_tests_without_network(tmp_path):
    """The commands of the page; a card over pcscd, a trace in JUnit."""
    (block,) = [block for block in docs_blocks.blocks(PAGE) if "podman build" in block.code]
    wheel, build, run = block.code.splitlines()
    image = tmp_path / "image"
    image.mkdir()
    shutil.copy(FILES / "Containerfile", image)
    (tmp_path / "test_it.py").write_text(PROJECT, encoding="utf-8")
    pip = wheel.replace("pip ", f"{sys.executable} -m pip ", 1).replace(
        "/path/to/sscard", str(ROOT)
    )
    typed(pip, tmp_path)
    typed(build, tmp_path)
    said = typed(run, tmp_path, code=1)
    assert "1 failed, 2 passed" in said, said
    report = ET.parse(tmp_path / "report.xml")
    (failure,) = report.iter("failure")
    assert "refused because: the key has no try left" in failure.text
    assert "0020000003" not in failure.text


def typed(command: str, folder: Path, code: int = 0) -> str:
    done = subprocess.run(
        ["sh", "-c", command],
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=TIME_LIMIT_S,
        check=False,
    )
    assert done.returncode == code, f"{command}: {done.returncode}\n{done.stdout}"
    return done.stdout
