"""`sscard conformance --reader` on the real stack: the virtual reader plays the physical one."""

import json
import sys
from xml.etree import ElementTree as ET

import pytest

from sscard.sample import new_card, sample_card, sample_psam
from sscard.transport.memory import PoweredSlot

pytestmark = [pytest.mark.interop, pytest.mark.requires("pcscd", "vpcd", "pyscard")]


def powered(card, link):
    return PoweredSlot(card, link=link, atr=card.atr)


@pytest.mark.parametrize("link", ["t0", "apdu"])
def test_ssse_0_conformance_of_a_card_in_a_reader(serve, slots, clients, tmp_path, link):
    serve(powered(sample_card(), link), slots[0])
    serve(powered(sample_psam(), link), slots[1])
    told = tmp_path / "report.json"
    sections = ("ATR", "CHECKLIST", "CHANGE_PIN", "AUTHENTICATION", "DF04_RECORD", "SSSE_RECORD")
    chosen = [word for section in sections for word in ("--case", f"{section}/*")]
    clients.run(
        sys.executable, "-m", "sscard", "conformance", "--reader", slots[0].name,
        "--psam", slots[1].name, "--pin", "123456", "--all", "--json", str(told), *chosen,
    )  # fmt: skip
    report = json.loads(told.read_text(encoding="utf-8"))
    assert report["counts"]["failed"] == 0
    not_run = {case["id"] for case in report["cases"] if case["outcome"] == "not run"}
    assert not_run == {"CHECKLIST/code-mac", "DF04_RECORD/EF08/numbers"}
    assert report["counts"]["passed"] > 70


@pytest.mark.parametrize(("link", "words"), [("t0", ()), ("apdu", ("--all",))])
def test_pse_12_conformance_of_a_bank_card_in_a_reader(
    serve, slots, clients, tmp_path, link, words
):
    """A safe run leaves the ATC where it was; --all runs every case."""
    card = new_card("pboc-ec")
    serve(powered(card, link), slots[0])
    told = tmp_path / "report.json"
    clients.run(
        sys.executable, "-m", "sscard", "conformance", "--reader", slots[0].name,
        "--profile", "pboc-ec", "--json", str(told), *words,
    )  # fmt: skip
    report = json.loads(told.read_text(encoding="utf-8"))
    assert report["counts"]["failed"] == 0
    assert [(row["suite"], row["absent"]) for row in report["suites"]] == [("pse", "")]
    assert report["counts"]["passed"] == (349 if words else 90)
    atc = card.power_on()
    atc.transmit(bytes.fromhex("00A4040008A000000333010101"))
    seen = atc.transmit(bytes.fromhex("80CA9F3600"))[3:5]
    assert (seen == bytes(2)) is (not words)


def test_both_suites_of_a_card_in_a_reader_in_one_report(serve, slots, clients, tmp_path):
    serve(powered(sample_card(), "t0"), slots[0])
    told = tmp_path / "report.xml"
    chosen = [word for name in ("ATR/*", "BLOCKING/*", "SEPARATION/*") for word in ("--case", name)]
    clients.run(
        sys.executable, "-m", "sscard", "conformance", "--reader", slots[0].name,
        "--profile", "sample", "--all", "--junit", str(told), *chosen,
    )  # fmt: skip
    cases = list(ET.parse(told).iter("testcase"))
    assert {case.get("classname") for case in cases} == {"ATR", "BLOCKING", "SEPARATION"}
    assert not list(ET.parse(told).iter("failure"))
    assert len(list(ET.parse(told).iter("skipped"))) == 2
