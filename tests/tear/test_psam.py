"""Power loss in a PSAM: the terminal transaction number, MAC2's tries, the issuing phase.

Source: cos 1.3 T1 and T2, 7.3.
"""

import pytest
from sam_desk import CITY, CSN8, SELECT, SamDesk, psam_of

from sscard.card import Card
from sscard.cos.eeprom import Phase, Tear
from sscard.errors import PowerLoss
from sscard.keys import purse
from sscard.keys.diversify import chain
from sscard.perso.psam import PsamProfile
from sscard.perso.psam_script import psam_script
from sscard.sample import blank_card
from sscard.testing.trial import Step, record, trials

pytestmark = pytest.mark.tear

KEY = bytes.fromhex("A61133D3CB9D4CB31671F280F851C361")
PSAM = psam_of({"DPK": ("42", "01", KEY.hex())}).snapshot()
SELECTED = Step(bytes.fromhex(SELECT))
INIT = Step(
    bytes.fromhex(f"8070000024A1B2C3D40005000003E80620240315103000 0100 {CSN8} {CITY}"),
    name="80 70",
)


def credit(number: int, *, good: bool = True) -> Step:
    dpk = chain(0, KEY, [bytes.fromhex(CITY), bytes.fromhex(CSN8)])
    key = purse.purchase_key(dpk, bytes.fromhex("A1B2C3D4"), 5, number)
    mac2 = purse.purchase_mac2(key, 1000) if good else bytes(4)
    return Step(bytes.fromhex("8072000004") + mac2, name="80 72")


def number(image: bytes) -> int:
    return SamDesk(Card(image)).number()


def tries(image: bytes) -> int:
    desk = SamDesk(Card(image))
    domain = desk.power.kernel.current
    key = next(key for key in domain.keys.records(domain.directory) if key.type == 0x42)
    return domain.tries_left(key)


def test_cos_7_3_the_number_rises_or_does_not(tears):
    """Sent again it gives the next number: `retry` would compare the answers, so it is off."""
    trial = record(PSAM, [SELECTED], INIT)
    result = tears(trial, retry=False)
    assert [number(state.image) for state in result.states] == [0, 1]


@pytest.mark.parametrize("phase", list(Phase))
def test_cos_7_3_no_number_leaves_twice(phase):
    """Cut anywhere in 80 70: whatever MAC1 left the card before, the next number is greater."""
    operations = len(record(PSAM, [SELECTED], INIT).operations)
    for op in range(operations + 1):
        card = PSAM.fork()
        desk = SamDesk(card)
        given = [int(desk.ok(INIT.apdu.hex())[:8], 16)]
        card.eeprom.arm(Tear(op, phase))
        try:
            given.append(int(desk(INIT.apdu.hex())[:8], 16))
        except PowerLoss:
            desk = SamDesk(card)
        card.eeprom.arm(None)
        given.append(int(desk.ok(INIT.apdu.hex())[:8], 16))
        assert given == sorted(set(given))


def test_cos_1_3_a_wrong_mac2_costs_its_try(tears):
    trial = record(PSAM, [SELECTED, INIT], credit(1, good=False))
    assert trial.response.hex() == "9302"
    result = tears(trial)
    assert [tries(state.image) for state in result.states] == [10, 9]


def test_cos_1_3_a_right_mac2_spends_and_restores(tears):
    """Retrying needs a new transaction, so the step is not sent again."""
    trial = record(PSAM, [SELECTED, INIT], credit(1))
    assert trial.response.hex() == "9000"
    result = tears(trial, retry=False)
    assert [tries(state.image) for state in result.states] == [10, 9, 10]


def issuing() -> list[Step]:
    """The whole script of a small PSAM, challenges folded in."""
    settings = {"cards": "", "key.K.usage": "48", "key.K.id": "12", "key.K.value": "4B" * 16}
    steps = psam_script(PsamProfile.load("psam", settings))
    step = next(steps)
    found: list[Step] = []
    challenge = b""
    while True:
        if step.command.ins == 0x84:
            challenge = bytes.fromhex("5152535455565758")
            answer = challenge
        else:
            found.append(Step(step.apdu, challenge, step.name))
            answer, challenge = b"", b""
        try:
            step = steps.send(answer)
        except StopIteration:
            return found


BLANK = blank_card(PsamProfile.load("psam", {"cards": ""})).snapshot()


@pytest.mark.parametrize("trial", list(trials(BLANK, issuing())), ids=lambda t: t.step.name)
def test_cos_9_3_every_operation_of_the_issue(trial, tears):
    assert trial.response.hex() == "9000"
    tears(trial, seeds=1)
