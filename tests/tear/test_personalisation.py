"""A full personalisation under power loss (cos 9, 3): sampled here, exhaustive in `make soak`.

The script runs once on a blank card. Then each of its commands that writes is torn on the card
the commands before it left, and tried again.
"""

from functools import cache
from itertools import islice
from random import Random

import pytest

from sscard.inspect import fsck
from sscard.perso.profile import Profile
from sscard.perso.script import personalise
from sscard.sample import blank_card
from sscard.testing.trial import Step, from_log, trials

pytestmark = pytest.mark.tear

PROFILE = "sample"
SEED = 20240315
PARTS = 8


@cache
def session() -> tuple[Step, ...]:
    """What the personaliser sends, challenges included."""
    profile = Profile.load(PROFILE)
    card = blank_card(profile)
    log = personalise(profile, card.power_on().transmit)
    assert fsck(card.image) == []
    return tuple(from_log(log))


def part_of_it(part: int):
    """Every eighth command that writes."""
    blank = blank_card(Profile.load(PROFILE)).snapshot()
    return islice(trials(blank, session()), part, None, PARTS)


@pytest.mark.parametrize("part", range(PARTS))
def test_cos_9_3_personalisation_torn_here_and_there(part, tears):
    """Up to three operations of each command, drawn by seed, in all phases; recovery too."""
    random = Random(SEED + part)
    for trial in part_of_it(part):
        drawn = random.choices(range(len(trial.operations)), k=3)
        tears(trial, only=set(drawn), seeds=1)


@pytest.mark.soak
@pytest.mark.parametrize("part", range(PARTS))
def test_cos_9_3_personalisation_torn_everywhere(part, tears):
    for trial in part_of_it(part):
        tears(trial)
