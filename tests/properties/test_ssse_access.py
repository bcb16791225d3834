"""ssse-lb002 2-4: card and independent model in lockstep over random command sequences.

A file is never read or written without its condition, and always with it; status words, bytes
and what is read back afterwards agree.
"""

import pytest
from hypothesis import HealthCheck, settings
from hypothesis.stateful import run_state_machine_as_test

from sscard.cli.cards import Bench
from sscard.testing.machines import SsseMachine
from sscard.testing.runner import check, run
from sscard.testing.script import parse

CARDS = {
    "v2": ("v2", {}),
    "v3": ("v3", {}),
    "v1": ("v1", {}),
    "dual": ("sample", {}),
    "history": ("v2", {"challenge_policy": "history:4"}),
    "pboc_iv": ("v2", {"sm_mode": "pboc_iv", "pin_sm_key": "PUK"}),
    "locks": ("v2", {"block_mode": "mac_with_LK", "card_block_scope": "card"}),
    "protected": (
        "v2",
        {
            "ssse.ef.EF05.sm_update": "mac",
            "ssse.ef.EF06.sm_update": "enc_mac",
            "ssse.df.DF01.ef.EF05.sm_update": "mac",
            "ssse.df.DF02.ef.EF07.sm_update": "enc_mac",
            "ssse.df.DF07.ef.EF05.sm_update": "mac",
            "record_le": "strict",
        },
    ),
}


def machine(name):
    profile, changes = CARDS[name]
    return type(f"Ssse_{name}", (SsseMachine,), {"profile": profile, "settings": changes})


def play(name, examples, steps=30):
    run_state_machine_as_test(
        machine(name),
        settings=settings(
            max_examples=examples,
            stateful_step_count=steps,
            suppress_health_check=list(HealthCheck),
        ),
    )


@pytest.mark.parametrize("name", CARDS)
def test_ssse_4_card_and_model_agree(name):
    play(name, 25)


@pytest.mark.soak
@pytest.mark.parametrize("name", CARDS)
def test_ssse_4_card_and_model_agree_for_long(name):
    play(name, 3_000, steps=80)


def test_a_sequence_is_a_script_that_another_card_passes():
    """What a failure prints: pasted into tests/spec, it asks of a new card what the model asked."""
    player = machine("protected")()
    player.begin()
    player.rightful_update(5, 3, b"\x42", "n", "")
    player.right_and_gone(8, "failed")
    player.reset()
    player.block(0x1E, 0, "", proved=True)
    script = parse(player.script)
    outcomes = run(script, make_card=Bench("apdu").make)
    assert len(outcomes) > 30
    check(script, outcomes)
