"""`sscard explain TRACE`, `monitor`, `replay`: what they print, and their exit codes."""

import json

import pytest
from cli_bench import Cli
from sessions import pay, recorded, visit

from sscard.inspect.trace import CardRecorder, Recorder, dumps, masked_trace
from sscard.sample import new_card, sample_card

BROKEN = (
    '{"sscard": "trace", "format": 1, "source": "port", "masked": false}\n'
    '{"event": "power", "change": "on"}\n'
    '{"event": "apdu", "command": "00A404000F7378312E73682EC9E7BBE1B1A3D5CF", "response": "9000"}\n'
    '{"event": "apdu", "command": "0020000003000000", "response": "63C5"}\n'
    '{"event": "apdu", "command": "0020000003000001", "response": "63C5"}\n'
)
WHY = "5 tries are left after a wrong PIN, of 5"


@pytest.fixture(scope="module")
def session():
    return recorded(sample_card(), visit, pay)


@pytest.fixture
def written(session, tmp_path):
    """`written(masked=...)`: the session as a file."""

    def write(*, masked=False):
        path = tmp_path / "session.jsonl"
        path.write_text(dumps(masked_trace(session) if masked else session), encoding="utf-8")
        return path

    return write


def test_keys_of_a_profile_verify_both_sides_and_the_certificates(written):
    text = Cli()("explain", written(), "--keys", "sample", "--monitors")
    assert text.count("verified: right under") == 11
    assert "WRONG" not in text
    assert text.endswith("9 monitors, 0 violations\n")


def test_ca_keys_alone_verify_signatures_and_nothing_secret(written, tmp_path):
    keys = tmp_path / "ca.toml"
    Cli()("cert", "list", keys)
    lines = [
        line.strip()
        for line in Cli()("explain", written(), "--ca-keys", keys).splitlines()
        if "verified" in line
    ]
    assert "DDA signature verified: right under the ICC key" in lines
    assert "cryptogram not verified: no keys of the bank were given" in lines


def test_a_masked_trace_says_why_it_is_not_verified(written):
    text = Cli()("explain", written(masked=True), "--keys", "sample")
    assert "cryptogram not verified: the PAN is not in the trace, or masked" in text
    assert "WRONG" not in text


def test_a_monitor_speaks_where_its_property_is_broken(tmp_path):
    path = tmp_path / "broken.jsonl"
    path.write_text(BROKEN, encoding="utf-8")
    lines = Cli()("explain", path, "--monitors", code=1).splitlines()
    assert lines[-2] == f"  BROKEN: {WHY}  (tries-fall)"
    assert lines[-1] == "9 monitors, 1 violations"
    found = json.loads(Cli()("explain", path, "--monitors", "--json", code=1))
    assert [(one["entry"], one["why"]) for one in found["violations"]] == [(4, WHY)]
    assert len(found["entries"]) == 4
    assert isinstance(json.loads(Cli()("explain", path, "--json")), list)
    assert WHY in Cli()("monitor", path, code=1)


def test_a_tap_is_told_as_one_and_replayed_by_air(tmp_path):
    card, recorder = new_card("pboc-contactless"), Recorder("card", show_secrets=True)
    with CardRecorder(card, recorder):
        power = card.power_on(interface="contactless")
        power.transmit(bytes.fromhex("00A404000E325041592E5359532E4444463031"))
    path = tmp_path / "tap.jsonl"
    path.write_text(dumps(recorder.trace), encoding="utf-8")
    assert Cli()("explain", path).startswith("1 power on: contactless\n")
    assert "no difference" in Cli()("replay", path, "--profile", "pboc-contactless")
