"""How cards stand with their bank (cos 8.4), and what follows for their transactions."""

from datetime import timedelta

import pytest
from bank_desk import CARD, DAY, batch, completion, new_host, request

from sscard.issuer import CardState, IssuerError, Policy
from sscard.issuer.policy import Standing
from sscard.keys.vault import BankCard

INACTIVE, ACTIVE, ORAL, WRITTEN, STOLEN, REPLACED, CANCELLED = CardState
LOSSES = {ORAL, WRITTEN, STOLEN}


@pytest.fixture
def host():
    return new_host()


def reachable(before):
    """Every state a card may move to from each standing, as the table of 8.4 has it."""
    found, waiting = {}, [Standing(before)]
    while waiting:
        standing = waiting.pop()
        if standing not in found:
            moves = {state: standing.moved(state) for state in CardState}
            found[standing] = {state for state, then in moves.items() if then is not None}
            waiting += [then for then in moves.values() if then is not None]
    return found


@pytest.mark.parametrize("start", [INACTIVE, ACTIVE])
def test_cos_8_4_every_move(start):
    found = reachable(start)
    assert found[Standing(ORAL, start)] == {WRITTEN, STOLEN, start}
    assert found[Standing(WRITTEN, start)] == {STOLEN, start, REPLACED, CANCELLED}
    assert found[Standing(STOLEN, start)] == {start, REPLACED, CANCELLED}
    assert found[Standing(REPLACED)] == found[Standing(CANCELLED)] == set()
    assert found[Standing(ACTIVE)] == LOSSES | {REPLACED, CANCELLED}
    assert (Standing(INACTIVE) in found) == (start is INACTIVE)
    for standing in found:  # I4, and a loss remembers what it was
        assert (standing.before is not None) == (standing.state in LOSSES)


def test_cos_8_4_a_lost_card_that_was_never_active_is_not_active_when_found(host):
    other = BankCard(CARD.pan, "01")
    host.issue_card(other, "6217000000000001", "3012", state=INACTIVE)
    host.set_card(other, WRITTEN)
    with pytest.raises(IssuerError, match="written loss does not become active"):
        host.set_card(other, ACTIVE)
    host.set_card(other, INACTIVE)
    host.set_card(other, ACTIVE)


@pytest.mark.parametrize("state", [REPLACED, CANCELLED])
def test_cos_8_4_nothing_leaves_replaced_or_cancelled(host, state):
    host.set_card(CARD, state)
    host.set_card(CARD, state)
    for other in set(CardState) - {state}:
        with pytest.raises(IssuerError, match="does not become"):
            host.set_card(CARD, other, day=DAY)


def test_cos_8_4_an_oral_loss_ends_when_no_written_one_follows():
    host = new_host(policy=Policy(oral_loss_days=3))
    with pytest.raises(IssuerError, match="has a day"):
        host.set_card(CARD, ORAL)
    host.set_card(CARD, ORAL, day=DAY)
    assert host.authorise(request(1)).arc == "41"
    host.end_of_day(DAY + timedelta(days=3))
    assert host.authorise(request(2)).arc == "41"
    host.end_of_day(DAY + timedelta(days=4))
    assert host.authorise(request(3)).approved
    host.set_card(CARD, ORAL, day=DAY)
    host.set_card(CARD, WRITTEN)
    host.end_of_day(DAY + timedelta(days=40))
    assert host.authorise(request(4)).arc == "41"


def test_cos_8_4_a_card_is_settled_before_it_is_cancelled(host):
    host.authorise(request())
    with pytest.raises(IssuerError, match="not settled"):
        host.set_card(CARD, CANCELLED)
    host.clear(batch(completion()))
    host.set_card(CARD, CANCELLED)
    assert host.authorise(request(2)).arc == "14"
