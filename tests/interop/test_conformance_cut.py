"""`sscard conformance --reader` when the card, its reader or the tester does not stay to the end."""

import json
import os
import signal
import subprocess
import sys
import time
from xml.etree import ElementTree as ET

import pytest

from sscard.sample import sample_card
from sscard.testing.faults import faulty, mute, removed, slow
from sscard.transport.pcscd import PrivatePcscd
from sscard.transport.serve import CardSlot

pytestmark = [pytest.mark.interop, pytest.mark.requires("pcscd", "vpcd", "pyscard")]

LIMIT_S = 60
AFTER = 150
"""Commands that are answered."""


class Run:
    """One run of `sscard conformance`, and the three reports it writes."""

    def __init__(self, clients, slot, folder, *words):
        self.files = {kind: folder / f"report.{kind}" for kind in ("json", "junit", "html")}
        told = [word for kind, path in self.files.items() for word in (f"--{kind}", str(path))]
        self.process = subprocess.Popen(
            [sys.executable, "-m", "sscard", "conformance", "--reader", slot.name, "--profile",
             "sample", *told, *words],
            env=clients.environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )  # fmt: skip
        self.output = self.errors = ""

    def ends(self, code):
        """Wait for the end; return the JSON report."""
        self.output, self.errors = self.process.communicate(timeout=LIMIT_S)
        assert self.process.returncode == code, self.output + self.errors
        assert "Traceback" not in self.errors
        return json.loads(self.files["json"].read_text(encoding="utf-8"))

    def cut_case(self, report):
        """Check that all reports agree on where the run stopped; return that case."""
        [case] = [each for each in report["cases"] if each["outcome"] == "cut off"]
        assert report["cut"].startswith(f"in {case['id']}: ")
        assert f"the run stopped {report['cut']}" in self.errors.replace("\n", " ")
        assert f"CUT OFF  {case['id']}" in self.output
        [error] = ET.parse(self.files["junit"]).iter("error")
        assert error.get("message") == case["reason"]
        assert case["id"] in self.files["html"].read_text(encoding="utf-8")
        return case


def test_a_card_that_goes_mute(serve, slots, clients, tmp_path):
    """The virtual reader answers 6F00 for it; a card that does so after resets is dead."""
    serve(faulty(sample_card(), mute(AFTER), link="t0"))
    run = Run(clients, slots[0], tmp_path)
    report = run.ends(3)
    assert "the card answers 6F00 to everything" in report["cut"]
    assert f"the run stopped {report['cut']}" in " ".join(run.errors.split())
    assert report["counts"]["failed"] <= 4
    assert report["counts"]["passed"] > 10
    assert report["suites"][1]["absent"].startswith("not run: the run stopped after ")


def test_a_card_that_is_taken_out(serve, slots, clients, tmp_path):
    serve(faulty(sample_card(), removed(AFTER), link="t0"))
    run = Run(clients, slots[0], tmp_path)
    report = run.ends(3)
    assert "the card was taken out" in run.cut_case(report)["reason"]
    assert report["counts"]["passed"] > 10
    assert report["counts"]["failed"] == 0
    assert report["suites"][1]["absent"].startswith("not run: the run stopped in ")


def test_a_card_that_was_taken_out_before_any_case(serve, slots, clients, tmp_path):
    serve(faulty(sample_card(), removed(1), link="t0"))
    run = Run(clients, slots[0], tmp_path, "--suite", "ssse")
    assert run.ends(3)["cut"].startswith("before the first case: ")


def test_pcscd_that_is_stopped_takes_its_readers_along(clients_of, tmp_path):
    with PrivatePcscd(slots=1) as daemon:
        slot = daemon.slots[0]
        place = CardSlot(slot.host, slot.port)
        place.insert(faulty(sample_card(), slow(0.02), link="t0"))
        daemon.wait(slot, present=True)
        run = Run(clients_of(daemon), slot, tmp_path)
        time.sleep(4)
        assert run.process.poll() is None
        daemon.stop()
        case = run.cut_case(run.ends(3))
        assert "pcscd" in case["reason"] or "the reader is gone" in case["reason"], case["reason"]
        place.remove()


def test_another_program_that_holds_the_card(serve, slots, clients, tmp_path):
    """Nothing can be run then; and while the suite runs, nobody else gets at the card."""
    serve(faulty(sample_card(), slow(0.02), link="t0"))
    hold = "c = connection(args[0]); c.connect()\ntell('held')\ntold()\n"
    with clients.pyscard_talk(hold, slots[0].name) as other:
        assert other.told() == "held"
        run = Run(clients, slots[0], tmp_path)
        output, errors = run.process.communicate(timeout=LIMIT_S)
        assert run.process.returncode == 3, output
        assert "another program holds the card: close that" in " ".join(errors.split())
        other.tell()
    run = Run(clients, slots[0], tmp_path)
    time.sleep(4)
    intrude = (
        "try:\n    connection(args[0]).connect(); tell('in')\n"
        "except Exception as error:\n    tell(str(error))\n"
    )
    assert run.process.poll() is None
    assert "haring" in clients.pyscard(intrude, slots[0].name)
    run.process.send_signal(signal.SIGINT)
    run.ends(130)


@pytest.mark.skipif(os.name == "nt", reason="there Ctrl-C is no signal that can be sent")
def test_ctrl_c(serve, slots, clients, tmp_path):
    serve(faulty(sample_card(), slow(0.02), link="t0"))
    run = Run(clients, slots[0], tmp_path, "--all")
    time.sleep(4)
    run.process.send_signal(signal.SIGINT)
    assert "interrupted" in run.cut_case(run.ends(130))["reason"]
