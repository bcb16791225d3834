"""`sscard conformance --reader` on the real stack: the virtual reader plays the physical one."""

import json
import sys

import pytest

from sscard.sample import sample_card, sample_psam
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
