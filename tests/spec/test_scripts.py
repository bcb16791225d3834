"""Every script of this folder passes, on both links; the text of each comes back from its tree."""

from pathlib import Path

import pytest

from sscard.cli.cards import Bench, card_of_profile
from sscard.testing.runner import check, run
from sscard.testing.script import CardLine, Comment, parse, render

HERE = Path(__file__).parent
SCRIPTS = sorted(HERE.rglob("*.apdu"))
NAMES = [path.relative_to(HERE).with_suffix("").as_posix() for path in SCRIPTS]


def read(path):
    return parse(path.read_text("utf-8"), path.relative_to(HERE).as_posix())


@pytest.mark.parametrize("link", ["apdu", "t0"])
@pytest.mark.parametrize("path", SCRIPTS, ids=NAMES)
def test_script(path, link):
    script = read(path)
    outcomes = run(script, make_card=Bench(link).make)
    assert len(outcomes) > 1
    check(script, outcomes)


@pytest.mark.parametrize("path", SCRIPTS, ids=NAMES)
def test_script_says_what_it_is_about_and_makes_its_own_card(path):
    script = read(path)
    assert parse(render(script)) == script
    first, *_ = script.lines
    assert isinstance(first, Comment)
    assert any(word in first.comment for word in ("cos ", "ssse-lb002 ", "pse-pboc "))
    assert isinstance(next(x for x in script.lines if not isinstance(x, Comment)), CardLine)


def test_a_plain_scriptor_file_runs_unchanged():
    script = read(HERE / "plain.scriptor")
    outcomes = run(script, Bench("t0").rig(card_of_profile("v2")))
    responses = [outcome.response.hex().upper() for outcome in outcomes]
    assert responses[0] == "3B6D00000087CF20018649999900000001"
    assert responses[1] == "6118"
    assert responses[2] == "0504202401159000"
    assert responses[3] == "9000"
    assert responses[4] == "6108"
