"""The walk of cos 4.5 under power loss: every operation, every phase, every recovery (cos 9, 3).

Each row is torn from the card as the rows before it left it, and tried again after the boot.
"""

from hashlib import sha256

import pytest
from cos_walk import (
    CMK,
    EMK_P1,
    EMK_P2,
    EMK_S1,
    EMK_S2,
    IMAGE_SHA256,
    SELECT_MF,
    SELECT_PSE,
    SELECT_SSSE,
    TK,
    UK04,
    without_ring,
)
from tear_bench import domain_state, extents, proves, walk

from sscard.card import Card
from sscard.cos.eeprom import Phase, Tear, torn_image
from sscard.cos.layout import DomainState
from sscard.errors import ActivationError, PowerLoss
from sscard.testing.trial import Trial, record, trials

pytestmark = pytest.mark.tear

TRIALS = {trial.step.name: trial for trial in trials(Card.blank().snapshot(), walk())}
every_row = pytest.mark.parametrize("row", TRIALS)

HAND_OVERS = {"10": (1, EMK_S1), "12": (2, EMK_P1)}
KEYS_WRITTEN = {
    "4": (TK, CMK),
    "10": (CMK, EMK_S1),
    "12": (CMK, EMK_P1),
    "15": (EMK_S1, EMK_S2),
    "18": (UK04,),
    "22/15": (EMK_P1, EMK_P2),
}
CARD_STATE, EXTENTS = 4, 5
DOMAIN_OF = {
    bytes.fromhex(apdu): at for at, apdu in enumerate((SELECT_MF, SELECT_SSSE, SELECT_PSE))
}
TORN_AT_ALL_DEPTHS = [
    pytest.param(1, id="once"),
    pytest.param(2, id="twice", marks=pytest.mark.soak),
]


@every_row
@pytest.mark.parametrize("depth", TORN_AT_ALL_DEPTHS)
def test_cos_9_3_every_operation_of_the_walk(row, depth, tears):
    trial = TRIALS[row]
    result = tears(
        trial,
        secrets=KEYS_WRITTEN.get(row, ()),
        nested=depth,
        seeds=4,
    )
    assert result.pages <= own_pages(trial), "NI-9: another extent was written"


def test_cos_9_2_the_walk_ends_in_the_golden_image():
    final = list(TRIALS.values())[-1].after
    assert sha256(without_ring(final)).hexdigest() == IMAGE_SHA256


@pytest.mark.parametrize("row", HAND_OVERS)
def test_cos_4_1_a_torn_hand_over_leaves_exactly_one_owner(row, tears):
    """Whoever the header names can prove himself in the environment, the other cannot."""
    code, emk = HAND_OVERS[row]

    def one_owner(image: bytes) -> list[str]:
        state = domain_state(image, code)
        found = (state, proves(image, code, CMK), proves(image, code, emk))
        legal = (DomainState.CREATED, True, False), (DomainState.OWNED, False, True)
        return [] if found in legal else [f"state {state}, CMK {found[1]}, EMK {found[2]}"]

    result = tears(TRIALS[row], checks=(one_owner,))
    assert [domain_state(state.image, code) for state in result.states] == [1, 1, 1, 3]


COUNTED = {  # address of the counter, and the values it takes
    "1": (0x107, [15, 14, 15]),
    "4": (0x107, [15, 14, 15, 15]),
    "5": (0x22B8 + 13, [8, 7, 8]),
    "9": (0x22B8 + 13, [8, 7, 8]),
    "10": (0x22B8 + 13, [8, 7, 8, 8]),
    "13": (0x2AB8 + 13, [8, 7]),
    "13b": (0x2AB8 + 13, [7, 6]),
    "14": (0x2AB8 + 13, [6, 5, 8]),
    "15": (0x2AB8 + 13, [8, 7, 8, 8]),
    "21": (0x2AB8 + 13, [8, 7, 8, 8]),
}


@pytest.mark.parametrize("row", COUNTED)
def test_cos_1_3_t2_a_try_is_spent_before_it_is_used(row, tears):
    """Between the spent try and the restored one there is no other state (cos 1.3, T2)."""
    address, values = COUNTED[row]
    result = tears(TRIALS[row], nested=0)
    assert [state.image[address] for state in result.states] == values


def test_a_live_card_tears_as_computed():
    """Arming the tear in a card that runs, and booting it, gives what the recording gives."""
    row, select = TRIALS["15"], bytes.fromhex(SELECT_SSSE)
    start = Card(row.before).snapshot()
    trial = record(start, row.session, row.step)
    for op in range(len(trial.operations)):
        for phase in Phase:
            card = start.fork()
            activation = card.power_on()
            for step in trial.session:
                step.send(card, activation)
            card.eeprom.arm(Tear(op, phase))
            with pytest.raises(PowerLoss):
                trial.step.send(card, activation)
            with pytest.raises(ActivationError):
                activation.transmit(trial.step.apdu)
            torn = card.image
            assert torn == torn_image(trial.before, trial.operations, Tear(op, phase))
            card.power_on()
            other = Card(torn)
            other.power_on()
            assert card.image == other.image
            assert card.fork().power_on().transmit(select) == other.power_on().transmit(select)


# --- looking at images ------------------------------------------------------------------------


def own_pages(trial: Trial) -> set[int]:
    """The pages a row may write: its domain's extent, with the bootstrap set of F7."""
    after = extents(trial.after)
    code = 0
    for step in (*trial.session, trial.step):
        code = DOMAIN_OF.get(step.apdu, code)
    pages = set(after.get(code, ()))
    if not code:
        new = set(after) - set(extents(trial.before))
        pages.update({CARD_STATE, EXTENTS}, *(after[one] for one in new))
    elif domain_state(trial.before, code) == DomainState.CREATED:
        pages.update({CARD_STATE, EXTENTS}, after[0])
    return pages
