"""Planted mistakes: the machine of test_pse_model must find each of these, and nothing else."""

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import run_state_machine_as_test
from pse_plants import BUGS, NEUTRAL

from sscard.testing.pse_machine import PseMachine


def play(examples):
    run_state_machine_as_test(
        PseMachine,
        settings=settings(
            max_examples=examples,
            stateful_step_count=25,
            phases=[Phase.generate],
            suppress_health_check=list(HealthCheck),
            deadline=None,
            database=None,
        ),
    )


@pytest.mark.parametrize("plant", BUGS, ids=lambda plant: plant.__name__)
def test_pse_a_planted_mistake_is_found(plant, monkeypatch):
    plant(monkeypatch)
    with pytest.raises(AssertionError, match="the card answered"):
        play(200)


@pytest.mark.parametrize("plant", NEUTRAL, ids=lambda plant: plant.__name__)
def test_pse_a_neutral_change_is_not_found(plant, monkeypatch):
    plant(monkeypatch)
    play(25)
