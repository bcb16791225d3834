"""A card's state as a value: what tells two moments apart, and what does not."""

import pytest
from hypothesis import given, target
from hypothesis import strategies as st

from sscard.errors import ActivationError
from sscard.sample import new_card, sample_card, sample_psam
from sscard.testing.pse_machine import PseMachine, Terms
from sscard.testing.state import state

SSSE = bytes.fromhex("00A404000F7378312E73682EC9E7BBE1B1A3D5CF00")
BANK = bytes.fromhex("00A4040008A000000333010101")
GPO = bytes.fromhex("80A8000002830000")
PIN = bytes.fromhex("0020000003123456")
WRONG = bytes.fromhex("0020000003999999")
CHALLENGE = bytes.fromhex("0084000008")
BANK_WRONG = bytes.fromhex("0020008008249999FFFFFFFFFF")
BAD_MAC = bytes.fromhex("841E000004") + bytes(4)


def of(card, *apdus):
    live = card.power_on()
    for apdu in apdus:
        live.transmit(apdu)
    return state(live)


def domain(seen, name):
    return next(one for one in seen.domains if one.name == name)


def test_selection_rights_challenge_tries_phase_and_life_cycle():
    fresh = of(sample_card())
    assert (fresh.current, fresh.life_cycle) == ("CM", 0x0F)
    assert [one.life_cycle for one in fresh.domains[1:]] == [0x07, 0x07]
    selected = of(sample_card(), SSSE)
    assert selected.current == "SSSE"
    assert domain(selected, "SSSE").rights == (0, 0)
    assert domain(of(sample_card(), SSSE, CHALLENGE), "SSSE").challenges == 1
    proved = domain(of(sample_card(), SSSE, PIN), "SSSE")
    assert proved.rights[1]
    wrong = domain(of(sample_card(), SSSE, WRONG), "SSSE")
    spent = set(domain(selected, "SSSE").tries) ^ set(wrong.tries)
    assert sorted(left for *_, left in spent) == [5, 6]
    assert len({row[:3] for row in spent}) == 1
    assert domain(of(sample_card(), BANK), "PSE").phase == "Selected"
    assert domain(of(sample_card(), BANK, GPO), "PSE").phase == "Initiated"


@pytest.mark.parametrize(("spoil", "issuer"), [("", "passed"), ("bit", "failed")])
def test_how_the_issuer_stands_in_a_transaction(spoil, issuer):
    played = PseMachine()
    played.personalise({})
    played.open()
    played.generate(0x80, Terms(), "3030")
    silent = domain(state(played.power), "PSE")
    assert (silent.phase, silent.issuer) == ("Online", "")
    played.external(spoil, "3030")
    told = domain(state(played.power), "PSE")
    assert (told.phase, told.issuer) == ("Online", issuer)
    played.generate(0x40, Terms(), "3030")
    assert domain(state(played.power), "PSE").phase == "Script"


def test_tries_of_the_bank_and_wrong_macs_count():
    before = domain(of(sample_card(), BANK), "PSE")
    wrong = domain(of(sample_card(), BANK, GPO, BANK_WRONG), "PSE")
    spent = set(before.tries) ^ set(wrong.tries)
    assert [row[0] for row in spent] == [0xDF01, 0xDF01]
    assert domain(of(sample_card(), SSSE), "SSSE").mac_left == 3
    assert domain(of(sample_card(), SSSE, CHALLENGE, BAD_MAC), "SSSE").mac_left == 2


def test_by_contact_and_by_air():
    card = new_card("pboc-contactless")
    by_air = state(card.power_on(interface="contactless"))
    by_contact = state(card.power_on())
    assert by_air.contactless
    assert by_contact == by_air._replace(contactless=False)


def test_every_part_hashes():
    seen = of(sample_card(), SSSE, PIN)
    assert len({seen, of(sample_card(), SSSE, PIN), of(sample_card(), SSSE)}) == 2


def test_what_never_repeats_is_left_out():
    live = sample_card().power_on()
    seen = []
    for _ in range(2):
        for apdu in (SSSE, CHALLENGE):
            live.transmit(apdu)
        seen.append(state(live))
    assert seen[0] == seen[1]
    assert hash(seen[0]) == hash(seen[1])


def test_looking_changes_nothing_and_needs_power():
    card = sample_card()
    live = card.power_on()
    before = card.image
    state(live)
    assert card.image == before
    live.power_off()
    with pytest.raises(ActivationError):
        state(live)


def test_other_cards():
    assert of(new_card("blank")).current == "CM"
    assert of(sample_psam()).domains[0].name == "PSAM"


@given(st.lists(st.sampled_from([SSSE, PIN, WRONG, CHALLENGE, BANK, GPO]), max_size=6))
def test_states_as_a_target_for_hypothesis(apdus):
    live = sample_card().power_on()
    seen = set()
    for apdu in apdus:
        live.transmit(apdu)
        seen.add(state(live))
    target(len(seen), label="states seen")
    assert len(seen) <= len(apdus)
