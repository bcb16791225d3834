"""Personalisation through the secure channel under power loss (pse-pboc 9; cos 1.3, 9).

A channel is RAM and dies with the power, so no command of it can be sent again: the bureau opens
a new one and brings all DGIs once more. That must always end in the same card.
"""

from functools import cache
from random import Random

import pytest
from card_images import without_ring
from pse_desk import ADF, Desk, before, cid

from sscard.card import Card
from sscard.cos.eeprom import Phase, Tear, torn_image
from sscard.inspect import fsck
from sscard.perso.cps import card_dgis, store_in_channel
from sscard.perso.profile import Profile
from sscard.perso.script import PersonalisationError, carry_out
from sscard.testing.trial import Step, Trial

pytestmark = pytest.mark.tear

PROFILE = Profile.load("pboc")
(DEBIT,) = PROFILE.pse.directories
SECRETS = tuple(key.value for key in (*DEBIT.keys, DEBIT.pin)) + tuple(
    value for dgi, value in DEBIT.dgis if dgi >> 8 == 0x82
)
PARTS = 4


def session():
    """What the bureau sends in the application, each command when the one before is answered."""
    return store_in_channel(DEBIT.name, PROFILE.pse.channel, card_dgis(DEBIT))


@cache
def recorded() -> tuple[Trial, ...]:
    """The session once, undisturbed; every command that writes is taken down."""
    desk = before("initialize update of DF01", perso="cps")
    card, power, steps = desk.card, desk.power, session()
    trials = []
    step = next(steps)
    while True:
        image = card.image
        with card.eeprom.recording() as log:
            answer = power.transmit(step.apdu)
        assert answer[-2:] == b"\x90\x00"
        if log:
            trials.append(
                Trial(Step(step.apdu, b"", step.name), (), image, tuple(log), card.image, answer)
            )
        try:
            step = steps.send(answer[:-2])
        except StopIteration:
            return tuple(trials)


def finished(image: bytes) -> bytes:
    """An image without ring and without how many channels the application has opened."""
    tree = Card(image)._mounted().extents[2].tree
    debit = next(node for name, node in tree.directories.items() if name.startswith(b"\xa0"))
    at = debit.child(0xEF90).body + 24
    return without_ring(image[:at] + b"\xff\xff" + image[at + 2 :])


def resumed(image: bytes) -> Card:
    """Power on, and personalise again from the first block, unless the application is in use."""
    card = Card(image)
    power = card.power_on()
    power.transmit(bytes.fromhex(ADF))
    if power.transmit(bytes.fromhex("80A80000028300")) == b"\x69\x85":
        carry_out(session(), power.transmit)
    else:
        with pytest.raises(PersonalisationError, match=r"initialize update.*: 6D00"):
            carry_out(session(), power.transmit)
        card.restore(Card(image).snapshot())  # without the ATC that was just spent
        card.power_on()
    return card


def test_the_session_writes_with_every_block():
    names = [trial.step.name for trial in recorded()]
    assert names[0] == "authenticate host to DF01"
    assert len(names) == 1 + len(card_dgis(DEBIT)) - 1  # 9000 is only compared
    assert fsck(recorded()[-1].after) == []


@pytest.mark.parametrize("part", range(PARTS))
def test_pse_9_each_block_is_all_or_nothing(part, tears):
    """Operations drawn by seed, in all phases; the recovery torn too; no key stays in the ring."""
    random = Random(part)
    for trial in recorded()[part::PARTS]:
        drawn = set(random.choices(range(len(trial.operations)), k=3))
        tears(trial, retry=False, secrets=SECRETS, only=drawn, seeds=1)


@pytest.mark.soak
def test_pse_9_each_block_is_all_or_nothing_everywhere(tears):
    for trial in recorded():
        tears(trial, retry=False, secrets=SECRETS)


def torn(random: Random, trial: Trial) -> bytes:
    """The image of a tear anywhere in a command."""
    tear = Tear(random.randrange(len(trial.operations)), random.choice(list(Phase)))
    return torn_image(trial.before, trial.operations, tear)


@pytest.mark.parametrize("part", range(PARTS))
def test_pse_9_a_new_channel_finishes_what_the_power_interrupted(part):
    random = Random(100 + part)
    wanted = finished(recorded()[-1].after)
    for trial in recorded()[part::PARTS]:
        card = resumed(torn(random, trial))
        assert finished(card.image) == wanted, trial.step.name
        assert fsck(card.image) == []


def test_pse_9_the_card_then_works():
    card = resumed(torn(Random(7), recorded()[8]))
    desk = Desk(card)
    desk.select()
    assert desk.data("80A80000028300").startswith("800E7C00")
    assert cid(desk.ac(0x80)) == "80"
