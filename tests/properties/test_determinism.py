"""Same image, environment and APDUs: same answers, bytes and time, wherever they run.

In other processes with other hash seeds, time zones and locales; after snapshot, restore and
fork; whoever listens.
"""

import hashlib
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from cos_bureau import PSE, SSSE, furnished, operational
from cos_trace import Player, Session, Step, examples, traces
from cos_walk import IMAGE_SHA256, walk, without_ring
from hypothesis import given
from hypothesis import strategies as st

from sscard.card import Card
from sscard.env import Env

SCENE = [
    Session(
        SSSE,
        (
            Step("prove", (1,)),
            Step("create", (1,)),
            Step("write_key", (0, 0, 1)),
            Step("raw", (), "00A4000002DF05"),
            Step("challenge", (16,)),
            Step("update_protected", (18, 0, 1)),
            Step("prove_key", (5, 1)),
            Step("raw", (), "00D68A0204CAFEBABE"),
            Step("prove", (0,)),
        ),
    ),
    Session(PSE, (Step("prove", (1,)), Step("raw", (), "80CA00D100"), Step("challenge", (8,)))),
    Session(SSSE, (Step("raw", (), "80CA00D000"), Step("new_master", (0, 1)))),
]


def story():
    """All there is to compare after the walk and a scene: answers, bytes, time, challenges."""
    card = Card.blank(env=Env(seed=b"determinism"))
    answers = [answer for _, answer in walk(card, card.power_on())]
    player = Player(furnished()).play(SCENE)
    told = b"".join([*answers, *player.responses()])
    return {
        "walk": hashlib.sha256(without_ring(card.image)).hexdigest(),
        "ring": hashlib.sha256(card.image).hexdigest(),
        "answers": hashlib.sha256(told).hexdigest(),
        "image": hashlib.sha256(player.card.image).hexdigest(),
        "clock": [card.env.clock_us, player.card.env.clock_us],
        "wear": hashlib.sha256(player.card.env.wear.tobytes()).hexdigest(),
        "atr": player.card.atr.hex(),
    }


ELSEWHERE = {
    "hash seed 1": {"PYTHONHASHSEED": "1"},
    "hash seed 4711": {"PYTHONHASHSEED": "4711"},
    "Shanghai": {"TZ": "Asia/Shanghai", "LC_ALL": "zh_CN.UTF-8"},
    "New York, C": {"TZ": "America/New_York", "LC_ALL": "C"},
    "Turkish": {"LC_ALL": "tr_TR.UTF-8", "LANG": "tr_TR.UTF-8"},
    "POSIX, no UTF-8": {"LC_ALL": "POSIX", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"},
}
PROGRAM = "import json, test_determinism; print(json.dumps(test_determinism.story()))"


@pytest.fixture(scope="module")
def here():
    return story()


@pytest.mark.parametrize("place", ELSEWHERE)
def test_the_story_is_the_same_elsewhere(place, here, tmp_path):
    folder = Path(__file__).parent
    environment = {
        **{name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ},
        "PYTHONPATH": os.pathsep.join((str(folder), str(folder.parent / "lib"))),
        "PYTHONDONTWRITEBYTECODE": "1",
        **ELSEWHERE[place],
    }
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM],
        env=environment,
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == here


def test_the_story_is_the_walk(here):
    assert here["walk"] == IMAGE_SHA256
    assert story() == here


def test_cos_1_5_challenges_depend_on_seed_and_power_on_count():
    def challenge(env):
        return Card(operational().image, env).power_on().transmit(bytes.fromhex("0084000010"))

    first = challenge(Env(seed=b"one"))
    assert challenge(Env(seed=b"one")) == first
    env = Env(seed=b"one")
    later = [challenge(env) for _ in range(3)]
    assert later[0] == first
    others = [*later, challenge(Env(seed=b"two")), challenge(Env(seed=b"one", power_ons=7))]
    assert len(set(others)) == len(others)


# --- snapshot, restore, fork --------------------------------------------------------------------


def outcome(player):
    return player.responses(), player.card.image, player.card.env


@examples(60)
@given(before=traces(), after=traces(), link=st.sampled_from(("apdu", "t0")))
def test_ni_14_snapshot_restore_and_fork_are_the_same_card(before, after, link):
    """Whichever way one comes back to a state, what follows is the same."""
    player = Player(furnished(), link=link).play(before)
    masters = dict(player.masters)
    snapshot = player.card.snapshot()

    def follow(card):
        other = Player(card.snapshot(), link=link)
        other.masters = dict(masters)
        return outcome(other.play(after))

    expected = follow(snapshot.fork())
    assert follow(player.card.fork()) == expected
    assert follow(Card(snapshot.image, snapshot.env.copy())) == expected
    player.play(after)  # the card goes on, and comes back
    player.card.restore(snapshot)
    assert player.card.image == snapshot.image
    assert player.card.env == snapshot.env
    assert follow(player.card) == expected


@examples(30)
@given(one=traces(), two=traces())
def test_ni_14_forks_do_not_see_each_other(one, two):
    """Two forks of one card, their sessions interleaved, are as if each were alone."""
    origin = furnished().fork()
    alone = [outcome(Player(origin.snapshot()).play(trace)) for trace in (one, two)]
    forks = [Player(origin.snapshot()) for _ in range(2)]
    for at in range(max(len(one), len(two))):
        for fork, trace in zip(forks, (one, two), strict=True):
            fork.play(trace[at : at + 1])
    assert [outcome(fork) for fork in forks] == alone
    assert origin.image == furnished().image


@examples(30)
@given(trace=traces())
def test_listening_changes_nothing(trace):
    silent = Player(operational()).play(trace)
    watched = Player(operational())
    events = []
    watched.card.trace(events.append)
    watched.play(trace)
    assert outcome(watched) == outcome(silent)
    assert b"".join(e.response for e in events if hasattr(e, "response")) == b"".join(
        watched.responses()
    )


@examples(30)
@given(trace=traces())
def test_link_styles_end_in_the_same_image(trace):
    """T=0 shapes answers; what the card does is the same (cos 9, 7)."""
    at_once = Player(operational()).play(trace)
    contact = Player(operational(), link="t0").play(trace)
    assert contact.card.image == at_once.card.image
    assert contact.card.env.clock_us == at_once.card.env.clock_us


def test_an_activation_ends_when_the_next_begins():
    from sscard.errors import ActivationError

    card = furnished().fork()
    first = card.power_on()
    snapshot = card.snapshot()
    second = card.power_on()
    with pytest.raises(ActivationError):
        first.transmit(bytes.fromhex("0084000008"))
    card.restore(snapshot)
    with pytest.raises(ActivationError):
        second.transmit(bytes.fromhex("0084000008"))
    with pytest.raises(ActivationError):
        second.reset()
