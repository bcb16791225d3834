"""Programs and suites nobody changed, with the card in their own process: no pcscd is running."""

import os
import re
import subprocess
from pathlib import Path

import pytest
import through_pyscard

from sscard.cli.cards import card_of_profile
from sscard.errors import TransportError
from sscard.inspect.values import stored
from sscard.sample import sample_card, sample_psam
from sscard.terminal.psam_source import PsamSource
from sscard.testing import faults
from sscard.testing.conformance import Bench, Outcome, run_suite, suites
from sscard.testing.runner import Rig, check, run
from sscard.testing.script import parse
from sscard.transport.port import CardMute, CardRemoved, CardUnpowered

ROOT = Path(__file__).parents[2]
EMV_PYTHON = ROOT / ".venv-emv/bin/python"
EMVTOOL = Path(__file__).parent / "programs/emvtool_in_process.py"
SPEC = ROOT / "tests/spec"
SELECT_SSSE = "00A404000F7378312E73682EC9E7BBE1B1A3D5CF"
FCI = "6F16 840F 7378312E73682EC9E7BBE1B1A3D5CF A503 880101 9000"
LINKS = pytest.mark.parametrize("link", ["apdu", "t0"])


# ---- PyPI's emv ----------------------------------------------------------------------------------


@pytest.fixture
def emvtool(require):
    """`emvtool(link, profile, *words)`: what it prints, without frames, and the APDUs."""
    require("emvtool")
    python = str(EMV_PYTHON)
    asked = subprocess.run(
        [python, "-c", "import construct, cryptography, filelock"], check=False, capture_output=True
    )
    if asked.returncode:
        pytest.fail(".venv-emv is older than its recipe: remove it and run make deps")

    def call(link, profile, *words):
        done = subprocess.run(
            [python, str(EMVTOOL), link, profile, *words],
            env={**os.environ, "PYTHONPATH": str(ROOT / "src"), "LC_ALL": "C.UTF-8"},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        text = re.sub(r"\x1b\(0.*?\x1b\(B|\x1b\[\d+m", "|", done.stdout)
        apdus = re.findall(r"^([0-9a-f]{8,}) ([0-9a-f]{4,})$", done.stderr, re.MULTILINE)
        return " ".join(text.split()), apdus

    return call


@pytest.mark.requires("emvtool")
@LINKS
def test_pse_1_emvtool_reads_the_application_in_process(emvtool, link):
    text, _ = emvtool(link, "pboc", "listapps")
    assert '| 0 | "PBOC DEBIT" | [A0 00 00 03 33 01 01 01] |' in text
    text, apdus = emvtool(link, "pboc-16", "appdata", "0")
    assert "| [5A] | Application Primary Account Number (PAN) | 6210950000000017 |" in text
    assert "| [5F 20] | Cardholder Name | " in text
    assert "| [9F 42] | Application Currency Code | CNY |" in text
    assert ("6110" in dict(apdus)["80a8000002830000"]) == (link == "t0")


@pytest.mark.requires("emvtool")
@LINKS
def test_pse_4_4_emvtool_verifies_the_pin_and_asks_for_an_arqc_in_process(emvtool, link):
    """What it makes of the answer is its own: it knows an IAD of 7 bytes only."""
    text, apdus = emvtool(link, "pboc", "-p", "1111", "cap")
    assert text.endswith("Invalid PIN")
    assert not [command for command, _ in apdus if command.startswith("80ae")]
    _, apdus = emvtool(link, "pboc", "-p", "123456", "cap", "-c", "12345678")
    assert ("002000800826123456ffffffff00", "9000") in apdus
    asked = [n for n, (command, _) in enumerate(apdus) if command.startswith("80ae80")]
    assert len(asked) == 1
    answer = apdus[asked[0] + (link == "t0")][1]
    assert re.fullmatch("8013800001[0-9a-f]{16}07010103a41000019000", answer)


# ---- our own suites through pyscard ---------------------------------------------------------------


@pytest.fixture
def readers(require):
    """`readers(card, ...)`: a terminal's port to each, through pyscard and readers in process."""
    require("pyscard")
    from contextlib import ExitStack

    from sscard.transport.pcsc import PcscPort
    from sscard.transport.pyscard_reader import VirtualReader, installed

    with ExitStack() as stack:

        def ports(*cards, link="apdu"):
            made = [VirtualReader(f"bench {n}", card, link=link) for n, card in enumerate(cards)]
            stack.enter_context(installed(*made, alone=True))
            return [stack.enter_context(PcscPort(reader.name)) for reader in made]

        yield ports


@pytest.mark.requires("pyscard")
@pytest.mark.parametrize(
    ("fault", "kind"),
    [
        (faults.mute(after=1), CardMute),
        (faults.truncated(1, when=2), CardMute),
        (faults.dies(after=1), CardUnpowered),
        (faults.torn(0, 2), CardUnpowered),
        (faults.removed(2), CardRemoved),
    ],
    ids=lambda value: str(value) if isinstance(value, faults.Fault) else "",
)
def test_what_goes_wrong_in_a_command_has_its_class(readers, fault, kind):
    (port,) = readers(faults.faulty(sample_card(), fault))
    port.transmit(bytes.fromhex("00A404000F7378312E73682EC9E7BBE1B1A3D5CF"))
    with pytest.raises(TransportError) as error:
        port.transmit(bytes.fromhex("0020000003999999"))
    assert type(error.value) is kind


@pytest.mark.requires("pyscard")
@LINKS
def test_ssse_0_the_conformance_suite_passes_through_pyscard(readers, link):
    port, psam = readers(sample_card(), sample_psam(), link=link)
    bench = Bench(port, PsamSource(psam), bytes.fromhex("123456"))
    report = run_suite(suites()["ssse"], "v2", bench, safe=False)
    outcomes = [result.outcome for result in report.results]
    assert outcomes.count(Outcome.FAILED) == 0
    assert outcomes.count(Outcome.PASSED) > 1000


@pytest.mark.requires("pyscard")
@LINKS
@pytest.mark.parametrize("area", ["cos", "pse", "ssse"])
def test_the_scripts_of_the_specification_pass_through_pyscard(readers, area, link):
    ran = 0
    for path in sorted((SPEC / area).rglob("*.apdu")):
        script = parse(path.read_text("utf-8"), path.relative_to(SPEC).as_posix())

        def make(profile, settings):
            card = card_of_profile(profile, settings)
            (port,) = readers(card, link=link)
            return Rig(port, lambda p: stored(card.image, p), card.env.force_random)

        outcomes = run(script, make_card=make)
        check(script, outcomes)
        ran += len(outcomes)
    assert ran > 20


@pytest.mark.requires("pyscard")
@pytest.mark.parametrize(
    "spoil",
    [
        pytest.param(lambda data, sw1, sw2: (data[:-1], sw1, sw2), id="the last byte is lost"),
        pytest.param(lambda data, sw1, sw2: (data, sw2, sw1), id="SW1 and SW2 change places"),
        pytest.param(lambda data, sw1, sw2: (data, sw1, sw2 ^ 0x01), id="a bit of SW2 turns"),
    ],
)
def test_a_fault_planted_in_the_reader_is_found(monkeypatch, spoil):
    """What `--through-pyscard` shows: the tests are those of the card, the way is pyscard's."""
    from sscard.transport.pyscard_reader import VirtualConnection

    send = VirtualConnection.doTransmit
    sample_card()  # made once, by commands that are not to be counted
    count = through_pyscard.install(monkeypatch.setattr)
    assert _selects_the_ssse()
    assert (count.commands, count.powers) == (1, 1)
    monkeypatch.setattr(
        VirtualConnection, "doTransmit", lambda self, apdu, protocol=None: spoil(*send(self, apdu))
    )
    assert not _selects_the_ssse()


def _selects_the_ssse():
    answer = sample_card().power_on().transmit(bytes.fromhex(SELECT_SSSE))
    return answer == bytes.fromhex(FCI)
